//===- EiParameters.cpp - The parameters that E/I layers have in common ---===//

#include "frontend/Layers/EiParameters.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;

void EiParameters::add(ParameterBuilder &b, Value wex, Value wix, Value wei,
                       bool isDivisive, StringRef scope) {
  b.add(Role::Wex, Sign::Nonneg, wex, scope);
  b.add(Role::Wix, Sign::Nonneg, wix, scope);
  b.add(Role::Wei, Sign::Nonneg, wei, scope);
  if (!isDivisive)
    return;
  auto type = cast<RankedTensorType>(wei.getType());
  int64_t ne = type.getDimSize(0), ni = type.getDimSize(1);
  int64_t fanIn = cast<RankedTensorType>(wex.getType()).getNumElements() / ne;
  // The authors' strength (docs/model.md).
  double alpha = std::log(
      std::sqrt((2 * std::numbers::pi - 1) / static_cast<double>(fanIn)));
  b.add(Role::Alpha, Sign::Any, b.filled({ni}, alpha), scope);
  b.add(Role::Gain, Sign::Nonneg, b.filled({ne}, 1), scope);
}

EiParameters EiParameters::take(ForwardBuilder &b, bool isDivisive) {
  EiParameters taken;
  taken.wex = b.takeParameter();
  taken.wix = b.takeParameter();
  taken.wei = b.takeParameter();
  if (isDivisive) {
    taken.alpha = b.takeParameter();
    taken.gain = b.takeParameter();
  }
  return taken;
}
