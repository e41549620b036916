// The C interface, over the C++ one.
#include "dann/dann.h"

#include "dann/dann.hpp"
#include "elements.h"
#include "fail.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>

struct dann_error {
  dann_error_code code;
  std::string message;
};

struct dann_program {
  std::shared_ptr<const dann::Program> program;
};

struct dann_session {
  dann::Session session;
};

struct dann_results {
  dann::TensorMap tensors;
};

namespace {

using namespace dann;

dann_error_code code_of(ErrorCode code) {
  switch (code) {
  case ErrorCode::InvalidArgument:
    return DANN_INVALID_ARGUMENT;
  case ErrorCode::InvalidData:
    return DANN_INVALID_DATA;
  case ErrorCode::Incompatible:
    return DANN_INCOMPATIBLE;
  case ErrorCode::InputOutput:
    return DANN_INPUT_OUTPUT;
  case ErrorCode::OutOfMemory:
    return DANN_OUT_OF_MEMORY;
  case ErrorCode::Diverged:
    return DANN_DIVERGED;
  case ErrorCode::Internal:
    return DANN_INTERNAL;
  }
  return DANN_INTERNAL;
}

// The values of the enumerations are part of the interface.
static_assert(
    int(ElementType::F32) == DANN_F32 && int(ElementType::F64) == DANN_F64 &&
    int(ElementType::BF16) == DANN_BF16 && int(ElementType::I8) == DANN_I8 &&
    int(ElementType::I16) == DANN_I16 && int(ElementType::I32) == DANN_I32 &&
    int(ElementType::I64) == DANN_I64 && int(ElementType::U8) == DANN_U8 &&
    int(ElementType::U16) == DANN_U16 && int(ElementType::U32) == DANN_U32 &&
    int(ElementType::U64) == DANN_U64 && int(ElementType::Bool) == DANN_BOOL);
static_assert(int(Sign::Any) == DANN_ANY &&
              int(Sign::NonNegative) == DANN_NON_NEGATIVE &&
              int(Sign::NonPositive) == DANN_NON_POSITIVE);
static_assert(int(Access::Read) == DANN_READ &&
              int(Access::Write) == DANN_WRITE &&
              int(Access::Update) == DANN_UPDATE);
static_assert(int(Decay::Constant) == DANN_CONSTANT &&
              int(Decay::Exponential) == DANN_EXPONENTIAL &&
              int(Decay::Stepwise) == DANN_STEPWISE &&
              int(Decay::Cosine) == DANN_COSINE);
static_assert(kBatch == DANN_BATCH);

/// The number that a caller gave for an enumeration. In C that may be any; to
/// load one that has no name is undefined in C++.
template <typename EnumT> int number_of(const EnumT &given) {
  static_assert(sizeof(EnumT) == sizeof(int));
  int number;
  std::memcpy(&number, &given, sizeof number);
  return number;
}

bool is_element_type(int number) {
  return number >= DANN_F32 && number <= DANN_BOOL;
}

/// Given where there is no memory for another one; never destroyed.
dann_error *out_of_memory() {
  // Short enough to need no memory: a std::string keeps 15 characters itself.
  static dann_error error{DANN_OUT_OF_MEMORY, "out of memory"};
  return &error;
}

dann_error *make_error(dann_error_code code, const char *message) noexcept {
  try {
    return new dann_error{code, message};
  } catch (...) {
    return out_of_memory();
  }
}

/// What a call throws, as an error.
template <typename F> dann_error *guarded(F &&f) noexcept {
  try {
    f();
    return nullptr;
  } catch (const Error &error) {
    return make_error(code_of(error.code()), error.what());
  } catch (const std::bad_alloc &) {
    return out_of_memory();
  } catch (const std::exception &error) {
    return make_error(DANN_INTERNAL, error.what());
  } catch (...) {
    return make_error(DANN_INTERNAL, "unknown exception");
  }
}

template <typename T> T &checked(T *pointer, const char *name) {
  if (!pointer)
    fail(ErrorCode::InvalidArgument, name, " is null");
  return *pointer;
}

/// `count` is that of what a description lists.
void check_index(std::size_t index, std::size_t count, const char *what) {
  if (index >= count)
    fail(ErrorCode::InvalidArgument, "there is no ", what, " ", index,
         ": there are ", count);
}

/// The structure begins with its size.
template <typename T> void check_size(T *structure, const char *name) {
  std::size_t size = checked(structure, name).size;
  if (size < sizeof(std::size_t))
    fail(ErrorCode::InvalidArgument, name, " has the size ", size,
         ", which has to be that of the structure");
}

/// What a caller of any version gives as options: those that this version does
/// not know have to be zero, those that the caller does not know are.
template <typename T> T read_options(const T *given, const char *name) {
  T options{};
  if (!given)
    return options;
  check_size(given, name);
  std::size_t size = given->size;
  auto *bytes = reinterpret_cast<const unsigned char *>(given);
  std::memcpy(static_cast<void *>(&options), bytes, std::min(size, sizeof(T)));
  if (size > sizeof(T) && std::any_of(bytes + sizeof(T), bytes + size,
                                      [](unsigned char byte) { return byte; }))
    fail(ErrorCode::Incompatible, name,
         " sets options that this version does not know");
  return options;
}

/// Writes as much of `info` as the caller knows, and zeros beyond.
template <typename T>
void write_info(T info, T *to, const char *name = "info") {
  check_size(to, name);
  std::size_t size = to->size;
  info.size = size;
  auto *bytes = reinterpret_cast<unsigned char *>(to);
  std::memcpy(bytes, &info, std::min(size, sizeof(T)));
  if (size > sizeof(T))
    std::memset(bytes + sizeof(T), 0, size - sizeof(T));
}

/// A handle that borrows the elements of a view.
Tensor borrow(const dann_tensor &view, const char *name) {
  int type_number = number_of(view.element_type);
  if (!is_element_type(type_number))
    fail(ErrorCode::InvalidArgument, name, " has the unknown element type ",
         type_number);
  if (view.rank != 0 && !view.shape)
    fail(ErrorCode::InvalidArgument, name, " has ", view.rank,
         " dimensions, but its shape is null");
  // More than any program has; a wild number is not read through.
  constexpr std::size_t most_dimensions = 64;
  if (view.rank > most_dimensions)
    fail(ErrorCode::InvalidArgument, name, " has ", view.rank,
         " dimensions, more than ", most_dimensions);
  auto type = ElementType(type_number);
  Shape shape(view.shape, view.shape + view.rank);
  std::optional<std::int64_t> count = element_count_of(shape, type);
  if (!count)
    fail(ErrorCode::InvalidArgument, name, " has the impossible shape ",
         to_string(shape));
  std::uint64_t bytes = std::uint64_t(*count) * size_of(type);
  if (view.byte_size != bytes)
    fail(ErrorCode::InvalidArgument, name, " has ", view.byte_size,
         " bytes, but ", name_of(type), " ", to_string(shape), " are ", bytes);
  if (!view.data && bytes != 0)
    fail(ErrorCode::InvalidArgument, "the data of ", name, " is null");
  if (reinterpret_cast<std::uintptr_t>(view.data) % size_of(type) != 0)
    fail(ErrorCode::InvalidArgument, "the data of ", name,
         " is not aligned for ", name_of(type));
  if (view.strides) {
    std::int64_t stride = 1;
    for (std::size_t i = view.rank; i-- > 0; stride *= shape[i])
      // One step or none: the stride is never taken.
      if (shape[i] > 1 && view.strides[i] != stride)
        fail(ErrorCode::InvalidArgument, name, " has the stride ",
             view.strides[i], " along dimension ", i,
             ", but has to be row-major, where it is ", stride);
  }
  // The runtime reads inputs only; the view is of const elements.
  return Tensor::share(type, std::move(shape),
                       std::shared_ptr<void>(std::shared_ptr<void>(),
                                             const_cast<void *>(view.data)))
      .as_read_only();
}

Tensor borrow(const dann_tensor *view, const char *name) {
  return borrow(checked(view, name), name);
}

/// The view lives as long as the shape and the elements of `tensor`.
dann_tensor view_of(const Tensor &tensor) {
  return {dann_element_type(tensor.element_type()),
          tensor.shape().size(),
          tensor.shape().data(),
          nullptr,
          tensor.bytes(),
          tensor.byte_size()};
}

const Description &description_of(const dann_program *program) {
  return checked(program, "program").program->description();
}

dann_training_state to_c(const TrainingState &state) {
  return {0,
          state.seed,
          state.batch_size,
          state.learning_rate,
          state.sample_count,
          state.validation_samples,
          state.epoch,
          state.position,
          state.loss_sum,
          dann_decay(state.schedule.decay),
          state.schedule.factor,
          state.schedule.steps,
          state.schedule.minimum,
          state.schedule.warmup};
}

/// What it says is for the training to check, but for the enumeration.
TrainingState from_c(const dann_training_state *given) {
  checked(given, "state");
  dann_training_state from = read_options(given, "state");
  int decay = number_of(from.decay);
  if (decay < DANN_CONSTANT || decay > DANN_COSINE)
    fail(ErrorCode::InvalidArgument, "state has the unknown decay ", decay);
  TrainingState state;
  state.seed = from.seed;
  state.batch_size = from.batch_size;
  state.learning_rate = from.learning_rate;
  state.sample_count = from.sample_count;
  state.validation_samples = from.validation_samples;
  state.epoch = from.epoch;
  state.position = from.position;
  state.loss_sum = from.loss_sum;
  state.schedule = {Decay(decay), from.decay_factor, from.decay_steps,
                    from.decay_minimum, from.warmup};
  return state;
}

TrainingOptions from_c(const dann_training_options *given) {
  dann_training_options from = read_options(given, "options");
  TrainingOptions options;
  options.epochs = from.epochs;
  if (from.progress)
    options.progress = [from](const TrainingProgress &now) {
      dann_training_progress progress{sizeof progress, now.epoch,
                                      now.step,        now.steps_per_epoch,
                                      now.loss,        now.learning_rate,
                                      now.epoch_done};
      return from.progress(from.context, &progress) == 0;
    };
  if (from.checkpoint)
    options.checkpoint = from.checkpoint;
  options.checkpoint_every = from.checkpoint_every;
  options.keep = from.keep != 0 ? from.keep : 1;
  return options;
}

/// Samples of a function in C.
class ForeignSource : public BatchSource {
public:
  explicit ForeignSource(const dann_batch_source &source) : source_(source) {
    if (!source.read)
      fail(ErrorCode::InvalidArgument, "the function read of source is null");
  }

