//===- Passes.h - The passes of dann --------------------------------------===//

#ifndef DANN_PASSES_PASSES_H
#define DANN_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::dann {

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace mlir::dann

#endif // DANN_PASSES_PASSES_H
