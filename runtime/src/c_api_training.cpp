// The C interface of training runs and their checkpoints.
#include "c_api.h"

#include "dann/training.hpp"

#include <cstdint>

using namespace dann;

namespace {

// The values of the enumeration are part of the interface.
static_assert(int(Decay::Constant) == DANN_CONSTANT &&
              int(Decay::Exponential) == DANN_EXPONENTIAL &&
              int(Decay::Stepwise) == DANN_STEPWISE &&
              int(Decay::Cosine) == DANN_COSINE);

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

} // extern "C"
