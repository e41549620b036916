//===- EiLayerForm.cpp - E/I layers in plain form -------------------------===//
//
// A convolution is a fully connected layer whose samples are the patches of the
// images: its batch has the indices (b, oh, ow), its inputs (c, kh, kw).
//
//===----------------------------------------------------------------------===//

#include "passes/EiLayerForm.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <utility>

using namespace mlir;
using namespace mlir::dann;

namespace {

class LayerMatcher {
public:
  static std::optional<EiLayerForm> match(Value x, Value z, const Sum &sum) {
    LayerMatcher matcher;
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
    Indices d; // of x
  };

  bool matchSum(const Sum &sum);
  bool matchDivisor(const Factor &reciprocal, Divisor &divisor);
  bool matchInterneurons(const Product &product, const Factor &wei,
                         const Factor &wix);
  bool split(const Term &term, Product &product);
  bool setMatrixIndices(Product &product);
  bool setImageIndices(Product &product);
  /// The index of the interneurons in wix[i, d].
  static Index findInterneurons(const Product &product, const Factor &wix);
  /// Whether a factor has these indices, in this order, or two of them in the
  /// other one.
  static std::optional<Operand> matchIndices(const Factor &factor,
                                             ArrayRef<Index> wanted);
  /// The same for an index and those of x.
  static std::optional<Operand> matchIndices(const Factor &factor, Index first,
                                             const Product &product) {
    Indices wanted = {first};
    llvm::append_range(wanted, product.d);
    return matchIndices(factor, wanted);
  }

