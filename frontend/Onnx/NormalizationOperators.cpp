//===- NormalizationOperators.cpp - Normalisation and dropout -------------===//

#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/Reduction.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

/// An input that describes channels, as floats of the type of `x`.
FailureOr<Tensor> getParameter(Node &node, int index, Tensor x,
                               ArrayRef<int64_t> shape) {
  Tensor parameter = node.getInput(index);
  if (failed(node.requireFloat(parameter)))
    return failure();
  if (parameter.getShape() != shape) {
    InFlightDiagnostic error =
        node.emitError() << "input " << index << " is " << parameter.getType()
                         << " instead of one number for each of [";
    llvm::interleaveComma(shape, error);
    return error << "] channels";
  }
  return node.convert(parameter, x.dataType);
}

/// (x - mean) * inverse * scale + bias; of those that are left out, all
/// elements are 1 or 0.
Tensor normalize(Node &node, Tensor x, Indexed mean, Indexed inverse,
                 Indexed scale = {}, Indexed bias = {}) {
  SmallVector<Indexed> inputs = {indexWhole(x), mean, inverse};
  bool hasScale = static_cast<bool>(scale.tensor);
  bool hasBias = static_cast<bool>(bias.tensor);
  if (hasScale)
    inputs.push_back(scale);
  if (hasBias)
    inputs.push_back(bias);
  return compute(
      node, x.getShape(), x.dataType, inputs,
      [&](B &b, ValueRange arguments) -> Value {
        Value value = arith::SubFOp::create(b, arguments[0], arguments[1]);
        value = arith::MulFOp::create(b, value, arguments[2]);
        if (hasScale)
          value = arith::MulFOp::create(b, value, arguments[3]);
        if (hasBias)
          value = arith::AddFOp::create(b, value, arguments[3 + hasScale]);
        return value;
      });
}

//===----------------------------------------------------------------------===//
// Batches, instances, layers
//===----------------------------------------------------------------------===//

/// Whether a node normalises with the statistics of its own batch, and updates
/// the running ones.
bool isTraining(Node &node) {
  if (node.getOpset() >= 14)
    return node.getInt("training_mode", 0) != 0;
  // Before that, training is what has more outputs than one; the oldest
  // versions say so with an attribute too, whose default models rely on that
  // have but one.
  bool hasMore = false;
  for (int i = 1; i < node.getNumOutputs(); ++i)
    hasMore |= node.hasOutput(i);
  return hasMore && (node.getOpset() >= 7 || node.getInt("is_test", 0) == 0);
}

/// Whether the running statistics are parameters: the metadata say that this
/// compiler trains them.
bool hasTrainedStatistics(Node &node) {
  auto isParameter = [&](int index) {
    auto argument = dyn_cast<BlockArgument>(node.getInput(index).value);
    auto function =
        argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
                 : func::FuncOp();
    auto role = function ? function.getArgAttrOfType<RoleAttr>(
                               argument.getArgNumber(), DannDialect::kRoleAttr)
                         : RoleAttr();
    return role && role.getValue() == Role::Stat;
  };
  return !isTraining(node) && node.getNumOutputs() == 1 &&
         node.getOpset() >= 9 && node.getInput(0).getRank() >= 2 &&
         node.getInput(3).dataType == node.getInput(0).dataType &&
         node.getInput(4).dataType == node.getInput(0).dataType &&
         isParameter(3) && isParameter(4);
}

