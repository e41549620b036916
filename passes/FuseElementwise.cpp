//===- FuseElementwise.cpp - Elementwise operations into their users ------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

/// Into the only user, unless that runs windows over one of its operands.
static bool isFused(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  if (!producer || !producer->hasOneUse())
    return false;
  auto user = dyn_cast<linalg::LinalgOp>(operand->getOwner());
  return !user || llvm::all_of(user.getIndexingMapsArray(), [](AffineMap map) {
    return map.isProjectedPermutation(/*allowZeroInResults=*/true);
  });
}

/// With a reshape before or behind it, only what is elementwise: kernels know
/// products by the dimensions that they have.
static bool isReshapeFused(OpOperand *operand) {
  auto isElementwise = [](Operation *op) {
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    return !structured || structured.getNumReductionLoops() == 0;
  };
  return isFused(operand) && isElementwise(operand->getOwner()) &&
         isElementwise(operand->get().getDefiningOp());
}

namespace {

struct FuseElementwisePass
    : dann::impl::FuseElementwiseBase<FuseElementwisePass> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    linalg::populateElementwiseOpsFusionPatterns(patterns, isFused);
    linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, isReshapeFused);
    linalg::populateConstantFoldLinalgOperations(patterns, isFused);
    linalg::GenericOp::getCanonicalizationPatterns(patterns, context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    context->getLoadedDialect<linalg::LinalgDialect>()
        ->getCanonicalizationPatterns(patterns);
    if (failed(applyPatternsGreedily(
            getOperation(), std::move(patterns),
            GreedyRewriteConfig().setUseTopDownTraversal())))
      signalPassFailure();
  }
};

} // namespace
