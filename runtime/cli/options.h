// Options that commands have in common.
#ifndef DANN_CLI_OPTIONS_H
#define DANN_CLI_OPTIONS_H

#include "dataset.h"

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

namespace dann::cli {

/// Options that take a number and check it; the message of a bad one names the
/// option and the value.
CLI::Option *add_count(CLI::App &command, const std::string &name,
                       std::int64_t &value, const std::string &help);
/// The same without a default to show: the value without it says "not given".
CLI::Option *add_optional_count(CLI::App &command, const std::string &name,
                                std::int64_t &value, const std::string &help);
CLI::Option *add_seed(CLI::App &command, std::int64_t &value);
CLI::Option *add_positive_number(CLI::App &command, const std::string &name,
                                 double &value, const std::string &help);
/// A number above 0 and at most 1.
CLI::Option *add_positive_fraction(CLI::App &command, const std::string &name,
                                   double &value, const std::string &help);
void add_threads(CLI::App &command, int &threads);

/// Where the data is: a directory, or one option a file.
struct DataOptions {
  std::string directory;
  DataFiles files;

  void add_to(CLI::App &command, bool with_training_set);

  /// The files of the parts; the other names are empty. Throws InvalidArgument
  /// if there are too many options or too few.
  DataFiles resolve(DataParts parts) const;
};

} // namespace dann::cli

#endif // DANN_CLI_OPTIONS_H
