//===- AutodiffRules.cpp - Derivatives of upstream operations -------------===//
//
// Scalar rules for arith and math, and one rule for all linalg operations: it
// differentiates the scalar body with the same scalar rules and swaps the roles
// of input and output maps.
//
//===----------------------------------------------------------------------===//

#include "Utils/ConvolutionBuilder.h"
#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"
#include "passes/Backpropagation.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;

namespace {

//===----------------------------------------------------------------------===//
// Scalars
//===----------------------------------------------------------------------===//

/// A rule as a function: (builder, operation, cotangent of its result, index of
/// an operand) -> the cotangent of that operand, null for zero.
using ScalarRule = Value (*)(ImplicitLocOpBuilder &, Operation *, Value,
                             unsigned);

Value constant(ImplicitLocOpBuilder &b, Type type, double value) {
  return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
}

template <typename OpTy, ScalarRule rule>
struct ScalarModel
    : DifferentiableOpInterface::ExternalModel<ScalarModel<OpTy, rule>, OpTy> {
  // On tensors these operations are linalg's business.
  bool isDifferentiable(Operation *op) const {
    return isa<FloatType>(op->getResult(0).getType());
  }
  void buildVjp(Operation *op, OpBuilder &builder, ArrayRef<Value> cotangents,
                const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    ImplicitLocOpBuilder b(op->getLoc(), builder);
    for (unsigned i : active.set_bits())
      operandCotangents[i] = rule(b, op, cotangents[0], i);
  }
};

/// Sums of tensors are what reverse sweeps are made of.
struct AddModel
    : DifferentiableOpInterface::ExternalModel<AddModel, arith::AddFOp> {
  bool isDifferentiable(Operation *) const { return true; }
  void buildVjp(Operation *, OpBuilder &, ArrayRef<Value> cotangents,
                const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    for (unsigned i : active.set_bits())
      operandCotangents[i] = cotangents[0];
  }
};
Value subRule(ImplicitLocOpBuilder &b, Operation *, Value dy, unsigned i) {
  return i == 0 ? dy : arith::NegFOp::create(b, dy).getResult();
}
Value negRule(ImplicitLocOpBuilder &b, Operation *, Value dy, unsigned) {
  return arith::NegFOp::create(b, dy);
}
Value mulRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned i) {
  return arith::MulFOp::create(b, dy, op->getOperand(1 - i));
}
Value divRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned i) {
  Value share = arith::DivFOp::create(b, dy, op->getOperand(1));
  if (i == 0)
    return share;
  Value product = arith::MulFOp::create(b, share, op->getResult(0));
  return arith::NegFOp::create(b, product);
}
/// For max(a, b) and min(a, b): the cotangent goes to `a` where a beats b
/// strictly, else to `b`.
template <arith::CmpFPredicate beats>
Value extremumRule(ImplicitLocOpBuilder &b, Operation *op, Value dy,
                   unsigned i) {
  Value first =
      arith::CmpFOp::create(b, beats, op->getOperand(0), op->getOperand(1));
  Value zero = constant(b, dy.getType(), 0);
  return arith::SelectOp::create(b, first, i == 0 ? dy : zero,
                                 i == 0 ? zero : dy);
}
Value selectRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned i) {
  Value zero = constant(b, dy.getType(), 0);
  return arith::SelectOp::create(b, op->getOperand(0), i == 1 ? dy : zero,
                                 i == 1 ? zero : dy);
}
Value extendRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  return arith::TruncFOp::create(b, op->getOperand(0).getType(), dy);
}
Value truncateRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  return arith::ExtFOp::create(b, op->getOperand(0).getType(), dy);
}
Value expRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  return arith::MulFOp::create(b, dy, op->getResult(0));
}
Value logRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  return arith::DivFOp::create(b, dy, op->getOperand(0));
}
Value sqrtRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value half = arith::MulFOp::create(b, dy, constant(b, dy.getType(), 0.5));
  return arith::DivFOp::create(b, half, op->getResult(0));
}
Value tanhRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value square = arith::MulFOp::create(b, op->getResult(0), op->getResult(0));
  Value slope = arith::SubFOp::create(b, constant(b, dy.getType(), 1), square);
  return arith::MulFOp::create(b, dy, slope);
}
Value log1pRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value shifted =
      arith::AddFOp::create(b, op->getOperand(0), constant(b, dy.getType(), 1));
  return arith::DivFOp::create(b, dy, shifted);
}
Value expM1Rule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value power =
      arith::AddFOp::create(b, op->getResult(0), constant(b, dy.getType(), 1));
  return arith::MulFOp::create(b, dy, power);
}
Value sinRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  return arith::MulFOp::create(b, dy,
                               math::CosOp::create(b, op->getOperand(0)));
}
Value cosRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value slope = math::SinOp::create(b, op->getOperand(0));
  return arith::NegFOp::create(b, arith::MulFOp::create(b, dy, slope));
}
/// dy * 2 / sqrt(pi) * e^(-x^2).
Value erfRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value x = op->getOperand(0);
  Value power = math::ExpOp::create(
      b, arith::NegFOp::create(b, arith::MulFOp::create(b, x, x)));
  Value slope = arith::MulFOp::create(
      b, power, constant(b, dy.getType(), 2 * std::numbers::inv_sqrtpi));
  return arith::MulFOp::create(b, dy, slope);
}
/// Of the base y x^(y-1); of the exponent log(x) x^y, 0 where the base is 0.
Value powRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned i) {
  Value x = op->getOperand(0), y = op->getOperand(1);
  if (i == 0) {
    Value less = arith::SubFOp::create(b, y, constant(b, dy.getType(), 1));
    Value slope = arith::MulFOp::create(b, y, math::PowFOp::create(b, x, less));
    return arith::MulFOp::create(b, dy, slope);
  }
  Value zero = constant(b, dy.getType(), 0);
  Value isZero = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, zero);
  Value slope =
      arith::MulFOp::create(b, math::LogOp::create(b, x), op->getResult(0));
  return arith::SelectOp::create(b, isZero, zero,
                                 arith::MulFOp::create(b, dy, slope));
}
/// dy * sign(x), 0 at 0.
Value absRule(ImplicitLocOpBuilder &b, Operation *op, Value dy, unsigned) {
  Value x = op->getOperand(0), zero = constant(b, dy.getType(), 0);
  Value positive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, zero);
  Value negative = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, zero);
  Value negated = arith::NegFOp::create(b, dy);
  Value otherwise = arith::SelectOp::create(b, negative, negated, zero);
  return arith::SelectOp::create(b, positive, dy, otherwise);
}

