#include "dann/session.hpp"

#include "dataset.h"
#include "elements.h"
#include "execution.h"
#include "fail.h"
#include "model_abi.h"
#include "parameter_check.h"
#include "parameter_store.h"
#include "processors.h"
#include "random.h"
#include "session_access.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <span>

namespace dann {

namespace {

constexpr std::size_t kNone = std::size_t(-1);

/// An input by name, in the calls of the session itself.
struct Input {
  std::string_view name;
  const Tensor *value;
  bool checked = false; // its values are known to be in range
};
using Inputs = std::span<const Input>;

bool is_scalar(const Shape &shape) { return shape.empty(); }

/// Whether a tensor of shape `given` may stand for an argument of `wanted`.
bool matches(const Shape &given, const Shape &wanted) {
  return given == wanted || (is_scalar(wanted) && given == Shape{1});
}

/// Whether `given` is `wanted`, which begins with kBatch, for some batch size.
bool is_batch_of(const Shape &given, const Shape &wanted) {
  return given.size() == wanted.size() &&
         std::equal(given.begin() + 1, given.end(), wanted.begin() + 1);
}

std::string range_text(double minimum, double maximum) {
  return concat("[", minimum, ", ", maximum, "]");
}

void check_range(std::string_view name, const Tensor &tensor, double minimum,
                 double maximum) {
  std::int64_t index = find_outside(tensor, minimum, maximum);
  if (index >= 0)
    fail(ErrorCode::InvalidArgument, position_text(name, tensor.shape(), index),
         " is ", element_text(tensor, index), ", but has to lie in ",
         range_text(minimum, maximum));
}

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

double scalar_value(const Tensor &tensor) {
  return tensor.element_type() == ElementType::F32
             ? double(*tensor.data<const float>())
             : *tensor.data<const double>();
}

} // namespace

struct Session::Impl {
  // A session that sees many batch sizes starts afresh now and then.
  static constexpr std::size_t kMaximumCalls = 64;

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

  Impl(std::shared_ptr<const Program> given, SessionOptions options)
      : program(std::move(given)), description(program->description()),
        execution(options.threads ? options.threads : core_count()),
        parameters(description) {
    restore_initial_values();
    for (const StateTensor &state : description.state_tensors)
      states.emplace_back(state.element_type, state.shape);
    clear_states();
    for (const DerivedTensor &tensor : description.derived_tensors)
      derived.emplace_back(tensor.element_type, tensor.shape);
    for (const EntryPoint &entry_point : description.entry_points) {
      if (!derived.empty() && entry_point.name == "prepare")
        prepare = reads_derived.size();
      reads_derived.push_back(std::any_of(
          entry_point.arguments.begin(), entry_point.arguments.end(),
          [&](const Argument &argument) {
            return argument.access == Access::Read &&
                   find_derived(argument.name) != kNone;
          }));
    }
  }

  void clear_states() {
    for (Tensor &state : states)
      std::memset(state.mutable_bytes(), 0, state.byte_size());
  }

  /// Of those parameters that the program has values for.
  void restore_initial_values() {
    for (std::size_t i = 0; i < parameters.size(); ++i)
      if (const void *value = description.parameters[i].initial_value)
        store_parameter(i, checked_parameter(i, borrow_initial(i, value)));
  }

  Tensor borrow_initial(std::size_t parameter, const void *value) const {
    const Shape &shape = description.parameters[parameter].shape;
    if (description.element_type == ElementType::F64)
      return Tensor::borrow(static_cast<const double *>(value), shape);
    return Tensor::borrow(static_cast<const float *>(value), shape);
  }

  std::size_t find_parameter(std::string_view name) const {
    for (std::size_t i = 0; i < description.parameters.size(); ++i)
      if (description.parameters[i].name == name)
        return i;
    return kNone;
  }

  std::size_t find_derived(std::string_view name) const {
    for (std::size_t i = 0; i < description.derived_tensors.size(); ++i)
      if (description.derived_tensors[i].name == name)
        return i;
    return kNone;
  }

  std::size_t find_state(std::string_view name) const {
    for (std::size_t i = 0; i < description.state_tensors.size(); ++i)
      if (description.state_tensors[i].name == name)
        return i;
    return kNone;
  }

