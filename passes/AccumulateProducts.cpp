//===- AccumulateProducts.cpp - Sums of products without the summands -----===//

#include "passes/CloneScan.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::dann {
#define GEN_PASS_DEF_ACCUMULATEPRODUCTS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// a + (b . c) becomes a product that starts from a.
struct AccumulateProduct : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op,
                                PatternRewriter &rewriter) const override {
    for (auto [summand, other] :
         {std::pair(op.getRhs(), op.getLhs()), {op.getLhs(), op.getRhs()}}) {
      auto product = summand.getDefiningOp<linalg::ContractOp>();
      // What the product would overwrite must be nobody else's.
      if (!product || !summand.hasOneUse() || !other.hasOneUse() ||
          !other.getDefiningOp() || !isZeros(product.getDpsInits()[0]))
        continue;
      SmallVector<Value> operands = product->getOperands();
      operands.back() = other;
      rewriter.replaceOp(
          op, mlir::clone(rewriter, product, op->getResultTypes(), operands));
      return success();
    }
    return rewriter.notifyMatchFailure(op, "is no sum with a product");
  }
};

/// Whether the result of `op` is its init plus a sum over its reduction loops.
bool isSumOverLoops(linalg::LinalgOp op) {
  return op->getNumResults() == 1 && op.hasPureTensorSemantics() &&
         op.getNumReductionLoops() > 0 && isSum(op);
}

/// Moves sums out of a scan: what a carry collects over the steps from sums
/// over other dimensions is one sum over both. Kernels then run over many steps
/// at once, and threads wait for each other once.
class SumHoister {
public:
  explicit SumHoister(ScanOp scan) : scan(scan) {}

  /// Replaces the scan if there is such a carry.
  void run() {
    YieldOp yield = scan.getYield();
    outputs = yield.getOutputs();
    for (auto [i, argument] : llvm::enumerate(scan.getCarryArguments())) {
      Value total = yield.getCarries()[i];
      SmallVector<linalg::LinalgOp> summands;
      // A carry with one use, in a sum that is its next value.
      metCarry = false;
      if (argument.hasOneUse() && total.hasOneUse() &&
          collect(total, argument, summands) && metCarry && !summands.empty())
        found.push_back({static_cast<unsigned>(i), summands});
    }
    if (found.empty())
      return;
    OpBuilder builder(scan);
    for (auto &[carry, summands] : found)
      for (linalg::LinalgOp summand : summands)
        for (OpOperand *input : summand.getDpsInputOperands())
          if (isStepValue(input->get()) &&
              !llvm::is_contained(outputs, input->get()))
            outputs.push_back(input->get());
    ScanOp wider = buildWider(builder);
    for (auto &[carry, summands] : found) {
      Value sum = scan.getInitials()[carry];
      for (linalg::LinalgOp summand : summands)
        sum = buildOverSteps(builder, wider, summand, sum);
      scan.getLastCarries()[carry].replaceAllUsesWith(sum);
    }
    for (auto [old, value] : llvm::zip(scan.getResults(), wider.getResults()))
      old.replaceAllUsesWith(value);
    scan.erase();
  }

private:
  /// Whether `value` is made in each step, not given from outside.
  bool isStepValue(Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return !argument || argument.getArgNumber() < scan.getInitials().size();
  }

  /// Collects the sums of which `value` consists, besides `carry`. Each one is
  /// used here alone and can be moved.
  bool collect(Value value, BlockArgument carry,
               SmallVectorImpl<linalg::LinalgOp> &summands) {
    if (value == carry)
      return metCarry = true;
    if (isZeros(value))
      return true;
    if (!value.hasOneUse() || !value.getDefiningOp())
      return false;
    if (auto sum = value.getDefiningOp<arith::AddFOp>())
      return collect(sum.getLhs(), carry, summands) &&
             collect(sum.getRhs(), carry, summands);
    auto op = value.getDefiningOp<linalg::LinalgOp>();
    if (!op || !isa<linalg::GenericOp, linalg::ContractOp>(op.getOperation()) ||
        !isSumOverLoops(op) ||
        !llvm::all_of(op.getDpsInputs(), [](Value input) {
          return isa<RankedTensorType>(input.getType());
        }))
      return false;
    bool readsOutside = false;
    op->getRegion(0).walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        readsOutside |= operand.getParentRegion() == &scan.getBody();
    });
    if (readsOutside)
      return false;
    summands.push_back(op);
    return collect(op.getDpsInits()[0], carry, summands);
  }

  /// The scan with all its outputs, in which found carries stay what they were.
  ScanOp buildWider(OpBuilder &builder) {
    SmallVector<Value> carries = scan.getYield().getCarries();
    for (auto &[carry, summands] : found)
      carries[carry] = scan.getCarryArguments()[carry];
    return cloneScan(builder, scan, carries, outputs);
  }

  /// `op` with the steps as an additional, outermost reduction, added to
  /// `init`.
  Value buildOverSteps(OpBuilder &builder, ScanOp wider, linalg::LinalgOp op,
                       Value init) {
    SmallVector<Value> inputs;
    SmallVector<AffineMap> maps;
    MLIRContext *context = builder.getContext();
    for (OpOperand &operand : op->getOpOperands()) {
      Value value = operand.get();
      AffineMap map = op.getMatchingIndexingMap(&operand);
      map = map.shiftDims(1);
      bool isPerStep = false;
      if (op.isDpsInit(&operand)) {
        maps.push_back(map);
        continue;
      }
      if (isStepValue(value)) {
        auto position = llvm::find(outputs, value) - outputs.begin();
        inputs.push_back(wider.getOutputs()[position]);
        isPerStep = true;
      } else {
        unsigned index = cast<BlockArgument>(value).getArgNumber();
        isPerStep =
            index < scan.getInitials().size() + scan.getSequences().size();
        inputs.push_back(scan.getOperand(index));
      }
      if (isPerStep) {
        SmallVector<AffineExpr> results = {builder.getAffineDimExpr(0)};
        llvm::append_range(results, map.getResults());
        map = AffineMap::get(map.getNumDims(), 0, results, context);
      }
      maps.push_back(map);
    }
    if (isa<linalg::ContractOp>(op.getOperation()))
      return linalg::ContractOp::create(builder, op.getLoc(), init.getType(),
                                        inputs, init,
                                        builder.getAffineMapArrayAttr(maps))
          .getResult(0);
    SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
    iterators.insert(iterators.begin(), utils::IteratorType::reduction);
    auto generic = linalg::GenericOp::create(
        builder, op.getLoc(), init.getType(), inputs, init, maps, iterators);
    IRMapping mapping;
    op->getRegion(0).cloneInto(&generic.getRegion(), mapping);
    return generic.getResult(0);
  }

  ScanOp scan;
  bool metCarry = false;
  SmallVector<Value> outputs;
  SmallVector<std::pair<unsigned, SmallVector<linalg::LinalgOp>>> found;
};

struct AccumulateProductsPass
    : dann::impl::AccumulateProductsBase<AccumulateProductsPass> {
  void runOnOperation() override {
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans)
      SumHoister(scan).run();
    RewritePatternSet patterns(&getContext());
    patterns.add<AccumulateProduct>(&getContext());
    ScanOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
