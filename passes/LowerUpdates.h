//===- LowerUpdates.h - Optimizers' operations to linalg ------------------===//

#ifndef DANN_PASSES_LOWERUPDATES_H
#define DANN_PASSES_LOWERUPDATES_H

namespace mlir {
class RewritePatternSet;

namespace dann {

/// Patterns that lower corrections, directions, steps and projections to linalg
/// operations over the entries of a parameter.
void populateLowerUpdatePatterns(RewritePatternSet &patterns);

/// Patterns that lower what depends on the norms of whole parameters or
/// gradients: clipping, and rates that are divided by a norm or searched.
void populateLowerNormPatterns(RewritePatternSet &patterns);

} // namespace dann
} // namespace mlir

#endif // DANN_PASSES_LOWERUPDATES_H
