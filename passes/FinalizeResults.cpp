//===- FinalizeResults.cpp - One buffer for each result -----------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir::dann {
#define GEN_PASS_DEF_FINALIZERESULTS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {
struct FinalizeResultsPass
    : dann::impl::FinalizeResultsBase<FinalizeResultsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock())
      return;
    Operation *terminator = function.getBody().front().getTerminator();
    OpBuilder builder(terminator);
    unsigned numResults = function.getNumResults();
    for (Value buffer : terminator->getOperands())
      if (!isa<MemRefType>(buffer.getType())) {
        function.emitError(
            "must be bufferized before its results can be finalized");
        return signalPassFailure();
      }

    // The arguments that are overwritten, by the results that do it.
    SmallVector<Value> overwritten(numResults);
    for (unsigned i = 0; i < numResults; ++i)
      if (auto updates = function.getResultAttrOfType<IntegerAttr>(
              i, DannDialect::kUpdatesAttr))
        overwritten[i] = function.getArgument(updates.getInt());

    // Results that are the old value of an argument that another result
    // overwrites, and results that are one buffer, are saved first.
    DenseSet<Value> returned;
    for (unsigned i = 0; i < numResults; ++i) {
      Value buffer = terminator->getOperand(i);
      bool isOldValue =
          buffer != overwritten[i] && llvm::is_contained(overwritten, buffer);
      bool isShared = !overwritten[i] && !returned.insert(buffer).second;
      if (isOldValue || isShared)
        terminator->setOperand(i, copy(builder, buffer));
    }
    llvm::BitVector dropped(numResults);
    for (unsigned i = 0; i < numResults; ++i) {
      if (!overwritten[i])
        continue;
      dropped.set(i);
      Value buffer = terminator->getOperand(i);
      if (buffer != overwritten[i])
        memref::CopyOp::create(builder, terminator->getLoc(), buffer,
                               overwritten[i]);
    }
    terminator->eraseOperands(dropped);
    if (failed(function.eraseResults(dropped)))
      signalPassFailure();
  }

  static Value copy(OpBuilder &builder, Value buffer) {
    Location loc = buffer.getLoc();
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<Value> sizes;
    for (int64_t i = 0; i < type.getRank(); ++i)
      if (type.isDynamicDim(i))
        sizes.push_back(memref::DimOp::create(builder, loc, buffer, i));
    Value other = memref::AllocOp::create(builder, loc, type, sizes);
    memref::CopyOp::create(builder, loc, buffer, other);
    return other;
  }
};
} // namespace
