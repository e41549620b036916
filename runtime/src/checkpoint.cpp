// Checkpoints: parameters, optimizer state and, as metadata, the training
// state.
#include "trainer.h"

#include "elements.h"
#include "fail.h"
#include "file.h"
#include "parameter_check.h"
#include "safetensors.h"

#include <charconv>
#include <cmath>

namespace dann {

namespace {

constexpr const char *kFormatVersion = "1";

/// Exact, so that a resumed run continues with the very same numbers.
std::string exact_text(double value) {
  char buffer[64];
  auto end = std::to_chars(buffer, buffer + sizeof buffer, value,
                           std::chars_format::hex)
                 .ptr;
  return std::string(buffer, end);
}

template <typename... Format>
bool parse(const std::string &text, auto &value, Format... format) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, format...);
  return error == std::errc() && end == text.data() + text.size();
}

/// Reads the training state of a checkpoint's metadata.
class StateReader {
public:
  StateReader(const Metadata &metadata, const std::string &path)
      : metadata_(metadata), path_(path) {}

  TrainingState read() {
    TrainingState state;
    state.seed = integer("seed");
    state.batch_size = integer("batch_size");
    state.learning_rate = number("learning_rate");
    state.sample_count = integer("sample_count");
    // Older checkpoints know nothing of it.
    if (metadata_.count("validation_samples"))
      state.validation_samples = integer("validation_samples");
    state.epoch = integer("epoch");
    state.schedule = read_schedule();
    state.position = integer("position");
    state.loss_sum = number("loss_sum");
    if (std::string sentence = find_invalid(state); !sentence.empty())
      fail_damaged(sentence);
    return state;
  }

private:
  /// Constant in checkpoints of programs that knew nothing else.
  Schedule read_schedule() {
    Schedule schedule;
    if (metadata_.count("schedule") == 0)
      return schedule;
    bool known = false;
    for (Decay decay :
         {Decay::Constant, Decay::Exponential, Decay::Stepwise, Decay::Cosine})
      if (text("schedule") == name_of(decay)) {
        schedule.decay = decay;
        known = true;
      }
    check(known, "schedule");
    schedule.factor = number("schedule_factor");
    schedule.steps = integer("schedule_steps");
    schedule.minimum = number("schedule_minimum");
    schedule.warmup = integer("warmup");
    return schedule;
  }

  template <typename... Parts>
  [[noreturn]] void fail_damaged(const Parts &...parts) const {
    fail(ErrorCode::InvalidData, path_,
         " has a damaged training state: ", parts...);
  }

  void check(bool condition, const char *key) {
    if (!condition)
      fail_damaged(key, " is '", metadata_.at(key), "'");
  }

  const std::string &text(const char *key) {
    auto found = metadata_.find(key);
    if (found == metadata_.end())
      fail(ErrorCode::Incompatible, path_,
           " holds parameters but no training to resume: it has no ", key);
    return found->second;
  }

  std::int64_t integer(const char *key) {
    std::int64_t value = 0;
    check(parse(text(key), value), key);
    return value;
  }

  double number(const char *key) {
    double value = 0;
    check(parse(text(key), value, std::chars_format::hex) &&
              std::isfinite(value),
          key);
    return value;
  }

  const Metadata &metadata_;
  const std::string &path_;
};

/// Reads a checkpoint's file and checks that it is of the session's model. The
/// parameters themselves are checked when the session takes them.
TensorMap read_checkpoint(const std::string &path, const Session &session,
                          Metadata &metadata) {
  TensorMap parameters = load_tensors(path, &metadata);
  const std::string &name = session.program().description().name;
  auto model = metadata.find("model");
  if (model != metadata.end() && model->second != name)
    fail(ErrorCode::Incompatible, path, " is a checkpoint of the model ",
         model->second, ", not of ", name);
  auto version = metadata.find("format_version");
  if (version != metadata.end() && version->second != kFormatVersion)
    fail(ErrorCode::Incompatible, path, " has the format version ",
         version->second, "; this program reads ", kFormatVersion);
  return parameters;
}

/// Takes the optimizer's states out of what a checkpoint holds.
TensorMap extract_states(const Session &session, TensorMap &tensors) {
  TensorMap states;
  for (const StateTensor &state : session.program().description().state_tensors)
    if (auto found = tensors.find(state.name); found != tensors.end())
      states.insert(tensors.extract(found));
  return states;
}

