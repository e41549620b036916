//===- InitialValues.cpp - From a model's values to a program's -----------===//

#include "compiler/InitialValues.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::dann;

// A cache line.
static constexpr uint64_t kAlignment = 64;

InitialValues::InitialValues(ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  if (!forward)
    return;
  for (unsigned i = 0, e = forward.getNumArguments(); i < e; ++i) {
    auto elements =
        forward.getArgAttrOfType<ElementsAttr>(i, DannDialect::kInitialAttr);
    if (!elements)
      continue;
    values[forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr)] = {
        elements};
    forward.removeArgAttr(
        i, StringAttr::get(module.getContext(), DannDialect::kInitialAttr));
  }
}

static uint64_t getByteSize(ElementsAttr elements) {
  return elements.getNumElements() *
         (elements.getElementType().getIntOrFloatBitWidth() / 8);
}

void InitialValues::layOut(::dann::proto::Program &program) {
  for (::dann::proto::Parameter &parameter : *program.mutable_parameters())
    for (auto &[name, value] : values) {
      if (name != parameter.name())
        continue;
      value.offset = llvm::alignTo(size, kAlignment);
      size = value.offset + getByteSize(value.elements);
      parameter.set_initial_offset(int64_t(value.offset));
    }
}

void InitialValues::write(llvm::raw_ostream &os) const {
  uint64_t position = 0;
  for (const auto &[name, value] : values) {
    os.write_zeros(value.offset - position);
    uint64_t bytes = getByteSize(value.elements);
    position = value.offset + bytes;
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value.elements)) {
      ArrayRef<char> data = resource.getRawHandle().getBlob()->getData();
      os.write(data.data(), data.size());
      continue;
    }
    auto dense = cast<DenseElementsAttr>(value.elements);
    ArrayRef<char> data = dense.getRawData();
    for (uint64_t written = 0; written < bytes; written += data.size())
      os.write(data.data(), data.size()); // again and again for a splat
  }
}

void InitialValues::release() {
  for (auto &[name, value] : values)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(value.elements))
      *resource.getRawHandle().getBlob() = AsmResourceBlob();
  values.clear();
}
