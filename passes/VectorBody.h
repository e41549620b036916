//===- VectorBody.h - Bodies of linalg operations on vectors --------------===//

#ifndef DANN_PASSES_VECTORBODY_H
#define DANN_PASSES_VECTORBODY_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {

/// The maps and body of an operation, without the names of its operands: equal
/// for operations that compute the same. Values from outside of the body that
/// are no constants are numbered in the order of their first use. Without
/// `withIntegers`, operations that differ in getIntegers alone are equal.
std::string getBodyText(linalg::GenericOp op, bool withIntegers = true);

/// The uses of integer constants from outside of the body, in their order.
SmallVector<OpOperand *> getIntegers(linalg::GenericOp op);

/// The type of a buffer with contiguous rows whatever its sizes.
MemRefType getGeneralType(Type type);

/// Whether buildVectorBody can build the body of `op`: elementwise arithmetic
/// on numbers that fill whole bytes.
bool hasVectorBody(linalg::GenericOp op);

/// The values that the body of `op` yields, computed for `width` neighbours at
/// once. `arguments` stand for the block arguments, as vectors of that width or
/// as scalars that are the same for all. `getIndex` gives linalg.index of a
/// loop, likewise. Constants from outside of the body are built anew, other
/// values from there are used as they are.
SmallVector<Value>
buildVectorBody(ImplicitLocOpBuilder &b, linalg::GenericOp op, int64_t width,
                ArrayRef<Value> arguments,
                llvm::function_ref<Value(unsigned loop)> getIndex);

/// `value` in every lane, unless it is a vector already.
Value broadcast(ImplicitLocOpBuilder &b, Value value, int64_t width);

} // namespace mlir::dann

#endif // DANN_PASSES_VECTORBODY_H
