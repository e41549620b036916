#include "commands.h"

#include "dann/session.hpp"
#include "dataset.h"
#include "fail.h"
#include "file.h"
#include "options.h"
#include "progress_bar.h"
#include "trainer.h"

#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <unistd.h>

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

/// One JSON object per line and epoch, written out at once.
class Log {
public:
  /// Opens the file without changing it.
  explicit Log(const std::string &path) : path_(path) {
    if (!path.empty() && !(file_ = std::fopen(path.c_str(), "a")))
      fail_write();
  }
  ~Log() {
    if (file_)
      std::fclose(file_);
  }
  Log(const Log &) = delete;
  Log &operator=(const Log &) = delete;

  /// Drops what an earlier run wrote.
  void truncate() {
    // A pipe or a terminal has nothing to drop.
    if (file_ && ftruncate(fileno(file_), 0) != 0 && errno != EINVAL)
      fail_write();
  }

  void write(const nlohmann::ordered_json &entry) {
    if (!file_)
      return;
    std::string line = entry.dump() + "\n";
    if (std::fputs(line.c_str(), file_) < 0 || std::fflush(file_) != 0)
      fail_write();
  }

private:
  [[noreturn]] void fail_write() const {
    fail(ErrorCode::InputOutput, "cannot write ", path_, ": ",
         std::strerror(errno));
  }

  std::string path_;
  std::FILE *file_ = nullptr;
};

struct TrainOptions {
  DataOptions data;
  std::int64_t epochs;
  std::int64_t batch_size;
  double learning_rate;
  std::int64_t seed = 0;
  int threads = 0;
  std::string checkpoint;
  std::string resume; // empty: resume from `checkpoint`
  std::string log;
  CLI::Option *batch_size_option, *learning_rate_option, *seed_option,
      *resume_option;

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
}

int train(const TrainOptions &options, const ProgramPointer &program) {
  using Clock = std::chrono::steady_clock;

  // All that can be found wrong is found before the first step.
  std::optional<std::string> resume_path = options.resume_path();
  DataFiles files = options.data.resolve(true);
  if (!options.checkpoint.empty())
    check_writable(options.checkpoint);

  Session session(program, {options.threads});
  TrainingState state{options.seed, options.batch_size, options.learning_rate,
                      0};
  if (resume_path) {
    state = load_checkpoint(*resume_path, session);
    check_resumed(options, state, *resume_path);
  }
  const Description &description = program->description();
  Dataset train_set = Dataset::load(files.train_x, files.train_y, description);
  Dataset test_set = Dataset::load(files.test_x, files.test_y, description);
  if (!resume_path) {
    state.sample_count = train_set.count();
    session.initialize(state.seed);
  }
  Trainer trainer(session, train_set, state);

  Log log(options.log);
  if (!resume_path)
    log.truncate();
  if (options.checkpoint.empty())
    std::fprintf(stderr, "note: without --checkpoint the trained parameters "
                         "are not kept\n");
  if (state.epoch >= options.epochs) {
    std::printf("%s has completed %lld epochs already; raise --epochs to go "
                "on\n",
                resume_path->c_str(), static_cast<long long>(state.epoch));
    return 0;
  }

  auto save = [&] {
    if (!options.checkpoint.empty())
      save_checkpoint(options.checkpoint, session, trainer.state());
  };
  StopSignals signals;
  ProgressBar bar(options.epochs, trainer.steps_per_epoch());
  std::printf("epoch  train loss  test loss  test error  seconds\n");
  std::fflush(stdout);
  while (trainer.state().epoch < options.epochs) {
    Clock::time_point begin = Clock::now();
    std::int64_t epoch = trainer.state().epoch + 1;
    double train_loss = 0;
    while (!trainer.epoch_done() && !stop_signal) {
      train_loss = trainer.step();
      bar.update(epoch,
                 (trainer.state().position - 1) / trainer.state().batch_size +
                     1,
                 train_loss);
    }
    if (stop_signal) {
      bar.clear();
      save();
      if (!options.checkpoint.empty())
        std::fprintf(stderr, "stopped in epoch %lld; continue with --resume\n",
                     static_cast<long long>(epoch));
      return 128 + stop_signal;
    }

    train_loss = trainer.state().loss_sum / double(train_set.count());
    Evaluation test = evaluate(session, test_set);
    if (!std::isfinite(test.loss))
      fail(ErrorCode::Diverged, "training diverged: the test loss after epoch ",
           epoch, " is ", test.loss, " at a learning rate of ",
           state.learning_rate);
    trainer.finish_epoch();
    save();

    double test_error = 100 * double(test.errors) / double(test_set.count());
    double seconds =
        std::chrono::duration<double>(Clock::now() - begin).count();
    bar.clear();
    std::printf("%5lld  %10.4f  %9.4f  %8.2f %%  %7.1f\n",
                static_cast<long long>(epoch), train_loss, test.loss,
                test_error, seconds);
    std::fflush(stdout);
    log.write({{"epoch", epoch},
               {"train_loss", train_loss},
               {"test_loss", test.loss},
               {"test_error", test_error},
               {"seconds", seconds}});
  }
  return 0;
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
  add_count(command, "--epochs", options->epochs,
            "Epochs in total, those of a resumed run included");
  options->batch_size_option = add_count(
      command, "--batch-size", options->batch_size, "Samples per step");
  options->learning_rate_option = add_positive_number(
      command, "--learning-rate", options->learning_rate, "Learning rate");
  options->seed_option = add_seed(command, options->seed);
  add_threads(command, options->threads);
  command
      .add_option("--checkpoint", options->checkpoint,
                  "Where to save the parameters and the state of the training "
                  "after every epoch, and when stopped by Ctrl-C")
      ->type_name("FILE");
  options->resume_option =
      command
          .add_option("--resume", options->resume,
                      "Continue the training saved in FILE (default: in "
                      "--checkpoint)")
          ->type_name("FILE")
          ->expected(0, 1);
  command
      .add_option("--log", options->log,
                  "Write one JSON object per epoch; a resumed run appends")
      ->type_name("FILE");
  command.callback([options, program, &exit_status] {
    exit_status = train(*options, program);
  });
}

} // namespace dann::cli
