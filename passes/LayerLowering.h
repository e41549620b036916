//===- LayerLowering.h - E/I layers as products and elementwise maths -----===//

#ifndef DANN_PASSES_LAYERLOWERING_H
#define DANN_PASSES_LAYERLOWERING_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::dann {

/// Patterns that lower dann.ei_dense and dann.ei_dense_grad to linalg.contract
/// and elementwise linalg.generic. Both backends start from here. What the two
/// operations have in common is built by the same code in the same order, so
/// that CSE makes it one.
void populateLayerLoweringPatterns(RewritePatternSet &patterns);

} // namespace mlir::dann

#endif // DANN_PASSES_LAYERLOWERING_H
