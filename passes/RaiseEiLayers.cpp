//===- RaiseEiLayers.cpp - Recognise E/I layers in plain operations -------===//
//
// A layer can be written in many ways. What they have in common is what is
// computed, so operations are multiplied out first: each value that is linear
// in some x becomes a sum of products of indexed tensors,
//
//   z[b, e] = wex[e, d] x[b, d] - wei[e, i] wix[i, d] x[b, d] + bias[e]
//
// with a sum over the indices that the result does not have (`Algebra`). There
// is then one form to recognise (`Matcher`), whatever the order of operations,
// transposes and reshapes. Layers of another kind, such as convolutions, need a
// matcher of their own, and what they contract over as indices of `Algebra`.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/SignAnalysis.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/Analysis/DataFlow/ConstantPropagationAnalysis.h"
#include "mlir/Analysis/DataFlow/DeadCodeAnalysis.h"
#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <memory>
#include <set>

namespace mlir::dann {
#define GEN_PASS_DEF_RAISEEILAYERS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

//===----------------------------------------------------------------------===//
// Initial values
//===----------------------------------------------------------------------===//

/// The elements of a parameter's initial value, where they are.
class Elements {
public:
  static std::optional<Elements> of(ElementsAttr attribute) {
    Elements elements;
    if (!attribute)
      return std::nullopt;
    elements.type = attribute.getElementType();
    if (!elements.type.isF32() && !elements.type.isF64())
      return std::nullopt;
    if (auto dense = dyn_cast<DenseElementsAttr>(attribute)) {
      elements.bytes = dense.getRawData();
      elements.isSplat = dense.isSplat();
    } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
      if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
        elements.bytes = blob->getData();
    }
    size_t size = elements.type.getIntOrFloatBitWidth() / 8;
    size_t count = elements.isSplat ? 1 : attribute.getNumElements();
    if (elements.bytes.size() != count * size)
      return std::nullopt;
    return elements;
  }
  static std::optional<Elements> of(BlockArgument argument) {
    return of(getInitial(argument));
  }
  static ElementsAttr getInitial(BlockArgument argument) {
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return function.getArgAttrOfType<ElementsAttr>(argument.getArgNumber(),
                                                   DannDialect::kInitialAttr);
  }

  double operator[](int64_t index) const {
    if (isSplat)
      index = 0;
    return type.isF32() ? read<float>(index) : read<double>(index);
  }

private:
  template <typename T> T read(int64_t index) const {
    T value;
    std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
    return value;
  }

  ArrayRef<char> bytes;
  bool isSplat = false;
  Type type;
};

/// Elements that are computed, in a resource if there are many.
ElementsAttr makeElements(RankedTensorType type, StringRef name,
                          llvm::function_ref<double(int64_t)> element) {
  constexpr size_t kMaxInlineBytes = 4096;
  size_t size = type.getElementTypeBitWidth() / 8;
  AsmResourceBlob blob =
      HeapAsmResourceBlob::allocate(type.getNumElements() * size, /*align=*/64);
  char *next = blob.getMutableData().data();
  for (int64_t i = 0, e = type.getNumElements(); i < e; ++i, next += size) {
    double value = element(i);
    auto narrow = static_cast<float>(value);
    std::memcpy(next, size == 4 ? static_cast<const void *>(&narrow) : &value,
                size);
  }
  if (blob.getData().size() <= kMaxInlineBytes)
    return DenseElementsAttr::getFromRawBuffer(type, blob.getData());
  return DenseResourceElementsAttr::get(type, name, std::move(blob));
}

/// The elements of a matrix, transposed if asked to, in the shape of `type`.
ElementsAttr reshape(ElementsAttr initial, bool transposed,
                     RankedTensorType type, StringRef name) {
  if (initial.getType() == type && !transposed)
    return initial;
  if (transposed) {
    Elements elements = *Elements::of(initial);
    int64_t rows = type.getDimSize(0), columns = type.getDimSize(1);
    return makeElements(type, name, [&](int64_t i) {
      return elements[i % columns * rows + i / columns];
    });
  }
  if (auto dense = dyn_cast<DenseElementsAttr>(initial))
    return dense.reshape(type);
  return DenseResourceElementsAttr::get(
      type, cast<DenseResourceElementsAttr>(initial).getRawHandle());
}

//===----------------------------------------------------------------------===//
// Values as sums of products
//===----------------------------------------------------------------------===//

// An index runs over a dimension of the value that a sum stands for, or is
// summed over and counts from kFirstSummed. Dimensions of size 1 have none, so
// that reshapes which add or remove them change nothing.
constexpr int kNoIndex = -1;
constexpr int kFirstSummed = 1 << 10;
// Products and sums of an E/I layer are smaller; what is larger is not
// followed any further.
constexpr size_t kMaxTerms = 8, kMaxFactors = 8;

struct Sum;

