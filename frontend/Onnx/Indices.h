//===- Indices.h - What operators on indices compute with -----------------===//

#ifndef DANN_FRONTEND_ONNX_INDICES_H
#define DANN_FRONTEND_ONNX_INDICES_H

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::dann::onnx {

Value makeIndex(ImplicitLocOpBuilder &b, int64_t value);
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value x,
              Value y);
Value toIndex(ImplicitLocOpBuilder &b, Value integer);
Value toInt64(ImplicitLocOpBuilder &b, Value index);
Value makeZero(ImplicitLocOpBuilder &b, Type type);
Value makeInt64(ImplicitLocOpBuilder &b, int64_t value);
Value isLess(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);

/// An element of a tensor of indices as an index into `extent` elements, of
/// which negative ones count from behind.
Value wrap(ImplicitLocOpBuilder &b, Value element, int64_t extent);
/// The nearest index of the `extent` elements, of which there is one at least.
/// Models may not have others, and must not read other memory if they do.
Value clamp(ImplicitLocOpBuilder &b, Value index, int64_t extent);
LogicalResult requireIndices(Node &node, Tensor tensor);
/// Whether indices may pick from dimension `axis` of `data`, once for each
/// element of `shape`.
LogicalResult checkPicked(Node &node, Tensor data, int64_t axis,
                          ArrayRef<int64_t> shape);
/// Whether the indices of input `index`, if they are known, lie in `extent`.
LogicalResult checkKnownIndices(Node &node, int input, int64_t extent);
/// The parts of `x` along `axis` that `indices` name, in a checked `shape`.
Tensor gather(Node &node, Tensor x, Tensor indices, int64_t axis,
              ArrayRef<int64_t> shape);

/// Whether there may be a result of `shape`: the batch can only come first.
LogicalResult checkResult(Node &node, ArrayRef<int64_t> shape);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_INDICES_H
