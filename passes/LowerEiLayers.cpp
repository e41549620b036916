//===- LowerEiLayers.cpp - E/I layers as products and elementwise maths ---===//

#include "passes/LowerLayers.h"

#include "Dann/Dann.h"
#include "Utils/ConvolutionBuilder.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

// The loops of elementwise maths are B x units, or B x units x rows x columns.
using Loops = SmallVector<unsigned, 2>;
const Loops kUnits = {1}; // one value per unit

Loops allLoops(Value value) { return LinalgBuilder::allLoops(value); }

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
  return b.elementwise({{sum, allLoops(sum)}}, sum,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::AddFOp::create(b, args[0], constant);
                       });
}

//===----------------------------------------------------------------------===//
// Sums over the inputs of units: products, or convolutions
//===----------------------------------------------------------------------===//

/// How the units of a fully connected layer are reached from x.
class DenseInputs {
public:
  template <typename OpTy>
  DenseInputs(OpBuilder &builder, OpTy op)
      : b(builder, op.getLoc()), x(op.getX()) {}

  Value sum(Value weights) { return b.product(x, false, weights, true); }
  Value differentiateByWeights(Value dz, Value) {
    return b.product(dz, true, x, false);
  }
  /// Of two sums at once.
  Value differentiateByInput(Value dz0, Value weights0, Value dz1,
                             Value weights1) {
    return b.product(dz1, false, weights1, false,
                     b.product(dz0, false, weights0, false));
  }

private:
  LinalgBuilder b;
  Value x;
};

/// How the units of a convolution are.
class ConvolutionInputs {
public:
  template <typename OpTy>
  ConvolutionInputs(OpBuilder &builder, OpTy op)
      : b(builder, op.getLoc(), op.getStrides(), op.getDilations()),
        padding(op.getPadding()), x(op.getX()), padded(b.pad(x, padding, 0)),
        builder(builder) {}

  Value sum(Value filters) { return b.convolve(padded, filters); }
  Value differentiateByWeights(Value dz, Value filters) {
    return b.differentiateByFilters(dz, padded, filters);
  }
  Value differentiateByInput(Value dz0, Value filters0, Value dz1,
                             Value filters1) {
    Value dx = b.differentiateByInput(
        dz1, filters1, padded, b.differentiateByInput(dz0, filters0, padded));
    if (padded == x)
      return dx;
    LinalgBuilder linalg(builder, x.getLoc());
    SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(4, builder.getIndexAttr(1));
    offsets[2] = builder.getIndexAttr(padding[0]);
    offsets[3] = builder.getIndexAttr(padding[1]);
    return tensor::ExtractSliceOp::create(builder, dx.getLoc(),
                                          cast<RankedTensorType>(x.getType()),
                                          dx, offsets, linalg.sizes(x), ones);
  }

private:
  ConvolutionBuilder b;
  ArrayRef<int64_t> padding;
  Value x, padded;
  OpBuilder &builder;
};

DenseInputs getInputs(OpBuilder &b, EiDenseOp op) { return {b, op}; }
DenseInputs getInputs(OpBuilder &b, EiDenseGradOp op) { return {b, op}; }
ConvolutionInputs getInputs(OpBuilder &b, EiConv2dOp op) { return {b, op}; }
ConvolutionInputs getInputs(OpBuilder &b, EiConv2dGradOp op) { return {b, op}; }

//===----------------------------------------------------------------------===//
// Products over the units of a layer
//===----------------------------------------------------------------------===//

/// A contraction whose operands are indexed by loops, of which those that do
/// not index `init` are sums.
Value contract(OpBuilder &builder, Location loc, unsigned numLoops,
               LinalgBuilder::Indexed a, LinalgBuilder::Indexed b,
               LinalgBuilder::Indexed init) {
  auto map = [&](const LinalgBuilder::Indexed &indexed) {
    SmallVector<AffineExpr> expressions;
    for (unsigned loop : indexed.loops)
      expressions.push_back(builder.getAffineDimExpr(loop));
    return AffineMapAttr::get(
        AffineMap::get(numLoops, 0, expressions, builder.getContext()));
  };
  return linalg::ContractOp::create(
             builder, loc, init.tensor.getType(),
             ValueRange{a.tensor, b.tensor}, init.tensor,
             builder.getArrayAttr({map(a), map(b), map(init)}))
      .getResult(0);
}

