//===- InProcess.cpp - The compiler as a library --------------------------===//

#include "dann/compiler.hpp"

#include "compiler/Compiler.h"
#include "compiler/LoadProgram.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

namespace {

using Severity = dann::Diagnostic::Severity;

Severity getSeverity(mlir::DiagnosticSeverity severity) {
  switch (severity) {
  case mlir::DiagnosticSeverity::Error:
    return Severity::Error;
  case mlir::DiagnosticSeverity::Warning:
    return Severity::Warning;
  case mlir::DiagnosticSeverity::Remark:
    return Severity::Remark;
  case mlir::DiagnosticSeverity::Note:
    return Severity::Note;
  }
  return Severity::Error;
}

std::string describe(mlir::Location location) {
  if (auto place = location->findInstanceOf<mlir::FileLineColLoc>())
    return place.getFilename().str() + ":" + std::to_string(place.getLine()) +
           ":" + std::to_string(place.getColumn());
  // A part of an ONNX model, and the model's file.
  auto name = llvm::dyn_cast<mlir::NameLoc>(location);
  if (!name)
    return "";
  std::string part = name.getName().str();
  if (auto file = llvm::dyn_cast<mlir::NameLoc>(name.getChildLoc()))
    return file.getName().str() + ": " + part;
  return part;
}

void collect(mlir::Diagnostic &from, std::vector<dann::Diagnostic> &to) {
  to.push_back({getSeverity(from.getSeverity()), describe(from.getLocation()),
                from.str()});
  for (mlir::Diagnostic &note : from.getNotes())
    collect(note, to);
}

/// Sets `value` to the one of `names` that is `given`, or reports an error.
template <typename T>
bool choose(const char *option, const std::string &given,
            std::initializer_list<std::pair<const char *, T>> names, T &value,
            std::vector<dann::Diagnostic> &diagnostics) {
  std::string known;
  for (auto [name, named] : names) {
    if (given == name) {
      value = named;
      return true;
    }
    known += (known.empty() ? "" : ", ") + std::string(name);
  }
  diagnostics.push_back({Severity::Error, "",
                         std::string(option) + " is '" + given +
                             "', but has to be one of " + known});
  return false;
}

/// A directory that goes with this object, and the files that were made in it.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    if (std::error_code error =
            llvm::sys::fs::createUniqueDirectory("dann", path))
      throw dann::Error(dann::ErrorCode::InputOutput,
                        "cannot create a temporary directory: " +
                            error.message());
  }
  ~TemporaryDirectory() { (void)llvm::sys::fs::remove_directories(path); }
  TemporaryDirectory(const TemporaryDirectory &) = delete;

  std::string getFile(llvm::StringRef name) const {
    llvm::SmallString<128> file(path);
    llvm::sys::path::append(file, name);
    return file.str().str();
  }

private:
  llvm::SmallString<128> path;
};

std::shared_ptr<const dann::Program> load(const std::string &objectPath) {
  // Read, not mapped: the file is removed.
  auto object = llvm::MemoryBuffer::getFile(objectPath, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false,
                                            /*IsVolatile=*/true);
  if (std::error_code error = object.getError())
    throw dann::Error(dann::ErrorCode::InputOutput,
                      "cannot read " + objectPath + ": " + error.message());
  return mlir::dann::loadProgram(std::move(*object));
}

/// Compiles what `run` gives to the compiler.
template <typename F>
dann::Compilation compileWith(const dann::CompileOptions &options, F run) {
  dann::Compilation result;
  mlir::dann::CompileOptions to;
  using mlir::dann::Backend, mlir::dann::Precision;
  bool isKnown = choose("backend", options.backend,
                        {{"auto", Backend::Auto},
                         {"onednn", Backend::OneDnn},
                         {"generated", Backend::Generated}},
                        to.backend, result.diagnostics);
  isKnown &= choose("precision", options.precision,
                    {{"f32", Precision::F32},
                     {"bf16", Precision::BF16},
                     {"f64", Precision::F64}},
                    to.precision, result.diagnostics);
  if (!isKnown)
    return result;
  TemporaryDirectory directory;
  to.explain = options.explain;
  to.targetCpu = options.target_cpu;
  to.emit = mlir::dann::Emit::Object;
  to.outputPath = directory.getFile("model.o");

  std::unique_ptr<mlir::MLIRContext> context = mlir::dann::createContext();
  mlir::ScopedDiagnosticHandler handler(
      context.get(), [&](mlir::Diagnostic &diagnostic) {
        collect(diagnostic, result.diagnostics);
      });
  if (llvm::succeeded(run(to, *context)))
    result.program = load(to.outputPath);
  return result;
}

} // namespace

std::string dann::to_string(const Diagnostic &diagnostic) {
  static constexpr const char *names[] = {"error", "warning", "remark", "note"};
  return (diagnostic.place.empty() ? "" : diagnostic.place + ": ") +
         names[int(diagnostic.severity)] + ": " + diagnostic.message;
}

dann::Compilation dann::compile_text(const std::string &text,
                                     const std::string &name,
                                     const CompileOptions &options) {
  if (options.training)
    return {nullptr,
            {{Severity::Error, name,
              "training options are for ONNX models: a model file says itself "
              "how it is trained"}}};
  return compileWith(options, [&](const mlir::dann::CompileOptions &to,
                                  mlir::MLIRContext &context) {
    return mlir::dann::compile(text, name, to, context);
  });
}

dann::Compilation dann::compile(const std::string &path,
                                const CompileOptions &options) {
  if (llvm::sys::path::extension(path) != ".onnx") {
    auto text = llvm::MemoryBuffer::getFile(path, /*IsText=*/true);
    if (std::error_code error = text.getError())
      return {nullptr,
              {{Severity::Error, "",
                "cannot read '" + path + "': " + error.message()}}};
    return compile_text((*text)->getBuffer().str(), path, options);
  }
  std::optional<mlir::dann::OnnxTraining> training;
  if (const std::optional<OnnxTrainingOptions> &given = options.training)
    training = {given->learning_rate, given->batch_size,
                given->epochs,        given->input_minimum,
                given->input_maximum, given->correct_inhibition,
                given->optimizer};
  return compileWith(options, [&](const mlir::dann::CompileOptions &to,
                                  mlir::MLIRContext &context) {
    return mlir::dann::compileOnnx(path, training, to, context);
  });
}
