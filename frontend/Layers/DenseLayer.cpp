//===- DenseLayer.cpp - A layer of a standard network ---------------------===//

#include "Utils/Statistics.h"
#include "frontend/Layers/Layer.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

// The loops over z [B, units].
constexpr unsigned kSample = 0, kUnit = 1;

class DenseLayer : public Layer {
public:
  explicit DenseLayer(const model::Dense &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    inputs = getNumElements(input);
    auto units = place.checkSize("units");
    if (units)
      checkWeights(place, "units", *units, inputs);
    place.checkEnums();
    if (message.normalization() == model::Dense::LAYER_AS_CODED && units == 1)
      place.error("normalization")
          << "LAYER_AS_CODED divides by units - 1, which is 0";
    if (message.has_inhibitory_inputs()) {
      if (message.weight_sign() != model::Dense::ANY)
        place.error("inhibitory_inputs")
            << "decides the signs of the weights: weight_sign cannot be given "
               "as well";
      int64_t inhibitory = message.inhibitory_inputs();
      if (inhibitory < 0 || inhibitory > inputs)
        place.error("inhibitory_inputs")
            << "must be from 0 to " << inputs << ", the number of inputs, but "
            << "is " << inhibitory;
    }
    if (!units)
      return std::nullopt;
    return SampleShape{*units};
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t units = message.units();
    Value weights = drawWeights(b);
    switch (message.weight_sign()) {
    case model::Dense::NONNEGATIVE:
      b.add(Role::Weight, Sign::Nonneg, weights);
      break;
    case model::Dense::NONPOSITIVE:
      b.add(Role::Weight, Sign::Nonpos, b.negate(weights));
      break;
    case model::Dense::FROZEN:
      b.add(Role::Weight, Sign::Nonneg, b.magnitude(weights));
      b.add(Role::Polarity, Sign::Any, b.polarity(weights));
      break;
    default:
      if (message.has_inhibitory_inputs())
        b.add(Role::Weight, Sign::Nonneg, b.magnitude(weights));
      else
        b.add(Role::Weight, Sign::Any, weights);
    }
    if (isNormalized())
      b.add(Role::Gain, Sign::Any, b.filled({units}, 1));
    double bound = 1 / std::sqrt(static_cast<double>(inputs));
    // What splits biases does so less where they follow a normalisation.
    b.addBias(message.initialization() == model::Dense::PYTORCH
                  ? b.random(Distribution::Uniform, bound, {units})
                  : b.filled({units}, 0),
              isNormalized() ? 1e-4 : bound);
    if (message.normalization() == model::Dense::BATCH) {
      b.add(Role::Stat, Sign::Any, b.filled({units}, 0), "mean");
      b.add(Role::Stat, Sign::Nonneg, b.filled({units}, 1), "variance");
    }
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value w = b.takeParameter();
    Value polarity = message.weight_sign() == model::Dense::FROZEN
                         ? b.takeParameter()
                         : Value();
    if (polarity)
      w = ApplyPolarityOp::create(b.getBuilder(), b.getLoc(), w, polarity,
                                  /*excitatory=*/nullptr, /*ablated=*/nullptr);
    else if (message.has_inhibitory_inputs())
      w = b.applyColumnPolarity(w, inputs - message.inhibitory_inputs());
    Value gain = isNormalized() ? b.takeParameter() : Value();
    Value bias = b.takeBias();
    Value z = b.getLinalg().product(b.flatten(x), false, w, true);
    if (gain)
      z = scaleUnits(b, normalize(b, z, bias), gain);
    return b.activate(message.activation(), b.addBias(z, bias));
  }

private:
  bool isNormalized() const {
    return message.normalization() != model::Dense::NONE;
  }

