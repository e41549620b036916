//===- ConvolutionForm.h - Convolutions and their derivatives -------------===//

#ifndef DANN_PASSES_CONVOLUTIONFORM_H
#define DANN_PASSES_CONVOLUTIONFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::dann {

/// A sum of products over images x[C, H, W, B], filters[F, C, kh, kw] and
/// z[F, OH, OW, B], where x is indexed by oh stride + kh dilation, and likewise
/// for columns: the form that dann-batch-last gives to convolutions and their
/// two derivatives.
struct ConvolutionForm {
  /// Which of the three is the sum.
  enum Result { Z, X, Filters } result;
  Value x, filters, z;
  int64_t strides[2], dilations[2];

  Value getResult() const {
    return result == Z ? z : result == X ? x : filters;
  }
};

/// The form of `op`, on tensors or buffers; none if it has another.
std::optional<ConvolutionForm> getConvolutionForm(linalg::GenericOp op);

/// The loops that `map` is indexed by, if it is by nothing else.
std::optional<SmallVector<unsigned>> getLoops(AffineMap map);

/// Whether the body is init + a * b.
bool isSumOfProducts(linalg::GenericOp op);

/// Whether generated code computes `op`, a sum of products over windows.
bool isGeneratedConvolution(linalg::GenericOp op);

/// What one more iteration of `loop` adds to `expression`, which is linear in
/// `numLoops` loops.
int64_t getStep(AffineExpr expression, unsigned loop, unsigned numLoops);

/// `op` on buffers, for `size` iterations of a loop that indexes the result, of
/// all of its `extent`, from `begin` on.
linalg::GenericOp sliceConvolution(RewriterBase &rewriter, linalg::GenericOp op,
                                   unsigned loop, OpFoldResult begin,
                                   OpFoldResult size, OpFoldResult extent);

} // namespace mlir::dann

#endif // DANN_PASSES_CONVOLUTIONFORM_H
