// The record that a training run leaves of itself.
#ifndef DANN_CLI_TRAINING_LOG_H
#define DANN_CLI_TRAINING_LOG_H

#include <cstdint>
#include <cstdio>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace dann::cli {

/// One JSON object a line, on disk as soon as it is written. Without a path it
/// writes nothing.
class TrainingLog {
public:
  /// Opens the file without changing it. Throws InputOutput.
  explicit TrainingLog(std::string path);
  ~TrainingLog();
  TrainingLog(const TrainingLog &) = delete;
  TrainingLog &operator=(const TrainingLog &) = delete;

  bool is_open() const { return file_ != nullptr; }

  /// Drops what an earlier run wrote.
  void clear();

  /// Drops what an earlier run wrote about steps after `step`, and a line that
  /// it did not finish: the run that is resumed there writes them again. Throws
  /// InvalidData, and changes nothing, if the file is not a log.
  void rewind(std::int64_t step);

  void write(const nlohmann::ordered_json &record);

private:
  [[noreturn]] void fail_errno(const char *action) const;
  void truncate(std::int64_t size);

  std::string path_;
  std::FILE *file_ = nullptr;
};

} // namespace dann::cli

#endif // DANN_CLI_TRAINING_LOG_H