  EiLayerForm layer;
  Indices batch; // of z
  Index e;
  bool hasOtherWindow = false;
};

std::optional<Operand> LayerMatcher::matchIndices(const Factor &factor,
                                                  ArrayRef<Index> wanted) {
  auto present = [](ArrayRef<Index> indices) {
    Indices rest(indices);
    llvm::erase(rest, Index());
    return rest;
  };
  Indices own = present(factor.indices), other = present(wanted);
  if (own == other)
    return Operand{factor.value, false};
  std::reverse(own.begin(), own.end());
  // Filters have their dimensions in one order.
  if (own == other && wanted.size() <= 2)
    return Operand{factor.value, true};
  return std::nullopt;
}

/// Sorts the factors of a term. The first x tells what indices there are.
bool LayerMatcher::split(const Term &term, Product &product) {
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
  if (!llvm::all_of(product.x->indices, [](Index i) { return i.isWhole(); }))
    return false;
  bool isMatrix = cast<RankedTensorType>(layer.x.getType()).getRank() == 2;
  return isMatrix ? setMatrixIndices(product) : setImageIndices(product);
}

bool LayerMatcher::setMatrixIndices(Product &product) {
  // The batch is an index of the result, the other one a sum.
  const Indices &own = product.x->indices;
  bool isTransposed =
      own[0].isSummed() || (!own[1].isSummed() && own[1].isFree());
  Index b = own[isTransposed ? 1 : 0], d = own[isTransposed ? 0 : 1];
  if (b.isSummed() || d.isFree())
    return false;
  product.d = {d};
  auto shape = cast<RankedTensorType>(layer.z.getType()).getShape();
  bool zIsTransposed = b ? b.loop == 1 : shape[0] != 1 && shape[1] == 1;
  if (!layer.d.empty())
    return batch == Indices{b} && isTransposed == layer.xIsTransposed;
  batch = {b};
  e = getOwnIndices(shape)[zIsTransposed ? 0 : 1];
  layer.xIsTransposed = isTransposed;
  layer.zIsTransposed = zIsTransposed;
  layer.ne = shape[zIsTransposed ? 0 : 1];
  layer.d = {cast<RankedTensorType>(layer.x.getType())
                 .getDimSize(isTransposed ? 0 : 1)};
  return !ShapedType::isDynamic(layer.ne) && !ShapedType::isDynamic(layer.d[0]);
}

bool LayerMatcher::setImageIndices(Product &product) {
  const Factor &x = *product.x;
  auto xShape = cast<RankedTensorType>(layer.x.getType()).getShape();
  auto zShape = cast<RankedTensorType>(layer.z.getType()).getShape();
  Indices own = getOwnIndices(zShape), positions;
  PatchWindow window = {{1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}};
  if (x.kind == Factor::Kind::Patches) {
    window = *x.window;
    product.d = {x.indices[1], x.indices[2], x.indices[3]};
    positions = {x.indices[0], x.indices[4], x.indices[5]};
  } else {
    product.d = {x.indices[1]};
    positions = {x.indices[0], x.indices[2], x.indices[3]};
  }
  // z is [b, e, oh, ow].
  if (positions != Indices{own[0], own[2], own[3]} ||
      llvm::any_of(product.d, [](Index d) { return d.isFree(); }))
    return false;
  if (!layer.d.empty()) {
    hasOtherWindow |= window != layer.window;
    return true;
  }
  batch = positions;
  e = own[1];
  layer.window = window;
  layer.ne = zShape[1];
  layer.d = {xShape[1], window.kernel[0], window.kernel[1]};
  return !ShapedType::isDynamicShape(layer.d) &&
         !ShapedType::isDynamicShape(xShape.drop_front()) &&
         !ShapedType::isDynamicShape(zShape.drop_front());
}

Index LayerMatcher::findInterneurons(const Product &product,
                                     const Factor &wix) {
  for (Index index : wix.indices)
    if (index.isSummed() && !llvm::is_contained(product.d, index))
      return index;
  return Index();
}

/// Whether the factors are wei[e, i] and wix[i, d].
bool LayerMatcher::matchInterneurons(const Product &product, const Factor &wei,
                                     const Factor &wix) {
  Index i = findInterneurons(product, wix);
  std::optional<Operand> first = matchIndices(wix, i, product);
  std::optional<Operand> second = matchIndices(wei, {e, i});
  if (!first || !second)
    return false;
  layer.wix = *first;
  layer.wei = *second;
  layer.ni = 1;
  auto shape = cast<RankedTensorType>(wix.value.getType()).getShape();
  for (auto [index, extent] : llvm::zip(wix.indices, shape))
    if (i && index == i)
      layer.ni = extent;
  return true;
}

bool LayerMatcher::matchSum(const Sum &sum) {
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
      matchIndices(*excitation.weights[0], e, excitation);
  auto weights = inhibition.weights;
  if (!wex || (!matchInterneurons(inhibition, *weights[0], *weights[1]) &&
               !matchInterneurons(inhibition, *weights[1], *weights[0])))
    return false;
  layer.wex = *wex;

  // Others add a product of thin matrices, too; only divisors tell them apart.
  bool isScaled = excitation.coefficient != 1 || inhibition.coefficient != -1;
  if ((isScaled || hasOtherWindow) && !excitation.divisor)
    return false;
  if (hasOtherWindow)
    layer.fault = "its interneurons have other windows (kernel, strides, "
                  "dilations, padding) than its excitatory units";
  else if (isScaled)
    layer.fault = llvm::formatv("its excitation is scaled by {0} and its "
                                "inhibition by {1} instead of 1 and -1",
                                llvm::format("%g", excitation.coefficient),
                                llvm::format("%g", inhibition.coefficient))
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

bool LayerMatcher::matchDivisor(const Factor &reciprocal, Divisor &divisor) {
  std::optional<Product> product;
  for (const Term &term : reciprocal.divisor->terms) {
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
  Index i = findInterneurons(*product, *wix);
  if (matchIndices(*wix, i, *product) != layer.wix)
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

} // namespace

std::optional<EiLayerForm> mlir::dann::matchEiLayer(Value x, Value z,
                                                    const Sum &sum) {
  return LayerMatcher::match(x, z, sum);
}
