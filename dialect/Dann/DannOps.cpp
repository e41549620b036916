//===- DannOps.cpp - The operations of the dann dialect -------------------===//

#include "Dann/Dann.h"
#include "Dann/EILayers.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;

//===----------------------------------------------------------------------===//
// Custom syntax
//===----------------------------------------------------------------------===//

/// The one type of all tensors; with a maximum there is a new one.
static ParseResult
parseAdamTypes(OpAsmParser &parser, Type &gradient,
               std::optional<OpAsmParser::UnresolvedOperand> maximum,
               Type &maximumType, Type &newMaximumType) {
  if (parser.parseType(gradient))
    return failure();
  if (maximum)
    maximumType = newMaximumType = gradient;
  return success();
}

static void printAdamTypes(OpAsmPrinter &printer, Operation *, Type gradient,
                           Value, Type, Type) {
  printer << gradient;
}

#define GET_OP_CLASSES
#include "Dann/DannOps.cpp.inc"

LogicalResult mlir::dann::verifyShape(Operation *op, Value value,
                                      StringRef name, ArrayRef<int64_t> shape) {
  if (!value)
    return success();
  auto type = cast<ShapedType>(value.getType());
  bool agrees = type.getRank() == static_cast<int64_t>(shape.size());
  for (auto [actual, wanted] : llvm::zip(type.getShape(), shape))
    agrees &= ShapedType::isDynamic(actual) || ShapedType::isDynamic(wanted) ||
              actual == wanted;
  if (agrees)
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << name << " must be [";
  llvm::interleaveComma(shape, diagnostic, [&](int64_t size) {
    if (ShapedType::isDynamic(size))
      diagnostic << "?";
    else
      diagnostic << size;
  });
  return diagnostic << "], but is " << type;
}

//===----------------------------------------------------------------------===//
// EiDenseOp and EiDenseGradOp
//===----------------------------------------------------------------------===//

/// The constraints of dann.ei_dense, for it and its gradient. `z` is the result
/// or its cotangent.
template <typename OpTy>
static LogicalResult verifyEiDense(OpTy op, Value z, StringRef zName) {
  auto weights = cast<RankedTensorType>(op.getWex().getType());
  int64_t batch = cast<RankedTensorType>(op.getX().getType()).getDimSize(0);
  int64_t ne = weights.getDimSize(0), d = weights.getDimSize(1);
  int64_t ni = cast<RankedTensorType>(op.getWix().getType()).getDimSize(0);
  for (auto [size, what] :
       {std::pair(d, "inputs"), std::pair(ne, "excitatory units"),
        std::pair(ni, "inhibitory units")})
    if (ShapedType::isDynamic(size) || size < 1)
      return op.emitOpError()
             << "the number of " << what << " must be static and at least 1";
  if (failed(verifyShape(op, op.getX(), "x", {batch, d})) ||
      failed(verifyShape(op, op.getWix(), "wix", {ni, d})) ||
      failed(verifyShape(op, op.getWei(), "wei", {ne, ni})) ||
      failed(verifyShape(op, op.getAlpha(), "alpha", {ni})) ||
      failed(verifyShape(op, op.getGain(), "gain", {ne})) ||
      failed(verifyShape(op, op.getBias(), "bias", {ne})) ||
      failed(verifyShape(op, z, zName, {batch, ne})))
    return failure();
  return verifyEILayer(op, z);
}

LogicalResult EiDenseOp::verify() { return verifyEiDense(*this, getZ(), "z"); }

LogicalResult EiDenseGradOp::verify() {
  if (failed(verifyEiDense(*this, getDz(), "dz")))
    return failure();
  return verifyEIGradients(*this);
}

void EiDenseOp::buildVjp(OpBuilder &builder, ArrayRef<Value> resultCotangents,
                         const llvm::BitVector &active,
                         MutableArrayRef<Value> operandCotangents) {
  bool parametersOnly = !active.test(0);
  auto types = llvm::to_vector(getOperands().getTypes());
  auto grad = EiDenseGradOp::create(
      builder, getLoc(), ArrayRef(types).drop_front(parametersOnly),
      resultCotangents[0], getX(), getWex(), getWix(), getWei(), getAlpha(),
      getGain(), getBias(), parametersOnly, getEpsilon());
  llvm::copy(grad.getGradients(), operandCotangents.begin() + parametersOnly);
}

void EiDenseOp::inferResultSigns(ArrayRef<Sign>,
                                 MutableArrayRef<Sign> resultSigns) {
  resultSigns[0] = Sign::Any;
}