struct Factor {
  enum class Kind { Plain, Exponential, Reciprocal };
  Kind kind;
  Value value;                        // of which this is an entry, or e^entry
  std::shared_ptr<const Sum> divisor; // of which this is the reciprocal
  SmallVector<int, 4> indices;        // one for each dimension
};

struct Term {
  double coefficient = 1;
  SmallVector<Factor, 4> factors;

  void rename(llvm::function_ref<int(int)> newIndex) {
    for (Factor &factor : factors)
      for (int &index : factor.indices)
        if (index != kNoIndex)
          index = newIndex(index);
  }
};

struct Sum {
  SmallVector<Term, 3> terms;

  bool isConstant() const {
    return llvm::all_of(terms, [](const Term &t) { return t.factors.empty(); });
  }
  double getConstant() const {
    double sum = 0;
    for (const Term &term : terms)
      sum += term.coefficient;
    return sum;
  }
};

Sum makeConstant(double value) {
  Sum sum;
  if (value != 0)
    sum.terms.push_back({value, {}});
  return sum;
}

SmallVector<int, 4> getOwnIndices(ArrayRef<int64_t> shape) {
  SmallVector<int, 4> indices;
  for (auto [i, extent] : llvm::enumerate(shape))
    indices.push_back(extent == 1 ? kNoIndex : static_cast<int>(i));
  return indices;
}

Sum makeAtom(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Factor factor{Factor::Kind::Plain, value, nullptr,
                getOwnIndices(type ? type.getShape() : ArrayRef<int64_t>())};
  return {{{1, {factor}}}};
}

class Algebra {
public:
  explicit Algebra(Block &block);

  /// Whether a value depends on parameters and constants alone.
  bool isWeight(Value value) const { return weights.contains(value); }

  using Expansion = std::pair<Value, Sum>;
  /// The values that are sums of products of x and weights, in their order.
  std::vector<Expansion> expand(Value x);

private:
  const Sum *lookup(Value value) const;
  std::optional<Sum> evaluate(Operation *op);
  std::optional<Sum> evaluateLinalg(linalg::LinalgOp op);
  std::optional<Sum> evaluateScalar(Operation *op, ArrayRef<Sum> in,
                                    ArrayRef<int64_t> extents);
  std::optional<Sum> multiply(const Sum &a, const Sum &b);

  DenseMap<Value, Sum> weights;
  DenseMap<Value, Sum> derived; // from x
  int nextSummed = kFirstSummed;
};

