//===- LowerPolarity.cpp - Polarities as products with signs --------------===//

#include "passes/LowerLayers.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

Value multiply(ImplicitLocOpBuilder &b, ValueRange args) {
  return arith::MulFOp::create(b, args[0], args[1]);
}

bool isInInference(Operation *op) {
  auto function = op->getParentOfType<func::FuncOp>();
  return function && function->hasAttr(DannDialect::kInferenceAttr);
}

/// The polarity of each column, [d], or of each weight.
Value getPolarity(OpBuilder &builder, ApplyPolarityOp op) {
  if (op.getPolarity())
    return op.getPolarity();
  return arith::ConstantOp::create(builder, op.getLoc(),
                                   op.getConstantPolarity());
}

/// `tensor` times what belongs to the position along its dimension `dimension`.
Value scaleAlong(LinalgBuilder &b, Value tensor, unsigned dimension,
                 Value factors) {
  return b.elementwise(
      {{tensor, LinalgBuilder::allLoops(tensor)}, {factors, {dimension}}},
      tensor, multiply);
}

struct LowerApplyPolarity : OpRewritePattern<ApplyPolarityOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ApplyPolarityOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Value magnitude = op.getMagnitude();
    auto loops = LinalgBuilder::allLoops(magnitude);
    Value weights = op.isByColumn()
                        ? scaleAlong(b, magnitude, 1, getPolarity(rewriter, op))
                        : b.elementwise({{magnitude, loops},
                                         {getPolarity(rewriter, op), loops}},
                                        magnitude, multiply);
    rewriter.replaceOp(op, weights);
    return success();
  }
};

/// Moves a polarity of columns from weights, which a training step would have
/// to scale anew each time, to the activations that they multiply:
///
///   x . (w * p)^T = (x * p) . w^T,    dz . (w * p) = (dz . w) * p,
///   (dz^T . x) * p = dz^T . (x * p).
///
/// The gradient is then a product, which an SGD step adds to the magnitudes as
/// it is. In inference signed weights are prepared once instead.
struct MovePolarity : OpRewritePattern<ApplyPolarityOp> {
  MovePolarity(MLIRContext *context)
      : OpRewritePattern(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(ApplyPolarityOp op,
                                PatternRewriter &rewriter) const override {
    if (!op.isByColumn() || op.getMagnitude().getType().getRank() != 2 ||
        isInInference(op))
      return rewriter.notifyMatchFailure(op, "has to stay with its weights");
    if (auto gradient = op.getMagnitude().getDefiningOp<linalg::ContractOp>())
      return moveIntoGradient(op, gradient, rewriter);
    auto users = llvm::to_vector(op->getUsers());
    if (!llvm::all_of(users,
                      [&](Operation *user) { return isLinear(user, op); }))
      return rewriter.notifyMatchFailure(op, "has users other than products");
    Value polarity = getPolarity(rewriter, op);
    for (Operation *user : users)
      moveIntoUser(op, polarity, cast<linalg::ContractOp>(user), rewriter);
    rewriter.eraseOp(op);
    return success();
  }

private:
  static bool isProduct(linalg::ContractOp product) {
    return isZeros(product.getOutputs()[0]);
  }

  /// Whether `user` is a product of the weights with something else.
  static bool isLinear(Operation *user, ApplyPolarityOp op) {
    auto product = dyn_cast<linalg::ContractOp>(user);
    return product && isProduct(product) &&
           (product.getInputs()[0] == op.getWeights()) !=
               (product.getInputs()[1] == op.getWeights());
  }

  static LogicalResult moveIntoGradient(ApplyPolarityOp op,
                                        linalg::ContractOp product,
                                        PatternRewriter &rewriter) {
    auto maps = product.getIndexingMapsArray();
    AffineExpr row = maps[2].getResult(0), column = maps[2].getResult(1);
    if (!product->hasOneUse() || !isProduct(product))
      return failure();
    for (unsigned i : {0, 1}) {
      auto position = maps[i].getResultPosition(column);
      if (!position || maps[i].getResultPosition(row))
        continue;
      LinalgBuilder b(rewriter, op.getLoc());
      SmallVector<Value> operands = product->getOperands();
      operands[i] =
          scaleAlong(b, operands[i], *position, getPolarity(rewriter, op));
      rewriter.replaceOp(op, mlir::clone(rewriter, product.getOperation(),
                                         product->getResultTypes(), operands));
      return success();
    }
    return failure();
  }

  static void moveIntoUser(ApplyPolarityOp op, Value polarity,
                           linalg::ContractOp product,
                           PatternRewriter &rewriter) {
    unsigned mine = product.getInputs()[0] == op.getWeights() ? 0 : 1;
    auto maps = product.getIndexingMapsArray();
    AffineExpr column = maps[mine].getResult(1);
    SmallVector<Value> operands = product->getOperands();
    operands[mine] = op.getMagnitude();
    rewriter.setInsertionPoint(product);
    LinalgBuilder b(rewriter, op.getLoc());
    auto inOther = maps[1 - mine].getResultPosition(column);
    if (inOther)
      operands[1 - mine] =
          scaleAlong(b, operands[1 - mine], *inOther, polarity);
    Value result = mlir::clone(rewriter, product.getOperation(),
                               product->getResultTypes(), operands)
                       ->getResult(0);
    if (!inOther)
      result =
          scaleAlong(b, result, *maps[2].getResultPosition(column), polarity);
    rewriter.replaceOp(product, result);
  }
};

} // namespace

void mlir::dann::populateLowerPolarityPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerApplyPolarity, MovePolarity>(patterns.getContext());
}
