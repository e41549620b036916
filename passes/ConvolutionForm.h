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

} // namespace mlir::dann

#endif // DANN_PASSES_CONVOLUTIONFORM_H