  std::size_t parameter_index(std::string_view name) const {
    std::size_t index = find_parameter(name);
    if (index == kNone)
      fail_unknown_parameter(description, name);
    return index;
  }

  std::size_t entry_point_index(std::string_view name) const {
    for (std::size_t i = 0; i < description.entry_points.size(); ++i)
      if (description.entry_points[i].name == name)
        return i;
    std::string known;
    for (const EntryPoint &entry_point : description.entry_points)
      known += (known.empty() ? "" : ", ") + entry_point.name;
    fail(ErrorCode::InvalidArgument, "the model ", description.name,
         " has no entry point ", name, "; it has ", known);
  }

  /// `value` with the program's element type, checked against the parameter.
  Tensor checked_parameter(std::size_t index, const Tensor &value) const {
    return dann::checked_parameter(description, description.parameters[index],
                                   value);
  }

  void store_parameter(std::size_t index, const Tensor &checked) {
    // memmove: the value may be a view of the parameter itself.
    std::memmove(parameters.begin_write(index), checked.bytes(),
                 checked.byte_size());
    parameters.end_write(index);
  }

  /// The batch size that the inputs agree on.
  std::int64_t batch_size(const EntryPoint &entry_point, Inputs inputs) const {
    std::int64_t batch = 0;
    std::string_view source;
    for (const Argument &argument : entry_point.arguments) {
      if (argument.shape.empty() || argument.shape[0] != kBatch ||
          argument.access == Access::Write)
        continue;
      for (const Input &input : inputs) {
        if (input.name != argument.name)
          continue;
        const Tensor &tensor = *input.value;
        if (!is_batch_of(tensor.shape(), argument.shape))
          fail(ErrorCode::InvalidArgument, argument.name, " has the shape ",
               to_string(tensor.shape()), ", but the model ", description.name,
               " needs ", shape_text(argument.shape));
        std::int64_t samples = tensor.shape()[0];
        if (samples == 0)
          fail(ErrorCode::InvalidArgument, argument.name, " holds no samples");
        if (batch != 0 && samples != batch)
          fail(ErrorCode::InvalidArgument, argument.name, " holds ", samples,
               " samples, but ", source, " holds ", batch);
        batch = samples;
        source = argument.name;
      }
    }
    return batch;
  }

  static std::string shape_text(const Shape &shape) {
    std::string text = to_string(shape);
    if (!shape.empty() && shape[0] == kBatch)
      text.replace(1, 2, "samples");
    return text;
  }

  Call &prepared_call(std::size_t entry_point, std::int64_t batch) {
    auto found = calls.find({entry_point, batch});
    if (found != calls.end())
      return found->second;
    if (calls.size() >= kMaximumCalls)
      calls.clear();

    const EntryPoint &described = description.entry_points[entry_point];
    Call prepared;
    prepared.scratch_bytes = std::uint64_t(described.scratch.bytes(batch));
    for (const Argument &argument : described.arguments) {
      Shape shape = argument.shape;
      if (!shape.empty() && shape[0] == kBatch)
        shape[0] = batch;
      Slot slot{&argument,
                find_parameter(argument.name),
                find_derived(argument.name),
                find_state(argument.name),
                shape,
                Descriptor(shape),
                Tensor()};
      if (slot.parameter == kNone && slot.derived == kNone &&
          slot.state == kNone &&
          (argument.access == Access::Write || is_scalar(shape)))
        slot.buffer = Tensor(argument.element_type, shape);
      prepared.slots.push_back(std::move(slot));
    }
    Call &call =
        calls.emplace(std::pair(entry_point, batch), std::move(prepared))
            .first->second;
    for (Slot &slot : call.slots)
      call.descriptors.push_back(slot.descriptor.address());
    call.descriptors.push_back(&call.scratch);
    return call;
  }