LogicalResult importBatchNormalization(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireFloat(x)))
    return failure();
  SmallVector<int64_t> whole(x.getShape());
  if (x.getRank() == 0)
    return node.emitError() << "takes a batch, not " << x.getType();
  // One dimension is a batch of one channel.
  if (x.getRank() == 1) {
    FailureOr<Tensor> channel = node.reshape(x, {whole[0], 1});
    if (failed(channel))
      return failure();
    x = *channel;
  }
  int64_t rank = x.getRank();
  bool isSpatial = node.getOpset() >= 9 || node.getInt("spatial", 1) != 0;
  SmallVector<int64_t> axes = {0};
  if (isSpatial)
    axes.append(llvm::to_vector(llvm::seq<int64_t>(2, rank)));
  ArrayRef<int64_t> channels = x.getShape().drop_front();
  if (isSpatial)
    channels = channels.take_front();
  FailureOr<Tensor> scale = getParameter(node, 1, x, channels);
  FailureOr<Tensor> bias = getParameter(node, 2, x, channels);
  FailureOr<Tensor> mean = getParameter(node, 3, x, channels);
  FailureOr<Tensor> variance = getParameter(node, 4, x, channels);
  if (failed(scale) || failed(bias) || failed(mean) || failed(variance))
    return failure();
  double epsilon = node.getFloat("epsilon", 1e-5f);
  double momentum = node.getFloat("momentum", 0.9f);
  if (hasTrainedStatistics(node)) {
    // ONNX counts what stays of the old statistics.
    auto added =
        static_cast<float>(1 - toDecimal(static_cast<float>(momentum)));
    Value y =
        BatchNormOp::create(node.b(), x.value, mean->value, variance->value,
                            APFloat(toDecimal(static_cast<float>(epsilon))),
                            APFloat(toDecimal(added)));
    auto areAll = [&](int index, double value) {
      std::optional<SmallVector<double>> known = node.getKnownFloats(index);
      return known &&
             llvm::all_of(*known, [&](double v) { return v == value; });
    };
    if (!areAll(1, 1))
      y = node.linalg().elementwise(
          {{y, LinalgBuilder::allLoops(y)}, {scale->value, {1}}}, y,
          [](B &b, ValueRange arguments) {
            return arith::MulFOp::create(b, arguments[0], arguments[1]);
          });
    if (!areAll(2, 0))
      y = node.linalg().elementwise(
          {{y, LinalgBuilder::allLoops(y)}, {bias->value, {1}}}, y,
          [](B &b, ValueRange arguments) {
            return arith::AddFOp::create(b, arguments[0], arguments[1]);
          });
    node.setOutput(0, {y, x.dataType});
    return success();
  }
  if (isTraining(node)) {
    Moments moments = computeMoments(node, x, axes);
    auto update = [&](int output, Tensor running, Tensor current) {
      if (!node.hasOutput(output))
        return success();
      Tensor updated =
          compute(node, running.getShape(), x.dataType,
                  {indexWhole(running), indexWhole(current)},
                  [&](B &b, ValueRange arguments) {
                    Type type = x.getElementType();
                    Value kept = arith::MulFOp::create(
                        b, arguments[0], constant(b, type, momentum));
                    Value added = arith::MulFOp::create(
                        b, arguments[1], constant(b, type, 1 - momentum));
                    return arith::AddFOp::create(b, kept, added);
                  });
      // Statistics may have a type of their own, that of the inputs.
      FailureOr<Tensor> result =
          node.convert(updated, node.getInput(output + 2).dataType);
      if (failed(result))
        return failure();
      node.setOutput(output, *result);
      return success();
    };
    if (failed(update(1, *mean, moments.mean)) ||
        failed(update(2, *variance, moments.variance)))
      return failure();
    node.setOutput(3, moments.mean);
    node.setOutput(4, moments.variance);
    mean = moments.mean;
    variance = moments.variance;
  } else {
    // What there is not to save.
    for (int i = 1; i < node.getNumOutputs(); ++i)
      node.setOutput(i, i % 2 == 1 ? *mean : *variance);
  }
  Tensor inverse = invertDeviation(node, *variance, epsilon);
  return node.setResult(
      node.reshape(normalize(node, x, indexReduced(*mean, rank, axes),
                             indexReduced(inverse, rank, axes),
                             indexReduced(*scale, rank, axes),
                             indexReduced(*bias, rank, axes)),
                   whole));
}

LogicalResult importInstanceNormalization(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  if (failed(node.requireFloat(x)))
    return failure();
  if (rank < 3)
    return node.emitError()
           << "takes a batch, channels and at least one dimension more, not "
           << x.getType();
  ArrayRef<int64_t> channels = x.getShape().slice(1, 1);
  FailureOr<Tensor> scale = getParameter(node, 1, x, channels);
  FailureOr<Tensor> bias = getParameter(node, 2, x, channels);
  if (failed(scale) || failed(bias))
    return failure();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(2, rank));
  Moments moments = computeMoments(node, x, axes);
  Tensor inverse =
      invertDeviation(node, moments.variance, node.getFloat("epsilon", 1e-5f));
  node.setOutput(0, normalize(node, x, indexReduced(moments.mean, rank, axes),
                              indexReduced(inverse, rank, axes),
                              {scale->value, {1}}, {bias->value, {1}}));
  return success();
}

