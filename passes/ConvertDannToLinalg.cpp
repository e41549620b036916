//===- ConvertDannToLinalg.cpp - Lower dann operations to linalg ----------===//

#include "Utils/LinalgBuilder.h"
#include "passes/LowerUpdates.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/DialectConversion.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace mlir::dann {
#define GEN_PASS_DEF_CONVERTDANNTOLINALG
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

using Loops = SmallVector<unsigned, 2>;
// Loops over a batch of rows: (b, c).
const Loops kMatrix = {0, 1};
const Loops kRows = {0};
const Loops kScalar = {};

/// Whether the class of the innermost loop is the label `label`.
Value isLabel(ImplicitLocOpBuilder &b, Value label) {
  Value column = linalg::IndexOp::create(b, 1);
  Value index = arith::IndexCastOp::create(b, b.getI64Type(), column);
  return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, index, label);
}

/// The logit of each row's label, 0 where the label is no class: [B].
Value pickLogits(LinalgBuilder &b, Value logits, Value labels) {
  Type type = getElementTypeOrSelf(logits.getType());
  Value zero = b.constant(type, 0);
  Value init = b.fill({b.size(logits, 0)}, type, 0);
  return b.generic(2, {{logits, kMatrix}, {labels, kRows}}, {init, kRows},
                   [&](ImplicitLocOpBuilder &b, ValueRange args) {
                     Value term = arith::SelectOp::create(
                         b, isLabel(b, args[1]), args[0], zero);
                     return arith::AddFOp::create(b, args[2], term);
                   });
}

/// The maximum of each row, [B], and sum over the row of exp(logit - maximum).
std::pair<Value, Value> maximumAndSum(LinalgBuilder &b, Value logits) {
  Type type = getElementTypeOrSelf(logits.getType());
  Value lowest = b.fill({b.size(logits, 0)}, type,
                        -std::numeric_limits<double>::infinity());
  Value maximum =
      b.generic(2, {{logits, kMatrix}}, {lowest, kRows},
                [](ImplicitLocOpBuilder &b, ValueRange args) {
                  return arith::MaximumFOp::create(b, args[1], args[0]);
                });
  Value zeros = b.fill({b.size(logits, 0)}, type, 0);
  Value sum =
      b.generic(2, {{logits, kMatrix}, {maximum, kRows}}, {zeros, kRows},
                [](ImplicitLocOpBuilder &b, ValueRange args) {
                  Value shifted = arith::SubFOp::create(b, args[0], args[1]);
                  Value term = math::ExpOp::create(b, shifted);
                  return arith::AddFOp::create(b, args[2], term);
                });
  return {maximum, sum};
}

struct LowerSoftmaxCrossEntropy : OpRewritePattern<SoftmaxCrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxCrossEntropyOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = getElementTypeOrSelf(op.getLogits().getType());
    auto [maximum, sum] = maximumAndSum(b, op.getLogits());
    Value picked = pickLogits(b, op.getLogits(), op.getLabels());
    Value batch = b.sizeAsFloat(op.getLogits(), 0, type);
    Value init = b.fill({}, type, 0);
    rewriter.replaceOp(
        op, b.generic(1, {{maximum, kRows}, {sum, kRows}, {picked, kRows}},
                      {init, kScalar},
                      [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value log = math::LogOp::create(b, args[1]);
                        // maximum - picked first: both may be large.
                        Value loss = arith::AddFOp::create(
                            b, arith::SubFOp::create(b, args[0], args[2]), log);
                        Value share = arith::DivFOp::create(b, loss, batch);
                        return arith::AddFOp::create(b, args[3], share);
                      }));
    return success();
  }
};

struct LowerSoftmaxCrossEntropyGrad
    : OpRewritePattern<SoftmaxCrossEntropyGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(SoftmaxCrossEntropyGradOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type type = getElementTypeOrSelf(op.getLogits().getType());
    auto [maximum, sum] = maximumAndSum(b, op.getLogits());
    Value batch = b.sizeAsFloat(op.getLogits(), 0, type);
    Value zero = b.constant(type, 0), one = b.constant(type, 1);
    rewriter.replaceOp(
        op, b.elementwise(
                {{op.getLogits(), kMatrix},
                 {op.getLabels(), kRows},
                 {maximum, kRows},
                 {sum, kRows},
                 {op.getDloss(), kScalar}},
                op.getLogits(), [&](ImplicitLocOpBuilder &b, ValueRange args) {
                  Value shifted = arith::SubFOp::create(b, args[0], args[2]);
                  Value probability = arith::DivFOp::create(
                      b, math::ExpOp::create(b, shifted), args[3]);
                  Value target = arith::SelectOp::create(b, isLabel(b, args[1]),
                                                         one, zero);
                  Value difference =
                      arith::SubFOp::create(b, probability, target);
                  Value scale = arith::DivFOp::create(b, args[4], batch);
                  return arith::MulFOp::create(b, difference, scale);
                }));
    return success();
  }
};

