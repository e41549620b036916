//===- OptimizerSteps.h - From gradients to updated parameters ------------===//

#ifndef DANN_PASSES_OPTIMIZERSTEPS_H
#define DANN_PASSES_OPTIMIZERSTEPS_H

#include "Dann/Dann.h"

namespace mlir::dann {

/// A parameter that is trained.
struct TrainedParameter {
  StringRef name;
  Role role;
  Sign sign; // its contract
  RankedTensorType type;
  Location loc;
};

/// The end of a training step: what happens to corrected gradients up to the
/// projection of updated parameters.
class OptimizerSteps {
public:
  /// A state of the optimizer, an argument and a result of the step.
  struct State {
    std::string name; // "<parameter>/<what>", "<layer>/rate_index", or "step"
    RankedTensorType type;
    Location loc;
  };

  OptimizerSteps(TrainingOp training, ArrayRef<TrainedParameter> parameters);

  /// Says why the settings of the training do not go together, if so.
  LogicalResult check();

  ArrayRef<State> getStates() const { return states; }

  /// Values in the order of the parameters and of the states.
  struct Values {
    SmallVector<Value> parameters, states;
  };
  /// Whether `build` needs the sums over the samples of their squared
  /// gradients, for labels drawn from the model.
  bool needsSquaredGradients() const {
    return optimizer.needsSquaredGradients();
  }

  /// Builds the steps. `gradients` are corrected already; `squares` are empty
  /// unless they are needed, and `x` is the batch that they belong to.
  Values build(ImplicitLocOpBuilder &builder, const Values &old,
               ArrayRef<Value> gradients, Value learningRate,
               ArrayRef<Value> squares, Value x);

private:
  /// Indices of parameters.
  using Group = SmallVector<unsigned>;

  RankedTensorType countType() const;
  /// The parameter that decides the learning rate of its layer.
  unsigned getReference(const Group &layer) const;
  void clip(ImplicitLocOpBuilder &builder, ArrayRef<Group> groups,
            MutableArrayRef<Value> gradients);

  TrainingOp training;
  OptimizerAttrInterface optimizer;
  SmallVector<TrainedParameter> parameters;
  SmallVector<State> states;
  // Parameters whose names agree up to the last dot, and of those the ones that
  // the cosine angle is measured on.
  SmallVector<Group> layers, constrained;
};

} // namespace mlir::dann

#endif // DANN_PASSES_OPTIMIZERSTEPS_H
