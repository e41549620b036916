#include "commands.h"

#include "dann/session.hpp"
#include "dataset.h"
#include "fail.h"
#include "file.h"
#include "options.h"
#include "progress_bar.h"
#include "schedule_options.h"
#include "trainer.h"
#include "training_log.h"

#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

namespace dann::cli {

namespace {

volatile std::sig_atomic_t stop_signal = 0;

void request_stop(int signal) { stop_signal = signal; }

/// While it lives, SIGINT and SIGTERM ask the training to stop after the
/// current step. A second one ends the program at once.
class StopSignals {
public:
  StopSignals() {
    struct sigaction action {};
    action.sa_handler = request_stop;
    action.sa_flags = SA_RESTART | int(SA_RESETHAND);
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
  }
  ~StopSignals() {
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
  }

private:
  struct sigaction old_interrupt_, old_terminate_;
};

struct TrainOptions {
  DataOptions data;
  std::int64_t epochs;
  std::int64_t batch_size;
  double learning_rate;
  ScheduleOptions schedule;
  std::int64_t seed = 0;
  std::int64_t validation_samples = 0; // 0: evaluate on the test set
  int threads = 0;
  std::string checkpoint;
  std::string resume; // empty: resume from `checkpoint`
  std::string log;
  std::int64_t checkpoint_every = 0; // steps; 0: after epochs only
  std::int64_t keep = 1;
  std::int64_t evaluate_every = 0; // steps; 0: after epochs only
  CLI::Option *batch_size_option, *learning_rate_option, *seed_option,
      *validation_option, *resume_option;

  /// The file to resume from, if any.
  std::optional<std::string> resume_path() const {
    if (resume_option->count() == 0)
      return std::nullopt;
    if (resume.empty() && checkpoint.empty())
      fail(ErrorCode::InvalidArgument,
           "--resume needs a file, or --checkpoint to say which");
    return resume.empty() ? checkpoint : resume;
  }
};

/// A resumed run goes on as it began; an option that says otherwise is an error
/// rather than ignored.
void check_resumed(const TrainOptions &options, const TrainingState &state,
                   const std::string &path) {
  auto check = [&](CLI::Option *option, auto given, auto resumed) {
    if (option->count() != 0 && given != resumed)
      fail(ErrorCode::InvalidArgument, option->get_name(), " ", given,
           " contradicts ", path, ", which was made with ", resumed);
  };
  check(options.seed_option, options.seed, state.seed);
  check(options.batch_size_option, options.batch_size, state.batch_size);
  check(options.learning_rate_option, options.learning_rate,
        state.learning_rate);
  options.schedule.check_resumed(state.schedule, path);
  check(options.validation_option, options.validation_samples,
        state.validation_samples);
}

/// What to train and what to evaluate on.
struct TrainingData {
  Dataset training, evaluation;
  const char *evaluated; // "test", or "validation" for samples held out

  static TrainingData load(const DataOptions &options,
                           const TrainingState &state,
                           const Description &program) {
    bool hold_out = state.validation_samples != 0;
    DataFiles files = options.resolve(hold_out ? DataParts::Training
                                               : DataParts::TrainingAndTest);
    Dataset training = Dataset::load(files.train_x, files.train_y, program);
    if (!hold_out)
      return {std::move(training),
              Dataset::load(files.test_x, files.test_y, program), "test"};
    ValidationSplit split(training, state.validation_samples, state.seed);
    return {std::move(split.training), std::move(split.validation),
            "validation"};
  }
};

/// The table on standard output, a row an epoch.
class Table {
public:
  /// `evaluated` is a noun: what the losses and errors are those of.
  explicit Table(const std::string &evaluated)
      : loss_width_(int(evaluated.size()) + 5),
        error_width_(int(evaluated.size()) + 4) {
    std::printf("epoch  train loss  %s loss  %s error  seconds\n",
                evaluated.c_str(), evaluated.c_str());
    std::fflush(stdout);
  }

