// How a session calls an entry point: checks what it is given, points the
// arguments to their elements, and runs the code on all threads.
#include "session_impl.h"

#include "elements.h"
#include "fail.h"
#include "parameter_check.h"
#include "random.h"

#include <cmath>
#include <string>

namespace dann {

namespace {

// A session that sees many batch sizes starts afresh now and then.
constexpr std::size_t kMaximumCalls = 64;

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

/// "[samples, 784]".
std::string shape_text(const Shape &shape) {
  std::string text = to_string(shape);
  if (!shape.empty() && shape[0] == kBatch)
    text.replace(1, 2, "samples");
  return text;
}

} // namespace

double scalar_value(const Tensor &tensor) {
  return tensor.element_type() == ElementType::F32
             ? double(*tensor.data<const float>())
             : *tensor.data<const double>();
}

std::int64_t Session::Impl::batch_size(const EntryPoint &entry_point,
                                       Inputs inputs) const {
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

Call &Session::Impl::prepared_call(std::size_t entry_point,
                                   std::int64_t batch) {
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
  Call &call = calls.emplace(std::pair(entry_point, batch), std::move(prepared))
                   .first->second;
  for (Slot &slot : call.slots)
    call.descriptors.push_back(slot.descriptor.address());
  call.descriptors.push_back(&call.scratch);
  return call;
}

void Session::Impl::bind_input(Slot &slot, const Input &input) {
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
           name_of(value.element_type()), ", but the model ", description.name,
           " needs ", name_of(argument.element_type));
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

bool Session::Impl::has_default(std::string_view name) const {
  return description.classes > 0 &&
         (name == "learning_rate" || name == "random_key");
}

void Session::Impl::bind_default(Slot &slot) {
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

void Session::Impl::update_derived(Inputs inputs) {
  std::vector<Input> given;
  for (const Input &input : inputs)
    for (const Argument &argument : description.entry_points[prepare].arguments)
      if (argument.name == input.name)
        given.push_back(input);
  if (given.empty() && derived_version == parameters.version())
    return;
  execute(prepare, given);
  if (given.empty())
    derived_version = parameters.version();
}

Call &Session::Impl::execute(std::size_t entry_point, Inputs inputs) {
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
        !has_default(argument.name) && find_parameter(argument.name) == kNone &&
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
        updates.emplace_back(slot.parameter,
                             checked_parameter(slot.parameter, *input->value));
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
  call.scratch = {scratch, scratch, 0, {std::int64_t(call.scratch_bytes)}, {1}};
  execution.run([invoke = program->invoke_[entry_point], &call] {
    invoke(call.descriptors.data());
  });
  for (const Slot &slot : call.slots)
    if (slot.parameter != kNone && slot.argument->access == Access::Write)
      parameters.end_write(slot.parameter);
  steps += described.name == "train_step";
  return call;
}

double Session::Impl::train_step(const Input &x, const Input &y,
                                 double learning_rate,
                                 std::optional<std::int64_t> key) {
  Tensor rate = Tensor::borrow(&learning_rate, {}), key_value;
  std::vector<Input> inputs = {x, y, {"learning_rate", &rate}};
  if (key) {
    key_value = Tensor::borrow(&*key, {});
    inputs.push_back({"random_key", &key_value});
  }
  Call &call = execute(entry_point_index("train_step"), inputs);
  return scalar_value(call.slot("loss").buffer);
}

Evaluation Session::Impl::evaluate(const Input &x, const Input &y) {
  const Input inputs[] = {x, y};
  Call &call = execute(entry_point_index("evaluate"), inputs);
  return {scalar_value(call.slot("loss").buffer),
          *call.slot("errors").buffer.data<const std::int64_t>()};
}

} // namespace dann
