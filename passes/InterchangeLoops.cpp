//===- InterchangeLoops.cpp - Innermost loops over contiguous memory ------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

namespace mlir::dann {
#define GEN_PASS_DEF_INTERCHANGELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

namespace {

/// The loop along which the most operands are contiguous; the later one of two
/// equals.
unsigned findContiguousLoop(linalg::LinalgOp op) {
  SmallVector<unsigned> votes(op.getNumLoops(), 0);
  for (AffineMap map : op.getIndexingMapsArray())
    if (map.getNumResults() > 0)
      if (auto last = dyn_cast<AffineDimExpr>(map.getResults().back()))
        ++votes[last.getPosition()];
  unsigned best = 0;
  for (unsigned loop = 0; loop < votes.size(); ++loop)
    if (votes[loop] >= votes[best])
      best = loop;
  return best;
}

struct InterchangeLoopsPass
    : dann::impl::InterchangeLoopsBase<InterchangeLoopsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (linalg::isaContractionOpInterface(op))
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp op : products) {
      SmallVector<unsigned> order;
      unsigned innermost = findContiguousLoop(op);
      for (unsigned loop = 0; loop < op.getNumLoops(); ++loop)
        if (loop != innermost)
          order.push_back(loop);
      order.push_back(innermost);
      rewriter.setInsertionPoint(op);
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      if (!generic) {
        FailureOr<linalg::GenericOp> generalized =
            linalg::generalizeNamedOp(rewriter, op);
        if (failed(generalized))
          continue;
        generic = *generalized;
      }
      rewriter.setInsertionPoint(generic);
      // An order of the loops that exist is always applicable.
      (void)linalg::interchangeGenericOp(rewriter, generic, order);
    }
  }
};

} // namespace
