#include "progress_bar.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <sys/ioctl.h>
#include <unistd.h>

namespace dann::cli {

static int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return size.ws_col;
  return 80;
}

static std::string duration_text(double seconds) {
  auto whole = std::int64_t(std::lround(seconds));
  char text[32];
  if (whole < 3600)
    std::snprintf(text, sizeof text, "%d:%02d", int(whole / 60),
                  int(whole % 60));
  else
    std::snprintf(text, sizeof text, "%lld:%02d:%02d",
                  static_cast<long long>(whole / 3600), int(whole / 60 % 60),
                  int(whole % 60));
  return text;
}

ProgressBar::ProgressBar(std::int64_t epochs, std::int64_t steps)
    : epochs_(epochs), steps_(steps), terminal_(isatty(STDERR_FILENO)) {}

ProgressBar::~ProgressBar() { clear(); }

void ProgressBar::update(std::int64_t epoch, std::int64_t step, double loss) {
  ++steps_done_;
  if (!terminal_)
    return;
  Clock::time_point now = Clock::now();
  if (now - last_ < std::chrono::milliseconds(100))
    return;
  last_ = now;
  draw(epoch, step, loss);
}

void ProgressBar::draw(std::int64_t epoch, std::int64_t step, double loss) {
  double elapsed = std::chrono::duration<double>(last_ - begin_).count();
  double rate = double(steps_done_) / std::max(elapsed, 1e-9);
  double left = double((epochs_ - epoch) * steps_ + steps_ - step) / rate;

  char head[64], tail[128];
  std::snprintf(head, sizeof head, "epoch %lld/%lld ",
                static_cast<long long>(epoch), static_cast<long long>(epochs_));
  std::snprintf(tail, sizeof tail, " %3d %%  loss %.4f  %.0f steps/s  ETA %s",
                int(100 * step / steps_), loss, rate,
                duration_text(left).c_str());

  // One column stays free: some terminals wrap when the last one is written.
  int room = terminal_width() - 1 - int(std::string(head).size()) -
             int(std::string(tail).size()) - 2;
  std::string line = head;
  if (room >= 5) {
    int width = std::min(room, 40);
    int filled = int(double(width) * double(step) / double(steps_));
    line += '[';
    line.append(std::size_t(filled), '#');
    line.append(std::size_t(width - filled), '.');
    line += ']';
  }
  line += tail;
  std::fprintf(stderr, "\r\x1b[K%s",
               line.substr(0, std::size_t(terminal_width() - 1)).c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressBar::clear() {
  if (!drawn_)
    return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  drawn_ = false;
}

} // namespace dann::cli
