//===- ParameterElements.cpp - Initial values of parameters ---------------===//

#include "passes/ParameterElements.h"

#include "Dann/Dann.h"
#include "Utils/FloatElements.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include <cstring>

using namespace mlir;
using namespace mlir::dann;

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
    FloatElements elements = *FloatElements::of(initial);
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
