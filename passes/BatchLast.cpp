//===- BatchLast.cpp - Activations with the batch in contiguous memory ----===//

#include "passes/Passes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_BATCHLAST
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

namespace {

/// The batch is the one size that is not known: a leading `?`.
bool isBatchFirst(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 1 && type.isDynamicDim(0);
}

/// [1, 2, ..., 0]: moves the first dimension behind the others.
SmallVector<int64_t> getRotation(int64_t rank) {
  auto rotation = llvm::to_vector(llvm::seq<int64_t>(1, rank));
  rotation.push_back(0);
  return rotation;
}

Value buildTranspose(OpBuilder &b, Location loc, Value tensor,
                     ArrayRef<int64_t> permutation) {
  // Of two transposes that undo each other nothing is left.
  if (auto inner = tensor.getDefiningOp<linalg::TransposeOp>()) {
    auto both = applyPermutation(inner.getPermutation(), permutation);
    if (isIdentityPermutation(both))
      return inner.getInput();
  }
  SmallVector<OpFoldResult> sizes =
      applyPermutation(tensor::getMixedSizes(b, loc, tensor), permutation);
  Value init = tensor::EmptyOp::create(b, loc, sizes,
                                       getElementTypeOrSelf(tensor.getType()));
  return linalg::TransposeOp::create(b, loc, tensor, init, permutation)
      ->getResult(0);
}

/// `tensor` with the batch behind the other dimensions. What has no contents
/// yet, or one value everywhere, is made anew in that shape.
Value moveBatchLast(OpBuilder &b, Location loc, Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> rotation = getRotation(type.getRank());
  if (auto empty = tensor.getDefiningOp<tensor::EmptyOp>())
    return tensor::EmptyOp::create(
        b, loc, applyPermutation(empty.getMixedSizes(), rotation),
        type.getElementType());
  if (auto fill = tensor.getDefiningOp<linalg::FillOp>()) {
    Value init = moveBatchLast(b, loc, fill.getOutputs()[0]);
    return linalg::FillOp::create(b, loc, fill.getInputs()[0], init)
        .getResult(0);
  }
  return buildTranspose(b, loc, tensor, rotation);
}

/// Operations of which the maps can be chosen.
bool hasFreeMaps(linalg::LinalgOp op) {
  return isa<linalg::GenericOp, linalg::ContractOp>(op.getOperation());
}

/// `op` with other operands and maps.
linalg::LinalgOp rebuild(OpBuilder &b, linalg::LinalgOp op,
                         ArrayRef<Value> operands, ArrayRef<AffineMap> maps) {
  ValueRange inits = operands.drop_front(op.getNumDpsInputs());
  Operation *rebuilt = mlir::clone(b, op, inits.getTypes(), operands);
  rebuilt->setAttr("indexing_maps", b.getAffineMapArrayAttr(maps));
  return cast<linalg::LinalgOp>(rebuilt);
}

/// Turns the operands and results of an operation.
struct RotateOperands : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!hasFreeMaps(op) || llvm::none_of(op->getOperands(), isBatchFirst))
      return rewriter.notifyMatchFailure(op, "no operand is batch-first");
    Location loc = op.getLoc();
    SmallVector<Value> operands;
    SmallVector<AffineMap> maps;
    for (OpOperand &operand : op->getOpOperands()) {
      AffineMap map = op.getMatchingIndexingMap(&operand);
      Value value = operand.get();
      if (isBatchFirst(value)) {
        value = moveBatchLast(rewriter, loc, value);
        map = AffineMap::get(map.getNumDims(), 0,
                             applyPermutation(map.getResults(),
                                              getRotation(map.getNumResults())),
                             op.getContext());
      }
      operands.push_back(value);
      maps.push_back(map);
    }
    linalg::LinalgOp rotated = rebuild(rewriter, op, operands, maps);
    SmallVector<Value> results;
    for (auto [old, value] :
         llvm::zip(op->getResults(), rotated->getResults())) {
      int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
      results.push_back(
          isBatchFirst(old)
              ? buildTranspose(rewriter, loc, value,
                               invertPermutationVector(getRotation(rank)))
              : value);
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// The batch behind the other entries of what a slice has for each dimension.
SmallVector<OpFoldResult> rotate(ArrayRef<OpFoldResult> values) {
  return applyPermutation(values, getRotation(values.size()));
}

/// `last`, with the batch last, as the batch-first value that stood in its
/// place.
Value moveBatchFirst(OpBuilder &b, Location loc, Value last) {
  int64_t rank = cast<RankedTensorType>(last.getType()).getRank();
  return buildTranspose(b, loc, last,
                        invertPermutationVector(getRotation(rank)));
}

RankedTensorType getRotatedType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return RankedTensorType::get(
      applyPermutation(type.getShape(), getRotation(type.getRank())),
      type.getElementType());
}

