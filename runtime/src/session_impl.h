// What a session consists of.
#ifndef DANN_RUNTIME_SESSION_IMPL_H
#define DANN_RUNTIME_SESSION_IMPL_H

#include "dann/session.hpp"

#include "execution.h"
#include "model_abi.h"
#include "named.h"
#include "parameter_store.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace dann {

/// An input by name, in the calls of the session itself.
struct Input {
  std::string_view name;
  const Tensor *value;
  bool checked = false; // its values are known to be in range
};
using Inputs = std::span<const Input>;

/// The memref descriptor of one argument: {pointer, pointer, offset, extents,
/// strides}, all of 8 bytes, for any rank.
class Descriptor {
public:
  explicit Descriptor(const Shape &shape) : words_(3 + 2 * shape.size()) {
    std::int64_t stride = 1;
    for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
      words_[3 + i] = shape[i];
      words_[3 + shape.size() + i] = stride;
    }
  }

  void point_to(const void *elements) {
    words_[0] = words_[1] = reinterpret_cast<std::intptr_t>(elements);
  }
  void *address() { return words_.data(); }

private:
  static_assert(sizeof(void *) == sizeof(std::int64_t));
  std::vector<std::int64_t> words_;
};

/// An argument of an entry point at one batch size.
struct Slot {
  const Argument *argument;
  std::size_t parameter; // its index, or kNone
  std::size_t derived;   // that of the derived tensor, or kNone
  std::size_t state;     // that of the optimizer's state, or kNone
  Shape shape;
  Descriptor descriptor;
  Tensor buffer; // a result, or an input that had to be converted
};

/// An entry point made ready for one batch size.
struct Call {
  std::vector<Slot> slots;
  std::uint64_t scratch_bytes = 0;
  MemRef<std::uint8_t, 1> scratch{};
  std::vector<void *> descriptors;

  Slot &slot(std::string_view name) {
    return *std::find_if(slots.begin(), slots.end(), [&](const Slot &slot) {
      return slot.argument->name == name;
    });
  }
};

/// The value of a floating-point scalar.
double scalar_value(const Tensor &tensor);

struct Session::Impl {
  std::shared_ptr<const Program> program;
  const Description &description;
  Execution execution;
  ParameterStore parameters;
  std::vector<Tensor> states; // of the optimizer, read and written by steps
  // What the entry point `prepare` computed from parameters of that version;
  // nothing if from others than those of the session.
  std::vector<Tensor> derived;
  std::optional<std::uint64_t> derived_version;
  std::size_t prepare = kNone;     // the index of the entry point
  std::vector<bool> reads_derived; // of each entry point
  std::map<std::pair<std::size_t, std::int64_t>, Call> calls;
  // What the random numbers of a training step follow from, if its caller does
  // not say: the seed of the initial values, and the steps since.
  std::int64_t seed = 0, steps = 0;

  Impl(std::shared_ptr<const Program> given, SessionOptions options);

  void clear_states();

  /// Of those parameters that the program has values for.
  void restore_initial_values();

  // Indices into the description's lists, or kNone.
  std::size_t find_parameter(std::string_view name) const;
  std::size_t find_derived(std::string_view name) const;
  std::size_t find_state(std::string_view name) const;

  // The same, but throw InvalidArgument for a name that there is not.
  std::size_t parameter_index(std::string_view name) const;
  std::size_t entry_point_index(std::string_view name) const;

  /// `value` with the program's element type, checked against the parameter.
  Tensor checked_parameter(std::size_t index, const Tensor &value) const;

  void store_parameter(std::size_t index, const Tensor &checked);

  /// Throws InvalidArgument if the parameter has no value yet.
  void require_value(std::size_t parameter) const;

  /// Points every descriptor to its elements and calls the code. The results
  /// are in the call's slots and the session's parameters.
  Call &execute(std::size_t entry_point, Inputs inputs);

  double train_step(const Input &x, const Input &y, double learning_rate,
                    std::optional<std::int64_t> key = {});

  Evaluation evaluate(const Input &x, const Input &y);

private:
  Tensor borrow_initial(std::size_t parameter, const void *value) const;

  /// The batch size that the inputs agree on.
  std::int64_t batch_size(const EntryPoint &entry_point, Inputs inputs) const;

  /// The entry point made ready for `batch` samples, at the first call with
  /// that size.
  Call &prepared_call(std::size_t entry_point, std::int64_t batch);

  /// Checks one input and points the slot's descriptor to its elements.
  void bind_input(Slot &slot, const Input &input);

  /// Whether an input of programs that train need not be given.
  bool has_default(std::string_view name) const;

  /// Binds an input that is not given.
  void bind_default(Slot &slot);

  /// Makes the derived tensors those of the parameters that a call with
  /// `inputs` is to see: the session's, in the place of which may stand given
  /// ones. Does nothing if they are that already.
  void update_derived(Inputs inputs);
};

} // namespace dann

#endif // DANN_RUNTIME_SESSION_IMPL_H
