//===- ArrangeConvolutions.cpp - Derivatives in the form of convolutions --===//

#include "passes/ConvolutionForm.h"
#include "passes/Passes.h"

#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::dann {
#define GEN_PASS_DEF_ARRANGECONVOLUTIONS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

// Images [C, H, W, B] as [H, W, B, C], filters [F, C, KH, KW] as [F, KH, KW,
// C].
constexpr int64_t kChannelsLast[] = {1, 2, 3, 0}, kTapsFirst[] = {0, 2, 3, 1};

RankedTensorType getType(Value value) {
  return cast<RankedTensorType>(value.getType());
}

Value transpose(OpBuilder &b, Location loc, Value tensor,
                ArrayRef<int64_t> permutation) {
  LinalgBuilder linalg(b, loc);
  Value init = linalg.empty(applyPermutation(linalg.sizes(tensor), permutation),
                            getType(tensor).getElementType());
  return linalg::TransposeOp::create(b, loc, tensor, init, permutation)
      ->getResult(0);
}

AffineMap permuteResults(AffineMap map, ArrayRef<int64_t> permutation) {
  return AffineMap::get(map.getNumDims(), 0,
                        applyPermutation(map.getResults(), permutation),
                        map.getContext());
}

/// `op` with other operands, of which `maps` are the indices.
Value rebuild(OpBuilder &b, linalg::GenericOp op, ArrayRef<Value> operands,
              ArrayRef<AffineMap> maps) {
  Operation *rebuilt =
      mlir::clone(b, op.getOperation(), operands.back().getType(), operands);
  rebuilt->setAttr("indexing_maps", b.getAffineMapArrayAttr(maps));
  return rebuilt->getResult(0);
}

/// Images [C, H, W, B] as [H, W, B, C].
Value moveChannelsLast(OpBuilder &builder, Location loc, Value images) {
  // Pixels are one dimension meanwhile: there are then enough of them for the
  // threads to share.
  Value flat = tensor::CollapseShapeOp::create(
      builder, loc, images, ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}});
  flat = transpose(builder, loc, flat, {1, 2, 0});
  RankedTensorType type = getType(images);
  return tensor::ExpandShapeOp::create(
      builder, loc,
      type.clone(applyPermutation(type.getShape(), kChannelsLast)), flat,
      ArrayRef<ReassociationIndices>{{0, 1}, {2}, {3}},
      applyPermutation(LinalgBuilder(builder, loc).sizes(images),
                       kChannelsLast));
}

/// The derivative by filters, with vectors of channels. `turned` are the images
/// that have their channels last already, before `op`.
void arrangeByFilters(RewriterBase &rewriter, linalg::GenericOp op,
                      const ConvolutionForm &form,
                      DenseMap<Value, Value> &turned) {
  Value init = op.getDpsInits()[0];
  if (!isZeros(init))
    return;
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  LinalgBuilder b(rewriter, loc);
  Value &x = turned[form.x];
  if (!x)
    x = moveChannelsLast(rewriter, loc, form.x);
  auto maps = op.getIndexingMapsArray();
  SmallVector<Value> operands = op->getOperands();
  unsigned xIndex = operands[0] == form.x ? 0 : 1;
  operands[xIndex] = x;
  maps[xIndex] = permuteResults(maps[xIndex], kChannelsLast);
  operands[2] = b.fill(applyPermutation(b.sizes(init), kTapsFirst),
                       getType(init).getElementType(), 0);
  maps[2] = permuteResults(maps[2], kTapsFirst);
  Value result = rebuild(rewriter, op, operands, maps);

  Value flat = tensor::CollapseShapeOp::create(
      rewriter, loc, result, ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}});
  flat = transpose(rewriter, loc, flat, {0, 2, 1});
  rewriter.replaceOp(op, tensor::ExpandShapeOp::create(
                             rewriter, loc, getType(init), flat,
                             ArrayRef<ReassociationIndices>{{0}, {1}, {2, 3}}));
}

//===----------------------------------------------------------------------===//
// The derivative by images
//===----------------------------------------------------------------------===//

/// A part of the padded dx.
struct Cut {
  int64_t offsets[2], sizes[2]; // of rows and columns
};

