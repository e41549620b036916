//===- ProductForm.h - Products of two matrices on buffers ----------------===//

#ifndef DANN_PASSES_PRODUCTFORM_H
#define DANN_PASSES_PRODUCTFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::dann {

/// c[M, N] (+)= op(a) . b[K, N], where op transposes under `transposed`: the
/// form that dann-batch-last gives to products.
struct ProductForm {
  Value a, b, c;
  bool transposed; // a is [K, M] instead of [M, K]
};

/// The form of `op` on buffers with contiguous rows; none if it has another.
std::optional<ProductForm> getProductForm(linalg::ContractOp op);

/// c[M, N] (+)= a[M, K0, K1, K2] . b[K0, K1, K2, N] on buffers with contiguous
/// rows but for a, whose entries may be anywhere: what dann-split-convolutions
/// makes. None if `op` has another form.
std::optional<ProductForm> getWindowProductForm(linalg::ContractOp op);

/// The buffer that `buffer` is a view of: an allocation or an argument, or what
/// an operation with regions gives, which may be any buffer.
Value getRootBuffer(Value buffer);

/// Whether `buffer`, a root, is known to share memory with no other root.
bool isDistinctRoot(Value buffer);

/// Whether two buffers may have an entry in common.
bool mayShareMemory(Value a, Value b);

/// The buffers that the body of a linalg operation reads besides its operands.
SmallVector<Value> getBuffersReadInBody(linalg::LinalgOp op);

/// Whether nothing but `operations` meets the memory of `buffer`, which the
/// function allocates itself.
bool isUsedOnlyBy(Value buffer, ArrayRef<Operation *> operations);

/// Whether the rows of a buffer are contiguous.
bool hasContiguousRows(Value buffer);

/// The operation before or behind `op` in its block, past operations without
/// effects; null if there is none.
Operation *getPreviousWithEffect(Operation *op);
Operation *getNextWithEffect(Operation *op);

/// Erases the fill with zeros of `buffer` right before `op`. Returns whether
/// there was one.
bool eraseZeroFill(Operation *op, Value buffer);

} // namespace mlir::dann

#endif // DANN_PASSES_PRODUCTFORM_H
