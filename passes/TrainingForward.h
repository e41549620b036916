//===- TrainingForward.h - A network as it is while it is trained ---------===//

#ifndef DANN_PASSES_TRAININGFORWARD_H
#define DANN_PASSES_TRAININGFORWARD_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::dann {

/// The name of the number that random operations of a training step draw from.
inline constexpr StringLiteral kRandomKey = "random_key";

/// What is differentiated: the trained function itself, or a clone in which
/// every TrainingModeOpInterface has its training form. The clone takes a
/// random key behind the function's own arguments if `takesKey`, and returns
/// the new values of the arguments `updated`, in that order, behind the logits.
struct TrainingForward {
  func::FuncOp function;
  bool takesKey = false;
  SmallVector<unsigned> updated;
};

/// Makes the private function `@forward_training` behind `forward` if an
/// operation there has a training form.
FailureOr<TrainingForward> buildTrainingForward(func::FuncOp forward);

} // namespace mlir::dann

#endif // DANN_PASSES_TRAININGFORWARD_H
