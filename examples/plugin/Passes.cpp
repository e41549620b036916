//===- Passes.cpp - From relu to softplus, and from softplus to linalg ----===//

#include "Smooth.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace smooth {
#define GEN_PASS_DEF_SMOOTHRELU
#define GEN_PASS_DEF_LOWERSMOOTH
#include "SmoothPasses.h.inc"
} // namespace smooth

using namespace mlir;
using namespace mlir::dann;
using namespace smooth;

// [pattern]
/// An elementwise operation that yields the maximum of its one input and 0.
static bool isRelu(linalg::GenericOp op) {
  if (op.getNumParallelLoops() != op.getNumLoops() ||
      op.getNumDpsInputs() != 1 ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return false;
  auto yield = cast<linalg::YieldOp>(op.getBody()->getTerminator());
  auto maximum = yield.getOperand(0).getDefiningOp<arith::MaximumFOp>();
  return maximum && maximum.getLhs() == op.getBody()->getArgument(0) &&
         matchPattern(maximum.getRhs(), m_AnyZeroFloat());
}

namespace {
struct ReplaceRelu : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (!isRelu(op))
      return rewriter.notifyMatchFailure(op, "is no relu");
    rewriter.replaceOpWithNewOp<SoftplusOp>(op, op.getInputs()[0]);
    return success();
  }
};

struct SmoothReluPass : smooth::impl::SmoothReluBase<SmoothReluPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ReplaceRelu>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
// [pattern]

// [lowering]
/// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), where nothing overflows.
struct LowerSoftplus : OpRewritePattern<SoftplusOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftplusOp op,
                                PatternRewriter &rewriter) const override {
    Value x = op.getX();
    LinalgBuilder linalg(rewriter, op.getLoc());
    Value y = linalg.elementwise(
        {{x, LinalgBuilder::allLoops(x)}}, x,
        [](ImplicitLocOpBuilder &b, ValueRange entries) -> Value {
          Value x = entries[0];
          Value zero =
              arith::ConstantOp::create(b, b.getFloatAttr(x.getType(), 0.0));
          Value minusAbs = arith::NegFOp::create(b, math::AbsFOp::create(b, x));
          Value log =
              math::Log1pOp::create(b, math::ExpOp::create(b, minusAbs));
          Value relu = arith::MaximumFOp::create(b, x, zero);
          return arith::AddFOp::create(b, relu, log);
        });
    rewriter.replaceOp(op, y);
    return success();
  }
};
// [lowering]

struct LowerSmoothPass : smooth::impl::LowerSmoothBase<LowerSmoothPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerSoftplus>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};
} // namespace