/// Parameters, and the states of the optimizer if they are asked for: all or
/// nothing.
void take_tensors(const std::string &path, Session &session, TensorMap tensors,
                  bool with_states) {
  TensorMap states = extract_states(session, tensors);
  try {
    if (with_states)
      checked_states(session.program().description(), states);
    session.set_parameters(tensors);
    if (with_states)
      session.set_optimizer_state(states);
  } catch (const Error &error) {
    fail(ErrorCode::Incompatible, path, ": ", error.what());
  }
}

} // namespace

std::string find_invalid(const TrainingState &state) {
  auto is_positive = [](double value) {
    return std::isfinite(value) && value > 0;
  };
  auto demand = [](const char *field, auto value, const auto &...rule) {
    return concat(field, " is ", value, ", but has to ", rule...);
  };
  if (state.batch_size <= 0)
    return demand("batch_size", state.batch_size, "be positive");
  if (!is_positive(state.learning_rate))
    return demand("learning_rate", state.learning_rate,
                  "be positive and finite");
  if (state.sample_count <= 0)
    return demand("sample_count", state.sample_count, "be positive");
  if (state.validation_samples < 0)
    return demand("validation_samples", state.validation_samples,
                  "be 0 or more");
  // As many as the command line allows; far from overflow in products.
  if (state.epoch < 0 || state.epoch > INT32_MAX)
    return demand("epoch", state.epoch, "lie in [0, ", INT32_MAX, "]");
  // Positions lie between minibatches.
  if (state.position < 0 || state.position > state.sample_count ||
      (state.position % state.batch_size != 0 &&
       state.position != state.sample_count))
    return demand("position", state.position, "be ", state.sample_count,
                  " or a multiple of ", state.batch_size, " below it");
  if (!std::isfinite(state.loss_sum))
    return demand("loss_sum", state.loss_sum, "be finite");
  const Schedule &schedule = state.schedule;
  if (!schedule.is_valid())
    return concat(
        "the schedule has the factor ", schedule.factor, ", ", schedule.steps,
        " steps, the minimum ", schedule.minimum, " and ", schedule.warmup,
        " steps of warm-up, which have to lie in (0, 1], be positive, "
        "lie in [0, 1] and be 0 or more");
  return "";
}

void save_checkpoint(const std::string &path, const Session &session,
                     const TrainingState &state, std::int64_t keep) {
  // The loss of a step tells nothing of the parameters after it.
  TensorMap tensors = session.parameters();
  tensors.merge(session.optimizer_state());
  for (const auto &[name, value] : tensors)
    if (std::int64_t index = find_not_finite(value); index >= 0)
      fail(ErrorCode::Diverged, "training diverged: element ", index, " of ",
           name, " is ", element_text(value, index), " in epoch ",
           state.epoch + 1, " at a learning rate of ", state.learning_rate);
  // Such a file could not be loaded, and stands where a good one may have been.
  if (std::string sentence = find_invalid(state); !sentence.empty())
    fail(ErrorCode::InvalidArgument,
         "the training state is impossible: ", sentence);
  AtomicFile file(path);
  write_tensors(
      file, tensors,
      {{"format_version", kFormatVersion},
       {"model", session.program().description().name},
       {"seed", std::to_string(state.seed)},
       {"batch_size", std::to_string(state.batch_size)},
       {"learning_rate", exact_text(state.learning_rate)},
       {"schedule", name_of(state.schedule.decay)},
       {"schedule_factor", exact_text(state.schedule.factor)},
       {"schedule_steps", std::to_string(state.schedule.steps)},
       {"schedule_minimum", exact_text(state.schedule.minimum)},
       {"warmup", std::to_string(state.schedule.warmup)},
       {"sample_count", std::to_string(state.sample_count)},
       {"validation_samples", std::to_string(state.validation_samples)},
       {"epoch", std::to_string(state.epoch)},
       {"position", std::to_string(state.position)},
       {"loss_sum", exact_text(state.loss_sum)}});
  file.commit(keep);
}

TrainingState load_checkpoint(const std::string &path, Session &session) {
  Metadata metadata;
  TensorMap tensors = read_checkpoint(path, session, metadata);
  TrainingState state = StateReader(metadata, path).read();
  take_tensors(path, session, std::move(tensors), /*with_states=*/true);
  return state;
}

void load_checkpoint_parameters(const std::string &path, Session &session) {
  Metadata metadata;
  TensorMap tensors = read_checkpoint(path, session, metadata);
  take_tensors(path, session, std::move(tensors), /*with_states=*/false);
}

} // namespace dann
