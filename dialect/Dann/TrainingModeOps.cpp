//===- TrainingModeOps.cpp - Layers that differ in training ---------------===//

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"
#include "Utils/Statistics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

//===----------------------------------------------------------------------===//
// DropoutOp
//===----------------------------------------------------------------------===//

LogicalResult DropoutOp::verify() {
  double rate = getRate().convertToDouble();
  if (!(rate >= 0 && rate < 1))
    return emitOpError("rate must be at least 0 and less than 1");
  RankedTensorType type = getX().getType();
  if (type.getRank() == 0 ||
      type.getNumDynamicDims() > static_cast<int64_t>(type.isDynamicDim(0)))
    return emitOpError("the shape must be static but for its first dimension");
  return success();
}

void DropoutOp::buildVjp(OpBuilder &, ArrayRef<Value> cotangents,
                         const llvm::BitVector &,
                         MutableArrayRef<Value> operandCotangents) {
  operandCotangents[0] = cotangents[0];
}

void DropoutOp::inferResultSigns(ArrayRef<Sign> operands,
                                 MutableArrayRef<Sign> results) {
  results[0] = operands[0];
}

bool DropoutOp::needsRandomKey() { return !getRate().isZero(); }

void DropoutOp::buildTrainingForm(OpBuilder &builder, Value key, int64_t stream,
                                  MutableArrayRef<Value> results,
                                  MutableArrayRef<Value>) {
  if (getRate().isZero()) {
    results[0] = getX();
    return;
  }
  LinalgBuilder b(builder, getLoc());
  RankedTensorType type = getX().getType();
  Value count;
  if (type.isDynamicDim(0))
    count =
        getValueOrCreateConstantIndexOp(builder, getLoc(), b.size(getX(), 0));
  double kept = 1 - getRate().convertToDouble();
  APFloat mean(getUnscaled() ? kept : 1), scale(getUnscaled() ? 1 : 1 / kept);
  Value mask =
      RandomOp::create(builder, getLoc(), type, Distribution::Bernoulli, mean,
                       scale, stream, key, count);
  auto loops = LinalgBuilder::allLoops(getX());
  results[0] =
      b.elementwise({{getX(), loops}, {mask, loops}}, getX(),
                    [](ImplicitLocOpBuilder &b, ValueRange args) {
                      return arith::MulFOp::create(b, args[0], args[1]);
                    });
}

//===----------------------------------------------------------------------===//
// BatchNormOp
//===----------------------------------------------------------------------===//

LogicalResult BatchNormOp::verify() {
  RankedTensorType type = getX().getType();
  if (type.getRank() < 2 || type.isDynamicDim(1) || type.getDimSize(1) < 1)
    return emitOpError() << "x must be [B, units, ...], where units is static, "
                            "but is "
                         << type;
  for (auto [value, name] :
       {std::pair(getMean(), "mean"), std::pair(getVariance(), "variance")}) {
    auto statistic = cast<RankedTensorType>(value.getType());
    if (statistic.getShape() != type.getShape().slice(1, 1))
      return emitOpError() << name << " must be [" << type.getDimSize(1)
                           << "], but is " << statistic;
    if (statistic.getElementType() != type.getElementType())
      return emitOpError() << "element types differ: " << type.getElementType()
                           << " and " << statistic.getElementType();
  }
  if (!getEpsilon().isFinite() || getEpsilon().isNegative())
    return emitOpError("epsilon must be finite and not negative");
  double momentum = getMomentum().convertToDouble();
  if (!(momentum >= 0 && momentum <= 1))
    return emitOpError("momentum must be from 0 to 1");
  return success();
}

void BatchNormOp::inferResultSigns(ArrayRef<Sign>,
                                   MutableArrayRef<Sign> results) {
  results[0] = Sign::Any;
}

void BatchNormOp::buildTrainingForm(OpBuilder &builder, Value, int64_t,
                                    MutableArrayRef<Value> results,
                                    MutableArrayRef<Value> updates) {
  LinalgBuilder b(builder, getLoc());
  ImplicitLocOpBuilder scalars(getLoc(), builder);
  Type type = getElementTypeOrSelf(getX().getType());

  // The number n of entries of a unit, and n - 1, which counts as 1 if it is 0.
  Value one = arith::ConstantIndexOp::create(scalars, 1);
  Value count = one;
  for (auto [i, size] : llvm::enumerate(b.sizes(getX())))
    if (i != 1)
      count = scalars.createOrFold<arith::MulIOp>(
          count, getValueOrCreateConstantIndexOp(builder, getLoc(), size));
  auto toFloat = [&](Value index) {
    Value integer =
        scalars.createOrFold<arith::IndexCastOp>(builder.getI64Type(), index);
    // Unsigned: the analysis of signs knows that it is not negative.
    return scalars.createOrFold<arith::UIToFPOp>(type, integer);
  };
  Value n = toFloat(count);
  Value freedom = toFloat(scalars.createOrFold<arith::MaxSIOp>(
      scalars.createOrFold<arith::SubIOp>(count, one), one));

  constexpr unsigned unit = 1;
  Statistics batch = buildStatistics(b, getX(), unit, n);
  results[0] = buildNormalized(b, getX(), unit, batch, n,
                               getEpsilon().convertToDouble());

  double momentum = getMomentum().convertToDouble();
  Value keep = b.constant(type, 1 - momentum);
  Value take = b.constant(type, momentum);
  // running * keep + observed / divisor * take.
  auto buildRunning = [&](Value running, Value observed, Value divisor) {
    return b.elementwise(
        {{running, {0}}, {observed, {0}}, {divisor, {}}}, running,
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value kept = arith::MulFOp::create(b, args[0], keep);
          Value share = arith::DivFOp::create(b, args[1], args[2]);
          return arith::AddFOp::create(b, kept,
                                       arith::MulFOp::create(b, share, take));
        });
  };
  updates[1] = buildRunning(getMean(), batch.mean, b.constant(type, 1));
  updates[2] = buildRunning(getVariance(), batch.squares, freedom);
}
