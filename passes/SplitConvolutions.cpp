//===- SplitConvolutions.cpp - Convolutions as products over windows ------===//

#include "passes/ConvolutionForm.h"
#include "passes/Passes.h"
#include "passes/ProductForm.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SPLITCONVOLUTIONS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// What the loops of a convolution are in c[m, n] += a[m, k...] b[k..., n], one
/// such product for each iteration of the outer loops.
struct Roles {
  OpOperand *a, *b, *c;
  unsigned m, n, outer[2];
  unsigned sums[3]; // in the order of their dimensions in a
};

/// The elements of a whole buffer, of which `buffer` may be a part, for an
/// ordinary batch.
int64_t countElements(Value buffer) {
  constexpr int64_t kSamples = 32;
  int64_t count = 1;
  for (int64_t extent :
       cast<MemRefType>(getRootBuffer(buffer).getType()).getShape())
    count *= ShapedType::isDynamic(extent) ? kSamples : extent;
  return count;
}

/// None if the vectors of c do not run along those of b.
std::optional<Roles> getRoles(linalg::GenericOp op) {
  OpOperand *c = op.getDpsInitOperand(0);
  auto result = getLoops(op.getMatchingIndexingMap(c));
  if (!op.hasPureBufferSemantics() || !result || result->size() != 4)
    return std::nullopt;
  for (OpOperand *a : op.getDpsInputOperands()) {
    OpOperand *b = op.getDpsInputOperand(1 - a->getOperandNumber());
    AffineMap aMap = op.getMatchingIndexingMap(a);
    AffineMap bMap = op.getMatchingIndexingMap(b);
    auto loops = getLoops(aMap);
    Roles roles{a, b, c, result->front(), result->back(), {}, {}};
    if (!loops || !aMap.isFunctionOfDim(roles.m) ||
        bMap.isFunctionOfDim(roles.m) || aMap.isFunctionOfDim(roles.n) ||
        bMap.getResults().back() !=
            getAffineDimExpr(roles.n, op.getContext()) ||
        !hasContiguousRows(b->get()) || !hasContiguousRows(c->get()))
      continue;
    llvm::copy(ArrayRef(*result).slice(1, 2), roles.outer);
    llvm::erase(*loops, roles.m);
    if (loops->size() != 3 || llvm::any_of(*loops, [&](unsigned loop) {
          return llvm::is_contained(*result, loop);
        }))
      continue;
    llvm::copy(*loops, roles.sums);
    return roles;
  }
  return std::nullopt;
}

/// How many elements of an operand lie between two iterations of each loop,
/// which is linear in all of them.
class Steps {
public:
  Steps(ImplicitLocOpBuilder &b, linalg::GenericOp op, OpOperand *operand)
      : buffer(operand->get()) {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, buffer);
    start = metadata.getOffset();
    AffineMap map = op.getMatchingIndexingMap(operand);
    unsigned numLoops = op.getNumLoops();
    steps.assign(numLoops, arith::ConstantIndexOp::create(b, 0));
    for (auto [expression, stride] :
         llvm::zip(map.getResults(), metadata.getStrides())) {
      SmallVector<AffineExpr> first(numLoops, b.getAffineConstantExpr(0));
      start = addMultiple(
          b, start, stride,
          cast<AffineConstantExpr>(expression.replaceDims(first)).getValue());
      for (unsigned loop = 0; loop < numLoops; ++loop)
        steps[loop] = addMultiple(b, steps[loop], stride,
                                  getStep(expression, loop, numLoops));
    }
  }

  Value operator[](unsigned loop) const { return steps[loop]; }

  /// Lets `loop`, of `extent` iterations, run from its end.
  void reverse(ImplicitLocOpBuilder &b, unsigned loop, Value extent) {
    Value last =
        arith::SubIOp::create(b, extent, arith::ConstantIndexOp::create(b, 1));
    start = arith::AddIOp::create(b, start,
                                  arith::MulIOp::create(b, last, steps[loop]));
    steps[loop] = arith::SubIOp::create(b, arith::ConstantIndexOp::create(b, 0),
                                        steps[loop]);
  }

  /// What the loops in `dimensions`, of `sizes` iterations, meet where the
  /// `outer` loops are at `at`. `innermost` is the step of the last dimension
  /// if it is known.
  Value view(ImplicitLocOpBuilder &b, ArrayRef<unsigned> dimensions,
             ValueRange sizes, ArrayRef<unsigned> outer, ValueRange at,
             int64_t innermost) const {
    Value offset = start;
    for (auto [loop, index] : llvm::zip(outer, at))
      offset = arith::AddIOp::create(
          b, offset, arith::MulIOp::create(b, index, steps[loop]));
    SmallVector<OpFoldResult> strides;
    for (unsigned loop : dimensions)
      strides.push_back(steps[loop]);
    SmallVector<int64_t> types(dimensions.size(), ShapedType::kDynamic);
    if (!ShapedType::isDynamic(innermost)) {
      strides.back() = b.getIndexAttr(innermost);
      types.back() = innermost;
    }
    auto type = MemRefType::get(
        SmallVector<int64_t>(dimensions.size(), ShapedType::kDynamic),
        cast<MemRefType>(buffer.getType()).getElementType(),
        StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, types));
    return memref::ReinterpretCastOp::create(b, type, buffer,
                                             OpFoldResult(offset),
                                             getAsOpFoldResult(sizes), strides);
  }