  /// Checks one input and points the slot's descriptor to its elements.
  void bind_input(Slot &slot, const Input &input) {
    const Argument &argument = *slot.argument;
    const Tensor &value = *input.value;
    if (!matches(value.shape(), slot.shape))
      fail(ErrorCode::InvalidArgument, argument.name, " has the shape ",
           to_string(value.shape()), ", but the model ", description.name,
           " needs ", to_string(slot.shape));

    const Tensor *bound = &value;
    if (value.element_type() != argument.element_type) {
      if (!can_convert_to(argument.element_type))
        fail(ErrorCode::InvalidArgument, argument.name, " is ",
             name_of(value.element_type()), ", but the model ",
             description.name, " needs ", name_of(argument.element_type));
      if (slot.buffer.shape() != slot.shape)
        slot.buffer = Tensor(argument.element_type, slot.shape);
      try {
        convert_elements(value, argument.element_type,
                         slot.buffer.mutable_bytes());
      } catch (const Error &error) {
        fail(error.code(), argument.name, ": ", error.what());
      }
      bound = &slot.buffer;
    }

    check_bools(*bound, argument.name);
    if (input.checked || description.classes == 0) {
      // Looked at when it was read, or without a meaning.
    } else if (argument.name == "x") {
      check_range("x", *bound, description.input_minimum,
                  description.input_maximum);
    } else if (argument.name == "y") {
      check_range("y", *bound, 0, double(description.classes - 1));
    } else if (argument.name == "learning_rate") {
      double rate = scalar_value(*bound);
      if (!std::isfinite(rate) || rate < 0)
        fail(ErrorCode::InvalidArgument, "learning_rate is ", rate,
             ", but has to be finite and not negative");
    }
    slot.descriptor.point_to(bound->bytes());
  }

  /// Whether an input of programs that train need not be given.
  bool has_default(std::string_view name) const {
    return description.classes > 0 &&
           (name == "learning_rate" || name == "random_key");
  }

  /// Binds an input that is not given.
  void bind_default(Slot &slot) {
    const std::string &name = slot.argument->name;
    std::int64_t key = random_key(seed, steps);
    Tensor value = name == "random_key"
                       ? Tensor::borrow(&key, {})
                       : Tensor::borrow(&description.default_learning_rate, {});
    // In a buffer that outlives this function.
    convert_elements(value, slot.argument->element_type,
                     slot.buffer.mutable_bytes());
    bind_input(slot, {name, &slot.buffer});
  }

  void require_value(std::size_t parameter) const {
    if (!parameters.has_value(parameter))
      fail(ErrorCode::InvalidArgument, "the parameter ",
           description.parameters[parameter].name,
           " has no value yet: initialize the session or load parameters");
  }

  /// Makes the derived tensors those of the parameters that a call with
  /// `inputs` is to see: the session's, in the place of which may stand given
  /// ones. Does nothing if they are that already.
  void update_derived(Inputs inputs) {
    std::vector<Input> given;
    for (const Input &input : inputs)
      for (const Argument &argument :
           description.entry_points[prepare].arguments)
        if (argument.name == input.name)
          given.push_back(input);
    if (given.empty() && derived_version == parameters.version())
      return;
    execute(prepare, given);
    if (given.empty())
      derived_version = parameters.version();
  }

