//===- ConvertDannToOneDnn.cpp - Matrix products as calls of oneDNN -------===//

#include "Utils/LinalgBuilder.h"
#include "passes/LayerLowering.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "OneDnn/OneDnn.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CONVERTDANNTOONEDNN
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

bool isF32Matrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && type.getElementType().isF32();
}

/// Any linalg product of two matrices, whatever its maps, becomes a matmul.
struct LowerContractionToMatmul : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumLoops() != 3 || !linalg::isaContractionOpInterface(op))
      return rewriter.notifyMatchFailure(op, "is no product of two matrices");
    Value a = op->getOperand(0), b = op->getOperand(1);
    Value init = op->getOperand(2);
    if (!isF32Matrix(a) || !isF32Matrix(b) || !isF32Matrix(init))
      return rewriter.notifyMatchFailure(op, "operands are no f32 matrices");
    auto maps = op.getIndexingMapsArray();
    unsigned m = maps[2].getDimPosition(0), n = maps[2].getDimPosition(1);
    auto uses = [](AffineMap map, unsigned loop) {
      return map.isFunctionOfDim(loop);
    };
    if (uses(maps[0], n) && uses(maps[1], m)) {
      std::swap(a, b);
      std::swap(maps[0], maps[1]);
    }
    if (!uses(maps[0], m) || uses(maps[0], n) || !uses(maps[1], n) ||
        uses(maps[1], m))
      return rewriter.notifyMatchFailure(op, "has a batch loop");
    bool transposeA = maps[0].getDimPosition(0) != m;
    bool transposeB = maps[1].getDimPosition(1) != n;

    // A product that starts from zero needs no zeros.
    bool accumulate = true;
    if (auto fill = init.getDefiningOp<linalg::FillOp>();
        fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat())) {
      accumulate = false;
      init = fill.getOutputs()[0];
    }
    rewriter.replaceOpWithNewOp<onednn::MatmulOp>(
        op, init.getType(), a, b, /*bias=*/Value(), init, transposeA,
        transposeB, APFloat(1.0f), accumulate, rewriter.getArrayAttr({}));
    return success();
  }
};

/// The matmul that makes `value` if nothing else uses it and its epilogue is
/// still empty.
onednn::MatmulOp getPlainMatmul(Value value) {
  auto matmul = value.getDefiningOp<onednn::MatmulOp>();
  if (!matmul || !value.hasOneUse() || !matmul.getPostOps().empty())
    return nullptr;
  return matmul;
}

bool isIdentityElementwise(linalg::GenericOp op, OpOperand *operand) {
  return op.getNumParallelLoops() == op.getNumLoops() &&
         op.getMatchingIndexingMap(operand).isIdentity() &&
         op.getMatchingIndexingMap(op.getDpsInitOperand(0)).isIdentity();
}

/// matmul + a row of biases.
struct FuseBias : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 ||
        op.getNumLoops() != 2)
      return failure();
    auto matmul = getPlainMatmul(op->getOperand(0));
    if (!matmul || matmul.getBias() || matmul.getAccumulate())
      return failure();
    Block *body = op.getBody();
    auto sum =
        body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
    bool addsBoth =
        sum && body->getOperations().size() == 2 &&
        llvm::is_contained(sum->getOperands(), Value(body->getArgument(0))) &&
        llvm::is_contained(sum->getOperands(), Value(body->getArgument(1)));
    AffineMap row = AffineMap::get(2, 0, rewriter.getAffineDimExpr(1));
    if (!addsBoth || !isIdentityElementwise(op, &op->getOpOperand(0)) ||
        op.getMatchingIndexingMap(&op->getOpOperand(1)) != row)
      return failure();
    rewriter.replaceOpWithNewOp<onednn::MatmulOp>(
        op, matmul.getDst().getType(), matmul.getA(), matmul.getB(),
        op->getOperand(1), matmul.getDst(), matmul.getTransposeA(),
        matmul.getTransposeB(), matmul.getScale(), /*accumulate=*/false,
        matmul.getPostOps());
    return success();
  }
};

