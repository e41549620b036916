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
    numerator = checkNumerator(place).value_or(1);
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
    addHalf(b, kInput, recurrence.inputs, inputInterneurons,
            /*copiesMean=*/true);
    b.add(Role::Bias, Sign::Any, b.filled({recurrence.units}, 0), kInput);
    addHalf(b, kState, recurrence.units, message.inhibitory(),
            message.interneurons() == model::EiRecurrent::MEAN_EXCITATION);
    recurrence.addInitialState(b, Sign::Nonneg);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    SmallVector<Value> parameters;
    for (unsigned i = 0, e = 2 * countHalf() + 1; i < e; ++i)
      parameters.push_back(b.takeParameter());
    return recurrence.buildEi(b, x, parameters, isDivisive(), getEiEpsilon(),
                              message.activation());
  }

private:
  bool isDivisive() const {
    return message.inhibition() == model::EiRecurrent::DIVISIVE;
  }
  /// The number of parameters of a half, without the bias.
  unsigned countHalf() const { return isDivisive() ? 5 : 3; }

  /// The parameters of one half, with d inputs and ni interneurons.
  void addHalf(ParameterBuilder &b, StringRef half, int64_t d, int64_t ni,
               bool copiesMean) const {
    // The authors' scale, which counts the units for both halves.
    // docs/model.md has the rule.
    auto ne = static_cast<double>(recurrence.units);
    double sigma = std::sqrt(numerator / ne * (ne == 1 ? 1 : ne / (ne - 1)));
    bool isLognormal = message.distribution() == model::EiRecurrent::LOGNORMAL;
    auto draw = [&](double scale, ArrayRef<int64_t> shape) {
      return isLognormal
                 ? b.random(Distribution::Lognormal, scale, shape, scale)
                 : b.random(Distribution::Exponential, scale, shape);
    };
    double inhibitory = sigma * std::sqrt(ne / static_cast<double>(ni));
    Value wex = draw(sigma, {recurrence.units, d});
    // With lognormal weights the code draws wix at the scale of wei.
    bool isWide = isLognormal && ni > 1;
    Value wix = copiesMean ? b.meanOfRows(wex, ni)
                           : draw(isWide ? inhibitory : sigma, {ni, d});
    // The rows of wei sum to 1.
    Value wei = ni == 1
                    ? b.filled({recurrence.units, 1}, 1)
                    : b.normalizeRows(draw(inhibitory, {recurrence.units, ni}));
    EiParameters::add(b, wex, wix, wei, isDivisive(), half);
  }

  model::EiRecurrent message;
  Recurrence recurrence;
  int64_t inputInterneurons = 0;
  double numerator = 0;
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::EiRecurrent &message) {
  return std::make_unique<EiRecurrentLayer>(message);
}
