//===- Jit.h - Objects to code in this process ----------------------------===//

#ifndef DANN_COMPILER_JIT_H
#define DANN_COMPILER_JIT_H

#include "llvm/Support/Error.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace mlir::dann {

/// The code of a model, linked in memory.
struct LoadedModel {
  /// Its `dann_model`, a dann::ModelAbi.
  const void *model;
  /// Keeps the code in memory.
  std::shared_ptr<void> code;
};

/// Links an object of Emit::Object in memory. What it calls is taken from the
/// shared object `runtimePath`, which has to be in the process, and from the C
/// library.
llvm::Expected<LoadedModel>
loadObject(std::unique_ptr<llvm::MemoryBuffer> object,
           llvm::StringRef runtimePath);

} // namespace mlir::dann

#endif // DANN_COMPILER_JIT_H
