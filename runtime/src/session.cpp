#include "dann/session.hpp"

#include "dataset.h"
#include "fail.h"
#include "parameter_check.h"
#include "processors.h"
#include "session_access.h"
#include "session_impl.h"

#include <algorithm>
#include <cstring>

namespace dann {

Session::Impl::Impl(std::shared_ptr<const Program> given,
                    SessionOptions options)
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
    reads_derived.push_back(
        std::any_of(entry_point.arguments.begin(), entry_point.arguments.end(),
                    [&](const Argument &argument) {
                      return argument.access == Access::Read &&
                             find_derived(argument.name) != kNone;
                    }));
  }
}

void Session::Impl::clear_states() {
  for (Tensor &state : states)
    std::memset(state.mutable_bytes(), 0, state.byte_size());
}

void Session::Impl::restore_initial_values() {
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (const void *value = description.parameters[i].initial_value)
      store_parameter(i, checked_parameter(i, borrow_initial(i, value)));
}

Tensor Session::Impl::borrow_initial(std::size_t parameter,
                                     const void *value) const {
  const Shape &shape = description.parameters[parameter].shape;
  if (description.element_type == ElementType::F64)
    return Tensor::borrow(static_cast<const double *>(value), shape);
  return Tensor::borrow(static_cast<const float *>(value), shape);
}

std::size_t Session::Impl::find_parameter(std::string_view name) const {
  return index_of(description.parameters, name);
}

std::size_t Session::Impl::find_derived(std::string_view name) const {
  return index_of(description.derived_tensors, name);
}

std::size_t Session::Impl::find_state(std::string_view name) const {
  return index_of(description.state_tensors, name);
}

std::size_t Session::Impl::parameter_index(std::string_view name) const {
  std::size_t index = find_parameter(name);
  if (index == kNone)
    fail_unknown_parameter(description, name);
  return index;
}

std::size_t Session::Impl::entry_point_index(std::string_view name) const {
  std::size_t index = index_of(description.entry_points, name);
  if (index != kNone)
    return index;
  std::string known;
  for (const EntryPoint &entry_point : description.entry_points)
    known += (known.empty() ? "" : ", ") + entry_point.name;
  fail(ErrorCode::InvalidArgument, "the model ", description.name,
       " has no entry point ", name, "; it has ", known);
}

Tensor Session::Impl::checked_parameter(std::size_t index,
                                        const Tensor &value) const {
  return dann::checked_parameter(description, description.parameters[index],
                                 value);
}

void Session::Impl::store_parameter(std::size_t index, const Tensor &checked) {
  // memmove: the value may be a view of the parameter itself.
  std::memmove(parameters.begin_write(index), checked.bytes(),
               checked.byte_size());
  parameters.end_write(index);
}

void Session::Impl::require_value(std::size_t parameter) const {
  if (!parameters.has_value(parameter))
    fail(ErrorCode::InvalidArgument, "the parameter ",
         description.parameters[parameter].name,
         " has no value yet: initialize the session or load parameters");
}

Session::Session(std::shared_ptr<const Program> program,
                 SessionOptions options) {
  if (!program)
    fail(ErrorCode::InvalidArgument, "a session needs a program");
  constexpr int most_threads = 1024;
  if (options.threads < 0 || options.threads > most_threads)
    fail(ErrorCode::InvalidArgument, "a session cannot run on ",
         options.threads, " threads: give 1 to ", most_threads,
         ", or 0 for one on each core");
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
  std::size_t init = index_of(impl_->description.entry_points, "init");
  if (init == kNone)
    return impl_->restore_initial_values();
  Tensor value = Tensor::borrow(&seed, {});
  const Input inputs[] = {{"seed", &value}};
  impl_->execute(init, inputs);
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
