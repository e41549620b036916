//===- LowerNorms.cpp - Norms of gradients, and what they decide ----------===//

#include "passes/LowerUpdates.h"
#include "passes/UpdateMaths.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The sum over all entries of `tensors`, which have one shape, of
/// term(entries): [n] for `n` terms, or a 0-d tensor. Rows are summed first, so
/// that threads share them. `term` gets the entries, then the index of the
/// term.
Value sumEntries(LinalgBuilder &b, ArrayRef<Value> tensors, Value rates,
                 LinalgBuilder::Body term) {
  auto type = cast<RankedTensorType>(tensors.front().getType());
  Type elementType = type.getElementType();
  unsigned rank = type.getRank(), first = rates ? 1 : 0;
  SmallVector<LinalgBuilder::Indexed> inputs;
  SmallVector<unsigned, 2> loops, terms;
  if (rates)
    terms = {0};
  for (unsigned i = 0; i < rank; ++i)
    loops.push_back(first + i);
  for (Value tensor : tensors)
    inputs.push_back({tensor, loops});
  if (rates)
    inputs.push_back({rates, {0}});
  SmallVector<OpFoldResult> sizes;
  if (rates)
    sizes.push_back(b.size(rates, 0));
  auto accumulate = [&](ImplicitLocOpBuilder &b, ValueRange args) {
    return add(b, args.back(), term(b, args.drop_back()));
  };
  if (rank < 2)
    return b.generic(first + rank, inputs,
                     {b.fill(sizes, elementType, 0), terms}, accumulate);
  // [rows], or [rows, n].
  SmallVector<OpFoldResult> partialSizes = {b.size(tensors.front(), 0)};
  llvm::append_range(partialSizes, sizes);
  SmallVector<unsigned, 2> partialLoops = {first};
  llvm::append_range(partialLoops, terms);
  Value partial = b.generic(
      first + rank, inputs,
      {b.fill(partialSizes, elementType, 0), partialLoops}, accumulate);
  return b.generic(first + 1, {{partial, partialLoops}},
                   {b.fill(sizes, elementType, 0), terms},
                   [](ImplicitLocOpBuilder &b, ValueRange args) {
                     return add(b, args[1], args[0]);
                   });
}

struct LowerNaturalRate : OpRewritePattern<NaturalRateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NaturalRateOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = getElementTypeOrSelf(op.getFisher().getType());
    Value epsilon = b.constant(type, op.getEpsilon().convertToDouble());
    Value one = b.constant(type, 1);
    Value sum = sumEntries(b, {op.getFisher()}, Value(),
                           [&](ImplicitLocOpBuilder &b, ValueRange args) {
                             Value inverse =
                                 divide(b, one, add(b, args[0], epsilon));
                             return multiply(b, inverse, inverse);
                           });
    rewriter.replaceOp(
        op, b.elementwise({{op.getLearningRate(), {}}, {sum, {}}},
                          op.getLearningRate(),
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            Value norm = math::SqrtOp::create(b, args[1]);
                            return divide(b, args[0], norm);
                          }));
    return success();
  }
};

struct LowerClipGradNorm : OpRewritePattern<ClipGradNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ClipGradNormOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = getElementTypeOrSelf(op.getGradients().front().getType());
    SmallVector<LinalgBuilder::Indexed> sums;
    for (Value gradient : op.getGradients())
      sums.push_back({sumEntries(b, {gradient}, Value(),
                                 [](ImplicitLocOpBuilder &b, ValueRange args) {
                                   return multiply(b, args[0], args[0]);
                                 }),
                      {}});
    Value maxNorm = b.constant(type, op.getMaxNorm().convertToDouble());
    Value one = b.constant(type, 1), epsilon = b.constant(type, 1e-6);
    Value factor =
        b.elementwise(sums, b.empty({}, type),
                      [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                        Value sum = args[0];
                        for (Value other : args.drop_front().drop_back())
                          sum = add(b, sum, other);
                        Value norm = math::SqrtOp::create(b, sum);
                        Value share = divide(b, maxNorm, add(b, norm, epsilon));
                        return arith::MinimumFOp::create(b, share, one);
                      });
    SmallVector<Value> clipped;
    for (Value gradient : op.getGradients()) {
      Entries entries(rewriter, op.getLoc(), gradient);
      clipped.push_back(
          entries.map({gradient, factor}, [](auto &b, ValueRange args) {
            return multiply(b, args[0], args[1]);
          }));
    }
    rewriter.replaceOp(op, clipped);
    return success();
  }
};