  std::int64_t sample_count() const override { return source_.sample_count; }

  void read(const std::int64_t *indices, std::int64_t count, const Tensor &x,
            const Tensor &y) override {
    int32_t status = source_.read(source_.context, indices, count,
                                  x.mutable_bytes(), y.data<std::int64_t>());
    if (status != 0)
      fail(ErrorCode::InvalidData,
           "the samples could not be read: source "
           "returned ",
           status);
  }

private:
  dann_batch_source source_;
};

/// What both functions that train have in common; `f` is dann::train.
template <typename F>
dann_error *train(dann_session *session, dann_training_state *state,
                  const dann_training_options *options, int32_t *finished,
                  F &&f) {
  if (finished)
    *finished = 0;
  return guarded([&] {
    Session &to = checked(session, "session").session;
    TrainingState now = from_c(state);
    TrainingOptions given = from_c(options);
    auto write_state = [&] { write_info(to_c(now), state, "state"); };
    try {
      bool done = f(to, now, given);
      if (finished)
        *finished = done;
    } catch (...) {
      write_state();
      throw;
    }
    write_state();
  });
}

} // namespace

extern "C" {

const char *dann_version(void) { return DANN_VERSION; }

dann_error_code dann_error_get_code(const dann_error *error) {
  return error ? error->code : DANN_OK;
}

const char *dann_error_get_message(const dann_error *error) {
  return error ? error->message.c_str() : "";
}

void dann_error_destroy(dann_error *error) {
  if (error != out_of_memory())
    delete error;
}

size_t dann_element_size(dann_element_type type) {
  int number = number_of(type);
  return is_element_type(number) ? size_of(ElementType(number)) : 0;
}

dann_error *dann_program_load(const char *path, dann_program **program) {
  if (program)
    *program = nullptr;
  return guarded([&] {
    checked(program, "program");
    *program = new dann_program{Program::load(&checked(path, "path"))};
  });
}

void dann_program_destroy(dann_program *program) { delete program; }

dann_error *dann_program_get_info(const dann_program *program,
                                  dann_program_info *info) {
  return guarded([&] {
    const Description &from = description_of(program);
    write_info({0, from.name.c_str(), dann_element_type(from.element_type),
                from.input_shape.size(), from.input_shape.data(),
                from.input_minimum, from.input_maximum, from.classes,
                from.default_batch_size, from.default_epochs,
                from.default_learning_rate, from.target_cpu.c_str(),
                from.parameters.size(), from.entry_points.size()},
               info);
  });
}

dann_error *dann_program_get_parameter(const dann_program *program,
                                       size_t parameter,
                                       dann_parameter_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).parameters;
    check_index(parameter, all.size(), "parameter");
    const Parameter &from = all[parameter];
    write_info({0, from.name.c_str(), from.role.c_str(), dann_sign(from.sign),
                from.shape.size(), from.shape.data()},
               info);
  });
}

