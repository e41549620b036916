//===- SignAnalysis.cpp - Which signs values can have ---------------------===//

#include "passes/SignAnalysis.h"

#include "passes/ConvolutionForm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::dann;

static Sign signOf(const APFloat &value) {
  if (value.isNaN())
    return Sign::Any;
  if (value.isZero())
    return Sign::Zero;
  return value.isNegative() ? Sign::Nonpos : Sign::Nonneg;
}

static Sign signOfConstant(Attribute value) {
  if (auto scalar = dyn_cast<FloatAttr>(value))
    return signOf(scalar.getValue());
  auto elements = dyn_cast<DenseFPElementsAttr>(value);
  if (!elements)
    return Sign::Any;
  if (elements.isSplat())
    return signOf(elements.getSplatValue<APFloat>());
  Sign sign = Sign::Zero;
  for (const APFloat &element : elements.getValues<APFloat>())
    sign = joinSigns(sign, signOf(element));
  return sign;
}

/// Of max(a, b) if `bound` is nonneg, of min(a, b) if it is nonpos.
static Sign signOfExtremum(Sign a, Sign b, Sign bound) {
  if (isSubsetOf(a, bound) || isSubsetOf(b, bound)) {
    // One side is on the good side of zero already; if the other one cannot
    // leave zero there, the result is zero.
    Sign other = negateSign(bound);
    if ((a == Sign::Zero && isSubsetOf(b, other)) ||
        (b == Sign::Zero && isSubsetOf(a, other)))
      return Sign::Zero;
    return bound;
  }
  return joinSigns(a, b);
}

static Sign inferSign(Operation *op, ArrayRef<Sign> in);

/// Evaluates the body of a linalg operation on signs, until the accumulated
/// values no longer change. The init of a reduction is a result only where the
/// reduction may be empty: from -inf on, a maximum has the sign of the
/// elements.
static Sign inferLinalgSign(linalg::LinalgOp op, ArrayRef<Sign> operands) {
  Block *body = op.getBlock();
  SmallVector<Sign> arguments(operands);
  bool mayBeEmpty = false;
  for (auto [extent, iterator] :
       llvm::zip(op.getStaticLoopRanges(), op.getIteratorTypesArray()))
    mayBeEmpty |= iterator == utils::IteratorType::reduction &&
                  (ShapedType::isDynamic(extent) || extent == 0);
  for (bool isFirst = true;; isFirst = false) {
    DenseMap<Value, Sign> signs;
    for (auto [argument, sign] : llvm::zip(body->getArguments(), arguments))
      signs[argument] = sign;
    auto lookup = [&](Value value) {
      auto found = signs.find(value);
      if (found != signs.end())
        return found->second;
      Attribute constant;
      if (matchPattern(value, m_Constant(&constant)))
        return signOfConstant(constant);
      return Sign::Any;
    };
    for (Operation &inner : body->without_terminator()) {
      SmallVector<Sign> innerOperands =
          llvm::map_to_vector(inner.getOperands(), lookup);
      if (inner.getNumResults() == 1)
        signs[inner.getResult(0)] = inferSign(&inner, innerOperands);
    }
    Sign yielded = lookup(body->getTerminator()->getOperand(0));
    if (op.getNumReductionLoops() == 0)
      return yielded;
    // Each round of a reduction starts from the last one's result, the first
    // one from the init.
    if (isFirst && !mayBeEmpty) {
      arguments.back() = yielded;
      continue;
    }
    Sign accumulated = joinSigns(arguments.back(), yielded);
    if (accumulated == arguments.back())
      return accumulated;
    arguments.back() = accumulated;
  }
}

