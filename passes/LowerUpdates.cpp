//===- LowerUpdates.cpp - Optimizers' operations to linalg ----------------===//

#include "passes/LowerUpdates.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;

namespace {

/// Short forms for scalar maths in the body of one operation, and for the
/// operations over all entries of a tensor or over one scalar.
class Entries {
public:
  /// For tensors of the shape of `shape`.
  Entries(PatternRewriter &rewriter, Location loc, Value shape)
      : b(rewriter, loc), shape(shape),
        type(getElementTypeOrSelf(shape.getType())) {}

  Value number(double value) { return b.constant(type, value); }

  /// body(entries) for tensors of the shape and scalars, 0-d tensors.
  Value map(ValueRange tensors, LinalgBuilder::Body body) {
    return mapTo(shape, tensors, body);
  }
  /// body(scalars): another 0-d tensor of the element type.
  Value mapScalars(ValueRange scalars, LinalgBuilder::Body body) {
    return mapTo(b.empty({}, type), scalars, body);
  }

private:
  Value mapTo(Value result, ValueRange tensors, LinalgBuilder::Body body) {
    SmallVector<LinalgBuilder::Indexed> inputs;
    for (Value tensor : tensors)
      inputs.push_back({tensor, LinalgBuilder::allLoops(tensor)});
    return b.elementwise(inputs, result, body);
  }

  LinalgBuilder b;
  Value shape;
  Type type;
};

Value add(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::AddFOp::create(b, x, y);
}
Value subtract(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::SubFOp::create(b, x, y);
}
Value multiply(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::MulFOp::create(b, x, y);
}
Value divide(ImplicitLocOpBuilder &b, Value x, Value y) {
  return arith::DivFOp::create(b, x, y);
}

/// 1 for positive x, -1 for negative, and 0 for 0 and NaN.
Value signOf(ImplicitLocOpBuilder &b, Value x) {
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(b, b.getFloatAttr(x.getType(), value));
  };
  auto select = [&](arith::CmpFPredicate predicate, double value,
                    Value otherwise) -> Value {
    Value holds = arith::CmpFOp::create(b, predicate, x, number(0));
    return arith::SelectOp::create(b, holds, number(value), otherwise);
  };
  return select(arith::CmpFPredicate::OGT, 1,
                select(arith::CmpFPredicate::OLT, -1, number(0)));
}

/// x exp(-rate sign(x) direction), the exponent limited to what
/// dann.eg_update documents.
Value exponentiatedStep(ImplicitLocOpBuilder &b, Value x, Value direction,
                        Value rate) {
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(b, b.getFloatAttr(x.getType(), value));
  };
  Value limit = number(x.getType().isF64() ? 700 : 80);
  Value exponent = multiply(
      b, arith::NegFOp::create(b, multiply(b, rate, signOf(b, x))), direction);
  exponent = arith::MinimumFOp::create(b, exponent, limit);
  exponent =
      arith::MaximumFOp::create(b, exponent, arith::NegFOp::create(b, limit));
  return multiply(b, x, math::ExpOp::create(b, exponent));
}

/// 1 - beta^step of a 0-d count, without the cancellation of that form.
Value biasCorrection(Entries &entries, Value step, const APFloat &beta,
                     Type type) {
  double base = beta.convertToDouble();
  if (base == 0)
    return entries.mapScalars({step}, [&](ImplicitLocOpBuilder &b, ValueRange) {
      return Value(arith::ConstantOp::create(b, b.getFloatAttr(type, 1)));
    });
  return entries.mapScalars(
      {step}, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
        Value log =
            arith::ConstantOp::create(b, b.getF64FloatAttr(std::log(base)));
        Value count = arith::SIToFPOp::create(b, b.getF64Type(), args[0]);
        Value power = math::ExpM1Op::create(b, multiply(b, count, log));
        Value correction = arith::NegFOp::create(b, power);
        if (type.isF64())
          return correction;
        return arith::TruncFOp::create(b, type, correction);
      });
}

struct LowerCorrectInhibition : OpRewritePattern<CorrectInhibitionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CorrectInhibitionOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getGradient());
    Value factor = entries.number(op.getFactor());
    rewriter.replaceOp(
        op, entries.map({op.getGradient()}, [&](auto &b, ValueRange args) {
          return multiply(b, args[0], factor);
        }));
    return success();
  }
};

