//===- LowerUpdates.cpp - Optimizers' operations to linalg ----------------===//

#include "passes/LowerUpdates.h"
#include "passes/UpdateMaths.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;

namespace {

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
               LowerSgdUpdate, LowerEgUpdate, LowerMirrorUpdate, LowerProject>(
      patterns.getContext());
}
