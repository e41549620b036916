//===- ConvolutionLayers.cpp - Convolutions of images ---------------------===//

#include "frontend/Layers/EiParameters.h"
#include "frontend/Layers/ImageWindow.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class EiConv2dLayer : public Layer {
public:
  explicit EiConv2dLayer(const model::EiConv2d &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    auto excitatory = place.checkSize("excitatory");
    auto inhibitory = place.checkSize("inhibitory");
    auto checked = checkWindow(place,
                               {message.kernel(), message.stride(),
                                message.padding(), &message.dilation()},
                               input);
    place.checkEnums();
    if (!checked || !excitatory || !inhibitory)
      return std::nullopt;
    window = *checked;
    channels = input[0];
    SampleShape result = {*excitatory, window.output[0], window.output[1]};
    if (!checkWeights(place, "excitatory", *excitatory, getFanIn()) ||
        !checkWeights(place, "inhibitory", *inhibitory, getFanIn()) ||
        !checkWeights(place, "inhibitory", *excitatory, *inhibitory) ||
        !checkImageSize(place, "excitatory", result) ||
        !checkImageSize(place, "inhibitory",
                        {*inhibitory, window.output[0], window.output[1]}))
      return std::nullopt;
    return result;
  }

  void addParameters(ParameterBuilder &b) const override {
    // The authors' scales (docs/model.md): those of hidden dense layers.
    int64_t ne = message.excitatory(), ni = message.inhibitory();
    const double twoPi = 2 * std::numbers::pi;
    auto fanIn = static_cast<double>(getFanIn());
    double sigma = std::sqrt(twoPi / (fanIn * (twoPi - 1)));
    auto filters = [&](int64_t count) {
      return b.random(Distribution::Exponential, sigma,
                      {count, channels, window.kernel[0], window.kernel[1]});
    };
    Value wex = filters(ne);
    Value wix = ni == 1 ? b.meanOfRows(wex, 1) : filters(ni);
    Value wei = b.filled({ne, ni}, 1 / static_cast<double>(ni));
    EiParameters::add(b, wex, wix, wei, isDivisive());
    b.addBias(b.filled({ne}, 0), /*reach=*/std::nullopt);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    EiParameters p = EiParameters::take(b, isDivisive());
    Value bias = b.takeBias();
    Value z = EiConv2dOp::create(
        b.getBuilder(), b.getLoc(),
        b.getBatchType(
            {message.excitatory(), window.output[0], window.output[1]}),
        x, p.wex, p.wix, p.wei, p.alpha, p.gain, bias, window.strides,
        window.dilations, window.padding, getEiEpsilon());
    return b.activate(message.activation(), z);
  }

private:
  bool isDivisive() const {
    return message.inhibition() == model::EiDense::DIVISIVE;
  }
  int64_t getFanIn() const {
    return channels * window.kernel[0] * window.kernel[1];
  }

  model::EiConv2d message;
  ImageWindow window;
  int64_t channels = 0;
};

class Conv2dLayer : public Layer {
public:
  explicit Conv2dLayer(const model::Conv2d &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    auto units = place.checkSize("channels");
    auto checked = checkWindow(place,
                               {message.kernel(), message.stride(),
                                message.padding(), &message.dilation()},
                               input);
    place.checkEnums();
    if (!checked || !units)
      return std::nullopt;
    window = *checked;
    shape = {*units, input[0], window.kernel[0], window.kernel[1]};
    SampleShape result = {*units, window.output[0], window.output[1]};
    if (!checkWeights(place, "channels", *units, getFanIn()) ||
        !checkImageSize(place, "channels", result))
      return std::nullopt;
    return result;
  }

  void addParameters(ParameterBuilder &b) const override {
    double scale = std::sqrt(2 / static_cast<double>(getFanIn()));
    b.add(Role::Weight, Sign::Any,
          b.random(Distribution::Normal, scale, shape));
    b.addBias(b.filled({shape[0]}, 0),
              1 / std::sqrt(static_cast<double>(getFanIn())));
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value w = b.takeParameter(), bias = b.takeBias();
    ConvolutionBuilder convolution = window.getBuilder(b);
    Value z = convolution.convolve(convolution.pad(x, window.padding, 0), w);
    return b.activate(message.activation(), b.addBias(z, bias));
  }

private:
  int64_t getFanIn() const { return shape[1] * shape[2] * shape[3]; }

  model::Conv2d message;
  ImageWindow window;
  SmallVector<int64_t> shape; // of the filters
};

} // namespace

std::unique_ptr<Layer> mlir::dann::createLayer(const model::EiConv2d &message) {
  return std::make_unique<EiConv2dLayer>(message);
}

std::unique_ptr<Layer> mlir::dann::createLayer(const model::Conv2d &message) {
  return std::make_unique<Conv2dLayer>(message);
}
