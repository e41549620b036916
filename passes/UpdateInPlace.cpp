//===- UpdateInPlace.cpp - Updates into the parameters' own tensors -------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::dann {
#define GEN_PASS_DEF_UPDATEINPLACE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// Makes `argument` the destination of `op`, whose result is undefined before,
/// if it reads the argument entry by entry.
void reuseArgument(linalg::LinalgOp op, BlockArgument argument) {
  OpOperand *init = op.getDpsInitOperand(0);
  if (op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !init->get().getDefiningOp<tensor::EmptyOp>() ||
      op.payloadUsesValueFromOperand(init))
    return;
  for (OpOperand *input : op.getDpsInputOperands())
    if (input->get() == argument &&
        op.getMatchingIndexingMap(input) == op.getMatchingIndexingMap(init)) {
      init->set(argument);
      return;
    }
}

struct UpdateInPlacePass : dann::impl::UpdateInPlaceBase<UpdateInPlacePass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock())
      return;
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto updates = function.getResultAttrOfType<IntegerAttr>(
          i, DannDialect::kUpdatesAttr);
      if (!updates)
        continue;
      if (auto op = value.getDefiningOp<linalg::LinalgOp>())
        reuseArgument(op, function.getArgument(updates.getInt()));
    }
  }
};

} // namespace
