//===- LowerLayers.cpp - E/I layers as products and elementwise maths -----===//

#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
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
  return function && function->hasAttr(DannDialect::kInferenceAttr) &&
         llvm::all_of(ValueRange{op.getWex(), op.getWix(), op.getWei()},
                      llvm::IsaPred<BlockArgument>) &&
         (!op.getAlpha() || isa<BlockArgument>(op.getAlpha()));
}

/// The numerator and the divisor of a folded layer, [B, ne].
struct Folded {
  Value numerator;
  Value divisor; // null without alpha
};

Folded buildFolded(LinalgBuilder &b, EiDenseOp op) {
  Folded v;
  // wex - wei . wix, in the place of the product.
  Value weights =
      b.generic(2, {{op.getWex(), kMatrix}},
                {b.product(op.getWei(), false, op.getWix(), false), kMatrix},
                [](ImplicitLocOpBuilder &b, ValueRange args) {
                  return arith::SubFOp::create(b, args[0], args[1]);
                });
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
                           Value term =
                               arith::MulFOp::create(b, args[0], args[1]);
                           return arith::SubFOp::create(b, args[2], term);
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

struct LowerLayersPass : dann::impl::LowerLayersBase<LowerLayersPass> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerEiDense, LowerEiDenseGrad>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
