// The training loop and what it takes to continue one.
#ifndef DANN_RUNTIME_TRAINER_H
#define DANN_RUNTIME_TRAINER_H

#include "dann/training.hpp"

#include "dataset.h"

#include <string>
#include <vector>

namespace dann {

/// Takes the parameters only.
void load_checkpoint_parameters(const std::string &path, Session &session);

/// Says which field of the state has an impossible value, and what it has to
/// be; empty if there is none.
std::string find_invalid(const TrainingState &state);

/// Trains a session on minibatches of shuffled samples. The sequence of steps
/// depends on the state alone.
class Trainer {
public:
  /// What is given has to outlive the trainer. The state's sample count may be
  /// 0: that of the samples. Throws InvalidArgument for a state that cannot be
  /// or a program that does not train, Incompatible if the state belongs to
  /// another number of samples.
  Trainer(Session &session, const Dataset &data, const TrainingState &state);
  Trainer(Session &session, BatchSource &source, const TrainingState &state);

  Session &session() const { return session_; }
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
  Trainer(Session &session, const Dataset *data, BatchSource *source,
          std::int64_t sample_count, const TrainingState &state);

  Session &session_;
  const Dataset *data_; // or null,
  BatchSource *source_; // and then this is not
  TrainingState state_;
  std::vector<std::int64_t> order_; // of the samples in this epoch
  Batch batch_;
};

/// The public `train` with a trainer at hand.
bool train(Trainer &trainer, const TrainingOptions &options,
           TrainingState &state);

/// Mean loss and number of errors over a data set.
Evaluation evaluate(Session &session, const Dataset &data);

/// Logits [samples, classes] of all samples.
Tensor predict(Session &session, const Samples &samples);

} // namespace dann

#endif // DANN_RUNTIME_TRAINER_H