struct LowerDecayGradient : OpRewritePattern<DecayGradientOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DecayGradientOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getGradient());
    Value rate = entries.number(op.getRate().convertToDouble());
    rewriter.replaceOp(
        op, entries.map({op.getGradient(), op.getParameter()},
                        [&](ImplicitLocOpBuilder &b, ValueRange args) {
                          Value base =
                              op.getIsSigned() ? signOf(b, args[1]) : args[1];
                          return add(b, args[0], multiply(b, rate, base));
                        }));
    return success();
  }
};

struct LowerDecayWeights : OpRewritePattern<DecayWeightsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(DecayWeightsOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getParameter());
    Value rate = entries.number(op.getRate().convertToDouble());
    Value zero = entries.number(0), one = entries.number(1);
    rewriter.replaceOp(
        op, entries.map({op.getParameter(), op.getLearningRate()},
                        [&](ImplicitLocOpBuilder &b, ValueRange args) {
                          Value factor =
                              subtract(b, one, multiply(b, args[1], rate));
                          factor = arith::MaximumFOp::create(b, factor, zero);
                          return multiply(b, args[0], factor);
                        }));
    return success();
  }
};

struct LowerMomentum : OpRewritePattern<MomentumOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MomentumOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getGradient());
    Value momentum = entries.number(op.getMomentum().convertToDouble());
    SmallVector<Value> operands = {op.getGradient(), op.getVelocity()};
    if (op.getStep())
      operands.push_back(op.getStep());
    Value share = entries.number(1 - op.getDampening().convertToDouble());
    Value velocity = entries.map(
        operands, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value gradient = args[0];
          if (op.getStep()) {
            Value one = arith::ConstantOp::create(b, b.getI64IntegerAttr(1));
            Value isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                  args[2], one);
            gradient = arith::SelectOp::create(b, isFirst, gradient,
                                               multiply(b, share, gradient));
          }
          return add(b, multiply(b, momentum, args[1]), gradient);
        });
    Value direction = velocity;
    if (op.getNesterov())
      direction =
          entries.map({op.getGradient(), velocity},
                      [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        return add(b, args[0], multiply(b, momentum, args[1]));
                      });
    rewriter.replaceOp(op, {direction, velocity});
    return success();
  }
};

struct LowerAdamDirection : OpRewritePattern<AdamDirectionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(AdamDirectionOp op,
                                PatternRewriter &rewriter) const override {
    Type type = getElementTypeOrSelf(op.getGradient().getType());
    Entries entries(rewriter, op.getLoc(), op.getGradient());
    /// beta old + (1 - beta) new.
    auto average = [&](const APFloat &beta, Value old, bool squared) {
      double weight = beta.convertToDouble();
      Value kept = entries.number(weight), taken = entries.number(1 - weight);
      return entries.map({op.getGradient(), old}, [&](ImplicitLocOpBuilder &b,
                                                      ValueRange args) {
        Value term = squared ? multiply(b, args[0], args[0]) : args[0];
        return add(b, multiply(b, kept, args[1]), multiply(b, taken, term));
      });
    };
    Value mean = average(op.getBeta1(), op.getMean(), false);
    Value square = average(op.getBeta2(), op.getMeanSquare(), true);
    Value epsilon = entries.number(op.getEpsilon().convertToDouble());
    SmallVector<Value> results = {mean, square};
    Value divisor = square;
    if (op.getMaximum()) {
      divisor =
          entries.map({op.getMaximum(), square},
                      [](ImplicitLocOpBuilder &b, ValueRange args) {
                        return arith::MaximumFOp::create(b, args[0], args[1]);
                      });
      results.push_back(divisor);
    }
    Value direction = entries.map(
        {mean, divisor,
         biasCorrection(entries, op.getStep(), op.getBeta1(), type),
         biasCorrection(entries, op.getStep(), op.getBeta2(), type)},
        [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value root = math::SqrtOp::create(b, divide(b, args[1], args[3]));
          return divide(b, divide(b, args[0], args[2]), add(b, root, epsilon));
        });
    results.insert(results.begin(), direction);
    rewriter.replaceOp(op, results);
    return success();
  }
};

