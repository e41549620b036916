//===- UpdateOps.cpp - Directions and steps of optimizers -----------------===//

#include "Dann/Dann.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

/// Of operations with a parameter and a learning rate.
template <typename OpTy> static LogicalResult verifyRate(OpTy op) {
  if (getElementTypeOrSelf(op.getLearningRate().getType()) !=
      getElementTypeOrSelf(op.getParameter().getType()))
    return op.emitOpError(
        "learning_rate and parameter must have one element type");
  return success();
}

LogicalResult DecayWeightsOp::verify() { return verifyRate(*this); }
LogicalResult EgUpdateOp::verify() { return verifyRate(*this); }

LogicalResult MomentumOp::verify() {
  if (!getDampening().isZero() && !getStep())
    return emitOpError("dampening needs step");
  return success();
}

LogicalResult AdamDirectionOp::verify() {
  if (!getMaximum() != !getNewMaximum())
    return emitOpError(
        "must have a new maximum if, and only if, it has a maximum");
  for (Value value : {getMaximum(), getNewMaximum()})
    if (value && value.getType() != getGradient().getType())
      return emitOpError() << "a maximum must be " << getGradient().getType()
                           << ", as the gradient is, but is "
                           << value.getType();
  return success();
}

LogicalResult NaturalRateOp::verify() {
  Type rate = getElementTypeOrSelf(getLearningRate().getType());
  Type fisher = getElementTypeOrSelf(getFisher().getType());
  if (rate != fisher)
    return emitOpError() << "element types differ: " << rate << " and "
                         << fisher;
  return success();
}

LogicalResult MirrorUpdateOp::verify() {
  if (!getP().isFinite() || getP().convertToDouble() <= 1)
    return emitOpError("p must be finite and greater than 1");
  return verifyRate(*this);
}

void DecayWeightsOp::inferResultSigns(ArrayRef<Sign> operands,
                                      MutableArrayRef<Sign> results) {
  results[0] = operands[0];
}

void EgUpdateOp::inferResultSigns(ArrayRef<Sign> operands,
                                  MutableArrayRef<Sign> results) {
  results[0] = operands[0];
}

void MirrorUpdateOp::inferResultSigns(ArrayRef<Sign> operands,
                                      MutableArrayRef<Sign> results) {
  results[0] = getPotential() == Potential::Entropy ? operands[0] : Sign::Any;
}

LogicalResult ClipGradNormOp::verify() {
  if (getGradients().getTypes() != getClipped().getTypes())
    return emitOpError("must have one result of each gradient's type");
  if (getGradients().empty() || !llvm::all_equal(llvm::map_range(
                                    getGradients().getTypes(), [](Type type) {
                                      return getElementTypeOrSelf(type);
                                    })))
    return emitOpError("must have gradients, of one element type");
  double maxNorm = getMaxNorm().convertToDouble();
  if (!(maxNorm > 0) || std::isinf(maxNorm))
    return emitOpError("max_norm must be finite and positive");
  return success();
}

LogicalResult AngleLearningRateOp::verify() {
  if (getWeights().getTypes() != getGradients().getTypes() ||
      getWeights().size() != getSigns().size() || getWeights().empty())
    return emitOpError("must have gradients and signs for all weights");
  for (int64_t sign : getSigns())
    if (sign < 0 || sign > static_cast<int64_t>(Sign::Any))
      return emitOpError() << "has the unknown sign " << sign;
  Type type = getElementTypeOrSelf(getLearningRate().getType());
  for (Value value : {Value(getRate()), getWeights().front()})
    if (getElementTypeOrSelf(value.getType()) != type)
      return emitOpError("rates and weights must have one element type");
  double minimum = getMinimum().convertToDouble();
  double epsilon = getEpsilon().convertToDouble();
  if (!(minimum > 0 && minimum < 1))
    return emitOpError("minimum must lie in (0, 1)");
  if (!(epsilon >= 0 && epsilon < 1))
    return emitOpError("epsilon must lie in [0, 1)");
  if (getCount() < 2)
    return emitOpError("count must be at least 2");
  return success();
}

LogicalResult SampleLabelsOp::verify() {
  auto logits = cast<RankedTensorType>(getLogits().getType());
  auto labels = cast<RankedTensorType>(getLabels().getType());
  if (ShapedType::isDynamic(logits.getDimSize(1)) || logits.getDimSize(1) == 0)
    return emitOpError("the number of classes must be static and at least 1");
  if (logits.getDimSize(0) != labels.getDimSize(0))
    return emitOpError("logits and labels must have one batch size");
  return success();
}
