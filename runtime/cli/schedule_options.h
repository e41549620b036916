// The course of the learning rate on the command line.
#ifndef DANN_CLI_SCHEDULE_OPTIONS_H
#define DANN_CLI_SCHEDULE_OPTIONS_H

#include "dann/program.hpp"

#include <CLI/CLI.hpp>
#include <vector>

namespace dann::cli {

/// Options that override the program's schedule, one by one.
struct ScheduleOptions {
  Schedule schedule; // the program's, and what was given

  void add_to(CLI::App &command, const Schedule &program);

  /// A resumed run goes on as it began: throws InvalidArgument if an option was
  /// given and contradicts `resumed`, the schedule in the file `path`.
  void check_resumed(const Schedule &resumed, const std::string &path) const;

private:
  std::vector<CLI::Option *> options_;
};

/// "stepwise, factor 0.99, steps 20, warm-up 5".
std::string to_text(const Schedule &schedule);

} // namespace dann::cli

#endif // DANN_CLI_SCHEDULE_OPTIONS_H