Algebra::Algebra(Block &block) {
  auto function = cast<func::FuncOp>(block.getParentOp());
  for (BlockArgument argument : block.getArguments())
    if (function.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr)) {
      // Exporters make parameters of numbers, such as epsilon.
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      std::optional<Elements> elements = Elements::of(argument);
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

//===----------------------------------------------------------------------===//
// Recognising fully connected layers
//===----------------------------------------------------------------------===//

/// A parameter of a layer as it is written, and whether its dimensions are
/// those of the dialect in reverse.
struct Operand {
  Value value;
  bool transposed = false;

  explicit operator bool() const { return static_cast<bool>(value); }
  bool operator==(const Operand &) const = default;
};

/// How the strength e^alpha of divisive inhibition is written.
enum class Strength { None, Alpha, Power, WeightedWei };

struct Divisor {
  Operand strength; // alpha, e^alpha, or wei e^alpha
  Strength kind = Strength::None;
  double epsilon = 0;

  bool operator==(const Divisor &) const = default;
};

/// What was recognised: a layer, or what would be one but for its fault.
struct DenseLayer {
  Value z, x; // [B, ne] and [B, d], or transposed
  bool zIsTransposed = false, xIsTransposed = false;
  int64_t ne = 0, ni = 0, d = 0;
  Operand wex, wix, wei, gain, bias;
  std::optional<Divisor> divisor;
  std::string fault;

  /// What a layer is made of: of a layer and a part of it the layer has more.
  int countParts() const { return 3 + 2 * !!divisor + !!gain + !!bias; }
};

class DenseMatcher {
public:
  static std::optional<DenseLayer> match(Value x, Value z, const Sum &sum) {
    DenseMatcher matcher;
    matcher.layer.x = x;
    matcher.layer.z = z;
    if (!matcher.matchSum(sum))
      return std::nullopt;
    return std::move(matcher.layer);
  }

private:
  /// A term c x[b, d] * weights / divisor.
  struct Product {
    double coefficient = 1;
    const Factor *x = nullptr, *divisor = nullptr;
    SmallVector<const Factor *, 4> weights;
    int d = kNoIndex; // of x
  };

  bool matchSum(const Sum &sum);
  bool matchDivisor(const Factor &reciprocal, Divisor &divisor);
  bool matchInterneurons(const Product &product, const Factor &wei,
                         const Factor &wix);
  bool split(const Term &term, Product &product);
  /// The index of the interneurons in wix[i, d].
  static int findInterneurons(const Product &product, const Factor &wix);
  /// Whether a factor has these indices, in this order or the other one.
  static std::optional<Operand> matchIndices(const Factor &factor,
                                             ArrayRef<int> wanted);

  DenseLayer layer;
  int b = kNoIndex, e = kNoIndex;
};

std::optional<Operand> DenseMatcher::matchIndices(const Factor &factor,
                                                  ArrayRef<int> wanted) {
  auto present = [](ArrayRef<int> indices) {
    SmallVector<int> rest(indices);
    llvm::erase(rest, kNoIndex);
    return rest;
  };
  SmallVector<int> own = present(factor.indices), other = present(wanted);
  if (own == other)
    return Operand{factor.value, false};
  std::reverse(own.begin(), own.end());
  if (own == other)
    return Operand{factor.value, true};
  return std::nullopt;
}

/// Sorts the factors of a term. Sets `b` and `e` from the first x.
bool DenseMatcher::split(const Term &term, Product &product) {
  product.coefficient = term.coefficient;
  for (const Factor &factor : term.factors) {
    const Factor **place = nullptr;
    if (factor.kind == Factor::Kind::Reciprocal)
      place = &product.divisor;
    else if (factor.value == layer.x)
      place = &product.x;
    if (place && std::exchange(*place, &factor))
      return false;
    if (!place)
      product.weights.push_back(&factor);
  }
  if (!product.x)
    return true;
  // The batch is an index of the result, the other one a sum.
  auto isSummed = [&](int i) { return product.x->indices[i] >= kFirstSummed; };
  auto isFree = [&](int i) {
    return product.x->indices[i] != kNoIndex && !isSummed(i);
  };
  bool isTransposed = isSummed(0) || (!isSummed(1) && isFree(1));
  int batch = product.x->indices[isTransposed ? 1 : 0];
  product.d = product.x->indices[isTransposed ? 0 : 1];
  if (batch >= kFirstSummed ||
      (product.d != kNoIndex && product.d < kFirstSummed))
    return false;
  auto shape = cast<RankedTensorType>(layer.z.getType()).getShape();
  bool zIsTransposed =
      batch == kNoIndex ? shape[0] != 1 && shape[1] == 1 : batch == 1;
  if (layer.d == 0) {
    b = batch;
    e = getOwnIndices(shape)[zIsTransposed ? 0 : 1];
    layer.xIsTransposed = isTransposed;
    layer.zIsTransposed = zIsTransposed;
    layer.ne = shape[zIsTransposed ? 0 : 1];
    layer.d = cast<RankedTensorType>(layer.x.getType())
                  .getDimSize(isTransposed ? 0 : 1);
    return !ShapedType::isDynamic(layer.ne) && !ShapedType::isDynamic(layer.d);
  }
  return batch == b && isTransposed == layer.xIsTransposed;
}

int DenseMatcher::findInterneurons(const Product &product, const Factor &wix) {
  for (int index : wix.indices)
    if (index >= kFirstSummed && index != product.d)
      return index;
  return kNoIndex;
}

/// Whether the factors are wei[e, i] and wix[i, d].
bool DenseMatcher::matchInterneurons(const Product &product, const Factor &wei,
                                     const Factor &wix) {
  int i = findInterneurons(product, wix);
  std::optional<Operand> first = matchIndices(wix, {i, product.d});
  std::optional<Operand> second = matchIndices(wei, {e, i});
  if (!first || !second)
    return false;
  layer.wix = *first;
  layer.wei = *second;
  layer.ni = 1;
  auto shape = cast<RankedTensorType>(wix.value.getType()).getShape();
  for (auto [index, extent] : llvm::zip(wix.indices, shape))
    if (i != kNoIndex && index == i)
      layer.ni = extent;
  return true;
}

bool DenseMatcher::matchSum(const Sum &sum) {
  SmallVector<Product, 2> products;
  for (const Term &term : sum.terms) {
    Product product;
    if (!split(term, product))
      return false;
    for (const Factor *factor : product.weights)
      if (factor->kind != Factor::Kind::Plain)
        return false;
    if (product.x)
      products.push_back(product);
    else if (layer.bias || product.weights.size() != 1 || product.divisor ||
             product.coefficient != 1)
      return false;
    else
      layer.bias.value = product.weights[0]->value;
  }
  if (products.size() != 2)
    return false;
  for (const Term &term : sum.terms)
    if (term.factors.size() == 1 && !matchIndices(term.factors[0], {e}))
      return false;
  if (products[0].weights.size() > products[1].weights.size())
    std::swap(products[0], products[1]);
  Product &excitation = products[0], &inhibition = products[1];
  if (!excitation.divisor != !inhibition.divisor)
    return false;

  // The gain is a factor of both.
  if (excitation.divisor)
    for (const Factor *factor : excitation.weights) {
      auto same = llvm::find_if(inhibition.weights, [&](const Factor *other) {
        return other->value == factor->value &&
               other->indices == factor->indices;
      });
      if (same == inhibition.weights.end() || !matchIndices(*factor, {e}))
        continue;
      layer.gain.value = factor->value;
      inhibition.weights.erase(same);
      llvm::erase(excitation.weights, factor);
      break;
    }
  if (excitation.weights.size() != 1 || inhibition.weights.size() != 2)
    return false;
  std::optional<Operand> wex =
      matchIndices(*excitation.weights[0], {e, excitation.d});
  auto weights = inhibition.weights;
  if (!wex || (!matchInterneurons(inhibition, *weights[0], *weights[1]) &&
               !matchInterneurons(inhibition, *weights[1], *weights[0])))
    return false;
  layer.wex = *wex;

  // Others add a product of thin matrices, too; only divisors tell them apart.
  bool isScaled = excitation.coefficient != 1 || inhibition.coefficient != -1;
  if (isScaled && !excitation.divisor)
    return false;
  if (isScaled)
    layer.fault = llvm::formatv("its excitation is scaled by {0} and its "
                                "inhibition by {1} instead of 1 and -1",
                                excitation.coefficient, inhibition.coefficient)
                      .str();
  if (!excitation.divisor)
    return true;
  Divisor divisor, other;
  layer.divisor.emplace();
  if (!matchDivisor(*excitation.divisor, divisor) ||
      !matchDivisor(*inhibition.divisor, other) || !(divisor == other)) {
    layer.fault = "its divisor is not the interneurons' activity times wei "
                  "e^alpha, plus a constant that is not negative";
    return true;
  }
  layer.divisor = divisor;
  return true;
}

bool DenseMatcher::matchDivisor(const Factor &reciprocal, Divisor &divisor) {
  std::optional<Product> product;
  // Holds what `product` points to.
  SmallVector<Term, 3> terms = reciprocal.divisor->terms;
  for (Term &term : terms) {
    term.rename([&](int index) {
      return index < kFirstSummed ? reciprocal.indices[index] : index;
    });
    Product next;
    if (!split(term, next))
      return false;
    if (!next.x) {
      if (!term.factors.empty())
        return false;
      divisor.epsilon += next.coefficient;
      continue;
    }
    if (product || next.coefficient != 1 || next.divisor)
      return false;
    product = next;
  }
  if (!product || !std::isfinite(divisor.epsilon) || divisor.epsilon < 0)
    return false;
  // Take out wix, then wei, and see what is left.
  auto take = [&](Operand operand) -> const Factor * {
    for (const Factor *factor : product->weights)
      if (factor->value == operand.value &&
          factor->kind == Factor::Kind::Plain) {
        llvm::erase(product->weights, factor);
        return factor;
      }
    return nullptr;
  };
  const Factor *wix = take(layer.wix);
  if (!wix)
    return false;
  int i = findInterneurons(*product, *wix);
  if (matchIndices(*wix, {i, product->d}) != layer.wix)
    return false;
  if (const Factor *wei = take(layer.wei)) {
    if (matchIndices(*wei, {e, i}) != layer.wei)
      return false;
    if (product->weights.empty())
      return true; // no strength: e^0
    const Factor &strength = *product->weights[0];
    std::optional<Operand> operand = matchIndices(strength, {i});
    if (product->weights.size() != 1 || !operand)
      return false;
    divisor.strength = *operand;
    divisor.kind = strength.kind == Factor::Kind::Exponential ? Strength::Alpha
                                                              : Strength::Power;
    return true;
  }
  if (product->weights.size() != 1 ||
      product->weights[0]->kind != Factor::Kind::Plain)
    return false;
  std::optional<Operand> weighted = matchIndices(*product->weights[0], {e, i});
  if (!weighted)
    return false;
  divisor.strength = *weighted;
  divisor.kind = Strength::WeightedWei;
  return true;
}

//===----------------------------------------------------------------------===//
// Signs of inputs
//===----------------------------------------------------------------------===//

/// Which values are not negative, and which are not if the model's inputs are
/// not. Only of values that there were at first.
class InputSigns {
public:
  explicit InputSigns(ModuleOp module) : known(module) {
    SmallVector<std::pair<func::FuncOp, unsigned>> assumed;
    for (auto function : module.getOps<func::FuncOp>())
      for (BlockArgument argument : function.getArguments())
        if (isFreeInput(argument)) {
          assume(argument);
          assumed.emplace_back(function, argument.getArgNumber());
        }
    implied.emplace(module);
    for (auto [function, i] : assumed)
      function.removeArgAttr(i, DannDialect::kSignAttr);
  }

  bool canBeNonnegative(Value value) const {
    return known.isNonnegative(value) || implied->isNonnegative(value);
  }

  /// Gives the inputs that the sign of `value` depends on their contract.
  void demandNonnegative(Value value) const {
    SmallVector<Value> pending = {value};
    DenseSet<Value> seen;
    while (!pending.empty()) {
      value = pending.pop_back_val();
      if (known.isNonnegative(value) || !seen.insert(value).second)
        continue;
      if (auto argument = dyn_cast<BlockArgument>(value)) {
        if (isFreeInput(argument))
          assume(argument);
        continue;
      }
      value.getDefiningOp()->walk([&](Operation *op) {
        llvm::append_range(pending, op->getOperands());
      });
    }
  }

private:
  class Analysis {
  public:
    explicit Analysis(ModuleOp module)
        : solver(std::make_unique<DataFlowSolver>()) {
      solver->load<dataflow::DeadCodeAnalysis>();
      solver->load<dataflow::SparseConstantPropagation>();
      solver->load<SignAnalysis>();
      isValid = succeeded(solver->initializeAndRun(module));
    }
    bool isNonnegative(Value value) const {
      const auto *lattice = solver->lookupState<SignLattice>(value);
      return isValid && lattice && lattice->getValue().sign &&
             isSubsetOf(*lattice->getValue().sign, Sign::Nonneg);
    }

  private:
    std::unique_ptr<DataFlowSolver> solver;
    bool isValid;
  };

  static bool isFreeInput(BlockArgument argument) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (!function || !isa<FloatType>(getElementTypeOrSelf(argument.getType())))
      return false;
    return llvm::none_of(
        ArrayRef<StringRef>{DannDialect::kRoleAttr, DannDialect::kSignAttr,
                            DannDialect::kRangeAttr},
        [&](StringRef name) {
          return function.getArgAttr(argument.getArgNumber(), name);
        });
  }
  static void assume(BlockArgument argument) {
    cast<func::FuncOp>(argument.getOwner()->getParentOp())
        .setArgAttr(argument.getArgNumber(), DannDialect::kSignAttr,
                    SignAttr::get(argument.getContext(), Sign::Nonneg));
  }

  Analysis known;
  std::optional<Analysis> implied;
};