struct LowerAngleLearningRate : OpRewritePattern<AngleLearningRateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AngleLearningRateOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = getElementTypeOrSelf(op.getLearningRate().getType());
    Type i64 = rewriter.getI64Type();
    int64_t count = op.getCount();
    OpFoldResult size = rewriter.getIndexAttr(count);
    Value rates = b.elementwise(
        {{op.getLearningRate(), {}}}, b.empty({size}, type),
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          return gridRate(b, op, type, linalg::IndexOp::create(b, 0), args[0]);
        });

    // Squared norms with and without the projection: [count].
    SmallVector<LinalgBuilder::Indexed> projected, free;
    for (auto [weights, gradients, sign] :
         llvm::zip(op.getWeights(), op.getGradients(), op.getSigns())) {
      auto step = [](ImplicitLocOpBuilder &b, ValueRange args) {
        return subtract(b, args[0], multiply(b, args[2], args[1]));
      };
      auto square = [&](bool project) {
        return sumEntries(
            b, {weights, gradients}, rates,
            [&](ImplicitLocOpBuilder &b, ValueRange args) {
              Value zero =
                  arith::ConstantOp::create(b, b.getFloatAttr(type, 0));
              Value next = step(b, args);
              if (project && sign == static_cast<int64_t>(Sign::Nonneg))
                next = arith::MaximumFOp::create(b, next, zero);
              if (project && sign == static_cast<int64_t>(Sign::Nonpos))
                next = arith::MinimumFOp::create(b, next, zero);
              return multiply(b, next, next);
            });
      };
      projected.push_back({square(true), {0}});
      free.push_back({square(false), {0}});
    }
    SmallVector<LinalgBuilder::Indexed> sums(projected);
    llvm::append_range(sums, free);
    size_t numWeights = projected.size();
    double least = 1 - op.getEpsilon().convertToDouble();
    Value leastSquare = b.constant(type, least * least);
    // cos^2 >= (1 - epsilon)^2, without the division.
    Value holds = b.elementwise(
        sums, b.empty({size}, rewriter.getI1Type()),
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          auto sum = [&](ValueRange parts) {
            Value total = parts.front();
            for (Value part : parts.drop_front())
              total = add(b, total, part);
            return total;
          };
          Value inner = sum(args.take_front(numWeights));
          Value outer = sum(args.slice(numWeights, numWeights));
          return arith::CmpFOp::create(b, arith::CmpFPredicate::OGE, inner,
                                       multiply(b, leastSquare, outer));
        },
        rewriter.getI1Type());

    // With index k: the first rate from k on that holds, or the last one; if k
    // itself holds, the one behind the last before k that does not.
    Value last = b.constant(i64, static_cast<double>(count - 1));
    Value none = b.constant(i64, static_cast<double>(count));
    Value one = b.constant(i64, 1);
    auto position = [&](ImplicitLocOpBuilder &b) -> Value {
      return arith::IndexCastOp::create(b, i64, linalg::IndexOp::create(b, 0));
    };
    Value smaller = b.generic(
        1, {{holds, {0}}, {op.getIndex(), {}}},
        {b.fill({}, i64, static_cast<double>(count)), {}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value here = position(b);
          Value reached = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                                here, args[1]);
          Value found = arith::AndIOp::create(b, reached, args[0]);
          Value candidate = arith::SelectOp::create(b, found, here, none);
          return arith::MinSIOp::create(b, args[2], candidate);
        });
    Value larger = b.generic(
        1, {{holds, {0}}, {op.getIndex(), {}}}, {b.fill({}, i64, 0), {}},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value here = position(b);
          Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                               here, args[1]);
          Value behind = arith::AddIOp::create(b, here, one);
          Value broken = arith::SelectOp::create(b, args[0], args[2], behind);
          Value candidate = arith::SelectOp::create(b, before, broken, args[2]);
          return arith::MaxSIOp::create(b, args[2], candidate);
        });
    Value index = b.elementwise(
        {{op.getIndex(), {}}, {smaller, {}}, {larger, {}}}, op.getIndex(),
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          auto equal = [&](Value x, Value y) -> Value {
            return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, x, y);
          };
          Value next =
              arith::SelectOp::create(b, equal(args[1], none), last, args[1]);
          return arith::SelectOp::create(b, equal(args[0], args[1]), args[2],
                                         next);
        });
    Value rate = b.elementwise({{index, {}}, {op.getLearningRate(), {}}},
                               op.getLearningRate(),
                               [&](ImplicitLocOpBuilder &b, ValueRange args) {
                                 return gridRate(b, op, type, args[0], args[1]);
                               });
    rewriter.replaceOp(op, {rate, index});
    return success();
  }

private:
  /// learning rate * (1 - (1 - minimum) * index / (count - 1)).
  static Value gridRate(ImplicitLocOpBuilder &b, AngleLearningRateOp op,
                        Type type, Value index, Value learningRate) {
    double slope = (1 - op.getMinimum().convertToDouble()) /
                   static_cast<double>(op.getCount() - 1);
    if (index.getType().isIndex())
      index = arith::IndexCastOp::create(b, b.getI64Type(), index);
    auto number = [&](double value) -> Value {
      return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
    };
    Value position = arith::SIToFPOp::create(b, type, index);
    Value factor = subtract(b, number(1), multiply(b, number(slope), position));
    return multiply(b, learningRate, factor);
  }
};

} // namespace

void mlir::dann::populateLowerNormPatterns(RewritePatternSet &patterns) {
  patterns.add<LowerNaturalRate, LowerClipGradNorm, LowerAngleLearningRate>(
      patterns.getContext());
}
