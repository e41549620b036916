//===- BatchLast.cpp - Activations with the batch in contiguous memory ----===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_BATCHLAST
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The dimension of the batch, which is the one size that is not known: the
/// leading one, or that behind time. Null if there is none.
std::optional<int64_t> getBatchDimension(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  if (!tensor)
    return std::nullopt;
  if (tensor.getRank() > 0 && tensor.isDynamicDim(0))
    return 0;
  if (tensor.getNumDynamicDims() != 1)
    return std::nullopt;
  return llvm::find_if(tensor.getShape(), ShapedType::isDynamic) -
         tensor.getShape().begin();
}

/// Whether the batch is there and not the last dimension.
bool isBatchFirstType(Type type) {
  std::optional<int64_t> batch = getBatchDimension(type);
  return batch && *batch + 1 < cast<RankedTensorType>(type).getRank();
}
bool isBatchFirst(Value value) { return isBatchFirstType(value.getType()); }

/// [1, 2, ..., 0] if the batch comes first: moves it behind the others.
SmallVector<int64_t> getRotation(Type type) {
  int64_t batch = *getBatchDimension(type);
  SmallVector<int64_t> rotation;
  for (int64_t i = 0, e = cast<RankedTensorType>(type).getRank(); i < e; ++i)
    if (i != batch)
      rotation.push_back(i);
  rotation.push_back(batch);
  return rotation;
}

Value buildTranspose(OpBuilder &b, Location loc, Value tensor,
                     ArrayRef<int64_t> permutation) {
  // Two transposes are one; of those that undo each other nothing is left.
  SmallVector<int64_t> both(permutation);
  if (auto inner = tensor.getDefiningOp<linalg::TransposeOp>()) {
    both = applyPermutation(inner.getPermutation(), permutation);
    permutation = both;
    tensor = inner.getInput();
  }
  if (isIdentityPermutation(permutation))
    return tensor;
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
  SmallVector<int64_t> rotation = getRotation(type);
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

/// `tensor`, with the batch last, in the form of `type`.
Value moveBatchBack(OpBuilder &b, Location loc, Value tensor, Type type) {
  if (!isBatchFirstType(type))
    return tensor;
  return buildTranspose(b, loc, tensor,
                        invertPermutationVector(getRotation(type)));
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
        map = AffineMap::get(
            map.getNumDims(), 0,
            applyPermutation(map.getResults(),
                             getRotation(operand.get().getType())),
            op.getContext());
      }
      operands.push_back(value);
      maps.push_back(map);
    }
    linalg::LinalgOp rotated = rebuild(rewriter, op, operands, maps);
    SmallVector<Value> results;
    for (auto [old, value] : llvm::zip(op->getResults(), rotated->getResults()))
      results.push_back(moveBatchBack(rewriter, loc, value, old.getType()));
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// Turns what a scan takes and gives, outside and in its body.
struct RotateScan : OpRewritePattern<ScanOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(ScanOp op,
                                PatternRewriter &rewriter) const override {
    if (llvm::none_of(op.getOperands(), isBatchFirst) &&
        llvm::none_of(op.getResults(), isBatchFirst))
      return rewriter.notifyMatchFailure(op, "nothing is batch-first");
    Location loc = op.getLoc();
    auto turn = [&](OpBuilder &b, ValueRange values) {
      return llvm::map_to_vector(values, [&](Value value) {
        return isBatchFirst(value) ? moveBatchLast(b, loc, value) : value;
      });
    };
    auto rotated = ScanOp::create(
        rewriter, loc, turn(rewriter, op.getInitials()),
        turn(rewriter, op.getSequences()), turn(rewriter, op.getInvariants()),
        op.getReverse(), op.getCheckpointEveryAttr(),
        [&](OpBuilder &b, Location, ValueRange arguments) {
          IRMapping mapping;
          for (auto [old, argument] :
               llvm::zip(op.getBody().getArguments(), arguments))
            mapping.map(old, moveBatchBack(b, loc, argument, old.getType()));
          for (Operation &inner : op.getBody().front().without_terminator())
            b.clone(inner, mapping);
          auto turnClones = [&](ValueRange values) {
            return turn(b, llvm::map_to_vector(values, [&](Value v) {
                          return mapping.lookup(v);
                        }));
          };
          YieldOp::create(b, loc, turnClones(op.getYield().getCarries()),
                          turnClones(op.getYield().getOutputs()));
        });
    SmallVector<Value> results;
    for (auto [old, value] : llvm::zip(op.getResults(), rotated.getResults()))
      results.push_back(moveBatchBack(rewriter, loc, value, old.getType()));
    rewriter.replaceOp(op, results);
    return success();
  }
};

