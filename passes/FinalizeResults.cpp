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
    DenseSet<Value> returned;
    llvm::BitVector dropped(function.getNumResults());
    for (unsigned i = 0, e = function.getNumResults(); i < e; ++i) {
      auto updates = function.getResultAttrOfType<IntegerAttr>(
          i, DannDialect::kUpdatesAttr);
      Value buffer = terminator->getOperand(i);
      if (!isa<MemRefType>(buffer.getType())) {
        function.emitError(
            "must be bufferized before its results can be finalized");
        return signalPassFailure();
      }
      if (!updates) {
        if (!returned.insert(buffer).second)
          terminator->setOperand(i, copy(builder, buffer));
        continue;
      }
      Value argument = function.getArgument(updates.getInt());
      if (buffer != argument)
        memref::CopyOp::create(builder, terminator->getLoc(), buffer, argument);
      dropped.set(i);
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
