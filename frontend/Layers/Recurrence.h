//===- Recurrence.h - What layers with a state share ----------------------===//

#ifndef DANN_FRONTEND_LAYERS_RECURRENCE_H
#define DANN_FRONTEND_LAYERS_RECURRENCE_H

#include "frontend/Layers/Layer.h"

namespace mlir::dann {

/// What a recurrent layer is but for its units.
struct Recurrence {
  int64_t steps = 0, inputs = 0, units = 0;
  bool hasInitialState = false; // as a parameter
  bool givesAllStates = false;
  int64_t checkpointEvery = 0; // 0 for none

  /// Takes over what is said in the fields of `message` that these layers have
  /// in common. Whether samples are sequences [steps, inputs], with errors in
  /// these fields if not.
  bool check(const FileMessage &message, ArrayRef<int64_t> input);

  /// Takes over how many units there are, which states they give and where
  /// these begin.
  template <typename MessageT>
  void set(const MessageT &message, int64_t numUnits) {
    units = numUnits;
    hasInitialState = message.learned_initial_state();
    givesAllStates = message.outputs() == ::dann::model::ALL;
  }

  SampleShape getResultShape() const;

  /// The parameter of the initial state: zero at first, of sign `sign`.
  void addInitialState(ParameterBuilder &b, Sign sign) const;

  /// What a step computes: the new state from x [B, inputs], the old state
  /// [B, units] and the parameters.
  using Step = llvm::function_ref<Value(ForwardBuilder &, Value x, Value state,
                                        ValueRange parameters)>;

  /// Builds the recurrence over the steps of x [B, steps, inputs]. Returns the
  /// states, [B, units] or [B, steps, units]. Takes the parameter of the
  /// initial state, if there is one.
  Value build(ForwardBuilder &b, Value x, ValueRange parameters,
              Step step) const;

  /// build() for the step f(u . x + bias + w . state); `parameters` are u, bias
  /// and w.
  Value buildStandard(ForwardBuilder &b, Value x, ValueRange parameters,
                      ::dann::model::Activation activation) const;

  /// build() for the sum of two E/I layers, of x and of the state. `parameters`
  /// are wex, wix, wei, with `isDivisive` alpha and g, of x, then the bias,
  /// then those of the state. A step of training goes without excitatory
  /// connections of x and of the state with the probabilities
  /// `inputDropconnect` and `dropconnect`.
  Value buildEi(ForwardBuilder &b, Value x, ValueRange parameters,
                bool isDivisive, const llvm::APFloat &epsilon,
                ::dann::model::Activation activation, double inputDropconnect,
                double dropconnect) const;
};

/// The share of drawn weights in hybrid ones, 0.25 if not given; an error where
/// it has no meaning.
double checkDrawnShare(const FileMessage &message, bool isGiven, bool isHybrid);

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_RECURRENCE_H