//===----------------------------------------------------------------------===//
// Linalg
//===----------------------------------------------------------------------===//

/// The input that a reduction takes the greatest element of, from one value
/// everywhere on, whose index in linear order a float can count; null if it
/// does anything else.
OpOperand *getMaximized(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  Operation *combiner = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(combiner) ||
      !op.getDpsInits()[0].getDefiningOp<linalg::FillOp>())
    return nullptr;
  auto a = dyn_cast<BlockArgument>(combiner->getOperand(0));
  auto b = dyn_cast<BlockArgument>(combiner->getOperand(1));
  BlockArgument accumulator = body->getArguments().back();
  if (a == accumulator)
    std::swap(a, b);
  if (!a || a == accumulator || b != accumulator || a.getOwner() != body)
    return nullptr;
  int64_t count = 1;
  for (auto [extent, iterator] :
       llvm::zip(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    if (iterator == utils::IteratorType::reduction) {
      constexpr int64_t most = int64_t(1) << 24;
      if (ShapedType::isDynamic(extent) || extent > most ||
          (count *= extent) > most)
        return nullptr;
    }
  return &op->getOpOperand(a.getArgNumber());
}

/// The VJP of y[out(i)] (+)= f(a1[in1(i)], a2[in2(i)], ..., init). For the
/// input a with map `in`:
///
///   da[in(i)] = sum over the loops absent from `in` of df/da(...) * dy[out(i)]
///
/// A map of windows, in(i) = (..., p stride + k dilation, ...), meets some
/// entries several times: its loops p and k are sums, too.
///
/// Of y[out(i)] = max over the other loops of a[in(i)], the cotangent goes to
/// the first of the greatest entries (a NaN counts as the greatest).
template <typename OpTy>
struct LinalgModel
    : DifferentiableOpInterface::ExternalModel<LinalgModel<OpTy>, OpTy> {
  bool isDifferentiable(Operation *operation) const {
    auto op = cast<linalg::LinalgOp>(operation);
    if (!op.hasPureTensorSemantics() || operation->getNumResults() != 1)
      return false;
    if (!op.getIndexingMapsArray().back().isProjectedPermutation())
      return false;
    if (op.getNumReductionLoops() > 0 && !isSum(op) && !getMaximized(op))
      return false;
    Block *body = op.getBlock();
    SmallVector<Value> wrt;
    for (Value argument : body->getArguments())
      if (isa<FloatType>(argument.getType()))
        wrt.push_back(argument);
    return findNonDifferentiable(*body, wrt,
                                 body->getTerminator()->getOperand(0))
        .empty();
  }

  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<linalg::LinalgOp>(operation);
    unsigned init = operation->getNumOperands() - 1;
    OpOperand *maximized =
        op.getNumReductionLoops() > 0 ? getMaximized(op) : nullptr;
    for (unsigned i : active.set_bits()) {
      if (maximized)
        operandCotangents[i] =
            i == maximized->getOperandNumber()
                ? buildForMaximum(op, builder, cotangents[0], *maximized)
                : Value();
      else if (i == init && op.getNumReductionLoops() > 0)
        operandCotangents[i] = cotangents[0];
      else if (op.getBlock()->getArgument(i).use_empty())
        operandCotangents[i] = Value();
      else if (isa<linalg::ContractOp>(operation))
        operandCotangents[i] = buildForFactor(op, builder, cotangents[0], i);
      else
        operandCotangents[i] = buildForOperand(op, builder, cotangents[0], i);
    }
  }

private:
  /// The derivative of a product is a product of the cotangent with the other
  /// factor, and stays one that kernels recognise.
  static Value buildForFactor(linalg::LinalgOp op, OpBuilder &builder, Value dy,
                              unsigned operand) {
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    unsigned other = 1 - operand;
    LinalgBuilder linalg(builder, op.getLoc());
    Value zeros = linalg.zerosLike(op->getOperand(operand));
    return linalg::ContractOp::create(
               builder, op.getLoc(), zeros.getType(),
               ValueRange{dy, op->getOperand(other)}, zeros,
               builder.getAffineMapArrayAttr(
                   {maps.back(), maps[other], maps[operand]}))
        .getResult(0);
  }

  /// The loops of an operation with this map for its result: parallel where
  /// they alone choose an index.
  static SmallVector<utils::IteratorType> getIterators(AffineMap result) {
    SmallVector<utils::IteratorType> iterators(result.getNumDims(),
                                               utils::IteratorType::reduction);
    for (AffineExpr expression : result.getResults())
      if (auto loop = dyn_cast<AffineDimExpr>(expression))
        iterators[loop.getPosition()] = utils::IteratorType::parallel;
    for (AffineExpr expression : result.getResults())
      if (!isa<AffineDimExpr>(expression))
        for (unsigned i = 0; i < result.getNumDims(); ++i)
          if (expression.isFunctionOfDim(i))
            iterators[i] = utils::IteratorType::reduction;
    return iterators;
  }

  /// The place of an entry of `a` among those of its maximum, as a float: the
  /// reduction loops counted in their order.
  static Value buildPlace(ImplicitLocOpBuilder &b, linalg::LinalgOp op,
                          Type type) {
    Value place = arith::ConstantIndexOp::create(b, 0);
    for (auto [i, extent, iterator] : llvm::enumerate(
             op.getStaticLoopRanges(), op.getIteratorTypesArray())) {
      if (iterator != utils::IteratorType::reduction)
        continue;
      Value index = linalg::IndexOp::create(b, i);
      Value outer = arith::MulIOp::create(
          b, place, arith::ConstantIndexOp::create(b, extent));
      place = arith::AddIOp::create(b, outer, index);
    }
    return arith::SIToFPOp::create(
        b, type, arith::IndexCastOp::create(b, b.getI64Type(), place));
  }

  static Value buildForMaximum(linalg::LinalgOp op, OpBuilder &builder,
                               Value dy, OpOperand &operand) {
    LinalgBuilder linalg(builder, op.getLoc());
    Type type = getElementTypeOrSelf(dy.getType());
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    AffineMap outMap = maps.pop_back_val();
    AffineMap inMap = maps[operand.getOperandNumber()];
    SmallVector<Value> inputs = op.getDpsInputs();
    auto build = [&](ArrayRef<Value> more, Value init, AffineMap initMap,
                     llvm::function_ref<Value(ImplicitLocOpBuilder &, Value,
                                              ValueRange, Value)>
                         body) {
      SmallVector<Value> tensors(inputs);
      SmallVector<AffineMap> allMaps(maps);
      llvm::append_range(tensors, more);
      allMaps.append(more.size(), outMap);
      allMaps.push_back(initMap);
      return linalg::GenericOp::create(
                 builder, op.getLoc(), init.getType(), tensors, init, allMaps,
                 getIterators(initMap),
                 [&](OpBuilder &nested, Location loc, ValueRange args) {
                   ImplicitLocOpBuilder b(loc, nested);
                   Value entry = args[operand.getOperandNumber()];
                   linalg::YieldOp::create(b,
                                           body(b, entry,
                                                args.drop_front(inputs.size())
                                                    .take_front(more.size()),
                                                args.back()));
                 })
          .getResult(0);
    };
    // The least place whose entry is the maximum.
    Value none = linalg.fill(linalg.sizes(dy), type,
                             std::numeric_limits<float>::infinity());
    Value first =
        build(op->getResult(0), none, outMap,
              [&](ImplicitLocOpBuilder &b, Value entry, ValueRange args,
                  Value least) {
                Value isGreatest = arith::CmpFOp::create(
                    b, arith::CmpFPredicate::UEQ, entry, args[0]);
                Value otherwise =
                    constant(b, type, std::numeric_limits<float>::infinity());
                Value place = arith::SelectOp::create(
                    b, isGreatest, buildPlace(b, op, type), otherwise);
                return Value(arith::MinimumFOp::create(b, least, place));
              });
    Value zeros = linalg.zerosLike(operand.get());
    return build(
        {first, dy}, zeros, inMap,
        [&](ImplicitLocOpBuilder &b, Value, ValueRange args, Value sum) {
          Value isFirst = arith::CmpFOp::create(
              b, arith::CmpFPredicate::OEQ, args[0], buildPlace(b, op, type));
          Value share = arith::SelectOp::create(b, isFirst, args[1],
                                                constant(b, type, 0));
          return Value(arith::AddFOp::create(b, sum, share));
        });
  }

  /// The reverse operation for one operand.
  static Value buildForOperand(linalg::LinalgOp op, OpBuilder &builder,
                               Value dy, unsigned operand) {
    Block *body = op.getBlock();
    unsigned init = op->getNumOperands() - 1;
    // A body that reads the init needs it as an input here.
    bool readsInit = !body->getArgument(init).use_empty();
    SmallVector<Value> tensors(op->getOperands().drop_back(readsInit ? 0 : 1));
    SmallVector<AffineMap> maps = op.getIndexingMapsArray();
    AffineMap outMap = maps.back(), operandMap = maps[operand];
    if (!readsInit)
      maps.pop_back();
    tensors.push_back(dy);
    maps.push_back(outMap);
    maps.push_back(operandMap);
    SmallVector<utils::IteratorType> iterators = getIterators(operandMap);
    bool reduces =
        llvm::is_contained(iterators, utils::IteratorType::reduction);

    LinalgBuilder linalg(builder, op.getLoc());
    Value primal = op->getOperand(operand);
    Type elementType = getElementTypeOrSelf(primal.getType());
    bool isScalarOperand = !isa<RankedTensorType>(primal.getType());
    SmallVector<OpFoldResult> sizes;
    if (!isScalarOperand)
      sizes = linalg.sizes(primal);
    Value result = reduces ? linalg.fill(sizes, elementType, 0)
                           : linalg.empty(sizes, elementType);
    auto gradient = linalg::GenericOp::create(
        builder, op.getLoc(), result.getType(), tensors, result, maps,
        iterators, [&](OpBuilder &b, Location loc, ValueRange arguments) {
          IRMapping mapping;
          for (auto [inner, outer] : llvm::zip(body->getArguments(), arguments))
            mapping.map(inner, outer);
          for (Operation &inner : body->without_terminator())
            b.clone(inner, mapping);
          Value value = body->getTerminator()->getOperand(0);
          Value cotangent = arguments.drop_back().back();
          Value term = backpropagate(b, *body, mapping,
                                     ValueRange(body->getArgument(operand)),
                                     value, cotangent)[0];
          if (!term)
            term = arith::ConstantOp::create(b, loc,
                                             b.getFloatAttr(elementType, 0));
          if (reduces)
            term = arith::AddFOp::create(b, loc, arguments.back(), term);
          linalg::YieldOp::create(b, loc, term);
        });
    if (isScalarOperand)
      return tensor::ExtractOp::create(builder, op.getLoc(),
                                       gradient.getResult(0));
    return gradient.getResult(0);
  }
};

