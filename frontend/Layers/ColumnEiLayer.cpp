//===- ColumnEiLayer.cpp - Inputs of fixed polarity -----------------------===//

#include "frontend/Layers/Layer.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class ColumnEiLayer : public Layer {
public:
  explicit ColumnEiLayer(const model::ColumnEi &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    inputs = getNumElements(input);
    auto units = place.checkSize("units");
    if (units)
      checkWeights(place, "units", *units, inputs);
    auto ratio = place.checkSize("ratio", kDefaultRatio);
    if (isFirst()) {
      if (message.has_ratio())
        place.error("ratio") << "all inputs of the first layer are excitatory";
      place.checkNumber("pixel_mean", "the finite numbers",
                        [](double) { return true; });
    } else {
      if (message.has_pixel_mean())
        place.error("pixel_mean") << "belongs to the first layer alone";
      if (ratio) {
        partition = partitionColumns(inputs, *ratio);
        if (partition.excitatory == 0)
          place.error("ratio") << *ratio << " : 1 leaves no excitatory one of "
                               << inputs << " inputs";
      }
    }
    place.checkEnums();
    if (!units)
      return std::nullopt;
    return SampleShape{*units};
  }

  void addParameters(ParameterBuilder &b) const override {
    if (isFirst()) {
      auto d = static_cast<double>(inputs);
      double sigma = std::sqrt(1 / d);
      b.add(Role::Weight, Sign::Nonneg,
            b.random(Distribution::Exponential, sigma,
                     {message.units(), inputs}));
      // What the mean pixel excites is subtracted.
      b.addBias(b.filled({message.units()}, -d * sigma * message.pixel_mean()),
                sigma);
      return;
    }
    b.add(Role::Weight, Sign::Nonneg,
          drawBalancedColumns(b, message.units(), partition));
    b.addBias(b.filled({message.units()}, 0),
              1 / std::sqrt(static_cast<double>(inputs)));
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value w = b.takeParameter(), bias = b.takeBias();
    if (!isFirst())
      w = b.applyColumnPolarity(w, partition.excitatory);
    Value z = b.getLinalg().product(b.flatten(x), false, w, true);
    return b.activate(message.activation(), b.addBias(z, bias));
  }

private:
  static constexpr int64_t kDefaultRatio = 10;

  model::ColumnEi message;
  int64_t inputs = 0;
  ColumnPartition partition;
};

} // namespace

ColumnPartition mlir::dann::partitionColumns(int64_t total, int64_t ratio) {
  // The ceiling of total / (ratio + 1), and the rest.
  int64_t inhibitory = (total - 1) / (ratio + 1) + 1;
  return {total - inhibitory, inhibitory};
}

Value mlir::dann::drawBalancedColumns(ParameterBuilder &b, int64_t units,
                                      ColumnPartition inputs) {
  const double twoPi = 2 * std::numbers::pi;
  auto ne = static_cast<double>(inputs.excitatory);
  auto ni = static_cast<double>(inputs.inhibitory);
  double sigma = std::sqrt(1 / ((twoPi - 1) / twoPi * (ne + ne * ne / ni)));
  Value w = b.random(Distribution::Exponential, sigma,
                     {units, inputs.excitatory + inputs.inhibitory});
  return b.scaleLastColumns(w, inputs.excitatory, ne / ni);
}

std::unique_ptr<Layer> mlir::dann::createLayer(const model::ColumnEi &message) {
  return std::make_unique<ColumnEiLayer>(message);
}
