//===- ScheduleUpdates.cpp - Update parameters as soon as possible --------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SCHEDULEUPDATES
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The operations of `block` that `value` needs and nothing else does, in their
/// order.
SmallVector<Operation *> getOwnOperations(Block &block, Value value) {
  llvm::SmallPtrSet<Operation *, 16> own;
  SmallVector<Operation *> ordered;
  for (Operation &op : llvm::reverse(block)) {
    bool isNeededHere =
        llvm::is_contained(op.getResults(), value) ||
        (!op.use_empty() && llvm::all_of(op.getUsers(), [&](Operation *user) {
          return own.contains(block.findAncestorOpInBlock(*user));
        }));
    if (isNeededHere && isMemoryEffectFree(&op)) {
      own.insert(&op);
      ordered.push_back(&op);
    }
  }
  std::reverse(ordered.begin(), ordered.end());
  return ordered;
}

/// Moves what computes the new value of `argument` to where its operands are
/// known and the old value has had its last use.
void schedule(Block &block, BlockArgument argument, Value updated) {
  SmallVector<Operation *> own = getOwnOperations(block, updated);
  auto isOwn = [&](Operation *op) { return llvm::is_contained(own, op); };
  Operation *last = nullptr;
  auto wait = [&](Operation *op) {
    if (op && !isOwn(op) && (!last || last->isBeforeInBlock(op)))
      last = op;
  };
  for (Operation *user : argument.getUsers())
    wait(block.findAncestorOpInBlock(*user));
  for (Operation *op : own)
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (Operation *definition = operand.getDefiningOp())
          wait(block.findAncestorOpInBlock(*definition));
    });
  if (!last || last->hasTrait<OpTrait::IsTerminator>())
    return;
  for (Operation *op : own) {
    op->moveAfter(last);
    last = op;
  }
}

struct ScheduleUpdatesPass
    : dann::impl::ScheduleUpdatesBase<ScheduleUpdatesPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock())
      return;
    Block &block = function.getBody().front();
    Operation *terminator = block.getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      if (auto updates = function.getResultAttrOfType<IntegerAttr>(
              i, DannDialect::kUpdatesAttr);
          updates && value.getDefiningOp())
        schedule(block, function.getArgument(updates.getInt()), value);
  }
};

} // namespace