/// The derivatives of a convolution are the two operations that kernels
/// recognise.
struct ConvolutionModel
    : DifferentiableOpInterface::ExternalModel<ConvolutionModel,
                                               linalg::Conv2DNchwFchwOp> {
  bool isDifferentiable(Operation *operation) const {
    return isa<FloatType>(getElementTypeOrSelf(operation->getResult(0)));
  }
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<linalg::Conv2DNchwFchwOp>(operation);
    ConvolutionBuilder b(
        builder, op.getLoc(),
        llvm::to_vector(op.getStrides().getValues<int64_t>()),
        llvm::to_vector(op.getDilations().getValues<int64_t>()));
    Value x = op.getInputs()[0], filters = op.getInputs()[1];
    if (active[0])
      operandCotangents[0] = b.differentiateByInput(cotangents[0], filters, x);
    if (active[1])
      operandCotangents[1] =
          b.differentiateByFilters(cotangents[0], x, filters);
    if (active[2])
      operandCotangents[2] = cotangents[0];
  }
};

template <typename... OpTys> void attachLinalg(MLIRContext *context) {
  (OpTys::template attachInterface<LinalgModel<OpTys>>(*context), ...);
}

template <typename OpTy, ScalarRule rule> void attachScalar(MLIRContext *c) {
  OpTy::template attachInterface<ScalarModel<OpTy, rule>>(*c);
}

} // namespace

