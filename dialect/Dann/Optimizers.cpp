//===- Optimizers.cpp - Optimizers with their settings --------------------===//

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::dann;

using EmitError = llvm::function_ref<InFlightDiagnostic()>;

/// Requires minimum <= value < limit.
static LogicalResult verifyRange(EmitError emitError, StringRef name,
                                 const APFloat &value, int64_t minimum,
                                 double limit) {
  double number = value.convertToDouble();
  if (number >= static_cast<double>(minimum) && number < limit)
    return success();
  if (std::isinf(limit))
    return emitError() << name << " must be finite and at least " << minimum
                       << ", but is " << std::to_string(number);
  return emitError() << name << " must be from " << minimum << " to less than "
                     << static_cast<int64_t>(limit) << ", but is "
                     << std::to_string(number);
}

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// ", name value", nothing for zero.
static std::string describeNumber(StringRef name, const APFloat &value) {
  if (value.isZero())
    return "";
  SmallString<16> text;
  value.toString(text, /*FormatPrecision=*/6, /*FormatMaxPadding=*/6);
  return (", " + name + " " + text).str();
}

/// Whether exponentiated steps leave a parameter to additive ones: biases and
/// initial states start at zero, which such steps never leave; alpha is the
/// logarithm of a weight already.
static bool isAdditive(Role role) {
  return role == Role::Bias || role == Role::Initial || role == Role::Alpha;
}

/// tensor * factor.
static Value scale(ImplicitLocOpBuilder &builder, Value tensor,
                   const APFloat &factor) {
  LinalgBuilder b(builder, builder.getLoc());
  Value constant = b.constant(getElementTypeOrSelf(tensor.getType()),
                              factor.convertToDouble());
  return b.elementwise({{tensor, LinalgBuilder::allLoops(tensor)}}, tensor,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::MulFOp::create(b, args[0], constant);
                       });
}

static FloatAttr toAttr(const OptimizerStep &step, const APFloat &value) {
  return step.builder.getF64FloatAttr(value.convertToDouble());
}

//===----------------------------------------------------------------------===//
// Momentum
//===----------------------------------------------------------------------===//

template <typename Attr>
static LogicalResult verifyMomentum(EmitError emitError,
                                    const APFloat &momentum,
                                    const APFloat &dampening, bool nesterov,
                                    const APFloat &weightDecay) {
  if (failed(verifyRange(emitError, "momentum", momentum, 0, 1)) ||
      failed(verifyRange(emitError, "dampening", dampening, 0, 1)) ||
      failed(verifyRange(emitError, "weight_decay", weightDecay, 0, kInfinity)))
    return failure();
  if (momentum.isZero() && (nesterov || !dampening.isZero()))
    return emitError() << (nesterov ? "nesterov" : "dampening")
                       << " needs momentum";
  if (nesterov && !dampening.isZero())
    return emitError() << "nesterov and dampening exclude each other";
  return success();
}

template <typename Attr>
static SmallVector<OptimizerState, 2> getMomentumStates(Attr attr,
                                                        RankedTensorType type) {
  if (attr.getMomentum().isZero())
    return {};
  return {{"momentum", type}};
}

/// The direction for a gradient that holds the weight decay, and the states.
template <typename Attr>
static std::pair<Value, SmallVector<Value, 2>>
buildMomentum(Attr attr, const OptimizerStep &step, Value gradient) {
  if (attr.getMomentum().isZero())
    return {gradient, {}};
  auto momentum = MomentumOp::create(
      step.builder, gradient, step.states[0],
      attr.getDampening().isZero() ? Value() : step.step,
      toAttr(step, attr.getMomentum()), toAttr(step, attr.getDampening()),
      attr.getNesterov() ? step.builder.getUnitAttr() : UnitAttr());
  return {momentum.getDirection(), {momentum.getNewVelocity()}};
}

template <typename Attr>
static std::string describeMomentum(StringRef name, Attr attr) {
  return name.str() + describeNumber("momentum", attr.getMomentum()) +
         describeNumber("dampening", attr.getDampening()) +
         (attr.getNesterov() ? ", nesterov" : "") +
         describeNumber("weight decay", attr.getWeightDecay());
}