/// values[B, k, ...] to [B, m, ...], with `weights` [m, k], or [k, m] if
/// transposed.
Value mix(OpBuilder &builder, Location loc, Value values, Value weights,
          bool transposed) {
  LinalgBuilder b(builder, loc);
  SmallVector<OpFoldResult> sizes = b.sizes(values);
  sizes[1] = b.size(weights, transposed ? 1 : 0);
  Loops result = allLoops(values), from = result;
  unsigned k = result.size(), m = 1;
  from[1] = k;
  Value init = b.fill(sizes, getElementTypeOrSelf(values.getType()), 0);
  return contract(builder, loc, k + 1, {values, from},
                  {weights, transposed ? Loops{k, m} : Loops{m, k}},
                  {init, result});
}

/// a[B, m, ...] and b[B, n, ...] to their products [m, n], summed over the
/// rest and added to `init` if there is one.
Value correlate(OpBuilder &builder, Location loc, Value a, Value b,
                Value init = {}) {
  LinalgBuilder linalg(builder, loc);
  if (!init)
    init = linalg.fill({linalg.size(a, 1), linalg.size(b, 1)},
                       getElementTypeOrSelf(a.getType()), 0);
  Loops aLoops = {2, 0}, bLoops = {2, 1};
  unsigned numLoops = 3;
  for (unsigned i = 2, e = allLoops(a).size(); i < e; ++i, ++numLoops) {
    aLoops.push_back(numLoops);
    bLoops.push_back(numLoops);
  }
  return contract(builder, loc, numLoops, {a, aLoops}, {b, bLoops},
                  {init, {0, 1}});
}

/// wei . wix, in the shape of wex: [ne, ...].
Value buildIndirectWeights(OpBuilder &builder, Location loc, Value wei,
                           Value wix) {
  LinalgBuilder b(builder, loc);
  SmallVector<OpFoldResult> sizes = b.sizes(wix);
  sizes[0] = b.size(wei, 0);
  Loops result = allLoops(wix), from = result;
  unsigned k = result.size();
  from[0] = k;
  Value init = b.fill(sizes, getElementTypeOrSelf(wix.getType()), 0);
  return contract(builder, loc, k + 1, {wei, {0, k}}, {wix, from},
                  {init, result});
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

/// What the layer and its gradient both need. Built by the same code in the
/// same order for both, so that CSE makes it one. Shapes: ze, inhibition,
/// divisor [B, ne, ...]; zi, zd [B, ni, ...]; strength [ni].
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
Intermediates buildIntermediates(OpBuilder &builder, OpTy op) {
  LinalgBuilder b(builder, op.getLoc());
  auto inputs = getInputs(builder, op);
  Intermediates v;
  v.ze = inputs.sum(op.getWex());
  v.zi = inputs.sum(op.getWix());
  v.inhibition = mix(builder, op.getLoc(), v.zi, op.getWei(), false);
  if (!op.getAlpha())
    return v;
  v.strength = getStrength(b, op.getAlpha());
  v.zd = b.elementwise({{v.zi, allLoops(v.zi)}, {v.strength, kUnits}}, v.zi,
                       multiply);
  v.divisor = addEpsilon(b, mix(builder, op.getLoc(), v.zd, op.getWei(), false),
                         op.getEpsilon());
  return v;
}

/// Whether a layer's inhibition is folded into its weights: where no gradient
/// needs the intermediate values, and the folded weights are those of the whole
/// function, computed from its arguments.
template <typename OpTy> bool isFolded(OpTy op) {
  auto function = op->template getParentOfType<func::FuncOp>();
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
Value buildFoldedWeights(OpBuilder &builder, Location loc, Value wex, Value wix,
                         Value wei) {
  Loops all = allLoops(wex);
  return LinalgBuilder(builder, loc)
      .generic(all.size(), {{wex, all}},
               {buildIndirectWeights(builder, loc, wei, wix), all},
               [](ImplicitLocOpBuilder &b, ValueRange args) {
                 return arith::SubFOp::create(b, args[0], args[1]);
               });
}

/// The numerator and the divisor of a folded layer, [B, ne, ...].
struct Folded {
  Value numerator;
  Value divisor; // null without alpha
};

template <typename OpTy> Folded buildFolded(OpBuilder &builder, OpTy op) {
  LinalgBuilder b(builder, op.getLoc());
  auto inputs = getInputs(builder, op);
  Folded v;
  v.numerator = inputs.sum(buildFoldedWeights(builder, op.getLoc(), op.getWex(),
                                              op.getWix(), op.getWei()));
  if (!op.getAlpha())
    return v;
  Value zi = inputs.sum(op.getWix());
  Value weighted = b.elementwise({{op.getWei(), allLoops(op.getWei())},
                                  {getStrength(b, op.getAlpha()), kUnits}},
                                 op.getWei(), multiply);
  v.divisor = addEpsilon(b, mix(builder, op.getLoc(), zi, weighted, false),
                         op.getEpsilon());
  return v;
}

template <typename OpTy> struct LowerLayer : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Loops all = allLoops(op.getZ());
    SmallVector<LinalgBuilder::Indexed> inputs;
    Value inhibition, divisor;
    if (isFolded(op)) {
      Folded v = buildFolded(rewriter, op);
      inputs.push_back({v.numerator, all});
      divisor = v.divisor;
    } else {
      Intermediates v = buildIntermediates(rewriter, op);
      inhibition = v.inhibition;
      inputs.push_back({v.ze, all});
      inputs.push_back({inhibition, all});
      divisor = v.divisor;
    }
    if (divisor)
      inputs.push_back({divisor, all});
    if (op.getGain())
      inputs.push_back({op.getGain(), kUnits});
    if (op.getBias())
      inputs.push_back({op.getBias(), kUnits});
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
    rewriter.replaceOp(op,
                       buildFoldedWeights(rewriter, op.getLoc(), op.getWex(),
                                          op.getWix(), op.getWei()));
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
      z = b.elementwise({{z, allLoops(z)}, {op.getBias(), kUnits}}, z,
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          return arith::AddFOp::create(b, args[0], args[1]);
                        });
    rewriter.replaceOp(op, z);
    return success();
  }
};