LogicalResult importLayerNormalization(Node &node) {
  Tensor x = node.getInput(0), scale = node.getInput(1),
         bias = node.getInput(2);
  int64_t rank = x.getRank();
  FailureOr<int64_t> axis = node.getAxis("axis", -1, rank);
  if (failed(axis) || failed(node.requireFloat(x)) ||
      failed(node.requireSameType(node.getInputs())))
    return failure();
  // The type in which the statistics are computed.
  int64_t stash = node.getInt("stash_type", proto::TensorProto::FLOAT);
  if (stash != proto::TensorProto::FLOAT && stash != proto::TensorProto::DOUBLE)
    return node.emitError()
           << "the stash type " << stash << " is neither float nor double";
  FailureOr<Tensor> wide = node.convert(x, static_cast<int32_t>(stash));
  if (failed(wide))
    return failure();
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(*axis, rank));
  Moments moments = computeMoments(node, *wide, axes);
  Tensor inverse =
      invertDeviation(node, moments.variance, node.getFloat("epsilon", 1e-5f));
  FailureOr<Tensor> normal = node.convert(
      normalize(node, *wide, indexReduced(moments.mean, rank, axes),
                indexReduced(inverse, rank, axes)),
      x.dataType);
  if (failed(normal))
    return failure();
  SmallVector<Tensor> operands = {*normal, scale};
  if (bias)
    operands.push_back(bias);
  FailureOr<SmallVector<int64_t>> shape = node.getBroadcastShape(operands);
  if (failed(shape))
    return failure();
  if (ArrayRef(*shape) != x.getShape())
    return node.emitError()
           << "the scale or bias does not broadcast to " << x.getType();
  FailureOr<Tensor> result = node.elementwise(
      operands, x.dataType, [&](B &b, ValueRange arguments) -> Value {
        Value value = arith::MulFOp::create(b, arguments[0], arguments[1]);
        if (bias)
          value = arith::AddFOp::create(b, value, arguments[2]);
        return value;
      });
  SmallVector<int64_t> kept(x.getShape());
  for (int64_t i : axes)
    kept[i] = 1;
  FailureOr<Tensor> keptMean = node.reshape(moments.mean, kept);
  FailureOr<Tensor> keptInverse = node.reshape(inverse, kept);
  if (failed(result) || failed(keptMean) || failed(keptInverse))
    return failure();
  node.setOutput(0, *result);
  node.setOutput(1, *keptMean);
  node.setOutput(2, *keptInverse);
  return success();
}

LogicalResult importMeanVarianceNormalization(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  if (failed(node.requireFloat(x)))
    return failure();
  SmallVector<int64_t> axes;
  for (int64_t axis : node.getInts("axes", {0, 2, 3})) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
    if (failed(normal))
      return failure();
    if (llvm::is_contained(axes, *normal))
      return node.emitError() << "the axis " << axis << " is given twice";
    axes.push_back(*normal);
  }
  Moments moments = computeMoments(node, x, axes);
  // The standard adds this to the deviation, not to the variance.
  constexpr double epsilon = 1e-9;
  node.setOutput(
      0, compute(node, x.getShape(), x.dataType,
                 {indexWhole(x), indexReduced(moments.mean, rank, axes),
                  indexReduced(moments.variance, rank, axes)},
                 [&](B &b, ValueRange arguments) {
                   Value difference =
                       arith::SubFOp::create(b, arguments[0], arguments[1]);
                   Value deviation = arith::AddFOp::create(
                       b, math::SqrtOp::create(b, arguments[2]),
                       constant(b, x.getElementType(), epsilon));
                   return arith::DivFOp::create(b, difference, deviation);
                 }));
  return success();
}

