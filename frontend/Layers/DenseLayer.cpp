//===- DenseLayer.cpp - A layer of a standard network ---------------------===//

#include "frontend/Layers/Layer.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

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
    if (!units)
      return std::nullopt;
    return SampleShape{*units};
  }

  void addParameters(ParameterBuilder &b) const override {
    // He initialisation; nothing rectifies the input of the first layer.
    double gain = isFirst() ? 1 : 2;
    double scale = std::sqrt(gain / static_cast<double>(inputs));
    SmallVector<int64_t> shape = {message.units(), inputs};
    if (message.weight_sign() == model::Dense::ANY) {
      b.add(Role::Weight, Sign::Any,
            b.random(Distribution::Normal, scale, shape));
    } else {
      // Weights of one sign have the same second moment and are not centred.
      Value w = b.random(Distribution::Exponential, scale / std::numbers::sqrt2,
                         shape);
      if (message.weight_sign() == model::Dense::NONNEGATIVE)
        b.add(Role::Weight, Sign::Nonneg, w);
      else
        b.add(Role::Weight, Sign::Nonpos, b.negate(w));
    }
    b.add(Role::Bias, Sign::Any, b.filled({message.units()}, 0));
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value w = b.takeParameter(), bias = b.takeParameter();
    Value z = b.getLinalg().product(b.flatten(x), false, w, true);
    return b.activate(message.activation(), b.addBias(z, bias));
  }

private:
  model::Dense message;
  int64_t inputs = 0;
};

} // namespace

std::unique_ptr<Layer> mlir::dann::createLayer(const model::Dense &message) {
  return std::make_unique<DenseLayer>(message);
}