/// Appends the sums over the batch of the squared gradients that single
/// samples have of the parameters. For all weights but alpha such a gradient
/// is a product of a factor per post- and one per presynaptic unit.
void appendSquares(LinalgBuilder &b, EiDenseGradOp op, const Intermediates &v,
                   Value du, Value r, Value dzi,
                   SmallVectorImpl<Value> &squares) {
  const Loops kEntries = {0, 1};
  auto square = [&](Value matrix) {
    return b.elementwise({{matrix, kEntries}}, matrix,
                         [](ImplicitLocOpBuilder &b, ValueRange args) {
                           return arith::MulFOp::create(b, args[0], args[0]);
                         });
  };
  /// Sums over the batch of squared products of two matrices' entries.
  auto sumSquares = [&](Value dz, Value other, Value parameter) {
    SmallVector<LinalgBuilder::Indexed> inputs = {{dz, kEntries}};
    if (other)
      inputs.push_back({other, kEntries});
    return b.generic(2, inputs, {b.zerosLike(parameter), kUnits},
                     [&](ImplicitLocOpBuilder &b, ValueRange args) {
                       Value term = args[0];
                       if (other)
                         term = arith::MulFOp::create(b, term, args[1]);
                       term = arith::MulFOp::create(b, term, term);
                       return arith::AddFOp::create(b, args.back(), term);
                     });
  };
  Value xx = square(op.getX());
  squares.push_back(b.product(square(du), true, xx, false));
  squares.push_back(b.product(square(dzi), true, xx, false));

  // wei_ij: -du_i (zi_j + r_i zd_j), summed over the loop 2.
  SmallVector<LinalgBuilder::Indexed> inputs = {{du, {2, 0}}, {v.zi, {2, 1}}};
  if (r) {
    inputs.push_back({r, {2, 0}});
    inputs.push_back({v.zd, {2, 1}});
  }
  squares.push_back(b.generic(
      3, inputs, {b.zerosLike(op.getWei()), kEntries},
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value activity = args[1];
        if (r)
          activity = arith::AddFOp::create(
              b, activity, arith::MulFOp::create(b, args[2], args[3]));
        Value term = arith::MulFOp::create(b, args[0], activity);
        term = arith::MulFOp::create(b, term, term);
        return arith::AddFOp::create(b, args.back(), term);
      }));
  if (op.getAlpha()) {
    Value s = b.elementwise({{du, kEntries}, {r, kEntries}}, du, multiply);
    Value divisive = b.product(s, false, op.getWei(), false);
    squares.push_back(sumSquares(divisive, v.zd, op.getAlpha()));
  }
  if (op.getGain())
    squares.push_back(sumSquares(op.getDz(), r, op.getGain()));
  if (op.getBias())
    squares.push_back(sumSquares(op.getDz(), Value(), op.getBias()));
}

