//===- LowerLayers.cpp - Layers as products and elementwise maths ---------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_LOWERLAYERS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

// Loops of elementwise maths: B x units.
using Loops = SmallVector<unsigned, 2>;
const Loops kMatrix = {0, 1};
const Loops kRow = {1}; // one value per column

Value multiply(ImplicitLocOpBuilder &b, ValueRange args) {
  return arith::MulFOp::create(b, args[0], args[1]);
}
Value negate(ImplicitLocOpBuilder &b, ValueRange args) {
  return arith::NegFOp::create(b, args[0]);
}

Value getStrength(LinalgBuilder &b, Value alpha) {
  return b.elementwise({{alpha, {0}}}, alpha,
                       [](ImplicitLocOpBuilder &b, ValueRange args) {
                         return math::ExpOp::create(b, args[0]);
                       });
}

Value addEpsilon(LinalgBuilder &b, Value sum, const APFloat &epsilon) {
  Value constant = b.constant(getElementTypeOrSelf(sum.getType()),
                              epsilon.convertToDouble());
  return b.elementwise({{sum, kMatrix}}, sum,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::AddFOp::create(b, args[0], constant);
                       });
}

/// What the layer and its gradient both need. Built by the same code in the
/// same order for both, so that CSE makes it one. Shapes: ze, inhibition,
/// divisor [B, ne]; zi, zd [B, ni]; strength [ni].
///
/// The divisor is (wei * e^alpha) . zi, computed as wei . (e^alpha * zi): both
/// products of wei then read wei itself, and no weighted copy of it is made.
struct Intermediates {
  Value ze, zi, inhibition;
  Value strength; // e^alpha
  Value zd;       // zi * strength
  Value divisor;  // the last three are null without alpha
};

template <typename OpTy>
Intermediates buildIntermediates(LinalgBuilder &b, OpTy op) {
  Intermediates v;
  v.ze = b.product(op.getX(), false, op.getWex(), true);
  v.zi = b.product(op.getX(), false, op.getWix(), true);
  v.inhibition = b.product(v.zi, false, op.getWei(), true);
  if (!op.getAlpha())
    return v;
  v.strength = getStrength(b, op.getAlpha());
  v.zd = b.elementwise({{v.zi, kMatrix}, {v.strength, kRow}}, v.zi, multiply);
  v.divisor =
      addEpsilon(b, b.product(v.zd, false, op.getWei(), true), op.getEpsilon());
  return v;
}

/// Whether a layer's inhibition is folded into its weights: where no gradient
/// needs the intermediate values, and the folded weights are those of the whole
/// function, computed from its arguments.
bool isFolded(EiDenseOp op) {
  auto function = op->getParentOfType<func::FuncOp>();
  auto isArgument = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return argument && argument.getOwner()->getParentOp() == function;
  };
  return function && function->hasAttr(DannDialect::kInferenceAttr) &&
         isArgument(op.getWex()) && isArgument(op.getWix()) &&
         isArgument(op.getWei()) &&
         (!op.getAlpha() || isArgument(op.getAlpha()));
}

/// wex - wei . wix, in the place of the product.
Value buildFoldedWeights(LinalgBuilder &b, Value wex, Value wix, Value wei) {
  return b.generic(2, {{wex, kMatrix}},
                   {b.product(wei, false, wix, false), kMatrix},
                   [](ImplicitLocOpBuilder &b, ValueRange args) {
                     return arith::SubFOp::create(b, args[0], args[1]);
                   });
}

/// The numerator and the divisor of a folded layer, [B, ne].
struct Folded {
  Value numerator;
  Value divisor; // null without alpha
};

Folded buildFolded(LinalgBuilder &b, EiDenseOp op) {
  Folded v;
  Value weights = buildFoldedWeights(b, op.getWex(), op.getWix(), op.getWei());
  v.numerator = b.product(op.getX(), false, weights, true);
  if (!op.getAlpha())
    return v;
  Value zi = b.product(op.getX(), false, op.getWix(), true);
  Value weighted = b.elementwise(
      {{op.getWei(), kMatrix}, {getStrength(b, op.getAlpha()), kRow}},
      op.getWei(), multiply);
  v.divisor =
      addEpsilon(b, b.product(zi, false, weighted, true), op.getEpsilon());
  return v;
}

