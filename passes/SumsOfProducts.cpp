//===- SumsOfProducts.cpp - Values as sums of products --------------------===//

#include "passes/SumsOfProducts.h"

#include "passes/ParameterElements.h"

#include "Dann/Dann.h"
#include "Utils/FloatElements.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <set>

using namespace mlir;
using namespace mlir::dann;

static Sum makeConstant(double value) {
  Sum sum;
  if (value != 0)
    sum.terms.push_back({value, {}});
  return sum;
}

SmallVector<int, 4> mlir::dann::getOwnIndices(ArrayRef<int64_t> shape) {
  SmallVector<int, 4> indices;
  for (auto [i, extent] : llvm::enumerate(shape))
    indices.push_back(extent == 1 ? kNoIndex : static_cast<int>(i));
  return indices;
}

static Sum makeAtom(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Factor factor{Factor::Kind::Plain, value, nullptr,
                getOwnIndices(type ? type.getShape() : ArrayRef<int64_t>())};
  return {{{1, {factor}}}};
}

Algebra::Algebra(Block &block) {
  auto function = cast<func::FuncOp>(block.getParentOp());
  for (BlockArgument argument : block.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr)) {
      // Exporters make parameters of numbers, such as epsilon.
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      std::optional<FloatElements> elements =
          FloatElements::of(getInitialValue(argument));
      weights[argument] = elements && type.getRank() == 0
                              ? makeConstant((*elements)[0])
                              : makeAtom(argument);
    }
  for (Operation &op : block) {
    if (op.getNumResults() != 1 || !isMemoryEffectFree(&op))
      continue;
    // What is known of all operands that matter: others only give a shape.
    if (std::optional<Sum> sum = evaluate(&op)) {
      weights[op.getResult(0)] = *sum;
      continue;
    }
    bool isWeight = true;
    op.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        isWeight &= weights.contains(operand) ||
                    !operand.getParentRegion()->isAncestor(block.getParent());
    });
    if (isWeight)
      weights[op.getResult(0)] = makeAtom(op.getResult(0));
  }
}

const Sum *Algebra::lookup(Value value) const {
  for (const auto *known : {&derived, &weights})
    if (auto it = known->find(value); it != known->end())
      return &it->second;
  return nullptr;
}

std::vector<Algebra::Expansion> Algebra::expand(Value x) {
  derived.clear();
  derived[x] = makeAtom(x);
  auto inOrder = [](Operation *a, Operation *b) {
    return a->isBeforeInBlock(b);
  };
  std::set<Operation *, decltype(inOrder)> pending(inOrder);
  auto addUsers = [&](Value value) {
    for (Operation *user : value.getUsers())
      if (user->getBlock() == x.getParentBlock())
        pending.insert(user);
  };
  addUsers(x);
  std::vector<Expansion> expansions;
  while (!pending.empty()) {
    Operation *op = *pending.begin();
    pending.erase(pending.begin());
    if (op->getNumResults() != 1 || isWeight(op->getResult(0)))
      continue;
    std::optional<Sum> sum = evaluate(op);
    if (!sum)
      continue;
    Value result = op->getResult(0);
    derived[result] = *sum;
    expansions.emplace_back(result, *sum);
    addUsers(result);
  }
  return expansions;
}

std::optional<Sum> Algebra::multiply(const Sum &a, const Sum &b) {
  Sum product;
  for (const Term &left : a.terms)
    for (const Term &right : b.terms) {
      // Sums over the same operand twice run over two indices.
      DenseMap<int, int> fresh;
      Term term = right;
      term.rename([&](int index) {
        if (index < kFirstSummed)
          return index;
        auto [it, isNew] = fresh.try_emplace(index, nextSummed);
        nextSummed += isNew;
        return it->second;
      });
      term.coefficient *= left.coefficient;
      term.factors.insert(term.factors.begin(), left.factors.begin(),
                          left.factors.end());
      if (term.factors.size() > kMaxFactors)
        return std::nullopt;
      product.terms.push_back(std::move(term));
    }
  if (product.terms.size() > kMaxTerms)
    return std::nullopt;
  return product;
}

