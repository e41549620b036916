//===- OptimizerStep.h - What optimizers build ----------------------------===//

#ifndef DANN_DIALECT_DANN_OPTIMIZERSTEP_H
#define DANN_DIALECT_DANN_OPTIMIZERSTEP_H

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <string>

#include "Dann/DannEnums.h.inc"

namespace mlir::dann {

/// A tensor that an optimizer keeps between steps for one parameter. It starts
/// at zero.
struct OptimizerState {
  std::string name; // e.g. "momentum"
  RankedTensorType type;
};

/// What the step of one parameter is built from.
struct OptimizerStep {
  ImplicitLocOpBuilder &builder;
  Role role; // of the parameter
  Value parameter, gradient;
  Value learningRate; // a 0-d tensor
  Value step;         // 0-d, i64: 1 in the first step; null if not asked for
  Value squares;      // see needsSquaredGradients; null if not asked for
  ArrayRef<Value> states; // in the order of getStates
};

/// What is left after the step.
struct OptimizerResult {
  Value parameter;
  SmallVector<Value, 2> states;
};

} // namespace mlir::dann

#endif // DANN_DIALECT_DANN_OPTIMIZERSTEP_H
