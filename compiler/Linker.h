//===- Linker.h - Objects to programs -------------------------------------===//

#ifndef DANN_COMPILER_LINKER_H
#define DANN_COMPILER_LINKER_H

#include "mlir/IR/Location.h"
#include "mlir/Support/LLVM.h"

namespace mlir::dann {

/// Links the object of a model with the runtime in `libraryDirectory` through
/// the system's C compiler ($CC, cc, gcc or clang).
LogicalResult link(StringRef objectPath, StringRef outputPath, bool isShared,
                   StringRef libraryDirectory, Location loc);

/// Where the runtime is, seen from this program: in the tree that it was built
/// in, or installed in.
std::string getDefaultLibraryDirectory();

} // namespace mlir::dann

#endif // DANN_COMPILER_LINKER_H
