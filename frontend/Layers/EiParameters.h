//===- EiParameters.h - The parameters that E/I layers have in common -----===//

#ifndef DANN_FRONTEND_LAYERS_EIPARAMETERS_H
#define DANN_FRONTEND_LAYERS_EIPARAMETERS_H

#include "frontend/Layers/LayerBuilders.h"

namespace mlir::dann {

/// Added to the divisor, for inputs without any excitation (the authors'
/// released code).
inline APFloat getEiEpsilon() { return APFloat(1e-8); }

/// The parameters of E/I units but for the bias: wex [ne, d...], wix [ni,
/// d...], wei [ne, ni], alpha [ni] and gain [ne].
struct EiParameters {
  Value wex, wix, wei;
  Value alpha, gain; // null if inhibition only subtracts

  /// Adds them to a network with the given weights, in this order.
  static void add(ParameterBuilder &b, Value wex, Value wix, Value wei,
                  bool isDivisive, StringRef scope = "");
  /// Takes them in this order.
  static EiParameters take(ForwardBuilder &b, bool isDivisive);
};

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_EIPARAMETERS_H
