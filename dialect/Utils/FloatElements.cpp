//===- FloatElements.cpp - The floats of an attribute ---------------------===//

#include "Utils/FloatElements.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;
using namespace mlir::dann;

std::optional<FloatElements> FloatElements::of(ElementsAttr attribute) {
  FloatElements values;
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

double FloatElements::operator[](int64_t index) const {
  // The bytes of a resource may lie anywhere.
  auto load = [&](auto value) -> double {
    std::memcpy(&value, bytes.data() + (isSplat ? 0 : index * sizeof value),
                sizeof value);
    return value;
  };
  return isDouble ? load(double()) : load(float());
}

std::optional<WrongSigns> mlir::dann::findWrongSigns(ElementsAttr attribute,
                                                     bool isNonnegative) {
  std::optional<FloatElements> elements = FloatElements::of(attribute);
  if (!elements)
    return std::nullopt;
  WrongSigns wrong;
  for (int64_t i = 0; i < elements->size(); ++i) {
    double value = (*elements)[i];
    // False for what is no number.
    if (isNonnegative ? value >= 0 : value <= 0)
      continue;
    if (wrong.count++ > 0)
      continue;
    wrong.value = value;
    wrong.first =
        delinearize(i, computeStrides(attribute.getShapedType().getShape()));
  }
  return wrong;
}