dann_error *dann_program_get_entry_point(const dann_program *program,
                                         size_t entry_point,
                                         dann_entry_point_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).entry_points;
    check_index(entry_point, all.size(), "entry point");
    const EntryPoint &from = all[entry_point];
    write_info({0, from.name.c_str(), from.arguments.size()}, info);
  });
}

dann_error *dann_program_get_argument(const dann_program *program,
                                      size_t entry_point, size_t argument,
                                      dann_argument_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).entry_points;
    check_index(entry_point, all.size(), "entry point");
    const auto &arguments = all[entry_point].arguments;
    check_index(argument, arguments.size(), "argument");
    const Argument &from = arguments[argument];
    write_info({0, from.name.c_str(), dann_element_type(from.element_type),
                dann_access(from.access), from.shape.size(), from.shape.data()},
               info);
  });
}

dann_error *dann_session_create(const dann_program *program,
                                const dann_session_options *options,
                                dann_session **session) {
  if (session)
    *session = nullptr;
  return guarded([&] {
    checked(session, "session");
    dann_session_options given = read_options(options, "options");
    *session = new dann_session{
        Session(checked(program, "program").program, {given.threads})};
  });
}

void dann_session_destroy(dann_session *session) { delete session; }

int32_t dann_session_get_threads(const dann_session *session) {
  return session ? session->session.threads() : 0;
}