//===----------------------------------------------------------------------===//
// Replacing what was recognised
//===----------------------------------------------------------------------===//

using Fault = std::optional<std::string>;

void report(Location loc, const std::string &fault) {
  emitRemark(loc) << "is no E/I layer: " << fault;
}

/// Says which initial values Dale's law forbids.
Fault checkSigns(Role role, ElementsAttr initial) {
  std::optional<Elements> elements = Elements::of(initial);
  if (!elements)
    return ("the initial values of its " + stringifyRole(role) +
            " are not known")
        .str();
  int64_t count = 0, first = 0;
  for (int64_t i = 0, e = initial.getNumElements(); i < e; ++i)
    if (!((*elements)[i] >= 0) && ++count == 1)
      first = i;
  if (count == 0)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << stringifyRole(role) << " has " << count << " negative "
     << (count == 1 ? "entry, at [" : "entries, first at [");
  ArrayRef<int64_t> shape = initial.getShapedType().getShape();
  if (shape.size() == 2)
    os << first / shape[1] << ", ";
  os << (shape.empty() ? 0 : first % shape.back())
     << "] = " << llvm::format("%g", (*elements)[first]);
  return text;
}

/// Gives the parameters and the input of a layer their attributes.
void annotate(EILayerOpInterface layer) {
  auto function = layer->getParentOfType<func::FuncOp>();
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    std::optional<Role> role = layer.getOperandRole(index);
    auto argument = dyn_cast<BlockArgument>(operand.get());
    if (!role || !argument)
      continue;
    auto set = [&](StringRef name, Attribute attribute) {
      function.setArgAttr(argument.getArgNumber(), name, attribute);
    };
    set(DannDialect::kRoleAttr, RoleAttr::get(layer->getContext(), *role));
    if (layer.getRequiredSign(index) != Sign::Any)
      set(DannDialect::kSignAttr,
          SignAttr::get(layer->getContext(), layer.getRequiredSign(index)));
  }
}

