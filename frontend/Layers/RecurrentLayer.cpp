//===- RecurrentLayer.cpp - Standard units with a state -------------------===//

#include "frontend/Layers/Recurrence.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class RecurrentLayer : public Layer {
public:
  explicit RecurrentLayer(const model::Recurrent &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    bool isSequence = recurrence.check(place, input);
    auto units = place.checkSize("units");
    numerator = checkNumerator(place).value_or(1);
    if (message.has_numerator() &&
        message.initialization() != model::Recurrent::NORMAL)
      place.error("numerator") << "is for initialization: NORMAL";
    place.checkEnums();
    if (!isSequence || !units)
      return std::nullopt;
    recurrence.set(message, *units);
    if (!checkWeights(place, "units", *units,
                      std::max(recurrence.inputs, *units)))
      return std::nullopt;
    return recurrence.getResultShape();
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t n = recurrence.units;
    auto units = static_cast<double>(n);
    double bound = 1 / std::sqrt(units);
    b.add(Role::Weight, Sign::Any, uniform(b, bound, {n, recurrence.inputs}),
          "u");
    b.add(Role::Bias, Sign::Any, b.filled({n}, 0), "u");
    Value w;
    switch (message.initialization()) {
    case model::Recurrent::NORMAL:
      w = b.random(Distribution::Normal, std::sqrt(numerator / units), {n, n});
      break;
    case model::Recurrent::IDENTITY_MATRIX:
      w = b.withDiagonal(b.filled({n, n}, 0), 1);
      break;
    default:
      w = uniform(b, bound, {n, n});
    }
    b.add(Role::Weight, Sign::Any, w, "w");
    recurrence.addInitialState(b, Sign::Any);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value parameters[] = {b.takeParameter(), b.takeParameter(),
                          b.takeParameter()};
    return recurrence.buildStandard(b, x, parameters, message.activation());
  }

private:
  static Value uniform(ParameterBuilder &b, double bound,
                       ArrayRef<int64_t> shape) {
    return b.random(Distribution::Uniform, bound, shape);
  }

  model::Recurrent message;
  Recurrence recurrence;
  double numerator = 0;
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::Recurrent &message) {
  return std::make_unique<RecurrentLayer>(message);
}
