//===- VectorizeLoops.cpp - Elementwise operations as vector loops --------===//

#include "passes/Passes.h"
#include "passes/ProductForm.h"
#include "passes/VectorBody.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_VECTORIZELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The operation that combines a reduction's terms; null if it is none that
/// vectors have.
Operation *getCombiner(linalg::GenericOp op) {
  SmallVector<Operation *> combiners;
  if (!matchReduction(op.getRegionOutputArgs(), 0, combiners) ||
      combiners.size() != 1 || !linalg::getCombinerOpKind(combiners[0]))
    return nullptr;
  return combiners[0];
}

class Vectorizer {
public:
  Vectorizer(linalg::GenericOp op, int64_t vectorBytes) : op(op) {
    unsigned widest = 1;
    for (Value operand : op->getOperands())
      if (isa<FloatType>(getElementTypeOrSelf(operand.getType())))
        widest = std::max(
            widest,
            getElementTypeOrSelf(operand.getType()).getIntOrFloatBitWidth() /
                8);
    width = vectorBytes / (widest > 1 ? widest : 8);
  }

  bool fits() {
    if (op.getNumDpsInits() == 0 || op.getNumLoops() == 0 || !hasVectorBody(op))
      return false;
    if (!chooseLane())
      return false;
    // A lane of its own for each entry of the results.
    if (!isReduction())
      return llvm::all_of(op.getDpsInitsMutable(),
                          [&](OpOperand &init) { return runsAlongLane(init); });
    if (op.getNumDpsInits() == 1)
      combiner = getCombiner(op);
    return combiner;
  }

  void run(RewriterBase &rewriter) {
    rewriter.setInsertionPoint(op);
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    SmallVector<Value> sizes;
    auto linalgOp = cast<linalg::LinalgOp>(op.getOperation());
    for (Range range : linalgOp.createLoopRanges(b, b.getLoc()))
      sizes.push_back(
          getValueOrCreateConstantIndexOp(b, b.getLoc(), range.size));
    indices.resize(op.getNumLoops());
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      if (loop == lane)
        continue;
      auto forOp = scf::ForOp::create(b, zero, sizes[loop], one);
      indices[loop] = forOp.getInductionVar();
      b.setInsertionPointToStart(forOp.getBody());
    }
    buildLane(b, sizes[lane]);
    rewriter.eraseOp(op);
  }