/// A layer that is one operation already.
void annotateExisting(EILayerOpInterface layer, const InputSigns &signs) {
  auto function = layer->getParentOfType<func::FuncOp>();
  SmallVector<Value> inputs;
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    std::optional<Role> role = layer.getOperandRole(index);
    if (!role) {
      inputs.push_back(operand.get());
      continue;
    }
    auto argument = dyn_cast<BlockArgument>(operand.get());
    auto given = argument && function
                     ? function.getArgAttrOfType<RoleAttr>(
                           argument.getArgNumber(), DannDialect::kRoleAttr)
                     : RoleAttr();
    if (!given ||
        (given.getValue() != Role::Weight && given.getValue() != *role))
      return;
    if (layer.getRequiredSign(index) == Sign::Any)
      continue;
    if (Fault fault = checkSigns(*role, Elements::getInitial(argument)))
      return report(layer->getLoc(), *fault);
  }
  annotate(layer);
  for (Value input : inputs)
    if (signs.canBeNonnegative(input))
      signs.demandNonnegative(input);
}

/// The operations between x and z, in their order.
SetVector<Operation *> getOperationsBetween(Value x, Value z) {
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitUsesFromAbove = false;
  options.filter = [&](Operation *op) { return op != x.getDefiningOp(); };
  SetVector<Operation *> slice;
  (void)getBackwardSlice(z, &slice, options);
  return slice;
}

