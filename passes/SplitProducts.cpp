//===- SplitProducts.cpp - Work on matrices, one for each step ------------===//

#include "passes/Passes.h"
#include "passes/ProductForm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SPLITPRODUCTS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// A loop of `op` that indexes nothing but leading dimensions, of more than one
/// operand; none if there is no such loop.
std::optional<unsigned> getOuterLoop(linalg::ContractOp op) {
  for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
    unsigned numUses = 0;
    bool isOuter = true;
    for (AffineMap map : op.getIndexingMapsArray())
      for (auto [i, expression] : llvm::enumerate(map.getResults()))
        if (expression.isFunctionOfDim(loop)) {
          ++numUses;
          isOuter &= i == 0 && map.getNumResults() > 1;
        }
    if (isOuter && numUses > 1)
      return loop;
  }
  return std::nullopt;
}

/// Slice `index` of a dimension.
Value getSlice(ImplicitLocOpBuilder &b, Value buffer, int64_t dimension,
               Value index) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<OpFoldResult> sizes =
      memref::getMixedSizes(b, b.getLoc(), buffer);
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  offsets[dimension] = index;
  sizes[dimension] = b.getIndexAttr(1);
  SmallVector<int64_t> shape(type.getShape());
  shape.erase(shape.begin() + dimension);
  MemRefType sliceType = memref::SubViewOp::inferRankReducedResultType(
      shape, type, offsets, sizes, strides);
  return memref::SubViewOp::create(b, sliceType, buffer, offsets, sizes,
                                   strides);
}

struct SplitProductsPass : dann::impl::SplitProductsBase<SplitProductsPass> {
  void runOnOperation() override {
    SmallVector<linalg::ContractOp> products;
    getOperation().walk([&](linalg::ContractOp op) {
      if (op.hasPureBufferSemantics() && op.getNumLoops() > 3)
        products.push_back(op);
    });
    SmallVector<linalg::TransposeOp> transposes;
    getOperation().walk([&](linalg::TransposeOp op) {
      if (op.hasPureBufferSemantics())
        transposes.push_back(op);
    });
    while (!transposes.empty())
      if (linalg::TransposeOp op = transposes.pop_back_val();
          op.getPermutation().size() > 2)
        transposes.push_back(split(op));
    while (!products.empty())
      if (linalg::ContractOp op = products.pop_back_val(); op.getNumLoops() > 3)
        if (std::optional<unsigned> loop = getOuterLoop(op))
          products.push_back(split(op, *loop));
  }

  /// One transpose for each slice of the result.
  static linalg::TransposeOp split(linalg::TransposeOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Value extent = memref::DimOp::create(b, op.getInit(), 0);
    auto forOp =
        scf::ForOp::create(b, arith::ConstantIndexOp::create(b, 0), extent,
                           arith::ConstantIndexOp::create(b, 1));
    b.setInsertionPointToStart(forOp.getBody());
    Value step = forOp.getInductionVar();
    int64_t dropped = op.getPermutation().front();
    SmallVector<int64_t> permutation;
    for (int64_t position : op.getPermutation().drop_front())
      permutation.push_back(position - (position > dropped));
    auto part = linalg::TransposeOp::create(
        b, getSlice(b, op.getInput(), dropped, step),
        getSlice(b, op.getInit(), 0, step), permutation);
    op.erase();
    return part;
  }

  static linalg::ContractOp split(linalg::ContractOp op, unsigned loop) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Value extent = getValueOrCreateConstantIndexOp(
        b, b.getLoc(),
        cast<linalg::LinalgOp>(op.getOperation())
            .createLoopRanges(b, b.getLoc())[loop]
            .size);
    auto forOp =
        scf::ForOp::create(b, arith::ConstantIndexOp::create(b, 0), extent,
                           arith::ConstantIndexOp::create(b, 1));
    b.setInsertionPointToStart(forOp.getBody());
    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    llvm::SmallBitVector dropped(op.getNumLoops());
    dropped.set(loop);
    for (auto [operand, map] :
         llvm::zip(op->getOperands(), op.getIndexingMapsArray())) {
      bool isSliced = map.isFunctionOfDim(loop);
      operands.push_back(isSliced
                             ? getSlice(b, operand, 0, forOp.getInductionVar())
                             : operand);
      AffineMap rest = isSliced ? map.dropResult(0) : map;
      maps.push_back(projectDims(rest, dropped, /*compressDims=*/true));
    }
    auto part = linalg::ContractOp::create(
        b, TypeRange(), ArrayRef(operands).drop_back(), operands.back(),
        b.getAffineMapArrayAttr(maps));
    part->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    op.erase();
    return part;
  }
};

} // namespace