struct RotateExtractSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    if (!isBatchFirst(op.getSource()) || !isBatchFirst(op.getResult()) ||
        op.getSourceType().getRank() != op.getType().getRank())
      return failure();
    Location loc = op.getLoc();
    auto rotated = tensor::ExtractSliceOp::create(
        rewriter, loc, getRotatedType(op.getType()),
        moveBatchLast(rewriter, loc, op.getSource()),
        rotate(op.getMixedOffsets()), rotate(op.getMixedSizes()),
        rotate(op.getMixedStrides()));
    rewriter.replaceOp(op, moveBatchFirst(rewriter, loc, rotated));
    return success();
  }
};

struct RotateInsertSlice : OpRewritePattern<tensor::InsertSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::InsertSliceOp op,
                                PatternRewriter &rewriter) const override {
    if (!isBatchFirst(op.getSource()) || !isBatchFirst(op.getDest()) ||
        op.getSourceType().getRank() != op.getType().getRank())
      return failure();
    Location loc = op.getLoc();
    Value rotated = tensor::InsertSliceOp::create(
        rewriter, loc, moveBatchLast(rewriter, loc, op.getSource()),
        moveBatchLast(rewriter, loc, op.getDest()),
        rotate(op.getMixedOffsets()), rotate(op.getMixedSizes()),
        rotate(op.getMixedStrides()));
    rewriter.replaceOp(op, moveBatchFirst(rewriter, loc, rotated));
    return success();
  }
};

/// The groups of dimensions of a reshape that leaves the batch alone, with the
/// batch last; none if it does not.
std::optional<SmallVector<ReassociationIndices>>
rotateGroups(ArrayRef<ReassociationIndices> groups) {
  if (groups.size() < 2 || groups.front().size() != 1)
    return std::nullopt;
  SmallVector<ReassociationIndices> rotated;
  int64_t next = 0;
  for (const ReassociationIndices &group : groups.drop_front()) {
    ReassociationIndices &indices = rotated.emplace_back();
    for (size_t i = 0; i < group.size(); ++i)
      indices.push_back(next++);
  }
  rotated.push_back({next});
  return rotated;
}

struct RotateCollapse : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto groups = rotateGroups(op.getReassociationIndices());
    if (!isBatchFirst(op.getSrc()) || !groups)
      return failure();
    Location loc = op.getLoc();
    Value rotated = tensor::CollapseShapeOp::create(
        rewriter, loc, moveBatchLast(rewriter, loc, op.getSrc()), *groups);
    rewriter.replaceOp(op, moveBatchFirst(rewriter, loc, rotated));
    return success();
  }
};

struct RotateExpand : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto groups = rotateGroups(op.getReassociationIndices());
    if (!isBatchFirst(op.getSrc()) || !groups)
      return failure();
    Location loc = op.getLoc();
    Value rotated = tensor::ExpandShapeOp::create(
        rewriter, loc, getRotatedType(op.getType()),
        moveBatchLast(rewriter, loc, op.getSrc()), *groups,
        rotate(op.getMixedOutputShape()));
    rewriter.replaceOp(op, moveBatchFirst(rewriter, loc, rotated));
    return success();
  }
};