class DenseRaiser {
public:
  DenseRaiser(DenseLayer &layer, const InputSigns &signs)
      : layer(layer), signs(signs),
        function(layer.z.getDefiningOp()->getParentOfType<func::FuncOp>()),
        between(getOperationsBetween(layer.x, layer.z)) {}

  /// Replaces the layer unless it has a fault. Nothing changes before that is
  /// known. Returns what stands for z.
  FailureOr<Value> raise() {
    Fault fault = check();
    if (fault) {
      report(layer.z.getLoc(), *fault);
      return failure();
    }
    return replace();
  }

private:
  struct Parameter {
    Role role;
    BlockArgument argument;
    ElementsAttr initial; // in the layer's shape
  };

  Fault check();
  Fault addParameter(Role role, Operand operand, ArrayRef<int64_t> shape);
  Fault addStrength();
  Fault checkUses(const Parameter &parameter);
  Value replace();
  Value getArgument(Role role) const {
    const auto *it = llvm::find_if(
        parameters, [&](const Parameter &p) { return p.role == role; });
    return it == parameters.end() ? Value() : Value(it->argument);
  }

  DenseLayer &layer;
  const InputSigns &signs;
  func::FuncOp function;
  SetVector<Operation *> between;
  SmallVector<Parameter, 6> parameters;
};

Fault DenseRaiser::addParameter(Role role, Operand operand,
                                ArrayRef<int64_t> shape) {
  std::string name = stringifyRole(role).str();
  auto argument = dyn_cast<BlockArgument>(operand.value);
  if (!argument)
    return "its " + name + " is no parameter, but the result of '" +
           operand.value.getDefiningOp()->getName().getStringRef().str() + "'";
  for (const Parameter &other : parameters)
    if (other.argument == argument)
      return "its " + name + " is its " + stringifyRole(other.role).str() +
             ", too";
  ElementsAttr initial = Elements::getInitial(argument);
  if (!Elements::of(initial))
    return "the initial values of its " + name + " are not known";
  if (initial.getElementType() != getElementTypeOrSelf(layer.x.getType()))
    return "its " + name + " has other elements than its input";
  auto type = RankedTensorType::get(shape, initial.getElementType());
  auto argumentName = function.getArgAttrOfType<StringAttr>(
      argument.getArgNumber(), DannDialect::kNameAttr);
  parameters.push_back(
      {role, argument,
       reshape(initial, operand.transposed, type,
               argumentName ? argumentName.getValue() : StringRef(name))});
  return std::nullopt;
}

/// Adds alpha, computed from what is written in its place.
Fault DenseRaiser::addStrength() {
  const Divisor &divisor = *layer.divisor;
  bool isWei = divisor.kind == Strength::WeightedWei;
  SmallVector<int64_t> shape = {layer.ni};
  if (isWei)
    shape = {layer.ne, layer.ni};
  if (Fault fault = addParameter(Role::Alpha, divisor.strength, shape))
    return fault;
  if (divisor.kind == Strength::Alpha)
    return std::nullopt;
  Parameter &alpha = parameters.back();
  Elements values = *Elements::of(alpha.initial);
  Type elementType = alpha.initial.getElementType();
  SmallVector<double> strengths;
  if (!isWei) {
    for (int64_t i = 0; i < layer.ni; ++i)
      strengths.push_back(values[i]);
  } else {
    const auto *wei = llvm::find_if(
        parameters, [](const Parameter &p) { return p.role == Role::Wei; });
    Elements weights = *Elements::of(wei->initial);
    double tolerance = elementType.isF32() ? 1e-5 : 1e-12;
    for (int64_t i = 0; i < layer.ni; ++i) {
      double sum = 0, weighted = 0;
      for (int64_t e = 0; e < layer.ne; ++e) {
        sum += weights[e * layer.ni + i];
        weighted += values[e * layer.ni + i];
      }
      // Interneurons without effect may have any strength.
      double strength = sum == 0 && weighted == 0 ? 1 : weighted / sum;
      for (int64_t e = 0; e < layer.ne; ++e) {
        double entry = values[e * layer.ni + i];
        double expected = weights[e * layer.ni + i] * strength;
        if (!(std::abs(entry - expected) <=
              tolerance * std::max(std::abs(entry), std::abs(expected))))
          return llvm::formatv(
                     "its divisor's weights are not wei e^alpha: column {0} is "
                     "{1} times wei in sum, but not at [{2}, {0}]",
                     i, strength, e)
              .str();
      }
      strengths.push_back(strength);
    }
  }
  for (auto [i, strength] : llvm::enumerate(strengths))
    if (!(strength > 0) || !std::isfinite(strength))
      return llvm::formatv("its strength e^alpha is {0} at [{1}]", strength, i)
          .str();
  alpha.initial =
      makeElements(RankedTensorType::get({layer.ni}, elementType), "alpha",
                   [&](int64_t i) { return std::log(strengths[i]); });
  return std::nullopt;
}

