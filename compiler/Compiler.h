//===- Compiler.h - From a model file to a program ------------------------===//

#ifndef DANN_COMPILER_COMPILER_H
#define DANN_COMPILER_COMPILER_H

#include "frontend/Onnx/OnnxTraining.h"
#include "passes/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/LLVM.h"

#include <functional>
#include <string>

namespace dann::proto {
class Program;
} // namespace dann::proto
namespace llvm {
class TargetMachine;
} // namespace llvm

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace mlir::dann {

class InitialValues;

/// What numbers are: of BF16 only the factors of products, which are summed in
/// f32; parameters and all else stay f32.
enum class Precision { F32, BF16, F64 };
StringRef stringifyPrecision(Precision precision);

/// Where compilation stops.
enum class Emit {
  Mlir,       // the imported model, input of dann-opt
  Llvm,       // optimised LLVM IR as text
  Object,     // a relocatable object with the model and its description
  Shared,     // a shared object for dann::Program::load
  Executable, // a program with a command line of its own
};

/// The module after a stage of the compilation (splitIntoStages). The first one
/// is "import", the last one all of the LLVM pipeline.
struct CompiledStage {
  StringRef name;
  ModuleOp module;
  /// The program's description once its functions work on buffers and cannot
  /// say it any more, else null.
  const ::dann::proto::Program *program;
  /// Null as long as they are attributes of the module.
  const InitialValues *values;
  llvm::TargetMachine &target;
};

struct CompileOptions {
  /// What computes products. F64 needs Generated or Auto, BF16 OneDnn or Auto.
  Backend backend = Backend::Auto;
  Precision precision = Precision::F32;
  /// Remarks say which kernel was chosen for each product, and why.
  bool explain = false;
  Emit emit = Emit::Executable;
  /// LLVM's name of a CPU; "native" stands for this machine's.
  std::string targetCpu = "native";
  /// "-" writes to standard output, for text only.
  std::string outputPath;
  /// Where the runtime's archives are; empty for the place next to this
  /// program, ../lib.
  std::string libraryDirectory;
  /// Called after each stage; failure ends the compilation.
  std::function<LogicalResult(CompiledStage)> afterStage;
  /// Adds passes that show something of the imported model. They run instead of
  /// the compilation, which then writes nothing.
  std::function<void(OpPassManager &)> inspection;
};

/// Runs a pipeline as text, without the verifier between its passes.
LogicalResult runPasses(StringRef passes, ModuleOp module);

/// A context that knows all dialects the compiler uses.
std::unique_ptr<MLIRContext> createContext();

/// Compiles the model file `text`, named `fileName` in diagnostics. The output
/// appears whole or not at all. Errors are diagnostics of `context`; they give
/// failure. Safe to call from several threads, with a context each.
LogicalResult compile(StringRef text, StringRef fileName,
                      const CompileOptions &options, MLIRContext &context);

/// The same for the ONNX model in the file `path`. With `training` the program
/// trains it, else it runs it.
LogicalResult compileOnnx(StringRef path,
                          const std::optional<OnnxTraining> &training,
                          const CompileOptions &options, MLIRContext &context);

/// A CompileOptions::afterStage that writes each stage to a file of its own in
/// `directory`, which is made if there is none: "03-dann-autodiff.mlir".
/// Weights are elided.
std::function<LogicalResult(CompiledStage)> printStages(StringRef directory);

/// Writes what of the ONNX model in the file `path` cannot be imported or has
/// no gradient, a line each, and a summary. Fails if it cannot be compiled,
/// with `training` to a program that trains it.
LogicalResult reportOnnxSupport(StringRef path, bool training, raw_ostream &os,
                                MLIRContext &context);

} // namespace mlir::dann

#endif // DANN_COMPILER_COMPILER_H