struct LowerCountErrors : OpRewritePattern<CountErrorsOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CountErrorsOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Type i1 = rewriter.getI1Type(), i64 = rewriter.getI64Type();
    Value picked = pickLogits(b, op.getLogits(), op.getLabels());
    Value init = b.fill({b.size(op.getLogits(), 0)}, i1, 1);
    // Right if every class before the label has a smaller logit and no class
    // behind it a larger one. Comparisons with NaN are false.
    Value right = b.generic(
        2,
        {{op.getLogits(), kMatrix}, {op.getLabels(), kRows}, {picked, kRows}},
        {init, kRows}, [](ImplicitLocOpBuilder &b, ValueRange args) {
          Value column = linalg::IndexOp::create(b, 1);
          Value index = arith::IndexCastOp::create(b, b.getI64Type(), column);
          Value before = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                               index, args[1]);
          Value less = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT,
                                             args[0], args[2]);
          Value notMore = arith::CmpFOp::create(b, arith::CmpFPredicate::OLE,
                                                args[0], args[2]);
          Value holds = arith::SelectOp::create(b, before, less, notMore);
          return arith::AndIOp::create(b, args[3], holds);
        });
    Value zero = b.constant(i64, 0), one = b.constant(i64, 1);
    Value classes = arith::IndexCastOp::create(
        rewriter, op.getLoc(), i64,
        getValueOrCreateConstantIndexOp(rewriter, op.getLoc(),
                                        b.size(op.getLogits(), 1)));
    rewriter.replaceOp(
        op,
        b.generic(1, {{right, kRows}, {op.getLabels(), kRows}},
                  {b.fill({}, i64, 0), kScalar},
                  [&](ImplicitLocOpBuilder &b, ValueRange args) {
                    // As unsigned numbers, negative labels are large.
                    Value isClass = arith::CmpIOp::create(
                        b, arith::CmpIPredicate::ult, args[1], classes);
                    Value isRight = arith::AndIOp::create(b, args[0], isClass);
                    Value term = arith::SelectOp::create(b, isRight, zero, one);
                    return arith::AddIOp::create(b, args[2], term);
                  }));
    return success();
  }
};

/// Philox4x32-10 on scalars: the words for a 128-bit counter and a 64-bit key,
/// least significant word first.
std::array<Value, 4> philox(ImplicitLocOpBuilder &b,
                            std::array<Value, 4> counter,
                            std::array<Value, 2> key) {
  auto word = [&](uint32_t value) -> Value {
    return arith::ConstantOp::create(
        b, b.getIntegerAttr(b.getI32Type(), static_cast<int64_t>(value)));
  };
  // Multipliers and Weyl constants of the published generator.
  Value multiplier0 = word(0xD2511F53), multiplier1 = word(0xCD9E8D57);
  Value weyl0 = word(0x9E3779B9), weyl1 = word(0xBB67AE85);
  constexpr int numRounds = 10;
  for (int round = 0; round < numRounds; ++round) {
    if (round > 0) {
      key[0] = arith::AddIOp::create(b, key[0], weyl0);
      key[1] = arith::AddIOp::create(b, key[1], weyl1);
    }
    auto p0 = arith::MulUIExtendedOp::create(b, multiplier0, counter[0]);
    auto p1 = arith::MulUIExtendedOp::create(b, multiplier1, counter[2]);
    auto mix = [&](Value high, Value word, Value key) -> Value {
      return arith::XOrIOp::create(b, arith::XOrIOp::create(b, high, word),
                                   key);
    };
    counter = {mix(p1.getHigh(), counter[1], key[0]), p1.getLow(),
               mix(p0.getHigh(), counter[3], key[1]), p0.getLow()};
  }
  return counter;
}

