//===- FuseUpdates.cpp - SGD steps without gradients in memory ------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_FUSEUPDATES
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The products whose sum is `value`, the first one first; empty if it is
/// something else or another operation needs a part of it.
SmallVector<linalg::LinalgOp> getSummedProducts(Value value) {
  SmallVector<linalg::LinalgOp> products;
  // Many sums may start from the same zeros.
  while (products.empty() || !isZeros(value)) {
    auto op = value.getDefiningOp<linalg::LinalgOp>();
    if (!op || !value.hasOneUse() || !linalg::isaContractionOpInterface(op))
      return {};
    products.push_back(op);
    value = op.getDpsInits()[0];
  }
  std::reverse(products.begin(), products.end());
  return products;
}

/// The number of elements if the batch were one.
int64_t countPerSample(Value value) {
  int64_t count = 1;
  for (int64_t size : cast<RankedTensorType>(value.getType()).getShape())
    count *= ShapedType::isDynamic(size) ? 1 : size;
  return count;
}

struct FuseSgdUpdate : OpRewritePattern<SgdUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SgdUpdateOp op,
                                PatternRewriter &rewriter) const override {
    Value gradient = op.getGradient();
    double factor = 1;
    if (auto correction = gradient.getDefiningOp<CorrectInhibitionOp>();
        correction && gradient.hasOneUse()) {
      factor = correction.getFactor();
      gradient = correction.getGradient();
    }
    SmallVector<linalg::LinalgOp> products = getSummedProducts(gradient);
    if (products.empty())
      return rewriter.notifyMatchFailure(
          op, "the gradient is no sum of products of its own");

    LinalgBuilder builder(rewriter, op.getLoc());
    Value sum = op.getParameter();
    for (linalg::LinalgOp product : products) {
      SmallVector<Value> operands = product->getOperands();
      Value &scaled = countPerSample(operands[0]) <= countPerSample(operands[1])
                          ? operands[0]
                          : operands[1];
      scaled = buildScaled(builder, op, scaled, -factor);
      operands[2] = sum;
      sum =
          mlir::clone(rewriter, product, sum.getType(), operands)->getResult(0);
    }
    rewriter.replaceOp(op, sum);
    return success();
  }

private:
  /// tensor * (learning rate * factor).
  static Value buildScaled(LinalgBuilder &builder, SgdUpdateOp op, Value tensor,
                           double factor) {
    Value constant =
        builder.constant(getElementTypeOrSelf(tensor.getType()), factor);
    return builder.elementwise(
        {{tensor, LinalgBuilder::allLoops(tensor)}, {op.getLearningRate(), {}}},
        tensor, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value rate = arith::MulFOp::create(b, args[1], constant);
          return arith::MulFOp::create(b, args[0], rate);
        });
  }
};

struct FuseUpdatesPass : dann::impl::FuseUpdatesBase<FuseUpdatesPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FuseSgdUpdate>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
