//===- Linker.cpp - Objects to programs -----------------------------------===//

#include "compiler/Linker.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Program.h"

using namespace mlir;
using namespace mlir::dann;

std::string mlir::dann::getDefaultLibraryDirectory() {
  // Any address in this program leads to its file.
  std::string program = llvm::sys::fs::getMainExecutable(
      nullptr, reinterpret_cast<void *>(&getDefaultLibraryDirectory));
  auto seenFromProgram = [&](StringRef directory) {
    llvm::SmallString<256> path(program);
    llvm::sys::path::remove_filename(path);
    llvm::sys::path::append(path, "..", directory);
    llvm::sys::path::remove_dots(path, /*remove_dot_dot=*/true);
    return path.str().str();
  };
  // As in the build tree, if the program was not installed.
  std::string built = seenFromProgram("lib");
  std::string installed = seenFromProgram(DANN_INSTALL_LIBDIR);
  return llvm::sys::fs::exists(installed + "/libdann_runtime.so") ? installed
                                                                  : built;
}

/// The path of the C compiler, empty if there is none.
static std::string findCompiler() {
  SmallVector<std::string> names = {"cc", "gcc", "clang"};
  if (auto chosen = llvm::sys::Process::GetEnv("CC");
      chosen && !chosen->empty())
    names.insert(names.begin(), *chosen);
  for (const std::string &name : names)
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
  return "";
}

LogicalResult mlir::dann::link(StringRef objectPath, StringRef outputPath,
                               bool isShared, StringRef libraryDirectory,
                               Location loc) {
  std::string compiler = findCompiler();
  if (compiler.empty())
    return emitError(loc)
           << "linking needs a C compiler: found neither $CC nor cc, gcc or "
              "clang";
  auto library = [&](StringRef name) {
    llvm::SmallString<256> path(libraryDirectory);
    llvm::sys::path::append(path, name);
    return path.str().str();
  };
  std::vector<std::string> arguments = {compiler, objectPath.str()};
  if (constexpr StringRef sanitizers(DANN_SANITIZE); !sanitizers.empty())
    arguments.push_back("-fsanitize=" + sanitizers.str());
  std::vector<std::string> needed;
  if (isShared) {
    needed = {library("libdann_runtime.so")};
    llvm::append_range(arguments, needed);
    arguments.insert(arguments.end(),
                     {"-shared", "-Wl,-rpath," + libraryDirectory.str()});
  } else {
    needed = {library("libdann_cli.a"), library("libdann_runtime.a")};
    llvm::append_range(arguments, needed);
    arguments.insert(arguments.end(),
                     {"-ldnnl", "-lprotobuf-lite", "-lz", "-lgomp", "-lpthread",
                      "-ldl", "-lstdc++"});
  }
  arguments.insert(arguments.end(), {"-lm", "-o", outputPath.str()});
  for (const std::string &path : needed)
    if (!llvm::sys::fs::exists(path))
      return emitError(loc)
             << "the runtime library '" << path << "' does not exist";

  // The compiler's messages go to a file, to be shown only if it fails.
  llvm::SmallString<128> log;
  if (std::error_code error =
          llvm::sys::fs::createTemporaryFile("dann-link", "log", log))
    return emitError(loc) << "cannot create a temporary file: "
                          << error.message();
  SmallVector<StringRef> argv(arguments.begin(), arguments.end());
  std::optional<StringRef> redirects[] = {StringRef(), log.str(), log.str()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(compiler, argv, std::nullopt,
                                         redirects, 0, 0, &message);
  if (status != 0) {
    InFlightDiagnostic error = emitError(loc) << compiler << " failed to link '"
                                              << outputPath << "'";
    if (!message.empty())
      error << ": " << message;
    // Line by line, as the compiler wrote it.
    if (auto buffer = llvm::MemoryBuffer::getFile(log, /*IsText=*/true)) {
      SmallVector<StringRef> lines;
      (*buffer)->getBuffer().split(lines, '\n', -1, /*KeepEmpty=*/false);
      for (StringRef line : lines)
        error.attachNote() << line;
    }
  }
  (void)llvm::sys::fs::remove(log);
  return success(status == 0);
}