/// Turns reshapes that leave the batch alone.
template <typename OpTy> struct RotateReshape : OpRewritePattern<OpTy> {
  using OpRewritePattern<OpTy>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpTy op,
                                PatternRewriter &rewriter) const override {
    auto source = cast<RankedTensorType>(op.getSrc().getType());
    auto result = cast<RankedTensorType>(op.getResult().getType());
    if ((!isBatchFirstType(source) && !isBatchFirstType(result)) ||
        source.getNumDynamicDims() != 1 || result.getNumDynamicDims() != 1)
      return rewriter.notifyMatchFailure(op, "is not batch-first");
    // The group that holds the batch must be the batch alone.
    constexpr bool isExpand = std::is_same_v<OpTy, tensor::ExpandShapeOp>;
    int64_t from = *getBatchDimension(source), to = *getBatchDimension(result);
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    int64_t narrow = isExpand ? from : to, wide = isExpand ? to : from;
    if (groups[narrow] != ReassociationIndices{wide})
      return rewriter.notifyMatchFailure(op, "reshapes the batch");
    groups.erase(groups.begin() + narrow);
    SmallVector<ReassociationIndices> turned;
    int64_t next = 0;
    for (ReassociationIndices &group : groups) {
      turned.emplace_back();
      for (size_t i = 0; i < group.size(); ++i)
        turned.back().push_back(next++);
    }
    turned.push_back({next});

    Location loc = op.getLoc();
    Value input = isBatchFirstType(source)
                      ? moveBatchLast(rewriter, loc, op.getSrc())
                      : op.getSrc();
    auto rotation = getRotation(result);
    auto type = RankedTensorType::get(
        applyPermutation(result.getShape(), rotation), result.getElementType());
    Value reshaped;
    if constexpr (isExpand)
      reshaped = tensor::ExpandShapeOp::create(
          rewriter, loc, type, input, turned,
          applyPermutation(op.getMixedOutputShape(), rotation));
    else
      reshaped =
          tensor::CollapseShapeOp::create(rewriter, loc, type, input, turned);
    rewriter.replaceOp(op, moveBatchBack(rewriter, loc, reshaped, result));
    return success();
  }
};

/// What a slice of a tensor of type `type` has for each dimension, with the
/// batch behind the others.
SmallVector<OpFoldResult> rotate(ArrayRef<OpFoldResult> values, Type type) {
  return applyPermutation(values, getRotation(type));
}

RankedTensorType getRotatedType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return RankedTensorType::get(
      applyPermutation(type.getShape(), getRotation(type)),
      type.getElementType());
}

/// Whether slices of type `part` are taken from or put into all of the batch.
bool keepsBatch(Type part, Type whole) {
  return isBatchFirstType(part) && isBatchFirstType(whole) &&
         cast<RankedTensorType>(part).getRank() ==
             cast<RankedTensorType>(whole).getRank() &&
         getBatchDimension(part) == getBatchDimension(whole);
}

struct RotateExtractSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    Type source = op.getSourceType();
    if (!keepsBatch(op.getType(), source))
      return rewriter.notifyMatchFailure(op, "is no slice of samples");
    Location loc = op.getLoc();
    auto rotated = tensor::ExtractSliceOp::create(
        rewriter, loc, getRotatedType(op.getType()),
        moveBatchLast(rewriter, loc, op.getSource()),
        rotate(op.getMixedOffsets(), source),
        rotate(op.getMixedSizes(), source),
        rotate(op.getMixedStrides(), source));
    rewriter.replaceOp(op, moveBatchBack(rewriter, loc, rotated, op.getType()));
    return success();
  }
};

struct RotateInsertSlice : OpRewritePattern<tensor::InsertSliceOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::InsertSliceOp op,
                                PatternRewriter &rewriter) const override {
    Type whole = op.getType();
    if (!keepsBatch(op.getSourceType(), whole))
      return rewriter.notifyMatchFailure(op, "is no slice of samples");
    Location loc = op.getLoc();
    Value rotated = tensor::InsertSliceOp::create(
        rewriter, loc, moveBatchLast(rewriter, loc, op.getSource()),
        moveBatchLast(rewriter, loc, op.getDest()),
        rotate(op.getMixedOffsets(), whole), rotate(op.getMixedSizes(), whole),
        rotate(op.getMixedStrides(), whole));
    rewriter.replaceOp(op, moveBatchBack(rewriter, loc, rotated, whole));
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
        op.getNumLoops() < 3 ||
        op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getNumResults() < 2)
      return rewriter.notifyMatchFailure(op, "makes no matrix");
    auto maps = op.getIndexingMapsArray();
    AffineExpr lane = maps.back().getResults().back();
    for (unsigned i : {0, 1}) {
      auto indices = llvm::to_vector(maps[i].getResults());
      auto *found = llvm::find(indices, lane);
      if (found == indices.end() || found + 1 == indices.end())
        continue;
      SmallVector<int64_t> permutation;
      int64_t position = found - indices.begin();
      for (int64_t j = 0, e = indices.size(); j < e; ++j)
        if (j != position)
          permutation.push_back(j);
      permutation.push_back(position);
      SmallVector<Value> operands = op->getOperands();
      operands[i] =
          buildTranspose(rewriter, op.getLoc(), operands[i], permutation);
      maps[i] = AffineMap::get(op.getNumLoops(), 0,
                               applyPermutation(indices, permutation),
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
    if (!op.getInput().getDefiningOp<linalg::TransposeOp>() &&
        !isIdentityPermutation(op.getPermutation()))
      return failure();
    rewriter.replaceOp(op, buildTranspose(rewriter, op.getLoc(), op.getInput(),
                                          op.getPermutation()));
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
    rotate.add<RotateOperands, RotateScan, RotateReshape<tensor::ExpandShapeOp>,
               RotateReshape<tensor::CollapseShapeOp>, RotateExtractSlice,
               RotateInsertSlice, ExpandPad, FoldTransposes>(&getContext());
    RewritePatternSet finish(&getContext());
    finish.add<TransposeFactor, OrderLoops, FoldTransposes>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(rotate))) ||
        failed(applyPatternsGreedily(getOperation(), std::move(finish))))
      signalPassFailure();
  }
};

} // namespace