/// Whether the parameter, and what is computed from it, serve the layer alone.
Fault DenseRaiser::checkUses(const Parameter &parameter) {
  SmallVector<Value> pending = {parameter.argument};
  DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (value == layer.z || !seen.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      if (!between.contains(user))
        return ("its " + stringifyRole(parameter.role) +
                " is used outside of the layer, too")
            .str();
      llvm::append_range(pending, user->getResults());
    }
  }
  return std::nullopt;
}

Fault DenseRaiser::check() {
  if (!layer.fault.empty())
    return layer.fault;
  struct {
    Role role;
    Operand operand;
    SmallVector<int64_t, 2> shape;
  } given[] = {{Role::Wex, layer.wex, {layer.ne, layer.d}},
               {Role::Wix, layer.wix, {layer.ni, layer.d}},
               {Role::Wei, layer.wei, {layer.ne, layer.ni}},
               {Role::Gain, layer.gain, {layer.ne}},
               {Role::Bias, layer.bias, {layer.ne}}};
  for (const auto &[role, operand, shape] : given)
    if (operand)
      if (Fault fault = addParameter(role, operand, shape))
        return fault;
  for (const Parameter &parameter : parameters)
    if (parameter.role != Role::Bias)
      if (Fault fault = checkSigns(parameter.role, parameter.initial))
        return fault;
  if (layer.divisor && layer.divisor->kind != Strength::None)
    if (Fault fault = addStrength())
      return fault;
  for (const Parameter &parameter : parameters)
    if (Fault fault = checkUses(parameter))
      return fault;
  if (!signs.canBeNonnegative(layer.x))
    return "its input may be negative";
  return std::nullopt;
}

/// The shortest number that is the same in the element type.
double shorten(double value, Type elementType) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", value);
  double shorter = std::strtod(text.c_str(), nullptr);
  bool isSame = elementType.isF32()
                    ? static_cast<float>(shorter) == static_cast<float>(value)
                    : shorter == value;
  return isSame ? shorter : value;
}

Value DenseRaiser::replace() {
  Operation *last = layer.z.getDefiningOp();
  OpBuilder builder(last);
  LinalgBuilder linalg(builder, last->getLoc());
  auto transpose = [&](Value matrix) -> Value {
    if (auto inner = matrix.getDefiningOp<linalg::TransposeOp>())
      return inner.getInput(); // of a matrix: the other way round
    Value init = linalg.empty({linalg.size(matrix, 1), linalg.size(matrix, 0)},
                              getElementTypeOrSelf(matrix.getType()));
    return linalg::TransposeOp::create(builder, last->getLoc(), matrix, init,
                                       ArrayRef<int64_t>{1, 0})
        ->getResult(0);
  };

  signs.demandNonnegative(layer.x);
  for (Parameter &parameter : parameters) {
    parameter.argument.setType(parameter.initial.getType());
    function.setArgAttr(parameter.argument.getArgNumber(),
                        DannDialect::kInitialAttr, parameter.initial);
  }
  function.setFunctionType(builder.getFunctionType(
      function.getBody().getArgumentTypes(), function.getResultTypes()));

  Type elementType = getElementTypeOrSelf(layer.x.getType());
  Value x = layer.xIsTransposed ? transpose(layer.x) : layer.x;
  Value alpha = getArgument(Role::Alpha);
  double epsilon = 1e-8; // the default
  if (layer.divisor) {
    epsilon = shorten(layer.divisor->epsilon, elementType);
    if (!alpha) // e^0
      alpha = arith::ConstantOp::create(
          builder, last->getLoc(),
          builder.getZeroAttr(RankedTensorType::get({layer.ni}, elementType)));
  }
  auto zType = RankedTensorType::get(
      {cast<RankedTensorType>(x.getType()).getDimSize(0), layer.ne},
      elementType);
  auto raised = EiDenseOp::create(
      builder, last->getLoc(), zType, x, getArgument(Role::Wex),
      getArgument(Role::Wix), getArgument(Role::Wei), alpha,
      getArgument(Role::Gain), getArgument(Role::Bias),
      builder.getF64FloatAttr(epsilon));
  annotate(raised);

  Value z = raised.getZ();
  if (layer.zIsTransposed) {
    for (Operation *user : llvm::make_early_inc_range(layer.z.getUsers()))
      if (isa<linalg::TransposeOp>(user) && user->getOperand(0) == layer.z)
        user->getResult(0).replaceAllUsesWith(z);
    z = transpose(z);
  }
  layer.z.replaceAllUsesWith(z);
  // Some sizes of what goes away may be in use: that of the batch.
  IRRewriter rewriter(builder);
  for (Operation *op : llvm::reverse(between))
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      auto dim = dyn_cast<tensor::DimOp>(user);
      std::optional<int64_t> index =
          dim ? dim.getConstantIndex() : std::nullopt;
      if (!index || dim.getSource().getDefiningOp() != op)
        continue;
      rewriter.setInsertionPoint(dim);
      FailureOr<OpFoldResult> size = reifyDimOfResult(rewriter, op, 0, *index);
      if (succeeded(size))
        rewriter.replaceOp(dim, getValueOrCreateConstantIndexOp(
                                    rewriter, dim.getLoc(), *size));
    }
  for (Operation *op : llvm::reverse(between))
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
  return z;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

