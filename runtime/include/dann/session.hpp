// Running and training a program.
#ifndef DANN_SESSION_HPP
#define DANN_SESSION_HPP

#include "dann/program.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace dann {

struct SessionOptions {
  /// How many threads to compute with, the caller's among them, up to 1024; 0
  /// for as many as there are physical cores that the process may use.
  int threads = 0;
};

struct Evaluation {
  double loss;         ///< mean over the samples
  std::int64_t errors; ///< samples whose largest logit is not their label's
};

/// The parameters of a program and what it needs to run. A session belongs to
/// one thread at a time; different sessions are independent of each other.
///
/// A session has threads of its own. While a call computes they and the calling
/// thread share the work; between calls they sleep, after a fraction of a
/// millisecond. They block all signals.
///
/// What depends on the batch size is prepared at the first call with that size
/// and kept; after that `train_step` and `evaluate` allocate nothing of their
/// own if `x` and `y` have the program's element types.
///
/// What depends on parameters alone (Description::derived_tensors) is computed
/// by the first call that reads it after a parameter has changed, on all
/// threads, and kept by the session until then. It is no part of what is saved.
///
/// If a call throws while compiled code runs (OutOfMemory, Internal), the
/// parameters it was writing hold unspecified values. All other errors are
/// found before, and leave the session as it was.
class DANN_API Session {
public:
  /// Parameters have the initial values that the program holds, if any. Throws
  /// Incompatible if this CPU lacks what the program was compiled for,
  /// InvalidArgument for a number of threads out of range, and OutOfMemory or
  /// Internal if the system refuses to start them.
  explicit Session(std::shared_ptr<const Program> program,
                   SessionOptions options = {});
  ~Session();
  Session(Session &&) noexcept;
  Session &operator=(Session &&) noexcept;

  const Program &program() const;
  /// How many threads compute, the caller's among them.
  int threads() const;

  /// Gives parameters their initial values: those that the program holds, or
  /// else random ones, which depend on the seed only. The optimizer starts
  /// afresh.
  void initialize(std::int64_t seed);

  /// Takes the parameters from a safetensors file, e.g. a checkpoint. It has to
  /// hold all of them, and nothing else but the optimizer's state, which is not
  /// taken. Throws InputOutput, InvalidData, or Incompatible if it belongs to
  /// another model.
  void load_parameters(const std::string &path);

  /// Writes all parameters to a safetensors file, which appears under its name
  /// complete and on disk, or not at all. Throws InputOutput, or
  /// InvalidArgument if a parameter has no value yet.
  void save_parameters(const std::string &path) const;

  /// A read-only view of a parameter, which later steps change, and which keeps
  /// the elements alive. Throws InvalidArgument if there is no such parameter.
  Tensor parameter(std::string_view name) const;

  /// All parameters, as read-only views. Throws InvalidArgument if one of them
  /// has no value yet: before `initialize`, where the program holds none.
  TensorMap parameters() const;

  /// Copies `value` into a parameter. Throws InvalidArgument if the name,
  /// shape or type is wrong, or a value is not finite or breaks the parameter's
  /// sign contract.
  void set_parameter(std::string_view name, const Tensor &value);

  /// Sets all parameters at once, or throws like set_parameter and sets none.
  /// One that is missing is refused, and so is a name that is none of theirs.
  void set_parameters(const TensorMap &values);

  /// What the optimizer keeps between steps (Description::state_tensors), as
  /// read-only views. All of it is zero in a new session and after
  /// `initialize`.
  TensorMap optimizer_state() const;

  /// Sets all of it at once, or throws InvalidArgument and sets none: if a
  /// name, shape or type is wrong, or a value is not finite.
  void set_optimizer_state(const TensorMap &values);

  /// Calls an entry point by name. `inputs` holds its inputs by the names of
  /// its arguments; element types are converted, shapes have to match (a
  /// scalar may also be given as [1]).
  ///
  /// Parameters that are not given are the session's; `learning_rate` is the
  /// program's default if not given. `random_key`, which programs with random
  /// layers take, follows from the seed of the initial values and the number of
  /// training steps since if not given. A given parameter replaces the
  /// session's for this call. Parameters that the entry point writes (`init`)
  /// or updates
  /// (`train_step`) change in the session.
  ///
  /// Returns what the entry point writes and updates, in buffers of their own.
  /// Throws InvalidArgument for inputs that are missing, unknown, of the wrong
  /// shape or out of range, or if a parameter has no value yet.
  TensorMap run(std::string_view entry_point, const TensorMap &inputs);

  // The three calls of programs that train, with samples `x` [samples, ...input
  // shape] and labels `y` [samples], whole numbers in [0, classes). They throw
  // InvalidArgument if the program does not train, for shapes, types and values
  // that are wrong, and if a parameter has no value yet.

  /// Logits [samples, classes] of `x`, in a buffer of their own.
  Tensor forward(const Tensor &x);

  /// One optimizer step on a minibatch; returns its mean loss before the step.
  /// The learning rate has to be finite and not negative.
  double train_step(const Tensor &x, const Tensor &y, double learning_rate);

  /// The mean loss over the samples, and how many are classified wrongly.
  Evaluation evaluate(const Tensor &x, const Tensor &y);

private:
  friend struct SessionAccess;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace dann

#endif // DANN_SESSION_HPP
