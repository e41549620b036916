//===- ModelOptimizer.cpp - The optimizer of a model file -----------------===//

#include "frontend/ModelOptimizer.h"

#include "model.pb.h"

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

/// Reads the settings of one message. After an error they are the defaults.
class Settings {
public:
  explicit Settings(const FileMessage &place) : place(place) {
    place.checkEnums();
  }

  APFloat nonnegative(StringRef field, double otherwise) {
    return number(field, "a number of at least 0", otherwise,
                  [](double value) { return value >= 0; });
  }
  /// In [0, 1).
  APFloat fraction(StringRef field, double otherwise) {
    return number(field, "from 0 to less than 1", otherwise,
                  [](double value) { return value >= 0 && value < 1; });
  }
  /// In (0, 1).
  APFloat properFraction(StringRef field, double otherwise) {
    return number(field, "between 0 and 1", otherwise,
                  [](double value) { return value > 0 && value < 1; });
  }
  /// In (0, 1], and given.
  APFloat factor(StringRef field) {
    return number(field, "above 0 and at most 1", std::nullopt,
                  [](double value) { return value > 0 && value <= 1; });
  }
  APFloat above(StringRef field, int bound, std::optional<double> otherwise) {
    return number(field, ("a number above " + llvm::Twine(bound)).str(),
                  otherwise, [&](double value) { return value > bound; });
  }

private:
  APFloat number(StringRef field, StringRef interval,
                 std::optional<double> otherwise,
                 llvm::function_ref<bool(double)> isInside) {
    return APFloat(place.checkNumber(field, interval, isInside, otherwise)
                       .value_or(otherwise.value_or(0)));
  }

  FileMessage place;
};

/// Checks what goes together.
template <typename Message>
void checkMomentum(const FileMessage &place, const Message &message) {
  if (message.nesterov() && message.momentum() == 0)
    place.error("nesterov") << "needs momentum";
  if (message.dampening() != 0 && message.momentum() == 0)
    place.error("dampening") << "needs momentum";
  if (message.nesterov() && message.dampening() != 0)
    place.error("dampening") << "must be 0 with nesterov, but is "
                             << std::to_string(message.dampening());
}

Potential convert(model::MirrorDescent::Potential potential) {
  switch (potential) {
  case model::MirrorDescent::ENTROPY:
    return Potential::Entropy;
  case model::MirrorDescent::P_NORM:
    return Potential::PNorm;
  default:
    return Potential::Quadratic;
  }
}

constexpr double kAdditiveRate = 0.1;

/// What is said of biases in the settings of an optimizer with multiplicative
/// steps; nothing for others.
std::optional<model::Biases> getBiases(const model::Optimizer &message) {
  switch (message.kind_case()) {
  case model::Optimizer::kExponentiatedGradient:
    return message.exponentiated_gradient().biases();
  case model::Optimizer::kAdamExponentiatedGradient:
    return message.adam_exponentiated_gradient().biases();
  case model::Optimizer::kMirrorDescent:
    if (message.mirror_descent().potential() == model::MirrorDescent::ENTROPY)
      return message.mirror_descent().biases();
    return std::nullopt;
  default:
    return std::nullopt;
  }
}