/// An operation on numbers; the indices of `in` are loops of `extents`.
std::optional<Sum> Algebra::evaluateScalar(Operation *op, ArrayRef<Sum> in,
                                           ArrayRef<int64_t> extents) {
  auto negated = [](Sum sum) {
    for (Term &term : sum.terms)
      term.coefficient = -term.coefficient;
    return sum;
  };
  auto added = [](Sum sum, const Sum &other) -> std::optional<Sum> {
    llvm::append_range(sum.terms, other.terms);
    if (sum.terms.size() > kMaxTerms)
      return std::nullopt;
    return sum;
  };
  using Result = std::optional<Sum>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddFOp) { return added(in[0], in[1]); })
      .Case([&](arith::SubFOp) { return added(in[0], negated(in[1])); })
      .Case([&](arith::NegFOp) { return negated(in[0]); })
      .Case([&](arith::MulFOp) { return multiply(in[0], in[1]); })
      .Case([&](arith::DivFOp) -> Result {
        if (in[1].isConstant()) {
          if (in[1].getConstant() == 0)
            return std::nullopt;
          return multiply(in[0], makeConstant(1 / in[1].getConstant()));
        }
        Factor reciprocal{Factor::Kind::Reciprocal, Value(),
                          std::make_shared<Sum>(in[1]), getOwnIndices(extents)};
        return multiply(in[0], Sum{{{1, {reciprocal}}}});
      })
      .Case([&](math::ExpOp) -> Result {
        if (in[0].isConstant())
          return makeConstant(std::exp(in[0].getConstant()));
        if (in[0].terms.size() != 1 || in[0].terms[0].coefficient != 1 ||
            in[0].terms[0].factors.size() != 1 ||
            in[0].terms[0].factors[0].kind != Factor::Kind::Plain)
          return std::nullopt;
        Sum power = in[0];
        power.terms[0].factors[0].kind = Factor::Kind::Exponential;
        return power;
      })
      .Default(Result());
}

