#include "trainer.h"

#include "elements.h"
#include "fail.h"
#include "parameter_check.h"
#include "random.h"
#include "session_access.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

namespace dann {

namespace {

constexpr const char *kFormatVersion = "1";

// Samples in one call when there is no minibatch to decide it: enough for
// products at full speed, few enough for the activations to stay in cache.
constexpr std::int64_t kEvaluationBatch = 500;

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
    check(state.batch_size > 0, "batch_size");
    check(state.learning_rate > 0, "learning_rate");
    check(state.sample_count > 0, "sample_count");
    check(state.validation_samples >= 0, "validation_samples");
    // As many as the command line allows; far from overflow in products.
    check(state.epoch >= 0 && state.epoch <= INT32_MAX, "epoch");
    // Positions lie between minibatches.
    check(state.position >= 0 && state.position <= state.sample_count &&
              (state.position % state.batch_size == 0 ||
               state.position == state.sample_count),
          "position");
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
    check(schedule.is_valid(), "schedule");
    return schedule;
  }

  void check(bool condition, const char *key) {
    if (!condition)
      fail(ErrorCode::InvalidData, path_,
           " has a damaged training state: ", key, " is '", metadata_.at(key),
           "'");
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

void save_checkpoint(const std::string &path, const Session &session,
                     const TrainingState &state) {
  // The loss of a step tells nothing of the parameters after it.
  TensorMap tensors = session.parameters();
  tensors.merge(session.optimizer_state());
  for (const auto &[name, value] : tensors)
    if (std::int64_t index = find_not_finite(value); index >= 0)
      fail(ErrorCode::Diverged, "training diverged: element ", index, " of ",
           name, " is ", element_text(value, index), " in epoch ",
           state.epoch + 1, " at a learning rate of ", state.learning_rate);
  save_tensors(
      path, tensors,
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

Trainer::Trainer(Session &session, const Dataset &data,
                 const TrainingState &state)
    : session_(session), data_(data), state_(state),
      order_(shuffled_indices(data.count(), state.seed, state.epoch)),
      batch_(session.program().description(),
             std::min(state.batch_size, data.count())) {
  if (state.sample_count != data.count())
    fail(ErrorCode::Incompatible, "the training to resume used ",
         state.sample_count, " samples, but the data has ", data.count());
}

std::int64_t Trainer::steps_per_epoch() const {
  return (state_.sample_count - 1) / state_.batch_size + 1;
}

std::int64_t Trainer::steps_done() const {
  // An epoch's last minibatch may be smaller.
  std::int64_t in_epoch =
      state_.position == 0 ? 0 : (state_.position - 1) / state_.batch_size + 1;
  return state_.epoch * steps_per_epoch() + in_epoch;
}

double Trainer::learning_rate() const {
  return state_.learning_rate * state_.schedule.factor_at(steps_done());
}

double Trainer::mean_loss() const {
  return state_.position == 0 ? 0 : state_.loss_sum / double(state_.position);
}

void Trainer::step() {
  std::int64_t left = state_.sample_count - state_.position;
  std::int64_t count = std::min(state_.batch_size, left);
  batch_.gather(data_, order_.data() + state_.position, count,
                SessionAccess::execution(session_),
                std::min(state_.batch_size, left - count));
  double rate = learning_rate();
  double loss = SessionAccess::train_step(
      session_, batch_, rate, random_key(state_.seed, steps_done()));
  if (!std::isfinite(loss))
    fail(ErrorCode::Diverged, "training diverged: the loss of step ",
         state_.position / state_.batch_size + 1, " of epoch ",
         state_.epoch + 1, " is ", loss, " at a learning rate of ", rate);
  state_.position += count;
  state_.loss_sum += loss * double(count);
}

void Trainer::finish_epoch() {
  ++state_.epoch;
  state_.position = 0;
  state_.loss_sum = 0;
  order_ = shuffled_indices(state_.sample_count, state_.seed, state_.epoch);
}

namespace {

/// Calls `f` with batches that cover all samples in order.
template <typename Data, typename F>
void for_each_batch(Session &session, const Data &data, F f) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(data.count()));
  std::iota(indices.begin(), indices.end(), 0);
  Batch batch(session.program().description(),
              std::min(kEvaluationBatch, data.count()));
  for (std::int64_t begin = 0; begin < data.count();
       begin += kEvaluationBatch) {
    std::int64_t count = std::min(kEvaluationBatch, data.count() - begin);
    batch.gather(data, indices.data() + begin, count,
                 SessionAccess::execution(session));
    f(begin, count, batch);
  }
}

} // namespace

Evaluation evaluate(Session &session, const Dataset &data) {
  Evaluation total{0, 0};
  for_each_batch(session, data,
                 [&](std::int64_t, std::int64_t count, const Batch &batch) {
                   Evaluation part = SessionAccess::evaluate(session, batch);
                   total.loss += part.loss * double(count);
                   total.errors += part.errors;
                 });
  total.loss /= double(data.count());
  return total;
}

Tensor predict(Session &session, const Samples &samples) {
  const Description &program = session.program().description();
  Tensor logits(program.element_type, {samples.count(), program.classes});
  std::size_t row =
      std::size_t(program.classes) * size_of(program.element_type);
  for_each_batch(session, samples,
                 [&](std::int64_t begin, std::int64_t, const Batch &batch) {
                   Tensor part = session.forward(batch.x);
                   std::memcpy(static_cast<char *>(logits.mutable_bytes()) +
                                   std::size_t(begin) * row,
                               part.bytes(), part.byte_size());
                 });
  return logits;
}

} // namespace dann
