//===- Loops.h - Operators that are sequential ----------------------------===//

#ifndef DANN_FRONTEND_ONNX_LOOPS_H
#define DANN_FRONTEND_ONNX_LOOPS_H

#include "frontend/Onnx/Node.h"

namespace mlir::dann::onnx {

/// An index along an axis.
struct Place {
  int64_t axis;
  OpFoldResult index;
};

/// What a tensor holds at `places`, without their axes.
Tensor extractAt(Node &node, Tensor tensor, ArrayRef<Place> places);
/// `whole` with `part` at `places`.
Tensor insertAt(Node &node, Tensor part, Tensor whole, ArrayRef<Place> places);

/// Memory of its own, with undefined contents.
Tensor allocate(Node &node, ArrayRef<int64_t> shape, int32_t dataType);
/// `tensor` in the memory of `destination`, which has its type. Whatever a
/// region yields is written to memory that exists before it: which buffer a
/// value is in does not depend on how the program flows.
Tensor materialize(Node &node, Tensor tensor, Tensor destination);

/// The element of a tensor that has one.
FailureOr<Value> extractScalar(Node &node, Tensor tensor);

/// How the parts that a loop gives, one in each iteration, become a tensor.
struct Collected {
  int64_t axis = 0; // among those of the result, from behind if negative
  bool isReversed = false;
  /// Of that axis; none if it is the number of iterations, which has to be
  /// known then.
  std::optional<int64_t> extent = std::nullopt;
};

/// A loop over tensors of constant shapes.
struct Loop {
  /// The number of iterations, an index; null if it has no limit.
  Value count;
  std::optional<int64_t> knownCount;
  /// Whether the first of `initial` is a bool that has to be true before each
  /// iteration.
  bool isConditional = false;
  SmallVector<Tensor> initial;
  SmallVector<Collected> collected;
  /// Whether the body overwrites each carried tensor with the next one, and
  /// reads no other one behind that.
  bool isInPlace = false;
};

/// Gives the tensors after an iteration, and what of it is collected.
using LoopBody = llvm::function_ref<FailureOr<SmallVector<Tensor>>(
    Value index, ArrayRef<Tensor> carried)>;

/// Gives the tensors after the loop, and those collected.
FailureOr<SmallVector<Tensor>> buildLoop(Node &node, const Loop &loop,
                                         LoopBody body);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_LOOPS_H
