//===- EiRecurrentLayer.cpp - Excitatory units with a state ---------------===//

#include "frontend/Layers/EiParameters.h"
#include "frontend/Layers/Recurrence.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

// The two halves of a step, by the names of the authors' code: what comes from
// the input, and what comes from the last state.
constexpr StringLiteral kInput = "u", kState = "w";

class EiRecurrentLayer : public Layer {
public:
  explicit EiRecurrentLayer(const model::EiRecurrent &message)
      : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    bool isSequence = recurrence.check(place, input);
    auto excitatory = place.checkSize("excitatory");
    auto inhibitory = place.checkSize("inhibitory");
    auto ofInput = place.checkSize("inhibitory_input", inhibitory.value_or(1));
    numerator = checkNumerator(place, 1.0 / 3).value_or(1);
    drawnShare = checkDrawnShare(place, message.has_drawn_share(), isHybrid());
    for (StringRef field : {"dropconnect", "dropconnect_input"})
      place.checkNumber(
          field, "from 0 to less than 1",
          [](double rate) { return rate >= 0 && rate < 1; },
          /*otherwise=*/0);
    place.checkEnums();
    if (!isSequence || !excitatory || !inhibitory || !ofInput)
      return std::nullopt;
    recurrence.set(message, *excitatory);
    inputInterneurons = *ofInput;
    int64_t widest = std::max(recurrence.inputs, *excitatory);
    if (!checkWeights(place, "excitatory", *excitatory, widest) ||
        !checkWeights(place, "inhibitory", *inhibitory, widest) ||
        !checkWeights(place, "inhibitory_input", *ofInput, widest))
      return std::nullopt;
    return recurrence.getResultShape();
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t d = recurrence.inputs, ne = recurrence.units;
    bool countsInputs = message.input_scale() == model::EiRecurrent::INPUTS;
    addHalf(b, kInput, d, inputInterneurons, countsInputs ? d : ne,
            /*copiesMean=*/true, /*isMixed=*/false);
    b.addBias(b.filled({ne}, 0), /*reach=*/std::nullopt, kInput);
    // For mixed weights the code counts the inputs.
    addHalf(b, kState, ne, message.inhibitory(), isHybrid() ? d : ne,
            message.interneurons() == model::EiRecurrent::MEAN_EXCITATION,
            isHybrid());
    recurrence.addInitialState(b, Sign::Nonneg);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    SmallVector<Value> parameters;
    auto takeHalf = [&] {
      for (unsigned i = 0; i < countHalf(); ++i)
        parameters.push_back(b.takeParameter());
    };
    takeHalf();
    parameters.push_back(b.takeBias());
    takeHalf();
    return recurrence.buildEi(b, x, parameters, isDivisive(), getEiEpsilon(),
                              message.activation(), message.dropconnect_input(),
                              message.dropconnect());
  }

private:
  bool isDivisive() const {
    return message.inhibition() == model::EiRecurrent::DIVISIVE;
  }
  bool isHybrid() const {
    return message.initialization() == model::EiRecurrent::HYBRID;
  }
  /// The number of parameters of a half, without the bias.
  unsigned countHalf() const { return isDivisive() ? 5 : 3; }

  /// The parameters of one half, with d inputs and ni interneurons. Their
  /// squared scale is divided by `counted`. Weights that are mixed are so with
  /// the identity.
  void addHalf(ParameterBuilder &b, StringRef half, int64_t d, int64_t ni,
               int64_t counted, bool copiesMean, bool isMixed) const {
    // docs/model.md has the rules.
    auto ne = static_cast<double>(recurrence.units);
    double sigma = std::sqrt(numerator / static_cast<double>(counted) *
                             (ne == 1 ? 1 : ne / (ne - 1)));
    bool isLognormal =
        message.distribution() != model::EiRecurrent::EXPONENTIAL;
    double mean =
        message.distribution() == model::EiRecurrent::CENTERED_LOGNORMAL
            ? std::sqrt(0.5 + std::sqrt(sigma * sigma + 0.25))
            : sigma;
    auto draw = [&](double mean, double scale, ArrayRef<int64_t> shape) {
      return isLognormal ? b.random(Distribution::Lognormal, scale, shape, mean)
                         : b.random(Distribution::Exponential, scale, shape);
    };
    double inhibitory = sigma * std::sqrt(ne / static_cast<double>(ni));
    auto drawInterneurons = [&] {
      // With lognormal weights the code draws wix at the scale of wei, unless
      // they are mixed.
      if (isLognormal && ni > 1 && !isMixed)
        return draw(inhibitory, inhibitory, {ni, d});
      return draw(mean, sigma, {ni, d});
    };
    Value wex = draw(mean, sigma, {recurrence.units, d});
    Value wix = copiesMean ? b.meanOfRows(wex, ni) : drawInterneurons();
    // The rows of wei sum to 1.
    Value wei = ni == 1 ? b.filled({recurrence.units, 1}, 1)
                        : b.normalizeRows(draw(inhibitory, inhibitory,
                                               {recurrence.units, ni}));
    if (isMixed) {
      // Inhibition has the share of the drawn weights, one root on each side.
      double root = std::sqrt(drawnShare);
      wex = b.mixWithIdentity(wex, drawnShare);
      wix = b.scale(wix, root);
      wei = b.scale(wei, root);
    }
    EiParameters::add(b, wex, wix, wei, isDivisive(), half);
  }

  model::EiRecurrent message;
  Recurrence recurrence;
  int64_t inputInterneurons = 0;
  double numerator = 0, drawnShare = 0;
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::EiRecurrent &message) {
  return std::make_unique<EiRecurrentLayer>(message);
}