/// max(matmul, 0).
struct FuseRelu : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1)
      return failure();
    auto matmul = getPlainMatmul(op->getOperand(0));
    if (!matmul || !isIdentityElementwise(op, &op->getOpOperand(0)))
      return failure();
    Block *body = op.getBody();
    auto maximum =
        body->getTerminator()->getOperand(0).getDefiningOp<arith::MaximumFOp>();
    if (!maximum || maximum.getLhs() != body->getArgument(0) ||
        !matchPattern(maximum.getRhs(), m_AnyZeroFloat()))
      return failure();
    rewriter.modifyOpInPlace(matmul, [&] {
      matmul.setPostOpsAttr(rewriter.getArrayAttr(
          {onednn::PostOpAttr::get(getContext(), onednn::PostOp::Relu)}));
    });
    rewriter.replaceOp(op, matmul.getResult());
    return success();
  }
};

/// W <- project?(W - lr * factor * (a . b)), without the gradient a . b.
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
    auto matmul = getPlainMatmul(gradient);
    if (!matmul || matmul.getAccumulate() || matmul.getBias())
      return rewriter.notifyMatchFailure(
          op, "the gradient is no product of its own");

    // Relu is the one projection that is a post-op.
    Operation *last = op;
    SmallVector<Attribute> postOps;
    if (op->hasOneUse())
      if (auto project = dyn_cast<ProjectOp>(*op->user_begin());
          project && project.getSign() == Sign::Nonneg) {
        last = project;
        postOps.push_back(
            onednn::PostOpAttr::get(getContext(), onednn::PostOp::Relu));
      }

    rewriter.setInsertionPoint(last);
    Value a = matmul.getA(), b = matmul.getB();
    bool scaleA = isSmaller(a, b);
    Value &scaled = scaleA ? a : b;
    scaled = buildScaled(rewriter, op, scaled, -factor);
    rewriter.replaceOpWithNewOp<onednn::MatmulOp>(
        last, op.getParameter().getType(), a, b, /*bias=*/Value(),
        op.getParameter(), matmul.getTransposeA(), matmul.getTransposeB(),
        matmul.getScale(), /*accumulate=*/true, rewriter.getArrayAttr(postOps));
    return success();
  }

private:
  /// Dynamic sizes are the batch in both.
  static bool isSmaller(Value a, Value b) {
    auto numStatic = [](Value value) {
      int64_t product = 1;
      for (int64_t size : cast<RankedTensorType>(value.getType()).getShape())
        product *= ShapedType::isDynamic(size) ? 1 : size;
      return product;
    };
    return numStatic(a) <= numStatic(b);
  }

  /// tensor * (learning rate * factor).
  static Value buildScaled(PatternRewriter &rewriter, SgdUpdateOp op,
                           Value tensor, double factor) {
    LinalgBuilder linalg(rewriter, op.getLoc());
    Value constant =
        linalg.constant(getElementTypeOrSelf(tensor.getType()), factor);
    return linalg.elementwise(
        {{tensor, {0, 1}}, {op.getLearningRate(), {}}}, tensor,
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value rate = arith::MulFOp::create(b, args[1], constant);
          return arith::MulFOp::create(b, args[0], rate);
        });
  }
};

struct ConvertDannToOneDnnPass
    : dann::impl::ConvertDannToOneDnnBase<ConvertDannToOneDnnPass> {
  void runOnOperation() override {
    // Layers first: a product that two of them share must be one before
    // epilogues are moved into products with a single user.
    RewritePatternSet products(&getContext());
    populateLayerLoweringPatterns(products);
    products.add<LowerContractionToMatmul>(&getContext());
    RewritePatternSet epilogues(&getContext());
    epilogues.add<FuseBias, FuseRelu, FuseSgdUpdate>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(products))) ||
        failed(applyPatternsGreedily(getOperation(), std::move(epilogues))))
      signalPassFailure();
  }
};

} // namespace