/// A uniform number in (0, 1) from two words, with 53 random bits.
Value uniform(ImplicitLocOpBuilder &b, Value high, Value low) {
  Type i64 = b.getI64Type(), f64 = b.getF64Type();
  auto integer = [&](int64_t value) -> Value {
    return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
  };
  auto real = [&](double value) -> Value {
    return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
  };
  Value shifted = arith::ShLIOp::create(b, arith::ExtUIOp::create(b, i64, high),
                                        integer(32));
  Value bits =
      arith::OrIOp::create(b, shifted, arith::ExtUIOp::create(b, i64, low));
  Value mantissa = arith::ShRUIOp::create(b, bits, integer(11));
  Value scaled = arith::MulFOp::create(
      b, arith::UIToFPOp::create(b, f64, mantissa), real(0x1p-53));
  return arith::AddFOp::create(b, scaled, real(0x1p-54));
}

struct LowerRandom : OpRewritePattern<RandomOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(RandomOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder outer(rewriter, op.getLoc());
    auto type = cast<RankedTensorType>(op.getValues().getType());
    SmallVector<OpFoldResult> sizes;
    for (int64_t size : type.getShape())
      sizes.push_back(ShapedType::isDynamic(size)
                          ? OpFoldResult(op.getCount())
                          : rewriter.getIndexAttr(size));
    Value init = outer.empty(sizes, type.getElementType());
    auto body = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
      Type i32 = b.getI32Type(), i64 = b.getI64Type();
      auto integer = [&](int64_t value) -> Value {
        return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
      };
      auto lowWord = [&](Value value) -> Value {
        return arith::TruncIOp::create(b, i32, value);
      };
      auto highWord = [&](Value value) -> Value {
        return lowWord(arith::ShRUIOp::create(b, value, integer(32)));
      };
      Value position = integer(0);
      for (auto [loop, size] : llvm::enumerate(type.getShape())) {
        Value index = arith::IndexCastOp::create(
            b, i64, linalg::IndexOp::create(b, loop));
        // The size of the first dimension, the one that may not be known, is
        // not part of any position.
        if (loop > 0)
          position = arith::MulIOp::create(b, position, integer(size));
        position = arith::AddIOp::create(b, position, index);
      }
      Value stream = integer(op.getStream());
      auto words = philox(b,
                          {lowWord(position), highWord(position),
                           lowWord(stream), highWord(stream)},
                          {lowWord(args[0]), highWord(args[0])});
      return draw(b, op, words, type.getElementType());
    };
    rewriter.replaceOp(op, outer.generic(type.getRank(), {{op.getSeed(), {}}},
                                         {init, LinalgBuilder::allLoops(init)},
                                         body));
    return success();
  }

private:
  /// The number of the distribution that belongs to the words of a generator.
  static Value draw(ImplicitLocOpBuilder &b, RandomOp op,
                    const std::array<Value, 4> &words, Type element) {
    double mean = op.getMean().convertToDouble();
    double scale = op.getScale().convertToDouble();
    if (op.getDistribution() == Distribution::Bernoulli) {
      auto bound = static_cast<int64_t>(std::llround(0x1p32 * (mean / scale)));
      Value word = arith::ExtUIOp::create(b, b.getI64Type(), words[0]);
      Value isDrawn = arith::CmpIOp::create(
          b, arith::CmpIPredicate::ult, word,
          arith::ConstantOp::create(b, b.getI64IntegerAttr(bound)));
      return arith::SelectOp::create(
          b, isDrawn,
          arith::ConstantOp::create(b, b.getFloatAttr(element, scale)),
          arith::ConstantOp::create(b, b.getFloatAttr(element, 0)));
    }
    Value value = drawReal(b, op.getDistribution(), mean, scale, words);
    if (element == b.getF64Type())
      return value;
    return arith::TruncFOp::create(b, element, value);
  }

  static Value drawReal(ImplicitLocOpBuilder &b, Distribution distribution,
                        double mean, double scale,
                        const std::array<Value, 4> &words) {
    auto real = [&](double value) -> Value {
      return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
    };
    auto multiply = [&](double factor, Value value) -> Value {
      return arith::MulFOp::create(b, real(factor), value);
    };
    auto shift = [&](Value value, double by) -> Value {
      return by == 0 ? value : arith::AddFOp::create(b, value, real(by));
    };
    Value first = uniform(b, words[0], words[1]);
    if (distribution == Distribution::Uniform)
      return shift(multiply(2 * scale, first), mean - scale);
    Value log = math::LogOp::create(b, first);
    if (distribution == Distribution::Exponential)
      return multiply(-scale, log);
    Value radius = math::SqrtOp::create(b, multiply(-2, log));
    Value angle =
        multiply(2 * std::numbers::pi, uniform(b, words[2], words[3]));
    Value normal =
        arith::MulFOp::create(b, radius, math::CosOp::create(b, angle));
    if (distribution == Distribution::Normal)
      return shift(multiply(scale, normal), mean);
    // The normal distribution of the logarithm.
    double ratio = scale / mean;
    double variance = std::log1p(ratio * ratio);
    return math::ExpOp::create(b, shift(multiply(std::sqrt(variance), normal),
                                        std::log(mean) - variance / 2));
  }
};