std::optional<Role> EiDenseOp::getOperandRole(unsigned index) {
  return getEILayerRole(*this, index);
}

Sign EiDenseOp::getRequiredSign(unsigned index) {
  return getSignForRole(getOperandRole(index));
}

int64_t EiDenseOp::getFanIn() {
  return cast<RankedTensorType>(getWex().getType()).getDimSize(1);
}

int64_t EiDenseOp::getNumExcitatory() {
  return cast<RankedTensorType>(getWex().getType()).getDimSize(0);
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

template <typename OpTy> static LogicalResult verifyLabels(OpTy op) {
  auto logits = cast<RankedTensorType>(op.getLogits().getType());
  if (logits.getDimSize(1) == 0)
    return op.emitOpError("logits must have at least one class");
  return verifyShape(op, op.getLabels(), "labels", {logits.getDimSize(0)});
}

LogicalResult SoftmaxCrossEntropyOp::verify() {
  if (getElementTypeOrSelf(getLoss().getType()) !=
      getElementTypeOrSelf(getLogits().getType()))
    return emitOpError("loss and logits must have one element type");
  return verifyLabels(*this);
}

LogicalResult SoftmaxCrossEntropyGradOp::verify() {
  if (getElementTypeOrSelf(getDloss().getType()) !=
      getElementTypeOrSelf(getLogits().getType()))
    return emitOpError("dloss and logits must have one element type");
  return verifyLabels(*this);
}

LogicalResult CountErrorsOp::verify() { return verifyLabels(*this); }

void SoftmaxCrossEntropyOp::buildVjp(OpBuilder &builder,
                                     ArrayRef<Value> resultCotangents,
                                     const llvm::BitVector &,
                                     MutableArrayRef<Value> operandCotangents) {
  operandCotangents[0] = SoftmaxCrossEntropyGradOp::create(
      builder, getLoc(), getLogits().getType(), resultCotangents[0],
      getLogits(), getLabels());
}

void SoftmaxCrossEntropyOp::inferResultSigns(ArrayRef<Sign>,
                                             MutableArrayRef<Sign> signs) {
  // -log of a probability; rounding can make it a little negative.
  signs[0] = Sign::Any;
}

//===----------------------------------------------------------------------===//
// TrainingOp
//===----------------------------------------------------------------------===//

LogicalResult TrainingOp::verify() {
  if (!getLearningRate().isFinite() || getLearningRate().isNegative())
    return emitOpError("learning_rate must be finite and not negative");
  return success();
}

LogicalResult TrainingOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getFunctionAttr());
  if (!function)
    return emitOpError() << "'" << getFunction() << "' is not a function";
  unsigned numInputs = 0;
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
    numInputs += !function.getArgAttr(i, DannDialect::kRoleAttr);
  if (numInputs != 1 || function.getNumArguments() == 0 ||
      function.getArgAttr(0, DannDialect::kRoleAttr))
    return emitOpError() << "'" << getFunction()
                         << "' must take one input, then parameters (with '"
                         << DannDialect::kRoleAttr << "')";
  auto logits = function.getNumResults() == 1
                    ? dyn_cast<RankedTensorType>(function.getResultTypes()[0])
                    : RankedTensorType();
  if (!logits || logits.getRank() != 2 ||
      !isa<FloatType>(logits.getElementType()))
    return emitOpError() << "'" << getFunction()
                         << "' must return logits, a matrix of floats";
  return success();
}

//===----------------------------------------------------------------------===//
// ValueAndGradOp
//===----------------------------------------------------------------------===//

LogicalResult ValueAndGradOp::verify() {
  if (getOthers().size() < getWrt().size())
    return emitOpError() << "has " << getOthers().size() << " gradients for "
                         << getWrt().size() << " positions in wrt";
  llvm::BitVector seen(getArgs().size());
  for (auto [position, gradient] : llvm::zip(getWrt(), getGradients())) {
    if (position < 0 || position >= static_cast<int64_t>(getArgs().size()))
      return emitOpError() << "wrt names argument " << position << " of "
                           << getArgs().size();
    if (seen.test(position))
      return emitOpError() << "wrt names argument " << position << " twice";
    seen.set(position);
    if (getArgs()[position].getType() != gradient.getType())
      return emitOpError() << "the gradient of argument " << position
                           << " must be a " << getArgs()[position].getType()
                           << ", but is a " << gradient.getType();
  }
  return success();
}

