//===- Version.h - What --version says --------------------------*- C++ -*-===//

#ifndef DANN_TOOLS_VERSION_H
#define DANN_TOOLS_VERSION_H

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/raw_ostream.h"

namespace mlir::dann {

/// For llvm::cl::SetVersionPrinter: our version, and that of LLVM, on which the
/// generated code depends as much.
inline void printVersion(llvm::raw_ostream &os) {
  os << "dann " DANN_VERSION " (LLVM " LLVM_VERSION_STRING ")\n";
}

} // namespace mlir::dann

#endif // DANN_TOOLS_VERSION_H