std::optional<Sum> Algebra::evaluateLinalg(linalg::LinalgOp op) {
  auto maps = op.getIndexingMapsArray();
  if (op->getNumResults() != 1 || !op.hasPureTensorSemantics() ||
      !llvm::all_of(maps, [](AffineMap map) {
        return map.isProjectedPermutation(/*allowZeroInResults=*/true);
      }))
    return std::nullopt;
  SmallVector<int64_t> extents = op.getStaticLoopRanges();
  // For dimension i of a value with this map, its loop.
  auto getLoop = [&](AffineMap map, int i) -> int {
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(i));
    return loop && extents[loop.getPosition()] != 1
               ? static_cast<int>(loop.getPosition())
               : kNoIndex;
  };
  auto load = [&](OpOperand &operand) -> std::optional<Sum> {
    const Sum *sum = lookup(operand.get());
    if (!sum)
      return std::nullopt;
    Sum loaded = *sum;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (Term &term : loaded.terms)
      term.rename([&](int index) {
        return index < kFirstSummed ? getLoop(map, index) : index;
      });
    return loaded;
  };

  Block *body = op.getBlock();
  OpOperand *init = op.getDpsInitOperand(0);
  BlockArgument accumulator = op.getMatchingBlockArgument(init);
  DenseMap<Value, Sum> scalars;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (argument.use_empty())
      continue;
    std::optional<Sum> sum = load(operand);
    if (!sum)
      return std::nullopt;
    scalars[argument] = std::move(*sum);
  }

  // A reduction adds to its init; elsewhere the init is an operand as others.
  Operation *yield = body->getTerminator();
  Value yielded = yield->getOperand(0);
  Sum start;
  if (op.getNumReductionLoops() > 0) {
    auto add = yielded.getDefiningOp<arith::AddFOp>();
    if (!add || !accumulator.hasOneUse() ||
        !llvm::is_contained(add->getOperands(), accumulator))
      return std::nullopt;
    start = scalars[accumulator];
    scalars[accumulator] = Sum();
  }
  for (Operation &inner : body->without_terminator()) {
    SmallVector<Sum, 0> in;
    for (Value operand : inner.getOperands()) {
      auto it = scalars.find(operand);
      const Sum *outer = it == scalars.end() ? lookup(operand) : &it->second;
      if (!outer)
        return std::nullopt;
      in.push_back(*outer);
    }
    FloatAttr constant;
    std::optional<Sum> sum;
    if (matchPattern(&inner, m_Constant(&constant)))
      sum = makeConstant(constant.getValueAsDouble());
    else
      sum = evaluateScalar(&inner, in, extents);
    if (!sum || inner.getNumResults() != 1)
      return std::nullopt;
    scalars[inner.getResult(0)] = std::move(*sum);
  }
  auto it = scalars.find(yielded);
  if (it == scalars.end())
    return std::nullopt;

  // From loops to dimensions of the result, and to sums.
  AffineMap map = op.getMatchingIndexingMap(init);
  Sum result = std::move(it->second);
  auto iterators = op.getIteratorTypesArray();
  for (Term &term : result.terms) {
    SmallVector<int> renamed(extents.size(), kNoIndex);
    for (int i = 0, e = map.getNumResults(); i < e; ++i)
      if (int loop = getLoop(map, i); loop != kNoIndex)
        renamed[loop] = i;
    for (auto [loop, extent] : llvm::enumerate(extents)) {
      if (iterators[loop] == utils::IteratorType::parallel || extent == 1)
        continue;
      renamed[loop] = nextSummed++;
      // A sum of equal terms is a product that is not followed.
      if (llvm::none_of(term.factors, [&](const Factor &factor) {
            return llvm::is_contained(factor.indices, loop);
          }))
        return std::nullopt;
    }
    term.rename([&](int index) {
      return index < kFirstSummed ? renamed[index] : index;
    });
  }
  for (Term &term : start.terms)
    term.rename([&](int index) {
      if (index >= kFirstSummed)
        return index;
      for (int i = 0, e = map.getNumResults(); i < e; ++i)
        if (getLoop(map, i) == index)
          return i;
      return kNoIndex;
    });
  llvm::append_range(result.terms, start.terms);
  return result;
}

std::optional<Sum> Algebra::evaluate(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return evaluateLinalg(linalgOp);
  Attribute constant;
  if (matchPattern(op, m_Constant(&constant))) {
    if (auto scalar = dyn_cast<FloatAttr>(constant))
      return makeConstant(scalar.getValueAsDouble());
    auto elements = dyn_cast<DenseFPElementsAttr>(constant);
    if (elements && elements.isSplat())
      return makeConstant(elements.getSplatValue<APFloat>().convertToDouble());
    return std::nullopt;
  }
  if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return std::nullopt;
  // Reshapes that add or remove dimensions of size 1.
  const Sum *source = lookup(op->getOperand(0));
  auto getLong = [](Value value) {
    SmallVector<int> dims = llvm::to_vector_of<int>(
        getOwnIndices(cast<RankedTensorType>(value.getType()).getShape()));
    llvm::erase(dims, kNoIndex);
    return dims;
  };
  auto getExtents = [](Value value) {
    SmallVector<int64_t> extents(
        cast<RankedTensorType>(value.getType()).getShape());
    llvm::erase(extents, 1);
    return extents;
  };
  Value from = op->getOperand(0), to = op->getResult(0);
  if (!source || getExtents(from) != getExtents(to))
    return std::nullopt;
  SmallVector<int> fromDims = getLong(from), toDims = getLong(to);
  Sum result = *source;
  for (Term &term : result.terms)
    term.rename([&](int index) {
      if (index >= kFirstSummed)
        return index;
      return toDims[llvm::find(fromDims, index) - fromDims.begin()];
    });
  return result;
}
