//===- FloatElements.h - The floats of an attribute -----------------------===//

#ifndef DANN_DIALECT_UTILS_FLOATELEMENTS_H
#define DANN_DIALECT_UTILS_FLOATELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"

#include <optional>

namespace mlir::dann {

/// The elements of an attribute of f32s or f64s, read where they are. Valid as
/// long as the attribute's values are.
class FloatElements {
public:
  /// None if the attribute is null, has other elements, or they are elided.
  static std::optional<FloatElements> of(ElementsAttr attribute);

  int64_t size() const { return count; }
  double operator[](int64_t index) const;

private:
  ArrayRef<char> bytes;
  int64_t count = 0;
  bool isSplat = false, isDouble = false;
};

/// Elements that are not as a sign contract demands: negative, positive, or no
/// numbers.
struct WrongSigns {
  int64_t count = 0;
  SmallVector<int64_t> first; // its place in the tensor
  double value = 0;           // of the first
};

/// Counts the elements that break the contract to be not negative, or else not
/// positive; none if they cannot be read.
std::optional<WrongSigns> findWrongSigns(ElementsAttr attribute,
                                         bool isNonnegative);

} // namespace mlir::dann

#endif // DANN_DIALECT_UTILS_FLOATELEMENTS_H
