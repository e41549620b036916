//===- SumsOfProducts.h - Values as sums of products ----------------------===//
//
// What is linear in some value x can be written in many ways. Multiplied out,
// it is a sum of products of indexed tensors, for example
//
//   z[b, e] = wex[e, d] x[b, d] - wei[e, i] wix[i, d] x[b, d] + bias[e]
//
// with sums over the indices that the result does not have. The order of
// operations, transposes and reshapes leave no trace in this form. A
// convolution is such a product, too: with the patches of x that its windows
// cover,
//
//   z[b, f, oh, ow] = w[f, c, kh, kw] patches(x)[b, c, kh, kw, oh, ow]
//
//===----------------------------------------------------------------------===//

#ifndef DANN_PASSES_SUMSOFPRODUCTS_H
#define DANN_PASSES_SUMSOFPRODUCTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <memory>
#include <optional>
#include <vector>

namespace mlir::dann {

constexpr int kNoIndex = -1;
constexpr int kFirstSummed = 1 << 10;

/// What a dimension of a factor is indexed by: a loop over a dimension of the
/// value that a sum stands for, or one that is summed over and counts from
/// kFirstSummed; or a part of that loop, where a reshape has made one dimension
/// of several: `loop / stride` modulo `extent`. Dimensions of size 1 have no
/// index, so that reshapes which add or remove them change nothing.
struct Index {
  int loop = kNoIndex;
  int64_t stride = 1, extent = 0; // 0: all of the loop

  bool operator==(const Index &) const = default;
  explicit operator bool() const { return loop != kNoIndex; }
  bool isSummed() const { return loop >= kFirstSummed; }
  bool isFree() const { return *this && !isSummed(); }
  bool isWhole() const { return stride == 1 && extent == 0; }
};
using Indices = SmallVector<Index, 4>;

// Products and sums of an E/I layer are smaller; what is larger is not
// followed any further.
constexpr size_t kMaxTerms = 8, kMaxFactors = 8;

struct Sum;

/// The windows of a convolution of images [B, C, H, W].
struct PatchWindow {
  SmallVector<int64_t, 2> kernel, strides, dilations;
  SmallVector<int64_t, 4> padding; // top, left, bottom, right

  bool operator==(const PatchWindow &) const = default;
};

struct Factor {
  enum class Kind { Plain, Exponential, Reciprocal, Patches };
  Kind kind;
  Value value; // of which this is an entry, e^entry, or a patch
  // One for each dimension; of patches (b, c, kh, kw, oh, ow).
  Indices indices;
  // Of which this is the reciprocal, in the indices of the term.
  std::shared_ptr<const Sum> divisor;
  std::optional<PatchWindow> window; // of patches
};

struct Term {
  double coefficient = 1;
  SmallVector<Factor, 4> factors;

  /// Replaces each index; fails where there is none in its place.
  LogicalResult
  reindex(llvm::function_ref<std::optional<Index>(Index)> newIndex);
  /// Gives each loop another number.
  void rename(llvm::function_ref<int(int)> newLoop);
  /// Whether a factor is indexed by the loop.
  bool dependsOn(int loop) const;
};

struct Sum {
  SmallVector<Term, 3> terms;

  bool isConstant() const {
    return llvm::all_of(terms, [](const Term &t) { return t.factors.empty(); });
  }
  double getConstant() const {
    double sum = 0;
    for (const Term &term : terms)
      sum += term.coefficient;
    return sum;
  }
};

/// For each dimension its own index, none for those of size 1.
Indices getOwnIndices(ArrayRef<int64_t> shape);

/// Writes the values of a function's block as sums of products.
class Algebra {
public:
  explicit Algebra(Block &block);

  /// Whether a value depends on parameters and constants alone.
  bool isWeight(Value value) const { return weights.contains(value); }

  using Expansion = std::pair<Value, Sum>;
  /// The values that are sums of products of x and weights, in their order.
  std::vector<Expansion> expand(Value x);

private:
  const Sum *lookup(Value value) const;
  std::optional<Sum> evaluate(Operation *op);
  std::optional<Sum> evaluateLinalg(linalg::LinalgOp op);
  std::optional<Sum> evaluateConvolution(linalg::Conv2DNchwFchwOp op);
  std::optional<Sum> evaluateReshape(Operation *op);
  std::optional<Sum> evaluateScalar(Operation *op, ArrayRef<Sum> in);
  std::optional<Sum> multiply(const Sum &a, const Sum &b);

  DenseMap<Value, Sum> weights;
  DenseMap<Value, Sum> derived; // from x
  int nextSummed = kFirstSummed;
};

} // namespace mlir::dann

#endif // DANN_PASSES_SUMSOFPRODUCTS_H
