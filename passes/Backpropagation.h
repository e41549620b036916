//===- Backpropagation.h - The reverse sweep over one block ---------------===//

#ifndef DANN_PASSES_BACKPROPAGATION_H
#define DANN_PASSES_BACKPROPAGATION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::dann {

class ScanOp;

/// The operations of `block` that lie between the values `wrt` and `values` and
/// have no derivative, in their order; and those of a scan's body.
SmallVector<Operation *> findNonDifferentiable(Block &block, ValueRange wrt,
                                               ValueRange values);
SmallVector<Operation *> findNonDifferentiable(ScanOp scan);

/// Builds the reverse sweep for `values` over the operations of `block`, of
/// which `mapping` holds clones in scope of `builder`. `cotangents` are those
/// of `values`. Returns the cotangents of `wrt`, null for zero. All operations
/// between them must be differentiable.
SmallVector<Value> backpropagate(OpBuilder &builder, Block &block,
                                 const IRMapping &mapping, ValueRange wrt,
                                 ValueRange values, ValueRange cotangents);

/// Attaches derivatives: of upstream operations that compute
/// (AutodiffRules.cpp), of those on shapes (AutodiffShapeRules.cpp), and of
/// recurrence (AutodiffScan.cpp).
void registerDifferentiableOpInterfaceExternalModels(DialectRegistry &registry);
void registerShapeDerivatives(DialectRegistry &registry);
void registerScanDerivatives(DialectRegistry &registry);

} // namespace mlir::dann

#endif // DANN_PASSES_BACKPROPAGATION_H
