//===- Reduction.h - Combining the elements along dimensions --------------===//

#ifndef DANN_FRONTEND_ONNX_REDUCTION_H
#define DANN_FRONTEND_ONNX_REDUCTION_H

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

namespace mlir::dann::onnx {

/// What reductions, normalisations and losses are made of. Axes are in
/// [0, rank), each once; a result that is reduced along some lacks them.

/// How a reduction combines its terms. Sums alone have a derivative.
enum class Combination { Sum, Product, Maximum, Minimum };

/// A tensor with its loops.
using Indexed = LinalgBuilder::Indexed;
/// What is made of an element before it is combined.
using ElementMap = llvm::function_ref<Value(ImplicitLocOpBuilder &, Value)>;

/// The dimensions of a tensor of `rank` that are no axes.
SmallVector<unsigned, 2> getOtherLoops(int64_t rank, ArrayRef<int64_t> axes);
/// All dimensions of `tensor`.
Indexed indexWhole(Tensor tensor);
/// `reduced` in the loops over the tensor of `rank` that it was reduced from.
Indexed indexReduced(Tensor reduced, int64_t rank, ArrayRef<int64_t> axes);

/// A tensor of `shape`, each element of which `body` computes from those of
/// `inputs`.
Tensor compute(Node &node, ArrayRef<int64_t> shape, int32_t dataType,
               ArrayRef<Indexed> inputs, Node::Body body);

/// Combines what `body` computes in loops over `shape`, along `axes`.
Tensor reduce(Node &node, ArrayRef<int64_t> shape, ArrayRef<int64_t> axes,
              int32_t dataType, Combination combination,
              ArrayRef<Indexed> inputs, Node::Body body);
/// Combines the elements of `x`, each mapped by `map` if there is one.
Tensor reduce(Node &node, Tensor x, ArrayRef<int64_t> axes,
              Combination combination, ElementMap map = nullptr);

/// In a body, the position of the loops `axes` in row-major order of their
/// extents: an int64.
Value buildPosition(ImplicitLocOpBuilder &b, ArrayRef<int64_t> shape,
                    ArrayRef<int64_t> axes);
/// The position of the first or last extremum along `axes` in rising order.
/// Like numpy's, a NaN is one.
Tensor findExtremum(Node &node, Tensor x, ArrayRef<int64_t> axes,
                    Combination combination, bool takesLast);

/// A sum divided by the number of its terms: the elements along `axes` of a
/// tensor of `shape`. Of integers, the quotient loses its fraction.
Tensor divideByCount(Node &node, Tensor sum, ArrayRef<int64_t> shape,
                     ArrayRef<int64_t> axes);

/// The mean along `axes` and the mean square of what differs from it.
struct Moments {
  Tensor mean, variance;
};
Moments computeMoments(Node &node, Tensor x, ArrayRef<int64_t> axes);
/// 1 / sqrt(variance + epsilon).
Tensor invertDeviation(Node &node, Tensor variance, double epsilon);

/// The exponentials along `axes` divided by their sum, and the logarithms of
/// these.
Tensor softmax(Node &node, Tensor x, ArrayRef<int64_t> axes);
Tensor logSoftmax(Node &node, Tensor x, ArrayRef<int64_t> axes);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_REDUCTION_H
