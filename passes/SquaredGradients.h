//===- SquaredGradients.h - Gradients of single samples -------------------===//

#ifndef DANN_PASSES_SQUAREDGRADIENTS_H
#define DANN_PASSES_SQUAREDGRADIENTS_H

#include "Dann/Dann.h"

namespace mlir::dann {

/// Replaces each of `gradients`, which an expansion of `request` has built for
/// the function body `callee`, by the sum over the samples of the squares of
/// what they contribute to it. The batch is the dynamic dimension. Fails, with
/// a diagnostic at `request`, where samples cannot be told apart.
LogicalResult squareTerms(ValueAndGradOp request, Block &callee,
                          MutableArrayRef<Value> gradients);

} // namespace mlir::dann

#endif // DANN_PASSES_SQUAREDGRADIENTS_H