/// The part that `op` takes of the images in its source, if it takes all
/// channels and samples.
std::optional<Cut> getCut(tensor::ExtractSliceOp op) {
  RankedTensorType whole = op.getSourceType(), part = op.getType();
  if (part.getRank() != 4 || part.getDimSize(0) != whole.getDimSize(0) ||
      part.getDimSize(3) != whole.getDimSize(3) || !op.hasUnitStride() ||
      !isConstantIntValue(op.getMixedOffsets()[0], 0) ||
      !isConstantIntValue(op.getMixedOffsets()[3], 0))
    return std::nullopt;
  Cut cut{};
  for (int i : {0, 1}) {
    std::optional<int64_t> offset =
        getConstantIntValue(op.getMixedOffsets()[1 + i]);
    if (!offset || part.isDynamicDim(1 + i))
      return std::nullopt;
    cut.offsets[i] = *offset;
    cut.sizes[i] = part.getDimSize(1 + i);
  }
  return cut;
}

std::optional<ConvolutionForm> getFormByImages(Value value) {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || !isGeneratedConvolution(op))
    return std::nullopt;
  std::optional<ConvolutionForm> form = getConvolutionForm(op);
  bool fits = form && form->result == ConvolutionForm::X &&
              form->strides[0] == 1 && form->strides[1] == 1;
  return fits ? form : std::nullopt;
}

/// How far windows reach beyond their first tap.
int64_t getReach(const ConvolutionForm &form, int i) {
  return (getType(form.filters).getDimSize(2 + i) - 1) * form.dilations[i];
}

/// How many zeros dz needs before and behind it for the pixels of `cut`.
std::pair<int64_t, int64_t> getPadding(const ConvolutionForm &form,
                                       const Cut &cut, int i) {
  int64_t low = getReach(form, i) - cut.offsets[i];
  int64_t size = cut.sizes[i] + getReach(form, i);
  return {low, size - low - getType(form.z).getDimSize(1 + i)};
}

bool fits(const ConvolutionForm &form, const Cut &cut) {
  return llvm::all_of(ArrayRef{0, 1}, [&](int i) {
    auto [low, high] = getPadding(form, cut, i);
    return low >= 0 && high >= 0;
  });
}

Value pad(OpBuilder &builder, Location loc, const ConvolutionForm &form,
          const Cut &cut) {
  LinalgBuilder b(builder, loc);
  SmallVector<OpFoldResult> inner = b.sizes(form.z), outer = inner;
  SmallVector<OpFoldResult> offsets(4, builder.getIndexAttr(0));
  bool isPadded = false;
  for (int i : {0, 1}) {
    auto [low, high] = getPadding(form, cut, i);
    isPadded |= low > 0 || high > 0;
    offsets[1 + i] = builder.getIndexAttr(low);
    outer[1 + i] =
        builder.getIndexAttr(low + getType(form.z).getDimSize(1 + i) + high);
  }
  if (!isPadded)
    return form.z;
  Value zeros = b.fill(outer, getType(form.z).getElementType(), 0);
  SmallVector<OpFoldResult> ones(4, builder.getIndexAttr(1));
  return tensor::InsertSliceOp::create(builder, loc, form.z, zeros, offsets,
                                       inner, ones);
}

