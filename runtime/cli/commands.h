// The commands of a compiled executable, one function and one file each.
#ifndef DANN_CLI_COMMANDS_H
#define DANN_CLI_COMMANDS_H

#include "dann/program.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <memory>

namespace dann::cli {

using ProgramPointer = std::shared_ptr<const Program>;

/// Whether a program is one that trains; the others have the entry point
/// `forward` alone, and names of their own for its arguments.
inline bool trains(const Description &program) { return program.classes > 0; }

/// How many samples there are in a call by default.
inline std::int64_t batch_size_of(const Description &program) {
  return trains(program) ? program.default_batch_size : 1;
}

/// Each adds a subcommand to `app` that runs when the command line has been
/// parsed, prints its result to stdout, and throws dann::Error.

/// `exit_status` becomes 128 + the signal's number if one stops the training.
void add_train(CLI::App &app, const ProgramPointer &program, int &exit_status);
void add_evaluate(CLI::App &app, const ProgramPointer &program);
void add_predict(CLI::App &app, const ProgramPointer &program);
void add_export(CLI::App &app, const ProgramPointer &program);
void add_info(CLI::App &app, const ProgramPointer &program);
void add_bench(CLI::App &app, const ProgramPointer &program);
void add_run(CLI::App &app, const ProgramPointer &program);

/// The commands that only programs that train have: they say so.
void add_refusals(CLI::App &app, const ProgramPointer &program);

} // namespace dann::cli

#endif // DANN_CLI_COMMANDS_H
