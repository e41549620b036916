//===- RecurrentLayer.cpp - Standard units with a state -------------------===//

#include "frontend/Layers/Recurrence.h"
#include "frontend/Layers/RecurrentMatrices.h"

#include <cmath>
#include <numbers>

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
    numerator = checkNumerator(place, 1.0 / 3).value_or(1);
    if (message.has_numerator() &&
        (message.initialization() == model::Recurrent::IDENTITY_MATRIX ||
         message.initialization() == model::Recurrent::ORTHOGONAL))
      place.error("numerator")
          << "is for initialization: UNIFORM, NORMAL or HYBRID";
    drawnShare =
        checkDrawnShare(place, message.has_drawn_share(),
                        message.initialization() == model::Recurrent::HYBRID);
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
    b.add(Role::Weight, Sign::Any,
          b.random(Distribution::Uniform, bound, {n, recurrence.inputs}), "u");
    b.addBias(b.filled({n}, 0), bound, "u");
    b.add(Role::Weight, Sign::Any, drawStateWeights(b), "w");
    recurrence.addInitialState(b, Sign::Any);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value u = b.takeParameter(), bias = b.takeBias(), w = b.takeParameter();
    return recurrence.buildStandard(b, x, {u, bias, w}, message.activation());
  }

private:
  Value drawStateWeights(ParameterBuilder &b) const {
    int64_t n = recurrence.units;
    double deviation = std::sqrt(numerator / static_cast<double>(n));
    auto drawUniform = [&] {
      return b.random(Distribution::Uniform, std::numbers::sqrt3 * deviation,
                      {n, n});
    };
    switch (message.initialization()) {
    case model::Recurrent::NORMAL:
      return b.random(Distribution::Normal, deviation, {n, n});
    case model::Recurrent::IDENTITY_MATRIX:
      return b.withDiagonal(b.filled({n, n}, 0), 1);
    case model::Recurrent::ORTHOGONAL:
      return drawOrthogonal(b, n);
    case model::Recurrent::HYBRID:
      return b.mixWithIdentity(drawUniform(), drawnShare);
    default:
      return drawUniform();
    }
  }

  model::Recurrent message;
  Recurrence recurrence;
  double numerator = 0, drawnShare = 0;
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::Recurrent &message) {
  return std::make_unique<RecurrentLayer>(message);
}