/// The sum of the derivatives that `value` is the last one of, each added to
/// the one before: `value` itself, or what is cut out of it.
void arrangeByImages(RewriterBase &rewriter, Value value) {
  SmallVector<ConvolutionForm> forms;
  SmallVector<linalg::GenericOp> operations;
  while (std::optional<ConvolutionForm> form = getFormByImages(value)) {
    if (!forms.empty() && !value.hasOneUse())
      break;
    forms.push_back(*form);
    operations.push_back(value.getDefiningOp<linalg::GenericOp>());
    value = operations.back().getDpsInits()[0];
  }
  Value whole = operations.front().getResult(0);
  auto slice = whole.hasOneUse()
                   ? dyn_cast<tensor::ExtractSliceOp>(*whole.getUsers().begin())
                   : nullptr;
  std::optional<Cut> cut = slice ? getCut(slice) : std::nullopt;
  if (!cut ||
      !llvm::all_of(forms, [&](auto &form) { return fits(form, *cut); })) {
    slice = nullptr;
    cut = Cut{{0, 0},
              {getType(whole).getDimSize(1), getType(whole).getDimSize(2)}};
  }

  // Each where it was, not where the sum is cut: filters are updated behind the
  // last operation that reads them.
  rewriter.setInsertionPoint(operations.back());
  Value sum = value;
  if (slice) {
    LinalgBuilder b(rewriter, slice.getLoc());
    SmallVector<OpFoldResult> sizes = b.sizes(value);
    for (int i : {0, 1})
      sizes[1 + i] = rewriter.getIndexAttr(cut->sizes[i]);
    sum = isZeros(value)
              ? b.fill(sizes, getType(value).getElementType(), 0)
              : tensor::ExtractSliceOp::create(
                    rewriter, slice.getLoc(), slice.getType(), value,
                    slice.getMixedOffsets(), sizes, slice.getMixedStrides());
  }
  for (auto [form, op] : llvm::reverse(llvm::zip(forms, operations))) {
    rewriter.setInsertionPoint(op);
    auto maps = op.getIndexingMapsArray();
    SmallVector<Value> operands = op->getOperands();
    unsigned zIndex = operands[0] == form.z ? 0 : 1;
    AffineMap z = maps[zIndex], filters = maps[1 - zIndex], x = maps[2];
    operands[zIndex] = pad(rewriter, op.getLoc(), form, *cut);
    operands[2] = sum;
    // The loops over positions of dz run over pixels now.
    SmallVector<AffineExpr> windows(z.getResults()), pixels(x.getResults());
    for (int i : {0, 1}) {
      AffineExpr pixel = z.getResult(1 + i), tap = filters.getResult(2 + i);
      windows[1 + i] = pixel - tap * form.dilations[i] + getReach(form, i);
      pixels[1 + i] = pixel;
    }
    maps[zIndex] = AffineMap::get(7, 0, windows, op.getContext());
    maps[2] = AffineMap::get(7, 0, pixels, op.getContext());
    Operation *rebuilt = mlir::clone(rewriter, op.getOperation(),
                                     operands.back().getType(), operands);
    rebuilt->setAttr("indexing_maps", rewriter.getAffineMapArrayAttr(maps));
    SmallVector<Attribute> iterators;
    for (unsigned loop = 0; loop < 7; ++loop)
      iterators.push_back(linalg::IteratorTypeAttr::get(
          op.getContext(), maps[2].isFunctionOfDim(loop)
                               ? utils::IteratorType::parallel
                               : utils::IteratorType::reduction));
    rebuilt->setAttr("iterator_types", rewriter.getArrayAttr(iterators));
    sum = rebuilt->getResult(0);
  }
  if (slice)
    rewriter.replaceOp(slice, sum);
  else
    rewriter.replaceAllUsesWith(whole, sum);
  for (linalg::GenericOp op : operations)
    rewriter.eraseOp(op);
}

struct ArrangeConvolutionsPass
    : dann::impl::ArrangeConvolutionsBase<ArrangeConvolutionsPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<std::pair<linalg::GenericOp, ConvolutionForm>> byFilters;
    SmallVector<Value> byImages;
    getOperation().walk([&](linalg::GenericOp op) {
      if (!isGeneratedConvolution(op) || !op.hasPureTensorSemantics())
        return;
      std::optional<ConvolutionForm> form = getConvolutionForm(op);
      if (form && form->result == ConvolutionForm::Filters)
        byFilters.push_back({op, *form});
      // The others of a sum are found from the last one.
      Value result = op.getResult(0);
      if (getFormByImages(result) && !isAddedTo(result))
        byImages.push_back(result);
    });
    DenseMap<Value, Value> turned;
    for (auto &[op, form] : byFilters)
      arrangeByFilters(rewriter, op, form, turned);
    for (Value value : byImages)
      arrangeByImages(rewriter, value);
  }

  /// Whether the only use of a derivative is another one that is added to it.
  static bool isAddedTo(Value value) {
    if (!value.hasOneUse())
      return false;
    OpOperand &use = *value.getUses().begin();
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    return user && user.isDpsInit(&use) && getFormByImages(user.getResult(0));
  }
};

} // namespace
