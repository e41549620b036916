// The training loop and what it takes to continue one.
#ifndef DANN_RUNTIME_TRAINER_H
#define DANN_RUNTIME_TRAINER_H

#include "dann/session.hpp"

#include "dataset.h"

#include <string>
#include <vector>

namespace dann {

/// Where a training run stands. With the parameters it determines the rest of
/// the run.
struct TrainingState {
  std::int64_t seed;
  std::int64_t batch_size;
  double learning_rate;
  std::int64_t sample_count; ///< of the training set, without those held out
  std::int64_t validation_samples = 0; ///< how many are held out

  std::int64_t epoch = 0;    ///< epochs completed
  std::int64_t position = 0; ///< samples of the next epoch already seen
  double loss_sum = 0;       ///< of those samples

  Schedule schedule = {}; ///< of the learning rate
};

/// Saves parameters and state, all or nothing. Throws InputOutput, or Diverged
/// if a parameter is not finite.
void save_checkpoint(const std::string &path, const Session &session,
                     const TrainingState &state);

/// Takes the parameters into the session and returns the state. Throws
/// InputOutput, InvalidData, or Incompatible for the checkpoint of another
/// model or one without a training state; the session is then as before.
TrainingState load_checkpoint(const std::string &path, Session &session);

/// Takes the parameters only.
void load_checkpoint_parameters(const std::string &path, Session &session);

/// Trains a session on minibatches of a shuffled data set. The sequence of
/// steps depends on the state alone.
class Trainer {
public:
  /// `session` and `data` have to outlive the trainer. Throws Incompatible if
  /// the state belongs to a data set of another size.
  Trainer(Session &session, const Dataset &data, const TrainingState &state);

  const TrainingState &state() const { return state_; }

  std::int64_t steps_per_epoch() const;

  /// The steps taken since the training began, those of a resumed run included.
  std::int64_t steps_done() const;

  /// What the schedule makes of the learning rate in the next step.
  double learning_rate() const;

  /// Of the samples of the epoch so far, each at its own step; 0 before the
  /// first.
  double mean_loss() const;

  /// Trains on the next minibatch; the last one of an epoch is smaller if the
  /// batch size does not divide the data set. Throws Diverged if its loss is
  /// not finite.
  void step();

  /// Whether all of the epoch has been seen.
  bool epoch_done() const { return state_.position == state_.sample_count; }

  /// Goes on to the next epoch.
  void finish_epoch();

private:
  Session &session_;
  const Dataset &data_;
  TrainingState state_;
  std::vector<std::int64_t> order_; // of the samples in this epoch
  Batch batch_;
};

/// Mean loss and number of errors over a data set.
Evaluation evaluate(Session &session, const Dataset &data);

/// Logits [samples, classes] of all samples.
Tensor predict(Session &session, const Samples &samples);

} // namespace dann

#endif // DANN_RUNTIME_TRAINER_H