LogicalResult importLpNormalization(Node &node) {
  Tensor x = node.getInput(0);
  int64_t p = node.getInt("p", 2);
  if (failed(node.requireFloat(x)))
    return failure();
  FailureOr<int64_t> axis = node.getAxis("axis", -1, x.getRank());
  if (failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return node.emitError() << "p is " << p << ", not 1 or 2";
  Tensor norm =
      reduce(node, x, *axis, Combination::Sum, [&](B &b, Value x) -> Value {
        if (p == 1)
          return math::AbsFOp::create(b, x);
        return arith::MulFOp::create(b, x, x);
      });
  // What is zero everywhere stays so.
  node.setOutput(
      0, compute(node, x.getShape(), x.dataType,
                 {indexWhole(x), indexReduced(norm, x.getRank(), *axis)},
                 [&](B &b, ValueRange arguments) {
                   Type type = x.getElementType();
                   Value norm = arguments[1];
                   if (p == 2)
                     norm = math::SqrtOp::create(b, norm);
                   Value isZero =
                       arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, norm,
                                             constant(b, type, 0));
                   norm = arith::SelectOp::create(b, isZero,
                                                  constant(b, type, 1), norm);
                   return arith::DivFOp::create(b, arguments[0], norm);
                 }));
  return success();
}

//===----------------------------------------------------------------------===//
// Local responses
//===----------------------------------------------------------------------===//

/// base^exponent; of common exponents without a logarithm.
Value buildPower(B &b, Value base, double exponent) {
  if (exponent == 0.5)
    return math::SqrtOp::create(b, base);
  if (exponent == 0.75) {
    Value root = math::SqrtOp::create(b, base);
    return arith::MulFOp::create(b, root, math::SqrtOp::create(b, root));
  }
  if (exponent == 1)
    return base;
  return math::PowFOp::create(b, base, constant(b, base.getType(), exponent));
}

LogicalResult importLrn(Node &node) {
  Tensor x = node.getInput(0);
  int64_t size = node.getInt("size", 0), rank = x.getRank();
  double alpha = node.getFloat("alpha", 1e-4f);
  double beta = node.getFloat("beta", 0.75f);
  double bias = node.getFloat("bias", 1);
  if (failed(node.requireFloat(x)))
    return failure();
  if (rank < 2 || x.getDim(1) == 0)
    return node.emitError()
           << "takes a batch and channels, not " << x.getType();
  if (size < 1)
    return node.emitError()
           << "sums over " << size << " channels, which have to be 1 or more";
  // Channels further away than there are any count nothing.
  int64_t below = std::min((size - 1) / 2, x.getDim(1) - 1);
  int64_t above = std::min(size / 2, x.getDim(1) - 1);
  int64_t window = below + above + 1;
  SmallVector<int64_t> low(rank, 0), high(rank, 0), padded(x.getShape());
  low[1] = below;
  high[1] = above;
  padded[1] += below + above;
  if (failed(node.checkSize(padded)))
    return failure();
  Type type = x.getElementType();
  Tensor around = node.pad(x, low, high, node.scalar(x.dataType, 0));
  // sum[n, c, ...] = sum over w of around[n, c + w, ...]^2, where the loop over
  // w is the last one; a tensor without contents tells its length.
  SmallVector<AffineExpr> from, to;
  AffineExpr w = node.b().getAffineDimExpr(rank);
  for (int64_t i = 0; i < rank; ++i) {
    AffineExpr loop = node.b().getAffineDimExpr(i);
    to.push_back(loop);
    from.push_back(i == 1 ? loop + w : loop);
  }
  MLIRContext *context = node.getContext();
  SmallVector<AffineMap> maps = {AffineMap::get(rank + 1, 0, from, context),
                                 AffineMap::get(rank + 1, 0, w, context),
                                 AffineMap::get(rank + 1, 0, to, context)};
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  iterators.push_back(utils::IteratorType::reduction);
  Value zeros = node.fill(x.getShape(), x.dataType, 0).value;
  Value length = node.linalg().empty(node.getSizes(window), type);
  auto sum = linalg::GenericOp::create(
      node.b(), node.getLoc(), zeros.getType(),
      ValueRange{around.value, length}, zeros, maps, iterators,
      [](OpBuilder &builder, Location loc, ValueRange arguments) {
        B b(loc, builder);
        Value square = arith::MulFOp::create(b, arguments[0], arguments[0]);
        linalg::YieldOp::create(
            b, ValueRange(arith::AddFOp::create(b, arguments[2], square)));
      });
  Tensor squares{sum.getResult(0), x.dataType};
  double factor = alpha / static_cast<double>(size);
  node.setOutput(0, compute(node, x.getShape(), x.dataType,
                            {indexWhole(x), indexWhole(squares)},
                            [&](B &b, ValueRange arguments) {
                              Value scaled = arith::MulFOp::create(
                                  b, arguments[1], constant(b, type, factor));
                              Value base = arith::AddFOp::create(
                                  b, scaled, constant(b, type, bias));
                              return arith::DivFOp::create(
                                  b, arguments[0], buildPower(b, base, beta));
                            }));
  return success();
}

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// What of its input a Dropout drops; none if that is not known.
std::optional<double> getRatio(Node &node) {
  if (node.getOpset() < 12)
    return toDecimal(node.getFloat("ratio", 0.5f));
  if (!node.hasInput(1))
    return 0.5;
  auto known = node.getKnownFloats(1);
  if (!known || known->size() != 1)
    return std::nullopt;
  return node.getInput(1).dataType == proto::TensorProto::FLOAT
             ? toDecimal(static_cast<float>(known->front()))
             : known->front();
}

