//===- onnx_fuzzer.cpp - Any bytes as an ONNX model -----------------------===//
//
// Imports the bytes: whatever they are, that gives a module or diagnostics.
// An entry point of libFuzzer, which mutation_main.cpp has too.
//
//===----------------------------------------------------------------------===//

#include "frontend/Onnx/OnnxImport.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace mlir;

// A context keeps what it has ever been asked for.
static constexpr int kImportsPerContext = 200;

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
  if (!module && numErrors == 0) {
    std::fprintf(stderr, "the import failed without an error\n");
    std::abort();
  }
  return 0;
}