private:
  static Value addMultiple(ImplicitLocOpBuilder &b, Value sum, Value stride,
                           int64_t factor) {
    if (factor == 0)
      return sum;
    Value product = b.createOrFold<arith::MulIOp>(
        stride, arith::ConstantIndexOp::create(b, factor));
    return b.createOrFold<arith::AddIOp>(sum, product);
  }

  Value buffer, start;
  SmallVector<Value> steps;
};

struct SplitConvolutionsPass
    : dann::impl::SplitConvolutionsBase<SplitConvolutionsPass> {
  void runOnOperation() override {
    SmallVector<std::pair<linalg::GenericOp, Roles>> convolutions;
    getOperation().walk([&](linalg::GenericOp op) {
      if (!isGeneratedConvolution(op))
        return;
      if (std::optional<Roles> roles = getRoles(op))
        convolutions.push_back({op, *roles});
    });
    for (auto &[op, roles] : convolutions)
      split(op, roles);
  }

  static void split(linalg::GenericOp op, const Roles &roles) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    bool startsFromZero = eraseZeroFill(op, roles.c->get());
    SmallVector<Value> extents;
    for (Range range : cast<linalg::LinalgOp>(op.getOperation())
                           .createLoopRanges(b, b.getLoc()))
      extents.push_back(
          getValueOrCreateConstantIndexOp(b, b.getLoc(), range.size));
    Steps a(b, op, roles.a), factor(b, op, roles.b), c(b, op, roles.c);

    // Caches expect that memory is read forwards: the larger factor is.
    AffineMap aMap = op.getMatchingIndexingMap(roles.a);
    AffineMap bMap = op.getMatchingIndexingMap(roles.b);
    unsigned last = roles.sums[2];
    int64_t neighbour = aMap.getResults().back() == b.getAffineDimExpr(last) &&
                                hasContiguousRows(roles.a->get())
                            ? 1
                            : ShapedType::kDynamic;
    bool isLarger =
        countElements(roles.b->get()) > countElements(roles.a->get());
    for (unsigned loop : roles.sums)
      if (isLarger &&
          llvm::any_of(bMap.getResults(), [&](AffineExpr expression) {
            return getStep(expression, loop, op.getNumLoops()) < 0;
          })) {
        a.reverse(b, loop, extents[loop]);
        factor.reverse(b, loop, extents[loop]);
        if (loop == last && neighbour == 1)
          neighbour = -1;
      }

    // Whether the inner of the outer loops and n are one: c and b run through
    // both without a gap, and a does not meet the former.
    unsigned inner = roles.outer[1];
    auto followOneAnother = [&](const Steps &steps) -> Value {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::eq, steps[inner],
                                   extents[roles.n]);
    };
    Value areOne =
        arith::AndIOp::create(b, followOneAnother(factor), followOneAnother(c));
    if (aMap.isFunctionOfDim(inner))
      areOne = arith::ConstantOp::create(b, b.getBoolAttr(false));
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    Value both = arith::MulIOp::create(b, extents[inner], extents[roles.n]);
    Value n = arith::SelectOp::create(b, areOne, both, extents[roles.n]);
    Value count = arith::SelectOp::create(b, areOne, one, extents[inner]);

    auto outer = scf::ForOp::create(b, zero, extents[roles.outer[0]], one);
    b.setInsertionPointToStart(outer.getBody());
    auto innerLoop = scf::ForOp::create(b, zero, count, one);
    b.setInsertionPointToStart(innerLoop.getBody());
    SmallVector<Value> at = {outer.getInductionVar(),
                             innerLoop.getInductionVar()};

    SmallVector<unsigned> aLoops = {roles.m},
                          bLoops(roles.sums, std::end(roles.sums));
    llvm::append_range(aLoops, roles.sums);
    bLoops.push_back(roles.n);
    auto getSizes = [&](ArrayRef<unsigned> loops) {
      return llvm::map_to_vector(loops, [&](unsigned loop) {
        return loop == roles.n ? n : extents[loop];
      });
    };
    Value aView =
        a.view(b, aLoops, getSizes(aLoops), roles.outer, at, neighbour);
    Value bView = factor.view(b, bLoops, getSizes(bLoops), roles.outer, at, 1);
    SmallVector<unsigned> cLoops = {roles.m, roles.n};
    Value cView = c.view(b, cLoops, getSizes(cLoops), roles.outer, at, 1);

    if (startsFromZero) {
      Type element = cast<MemRefType>(cView.getType()).getElementType();
      Value none = arith::ConstantOp::create(b, b.getZeroAttr(element));
      linalg::FillOp::create(b, none, cView);
    }
    AffineExpr dm, dn, k0, k1, k2;
    bindDims(b.getContext(), dm, dn, k0, k1, k2);
    auto map = [&](ArrayRef<AffineExpr> results) {
      return AffineMap::get(5, 0, results, b.getContext());
    };
    auto product = linalg::ContractOp::create(
        b, TypeRange(), ValueRange{aView, bView}, cView,
        b.getAffineMapArrayAttr(
            {map({dm, k0, k1, k2}), map({k0, k1, k2, dn}), map({dm, dn})}));
    product->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    op.erase();
  }
};

} // namespace
