//===- LowerScans.cpp - Recurrence as loops on tensors --------------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_LOWERSCANS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// Where step `step` of a sequence lies.
struct Slice {
  SmallVector<OpFoldResult> offsets, sizes, strides;

  Slice(ImplicitLocOpBuilder &b, Value sequence, Value step)
      : sizes(tensor::getMixedSizes(b, b.getLoc(), sequence)) {
    offsets.assign(sizes.size(), b.getIndexAttr(0));
    strides.assign(sizes.size(), b.getIndexAttr(1));
    offsets[0] = step;
    sizes[0] = b.getIndexAttr(1);
  }
};

/// The size of the batch, which every size that is not known is.
Value getBatchSize(ImplicitLocOpBuilder &b, ScanOp scan) {
  for (Value operand : scan.getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    for (int64_t i = 0, e = type.getRank(); i < e; ++i)
      if (type.isDynamicDim(i))
        return b.createOrFold<tensor::DimOp>(operand, i);
  }
  return nullptr;
}

struct LowerScansPass : dann::impl::LowerScansBase<LowerScansPass> {
  void runOnOperation() override {
    // Scans in the body of a scan come before it.
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp scan) { scans.push_back(scan); });
    for (ScanOp scan : scans)
      if (failed(lower(scan)))
        return signalPassFailure();
  }

  static LogicalResult lower(ScanOp scan) {
    ImplicitLocOpBuilder b(scan.getLoc(), scan);
    SmallVector<Value> starts = scan.getInitials();
    Value batch;
    for (Value output : scan.getOutputs()) {
      auto type = cast<RankedTensorType>(output.getType());
      SmallVector<Value> sizes;
      if (!type.hasStaticShape() && !batch)
        batch = getBatchSize(b, scan);
      if (!type.hasStaticShape() && !batch)
        return scan.emitOpError(
            "has an output of a size that none of its operands has");
      sizes.append(type.getNumDynamicDims(), batch);
      starts.push_back(tensor::EmptyOp::create(b, type, sizes));
    }

    Value zero = arith::ConstantIndexOp::create(b, 0);
    Value one = arith::ConstantIndexOp::create(b, 1);
    Value end = arith::ConstantIndexOp::create(b, scan.getNumSteps());
    auto loop = scf::ForOp::create(b, zero, end, one, starts);
    b.setInsertionPointToStart(loop.getBody());
    Value step = loop.getInductionVar();
    if (scan.getReverse())
      step = arith::SubIOp::create(
          b, arith::ConstantIndexOp::create(b, scan.getNumSteps() - 1), step);

    auto carries =
        loop.getRegionIterArgs().take_front(scan.getInitials().size());
    auto outputs =
        loop.getRegionIterArgs().drop_front(scan.getInitials().size());
    IRMapping mapping;
    mapping.map(scan.getCarryArguments(), carries);
    mapping.map(scan.getInvariantArguments(), scan.getInvariants());
    for (auto [argument, sequence] :
         llvm::zip(scan.getSliceArguments(), scan.getSequences())) {
      Slice slice(b, sequence, step);
      mapping.map(argument,
                  tensor::ExtractSliceOp::create(
                      b, cast<RankedTensorType>(argument.getType()), sequence,
                      slice.offsets, slice.sizes, slice.strides)
                      .getResult());
    }
    // Outputs are stored as soon as they are known: what they are may be
    // overwritten by new carries later.
    YieldOp yield = scan.getYield();
    SmallVector<Value> stored(outputs.begin(), outputs.end());
    auto store = [&](Operation *from) {
      for (auto [i, value] : llvm::enumerate(yield.getOutputs())) {
        if (value.getDefiningOp() != from)
          continue;
        Slice slice(b, stored[i], step);
        stored[i] = tensor::InsertSliceOp::create(b, mapping.lookup(value),
                                                  stored[i], slice.offsets,
                                                  slice.sizes, slice.strides);
      }
    };
    store(nullptr);
    for (Operation &op : scan.getBody().front().without_terminator()) {
      b.clone(op, mapping);
      store(&op);
    }
    SmallVector<Value> yielded;
    for (Value carry : yield.getCarries())
      yielded.push_back(mapping.lookup(carry));
    llvm::append_range(yielded, stored);
    scf::YieldOp::create(b, yielded);
    scan.replaceAllUsesWith(loop.getResults());
    scan.erase();
    return success();
  }
};

} // namespace