dann_error *dann_session_initialize(dann_session *session, int64_t seed) {
  return guarded([&] { checked(session, "session").session.initialize(seed); });
}

dann_error *dann_session_load_parameters(dann_session *session,
                                         const char *path) {
  return guarded([&] {
    checked(session, "session").session.load_parameters(&checked(path, "path"));
  });
}

dann_error *dann_session_save_parameters(const dann_session *session,
                                         const char *path) {
  return guarded([&] {
    checked(session, "session").session.save_parameters(&checked(path, "path"));
  });
}

dann_error *dann_session_get_parameter(const dann_session *session,
                                       const char *name, dann_tensor *view) {
  if (view)
    *view = {};
  return guarded([&] {
    const Session &from = checked(session, "session").session;
    checked(view, "view");
    std::string_view wanted = &checked(name, "name");
    *view = view_of(from.parameter(wanted));
    // The shape of the handle goes with it; that of the description stays.
    for (const Parameter &parameter : from.program().description().parameters)
      if (parameter.name == wanted)
        view->shape = parameter.shape.data();
  });
}

dann_error *dann_session_set_parameter(dann_session *session, const char *name,
                                       const dann_tensor *value) {
  return guarded([&] {
    checked(session, "session")
        .session.set_parameter(&checked(name, "name"), borrow(value, "value"));
  });
}

dann_error *dann_session_forward(dann_session *session, const dann_tensor *x,
                                 void *logits, size_t byte_size) {
  return guarded([&] {
    Session &to = checked(session, "session").session;
    Tensor input = borrow(x, "x");
    checked(static_cast<char *>(logits), "logits");
    const Description &described = to.program().description();
    // What is wrong with x itself is for the session to say.
    if (described.classes != 0 && input.rank() != 0) {
      std::optional<std::int64_t> count = element_count_of(
          {input.shape()[0], described.classes}, described.element_type);
      std::uint64_t bytes =
          count ? std::uint64_t(*count) * size_of(described.element_type)
                : std::numeric_limits<std::uint64_t>::max();
      if (byte_size != bytes)
        fail(ErrorCode::InvalidArgument, "logits has ", byte_size,
             " bytes, but ", name_of(described.element_type), " ",
             to_string({input.shape()[0], described.classes}), " are ", bytes);
    }
    Tensor result = to.forward(input);
    std::memcpy(logits, result.bytes(), result.byte_size());
  });
}