  /// Points every descriptor to its elements and calls the code. The results
  /// are in the call's slots and the session's parameters.
  Call &execute(std::size_t entry_point, Inputs inputs) {
    const EntryPoint &described = description.entry_points[entry_point];
    std::int64_t batch = batch_size(described, inputs);
    auto find_input = [&](std::string_view name) -> const Input * {
      for (const Input &input : inputs)
        if (input.name == name)
          return &input;
      return nullptr;
    };
    // Before anything of batch size zero is prepared.
    for (const Argument &argument : described.arguments)
      if (argument.access == Access::Read && !find_input(argument.name) &&
          !has_default(argument.name) &&
          find_parameter(argument.name) == kNone &&
          find_derived(argument.name) == kNone)
        fail(ErrorCode::InvalidArgument, "the entry point ", described.name,
             " needs the input ", argument.name);

    // First: it is a call of its own, with the scratch memory of all calls.
    if (reads_derived[entry_point])
      update_derived(inputs);

    Call &call = prepared_call(entry_point, batch);
    // Values for parameters that the code updates, stored only when all inputs
    // have been found right.
    std::vector<std::pair<std::size_t, Tensor>> updates;
    for (Slot &slot : call.slots) {
      const Argument &argument = *slot.argument;
      const Input *input = find_input(argument.name);
      if (slot.parameter != kNone) {
        slot.descriptor.point_to(argument.access == Access::Read
                                     ? parameters[slot.parameter].bytes()
                                     : parameters.begin_write(slot.parameter));
        if (argument.access == Access::Write)
          continue;
        if (!input)
          require_value(slot.parameter);
        else if (argument.access == Access::Update)
          updates.emplace_back(
              slot.parameter, checked_parameter(slot.parameter, *input->value));
        else
          bind_input(slot, *input);
      } else if (slot.derived != kNone) {
        if (argument.access == Access::Write)
          derived_version.reset();
        slot.descriptor.point_to(derived[slot.derived].bytes());
      } else if (slot.state != kNone) {
        slot.descriptor.point_to(states[slot.state].mutable_bytes());
      } else if (argument.access == Access::Write) {
        slot.descriptor.point_to(slot.buffer.bytes());
      } else if (input) {
        bind_input(slot, *input);
      } else {
        bind_default(slot);
      }
    }
    for (auto &[index, value] : updates)
      store_parameter(index, value);

    auto *scratch =
        static_cast<std::uint8_t *>(execution.scratch(call.scratch_bytes));
    call.scratch = {
        scratch, scratch, 0, {std::int64_t(call.scratch_bytes)}, {1}};
    execution.run([invoke = program->invoke_[entry_point], &call] {
      invoke(call.descriptors.data());
    });
    for (const Slot &slot : call.slots)
      if (slot.parameter != kNone && slot.argument->access == Access::Write)
        parameters.end_write(slot.parameter);
    steps += described.name == "train_step";
    return call;
  }

  double train_step(const Input &x, const Input &y, double learning_rate,
                    std::optional<std::int64_t> key = {}) {
    Tensor rate = Tensor::borrow(&learning_rate, {}), key_value;
    std::vector<Input> inputs = {x, y, {"learning_rate", &rate}};
    if (key) {
      key_value = Tensor::borrow(&*key, {});
      inputs.push_back({"random_key", &key_value});
    }
    Call &call = execute(entry_point_index("train_step"), inputs);
    return scalar_value(call.slot("loss").buffer);
  }

