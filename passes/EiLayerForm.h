//===- EiLayerForm.h - E/I layers in plain form ---------------------------===//

#ifndef DANN_PASSES_EILAYERFORM_H
#define DANN_PASSES_EILAYERFORM_H

#include "passes/SumsOfProducts.h"

namespace mlir::dann {

/// A parameter of a layer as it is written, and whether its dimensions are
/// those of the dialect in reverse.
struct Operand {
  Value value;
  bool transposed = false;

  explicit operator bool() const { return static_cast<bool>(value); }
  bool operator==(const Operand &) const = default;
};

/// How the strength e^alpha of divisive inhibition is written.
enum class Strength { None, Alpha, Power, WeightedWei };

struct Divisor {
  Operand strength; // alpha, e^alpha, or wei e^alpha
  Strength kind = Strength::None;
  double epsilon = 0;

  bool operator==(const Divisor &) const = default;
};

/// What was recognised: a layer, or what would be one but for its fault.
struct EiLayerForm {
  Value z, x; // [B, ne] and [B, d], or transposed; or images
  bool zIsTransposed = false, xIsTransposed = false;
  /// Of a convolution; d is then [cin, kh, kw].
  std::optional<PatchWindow> window;
  int64_t ne = 0, ni = 0;
  SmallVector<int64_t, 3> d;
  Operand wex, wix, wei, gain, bias;
  std::optional<Divisor> divisor;
  std::string fault;

  /// What a layer is made of: of a layer and a part of it the layer has more.
  int countParts() const { return 3 + 2 * !!divisor + !!gain + !!bias; }
};

/// The layer that gives `z`, which is `sum`, for `x`: both are matrices, or
/// both are images [B, C, H, W].
std::optional<EiLayerForm> matchEiLayer(Value x, Value z, const Sum &sum);

} // namespace mlir::dann

#endif // DANN_PASSES_EILAYERFORM_H
