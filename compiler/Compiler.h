//===- Compiler.h - From a model file to a program ------------------------===//

#ifndef DANN_COMPILER_COMPILER_H
#define DANN_COMPILER_COMPILER_H

#include "frontend/Onnx/OnnxTraining.h"
#include "passes/Pipelines.h"

#include "mlir/IR/MLIRContext.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace mlir::dann {

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
};

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

/// Writes what of the ONNX model in the file `path` cannot be imported or has
/// no gradient, a line each, and a summary. Fails if it cannot be compiled,
/// with `training` to a program that trains it.
LogicalResult reportOnnxSupport(StringRef path, bool training, raw_ostream &os,
                                MLIRContext &context);

} // namespace mlir::dann

#endif // DANN_COMPILER_COMPILER_H
