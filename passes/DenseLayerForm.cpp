//===- DenseLayerForm.cpp - Fully connected E/I layers in plain form ------===//

#include "passes/DenseLayerForm.h"

#include "mlir/IR/BuiltinTypes.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <utility>

using namespace mlir;
using namespace mlir::dann;

namespace {

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

} // namespace

std::optional<DenseLayer> mlir::dann::matchDenseLayer(Value x, Value z,
                                                      const Sum &sum) {
  return DenseMatcher::match(x, z, sum);
}
