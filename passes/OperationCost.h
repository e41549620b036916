//===- OperationCost.h - How much operations compute ----------------------===//

#ifndef DANN_PASSES_OPERATIONCOST_H
#define DANN_PASSES_OPERATIONCOST_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::dann {

/// An amount that depends on the batch: fixed + samples * perSample. It stays
/// at the largest number rather than overflow.
struct Cost {
  int64_t fixed = 0, perSample = 0;

  void add(bool isPerSample, int64_t amount);
  void add(const Cost &other);
  int64_t of(int64_t samples) const;
};

/// The floating-point operations of `op`: how often its body runs, times the
/// floats that the body computes. A multiply-add is two. Dynamic loops run over
/// the batch.
Cost countFlops(linalg::LinalgOp op);

/// a * b, or the largest number; neither is negative.
int64_t multiplySaturating(int64_t a, int64_t b);

} // namespace mlir::dann

#endif // DANN_PASSES_OPERATIONCOST_H
