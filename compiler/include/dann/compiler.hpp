// Compiling models inside an application.
//
//   dann::Compilation result = dann::compile("fashion.txtpb");
//   if (!result)
//     for (const dann::Diagnostic &diagnostic : result.diagnostics)
//       std::cerr << dann::to_string(diagnostic) << "\n";
//   dann::Session session(result.program);
#ifndef DANN_COMPILER_HPP
#define DANN_COMPILER_HPP

#include "dann/program.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace dann {

/// What an ONNX model does not say of its training, as a model file would.
struct OnnxTrainingOptions {
  double learning_rate = 0; ///< has to be given
  std::int64_t batch_size = 32;
  std::int64_t epochs = 10;
  double input_minimum = 0; ///< values of the input lie in
  double input_maximum = 1; ///< [input_minimum, input_maximum]
  /// Scale the updates of inhibitory weights by the Fisher-based correction.
  bool correct_inhibition = true;
  /// With its settings, as in a model file, e.g. "adam { weight_decay: 0.01 }".
  std::string optimizer = "sgd {}";
};

/// The options of dann-compile (docs/command-line.md), by the same names.
struct CompileOptions {
  std::string backend = "auto";      ///< auto, onednn or generated
  std::string precision = "f32";     ///< f32, bf16 or f64
  std::string target_cpu = "native"; ///< LLVM's name; native is this machine's
  /// Remarks say which kernel was chosen for each product, and why.
  bool explain = false;
  /// Of an ONNX model: compile it to a program that trains it.
  std::optional<OnnxTrainingOptions> training;
};

struct Diagnostic {
  enum class Severity { Error, Warning, Remark, Note };
  Severity severity;
  /// file:line:column, or the file and the node of an ONNX model; empty for
  /// what has no place in a file.
  std::string place;
  std::string message; ///< a line in lower case without a full stop
};

/// "model.txtpb:3:5: error: …"
DANN_API std::string to_string(const Diagnostic &diagnostic);

struct Compilation {
  std::shared_ptr<const Program> program; ///< null if there was an error
  std::vector<Diagnostic> diagnostics;    ///< in the order of the compiler

  explicit operator bool() const { return program != nullptr; }
};

/// Compiles a model file, or an ONNX model if the name ends in .onnx, to a
/// program in memory: no C compiler is needed, and no file is left behind.
///
/// What is wrong with the model, the file or the options is told by the
/// diagnostics; nothing is printed. Throws OutOfMemory, and InputOutput if no
/// temporary file can be written. May be called from several threads at once.
DANN_API Compilation compile(const std::string &path,
                             const CompileOptions &options = {});

/// Compiles the text of a model file, which is called `name` in diagnostics.
DANN_API Compilation compile_text(const std::string &text,
                                  const std::string &name,
                                  const CompileOptions &options = {});

} // namespace dann

#endif // DANN_COMPILER_HPP
