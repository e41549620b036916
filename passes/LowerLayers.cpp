//===- LowerLayers.cpp - Layers as products and elementwise maths ---------===//

#include "passes/LowerLayers.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_LOWERLAYERS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

struct LowerDropout : OpRewritePattern<DropoutOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DropoutOp op,
                                PatternRewriter &rewriter) const override {
    rewriter.replaceOp(op, op.getX());
    return success();
  }
};

struct LowerBatchNorm : OpRewritePattern<BatchNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(BatchNormOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = op.getX().getType().getElementType();
    Value epsilon = b.constant(type, op.getEpsilon().convertToDouble());
    Value one = b.constant(type, 1);
    // Of the parameters alone: prepared once.
    Value scale = b.elementwise(
        {{op.getVariance(), {0}}}, op.getVariance(),
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value sum = arith::AddFOp::create(b, args[0], epsilon);
          return arith::DivFOp::create(b, one, math::SqrtOp::create(b, sum));
        });
    rewriter.replaceOp(
        op,
        b.elementwise({{op.getX(), LinalgBuilder::allLoops(op.getX())},
                       {op.getMean(), {1}},
                       {scale, {1}}},
                      op.getX(), [](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value centred =
                            arith::SubFOp::create(b, args[0], args[1]);
                        return arith::MulFOp::create(b, centred, args[2]);
                      }));
    return success();
  }
};

struct LowerLayersPass : dann::impl::LowerLayersBase<LowerLayersPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerDropout, LowerBatchNorm>(&getContext());
    populateLowerEiLayerPatterns(patterns);
    populateLowerPolarityPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
