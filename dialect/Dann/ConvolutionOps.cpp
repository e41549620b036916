//===- ConvolutionOps.cpp - E/I convolution -------------------------------===//

#include "Dann/Dann.h"
#include "Dann/EILayers.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::dann;

/// Requires `values` to be `count` numbers from `least` to a bound that keeps
/// products of two of them within 64 bits.
static LogicalResult verifyNumbers(Operation *op, ArrayRef<int64_t> values,
                                   StringRef name, size_t count,
                                   int64_t least) {
  constexpr int64_t most = int64_t(1) << 30;
  if (values.size() == count && llvm::all_of(values, [&](int64_t value) {
        return value >= least && value <= most;
      }))
    return success();
  InFlightDiagnostic diagnostic =
      op->emitOpError() << name << " must be " << count << " numbers from "
                        << least << " to " << most << ", but is [";
  llvm::interleaveComma(values, diagnostic);
  return diagnostic << "]";
}

/// The constraints of dann.ei_conv2d, for it and its gradient. `z` is the
/// result or its cotangent.
template <typename OpTy>
static LogicalResult verifyEiConv2d(OpTy op, Value z, StringRef zName) {
  if (failed(verifyNumbers(op, op.getStrides(), "strides", 2, 1)) ||
      failed(verifyNumbers(op, op.getDilations(), "dilations", 2, 1)) ||
      failed(verifyNumbers(op, op.getPadding(), "padding", 4, 0)))
    return failure();
  auto x = cast<RankedTensorType>(op.getX().getType());
  auto filters = cast<RankedTensorType>(op.getWex().getType());
  int64_t ci = cast<RankedTensorType>(op.getWix().getType()).getDimSize(0);
  int64_t ce = filters.getDimSize(0), channels = filters.getDimSize(1);
  int64_t kernel[] = {filters.getDimSize(2), filters.getDimSize(3)};
  for (auto [size, what] :
       {std::pair(ce, "excitatory units"), std::pair(ci, "inhibitory units"),
        std::pair(channels, "channels"), std::pair(kernel[0], "filter rows"),
        std::pair(kernel[1], "filter columns"),
        std::pair(x.getDimSize(2), "rows of x"),
        std::pair(x.getDimSize(3), "columns of x")})
    if (ShapedType::isDynamic(size) || size < 1)
      return op.emitOpError()
             << "the number of " << what << " must be static and at least 1";

  SmallVector<int64_t> result = {x.getDimSize(0), ce};
  for (int64_t i : {0, 1}) {
    int64_t padded =
        x.getDimSize(2 + i) + op.getPadding()[i] + op.getPadding()[2 + i];
    int64_t span = (kernel[i] - 1) * op.getDilations()[i] + 1;
    if (span > padded)
      return op.emitOpError()
             << "a filter spans " << span << (i == 0 ? " rows" : " columns")
             << ", but the padded x has " << padded;
    result.push_back((padded - span) / op.getStrides()[i] + 1);
  }
  if (failed(verifyShape(
          op, op.getX(), "x",
          {x.getDimSize(0), channels, x.getDimSize(2), x.getDimSize(3)})) ||
      failed(verifyShape(op, op.getWix(), "wix",
                         {ci, channels, kernel[0], kernel[1]})) ||
      failed(verifyShape(op, op.getWei(), "wei", {ce, ci})) ||
      failed(verifyShape(op, op.getAlpha(), "alpha", {ci})) ||
      failed(verifyShape(op, op.getGain(), "gain", {ce})) ||
      failed(verifyShape(op, op.getBias(), "bias", {ce})) ||
      failed(verifyShape(op, z, zName, result)))
    return failure();
  return verifyEILayer(op, z);
}

LogicalResult EiConv2dOp::verify() {
  return verifyEiConv2d(*this, getZ(), "z");
}

LogicalResult EiConv2dGradOp::verify() {
  if (failed(verifyEiConv2d(*this, getDz(), "dz")))
    return failure();
  return verifyEIGradients(*this);
}

void EiConv2dOp::buildVjp(OpBuilder &builder, ArrayRef<Value> resultCotangents,
                          const llvm::BitVector &active,
                          MutableArrayRef<Value> operandCotangents) {
  bool parametersOnly = !active.test(0);
  auto types = llvm::to_vector(getOperands().getTypes());
  auto grad = EiConv2dGradOp::create(
      builder, getLoc(), ArrayRef(types).drop_front(parametersOnly),
      resultCotangents[0], getX(), getWex(), getWix(), getWei(), getAlpha(),
      getGain(), getBias(), parametersOnly, getStrides(), getDilations(),
      getPadding(), getEpsilon());
  llvm::copy(grad.getGradients(), operandCotangents.begin() + parametersOnly);
}

void EiConv2dOp::inferResultSigns(ArrayRef<Sign>,
                                  MutableArrayRef<Sign> resultSigns) {
  resultSigns[0] = Sign::Any;
}

std::optional<Role> EiConv2dOp::getOperandRole(unsigned index) {
  return getEILayerRole(*this, index);
}

Sign EiConv2dOp::getRequiredSign(unsigned index) {
  return getSignForRole(getOperandRole(index));
}

int64_t EiConv2dOp::getFanIn() {
  auto filters = cast<RankedTensorType>(getWex().getType());
  return filters.getNumElements() / filters.getDimSize(0);
}

int64_t EiConv2dOp::getNumExcitatory() {
  return cast<RankedTensorType>(getWex().getType()).getDimSize(0);
}
