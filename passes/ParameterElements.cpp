//===- ParameterElements.cpp - Initial values of parameters ---------------===//

#include "passes/ParameterElements.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

using namespace mlir;
using namespace mlir::dann;

std::optional<Elements> Elements::of(ElementsAttr attribute) {
  Elements elements;
  if (!attribute)
    return std::nullopt;
  elements.type = attribute.getElementType();
  if (!elements.type.isF32() && !elements.type.isF64())
    return std::nullopt;
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute)) {
    elements.bytes = dense.getRawData();
    elements.isSplat = dense.isSplat();
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      elements.bytes = blob->getData();
  }
  size_t size = elements.type.getIntOrFloatBitWidth() / 8;
  size_t count = elements.isSplat ? 1 : attribute.getNumElements();
  if (elements.bytes.size() != count * size)
    return std::nullopt;
  return elements;
}

ElementsAttr mlir::dann::getInitialValue(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  return function.getArgAttrOfType<ElementsAttr>(argument.getArgNumber(),
                                                 DannDialect::kInitialAttr);
}

ElementsAttr
mlir::dann::makeElements(RankedTensorType type, StringRef name,
                         llvm::function_ref<double(int64_t)> element) {
  constexpr size_t kMaxInlineBytes = 4096;
  size_t size = type.getElementTypeBitWidth() / 8;
  AsmResourceBlob blob =
      HeapAsmResourceBlob::allocate(type.getNumElements() * size, /*align=*/64);
  char *next = blob.getMutableData().data();
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i, next += size) {
    double value = element(i);
    auto narrow = static_cast<float>(value);
    std::memcpy(next, size == 4 ? static_cast<const void *>(&narrow) : &value,
                size);
  }
  if (blob.getData().size() <= kMaxInlineBytes)
    return DenseElementsAttr::getFromRawBuffer(type, blob.getData());
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

ElementsAttr mlir::dann::reshapeElements(ElementsAttr initial, bool transposed,
                                         RankedTensorType type,
                                         StringRef name) {
  if (initial.getType() == type && !transposed)
    return initial;
  if (transposed) {
    Elements elements = *Elements::of(initial);
    int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
    return makeElements(type, name, [&](int64_t i) {
      return elements[i % columns * rows + i / columns];
    });
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(initial))
    return dense.reshape(type);
  return DenseResourceElementsAttr::get(
      type, cast<DenseResourceElementsAttr>(initial).getRawHandle());
}