static Value decayGradient(const OptimizerStep &step, const APFloat &rate,
                           bool isSigned) {
  if (rate.isZero())
    return step.gradient;
  return DecayGradientOp::create(
      step.builder, step.gradient, step.parameter, toAttr(step, rate),
      isSigned ? step.builder.getUnitAttr() : UnitAttr());
}

//===----------------------------------------------------------------------===//
// SgdAttr
//===----------------------------------------------------------------------===//

LogicalResult SgdAttr::verify(EmitError emitError, APFloat momentum,
                              APFloat dampening, bool nesterov,
                              APFloat weightDecay) {
  return verifyMomentum<SgdAttr>(emitError, momentum, dampening, nesterov,
                                 weightDecay);
}

SmallVector<OptimizerState, 2> SgdAttr::getStates(Role,
                                                  RankedTensorType type) const {
  return getMomentumStates(*this, type);
}

bool SgdAttr::countsSteps() const { return !getDampening().isZero(); }

OptimizerResult SgdAttr::buildStep(const OptimizerStep &step) const {
  auto [direction, states] = buildMomentum(
      *this, step, decayGradient(step, getWeightDecay(), /*isSigned=*/false));
  return {SgdUpdateOp::create(step.builder, step.parameter, direction,
                              step.learningRate),
          states};
}

std::string SgdAttr::describe() const { return describeMomentum("sgd", *this); }

//===----------------------------------------------------------------------===//
// ExponentiatedGradientAttr
//===----------------------------------------------------------------------===//

LogicalResult
ExponentiatedGradientAttr::verify(EmitError emitError, APFloat momentum,
                                  APFloat dampening, bool nesterov,
                                  APFloat weightDecay, APFloat additiveRate) {
  if (failed(
          verifyRange(emitError, "additive_rate", additiveRate, 0, kInfinity)))
    return failure();
  return verifyMomentum<ExponentiatedGradientAttr>(
      emitError, momentum, dampening, nesterov, weightDecay);
}

SmallVector<OptimizerState, 2>
ExponentiatedGradientAttr::getStates(Role, RankedTensorType type) const {
  return getMomentumStates(*this, type);
}

bool ExponentiatedGradientAttr::countsSteps() const {
  return !getDampening().isZero();
}

/// A step by eg_update, or additive for the parameters that need it.
static Value buildExponentiatedStep(const OptimizerStep &step, Value parameter,
                                    Value direction,
                                    const APFloat &additiveRate) {
  if (isAdditive(step.role))
    return SgdUpdateOp::create(step.builder, parameter,
                               scale(step.builder, direction, additiveRate),
                               step.learningRate);
  return EgUpdateOp::create(step.builder, parameter, direction,
                            step.learningRate);
}

OptimizerResult
ExponentiatedGradientAttr::buildStep(const OptimizerStep &step) const {
  Value gradient = isAdditive(step.role) ? step.gradient
                                         : decayGradient(step, getWeightDecay(),
                                                         /*isSigned=*/true);
  auto [direction, states] = buildMomentum(*this, step, gradient);
  return {buildExponentiatedStep(step, step.parameter, direction,
                                 getAdditiveRate()),
          states};
}

std::string ExponentiatedGradientAttr::describe() const {
  return describeMomentum("exponentiated gradient", *this);
}

//===----------------------------------------------------------------------===//
// AdamAttr
//===----------------------------------------------------------------------===//

static LogicalResult verifyAdam(EmitError emitError, const APFloat &beta1,
                                const APFloat &beta2, const APFloat &epsilon,
                                const APFloat &weightDecay) {
  if (failed(verifyRange(emitError, "beta1", beta1, 0, 1)) ||
      failed(verifyRange(emitError, "beta2", beta2, 0, 1)) ||
      failed(verifyRange(emitError, "epsilon", epsilon, 0, kInfinity)))
    return failure();
  return verifyRange(emitError, "weight_decay", weightDecay, 0, kInfinity);
}

template <typename Attr>
static SmallVector<OptimizerState, 2> getAdamStates(Attr attr,
                                                    RankedTensorType type) {
  SmallVector<OptimizerState, 2> states = {{"mean", type},
                                           {"mean_square", type}};
  if (attr.getAmsgrad())
    states.push_back({"max_mean_square", type});
  return states;
}

