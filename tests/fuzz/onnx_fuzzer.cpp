//===- onnx_fuzzer.cpp - Any bytes as an ONNX model -----------------------===//
//
// Imports the bytes: whatever they are, that gives a module or diagnostics.
// The entry points of libFuzzer; mutation_main.cpp calls the first one too.
//
//===----------------------------------------------------------------------===//

#include "frontend/Onnx/OnnxImport.h"

#include "byte_mutator.h"
#include "model_mutator.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace mlir;

// A context keeps what it has ever been asked for.
static constexpr int kImportsPerContext = 200;

static std::string toString(Type type) {
  std::string text;
  llvm::raw_string_ostream(text) << type;
  return text;
}

/// Sizes of all tensors can be computed without an overflow.
static void checkShape(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return;
  double elements = 1;
  for (int64_t extent : tensor.getShape()) {
    if (!ShapedType::isDynamic(extent))
      elements *= static_cast<double>(std::max<int64_t>(extent, 1));
    if (extent < 0 && !ShapedType::isDynamic(extent))
      elements = HUGE_VAL;
  }
  if (elements > 0x1p56) {
    std::fprintf(stderr, "%s\n", toString(type).c_str());
    std::abort();
  }
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static std::unique_ptr<MLIRContext> context;
  static int numImports = 0;
  if (numImports++ % kImportsPerContext == 0)
    context = std::make_unique<MLIRContext>(MLIRContext::Threading::DISABLED);
  int numErrors = 0;
  ScopedDiagnosticHandler handler(context.get(), [&](Diagnostic &diagnostic) {
    // As its reader would do.
    (void)diagnostic.str();
    numErrors += diagnostic.getSeverity() == DiagnosticSeverity::Error;
    return success();
  });
  // Where no tensors are found outside of the model.
  llvm::MemoryBufferRef model(
      StringRef(reinterpret_cast<const char *>(data), size),
      "/nonexistent/model.onnx");
  OwningOpRef<ModuleOp> module = dann::importOnnx(model, *context);
  if (!module == (numErrors == 0)) {
    std::fprintf(stderr, "a module and an error, or neither\n");
    std::abort();
  }
  if (module)
    module->walk([](Operation *op) {
      for (Type type : op->getResultTypes())
        checkShape(type);
    });
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size,
                                          size_t maxSize, unsigned seed) {
  std::string bytes(reinterpret_cast<const char *>(data), size);
  bytes = seed % 8 == 0 ? mutateBytes(bytes, seed) : mutateModel(bytes, seed);
  if (bytes.size() > maxSize)
    return size;
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}