private:
  bool isReduction() {
    return op.getIteratorTypesArray()[lane] == utils::IteratorType::reduction;
  }

  /// Of the loops along which all operands are contiguous that use them, the
  /// one that the most operands end with; the later one of two equals.
  bool chooseLane() {
    SmallVector<unsigned> votes(op.getNumLoops(), 0);
    for (AffineMap map : op.getIndexingMapsArray())
      if (map.getNumResults() > 0)
        if (auto last = dyn_cast<AffineDimExpr>(map.getResults().back()))
          ++votes[last.getPosition()];
    std::optional<unsigned> best;
    for (lane = 0; lane < votes.size(); ++lane)
      if (llvm::all_of(op->getOpOperands(),
                       [&](OpOperand &operand) {
                         return !runsAlongLane(operand) ||
                                isContiguousAlongLane(operand);
                       }) &&
          (!best || votes[lane] >= votes[*best]))
        best = lane;
    lane = best.value_or(0);
    return best.has_value();
  }

  bool runsAlongLane(OpOperand &operand) {
    return op.getMatchingIndexingMap(&operand).isFunctionOfDim(lane);
  }

  bool isContiguousAlongLane(OpOperand &operand) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto last = dyn_cast<AffineDimExpr>(map.getResults().back());
    return last && last.getPosition() == lane &&
           llvm::none_of(map.getResults().drop_back(),
                         [&](AffineExpr expression) {
                           return expression.isFunctionOfDim(lane);
                         }) &&
           hasContiguousRows(operand.get());
  }

  SmallVector<Value> getIndices(ImplicitLocOpBuilder &b, OpOperand &operand,
                                Value laneIndex) {
    SmallVector<Value> loops(indices), result;
    loops[lane] = laneIndex;
    for (AffineExpr expression :
         op.getMatchingIndexingMap(&operand).getResults())
      if (auto loop = dyn_cast<AffineDimExpr>(expression))
        result.push_back(loops[loop.getPosition()]);
      else
        result.push_back(affine::expandAffineExpr(b, b.getLoc(), expression,
                                                  loops, ValueRange()));
    return result;
  }

  /// A vector of neighbours along the lane. With a mask, lanes outside of it
  /// are zero.
  Value load(ImplicitLocOpBuilder &b, OpOperand &operand, Value laneIndex,
             Value mask) {
    auto type =
        VectorType::get({width}, getElementTypeOrSelf(operand.get().getType()));
    auto at = getIndices(b, operand, laneIndex);
    if (!mask)
      return vector::LoadOp::create(b, type, operand.get(), at);
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(type));
    return vector::MaskedLoadOp::create(b, type, operand.get(), at, mask, zero);
  }

  SmallVector<Value> computeVectors(ImplicitLocOpBuilder &b,
                                    ArrayRef<Value> invariant, Value laneIndex,
                                    Value mask, Value accumulator) {
    SmallVector<Value> arguments;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = invariant[operand.getOperandNumber()];
      if (op.isDpsInit(&operand) && accumulator)
        value = accumulator;
      else if (!value && op.payloadUsesValueFromOperand(&operand))
        value = load(b, operand, laneIndex, mask);
      arguments.push_back(value);
    }
    return buildVectorBody(
        b, op, width, arguments, [&](unsigned loop) -> Value {
          if (loop != lane)
            return indices[loop];
          auto type = VectorType::get({width}, b.getIndexType());
          Value steps = vector::StepOp::create(b, type);
          return arith::AddIOp::create(b, broadcast(b, laneIndex, width),
                                       steps);
        });
  }

  void buildLane(ImplicitLocOpBuilder &b, Value size) {
    // What is the same in all lanes is loaded once.
    SmallVector<Value> invariant;
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get();
      if (isa<MemRefType>(value.getType())) {
        bool isLoaded = !runsAlongLane(operand) && !op.isDpsInit(&operand) &&
                        op.payloadUsesValueFromOperand(&operand);
        value = isLoaded ? memref::LoadOp::create(b, value,
                                                  getIndices(b, operand, {}))
                         : Value();
      }
      invariant.push_back(value);
    }

    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value step = arith::ConstantIndexOp::create(b, width);
    Value rest = arith::RemUIOp::create(b, size, step);
    Value whole = arith::SubIOp::create(b, size, rest);
    Value hasRest =
        arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, zero);
    auto buildMask = [&](ImplicitLocOpBuilder &b) {
      return vector::CreateMaskOp::create(
          b, VectorType::get({width}, b.getI1Type()), rest);
    };

    if (!isReduction()) {
      auto forOp = scf::ForOp::create(b, zero, whole, step);
      auto branch = scf::IfOp::create(b, hasRest, /*withElseRegion=*/false);
      {
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToStart(forOp.getBody());
        Value i = forOp.getInductionVar();
        auto results = computeVectors(b, invariant, i, {}, {});
        for (auto [init, result] : llvm::zip(op.getDpsInitsMutable(), results))
          vector::StoreOp::create(b, result, init.get(),
                                  getIndices(b, init, i));
      }
      b.setInsertionPointToStart(branch.thenBlock());
      Value mask = buildMask(b);
      auto results = computeVectors(b, invariant, whole, mask, {});
      for (auto [init, result] : llvm::zip(op.getDpsInitsMutable(), results))
        vector::MaskedStoreOp::create(b, init.get(), getIndices(b, init, whole),
                                      mask, result);
      return;
    }

    OpOperand &init = *op.getDpsInitOperand(0);

    auto type =
        VectorType::get({width}, getElementTypeOrSelf(init.get().getType()));
    Value neutral = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, *arith::getNeutralElement(combiner)));
    auto forOp = scf::ForOp::create(b, zero, whole, step, neutral);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(forOp.getBody());
      scf::YieldOp::create(b,
                           computeVectors(b, invariant, forOp.getInductionVar(),
                                          {}, forOp.getRegionIterArgs()[0]));
    }
    Value sum = forOp.getResult(0);
    auto branch = scf::IfOp::create(b, type, hasRest, /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(b);
      b.setInsertionPointToStart(branch.thenBlock());
      Value mask = buildMask(b);
      Value more = computeVectors(b, invariant, whole, mask, sum).front();
      scf::YieldOp::create(b,
                           Value(arith::SelectOp::create(b, mask, more, sum)));
      b.setInsertionPointToStart(branch.elseBlock());
      scf::YieldOp::create(b, sum);
    }
    auto at = getIndices(b, init, {});
    Value old = memref::LoadOp::create(b, init.get(), at);
    Value total = vector::ReductionOp::create(
        b, *linalg::getCombinerOpKind(combiner), branch.getResult(0), old,
        arith::FastMathFlags::reassoc);
    memref::StoreOp::create(b, total, init.get(), at);
  }

  linalg::GenericOp op;
  int64_t width;
  unsigned lane = 0;
  Operation *combiner = nullptr;
  SmallVector<Value> indices; // of the loops around the lane
};

/// Copies a matrix to its transpose in square tiles, which are turned in
/// registers.
class TransposeVectorizer {
public:
  TransposeVectorizer(linalg::GenericOp op, int64_t vectorBytes) : op(op) {
    Type element = getElementTypeOrSelf(op->getOperand(0).getType());
    if (element.isF32() || element.isF64())
      width = vectorBytes * 8 / element.getIntOrFloatBitWidth();
  }