/// The sign of the one result of `op`, Any if nothing is known of it.
static Sign inferSign(Operation *op, ArrayRef<Sign> in) {
  if (auto infer = dyn_cast<InferSignOpInterface>(op)) {
    Sign result = Sign::Any;
    infer.inferResultSigns(in, result);
    return result;
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return inferLinalgSign(linalgOp, in);
  return llvm::TypeSwitch<Operation *, Sign>(op)
      .Case([&](arith::ConstantOp constant) {
        return signOfConstant(constant.getValue());
      })
      .Case([&](arith::AddFOp) { return addSigns(in[0], in[1]); })
      .Case([&](arith::SubFOp) { return addSigns(in[0], negateSign(in[1])); })
      .Case([&](arith::NegFOp) { return negateSign(in[0]); })
      .Case([&](arith::MulFOp product) {
        bool isSquare = product.getLhs() == product.getRhs();
        return isSquare ? Sign::Nonneg : multiplySigns(in[0], in[1]);
      })
      .Case([&](arith::DivFOp) {
        // A quotient by zero is infinite or NaN, with the sign of a zero, of
        // which nothing is known here.
        return in[1] == Sign::Zero ? Sign::Any : multiplySigns(in[0], in[1]);
      })
      .Case([&](arith::MaximumFOp) {
        return signOfExtremum(in[0], in[1], Sign::Nonneg);
      })
      .Case([&](arith::MinimumFOp) {
        return signOfExtremum(in[0], in[1], Sign::Nonpos);
      })
      // Next to a NaN these return their other operand, whatever its sign.
      .Case<arith::MaxNumFOp, arith::MinNumFOp>(
          [&](auto) { return joinSigns(in[0], in[1]); })
      .Case([&](arith::SelectOp) { return joinSigns(in[1], in[2]); })
      .Case<arith::ExtFOp, arith::TruncFOp, math::TanhOp, tensor::CastOp,
            tensor::ExtractOp, tensor::ExtractSliceOp, tensor::CollapseShapeOp,
            tensor::ExpandShapeOp, tensor::ReshapeOp>(
          [&](auto) { return in[0]; })
      .Case<math::ExpOp, math::AbsFOp, math::SqrtOp, arith::UIToFPOp>(
          [&](auto) { return Sign::Nonneg; })
      .Case([&](tensor::PadOp pad) {
        Attribute padding;
        Value value = pad.getConstantPaddingValue();
        return value && matchPattern(value, m_Constant(&padding))
                   ? joinSigns(in[0], signOfConstant(padding))
                   : Sign::Any;
      })
      .Case([&](tensor::InsertSliceOp) { return joinSigns(in[0], in[1]); })
      .Default(Sign::Any);
}

/// Whether the windows that `expression` runs through, along a dimension of
/// `size` entries behind `low` others, each meet one of these entries. It has
/// to be the sum of a position and a tap, which are multiples of a parallel and
/// of a reduction loop.
static bool meetsEntries(linalg::LinalgOp op, AffineExpr expression,
                         int64_t size, int64_t low) {
  unsigned numLoops = op.getNumLoops();
  auto extents = op.getStaticLoopRanges();
  auto iterators = op.getIteratorTypesArray();
  int64_t positions = 1, taps = 1, stride = 0, dilation = 0;
  for (unsigned loop = 0; loop < numLoops; ++loop) {
    int64_t step = getStep(expression, loop, numLoops);
    if (step == 0)
      continue;
    bool isTap = iterators[loop] == utils::IteratorType::reduction;
    int64_t &known = isTap ? dilation : stride;
    if (step < 0 || known != 0 || ShapedType::isDynamic(extents[loop]))
      return false;
    known = step;
    (isTap ? taps : positions) = extents[loop];
  }
  // The first tap that is not before the entries must be one that there is, and
  // on them.
  for (int64_t i = 0; i < positions; ++i) {
    int64_t before = std::max<int64_t>(low - i * stride, 0);
    int64_t tap = dilation == 0 ? 0 : llvm::divideCeil(before, dilation);
    int64_t at = i * stride + tap * dilation - low;
    if (tap >= taps || at < 0 || at >= size)
      return false;
  }
  return true;
}

/// The tensor in the padding of which a maximum of windows is taken, if each
/// window meets it and the padding is never greater than all of it: the maximum
/// then has the sign of the tensor. Null for other operations.
static Value getPooledTensor(Operation *op) {
  auto pool = dyn_cast<linalg::LinalgOp>(op);
  if (!pool || pool.getNumReductionLoops() == 0 || pool.getNumDpsInits() != 1 ||
      pool.getNumDpsInputs() == 0)
    return {};
  Block *body = pool.getBlock();
  auto maximum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::MaximumFOp>();
  auto pad = pool->getOperand(0).getDefiningOp<tensor::PadOp>();
  Attribute value;
  if (!maximum || !pad || !pad.getConstantPaddingValue() ||
      !matchPattern(pad.getConstantPaddingValue(), m_Constant(&value)) ||
      !isSubsetOf(signOfConstant(value), Sign::Nonpos) ||
      !llvm::is_contained(maximum->getOperands(),
                          Value(body->getArgument(0))) ||
      !llvm::is_contained(maximum->getOperands(),
                          Value(body->getArguments().back())))
    return {};
  AffineMap map = pool.getMatchingIndexingMap(&pool->getOpOperand(0));
  RankedTensorType type = pad.getSourceType();
  for (int64_t i = 0, e = type.getRank(); i < e; ++i) {
    auto low = getConstantIntValue(pad.getMixedLowPad()[i]);
    auto high = getConstantIntValue(pad.getMixedHighPad()[i]);
    if (!low || !high || *low < 0 || *high < 0)
      return {};
    bool isPadded = *low > 0 || *high > 0;
    if (isPadded &&
        (type.isDynamicDim(i) ||
         !meetsEntries(pool, map.getResult(i), type.getDimSize(i), *low)))
      return {};
  }
  return pad.getSource();
}

/// What a step takes comes from outside or from the step before; what it gives
/// goes to the next step and outside.
void SignAnalysis::visitScan(ScanOp scan,
                             ArrayRef<const SignLattice *> operands,
                             ArrayRef<SignLattice *> results) {
  auto flow = [&](const SignLattice *from, SignLattice *to) {
    propagateIfChanged(to, to->join(from->getValue()));
  };
  for (auto [operand, argument] :
       llvm::zip(operands, scan.getBody().getArguments()))
    flow(operand, getLatticeElement(argument));
  YieldOp yield = scan.getYield();
  for (auto [i, value] : llvm::enumerate(yield.getOperands())) {
    const SignLattice *yielded =
        getLatticeElementFor(getProgramPointAfter(scan), value);
    flow(yielded, results[i]);
    if (i < yield.getCarries().size())
      flow(yielded, getLatticeElement(scan.getCarryArguments()[i]));
  }
}

LogicalResult
SignAnalysis::visitOperation(Operation *op,
                             ArrayRef<const SignLattice *> operands,
                             ArrayRef<SignLattice *> results) {
  if (auto scan = dyn_cast<ScanOp>(op)) {
    visitScan(scan, operands, results);
    return success();
  }
  SmallVector<Sign> in;
  for (const SignLattice *operand : operands) {
    // Wait for operands that are not known yet.
    if (!operand->getValue().sign)
      return success();
    in.push_back(*operand->getValue().sign);
  }
  if (Value pooled = getPooledTensor(op)) {
    const SignLattice *lattice =
        getLatticeElementFor(getProgramPointAfter(op), pooled);
    if (!lattice->getValue().sign)
      return success();
    in[0] = *lattice->getValue().sign;
  }
  bool known = results.size() == 1;
  for (SignLattice *result : results)
    propagateIfChanged(result,
                       result->join({known ? inferSign(op, in) : Sign::Any}));
  return success();
}

void SignAnalysis::setToEntryState(SignLattice *lattice) {
  Sign sign = Sign::Any;
  auto argument = dyn_cast<BlockArgument>(lattice->getAnchor());
  // visitScan says what the body of a scan gets.
  if (argument && isa<ScanOp>(argument.getOwner()->getParentOp()))
    return;
  auto function =
      argument
          ? dyn_cast<FunctionOpInterface>(argument.getOwner()->getParentOp())
          : FunctionOpInterface();
  if (function && argument.getOwner()->isEntryBlock()) {
    unsigned index = argument.getArgNumber();
    if (auto contract = function.getArgAttrOfType<SignAttr>(
            index, DannDialect::kSignAttr)) {
      sign = contract.getValue();
    } else if (auto range = function.getArgAttrOfType<DenseF64ArrayAttr>(
                   index, DannDialect::kRangeAttr)) {
      if (range[0] >= 0)
        sign = range[1] == 0 ? Sign::Zero : Sign::Nonneg;
      else if (range[1] <= 0)
        sign = Sign::Nonpos;
    }
  }
  propagateIfChanged(lattice, lattice->join({sign}));
}
