// Training for whole epochs, and checkpoints to continue it from.
//
//   dann::TrainingState state = dann::TrainingState::defaults(*program);
//   dann::TrainingOptions options;
//   options.epochs = 5;
//   options.checkpoint = "fashion.safetensors";
//   dann::train(session, x, y, state, options);
#ifndef DANN_TRAINING_HPP
#define DANN_TRAINING_HPP

#include "dann/session.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace dann {

/// How a session is trained, and where the training stands. With the session's
/// parameters and optimizer state it determines all further steps, on any
/// number of threads.
struct DANN_API TrainingState {
  std::int64_t seed = 0; ///< of the order of the samples, and of random layers
  std::int64_t batch_size = 0;         ///< positive
  double learning_rate = 0;            ///< positive
  std::int64_t sample_count = 0;       ///< in an epoch; 0 before the first step
  std::int64_t validation_samples = 0; ///< held out by the caller; kept for it

  std::int64_t epoch = 0;    ///< epochs completed
  std::int64_t position = 0; ///< samples of the next epoch already seen
  double loss_sum = 0;       ///< of those samples

  Schedule schedule = {}; ///< of the learning rate

  /// The beginning of a training with batch size, learning rate and schedule of
  /// the program.
  static TrainingState defaults(const Program &program);
};

/// What is known after a step.
struct TrainingProgress {
  std::int64_t epoch;           ///< the step's, counted from 1
  std::int64_t step;            ///< how many since the first epoch began
  std::int64_t steps_per_epoch; ///< the last one's batch may be smaller
  double loss; ///< mean over the samples of the epoch, each at its own step
  double learning_rate; ///< of the next step
  bool epoch_done;      ///< this was the last step of its epoch
};

/// Samples to train on, by numbers. The training says which ones make a
/// minibatch; samples that are made on the fly may disregard it.
class DANN_API BatchSource {
public:
  virtual ~BatchSource();

  /// How many samples make an epoch; the same at every call.
  virtual std::int64_t sample_count() const = 0;

  /// Writes samples indices[0], …, indices[count - 1] into the rows of `x`
  /// [count, ...input shape], of the program's element type, and their labels
  /// into `y`, i64 [count]. The training calls it on its own thread, once a
  /// step, and checks the values. What it throws ends the training.
  virtual void read(const std::int64_t *indices, std::int64_t count,
                    const Tensor &x, const Tensor &y) = 0;
};

struct TrainingOptions {
  /// How many epochs in total, those that the state has completed included; 0
  /// for the program's default.
  std::int64_t epochs = 0;

  /// Called after every step, before the checkpoint if one is due. It may use
  /// the session, e.g. to evaluate. If it returns false, the training ends
  /// there. What it throws ends the training, too, without a checkpoint.
  std::function<bool(const TrainingProgress &)> progress;

  /// Where to save after every epoch, and when the training is ended by
  /// `progress`; nowhere if empty.
  std::string checkpoint;
  /// Save after every so many steps too, counted from the first epoch's first;
  /// 0: no.
  std::int64_t checkpoint_every = 0;
  /// How many checkpoints to keep: the last one under its name, the one before
  /// with .1 appended, then .2, and so on.
  std::int64_t keep = 1;
};

/// Trains on minibatches of the samples x [samples, ...input shape] with the
/// labels y [samples], shuffled anew in every epoch, until `options.epochs` are
/// completed: true; or until `options.progress` says no: false. A state that is
/// not at its beginning continues where it stands, and `state` always says
/// where that is.
///
/// Unsigned bytes in `x` are mapped linearly from 0 … 255 onto the program's
/// input range; other types are taken as they are and have to lie in it.
///
/// Throws InvalidArgument for samples, options or a state that are wrong or do
/// not fit together, before the first step; Diverged if a step's loss or, in a
/// checkpoint, a parameter is not finite; InputOutput if a checkpoint cannot be
/// saved. The session keeps the steps done until then.
DANN_API bool train(Session &session, const Tensor &x, const Tensor &y,
                    TrainingState &state, const TrainingOptions &options = {});

/// The same on the samples of `source`.
DANN_API bool train(Session &session, BatchSource &source, TrainingState &state,
                    const TrainingOptions &options = {});

/// Saves parameters, optimizer state and training state as a safetensors file,
/// all or nothing. Of older files of that name `keep` - 1 are kept, see
/// TrainingOptions. Throws InputOutput, Diverged if a value is not finite, or
/// InvalidArgument if the state is impossible (0 samples, say) or a parameter
/// has no value yet; what stood there before then still does.
DANN_API void save_checkpoint(const std::string &path, const Session &session,
                              const TrainingState &state,
                              std::int64_t keep = 1);

/// Takes the parameters and the optimizer state into the session and returns
/// the training state. Throws InputOutput, InvalidData if the file is damaged,
/// or Incompatible if it is a checkpoint of another model or holds no training
/// state; the session is then as before.
DANN_API TrainingState load_checkpoint(const std::string &path,
                                       Session &session);

} // namespace dann

#endif // DANN_TRAINING_HPP