struct LowerSampleLabels : OpRewritePattern<SampleLabelsOp> {
  using OpRewritePattern::OpRewritePattern;

  // Behind the streams of all parameters.
  static constexpr int64_t kStream = int64_t(1) << 62;

  LogicalResult matchAndRewrite(SampleLabelsOp op,
                                PatternRewriter &rewriter) const override {
    LinalgBuilder b(rewriter, op.getLoc());
    Value logits = op.getLogits();
    Type type = getElementTypeOrSelf(logits.getType());
    Type i64 = rewriter.getI64Type();
    int64_t classes = cast<RankedTensorType>(logits.getType()).getDimSize(1);
    Value noisy = b.elementwise(
        {{logits, kMatrix}, {op.getKey(), kScalar}}, logits,
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Type i32 = b.getI32Type();
          auto integer = [&](int64_t value) -> Value {
            return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
          };
          auto low = [&](Value value) -> Value {
            return arith::TruncIOp::create(b, i32, value);
          };
          auto high = [&](Value value) -> Value {
            return low(arith::ShRUIOp::create(b, value, integer(32)));
          };
          auto index = [&](unsigned loop) -> Value {
            return arith::IndexCastOp::create(b, i64,
                                              linalg::IndexOp::create(b, loop));
          };
          Value position = arith::AddIOp::create(
              b, arith::MulIOp::create(b, index(0), integer(classes)),
              index(1));
          Value stream = integer(kStream);
          auto words = philox(
              b, {low(position), high(position), low(stream), high(stream)},
              {low(args[1]), high(args[1])});
          auto negatedLog = [&](Value value) -> Value {
            return arith::NegFOp::create(b, math::LogOp::create(b, value));
          };
          Value noise = negatedLog(negatedLog(uniform(b, words[0], words[1])));
          if (!type.isF64())
            noise = arith::TruncFOp::create(b, type, noise);
          return arith::AddFOp::create(b, args[0], noise);
        });
    Value lowest = b.fill({b.size(logits, 0)}, type,
                          -std::numeric_limits<double>::infinity());
    Value largest =
        b.generic(2, {{noisy, kMatrix}}, {lowest, kRows},
                  [](ImplicitLocOpBuilder &b, ValueRange args) {
                    return arith::MaximumFOp::create(b, args[1], args[0]);
                  });
    Value none = b.constant(i64, static_cast<double>(classes));
    Value init = b.fill({b.size(logits, 0)}, i64, static_cast<double>(classes));
    rewriter.replaceOp(
        op, b.generic(2, {{noisy, kMatrix}, {largest, kRows}}, {init, kRows},
                      [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value column = arith::IndexCastOp::create(
                            b, i64, linalg::IndexOp::create(b, 1));
                        Value isLargest = arith::CmpFOp::create(
                            b, arith::CmpFPredicate::OEQ, args[0], args[1]);
                        Value candidate =
                            arith::SelectOp::create(b, isLargest, column, none);
                        return arith::MinSIOp::create(b, args[2], candidate);
                      }));
    return success();
  }
};

struct ConvertDannToLinalgPass
    : dann::impl::ConvertDannToLinalgBase<ConvertDannToLinalgPass> {
  void runOnOperation() override {
    WalkResult unexpanded = getOperation().walk([](ValueAndGradOp op) {
      op.emitOpError("must be expanded by dann-autodiff before it is lowered");
      return WalkResult::interrupt();
    });
    if (unexpanded.wasInterrupted())
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    patterns.add<LowerSoftmaxCrossEntropy, LowerSoftmaxCrossEntropyGrad,
                 LowerCountErrors, LowerRandom, LowerSampleLabels>(
        &getContext());
    populateLowerUpdatePatterns(patterns);
    populateLowerNormPatterns(patterns);
    ConversionTarget target(getContext());
    target.addLegalDialect<arith::ArithDialect, linalg::LinalgDialect,
                           math::MathDialect, tensor::TensorDialect>();
    target.addIllegalDialect<DannDialect>();
    // Symbols that say what to compute, not how.
    target.addLegalOp<TrainingOp, ScanOp, YieldOp>();
    if (failed(applyPartialConversion(getOperation(), target,
                                      std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