void mlir::dann::registerDifferentiableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *c, arith::ArithDialect *) {
    constexpr auto greater = arith::CmpFPredicate::OGT;
    constexpr auto less = arith::CmpFPredicate::OLT;
    arith::AddFOp::attachInterface<AddModel>(*c);
    attachScalar<arith::SubFOp, subRule>(c);
    attachScalar<arith::NegFOp, negRule>(c);
    attachScalar<arith::MulFOp, mulRule>(c);
    attachScalar<arith::DivFOp, divRule>(c);
    attachScalar<arith::MaximumFOp, extremumRule<greater>>(c);
    attachScalar<arith::MaxNumFOp, extremumRule<greater>>(c);
    attachScalar<arith::MinimumFOp, extremumRule<less>>(c);
    attachScalar<arith::MinNumFOp, extremumRule<less>>(c);
    attachScalar<arith::SelectOp, selectRule>(c);
    attachScalar<arith::ExtFOp, extendRule>(c);
    attachScalar<arith::TruncFOp, truncateRule>(c);
  });
  registry.addExtension(+[](MLIRContext *c, math::MathDialect *) {
    attachScalar<math::ExpOp, expRule>(c);
    attachScalar<math::LogOp, logRule>(c);
    attachScalar<math::SqrtOp, sqrtRule>(c);
    attachScalar<math::TanhOp, tanhRule>(c);
    attachScalar<math::AbsFOp, absRule>(c);
    attachScalar<math::Log1pOp, log1pRule>(c);
    attachScalar<math::ExpM1Op, expM1Rule>(c);
    attachScalar<math::SinOp, sinRule>(c);
    attachScalar<math::CosOp, cosRule>(c);
    attachScalar<math::ErfOp, erfRule>(c);
    attachScalar<math::PowFOp, powRule>(c);
  });
  registry.addExtension(+[](MLIRContext *c, linalg::LinalgDialect *) {
    attachLinalg<linalg::GenericOp, linalg::ContractOp, linalg::ElementwiseOp,
                 linalg::MatmulOp, linalg::BatchMatmulOp, linalg::MatvecOp,
                 linalg::VecmatOp, linalg::DotOp, linalg::FillOp, linalg::MapOp,
                 linalg::ReduceOp, linalg::TransposeOp, linalg::BroadcastOp,
                 linalg::CopyOp, linalg::PoolingNchwMaxOp,
                 linalg::PoolingNchwSumOp>(c);
    linalg::Conv2DNchwFchwOp::attachInterface<ConvolutionModel>(*c);
  });
}
