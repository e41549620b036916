//===- LinalgBuilder.h - Short forms for linalg on tensors ----------------===//

#ifndef DANN_DIALECT_UTILS_LINALGBUILDER_H
#define DANN_DIALECT_UTILS_LINALGBUILDER_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {

/// Builds linalg operations on tensors at one location. Holds no state but the
/// builder's.
class LinalgBuilder {
public:
  LinalgBuilder(OpBuilder &builder, Location loc)
      : builder(builder), loc(loc) {}

  /// A tensor and, for each of its dimensions, the loop that runs over it.
  struct Indexed {
    Value tensor;
    SmallVector<unsigned, 2> loops;
  };
  using Body = llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)>;

  Value constant(Type type, double value);

  /// Tensors of `sizes`: with undefined contents, or full of `value`.
  Value empty(ArrayRef<OpFoldResult> sizes, Type elementType);
  Value fill(ArrayRef<OpFoldResult> sizes, Type elementType, double value);
  /// Zeros of the shape of `tensor`.
  Value zerosLike(Value tensor);

  /// The size of dimension `index` of `tensor`, folded where it is static, and
  /// the sizes of all its dimensions.
  OpFoldResult size(Value tensor, unsigned index);
  SmallVector<OpFoldResult> sizes(Value tensor);

  /// The size of dimension `index` as a float of type `type`.
  Value sizeAsFloat(Value tensor, unsigned index, Type type);

  /// The loops over all dimensions of `tensor`, in their order.
  static SmallVector<unsigned, 2> allLoops(Value tensor);

  /// A linalg.generic over `numLoops` loops, outermost first. `body` gets the
  /// entries of `inputs`, then that of `init`, and returns the new one. Loops
  /// that do not index `init` are reductions.
  Value generic(unsigned numLoops, ArrayRef<Indexed> inputs, Indexed init,
                Body body);

  /// generic() with all loops parallel and a result of undefined contents
  /// indexed by all of them, with the sizes of `shape`.
  Value elementwise(ArrayRef<Indexed> inputs, Value shape, Body body,
                    Type elementType = {});

  /// init + op(a) . op(b), where op transposes if asked to; without `init` the
  /// product alone.
  Value product(Value a, bool transposeA, Value b, bool transposeB,
                Value init = {});

private:
  OpBuilder &builder;
  Location loc;
};

} // namespace mlir::dann

#endif // DANN_DIALECT_UTILS_LINALGBUILDER_H