bool isMatrix(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() == 2 && isa<FloatType>(type.getElementType());
}

/// The layers of a function, each in its largest form: without `gain` or
/// `divisor` it would be another layer.
std::vector<DenseLayer> findLayers(func::FuncOp function) {
  Block &block = function.getBody().front();
  Algebra algebra(block);
  llvm::MapVector<Value, DenseLayer> layers; // by wex
  auto tryInput = [&](Value x) {
    if (!isMatrix(x) || algebra.isWeight(x))
      return;
    for (auto &[z, sum] : algebra.expand(x)) {
      if (!isMatrix(z))
        continue;
      std::optional<DenseLayer> layer = DenseMatcher::match(x, z, sum);
      if (!layer)
        continue;
      auto [it, isNew] = layers.try_emplace(layer->wex.value, *layer);
      DenseLayer &old = it->second;
      // Of an x and its transpose, rather the one that is batch-first.
      auto rank = [](const DenseLayer &layer) {
        return std::pair(layer.countParts(), !layer.xIsTransposed);
      };
      if (!isNew && rank(*layer) > rank(old))
        old = *layer;
    }
  };
  for (BlockArgument argument : block.getArguments())
    tryInput(argument);
  for (Operation &op : block)
    for (Value result : op.getResults())
      tryInput(result);
  std::vector<DenseLayer> found;
  for (auto &[wex, layer] : layers)
    found.push_back(std::move(layer));
  return found;
}

/// Parameters that are left over: numbers that became attributes.
void eraseParameters(func::FuncOp function, const llvm::BitVector &candidates) {
  llvm::BitVector unused = candidates;
  for (BlockArgument argument : function.getArguments())
    if (!argument.use_empty())
      unused.reset(argument.getArgNumber());
  // Cannot fail: results of the function stay as they are.
  (void)function.eraseArguments(unused);
}

struct RaiseEiLayersPass : dann::impl::RaiseEiLayersBase<RaiseEiLayersPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<EILayerOpInterface> existing;
    module.walk([&](EILayerOpInterface layer) { existing.push_back(layer); });
    SmallVector<std::pair<func::FuncOp, std::vector<DenseLayer>>> found;
    for (auto function : module.getOps<func::FuncOp>()) {
      // What others call keeps its signature.
      if (function.isExternal() || !function.getBody().hasOneBlock() ||
          !SymbolTable::symbolKnownUseEmpty(function, module))
        continue;
      std::vector<DenseLayer> layers = findLayers(function);
      if (!layers.empty())
        found.emplace_back(function, std::move(layers));
    }
    if (existing.empty() && found.empty())
      return markAllAnalysesPreserved();

    InputSigns signs(module);
    for (EILayerOpInterface layer : existing)
      annotateExisting(layer, signs);
    for (auto &[function, layers] : found) {
      llvm::BitVector used(function.getNumArguments());
      for (BlockArgument argument : function.getArguments())
        if (!argument.use_empty() &&
            function.getArgAttr(argument.getArgNumber(),
                                DannDialect::kRoleAttr))
          used.set(argument.getArgNumber());
      DenseMap<Value, Value> replaced;
      for (DenseLayer &layer : layers) {
        if (Value x = replaced.lookup(layer.x))
          layer.x = x;
        Value z = layer.z;
        FailureOr<Value> raised = DenseRaiser(layer, signs).raise();
        if (succeeded(raised))
          replaced[z] = *raised;
      }
      IRRewriter rewriter(&getContext());
      for (Operation &op : llvm::make_early_inc_range(
               llvm::reverse(function.getBody().front())))
        if (isOpTriviallyDead(&op))
          rewriter.eraseOp(&op);
      eraseParameters(function, used);
    }
  }
};

} // namespace
