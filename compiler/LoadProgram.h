//===- LoadProgram.h - Programs of objects in memory ----------------------===//

#ifndef DANN_COMPILER_LOADPROGRAM_H
#define DANN_COMPILER_LOADPROGRAM_H

#include "dann/program.hpp"

#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace mlir::dann {

/// The program of an object of Emit::Object, linked in this process with the
/// runtime that is in it. Throws dann::Error.
std::shared_ptr<const ::dann::Program>
loadProgram(std::unique_ptr<llvm::MemoryBuffer> object);

} // namespace mlir::dann

#endif // DANN_COMPILER_LOADPROGRAM_H
