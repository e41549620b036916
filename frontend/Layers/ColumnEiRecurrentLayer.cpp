//===- ColumnEiRecurrentLayer.cpp - States of fixed polarity --------------===//

#include "frontend/Layers/Recurrence.h"
#include "frontend/Layers/RecurrentMatrices.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class ColumnEiRecurrentLayer : public Layer {
public:
  explicit ColumnEiRecurrentLayer(const model::ColumnEiRecurrent &message)
      : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    bool isSequence = recurrence.check(place, input);
    auto units = place.checkSize("units");
    auto ratio = place.checkSize("ratio", 9);
    radius = place
                 .checkNumber(
                     "spectral_radius", "a positive number",
                     [](double value) { return value > 0; }, 1.5)
                 .value_or(1);
    place.checkEnums();
    if (!isSequence || !units || !ratio)
      return std::nullopt;
    recurrence.set(message, *units);
    ofState = partitionColumns(*units, *ratio);
    ofInput = partitionColumns(recurrence.inputs, *ratio);
    if (ofState.excitatory == 0 || (!isFirst() && ofInput.excitatory == 0)) {
      place.error("ratio") << *ratio << " : 1 leaves no excitatory unit";
      return std::nullopt;
    }
    if (!checkWeights(place, "units", *units,
                      std::max(recurrence.inputs, *units)))
      return std::nullopt;
    return recurrence.getResultShape();
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t n = recurrence.units;
    Value u =
        isFirst()
            ? b.random(Distribution::Exponential,
                       std::sqrt(1 / static_cast<double>(recurrence.inputs)),
                       {n, recurrence.inputs})
            : drawBalancedColumns(b, n, ofInput);
    b.add(Role::Weight, Sign::Nonneg, u, "u");
    b.addBias(b.filled({n}, 0),
              1 / std::sqrt(static_cast<double>(recurrence.inputs)), "u");
    Value w = b.withDiagonal(drawBalancedColumns(b, n, ofState), 0);
    Value matrix = ApplyPolarityOp::create(
        b.getBuilder(), b.getLoc(), w, /*polarity=*/Value(),
        b.getBuilder().getI64IntegerAttr(ofState.excitatory),
        message.ablate_ii() ? b.getBuilder().getUnitAttr() : UnitAttr());
    w = scaleToRadius(b, matrix, radius);
    b.add(Role::Weight, Sign::Nonneg, b.magnitude(w), "w");
    recurrence.addInitialState(b, Sign::Any);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value u = b.takeParameter(), bias = b.takeBias(), w = b.takeParameter();
    // All inputs of the network are excitatory.
    if (!isFirst())
      u = b.applyColumnPolarity(u, ofInput.excitatory);
    // What is ablated starts at 0 and has no gradient: it stays there.
    w = b.applyColumnPolarity(w, ofState.excitatory, message.ablate_ii());
    return recurrence.buildStandard(b, x, {u, bias, w}, message.activation());
  }

private:
  model::ColumnEiRecurrent message;
  Recurrence recurrence;
  ColumnPartition ofInput, ofState;
  double radius = 0;
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::ColumnEiRecurrent &message) {
  return std::make_unique<ColumnEiRecurrentLayer>(message);
}
