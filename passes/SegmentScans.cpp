//===- SegmentScans.cpp - Keep the carries of every k-th step only --------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SEGMENTSCANS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// Steps [begin, begin + count) of a sequence.
Value getSteps(ImplicitLocOpBuilder &b, Value sequence, int64_t begin,
               int64_t count) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(b, b.getLoc(), sequence);
  SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
  SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
  offsets[0] = b.getIndexAttr(begin);
  sizes[0] = b.getIndexAttr(count);
  return b.createOrFold<tensor::ExtractSliceOp>(sequence, offsets, sizes,
                                                strides);
}

/// [[0, 1], [2], [3], ...]: the first two dimensions of `rank` belong together.
SmallVector<ReassociationIndices> getSegmentGroups(int64_t rank) {
  SmallVector<ReassociationIndices> groups = {{0, 1}};
  for (int64_t i = 2; i < rank; ++i)
    groups.push_back({i});
  return groups;
}

void cloneBody(OpBuilder &b, ScanOp scan, ValueRange arguments) {
  IRMapping mapping;
  mapping.map(scan.getBody().getArguments(), arguments);
  for (Operation &op : scan.getBody().front())
    b.clone(op, mapping);
}

/// `count` segments of `length` steps from the beginning on. Returns the last
/// carries, then the outputs.
SmallVector<Value> buildSegments(ImplicitLocOpBuilder &b, ScanOp scan,
                                 int64_t count, int64_t length) {
  SmallVector<Value> sequences;
  for (Value sequence : scan.getSequences()) {
    Value steps = getSteps(b, sequence, 0, count * length);
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), steps);
    sizes.front() = b.getIndexAttr(length);
    sizes.insert(sizes.begin(), b.getIndexAttr(count));
    SmallVector<int64_t> shape = {count, length};
    auto type = cast<RankedTensorType>(steps.getType());
    llvm::append_range(shape, type.getShape().drop_front());
    sequences.push_back(tensor::ExpandShapeOp::create(
        b, RankedTensorType::get(shape, type.getElementType()), steps,
        getSegmentGroups(shape.size()), sizes));
  }
  unsigned numCarries = scan.getInitials().size();
  auto outer = ScanOp::create(
      b, scan.getInitials(), sequences, scan.getInvariants(), scan.getReverse(),
      b.getI64IntegerAttr(1),
      [&](OpBuilder &nested, Location loc, ValueRange arguments) {
        auto rest = arguments.drop_front(numCarries);
        auto inner = ScanOp::create(
            nested, loc, arguments.take_front(numCarries),
            rest.take_front(sequences.size()),
            rest.drop_front(sequences.size()), scan.getReverse(),
            [&](OpBuilder &innermost, Location, ValueRange inside) {
              cloneBody(innermost, scan, inside);
            });
        YieldOp::create(nested, loc, inner.getLastCarries(),
                        inner.getOutputs());
      });
  SmallVector<Value> results(outer.getLastCarries());
  for (Value output : outer.getOutputs())
    results.push_back(tensor::CollapseShapeOp::create(
        b, output,
        getSegmentGroups(cast<RankedTensorType>(output.getType()).getRank())));
  return results;
}

struct SegmentScansPass : dann::impl::SegmentScansBase<SegmentScansPass> {
  void runOnOperation() override {
    SmallVector<ScanOp> scans;
    getOperation().walk([&](ScanOp scan) {
      // In reverse the segments would have to end where the steps end.
      if (scan.getCheckpointEvery().value_or(1) > 1 && !scan.getReverse())
        scans.push_back(scan);
    });
    for (ScanOp scan : scans)
      segment(scan);
  }

  static void segment(ScanOp scan) {
    ImplicitLocOpBuilder b(scan.getLoc(), scan);
    int64_t steps = scan.getNumSteps();
    int64_t length = std::min<int64_t>(*scan.getCheckpointEvery(), steps);
    int64_t count = steps / length, rest = steps % length;
    SmallVector<Value> results = buildSegments(b, scan, count, length);
    unsigned numCarries = scan.getInitials().size();
    if (rest) {
      SmallVector<Value> sequences;
      for (Value sequence : scan.getSequences())
        sequences.push_back(getSteps(b, sequence, steps - rest, rest));
      auto tail = ScanOp::create(
          b, ArrayRef(results).take_front(numCarries), sequences,
          scan.getInvariants(), /*reverse=*/false, b.getI64IntegerAttr(1),
          [&](OpBuilder &nested, Location, ValueRange arguments) {
            cloneBody(nested, scan, arguments);
          });
      llvm::copy(tail.getLastCarries(), results.begin());
      for (auto [i, output] : llvm::enumerate(tail.getOutputs()))
        results[numCarries + i] =
            join(b, results[numCarries + i], output, steps);
    }
    scan.replaceAllUsesWith(results);
    scan.erase();
  }

  /// The steps of `first`, then those of `second`.
  static Value join(ImplicitLocOpBuilder &b, Value first, Value second,
                    int64_t steps) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(b, b.getLoc(), first);
    sizes[0] = b.getIndexAttr(steps);
    // Zeros have a sign, which undefined contents have not.
    Value whole = LinalgBuilder(b, b.getLoc())
                      .fill(sizes, getElementTypeOrSelf(first.getType()), 0);
    int64_t begin = 0;
    for (Value part : {first, second}) {
      SmallVector<OpFoldResult> partSizes =
          tensor::getMixedSizes(b, b.getLoc(), part);
      SmallVector<OpFoldResult> offsets(sizes.size(), b.getIndexAttr(0));
      SmallVector<OpFoldResult> strides(sizes.size(), b.getIndexAttr(1));
      offsets[0] = b.getIndexAttr(begin);
      whole = tensor::InsertSliceOp::create(b, part, whole, offsets, partSizes,
                                            strides);
      begin += cast<RankedTensorType>(part.getType()).getDimSize(0);
    }
    return whole;
  }
};

} // namespace
