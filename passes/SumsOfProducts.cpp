//===- SumsOfProducts.cpp - Values as sums of products --------------------===//

#include "passes/SumsOfProducts.h"

#include "passes/ParameterElements.h"

#include "Dann/Dann.h"
#include "Utils/FloatElements.h"
#include "Utils/LinalgForms.h"

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

Indices mlir::dann::getOwnIndices(ArrayRef<int64_t> shape) {
  Indices indices;
  for (auto [i, extent] : llvm::enumerate(shape))
    indices.push_back({extent == 1 ? kNoIndex : static_cast<int>(i)});
  return indices;
}

LogicalResult
Term::reindex(llvm::function_ref<std::optional<Index>(Index)> newIndex) {
  for (Factor &factor : factors) {
    for (Index &index : factor.indices) {
      if (!index)
        continue;
      std::optional<Index> replaced = newIndex(index);
      if (!replaced)
        return failure();
      index = *replaced;
    }
    if (!factor.divisor)
      continue;
    Sum divisor = *factor.divisor;
    for (Term &term : divisor.terms)
      if (failed(term.reindex(newIndex)))
        return failure();
    factor.divisor = std::make_shared<Sum>(std::move(divisor));
  }
  return success();
}

void Term::rename(llvm::function_ref<int(int)> newLoop) {
  // Cannot fail: each loop has a number.
  (void)reindex([&](Index index) -> std::optional<Index> {
    int loop = newLoop(index.loop);
    return loop == kNoIndex ? Index() : Index{loop, index.stride, index.extent};
  });
}

bool Term::dependsOn(int loop) const {
  return llvm::any_of(factors, [&](const Factor &factor) {
    return llvm::any_of(factor.indices,
                        [&](Index index) { return index.loop == loop; }) ||
           (factor.divisor &&
            llvm::any_of(factor.divisor->terms, [&](const Term &term) {
              return term.dependsOn(loop);
            }));
  });
}

