//===- UpdateMaths.h - Short forms for the lowering of updates ------------===//

#ifndef DANN_PASSES_UPDATEMATHS_H
#define DANN_PASSES_UPDATEMATHS_H

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::dann {

/// Operations over all entries of a tensor or over one scalar.
class Entries {
public:
  /// For tensors of the shape of `shape`.
  Entries(PatternRewriter &rewriter, Location loc, Value shape)
      : b(rewriter, loc), shape(shape),
        type(getElementTypeOrSelf(shape.getType())) {}

  Value number(double value) { return b.constant(type, value); }

  /// body(entries) for tensors of the shape and scalars, 0-d tensors.
  Value map(ValueRange tensors, LinalgBuilder::Body body) {
    return mapTo(shape, tensors, body);
  }
  /// body(scalars): another 0-d tensor of the element type.
  Value mapScalars(ValueRange scalars, LinalgBuilder::Body body) {
    return mapTo(b.empty({}, type), scalars, body);
  }

private:
  Value mapTo(Value result, ValueRange tensors, LinalgBuilder::Body body) {
    SmallVector<LinalgBuilder::Indexed> inputs;
    for (Value tensor : tensors)
      inputs.push_back({tensor, LinalgBuilder::allLoops(tensor)});
    return b.elementwise(inputs, result, body);
  }

  LinalgBuilder b;
  Value shape;
  Type type;
};

// Scalar maths in the body of one operation.

inline Value add(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
inline Value subtract(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
inline Value multiply(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
inline Value divide(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::DivFOp::create(b, x, y);
}

} // namespace mlir::dann

#endif // DANN_PASSES_UPDATEMATHS_H
