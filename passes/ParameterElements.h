//===- ParameterElements.h - Initial values of parameters -----------------===//

#ifndef DANN_PASSES_PARAMETERELEMENTS_H
#define DANN_PASSES_PARAMETERELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

#include <cstring>
#include <optional>

namespace mlir::dann {

/// The elements of an attribute, where they are: f32s or f64s.
class Elements {
public:
  static std::optional<Elements> of(ElementsAttr attribute);

  double operator[](int64_t index) const {
    if (isSplat)
      index = 0;
    return type.isF32() ? read<float>(index) : read<double>(index);
  }

private:
  template <typename T> T read(int64_t index) const {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
  }

  ArrayRef<char> bytes;
  bool isSplat = false;
  Type type;
};

/// What a parameter is at first (`dann.initial`); null if that is not known.
ElementsAttr getInitialValue(BlockArgument argument);

/// Elements that are computed, in a resource if there are many.
ElementsAttr makeElements(RankedTensorType type, StringRef name,
                          llvm::function_ref<double(int64_t)> element);

/// The elements in the shape of `type`, of a matrix transposed if asked to.
/// They must be such as `Elements` reads.
ElementsAttr reshapeElements(ElementsAttr elements, bool transposed,
                             RankedTensorType type, StringRef name);

} // namespace mlir::dann

#endif // DANN_PASSES_PARAMETERELEMENTS_H