struct LowerEiDense : OpRewritePattern<EiDenseOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EiDenseOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    SmallVector<LinalgBuilder::Indexed> inputs;
    Value inhibition, divisor;
    if (isFolded(op)) {
      Folded v = buildFolded(b, op);
      inputs.push_back({v.numerator, kMatrix});
      divisor = v.divisor;
    } else {
      Intermediates v = buildIntermediates(b, op);
      inhibition = v.inhibition;
      inputs.push_back({v.ze, kMatrix});
      inputs.push_back({inhibition, kMatrix});
      divisor = v.divisor;
    }
    if (divisor)
      inputs.push_back({divisor, kMatrix});
    if (op.getGain())
      inputs.push_back({op.getGain(), kRow});
    if (op.getBias())
      inputs.push_back({op.getBias(), kRow});
    if (inputs.size() == 1) { // a folded subtractive layer and nothing else
      rewriter.replaceOp(op, inputs[0].tensor);
      return success();
    }
    rewriter.replaceOp(
        op, b.elementwise(inputs, inputs[0].tensor,
                          [&](ImplicitLocOpBuilder &b, ValueRange args) {
                            auto arg = args.begin();
                            Value z = *arg++;
                            if (inhibition)
                              z = arith::SubFOp::create(b, z, *arg++);
                            if (divisor)
                              z = arith::DivFOp::create(b, z, *arg++);
                            if (op.getGain())
                              z = arith::MulFOp::create(b, z, *arg++);
                            if (op.getBias())
                              z = arith::AddFOp::create(b, z, *arg++);
                            return z;
                          }));
    return success();
  }
};

struct LowerFoldInhibition : OpRewritePattern<FoldInhibitionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FoldInhibitionOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    rewriter.replaceOp(
        op, buildFoldedWeights(b, op.getWex(), op.getWix(), op.getWei()));
    return success();
  }
};

struct LowerEiDenseFolded : OpRewritePattern<EiDenseFoldedOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EiDenseFoldedOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Value z = b.product(op.getX(), false, op.getFolded(), true);
    if (op.getBias())
      z = b.elementwise({{z, kMatrix}, {op.getBias(), kRow}}, z,
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          return arith::AddFOp::create(b, args[0], args[1]);
                        });
    rewriter.replaceOp(op, z);
    return success();
  }
};