/// Every setting is read before any attribute is made: what an attribute takes
/// has passed its verifier's conditions here, or there is an error.
OptimizerAttrInterface readKind(const FileMessage &place,
                                const model::Optimizer &message,
                                MLIRContext *context) {
  auto make = [&](auto &&build) -> OptimizerAttrInterface {
    return place.hasErrors() ? nullptr : build();
  };
  switch (message.kind_case()) {
  case model::Optimizer::kAdam: {
    Settings s(place.getNested("adam"));
    APFloat beta1 = s.fraction("beta1", 0.9),
            beta2 = s.fraction("beta2", 0.999);
    APFloat epsilon = s.nonnegative("epsilon", 1e-8);
    APFloat decay = s.nonnegative("weight_decay", 0);
    return make([&] {
      return AdamAttr::get(context, beta1, beta2, epsilon, decay,
                           message.adam().decoupled(),
                           message.adam().amsgrad());
    });
  }
  case model::Optimizer::kExponentiatedGradient: {
    FileMessage nested = place.getNested("exponentiated_gradient");
    Settings s(nested);
    const model::ExponentiatedGradient &eg = message.exponentiated_gradient();
    APFloat momentum = s.fraction("momentum", 0);
    APFloat dampening = s.fraction("dampening", 0);
    APFloat decay = s.nonnegative("weight_decay", 0);
    APFloat additive = s.nonnegative("additive_rate", kAdditiveRate);
    checkMomentum(nested, eg);
    return make([&] {
      return ExponentiatedGradientAttr::get(context, momentum, dampening,
                                            eg.nesterov(), decay, additive);
    });
  }
  case model::Optimizer::kAdamExponentiatedGradient: {
    Settings s(place.getNested("adam_exponentiated_gradient"));
    APFloat beta1 = s.fraction("beta1", 0.9),
            beta2 = s.fraction("beta2", 0.999);
    APFloat epsilon = s.nonnegative("epsilon", 1e-8);
    APFloat decay = s.nonnegative("weight_decay", 0.01);
    APFloat additive = s.nonnegative("additive_rate", kAdditiveRate);
    return make([&] {
      return AdamExponentiatedGradientAttr::get(
          context, beta1, beta2, epsilon, decay, additive,
          message.adam_exponentiated_gradient().amsgrad());
    });
  }
  case model::Optimizer::kMirrorDescent: {
    FileMessage nested = place.getNested("mirror_descent");
    Settings s(nested);
    APFloat p = s.above("p", 1, 2);
    APFloat additive = s.nonnegative("additive_rate", kAdditiveRate);
    const model::MirrorDescent &mirror = message.mirror_descent();
    if (mirror.has_biases() &&
        mirror.potential() != model::MirrorDescent::ENTROPY)
      nested.error("biases") << "is for potential: ENTROPY";
    return make([&] {
      return MirrorDescentAttr::get(context, convert(mirror.potential()), p,
                                    additive);
    });
  }
  case model::Optimizer::kNaturalGradient: {
    Settings s(place.getNested("natural_gradient"));
    APFloat scale = s.nonnegative("scale", 2.5e-5);
    APFloat rate = s.fraction("rate", 0.02);
    APFloat epsilon = s.nonnegative("epsilon", 1e-8);
    const model::NaturalGradient &natural = message.natural_gradient();
    bool byNorm = !natural.has_scale_by_norm() || natural.scale_by_norm();
    return make([&] {
      return NaturalGradientAttr::get(context, scale, rate, epsilon, byNorm);
    });
  }
  default: {
    FileMessage nested = place.getNested("sgd");
    Settings s(nested);
    APFloat momentum = s.fraction("momentum", 0);
    APFloat dampening = s.fraction("dampening", 0);
    APFloat decay = s.nonnegative("weight_decay", 0);
    checkMomentum(nested, message.sgd());
    return make([&] {
      return SgdAttr::get(context, momentum, dampening,
                          message.sgd().nesterov(), decay);
    });
  }
  }
}

} // namespace

ModelOptimizer mlir::dann::readOptimizer(const FileMessage &place,
                                         const model::Optimizer &message,
                                         MLIRContext *context) {
  place.checkEnums();
  ModelOptimizer read;
  if (message.has_clip()) {
    Settings s(place.getNested("clip"));
    APFloat maxNorm = s.above("max_norm", 0, std::nullopt);
    if (!place.hasErrors())
      read.clip = ClipAttr::get(context, maxNorm,
                                message.clip().scope() == model::Clip::LAYER
                                    ? ClipScope::Layer
                                    : ClipScope::Global);
  }
  if (message.has_cosine_angle()) {
    FileMessage nested = place.getNested("cosine_angle");
    Settings s(nested);
    APFloat minimum = s.properFraction("minimum", 0.01);
    APFloat epsilon = s.fraction("epsilon", 0.01);
    std::optional<int64_t> count = nested.checkSize("count", 20);
    // Every rate of the grid is tried in every step.
    constexpr int64_t kMaxCount = 1000;
    if (count && (*count < 2 || *count > kMaxCount))
      nested.error("count")
          << "must be from 2 to " << kMaxCount << ", but is " << *count;
    if (!place.hasErrors())
      read.cosineAngle =
          CosineAngleAttr::get(context, minimum, *count, epsilon);
  }
  read.optimizer = readKind(place, message, context);
  read.splitsBiases = getBiases(message) == model::SPLIT;
  return read;
}

ScheduleAttr mlir::dann::readSchedule(const FileMessage &place,
                                      const model::Schedule &message,
                                      MLIRContext *context) {
  Settings s(place);
  Decay decay = Decay::Constant;
  bool usesFactor = false;
  switch (message.decay()) {
  case model::Schedule::EXPONENTIAL:
    decay = Decay::Exponential;
    usesFactor = true;
    break;
  case model::Schedule::STEPWISE:
    decay = Decay::Stepwise;
    usesFactor = true;
    break;
  case model::Schedule::COSINE:
    decay = Decay::Cosine;
    break;
  default:
    break;
  }
  APFloat factor(1.0), minimum(0.0);
  std::optional<int64_t> steps = 1, warmup = 0;
  auto expectAbsent = [&](StringRef field, bool given) {
    if (given)
      place.error(field) << "has no meaning with this decay";
  };
  if (usesFactor)
    factor = s.factor("factor");
  else
    expectAbsent("factor", message.has_factor());
  if (decay == Decay::Cosine)
    minimum = s.fraction("minimum", 0);
  else
    expectAbsent("minimum", message.has_minimum());
  if (decay == Decay::Constant)
    expectAbsent("steps", message.has_steps());
  else
    steps = place.checkSize("steps");
  if (message.has_warmup())
    warmup = place.checkSize("warmup");
  if (place.hasErrors())
    return nullptr;
  return ScheduleAttr::get(context, decay, factor, *steps, minimum, *warmup);
}