  /// `error` is in percent.
  void add_row(std::int64_t epoch, double train_loss, double loss, double error,
               double seconds) {
    std::printf("%5lld  %10.4f  %*.4f  %*.2f %%  %7.1f\n",
                static_cast<long long>(epoch), train_loss, loss_width_, loss,
                error_width_, error, seconds);
    std::fflush(stdout);
  }

private:
  int loss_width_, error_width_;
};

int train(const TrainOptions &options, const ProgramPointer &program) {
  using Clock = std::chrono::steady_clock;

  // All that can be found wrong is found before the first step.
  std::optional<std::string> resume_path = options.resume_path();
  if (!options.checkpoint.empty())
    check_writable(options.checkpoint);

  Session session(program, {options.threads});
  TrainingState state{options.seed, options.batch_size, options.learning_rate,
                      0, options.validation_samples};
  state.schedule = options.schedule.schedule;
  if (resume_path) {
    state = load_checkpoint(*resume_path, session);
    check_resumed(options, state, *resume_path);
  }
  TrainingData data =
      TrainingData::load(options.data, state, program->description());
  if (!resume_path) {
    state.sample_count = data.training.count();
    session.initialize(state.seed);
  }
  Trainer trainer(session, data.training, state);

  TrainingLog log(options.log);
  if (resume_path)
    log.rewind(trainer.steps_done());
  else
    log.clear();
  if (options.checkpoint.empty())
    std::fprintf(stderr, "note: without --checkpoint the trained parameters "
                         "are not kept\n");
  if (resume_path && state.epoch >= options.epochs) {
    std::printf("%s has completed %lld epochs already; raise --epochs to go "
                "on\n",
                resume_path->c_str(), static_cast<long long>(state.epoch));
    return 0;
  }

  const std::string evaluated = data.evaluated;
  auto evaluate_now = [&] {
    Evaluation result = evaluate(session, data.evaluation);
    if (!std::isfinite(result.loss))
      fail(ErrorCode::Diverged, "training diverged: the ", evaluated,
           " loss in epoch ", trainer.state().epoch + 1, " is ", result.loss,
           " at a learning rate of ", state.learning_rate);
    return result;
  };
  auto percent = [&](const Evaluation &result) {
    return 100 * double(result.errors) / double(data.evaluation.count());
  };
  Clock::time_point begin = Clock::now(), last_record = begin;
  auto seconds_since = [](Clock::time_point &since, Clock::time_point now) {
    return std::chrono::duration<double>(now - since).count();
  };
  auto write_record = [&](const TrainingProgress &now,
                          const Evaluation &result) {
    Clock::time_point time = Clock::now();
    log.write({{"epoch", now.epoch},
               {"step", now.step},
               {"train_loss", now.loss},
               {evaluated + "_loss", result.loss},
               {evaluated + "_error", percent(result)},
               {"errors", result.errors},
               {"samples", data.evaluation.count()},
               {"learning_rate", now.learning_rate},
               {"seconds", seconds_since(last_record, time)}});
    last_record = time;
  };

  StopSignals signals;
  ProgressBar bar(options.epochs, trainer.steps_per_epoch());
  Table table(evaluated);
  TrainingOptions training;
  training.epochs = options.epochs;
  training.checkpoint = options.checkpoint;
  training.checkpoint_every = options.checkpoint_every;
  training.keep = options.keep;
  training.progress = [&](const TrainingProgress &now) {
    bar.update(now.epoch, now.step - (now.epoch - 1) * now.steps_per_epoch,
               now.loss);
    if (now.epoch_done) {
      Evaluation result = evaluate_now();
      bar.clear();
      table.add_row(now.epoch, now.loss, result.loss, percent(result),
                    seconds_since(begin, Clock::now()));
      // Before the checkpoint: a run that is resumed writes again what the log
      // says beyond it, but nothing that it lacks.
      write_record(now, result);
      begin = Clock::now();
    } else if (options.evaluate_every != 0 &&
               now.step % options.evaluate_every == 0) {
      write_record(now, evaluate_now());
    }
    return stop_signal == 0;
  };
  if (dann::train(trainer, training, state))
    return 0;
  bar.clear();
  if (!options.checkpoint.empty())
    std::fprintf(stderr, "stopped in epoch %lld; continue with --resume\n",
                 static_cast<long long>(state.epoch) + 1);
  return 128 + stop_signal;
}

} // namespace

void add_train(CLI::App &app, const ProgramPointer &program, int &exit_status) {
  auto options = std::make_shared<TrainOptions>();
  const Description &description = program->description();
  options->epochs = description.default_epochs;
  options->batch_size = description.default_batch_size;
  options->learning_rate = description.default_learning_rate;

  CLI::App &command = *app.add_subcommand(
      "train", "Train on a data set and evaluate after every epoch");
  options->data.add_to(command, true);
  options->validation_option = add_optional_count(
      command, "--validation-samples", options->validation_samples,
      "Hold out N training samples, chosen by the seed, and evaluate on them "
      "instead of the test set");
  add_count(command, "--epochs", options->epochs,
            "Epochs in total, those of a resumed run included");
  options->batch_size_option = add_count(
      command, "--batch-size", options->batch_size, "Samples per step");
  options->learning_rate_option = add_positive_number(
      command, "--learning-rate", options->learning_rate, "Learning rate");
  options->schedule.add_to(command, description.default_schedule);
  options->seed_option = add_seed(command, options->seed);
  add_threads(command, options->threads);
  CLI::Option *checkpoint =
      command
          .add_option("--checkpoint", options->checkpoint,
                      "Where to save the parameters and the state of the "
                      "training after every epoch, and when stopped by Ctrl-C")
          ->type_name("FILE");
  add_optional_count(command, "--checkpoint-every", options->checkpoint_every,
                     "Also save after every N steps")
      ->needs(checkpoint);
  add_count(command, "--keep", options->keep,
            "How many checkpoints to keep: FILE, FILE.1 from before it, FILE.2 "
            "…")
      ->needs(checkpoint);
  options->resume_option =
      command
          .add_option("--resume", options->resume,
                      "Continue the training saved in FILE (default: in "
                      "--checkpoint)")
          ->type_name("FILE")
          ->expected(0, 1);
  CLI::Option *log =
      command
          .add_option("--log", options->log,
                      "Write one JSON object per evaluation; a resumed run "
                      "appends")
          ->type_name("FILE");
  add_optional_count(command, "--evaluate-every", options->evaluate_every,
                     "Also evaluate after every N steps, for the log")
      ->needs(log);
  command.callback([options, program, &exit_status] {
    exit_status = train(*options, program);
  });
}

} // namespace dann::cli
