//===- LinalgForms.h - What operations of linalg compute ------------------===//

#ifndef DANN_DIALECT_UTILS_LINALGFORMS_H
#define DANN_DIALECT_UTILS_LINALGFORMS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::dann {

/// Whether `value` is the fill of a tensor with zeros.
bool isZeros(Value value);

/// Whether the one result of `op` is its init plus what its body computes
/// without the init: with reduction loops, a sum.
bool isSum(linalg::LinalgOp op);

/// What `padded` is with `filler` around it, if it is images [B, C, H, W] with
/// padding in their rows and columns alone; otherwise itself. Sets `padding`
/// (top, left, bottom, right).
Value lookThroughPadding(Value padded, double filler,
                         SmallVectorImpl<int64_t> &padding);

} // namespace mlir::dann

#endif // DANN_DIALECT_UTILS_LINALGFORMS_H
