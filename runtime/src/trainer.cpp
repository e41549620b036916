#include "trainer.h"

#include "fail.h"
#include "file.h"
#include "random.h"
#include "session_access.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace dann {

BatchSource::~BatchSource() = default;

TrainingState TrainingState::defaults(const Program &program) {
  const Description &description = program.description();
  TrainingState state;
  state.batch_size = description.default_batch_size;
  state.learning_rate = description.default_learning_rate;
  state.schedule = description.default_schedule;
  return state;
}

namespace {

const Description &require_training(const Session &session) {
  const Description &program = session.program().description();
  if (program.classes == 0)
    fail(ErrorCode::InvalidArgument, "the model ", program.name,
         " was not compiled for training");
  return program;
}

/// `state` for so many samples, if they fit together.
TrainingState checked_state(const Session &session, TrainingState state,
                            std::int64_t sample_count) {
  require_training(session);
  if (sample_count <= 0)
    fail(ErrorCode::InvalidArgument, "there are ", sample_count,
         " samples to train on, but at least one is needed");
  if (state.sample_count == 0)
    state.sample_count = sample_count;
  if (std::string sentence = find_invalid(state); !sentence.empty())
    fail(ErrorCode::InvalidArgument,
         "the training state is impossible: ", sentence);
  if (state.sample_count != sample_count)
    fail(ErrorCode::Incompatible, "the training to resume used ",
         state.sample_count, " samples, but the data has ", sample_count);
  return state;
}

/// The numbers of the state's samples in the order of its epoch.
std::vector<std::int64_t> order_of(const TrainingState &state) {
  try {
    return shuffled_indices(state.sample_count, state.seed, state.epoch);
  } catch (const std::exception &) { // bad_alloc, or length_error
    fail(ErrorCode::OutOfMemory, "out of memory: could not shuffle ",
         state.sample_count, " samples");
  }
}

} // namespace

Trainer::Trainer(Session &session, const Dataset *data, BatchSource *source,
                 std::int64_t sample_count, const TrainingState &state)
    : session_(session), data_(data), source_(source),
      state_(checked_state(session, state, sample_count)),
      order_(order_of(state_)),
      batch_(session.program().description(),
             std::min(state.batch_size, sample_count)) {}

Trainer::Trainer(Session &session, const Dataset &data,
                 const TrainingState &state)
    : Trainer(session, &data, nullptr, data.count(), state) {}

Trainer::Trainer(Session &session, BatchSource &source,
                 const TrainingState &state)
    : Trainer(session, nullptr, &source, source.sample_count(), state) {}

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
  const std::int64_t *indices = order_.data() + state_.position;
  if (data_)
    batch_.gather(*data_, indices, count, SessionAccess::execution(session_),
                  std::min(state_.batch_size, left - count));
  else
    batch_.read(*source_, indices, count);
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
  order_ = order_of(state_);
}

bool train(Trainer &trainer, const TrainingOptions &options,
           TrainingState &state) {
  Session &session = trainer.session();
  auto check = [](bool condition, const auto &...sentence) {
    if (!condition)
      fail(ErrorCode::InvalidArgument, sentence...);
  };
  check(options.epochs >= 0 && options.epochs <= INT32_MAX, "epochs is ",
        options.epochs, ", but has to lie in [0, ", INT32_MAX, "]");
  check(options.checkpoint_every >= 0, "checkpoint_every is ",
        options.checkpoint_every, ", but has to be 0 or more");
  check(options.keep >= 1, "keep is ", options.keep,
        ", but has to be positive: the last checkpoint is always kept");
  check(!options.checkpoint.empty() ||
            (options.checkpoint_every == 0 && options.keep == 1),
        "checkpoint_every and keep need a checkpoint");
  if (!options.checkpoint.empty())
    check_writable(options.checkpoint);

  state = trainer.state();
  std::int64_t epochs = options.epochs != 0
                            ? options.epochs
                            : session.program().description().default_epochs;
  while (state.epoch < epochs) {
    // Done already in a checkpoint from between an epoch's last step and its
    // end.
    if (!trainer.epoch_done())
      trainer.step();
    state = trainer.state();
    TrainingProgress progress{state.epoch + 1,           trainer.steps_done(),
                              trainer.steps_per_epoch(), trainer.mean_loss(),
                              trainer.learning_rate(),   trainer.epoch_done()};
    bool go_on = !options.progress || options.progress(progress);
    if (progress.epoch_done)
      trainer.finish_epoch();
    state = trainer.state();
    bool due = options.checkpoint_every != 0 &&
               progress.step % options.checkpoint_every == 0;
    if (!options.checkpoint.empty() && (progress.epoch_done || !go_on || due))
      save_checkpoint(options.checkpoint, session, state, options.keep);
    if (!go_on)
      break;
  }
  return state.epoch >= epochs;
}

bool train(Session &session, const Tensor &x, const Tensor &y,
           TrainingState &state, const TrainingOptions &options) {
  auto make_data = [&] {
    const Description &program = require_training(session);
    try {
      return Dataset(Samples(x, program, "x"), y, program, "y");
    } catch (const Error &error) {
      if (error.code() != ErrorCode::InvalidData)
        throw;
      fail(ErrorCode::InvalidArgument, error.what());
    }
  };
  Dataset data = make_data();
  Trainer trainer(session, data, state);
  return train(trainer, options, state);
}

bool train(Session &session, BatchSource &source, TrainingState &state,
           const TrainingOptions &options) {
  Trainer trainer(session, source, state);
  return train(trainer, options, state);
}

namespace {

// Samples in one call when there is no minibatch to decide it: enough for
// products at full speed, few enough for the activations to stay in cache.
constexpr std::int64_t kEvaluationBatch = 500;

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