/// Padding with one value is that value everywhere, and the tensor in it.
struct ExpandPad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    Value padding = op.getConstantPaddingValue();
    if (!isBatchFirst(op.getSource()) || !isBatchFirst(op.getResult()) ||
        !padding)
      return failure();
    Location loc = op.getLoc();
    SmallVector<OpFoldResult> sizes;
    for (auto [i, low, high] :
         llvm::enumerate(op.getMixedLowPad(), op.getMixedHighPad())) {
      auto lowSize = getConstantIntValue(low),
           highSize = getConstantIntValue(high);
      bool isDynamic = op.getType().isDynamicDim(i);
      if (!lowSize || !highSize || *lowSize < 0 || *highSize < 0 ||
          (isDynamic && (*lowSize != 0 || *highSize != 0)))
        return failure();
      sizes.push_back(
          isDynamic ? tensor::getMixedSize(rewriter, loc, op.getSource(), i)
                    : OpFoldResult(
                          rewriter.getIndexAttr(op.getType().getDimSize(i))));
    }
    Value empty = tensor::EmptyOp::create(rewriter, loc, sizes,
                                          op.getType().getElementType());
    Value filled =
        linalg::FillOp::create(rewriter, loc, padding, empty).getResult(0);
    SmallVector<OpFoldResult> ones(sizes.size(), rewriter.getIndexAttr(1));
    rewriter.replaceOpWithNewOp<tensor::InsertSliceOp>(
        op, op.getSource(), filled, op.getMixedLowPad(),
        tensor::getMixedSizes(rewriter, loc, op.getSource()), ones);
    return success();
  }
};

/// Of a product's two factors, the one whose loop is the innermost of the
/// result becomes contiguous along it.
struct TransposeFactor : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op,
                                PatternRewriter &rewriter) const override {
    if (!hasFreeMaps(op) || !linalg::isaContractionOpInterface(op) ||
        op.getNumLoops() < 3)
      return rewriter.notifyMatchFailure(op, "is no product of two matrices");
    auto maps = op.getIndexingMapsArray();
    if (maps.back().getNumResults() < 2)
      return rewriter.notifyMatchFailure(op, "gives no matrix");
    AffineExpr lane = maps.back().getResults().back();
    for (unsigned i : {0, 1}) {
      if (maps[i].getNumResults() < 2 || maps[i].getResult(0) != lane)
        continue;
      SmallVector<int64_t> rotation = getRotation(maps[i].getNumResults());
      SmallVector<Value> operands = op->getOperands();
      operands[i] =
          buildTranspose(rewriter, op.getLoc(), operands[i], rotation);
      maps[i] = AffineMap::get(maps[i].getNumDims(), 0,
                               applyPermutation(maps[i].getResults(), rotation),
                               op.getContext());
      rewriter.replaceOp(op, rebuild(rewriter, op, operands, maps));
      return success();
    }
    return failure();
  }
};

/// Makes the loops of an elementwise operation run in the order of its result.
struct OrderLoops : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op,
                                PatternRewriter &rewriter) const override {
    AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    if (op.getNumParallelLoops() != op.getNumLoops() ||
        !result.isPermutation() || result.isIdentity())
      return failure();
    SmallVector<unsigned> order;
    for (AffineExpr loop : result.getResults())
      order.push_back(cast<AffineDimExpr>(loop).getPosition());
    return linalg::interchangeGenericOp(rewriter, op, order);
  }
};

struct FoldTransposes : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getInput().getDefiningOp<linalg::TransposeOp>();
    if (!inner || !isIdentityPermutation(applyPermutation(
                      inner.getPermutation(), op.getPermutation())))
      return failure();
    rewriter.replaceOp(op, inner.getInput());
    return success();
  }
};

struct BatchLastPass : dann::impl::BatchLastBase<BatchLastPass> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::LinalgOp> named;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::GenericOp, linalg::ContractOp, linalg::FillOp,
               linalg::TransposeOp>(op.getOperation()))
        named.push_back(op);
    });
    for (linalg::LinalgOp op : named) {
      rewriter.setInsertionPoint(op);
      // What has no generic form stays as it is, batch first.
      (void)linalg::generalizeNamedOp(rewriter, op);
    }

    RewritePatternSet rotate(&getContext());
    rotate.add<RotateOperands, RotateExtractSlice, RotateInsertSlice,
               RotateCollapse, RotateExpand, ExpandPad, FoldTransposes>(
        &getContext());
    RewritePatternSet finish(&getContext());
    finish.add<TransposeFactor, OrderLoops, FoldTransposes>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(rotate))) ||
        failed(applyPatternsGreedily(getOperation(), std::move(finish))))
      signalPassFailure();
  }
};

} // namespace