  bool fits() {
    if (width == 0 || op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
        op.getNumLoops() != 2 || op.getNumParallelLoops() != 2 ||
        !isa<MemRefType>(op.getDpsInputs()[0].getType()) ||
        op.getBody()->getTerminator()->getOperand(0) !=
            op.getBody()->getArgument(0))
      return false;
    auto maps = op.getIndexingMapsArray();
    return maps[0].isPermutation() && !maps[0].isIdentity() &&
           maps[1].isIdentity() && hasContiguousRows(op->getOperand(0)) &&
           hasContiguousRows(op->getOperand(1));
  }

  void run(RewriterBase &rewriter) {
    rewriter.setInsertionPoint(op);
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    Value from = op->getOperand(0), to = op->getOperand(1);
    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    Value step = arith::ConstantIndexOp::create(b, width);
    Value rows = memref::DimOp::create(b, from, zero);
    Value columns = memref::DimOp::create(b, from, one);
    auto outer = scf::ForOp::create(b, zero, rows, step);
    b.setInsertionPointToStart(outer.getBody());
    auto inner = scf::ForOp::create(b, zero, columns, step);
    b.setInsertionPointToStart(inner.getBody());
    Value i = outer.getInductionVar(), j = inner.getInductionVar();
    Value iEnd = arith::AddIOp::create(b, i, step);
    Value jEnd = arith::AddIOp::create(b, j, step);
    auto isAtMost = [&](Value x, Value y) {
      return arith::CmpIOp::create(b, arith::CmpIPredicate::sle, x, y);
    };
    Value isWhole =
        arith::AndIOp::create(b, isAtMost(iEnd, rows), isAtMost(jEnd, columns));
    auto branch = scf::IfOp::create(b, isWhole, /*withElseRegion=*/true);
    b.setInsertionPointToStart(branch.thenBlock());
    buildTile(b, i, j);
    // Tiles on the edge entry by entry: loads of which all lanes are masked out
    // cost hundreds of cycles on some CPUs.
    b.setInsertionPointToStart(branch.elseBlock());
    auto rowLoop =
        scf::ForOp::create(b, i, arith::MinSIOp::create(b, iEnd, rows), one);
    b.setInsertionPointToStart(rowLoop.getBody());
    auto columnLoop =
        scf::ForOp::create(b, j, arith::MinSIOp::create(b, jEnd, columns), one);
    b.setInsertionPointToStart(columnLoop.getBody());
    Value row = rowLoop.getInductionVar();
    Value column = columnLoop.getInductionVar();
    memref::StoreOp::create(
        b, memref::LoadOp::create(b, from, ValueRange{row, column}), to,
        ValueRange{column, row});
    rewriter.eraseOp(op);
  }

private:
  void buildTile(ImplicitLocOpBuilder &b, Value i, Value j) {
    Value from = op->getOperand(0), to = op->getOperand(1);
    auto rowType =
        VectorType::get({width}, getElementTypeOrSelf(from.getType()));
    auto tileType = VectorType::get({width, width}, rowType.getElementType());
    Value tile = arith::ConstantOp::create(b, b.getZeroAttr(tileType));
    for (int64_t r = 0; r < width; ++r)
      tile = vector::InsertOp::create(
          b,
          vector::LoadOp::create(b, rowType, from,
                                 ValueRange{offset(b, i, r), j}),
          tile, r);
    tile = vector::TransposeOp::create(b, tile, ArrayRef<int64_t>{1, 0});
    for (int64_t r = 0; r < width; ++r)
      vector::StoreOp::create(
          b, vector::ExtractOp::create(b, tile, ArrayRef<int64_t>{r}), to,
          ValueRange{offset(b, j, r), i});
  }

  static Value offset(ImplicitLocOpBuilder &b, Value index, int64_t by) {
    return arith::AddIOp::create(b, index,
                                 arith::ConstantIndexOp::create(b, by));
  }

  linalg::GenericOp op;
  int64_t width = 0;
};

struct VectorizeLoopsPass : dann::impl::VectorizeLoopsBase<VectorizeLoopsPass> {
  using VectorizeLoopsBase::VectorizeLoopsBase;

  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    SmallVector<linalg::GenericOp> generics;
    getOperation().walk([&](linalg::GenericOp op) { generics.push_back(op); });
    for (linalg::GenericOp op : generics) {
      if (!op.hasPureBufferSemantics())
        continue;
      Vectorizer vectorizer(op, vectorBytes);
      TransposeVectorizer transpose(op, vectorBytes);
      if (transpose.fits())
        transpose.run(rewriter);
      else if (vectorizer.fits())
        vectorizer.run(rewriter);
    }
    // Vector code for exp and its kin; in double precision they stay calls.
    RewritePatternSet patterns(&getContext());
    vector::populateVectorTransposeLoweringPatterns(
        patterns, vector::VectorTransposeLowering::Shuffle16x16);
    populateMathPolynomialApproximationPatterns(patterns,
                                                [](StringRef) { return true; });
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
