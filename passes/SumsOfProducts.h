//===- SumsOfProducts.h - Values as sums of products ----------------------===//
//
// What is linear in some value x can be written in many ways. Multiplied out,
// it is a sum of products of indexed tensors, for example
//
//   z[b, e] = wex[e, d] x[b, d] - wei[e, i] wix[i, d] x[b, d] + bias[e]
//
// with sums over the indices that the result does not have. The order of
// operations, transposes and reshapes leave no trace in this form.
//
//===----------------------------------------------------------------------===//

#ifndef DANN_PASSES_SUMSOFPRODUCTS_H
#define DANN_PASSES_SUMSOFPRODUCTS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <memory>
#include <optional>
#include <vector>

namespace mlir::dann {

// An index runs over a dimension of the value that a sum stands for, or is
// summed over and counts from kFirstSummed. Dimensions of size 1 have none, so
// that reshapes which add or remove them change nothing.
constexpr int kNoIndex = -1;
constexpr int kFirstSummed = 1 << 10;
// Products and sums of an E/I layer are smaller; what is larger is not
// followed any further.
constexpr size_t kMaxTerms = 8, kMaxFactors = 8;

struct Sum;

struct Factor {
  enum class Kind { Plain, Exponential, Reciprocal };
  Kind kind;
  Value value;                        // of which this is an entry, or e^entry
  std::shared_ptr<const Sum> divisor; // of which this is the reciprocal
  SmallVector<int, 4> indices;        // one for each dimension
};

struct Term {
  double coefficient = 1;
  SmallVector<Factor, 4> factors;

  void rename(llvm::function_ref<int(int)> newIndex) {
    for (Factor &factor : factors)
      for (int &index : factor.indices)
        if (index != kNoIndex)
          index = newIndex(index);
  }
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
SmallVector<int, 4> getOwnIndices(ArrayRef<int64_t> shape);

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
  std::optional<Sum> evaluateScalar(Operation *op, ArrayRef<Sum> in,
                                    ArrayRef<int64_t> extents);
  std::optional<Sum> multiply(const Sum &a, const Sum &b);

  DenseMap<Value, Sum> weights;
  DenseMap<Value, Sum> derived; // from x
  int nextSummed = kFirstSummed;
};

} // namespace mlir::dann

#endif // DANN_PASSES_SUMSOFPRODUCTS_H