dann_error *dann_session_train_step(dann_session *session, const dann_tensor *x,
                                    const dann_tensor *y, double learning_rate,
                                    double *loss) {
  if (loss)
    *loss = 0;
  return guarded([&] {
    double mean =
        checked(session, "session")
            .session.train_step(borrow(x, "x"), borrow(y, "y"), learning_rate);
    if (loss)
      *loss = mean;
  });
}

dann_error *dann_session_evaluate(dann_session *session, const dann_tensor *x,
                                  const dann_tensor *y, double *loss,
                                  int64_t *errors) {
  if (loss)
    *loss = 0;
  if (errors)
    *errors = 0;
  return guarded([&] {
    Evaluation result = checked(session, "session")
                            .session.evaluate(borrow(x, "x"), borrow(y, "y"));
    if (loss)
      *loss = result.loss;
    if (errors)
      *errors = result.errors;
  });
}

dann_error *dann_session_run(dann_session *session, const char *entry_point,
                             const dann_named_tensor *inputs,
                             size_t input_count, dann_results **results) {
  if (results)
    *results = nullptr;
  return guarded([&] {
    Session &to = checked(session, "session").session;
    checked(entry_point, "entry_point");
    checked(results, "results");
    if (input_count != 0)
      checked(inputs, "inputs");
    TensorMap given;
    for (std::size_t i = 0; i < input_count; ++i) {
      const char *name = &checked(inputs[i].name, "the name of an input");
      if (!given.emplace(name, borrow(inputs[i].tensor, name)).second)
        fail(ErrorCode::InvalidArgument, "the input ", name, " occurs twice");
    }
    auto made = std::make_unique<dann_results>();
    made->tensors = to.run(entry_point, given);
    *results = made.release();
  });
}

size_t dann_results_get_count(const dann_results *results) {
  return results ? results->tensors.size() : 0;
}

dann_error *dann_results_get(const dann_results *results, size_t index,
                             dann_named_tensor *result) {
  if (result)
    *result = {};
  return guarded([&] {
    const TensorMap &tensors = checked(results, "results").tensors;
    checked(result, "result");
    check_index(index, tensors.size(), "result");
    auto found = std::next(tensors.begin(), std::ptrdiff_t(index));
    *result = {found->first.c_str(), view_of(found->second)};
  });
}

void dann_results_destroy(dann_results *results) { delete results; }

dann_error *dann_program_get_training_defaults(const dann_program *program,
                                               dann_training_state *state) {
  return guarded([&] {
    write_info(
        to_c(TrainingState::defaults(*checked(program, "program").program)),
        state, "state");
  });
}

dann_error *dann_session_train(dann_session *session, const dann_tensor *x,
                               const dann_tensor *y, dann_training_state *state,
                               const dann_training_options *options,
                               int32_t *finished) {
  return train(
      session, state, options, finished,
      [&](Session &to, TrainingState &from, const TrainingOptions &given) {
        return dann::train(to, borrow(x, "x"), borrow(y, "y"), from, given);
      });
}

dann_error *dann_session_train_from(dann_session *session,
                                    const dann_batch_source *source,
                                    dann_training_state *state,
                                    const dann_training_options *options,
                                    int32_t *finished) {
  return train(
      session, state, options, finished,
      [&](Session &to, TrainingState &from, const TrainingOptions &given) {
        checked(source, "source");
        ForeignSource samples(read_options(source, "source"));
        return dann::train(to, samples, from, given);
      });
}

dann_error *dann_session_save_checkpoint(const dann_session *session,
                                         const char *path,
                                         const dann_training_state *state) {
  return guarded([&] {
    const Session &from = checked(session, "session").session;
    save_checkpoint(&checked(path, "path"), from, from_c(state));
  });
}

dann_error *dann_session_load_checkpoint(dann_session *session,
                                         const char *path,
                                         dann_training_state *state) {
  return guarded([&] {
    Session &to = checked(session, "session").session;
    checked(path, "path");
    // Before anything is loaded.
    check_size(state, "state");
    write_info(to_c(load_checkpoint(path, to)), state, "state");
  });
}

dann_error *dann_session_export_onnx(const dann_session *session,
                                     const char *path,
                                     const dann_onnx_options *options) {
  return guarded([&] {
    const Session &from = checked(session, "session").session;
    OnnxOptions to;
    to.plain_operators = read_options(options, "options").plain_operators != 0;
    export_onnx(from.program(), from.parameters(), &checked(path, "path"), to);
  });
}

} // extern "C"
