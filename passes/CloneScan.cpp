//===- CloneScan.cpp - Scans with other results ---------------------------===//

#include "passes/CloneScan.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::dann;

ScanOp mlir::dann::cloneScan(OpBuilder &builder, ScanOp scan,
                             ValueRange carries, ValueRange outputs) {
  return ScanOp::create(
      builder, scan.getLoc(), scan.getInitials(), scan.getSequences(),
      scan.getInvariants(), scan.getReverse(), scan.getCheckpointEveryAttr(),
      [&](OpBuilder &b, Location loc, ValueRange arguments) {
        IRMapping mapping;
        mapping.map(scan.getBody().getArguments(), arguments);
        for (Operation &op : scan.getBody().front().without_terminator())
          b.clone(op, mapping);
        auto map = [&](ValueRange values) {
          return llvm::map_to_vector(
              values, [&](Value v) { return mapping.lookup(v); });
        };
        YieldOp::create(b, loc, map(carries), map(outputs));
      });
}
