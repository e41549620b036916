//===- InputSigns.h - Signs that models take their inputs to have ---------===//

#ifndef DANN_PASSES_INPUTSIGNS_H
#define DANN_PASSES_INPUTSIGNS_H

#include "mlir/Analysis/DataFlowFramework.h"
#include "mlir/IR/BuiltinOps.h"

#include <memory>

namespace mlir::dann {

/// Which values are not negative, and which are not if the model's inputs are
/// not. Knows the values that there were when it was made.
class InputSigns {
public:
  explicit InputSigns(ModuleOp module);

  bool canBeNonnegative(Value value) const;
  /// Gives the inputs that the sign of `value` depends on their contract.
  void demandNonnegative(Value value) const;

private:
  std::unique_ptr<DataFlowSolver> known, implied;
};

} // namespace mlir::dann

#endif // DANN_PASSES_INPUTSIGNS_H
