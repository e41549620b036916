//===- Backpropagation.h - The reverse sweep over one block ---------------===//

#ifndef DANN_PASSES_BACKPROPAGATION_H
#define DANN_PASSES_BACKPROPAGATION_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace mlir::dann {

/// The operations of `block` that lie between the values `wrt` and `value` and
/// have no derivative, in their order.
SmallVector<Operation *> findNonDifferentiable(Block &block, ValueRange wrt,
                                               Value value);

/// Builds the reverse sweep for `value` over the operations of `block`, of
/// which `mapping` holds clones in scope of `builder`. `cotangent` is that of
/// `value`. Returns the cotangents of `wrt`, null for zero. All operations
/// between them must be differentiable.
SmallVector<Value> backpropagate(OpBuilder &builder, Block &block,
                                 const IRMapping &mapping, ValueRange wrt,
                                 Value value, Value cotangent);

/// Attaches the derivatives of upstream operations: of those that compute
/// (AutodiffRules.cpp), and of those on shapes (AutodiffShapeRules.cpp).
void registerDifferentiableOpInterfaceExternalModels(DialectRegistry &registry);
void registerShapeDerivatives(DialectRegistry &registry);

} // namespace mlir::dann

#endif // DANN_PASSES_BACKPROPAGATION_H
