//===- ParameterValues.cpp - The elements of initial values ---------------===//

#include "frontend/Onnx/ParameterValues.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <cstring>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

std::optional<FloatValues> FloatValues::of(ElementsAttr attribute) {
  FloatValues values;
  if (!attribute || !isa<Float32Type, Float64Type>(attribute.getElementType()))
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute)) {
    values.bytes = dense.getRawData();
    values.isSplat = dense.isSplat();
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      values.bytes = blob->getData();
  }
  values.isDouble = attribute.getElementType().isF64();
  values.count = attribute.getNumElements();
  size_t stored = values.isSplat ? 1 : values.count;
  if (values.bytes.size() != stored * (values.isDouble ? 8 : 4))
    return std::nullopt;
  return values;
}

double FloatValues::operator[](int64_t index) const {
  // The bytes of a resource may lie anywhere.
  auto load = [&](auto value) -> double {
    std::memcpy(&value, bytes.data() + (isSplat ? 0 : index * sizeof value),
                sizeof value);
    return value;
  };
  return isDouble ? load(double()) : load(float());
}

std::optional<std::string>
mlir::dann::onnx::findViolation(ElementsAttr attribute, Sign sign) {
  std::optional<FloatValues> values = FloatValues::of(attribute);
  if (!values || (sign != Sign::Nonneg && sign != Sign::Nonpos))
    return std::nullopt;
  ArrayRef<int64_t> shape = attribute.getShapedType().getShape();
  for (int64_t i = 0; i < values->size(); ++i) {
    double value = (*values)[i];
    if (sign == Sign::Nonneg ? value >= 0 : value <= 0)
      continue;
    SmallVector<int64_t> position(shape.size());
    int64_t rest = i;
    for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
      position[axis] = rest % shape[axis];
    std::string text;
    llvm::raw_string_ostream os(text);
    os << llvm::format("%g", value) << " at [";
    llvm::interleaveComma(position, os);
    os << "]";
    return text;
  }
  return std::nullopt;
}
