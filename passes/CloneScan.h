//===- CloneScan.h - Scans with other results -----------------------------===//

#ifndef DANN_PASSES_CLONESCAN_H
#define DANN_PASSES_CLONESCAN_H

#include "Dann/Dann.h"

namespace mlir::dann {

/// A scan like `scan`, at the same place in the program as `builder`, that
/// yields other values of its body, arguments or results of operations.
ScanOp cloneScan(OpBuilder &builder, ScanOp scan, ValueRange carries,
                 ValueRange outputs);

} // namespace mlir::dann

#endif // DANN_PASSES_CLONESCAN_H