  Value drawWeights(ParameterBuilder &b) const {
    auto d = static_cast<double>(inputs);
    auto units = static_cast<double>(message.units());
    SmallVector<int64_t> shape = {message.units(), inputs};
    // Nothing rectifies the input of the first layer.
    double gain = isFirst() ? 1 : 2;
    bool hasOneSign = message.weight_sign() == model::Dense::NONNEGATIVE ||
                      message.weight_sign() == model::Dense::NONPOSITIVE;
    switch (message.initialization()) {
    case model::Dense::XAVIER: {
      double bound = std::sqrt(6 / (d + units));
      Value w = b.random(Distribution::Uniform, bound, shape);
      return hasOneSign ? b.magnitude(w) : w;
    }
    case model::Dense::PYTORCH: {
      Value w = b.random(Distribution::Uniform, 1 / std::sqrt(d), shape);
      return hasOneSign ? b.magnitude(w) : w;
    }
    case model::Dense::LOGNORMAL:
    case model::Dense::LOGNORMAL_FAN_OUT: {
      // The authors' exponentiated gradient: mean / deviation = 1.5 before the
      // random signs, and a second moment of gain / fan.
      constexpr double ratio = 1.5;
      double fan =
          message.initialization() == model::Dense::LOGNORMAL ? d : units;
      double deviation = std::sqrt(gain / fan / (1 + ratio * ratio));
      Value w = b.random(Distribution::Lognormal, deviation, shape,
                         ratio * deviation);
      return hasOneSign ? w : b.randomSigns(w);
    }
    default:
      // Weights of one sign have the same second moment and are not centred.
      return hasOneSign
                 ? b.random(Distribution::Exponential,
                            std::sqrt(gain / d) / std::numbers::sqrt2, shape)
                 : b.random(Distribution::Normal, std::sqrt(gain / d), shape);
    }
  }

  /// z with mean 0 and deviation 1 over the units or the batch.
  Value normalize(ForwardBuilder &b, Value z, Value bias) const {
    constexpr double epsilon = 1e-5; // PyTorch's
    LinalgBuilder linalg = b.getLinalg();
    Type type = b.getElementType();
    auto units = static_cast<double>(message.units());
    switch (message.normalization()) {
    case model::Dense::BATCH: {
      Value mean = b.takeParameter(), variance = b.takeParameter();
      constexpr double momentum = 0.1; // PyTorch's as well
      return BatchNormOp::create(b.getBuilder(), b.getLoc(), z, mean, variance,
                                 APFloat(epsilon), APFloat(momentum));
    }
    case model::Dense::BATCH_AS_CODED: {
      // The bias that the code adds before cancels.
      Value n = linalg.sizeAsFloat(z, kSample, type);
      Value less = arith::SubFOp::create(b.getBuilder(), b.getLoc(), n,
                                         linalg.constant(type, 1));
      Statistics overBatch = buildStatistics(linalg, z, kUnit, n);
      return buildNormalized(linalg, z, kUnit, overBatch, less, /*epsilon=*/0);
    }
    case model::Dense::LAYER_AS_CODED: {
      Value biased = b.addBias(z, bias);
      Statistics overUnits = buildStatistics(linalg, biased, kSample,
                                             linalg.constant(type, units));
      return buildNormalized(linalg, biased, kSample, overUnits,
                             linalg.constant(type, units - 1), /*epsilon=*/0);
    }
    default: {
      Value n = linalg.constant(type, units);
      Statistics overUnits = buildStatistics(linalg, z, kSample, n);
      return buildNormalized(linalg, z, kSample, overUnits, n, epsilon);
    }
    }
  }

  static Value scaleUnits(ForwardBuilder &b, Value z, Value gain) {
    return b.getLinalg().elementwise(
        {{z, {kSample, kUnit}}, {gain, {kUnit}}}, z,
        [](ImplicitLocOpBuilder &b, ValueRange args) {
          return arith::MulFOp::create(b, args[0], args[1]);
        });
  }

  model::Dense message;
  int64_t inputs = 0;
};

} // namespace

std::unique_ptr<Layer> mlir::dann::createLayer(const model::Dense &message) {
  return std::make_unique<DenseLayer>(message);
}
