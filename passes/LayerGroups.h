//===- LayerGroups.h - The layers that a function's operations form -------===//

#ifndef DANN_PASSES_LAYERGROUPS_H
#define DANN_PASSES_LAYERGROUPS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

#include <string>
#include <vector>

namespace mlir::dann {

/// A layer of an imported model, as users see it.
struct LayerGroup {
  std::string name;                 // "0" of "0.wex"; may be empty
  Operation *main = nullptr;        // what the layer is called after
  SmallVector<unsigned> parameters; // arguments that it is the first to use
  SmallVector<Operation *> operations;
  Value output; // null if it only prepares parameters
};

/// Groups the operations of the one block of `forward`, in the order in which
/// they begin, by the rules that dann-summary documents. What reads neither
/// inputs nor parameters, such as constants, is in no group.
std::vector<LayerGroup> groupLayers(func::FuncOp forward);

/// The arguments of the function, and results of its operations, that `op`
/// reads, also from within its regions.
SmallVector<Value> getReadValues(Operation &op);

/// What `op` is called in tables and pictures: its name without the dialect,
/// and of a linalg.generic what it does.
StringRef getShortName(Operation *op);

/// Whether `op` computes each entry of its results from those at one place of
/// its operands, or moves entries only.
bool isPointwise(Operation *op);

} // namespace mlir::dann

#endif // DANN_PASSES_LAYERGROUPS_H