/// Whether the model is in training where a Dropout stands; none if that is not
/// known. The oldest versions have an attribute that tells training from its
/// contrary, the newest ones an input; those between never drop.
std::optional<bool> isInTraining(Node &node) {
  if (node.getOpset() < 7)
    return node.getInt("is_test", 0) == 0;
  if (node.getOpset() < 12 || !node.hasInput(2))
    return false;
  std::optional<int64_t> mode =
      node.getKnownContents().getInt(node.getInput(2).value);
  return mode ? std::optional(*mode != 0) : std::nullopt;
}

/// Drops while a program trains the model, and nothing otherwise, also where
/// the model is in training: what a program computes from an input depends on
/// nothing else. Without training mode all that keeps it from dropping, such as
/// a mask that is an output, makes it the identity.
LogicalResult importDropout(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireFloat(x)))
    return failure();
  std::optional<double> ratio = getRatio(node);
  std::optional<bool> trains = isInTraining(node);
  bool isNested = !isa<func::FuncOp>(node.b().getBlock()->getParentOp());
  bool canDrop = x.getRank() > 0 &&
                 !ShapedType::isDynamicShape(x.getShape().drop_front()) &&
                 !node.hasOutput(1) && !isNested;
  if (trains != false && ratio != 0) {
    if (!trains || !ratio)
      return node.emitError()
             << "the ratio or the training mode is not known at compile time, "
                "which is not supported; without training mode it is";
    if (!(*ratio > 0 && *ratio < 1))
      return node.emitError() << "the ratio is " << *ratio
                              << "; it has to be from 0 to less than 1";
    if (!canDrop)
      return node.emitError()
             << "drops elements of " << x.getType() << ", "
             << (node.hasOutput(1) ? "and gives what it drops as a mask"
                 : isNested
                     ? "in a graph that is an attribute"
                     : "a number, or with the batch behind another dimension")
             << ", which is not supported; without training mode it is";
    emitRemark(node.getLoc())
        << "drops while the model is trained, and nothing otherwise";
  }
  Tensor y = x;
  if (canDrop && ratio && *ratio > 0 && *ratio < 1)
    y.value = DropoutOp::create(node.b(), x.value, APFloat(*ratio),
                                /*unscaled=*/false);
  node.setOutput(0, y);
  // All is kept.
  int32_t maskType =
      node.getOpset() < 10 ? x.dataType : int32_t(proto::TensorProto::BOOL);
  if (node.hasOutput(1))
    node.setOutput(1, node.fill(x.getShape(), maskType, 1));
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"BatchNormalization", 1, 5, 5, 5, importBatchNormalization},
    {"BatchNormalization", 14, 5, 5, 3, importBatchNormalization},
    {"InstanceNormalization", 1, 3, 3, 1, importInstanceNormalization},
    {"LayerNormalization", 17, 2, 3, 3, importLayerNormalization},
    {"LRN", 1, 1, 1, 1, importLrn},
    {"MeanVarianceNormalization", 9, 1, 1, 1, importMeanVarianceNormalization},
    {"LpNormalization", 1, 1, 1, 1, importLpNormalization},
    {"Dropout", 1, 1, 1, 2, importDropout},
    {"Dropout", 12, 1, 3, 2, importDropout},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getNormalizationOperators() {
  return kOperators;
}