static Sum makeAtom(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Factor factor{Factor::Kind::Plain, value,
                getOwnIndices(type ? type.getShape() : ArrayRef<int64_t>()),
                nullptr, std::nullopt};
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
    for (Operation *user : value.getUsers()) {
      if (user->getBlock() != x.getParentBlock())
        continue;
      pending.insert(user);
      // Convolutions of the padded x are what is known.
      if (value == x && isa<tensor::PadOp>(user))
        for (Operation *convolution : user->getUsers())
          if (convolution->getBlock() == x.getParentBlock())
            pending.insert(convolution);
    }
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

/// An operation on numbers.
std::optional<Sum> Algebra::evaluateScalar(Operation *op, ArrayRef<Sum> in) {
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
        Factor reciprocal{Factor::Kind::Reciprocal, Value(), Indices(),
                          std::make_shared<Sum>(in[1]), std::nullopt};
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
      sum = evaluateScalar(&inner, in);
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
      if (!term.dependsOn(static_cast<int>(loop)))
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

/// A product with filters over patches, or over channels where the windows are
/// pixels.
std::optional<Sum> Algebra::evaluateConvolution(linalg::Conv2DNchwFchwOp op) {
  enum Loop { Batch, Filter, Row, Column, Channel, KernelRow, KernelColumn };
  auto filtersType = cast<RankedTensorType>(op.getInputs()[1].getType());
  auto resultType = cast<RankedTensorType>(op->getResult(0).getType());
  if (!filtersType.hasStaticShape() || resultType.isDynamicDim(2) ||
      resultType.isDynamicDim(3))
    return std::nullopt;
  PatchWindow window;
  window.kernel.append({filtersType.getDimSize(2), filtersType.getDimSize(3)});
  window.strides = llvm::to_vector<2>(op.getStrides().getValues<int64_t>());
  window.dilations = llvm::to_vector<2>(op.getDilations().getValues<int64_t>());
  Value x = lookThroughPadding(op.getInputs()[0], /*filler=*/0, window.padding);
  const Sum *images = lookup(x), *filters = lookup(op.getInputs()[1]),
            *start = lookup(op.getOutputs()[0]);
  if (!images || !filters || !start)
    return std::nullopt;
  auto isOne = [](int64_t value) { return value == 1; };
  auto isZero = [](int64_t value) { return value == 0; };
  Sum in = *images, weights = *filters;
  if (llvm::all_of(window.kernel, isOne) &&
      llvm::all_of(window.strides, isOne) &&
      llvm::all_of(window.padding, isZero)) {
    for (Term &term : in.terms)
      term.rename([](int loop) -> int {
        constexpr Loop loops[] = {Batch, Channel, Row, Column};
        return loop < kFirstSummed ? loops[loop] : loop;
      });
  } else {
    bool isImage = in.terms.size() == 1 && in.terms[0].coefficient == 1 &&
                   in.terms[0].factors.size() == 1 &&
                   in.terms[0].factors[0].kind == Factor::Kind::Plain &&
                   in.terms[0].factors[0].value == x;
    if (!isImage)
      return std::nullopt;
    auto type = cast<RankedTensorType>(x.getType());
    auto getIndex = [](Loop loop, int64_t extent) {
      return Index{extent == 1 ? kNoIndex : static_cast<int>(loop)};
    };
    Indices indices = {getIndex(Batch, type.getDimSize(0)),
                       getIndex(Channel, type.getDimSize(1)),
                       getIndex(KernelRow, window.kernel[0]),
                       getIndex(KernelColumn, window.kernel[1]),
                       getIndex(Row, resultType.getDimSize(2)),
                       getIndex(Column, resultType.getDimSize(3))};
    in.terms[0].factors[0] = {Factor::Kind::Patches, x, indices, nullptr,
                              window};
  }
  for (Term &term : weights.terms)
    term.rename([](int loop) -> int {
      constexpr Loop loops[] = {Filter, Channel, KernelRow, KernelColumn};
      return loop < kFirstSummed ? loops[loop] : loop;
    });
  std::optional<Sum> product = multiply(in, weights);
  if (!product)
    return std::nullopt;
  int64_t extents[] = {filtersType.getDimSize(1), window.kernel[0],
                       window.kernel[1]};
  for (Term &term : product->terms) {
    int summed[3];
    for (int i : {0, 1, 2}) {
      summed[i] = nextSummed++;
      if (extents[i] != 1 && !term.dependsOn(Channel + i))
        return std::nullopt;
    }
    term.rename([&](int loop) {
      return loop >= Channel && loop < kFirstSummed ? summed[loop - Channel]
                                                    : loop;
    });
  }
  llvm::append_range(product->terms, start->terms);
  if (product->terms.size() > kMaxTerms)
    return std::nullopt;
  return product;
}

/// Dimensions of several become parts of one, and parts dimensions again.
std::optional<Sum> Algebra::evaluateReshape(Operation *op) {
  const Sum *source = lookup(op->getOperand(0));
  if (!source)
    return std::nullopt;
  auto collapse = dyn_cast<tensor::CollapseShapeOp>(op);
  SmallVector<ReassociationIndices> groups =
      collapse ? collapse.getReassociationIndices()
               : cast<tensor::ExpandShapeOp>(op).getReassociationIndices();
  Value many = collapse ? op->getOperand(0) : op->getResult(0);
  ArrayRef<int64_t> shape = cast<RankedTensorType>(many.getType()).getShape();
  // The dimensions of a group that are longer than 1, with their strides.
  struct Member {
    int dimension;
    int64_t extent, stride;
  };
  SmallVector<SmallVector<Member, 4>> members(groups.size());
  SmallVector<int> groupOf(shape.size());
  for (auto [g, group] : llvm::enumerate(groups)) {
    int64_t stride = 1;
    for (int64_t dimension : llvm::reverse(group)) {
      groupOf[dimension] = g;
      if (shape[dimension] == 1)
        continue;
      // Only the first one may be dynamic, or have no elements.
      if (stride <= 0 || ShapedType::isDynamic(stride))
        return std::nullopt;
      members[g].push_back(
          {static_cast<int>(dimension), shape[dimension], stride});
      if (ShapedType::isDynamic(shape[dimension]) ||
          llvm::MulOverflow(stride, shape[dimension], stride))
        stride = ShapedType::kDynamic;
    }
  }
  Sum result = *source;
  for (Term &term : result.terms)
    if (failed(term.reindex([&](Index index) -> std::optional<Index> {
          if (index.isSummed())
            return index;
          int g = collapse ? groupOf[index.loop] : index.loop;
          ArrayRef<Member> dimensions = members[g];
          if (dimensions.size() == 1) {
            index.loop = collapse ? g : dimensions[0].dimension;
            return index;
          }
          for (const Member &member : dimensions) {
            if (collapse && member.dimension == index.loop)
              return Index{g, index.stride * member.stride,
                           index.extent ? index.extent : member.extent};
            if (collapse)
              continue;
            if (member.stride == index.stride && member.extent == index.extent)
              return Index{member.dimension};
            // Part of one that is longer. Dynamic extents divide none.
            if (index.extent <= 0 || member.extent <= 0 ||
                index.stride % member.stride != 0)
              continue;
            int64_t stride = index.stride / member.stride;
            if (stride < member.extent && index.extent <= member.extent &&
                member.extent % (stride * index.extent) == 0)
              return Index{member.dimension, stride, index.extent};
          }
          return std::nullopt;
        })))
      return std::nullopt;
  return result;
}

std::optional<Sum> Algebra::evaluate(Operation *op) {
  if (auto convolution = dyn_cast<linalg::Conv2DNchwFchwOp>(op))
    return evaluateConvolution(convolution);
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
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(op))
    return evaluateReshape(op);
  return std::nullopt;
}
