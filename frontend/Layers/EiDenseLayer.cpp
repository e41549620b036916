//===- EiDenseLayer.cpp - Excitatory units with inhibition of their own ---===//

#include "frontend/Layers/EiParameters.h"
#include "frontend/Layers/Layer.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class EiDenseLayer : public Layer {
public:
  explicit EiDenseLayer(const model::EiDense &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    inputs = getNumElements(input);
    auto excitatory = place.checkSize("excitatory");
    auto inhibitory = place.checkSize("inhibitory");
    // Both are told of.
    bool fits =
        excitatory && checkWeights(place, "excitatory", *excitatory, inputs);
    if (inhibitory)
      fits &= checkWeights(place, "inhibitory", *inhibitory, inputs);
    if (fits && inhibitory && *excitatory * *inhibitory > kMaxWeights)
      place.error("inhibitory") << "excitatory times inhibitory is more than "
                                << kMaxWeights << " weights";
    numerator = checkNumerator(place, 2).value_or(1);
    if (message.has_numerator() &&
        getRule() != model::EiDense::MEAN_EXCITATION &&
        getRule() != model::EiDense::LOGNORMAL_MEAN_EXCITATION)
      place.error("numerator") << "is for initialization: MEAN_EXCITATION or "
                                  "LOGNORMAL_MEAN_EXCITATION";
    place.checkEnums();
    if (!excitatory)
      return std::nullopt;
    return SampleShape{*excitatory};
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t d = inputs, ne = message.excitatory(), ni = message.inhibitory();
    auto rule = getRule();

    // The authors' scales: inputs of hidden layers are taken to have
    // E[x^2] = 1 and E[x]^2 = 1 / (2 pi). docs/model.md derives them.
    const double twoPi = 2 * std::numbers::pi;
    auto fanIn = static_cast<double>(d);
    double sigma = isFirst() ? std::sqrt(1 / (2 * fanIn))
                             : std::sqrt(twoPi / (fanIn * (twoPi - 1)));
    bool isLognormal = rule == model::EiDense::LOGNORMAL_MEAN_EXCITATION;
    if (rule == model::EiDense::MEAN_EXCITATION || isLognormal)
      sigma = ne == 1 ? std::sqrt(numerator / fanIn)
                      : std::sqrt(numerator * static_cast<double>(ne) /
                                  (fanIn * static_cast<double>(ne - 1)));
    // Of mean and deviation `scale`.
    auto draw = [&](double scale, ArrayRef<int64_t> shape) {
      return isLognormal
                 ? b.random(Distribution::Lognormal, scale, shape, scale)
                 : b.random(Distribution::Exponential, scale, shape);
    };

    Value wex = draw(sigma, {ne, d}), wix, wei;
    switch (rule) {
    case model::EiDense::IID_INHIBITION: {
      double scale = std::sqrt(sigma / static_cast<double>(ni));
      wix = draw(scale, {ni, d});
      wei = draw(scale, {ne, ni});
      break;
    }
    case model::EiDense::MEAN_EXCITATION:
    case model::EiDense::LOGNORMAL_MEAN_EXCITATION:
      wix = b.meanOfRows(wex, ni);
      wei = b.normalizeRows(draw(sigma, {ne, ni}));
      break;
    default:
      wix = ni == 1 ? b.meanOfRows(wex, 1) : draw(sigma, {ni, d});
      wei = b.filled({ne, ni}, 1 / static_cast<double>(ni));
    }
    EiParameters::add(b, wex, wix, wei, isDivisive());
    b.addBias(b.filled({ne}, 0), /*reach=*/std::nullopt);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    x = b.flatten(x);
    EiParameters p = EiParameters::take(b, isDivisive());
    Value bias = b.takeBias();
    Value z = EiDenseOp::create(
        b.getBuilder(), b.getLoc(), b.getBatchType({message.excitatory()}), x,
        p.wex, p.wix, p.wei, p.alpha, p.gain, bias, getEiEpsilon());
    return b.activate(message.activation(), z);
  }

private:
  bool isDivisive() const {
    return message.inhibition() == model::EiDense::DIVISIVE;
  }

  model::EiDense::Initialization getRule() const {
    if (message.initialization() != model::EiDense::DEFAULT)
      return message.initialization();
    return isDivisive() ? model::EiDense::EXPONENTIAL
                        : model::EiDense::MEAN_EXCITATION;
  }

  model::EiDense message;
  int64_t inputs = 0;
  double numerator = 0;
};

} // namespace

std::unique_ptr<Layer> mlir::dann::createLayer(const model::EiDense &message) {
  return std::make_unique<EiDenseLayer>(message);
}
