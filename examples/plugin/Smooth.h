//===- Smooth.h - An operation and two passes from outside of dann --------===//

#ifndef SMOOTH_H
#define SMOOTH_H

#include "Dann/Dann.h"

#include "mlir/Pass/Pass.h"

#include "SmoothDialect.h.inc"

#define GET_OP_CLASSES
#include "SmoothOps.h.inc"

namespace smooth {
#define GEN_PASS_DECL
#include "SmoothPasses.h.inc"
} // namespace smooth

#endif // SMOOTH_H