/// The direction and the states behind it.
template <typename Attr>
static std::pair<Value, SmallVector<Value, 2>>
buildAdamDirection(Attr attr, const OptimizerStep &step, Value gradient) {
  Value maximum = attr.getAmsgrad() ? step.states[2] : Value();
  Type type = gradient.getType();
  auto adam = AdamDirectionOp::create(
      step.builder, type, type, type, maximum ? type : Type(), gradient,
      step.states[0], step.states[1], maximum, step.step,
      toAttr(step, attr.getBeta1()), toAttr(step, attr.getBeta2()),
      toAttr(step, attr.getEpsilon()));
  return {adam.getDirection(),
          llvm::to_vector_of<Value, 2>(adam.getResults().drop_front())};
}

static Value decayWeights(const OptimizerStep &step, const APFloat &rate) {
  if (rate.isZero())
    return step.parameter;
  return DecayWeightsOp::create(step.builder, step.parameter, step.learningRate,
                                toAttr(step, rate));
}

LogicalResult AdamAttr::verify(EmitError emitError, APFloat beta1,
                               APFloat beta2, APFloat epsilon,
                               APFloat weightDecay, bool, bool) {
  return verifyAdam(emitError, beta1, beta2, epsilon, weightDecay);
}

SmallVector<OptimizerState, 2>
AdamAttr::getStates(Role, RankedTensorType type) const {
  return getAdamStates(*this, type);
}

bool AdamAttr::countsSteps() const { return true; }

OptimizerResult AdamAttr::buildStep(const OptimizerStep &step) const {
  Value gradient = getDecoupled()
                       ? step.gradient
                       : decayGradient(step, getWeightDecay(), false);
  auto [direction, states] = buildAdamDirection(*this, step, gradient);
  Value parameter =
      getDecoupled() ? decayWeights(step, getWeightDecay()) : step.parameter;
  return {SgdUpdateOp::create(step.builder, parameter, direction,
                              step.learningRate),
          states};
}

std::string AdamAttr::describe() const {
  return std::string(getDecoupled() ? "adamw" : "adam") +
         (getAmsgrad() ? ", amsgrad" : "") +
         describeNumber("weight decay", getWeightDecay());
}

//===----------------------------------------------------------------------===//
// AdamExponentiatedGradientAttr
//===----------------------------------------------------------------------===//

LogicalResult AdamExponentiatedGradientAttr::verify(
    EmitError emitError, APFloat beta1, APFloat beta2, APFloat epsilon,
    APFloat weightDecay, APFloat additiveRate, bool) {
  if (failed(
          verifyRange(emitError, "additive_rate", additiveRate, 0, kInfinity)))
    return failure();
  return verifyAdam(emitError, beta1, beta2, epsilon, weightDecay);
}

SmallVector<OptimizerState, 2>
AdamExponentiatedGradientAttr::getStates(Role, RankedTensorType type) const {
  return getAdamStates(*this, type);
}

bool AdamExponentiatedGradientAttr::countsSteps() const { return true; }

OptimizerResult
AdamExponentiatedGradientAttr::buildStep(const OptimizerStep &step) const {
  auto [direction, states] = buildAdamDirection(*this, step, step.gradient);
  Value parameter = isAdditive(step.role)
                        ? step.parameter
                        : decayWeights(step, getWeightDecay());
  return {buildExponentiatedStep(step, parameter, direction, getAdditiveRate()),
          states};
}

std::string AdamExponentiatedGradientAttr::describe() const {
  return std::string("adam exponentiated gradient") +
         (getAmsgrad() ? ", amsgrad" : "") +
         describeNumber("weight decay", getWeightDecay());
}

//===----------------------------------------------------------------------===//
// MirrorDescentAttr
//===----------------------------------------------------------------------===//

LogicalResult MirrorDescentAttr::verify(EmitError emitError, Potential,
                                        APFloat p, APFloat additiveRate) {
  double number = p.convertToDouble();
  if (!(number > 1) || std::isinf(number))
    return emitError() << "p must be finite and greater than 1, but is "
                       << std::to_string(number);
  return verifyRange(emitError, "additive_rate", additiveRate, 0, kInfinity);
}

OptimizerResult MirrorDescentAttr::buildStep(const OptimizerStep &step) const {
  if (getPotential() == Potential::Entropy && isAdditive(step.role))
    return {buildExponentiatedStep(step, step.parameter, step.gradient,
                                   getAdditiveRate()),
            {}};
  return {MirrorUpdateOp::create(step.builder, getPotential(), step.parameter,
                                 step.gradient, step.learningRate, getP()),
          {}};
}

