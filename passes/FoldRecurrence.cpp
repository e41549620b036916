//===- FoldRecurrence.cpp - Subtractive inhibition once for all steps -----===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::dann {
#define GEN_PASS_DEF_FOLDRECURRENCE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// What an invariant of the scan around it is outside; null if `value` is none.
Value getOutside(ScanOp scan, Value value) {
  for (auto [argument, invariant] :
       llvm::zip(scan.getInvariantArguments(), scan.getInvariants()))
    if (argument == value)
      return invariant;
  return nullptr;
}

/// Gives the body of `scan` a further invariant.
Value addInvariant(ScanOp scan, Value value) {
  scan.getInvariantsMutable().append(value);
  return scan.getBody().addArgument(value.getType(), value.getLoc());
}

/// What a layer in inference, where nothing is dropped, takes as `value`.
Value skipDropout(Value value) {
  auto dropout = value.getDefiningOp<DropoutOp>();
  auto function =
      dropout ? dropout->getParentOfType<func::FuncOp>() : func::FuncOp();
  return function && function->hasAttr(DannDialect::kInferenceAttr)
             ? dropout.getX()
             : value;
}

struct FoldRecurrencePass : dann::impl::FoldRecurrenceBase<FoldRecurrencePass> {
  void runOnOperation() override {
    SmallVector<EiDenseOp> layers;
    getOperation().walk([&](EiDenseOp op) {
      if (!op.getAlpha() && isa<ScanOp>(op->getParentOp()))
        layers.push_back(op);
    });
    for (EiDenseOp layer : layers)
      fold(layer);
  }

  static void fold(EiDenseOp layer) {
    Value weights[] = {skipDropout(layer.getWex()), skipDropout(layer.getWix()),
                       layer.getWei()};
    // Out of all scans in which they are the same at every step.
    SmallVector<ScanOp> scans;
    for (auto scan = dyn_cast<ScanOp>(layer->getParentOp()); scan;
         scan = dyn_cast<ScanOp>(scan->getParentOp())) {
      Value outside[3];
      for (auto [value, result] : llvm::zip(weights, outside))
        result = getOutside(scan, value);
      if (!llvm::all_of(outside, [](Value v) { return v != nullptr; }))
        break;
      llvm::copy(outside, weights);
      scans.push_back(scan);
    }
    if (scans.empty())
      return;
    OpBuilder builder(scans.back());
    Value folded =
        FoldInhibitionOp::create(builder, layer.getLoc(), weights[0].getType(),
                                 weights[0], weights[1], weights[2]);
    for (ScanOp scan : llvm::reverse(scans))
      folded = addInvariant(scan, folded);
    builder.setInsertionPoint(layer);
    auto onFolded =
        EiDenseFoldedOp::create(builder, layer.getLoc(), layer.getType(),
                                layer.getX(), folded, layer.getBias());
    layer.replaceAllUsesWith(onFolded.getResult());
    layer.erase();
  }
};

} // namespace
