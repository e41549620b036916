//===- LowerLayers.h - Layers as products and elementwise maths -----------===//

#ifndef DANN_PASSES_LOWERLAYERS_H
#define DANN_PASSES_LOWERLAYERS_H

namespace mlir {
class RewritePatternSet;

namespace dann {

/// Patterns that lower layers of E/I units, dense and convolutional, and their
/// gradients to sums over inputs, products of interneurons and maths over the
/// entries of activations.
void populateLowerEiLayerPatterns(RewritePatternSet &patterns);

/// Patterns that lower polarities to products with weights, or with the
/// activations that the weights multiply.
void populateLowerPolarityPatterns(RewritePatternSet &patterns);

} // namespace dann
} // namespace mlir

#endif // DANN_PASSES_LOWERLAYERS_H