LogicalResult ValueAndGradOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto function = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
      *this, getCalleeAttr());
  if (!function)
    return emitOpError() << "'" << getCallee() << "' is not a function";
  if (function.getArgumentTypes() != getArgs().getTypes())
    return emitOpError() << "arguments do not fit '" << getCallee() << "'";
  SmallVector<Type> results = {getValue().getType()};
  llvm::append_range(results, getAuxiliary().getTypes());
  if (function.getResultTypes() != ArrayRef(results)) {
    InFlightDiagnostic diagnostic = emitOpError() << "'" << getCallee()
                                                  << "' must return one ";
    llvm::interleave(results, diagnostic, " and one ");
    return diagnostic;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

LogicalResult CorrectInhibitionOp::verify() {
  Role role = getRole();
  if (role != Role::Wix && role != Role::Wei && role != Role::Alpha)
    return emitOpError() << "role must be wix, wei or alpha, but is "
                         << stringifyRole(role);
  return success();
}

double CorrectInhibitionOp::getFactor() {
  double perUnit = 1 / std::sqrt(static_cast<double>(getNumExcitatory()));
  double perInput = 1 / static_cast<double>(getFanIn());
  switch (getRole()) {
  case Role::Wix:
    return perUnit;
  case Role::Wei:
    return perInput;
  default:
    return perUnit * perInput;
  }
}

LogicalResult SgdUpdateOp::verify() {
  if (getElementTypeOrSelf(getLearningRate().getType()) !=
      getElementTypeOrSelf(getParameter().getType()))
    return emitOpError(
        "learning_rate and parameter must have one element type");
  return success();
}

void SgdUpdateOp::inferResultSigns(ArrayRef<Sign> operands,
                                   MutableArrayRef<Sign> results) {
  results[0] = addSigns(operands[0],
                        negateSign(multiplySigns(operands[1], operands[2])));
}

LogicalResult ProjectOp::verify() {
  if (getSign() != Sign::Nonneg && getSign() != Sign::Nonpos)
    return emitOpError() << "sign must be nonneg or nonpos, but is "
                         << stringifySign(getSign());
  return success();
}

OpFoldResult ProjectOp::fold(FoldAdaptor) {
  // Projections are idempotent.
  auto inner = getParameter().getDefiningOp<ProjectOp>();
  if (inner && inner.getSign() == getSign())
    return getParameter();
  return {};
}

void ProjectOp::inferResultSigns(ArrayRef<Sign>,
                                 MutableArrayRef<Sign> results) {
  results[0] = getSign();
}

//===----------------------------------------------------------------------===//
// RandomOp
//===----------------------------------------------------------------------===//

LogicalResult RandomOp::verify() {
  auto type = cast<RankedTensorType>(getValues().getType());
  bool isCounted = type.getRank() > 0 && type.isDynamicDim(0);
  if (type.getNumDynamicDims() > isCounted || isCounted != !!getCount())
    return emitOpError("the shape must be static, but for a first dimension "
                       "given as count");
  if (!getScale().isFinite() || getScale().isNegative())
    return emitOpError("scale must be finite and not negative");
  if (!getMean().isFinite())
    return emitOpError("mean must be finite");
  switch (getDistribution()) {
  case Distribution::Exponential:
    if (!getMean().isZero())
      return emitOpError("the mean of an exponential distribution is its "
                         "scale");
    return success();
  case Distribution::Lognormal:
    if (getMean().isZero() || getMean().isNegative())
      return emitOpError("the mean of a lognormal distribution must be "
                         "positive");
    return success();
  case Distribution::Bernoulli:
    if (getScale().isZero() || getMean().isNegative() || getMean() > getScale())
      return emitOpError("the mean of a bernoulli distribution must be from 0 "
                         "to scale, which is positive");
    return success();
  case Distribution::Normal:
  case Distribution::Uniform:
    return success();
  }
  llvm_unreachable("unknown distribution");
}

void RandomOp::inferResultSigns(ArrayRef<Sign>, MutableArrayRef<Sign> results) {
  double mean = getMean().convertToDouble();
  double scale = getScale().convertToDouble();
  switch (getDistribution()) {
  case Distribution::Exponential:
  case Distribution::Lognormal:
  case Distribution::Bernoulli:
    results[0] = Sign::Nonneg;
    return;
  case Distribution::Normal:
    results[0] = Sign::Any;
    return;
  case Distribution::Uniform:
    results[0] = mean >= scale    ? Sign::Nonneg
                 : mean <= -scale ? Sign::Nonpos
                                  : Sign::Any;
    return;
  }
}
