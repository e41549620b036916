//===- ParameterValues.h - The elements of initial values -----------------===//

#ifndef DANN_FRONTEND_ONNX_PARAMETERVALUES_H
#define DANN_FRONTEND_ONNX_PARAMETERVALUES_H

#include "Dann/Dann.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <optional>
#include <string>

namespace mlir::dann::onnx {

/// The elements of an attribute of floats, where they are.
class FloatValues {
public:
  /// None if they are elided.
  static std::optional<FloatValues> of(ElementsAttr attribute);

  int64_t size() const { return count; }
  double operator[](int64_t index) const;

private:
  ArrayRef<char> bytes;
  int64_t count = 0;
  bool isSplat = false, isDouble = false;
};

/// The first of the floats that breaks the contract, as "-0.5 at [1, 2]".
std::optional<std::string> findViolation(ElementsAttr values, Sign sign);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_PARAMETERVALUES_H