std::string MirrorDescentAttr::describe() const {
  return "mirror descent, " + stringifyPotential(getPotential()).str() +
         (getPotential() == Potential::PNorm ? describeNumber("p", getP())
                                             : "");
}

//===----------------------------------------------------------------------===//
// NaturalGradientAttr
//===----------------------------------------------------------------------===//

LogicalResult NaturalGradientAttr::verify(EmitError emitError, APFloat scale,
                                          APFloat rate, APFloat epsilon, bool) {
  if (failed(verifyRange(emitError, "scale", scale, 0, kInfinity)) ||
      failed(verifyRange(emitError, "rate", rate, 0, 1)))
    return failure();
  return verifyRange(emitError, "epsilon", epsilon, 0, kInfinity);
}

SmallVector<OptimizerState, 2>
NaturalGradientAttr::getStates(Role, RankedTensorType type) const {
  return {{"fisher", type}};
}

bool NaturalGradientAttr::countsSteps() const { return true; }
bool NaturalGradientAttr::needsSquaredGradients() const { return true; }

std::optional<std::string> NaturalGradientAttr::explainNoCorrection() const {
  return "both rescale the gradients of inhibitory parameters by their Fisher "
         "information, which must not happen twice";
}

static NaturalDirectionOp buildNaturalDirection(NaturalGradientAttr attr,
                                                const OptimizerStep &step) {
  return NaturalDirectionOp::create(
      step.builder, step.gradient, step.squares, step.states[0], step.step,
      toAttr(step, attr.getScale()), toAttr(step, attr.getRate()),
      toAttr(step, attr.getEpsilon()));
}

/// The Fisher information that the rate depends on is that of the step itself,
/// which CSE makes one.
Value NaturalGradientAttr::buildLayerRate(const OptimizerStep &step) const {
  if (!getScaleByNorm())
    return step.learningRate;
  return NaturalRateOp::create(
      step.builder, step.learningRate,
      buildNaturalDirection(*this, step).getNewFisher(),
      toAttr(step, getEpsilon()));
}

OptimizerResult
NaturalGradientAttr::buildStep(const OptimizerStep &step) const {
  NaturalDirectionOp natural = buildNaturalDirection(*this, step);
  return {SgdUpdateOp::create(step.builder, step.parameter,
                              natural.getDirection(), step.learningRate),
          {natural.getNewFisher()}};
}

std::string NaturalGradientAttr::describe() const {
  return std::string(getScaleByNorm() ? "scaled " : "") +
         "diagonal natural gradient";
}

//===----------------------------------------------------------------------===//
// ClipAttr, CosineAngleAttr and ScheduleAttr
//===----------------------------------------------------------------------===//

LogicalResult ClipAttr::verify(EmitError emitError, APFloat maxNorm,
                               ClipScope) {
  if (maxNorm.isFinite() && maxNorm.convertToDouble() > 0)
    return success();
  return emitError() << "max_norm must be finite and positive, but is "
                     << std::to_string(maxNorm.convertToDouble());
}

LogicalResult CosineAngleAttr::verify(EmitError emitError, APFloat minimum,
                                      int64_t count, APFloat epsilon) {
  double least = minimum.convertToDouble();
  if (!(least > 0 && least < 1))
    return emitError() << "minimum must lie between 0 and 1, but is "
                       << std::to_string(least);
  // Every rate of the grid is tried in every step.
  constexpr int64_t kMaxCount = 1000;
  if (count < 2 || count > kMaxCount)
    return emitError() << "count must be from 2 to " << kMaxCount << ", but is "
                       << count;
  return verifyRange(emitError, "epsilon", epsilon, 0, 1);
}

LogicalResult ScheduleAttr::verify(EmitError emitError, Decay, APFloat factor,
                                   int64_t steps, APFloat minimum,
                                   int64_t warmup) {
  double number = factor.convertToDouble();
  if (!(number > 0 && number <= 1))
    return emitError() << "factor must be above 0 and at most 1, but is "
                       << std::to_string(number);
  if (steps < 1 || warmup < 0)
    return emitError() << "steps must be positive and warmup not negative";
  return verifyRange(emitError, "minimum", minimum, 0, 1);
}
