//===- CollapseLoops.cpp - Loops over neighbours as one loop --------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/SetVector.h"

#include <algorithm>

namespace mlir::dann {
#define GEN_PASS_DEF_COLLAPSELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The place of `loop` among the results of `map`, if it is one of them.
std::optional<unsigned> getPlace(AffineMap map, unsigned loop) {
  return map.getResultPosition(getAffineDimExpr(loop, map.getContext()));
}

/// The loops in the order in which they index the result, then the inputs.
SmallVector<unsigned> getOrder(linalg::LinalgOp op) {
  llvm::SmallSetVector<unsigned, 8> order;
  auto maps = op.getIndexingMapsArray();
  std::rotate(maps.begin(), maps.begin() + op.getNumDpsInputs(), maps.end());
  for (AffineMap map : maps)
    for (AffineExpr expression : map.getResults())
      order.insert(cast<AffineDimExpr>(expression).getPosition());
  return llvm::to_vector(order);
}

/// Whether all operands run through two loops, of which `inner` follows
/// `outer`, as through one: contiguously, or not at all.
bool areNeighbours(linalg::LinalgOp op, unsigned outerLoop,
                   unsigned innerLoop) {
  auto iterators = op.getIteratorTypesArray();
  if (iterators[outerLoop] != iterators[innerLoop])
    return false;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    auto outer = getPlace(map, outerLoop), inner = getPlace(map, innerLoop);
    if (outer.has_value() != inner.has_value() ||
        (outer && *inner != *outer + 1) ||
        (outer &&
         !cast<MemRefType>(operand.get().getType()).getLayout().isIdentity()))
      return false;
  }
  // The body must not ask where it is.
  return !op.getBlock()
              ->walk([&](linalg::IndexOp index) {
                return index.getDim() == outerLoop ||
                               index.getDim() == innerLoop
                           ? WalkResult::interrupt()
                           : WalkResult::advance();
              })
              .wasInterrupted();
}

/// `op` with the loops that `numbers` gives the same number to as one.
void collapse(linalg::LinalgOp op, ArrayRef<unsigned> numbers,
              unsigned numLoops) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    SmallVector<AffineExpr> expressions;
    SmallVector<ReassociationIndices> groups;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [i, expression] : llvm::enumerate(map.getResults())) {
      unsigned number = numbers[cast<AffineDimExpr>(expression).getPosition()];
      AffineExpr loop = b.getAffineDimExpr(number);
      if (expressions.empty() || expressions.back() != loop) {
        expressions.push_back(loop);
        groups.emplace_back();
      }
      groups.back().push_back(i);
    }
    bool isWhole = expressions.size() == map.getNumResults();
    operands.push_back(
        isWhole ? operand.get()
                : memref::CollapseShapeOp::create(b, operand.get(), groups));
    maps.push_back(AffineMap::get(numLoops, 0, expressions, b.getContext()));
  }
  Operation *collapsed = mlir::clone(b, op, TypeRange(), operands);
  collapsed->setAttr("indexing_maps", b.getAffineMapArrayAttr(maps));
  if (auto generic = dyn_cast<linalg::GenericOp>(collapsed)) {
    SmallVector<Attribute> iterators(numLoops);
    for (auto [number, iterator] :
         llvm::zip(numbers, generic.getIteratorTypes()))
      iterators[number] = iterator;
    generic.setIteratorTypesAttr(b.getArrayAttr(iterators));
    generic.walk(
        [&](linalg::IndexOp index) { index.setDim(numbers[index.getDim()]); });
  }
  op->erase();
}

struct CollapseLoopsPass : dann::impl::CollapseLoopsBase<CollapseLoopsPass> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> operations;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isa<linalg::GenericOp, linalg::ContractOp>(op.getOperation()) &&
          op.hasPureBufferSemantics() && op.getNumLoops() > 1 &&
          llvm::all_of(op.getIndexingMapsArray(), [](AffineMap map) {
            return map.isProjectedPermutation();
          }))
        operations.push_back(op);
    });
    for (linalg::LinalgOp op : operations) {
      SmallVector<unsigned> order = getOrder(op), numbers(op.getNumLoops(), 0);
      // The first dimension of a result stays: threads share it, and follow
      // each other without a barrier where they share all results alike.
      unsigned last = 0;
      for (unsigned i = 1; i < order.size(); ++i) {
        last += i == 1 || !areNeighbours(op, order[i - 1], order[i]);
        numbers[order[i]] = last;
      }
      if (order.size() == op.getNumLoops() && last + 1 < order.size())
        collapse(op, numbers, last + 1);
    }
  }
};

} // namespace
