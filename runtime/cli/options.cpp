#include "options.h"

#include "fail.h"

#include <CLI/Option.hpp>
#include <charconv>
#include <cmath>

namespace dann::cli {

namespace {

template <typename T> bool parse(const std::string &text, T &value) {
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

CLI::Option *add_integer(CLI::App &command, const std::string &name,
                         std::int64_t &value, std::int64_t minimum,
                         std::int64_t maximum, const std::string &help) {
  auto check = [=](const std::string &text) -> std::string {
    std::int64_t number;
    if (parse(text, number) && number >= minimum && number <= maximum)
      return "";
    std::string range = maximum == INT64_MAX
                            ? concat(minimum, " or more")
                            : concat("from ", minimum, " to ", maximum);
    return concat("has to be a whole number, ", range, ", not '", text, "'");
  };
  return command.add_option(name, value, help)->check(check)->type_name("N");
}

/// `rule` is a noun: what `fits` asks for.
CLI::Option *add_number(CLI::App &command, const std::string &name,
                        double &value, const std::string &help,
                        bool (*fits)(double), const char *rule) {
  auto check = [=](const std::string &text) -> std::string {
    double number;
    if (parse(text, number) && fits(number))
      return "";
    return concat("has to be ", rule, ", not '", text, "'");
  };
  return command.add_option(name, value, help)
      ->check(check)
      ->type_name("X")
      ->capture_default_str();
}

} // namespace

CLI::Option *add_count(CLI::App &command, const std::string &name,
                       std::int64_t &value, const std::string &help) {
  return add_optional_count(command, name, value, help)->capture_default_str();
}

CLI::Option *add_optional_count(CLI::App &command, const std::string &name,
                                std::int64_t &value, const std::string &help) {
  // Enough for any use, and far from overflow in products.
  return add_integer(command, name, value, 1, INT32_MAX, help);
}

CLI::Option *add_seed(CLI::App &command, std::int64_t &value) {
  return add_integer(command, "--seed", value, 0, INT64_MAX,
                     "Seed of initial parameters and shuffling")
      ->capture_default_str();
}

CLI::Option *add_positive_number(CLI::App &command, const std::string &name,
                                 double &value, const std::string &help) {
  return add_number(
      command, name, value, help,
      [](double number) { return std::isfinite(number) && number > 0; },
      "a positive number");
}

CLI::Option *add_positive_fraction(CLI::App &command, const std::string &name,
                                   double &value, const std::string &help) {
  return add_number(
      command, name, value, help,
      [](double number) { return number > 0 && number <= 1; },
      "a number above 0 and at most 1");
}

void add_threads(CLI::App &command, int &threads) {
  command
      .add_option_function<std::int64_t>(
          "--threads",
          [&threads](const std::int64_t &value) { threads = int(value); },
          "Threads to compute with (default: the physical cores)")
      ->check([](const std::string &text) -> std::string {
        int number;
        if (parse(text, number) && number >= 1 && number <= 1024)
          return "";
        return concat("has to be a whole number, from 1 to 1024, not '", text,
                      "'");
      })
      ->type_name("N");
}

void DataOptions::add_to(CLI::App &command, bool with_training_set) {
  command
      .add_option("--data", directory,
                  "Directory of a data set: the IDX files of the MNIST family "
                  "(plain or .gz), or train-x.npy, train-y.npy, test-x.npy and "
                  "test-y.npy")
      ->type_name("DIR");
  auto add = [&](const char *name, std::string &file, const char *help) {
    command.add_option(name, file, help)->type_name("FILE");
  };
  if (with_training_set) {
    add("--train-x", files.train_x, "Training inputs (.npy or IDX)");
    add("--train-y", files.train_y, "Training labels");
  }
  add("--test-x", files.test_x, "Test inputs");
  add("--test-y", files.test_y, "Test labels");
}

DataFiles DataOptions::resolve(DataParts parts) const {
  int training = !files.train_x.empty() + !files.train_y.empty();
  int test = !files.test_x.empty() + !files.test_y.empty();
  if (parts == DataParts::Training && test != 0)
    fail(ErrorCode::InvalidArgument,
         "--test-x and --test-y are of no use here: the test set is not read");
  int wanted = parts == DataParts::TrainingAndTest ? 4 : 2;
  int given = training + test;
  const char *names = parts == DataParts::Training ? "--train-x and --train-y"
                      : parts == DataParts::Test
                          ? "--test-x and --test-y"
                          : "--train-x, --train-y, --test-x and --test-y";
  if (!directory.empty() && given != 0)
    fail(ErrorCode::InvalidArgument, "give either --data or ", names,
         ", not both");
  if (directory.empty() && given != wanted)
    fail(ErrorCode::InvalidArgument, "no data: give --data, or all of ", names);
  return directory.empty() ? files : DataFiles::find(directory, parts);
}

} // namespace dann::cli
