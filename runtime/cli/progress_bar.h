// One line on a terminal that says how far the training is.
#ifndef DANN_CLI_PROGRESS_BAR_H
#define DANN_CLI_PROGRESS_BAR_H

#include <chrono>
#include <cstdint>

namespace dann::cli {

/// Draws on stderr, and only if that is a terminal.
class ProgressBar {
public:
  /// `steps` is the length of an epoch.
  ProgressBar(std::int64_t epochs, std::int64_t steps);
  ~ProgressBar();
  ProgressBar(const ProgressBar &) = delete;
  ProgressBar &operator=(const ProgressBar &) = delete;

  /// `step` of `epoch`, both from 1, is done. Redraws a few times a second.
  void update(std::int64_t epoch, std::int64_t step, double loss);

  /// Removes the line, to make room for other output.
  void clear();

private:
  using Clock = std::chrono::steady_clock;

  void draw(std::int64_t epoch, std::int64_t step, double loss);

  std::int64_t epochs_, steps_;
  bool terminal_, drawn_ = false;
  Clock::time_point begin_ = Clock::now(), last_;
  std::int64_t steps_done_ = 0; // since `begin_`
};

} // namespace dann::cli

#endif // DANN_CLI_PROGRESS_BAR_H
