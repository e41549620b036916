//===- onnx_fuzzer.cpp - Any bytes as an ONNX model -----------------------===//
//
// Imports the bytes and takes what comes of them through the passes in front of
// kernels, as the compiler does: whatever the bytes are, each step gives a
// module or diagnostics. The entry points of libFuzzer; mutation_main.cpp calls
// the first one too.
//
//===----------------------------------------------------------------------===//

#include "frontend/Onnx/OnnxImport.h"
#include "frontend/Onnx/TrainingSettings.h"
#include "passes/Pipelines.h"
#include "passes/Registration.h"

#include "byte_mutator.h"
#include "model_mutator.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>

using namespace mlir;
using namespace mlir::dann;

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

static void checkShapes(ModuleOp module) {
  module.walk([](Operation *op) {
    for (Type type : op->getResultTypes())
      checkShape(type);
  });
}

[[noreturn]] static void fail(const char *what) {
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

/// Counts the errors while it lives, which it renders as their reader would do.
class ErrorCounter {
public:
  explicit ErrorCounter(MLIRContext *context)
      : handler(context, [this](Diagnostic &diagnostic) {
          (void)diagnostic.str();
          number += diagnostic.getSeverity() == DiagnosticSeverity::Error;
          return success();
        }) {}

  int number = 0;

private:
  ScopedDiagnosticHandler handler;
};

/// Adds the training of a model that can be trained.
static void trainIfPossible(ModuleOp module) {
  ErrorCounter errors(module.getContext());
  OnnxTraining training;
  training.learningRate = 0.1;
  std::optional<TrainingSettings> settings =
      readSettings(training, module.getLoc());
  if (!settings)
    fail("the settings of the training are refused");
  // That of others is refused.
  (void)addTraining(module, *settings);
}

/// Runs passes, which give a valid module or an error. That they leave what is
/// valid is checked apart from them: a verifier's error would be one of theirs.
static LogicalResult runPasses(const char *passes, ModuleOp module) {
  ErrorCounter errors(module.getContext());
  PassManager pm(module.getContext());
  pm.enableVerifier(false);
  if (failed(parsePassPipeline(passes, pm)))
    fail("the pipeline is none");
  LogicalResult result = pm.run(module);
  if (failed(result) != (errors.number > 0))
    fail("passes fail without an error, or give one and do not fail");
  if (succeeded(result)) {
    if (failed(verify(module)))
      fail("passes leave a module that is not valid");
    checkShapes(module);
  }
  return result;
}

/// What the compiler does with an imported model, as far as all kinds of models
/// take different ways: layers are raised, and training is made and checked.
static void compile(ModuleOp module) {
  if (failed(runPasses("dann-raise-ei-layers", module)))
    return;
  trainIfPossible(module);
  (void)runPasses(kGraphPipeline.passes, module);
}

static std::unique_ptr<MLIRContext> makeContext() {
  static const DialectRegistry registry = [] {
    registerPasses();
    DialectRegistry all;
    registerDialects(all);
    return all;
  }();
  return std::make_unique<MLIRContext>(registry,
                                       MLIRContext::Threading::DISABLED);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static std::unique_ptr<MLIRContext> context;
  static int numImports = 0;
  if (numImports++ % kImportsPerContext == 0)
    context = makeContext();
  ErrorCounter errors(context.get());
  // Where no tensors are found outside of the model.
  llvm::MemoryBufferRef model(
      StringRef(reinterpret_cast<const char *>(data), size),
      "/nonexistent/model.onnx");
  OwningOpRef<ModuleOp> module = importOnnx(model, *context);
  if (!module == (errors.number == 0))
    fail("a module and an error, or neither");
  if (!module)
    return 0;
  checkShapes(*module);
  compile(*module);
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
