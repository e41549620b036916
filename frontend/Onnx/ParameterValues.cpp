//===- ParameterValues.cpp - Initial values against sign contracts --------===//

#include "frontend/Onnx/ParameterValues.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

template <typename Float>
static std::optional<std::string> findViolation(ElementsAttr values,
                                                ArrayRef<char> bytes,
                                                bool isSplat, Sign sign) {
  ArrayRef<int64_t> shape = values.getShapedType().getShape();
  int64_t count = values.getNumElements();
  // The bytes of a resource may lie anywhere.
  for (int64_t i = 0; i < count; ++i) {
    Float value;
    std::memcpy(&value, bytes.data() + (isSplat ? 0 : i * sizeof value),
                sizeof value);
    if (sign == Sign::Nonneg ? value >= 0 : value <= 0)
      continue;
    SmallVector<int64_t> position(shape.size());
    int64_t rest = i;
    for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
      position[axis] = rest % shape[axis];
    std::string text;
    llvm::raw_string_ostream os(text);
    os << llvm::format("%g", static_cast<double>(value)) << " at [";
    llvm::interleaveComma(position, os);
    os << "]";
    return text;
  }
  return std::nullopt;
}

std::optional<std::string> mlir::dann::onnx::findViolation(ElementsAttr values,
                                                           Sign sign) {
  if (sign != Sign::Nonneg && sign != Sign::Nonpos)
    return std::nullopt;
  ArrayRef<char> bytes;
  bool isSplat = false;
  if (auto dense = dyn_cast<DenseElementsAttr>(values)) {
    bytes = dense.getRawData();
    isSplat = dense.isSplat();
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(values)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      bytes = blob->getData();
  }
  if (bytes.empty())
    return std::nullopt; // printed without its elements
  if (values.getElementType().isF64())
    return ::findViolation<double>(values, bytes, isSplat, sign);
  return ::findViolation<float>(values, bytes, isSplat, sign);
}