template <typename OpTy> struct LowerGradient : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Intermediates v = buildIntermediates(rewriter, op);
    Value dz = op.getDz(), zi = v.zi;
    Loops all = allLoops(dz);

    // The cotangent of u = ze - inhibition, and r = u / divisor.
    Value du = dz, r, dgain;
    if (v.divisor) {
      SmallVector<LinalgBuilder::Indexed> inputs = {{dz, all},
                                                    {v.divisor, all}};
      if (op.getGain())
        inputs.push_back({op.getGain(), kUnits});
      du = b.elementwise(inputs, dz,
                         [&](ImplicitLocOpBuilder &b, ValueRange args) {
                           Value scaled = args[0];
                           if (op.getGain())
                             scaled = arith::MulFOp::create(b, scaled, args[2]);
                           return arith::DivFOp::create(b, scaled, args[1]);
                         });
      r = b.elementwise({{v.ze, all}, {v.inhibition, all}, {v.divisor, all}},
                        dz, [](ImplicitLocOpBuilder &b, ValueRange args) {
                          Value u = arith::SubFOp::create(b, args[0], args[1]);
                          return arith::DivFOp::create(b, u, args[2]);
                        });
    }
    if (op.getGain())
      dgain = b.generic(all.size(), {{dz, all}, {r, all}},
                        {b.zerosLike(op.getGain()), kUnits},
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          Value term =
                              arith::MulFOp::create(b, args[0], args[1]);
                          return arith::AddFOp::create(b, args[2], term);
                        });

    // Inhibition acts with a minus in both its parts: dwei is the negative of
    // du^T . zi + s^T . zd, where s = du * r is the negated cotangent of the
    // divisor. The sign goes to the smallest operands. What is left is a sum of
    // products, which an SGD step can add to the weights as it is.
    Value dwei = correlate(rewriter, op.getLoc(), du,
                           b.elementwise({{zi, all}}, zi, negate));
    Value negatedDzi = mix(rewriter, op.getLoc(), du, op.getWei(), true);
    Value dzi, dalpha;
    if (v.divisor) {
      Value s = b.elementwise({{du, all}, {r, all}}, dz, multiply);
      dwei = correlate(rewriter, op.getLoc(), s,
                       b.elementwise({{v.zd, all}}, v.zd, negate), dwei);
      Value divisive = mix(rewriter, op.getLoc(), s, op.getWei(), true);
      dalpha = b.generic(all.size(), {{divisive, all}, {v.zd, all}},
                         {b.zerosLike(op.getAlpha()), kUnits},
                         [](ImplicitLocOpBuilder &b, ValueRange args) {
                           Value term = arith::MulFOp::create(
                               b, negate(b, args[0]), args[1]);
                           return arith::AddFOp::create(b, args[2], term);
                         });
      dzi = b.elementwise(
          {{negatedDzi, all}, {divisive, all}, {v.strength, kUnits}}, zi,
          [](ImplicitLocOpBuilder &b, ValueRange args) {
            Value scaled = arith::MulFOp::create(b, args[1], args[2]);
            Value sum = arith::AddFOp::create(b, args[0], scaled);
            return arith::NegFOp::create(b, sum);
          });
    } else {
      dzi = b.elementwise({{negatedDzi, all}}, zi, negate);
    }

    SmallVector<Value> gradients;
    auto inputs = getInputs(rewriter, op);
    if (!op.getParametersOnly())
      gradients.push_back(
          inputs.differentiateByInput(du, op.getWex(), dzi, op.getWix()));
    if constexpr (std::is_same_v<OpTy, EiDenseGradOp>) {
      if (op.getSquared()) {
        appendSquares(b, op, v, du, r, dzi, gradients);
        rewriter.replaceOp(op, gradients);
        return success();
      }
    }
    gradients.push_back(inputs.differentiateByWeights(du, op.getWex()));
    gradients.push_back(inputs.differentiateByWeights(dzi, op.getWix()));
    gradients.push_back(dwei);
    if (dalpha)
      gradients.push_back(dalpha);
    if (dgain)
      gradients.push_back(dgain);
    if (op.getBias())
      gradients.push_back(b.generic(
          all.size(), {{dz, all}}, {b.zerosLike(op.getBias()), kUnits},
          [](ImplicitLocOpBuilder &b, ValueRange args) {
            return arith::AddFOp::create(b, args[1], args[0]);
          }));
    rewriter.replaceOp(op, gradients);
    return success();
  }
};

} // namespace

void mlir::dann::populateLowerEiLayerPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerLayer<EiDenseOp>, LowerGradient<EiDenseGradOp>,
               LowerLayer<EiConv2dOp>, LowerGradient<EiConv2dGradOp>,
               LowerFoldInhibition, LowerEiDenseFolded>(patterns.getContext());
}