struct LowerNaturalDirection : OpRewritePattern<NaturalDirectionOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(NaturalDirectionOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getGradient());
    double weight = op.getRate().convertToDouble();
    Value kept = entries.number(1 - weight), taken = entries.number(weight);
    Value scale = entries.number(op.getScale().convertToDouble());
    Value epsilon = entries.number(op.getEpsilon().convertToDouble());
    Value fisher = entries.map(
        {op.getSquares(), op.getFisher(), op.getStep()},
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value sample = multiply(b, scale, args[0]);
          Value average =
              add(b, multiply(b, kept, args[1]), multiply(b, taken, sample));
          Value one = arith::ConstantOp::create(b, b.getI64IntegerAttr(1));
          Value isFirst =
              arith::CmpIOp::create(b, arith::CmpIPredicate::eq, args[2], one);
          return arith::SelectOp::create(b, isFirst, sample, average);
        });
    Value direction =
        entries.map({op.getGradient(), fisher},
                    [&](ImplicitLocOpBuilder &b, ValueRange args) {
                      return divide(b, args[0], add(b, args[1], epsilon));
                    });
    rewriter.replaceOp(op, {direction, fisher});
    return success();
  }
};

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

struct LowerSgdUpdate : OpRewritePattern<SgdUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SgdUpdateOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getParameter());
    rewriter.replaceOp(
        op, entries.map(
                {op.getParameter(), op.getGradient(), op.getLearningRate()},
                [](ImplicitLocOpBuilder &b, ValueRange args) {
                  return subtract(b, args[0], multiply(b, args[2], args[1]));
                }));
    return success();
  }
};

struct LowerEgUpdate : OpRewritePattern<EgUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EgUpdateOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getParameter());
    rewriter.replaceOp(
        op, entries.map(
                {op.getParameter(), op.getDirection(), op.getLearningRate()},
                [](auto &b, ValueRange args) {
                  return exponentiatedStep(b, args[0], args[1], args[2]);
                }));
    return success();
  }
};

/// sign(x) |x|^power; 0 stays 0.
Value signedPower(ImplicitLocOpBuilder &b, Value x, double power) {
  Value exponent =
      arith::ConstantOp::create(b, b.getFloatAttr(x.getType(), power));
  Value size = math::AbsFOp::create(b, x);
  // log(0) is -inf, of which exp is 0.
  Value result = math::ExpOp::create(
      b, multiply(b, exponent, math::LogOp::create(b, size)));
  return math::CopySignOp::create(b, result, x);
}

struct LowerMirrorUpdate : OpRewritePattern<MirrorUpdateOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(MirrorUpdateOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getParameter());
    double power = op.getP().convertToDouble() - 1;
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
      Value x = args[0], gradient = args[1], rate = args[2];
      switch (op.getPotential()) {
      case Potential::Quadratic:
        return subtract(b, x, multiply(b, rate, gradient));
      case Potential::Entropy:
        return exponentiatedStep(b, x, gradient, rate);
      case Potential::PNorm: {
        Value dual =
            subtract(b, signedPower(b, x, power), multiply(b, rate, gradient));
        return signedPower(b, dual, 1 / power);
      }
      }
      llvm_unreachable("unknown potential");
    };
    rewriter.replaceOp(op, entries.map({op.getParameter(), op.getGradient(),
                                        op.getLearningRate()},
                                       body));
    return success();
  }
};

struct LowerProject : OpRewritePattern<ProjectOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ProjectOp op,
                                PatternRewriter &rewriter) const override {
    Entries entries(rewriter, op.getLoc(), op.getParameter());
    Value zero = entries.number(0);
    bool nonneg = op.getSign() == Sign::Nonneg;
    rewriter.replaceOp(
        op, entries.map({op.getParameter()},
                        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                          if (nonneg)
                            return arith::MaximumFOp::create(b, args[0], zero);
                          return arith::MinimumFOp::create(b, args[0], zero);
                        }));
    return success();
  }
};

} // namespace

void mlir::dann::populateLowerUpdatePatterns(RewritePatternSet &patterns) {
  patterns.add<LowerCorrectInhibition, LowerDecayGradient, LowerDecayWeights,
               LowerMomentum, LowerAdamDirection, LowerNaturalDirection,
               LowerNaturalRate, LowerClipGradNorm, LowerAngleLearningRate,
               LowerSgdUpdate, LowerEgUpdate, LowerMirrorUpdate, LowerProject>(
      patterns.getContext());
}