  Evaluation evaluate(const Input &x, const Input &y) {
    const Input inputs[] = {x, y};
    Call &call = execute(entry_point_index("evaluate"), inputs);
    return {scalar_value(call.slot("loss").buffer),
            *call.slot("errors").buffer.data<const std::int64_t>()};
  }
};

Session::Session(std::shared_ptr<const Program> program,
                 SessionOptions options) {
  if (!program)
    fail(ErrorCode::InvalidArgument, "a session needs a program");
  constexpr int most_threads = 1024;
  if (options.threads < 0 || options.threads > most_threads)
    fail(ErrorCode::InvalidArgument, "a session cannot run on ",
         options.threads, " threads");
  std::vector<std::string> missing = program->missing_cpu_features();
  if (!missing.empty()) {
    std::string names;
    for (const std::string &name : missing)
      names += (names.empty() ? "" : ", ") + name;
    fail(ErrorCode::Incompatible, "this program was compiled for ",
         program->description().target_cpu, " and needs ", names,
         ", which this CPU lacks; recompile it with --target-cpu");
  }
  impl_ = std::make_unique<Impl>(std::move(program), options);
}

Session::~Session() = default;
Session::Session(Session &&) noexcept = default;
Session &Session::operator=(Session &&) noexcept = default;

const Program &Session::program() const { return *impl_->program; }
int Session::threads() const { return impl_->execution.threads(); }

void Session::initialize(std::int64_t seed) {
  impl_->clear_states();
  impl_->seed = seed;
  impl_->steps = 0;
  const auto &entry_points = impl_->description.entry_points;
  if (std::none_of(entry_points.begin(), entry_points.end(),
                   [](const EntryPoint &entry_point) {
                     return entry_point.name == "init";
                   }))
    return impl_->restore_initial_values();
  Tensor value = Tensor::borrow(&seed, {});
  const Input inputs[] = {{"seed", &value}};
  impl_->execute(impl_->entry_point_index("init"), inputs);
}

void Session::load_parameters(const std::string &path) {
  TensorMap values = load_tensors(path);
  for (const StateTensor &state : impl_->description.state_tensors)
    values.erase(state.name);
  try {
    set_parameters(values);
  } catch (const Error &error) {
    fail(ErrorCode::Incompatible, path, ": ", error.what());
  }
}

void Session::save_parameters(const std::string &path) const {
  save_tensors(path, parameters(), {{"model", impl_->description.name}});
}

Tensor Session::parameter(std::string_view name) const {
  return impl_->parameters[impl_->parameter_index(name)];
}

TensorMap Session::parameters() const {
  TensorMap all;
  for (std::size_t i = 0; i < impl_->parameters.size(); ++i) {
    impl_->require_value(i);
    all.emplace(impl_->description.parameters[i].name, impl_->parameters[i]);
  }
  return all;
}

void Session::set_parameter(std::string_view name, const Tensor &value) {
  std::size_t index = impl_->parameter_index(name);
  impl_->store_parameter(index, impl_->checked_parameter(index, value));
}

void Session::set_parameters(const TensorMap &values) {
  std::vector<Tensor> checked = checked_parameters(impl_->description, values);
  for (std::size_t i = 0; i < checked.size(); ++i)
    impl_->store_parameter(i, checked[i]);
}

TensorMap Session::optimizer_state() const {
  TensorMap all;
  for (std::size_t i = 0; i < impl_->states.size(); ++i)
    all.emplace(impl_->description.state_tensors[i].name,
                impl_->states[i].as_read_only());
  return all;
}

void Session::set_optimizer_state(const TensorMap &values) {
  std::vector<Tensor> checked = checked_states(impl_->description, values);
  for (std::size_t i = 0; i < checked.size(); ++i)
    std::memmove(impl_->states[i].mutable_bytes(), checked[i].bytes(),
                 checked[i].byte_size());
}

TensorMap Session::run(std::string_view entry_point, const TensorMap &inputs) {
  std::size_t index = impl_->entry_point_index(entry_point);
  std::vector<Input> given;
  for (const auto &[name, value] : inputs) {
    const auto &arguments = impl_->description.entry_points[index].arguments;
    if (std::none_of(arguments.begin(), arguments.end(),
                     [&, &name = name](const Argument &argument) {
                       return argument.name == name &&
                              argument.access != Access::Write &&
                              impl_->find_derived(name) == kNone &&
                              impl_->find_state(name) == kNone;
                     }))
      fail(ErrorCode::InvalidArgument, "the entry point ", entry_point,
           " has no input ", name);
    given.push_back({name, &value});
  }

  Call &call = impl_->execute(index, given);
  TensorMap results;
  for (const Slot &slot : call.slots) {
    if (slot.argument->access == Access::Read)
      continue;
    const Tensor &written =
        slot.parameter != kNone ? impl_->parameters[slot.parameter]
        : slot.derived != kNone ? impl_->derived[slot.derived]
        : slot.state != kNone   ? impl_->states[slot.state]
                                : slot.buffer;
    results.emplace(slot.argument->name, written.clone());
  }
  return results;
}

Tensor Session::forward(const Tensor &x) {
  if (impl_->description.classes == 0)
    fail(ErrorCode::InvalidArgument, "the model ", impl_->description.name,
         " was not compiled for training, which gives inputs and results their "
         "names; call its entry point forward with run");
  const Input inputs[] = {{"x", &x}};
  Call &call = impl_->execute(impl_->entry_point_index("forward"), inputs);
  return call.slot("logits").buffer.clone();
}

double Session::train_step(const Tensor &x, const Tensor &y,
                           double learning_rate) {
  return impl_->train_step({"x", &x}, {"y", &y}, learning_rate);
}

Evaluation Session::evaluate(const Tensor &x, const Tensor &y) {
  return impl_->evaluate({"x", &x}, {"y", &y});
}

Execution &SessionAccess::execution(Session &session) {
  return session.impl_->execution;
}

double SessionAccess::train_step(Session &session, const Batch &batch,
                                 double learning_rate,
                                 std::int64_t random_key) {
  return session.impl_->train_step({"x", &batch.x, batch.checked},
                                   {"y", &batch.y, batch.checked},
                                   learning_rate, random_key);
}

Evaluation SessionAccess::evaluate(Session &session, const Batch &batch) {
  return session.impl_->evaluate({"x", &batch.x, batch.checked},
                                 {"y", &batch.y, batch.checked});
}

} // namespace dann