struct LowerEiDenseGrad : OpRewritePattern<EiDenseGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EiDenseGradOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Intermediates v = buildIntermediates(b, op);
    Value dz = op.getDz(), zi = v.zi;

    // The cotangent of u = ze - inhibition, and r = u / divisor.
    Value du = dz, r, dgain;
    if (v.divisor) {
      SmallVector<LinalgBuilder::Indexed> inputs = {{dz, kMatrix},
                                                    {v.divisor, kMatrix}};
      if (op.getGain())
        inputs.push_back({op.getGain(), kRow});
      du = b.elementwise(inputs, dz,
                         [&](ImplicitLocOpBuilder &b, ValueRange args) {
                           Value scaled = args[0];
                           if (op.getGain())
                             scaled = arith::MulFOp::create(b, scaled, args[2]);
                           return arith::DivFOp::create(b, scaled, args[1]);
                         });
      r = b.elementwise(
          {{v.ze, kMatrix}, {v.inhibition, kMatrix}, {v.divisor, kMatrix}}, dz,
          [](ImplicitLocOpBuilder &b, ValueRange args) {
            Value u = arith::SubFOp::create(b, args[0], args[1]);
            return arith::DivFOp::create(b, u, args[2]);
          });
    }
    if (op.getGain())
      dgain = b.generic(
          2, {{dz, kMatrix}, {r, kMatrix}}, {b.zerosLike(op.getGain()), kRow},
          [](ImplicitLocOpBuilder &b, ValueRange args) {
            Value term = arith::MulFOp::create(b, args[0], args[1]);
            return arith::AddFOp::create(b, args[2], term);
          });

    // Inhibition acts with a minus in both its parts: dwei is the negative of
    // du^T . zi + s^T . zd, where s = du * r is the negated cotangent of the
    // divisor. The sign goes to the smallest operands. What is left is a sum of
    // products, which an SGD step can add to the weights as it is.
    Value dwei =
        b.product(du, true, b.elementwise({{zi, kMatrix}}, zi, negate), false);
    Value negatedDzi = b.product(du, false, op.getWei(), false);
    Value dzi, dalpha;
    if (v.divisor) {
      Value s = b.elementwise({{du, kMatrix}, {r, kMatrix}}, dz, multiply);
      dwei = b.product(s, true, b.elementwise({{v.zd, kMatrix}}, v.zd, negate),
                       false, dwei);
      Value divisive = b.product(s, false, op.getWei(), false);
      dalpha = b.generic(2, {{divisive, kMatrix}, {v.zd, kMatrix}},
                         {b.zerosLike(op.getAlpha()), kRow},
                         [](ImplicitLocOpBuilder &b, ValueRange args) {
                           Value term = arith::MulFOp::create(
                               b, negate(b, args[0]), args[1]);
                           return arith::AddFOp::create(b, args[2], term);
                         });
      dzi = b.elementwise(
          {{negatedDzi, kMatrix}, {divisive, kMatrix}, {v.strength, kRow}}, zi,
          [](ImplicitLocOpBuilder &b, ValueRange args) {
            Value scaled = arith::MulFOp::create(b, args[1], args[2]);
            Value sum = arith::AddFOp::create(b, args[0], scaled);
            return arith::NegFOp::create(b, sum);
          });
    } else {
      dzi = b.elementwise({{negatedDzi, kMatrix}}, zi, negate);
    }

    SmallVector<Value> gradients;
    if (!op.getParametersOnly()) {
      Value dx = b.product(du, false, op.getWex(), false);
      gradients.push_back(b.product(dzi, false, op.getWix(), false, dx));
    }
    gradients.push_back(b.product(du, true, op.getX(), false));
    gradients.push_back(b.product(dzi, true, op.getX(), false));
    gradients.push_back(dwei);
    if (dalpha)
      gradients.push_back(dalpha);
    if (dgain)
      gradients.push_back(dgain);
    if (op.getBias())
      gradients.push_back(
          b.generic(2, {{dz, kMatrix}}, {b.zerosLike(op.getBias()), kRow},
                    [](ImplicitLocOpBuilder &b, ValueRange args) {
                      return arith::AddFOp::create(b, args[1], args[0]);
                    }));
    rewriter.replaceOp(op, gradients);
    return success();
  }
};

//===----------------------------------------------------------------------===//
// Polarities
//===----------------------------------------------------------------------===//

bool isInInference(Operation *op) {
  auto function = op->getParentOfType<func::FuncOp>();
  return function && function->hasAttr(DannDialect::kInferenceAttr);
}

/// The polarity of each column, [d].
Value getColumnPolarity(OpBuilder &builder, ApplyPolarityOp op) {
  if (op.getPolarity())
    return op.getPolarity();
  RankedTensorType weights = op.getMagnitude().getType();
  Type element = weights.getElementType();
  auto type = RankedTensorType::get(weights.getShape().slice(1, 1), element);
  SmallVector<Attribute> signs(type.getDimSize(0),
                               builder.getFloatAttr(element, 1));
  std::fill(signs.begin() + static_cast<int64_t>(*op.getExcitatory()),
            signs.end(), builder.getFloatAttr(element, -1));
  return arith::ConstantOp::create(builder, op.getLoc(),
                                   DenseElementsAttr::get(type, signs));
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
    Value weights =
        op.isByColumn()
            ? scaleAlong(b, magnitude, 1, getColumnPolarity(rewriter, op))
            : b.elementwise({{magnitude, loops}, {op.getPolarity(), loops}},
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
    Value polarity = getColumnPolarity(rewriter, op);
    for (Operation *user : users)
      moveIntoUser(op, polarity, cast<linalg::ContractOp>(user), rewriter);
    rewriter.eraseOp(op);
    return success();
  }

private:
  static bool isProduct(linalg::ContractOp product) {
    auto fill = product.getOutputs()[0].getDefiningOp<linalg::FillOp>();
    return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
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
      operands[i] = scaleAlong(b, operands[i], *position,
                               getColumnPolarity(rewriter, op));
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

//===----------------------------------------------------------------------===//
// Layers that differ in training
//===----------------------------------------------------------------------===//

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
    patterns.add<LowerEiDense, LowerEiDenseGrad, LowerFoldInhibition,
                 LowerEiDenseFolded, LowerApplyPolarity, MovePolarity,
                 LowerDropout, LowerBatchNorm>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
