#include "training_log.h"

#include "fail.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace dann::cli {

TrainingLog::TrainingLog(std::string path) : path_(std::move(path)) {
  if (path_.empty())
    return;
  file_ = std::fopen(path_.c_str(), "a");
  if (!file_)
    fail_errno("write");
}

TrainingLog::~TrainingLog() {
  if (file_)
    std::fclose(file_);
}

void TrainingLog::fail_errno(const char *action) const {
  fail(ErrorCode::InputOutput, "cannot ", action, " ", path_, ": ",
       std::strerror(errno));
}

void TrainingLog::truncate(std::int64_t size) {
  // A pipe or a terminal has nothing to drop.
  if (ftruncate(fileno(file_), size) != 0 && errno != EINVAL)
    fail_errno("write");
}

void TrainingLog::clear() {
  if (file_)
    truncate(0);
}

void TrainingLog::rewind(std::int64_t step) {
  struct stat status;
  if (!file_ || fstat(fileno(file_), &status) != 0 || !S_ISREG(status.st_mode))
    return;
  std::ifstream lines(path_);
  if (!lines)
    fail_errno("read");
  std::int64_t kept = 0, number = 0;
  bool keeping = true;
  // A line that the end of the file ends is not complete.
  for (std::string line; std::getline(lines, line) && !lines.eof();) {
    ++number;
    auto record = nlohmann::json::parse(line, nullptr, false);
    if (!record.is_object() || !record.contains("step") ||
        !record["step"].is_number_integer())
      fail(ErrorCode::InvalidData, path_, ": line ", number,
           " is not a record of a training run");
    keeping = keeping && record["step"].get<std::int64_t>() <= step;
    if (keeping)
      kept += std::int64_t(line.size()) + 1;
  }
  truncate(kept);
}

void TrainingLog::write(const nlohmann::ordered_json &record) {
  if (!file_)
    return;
  std::string line = record.dump() + "\n";
  if (std::fputs(line.c_str(), file_) < 0 || std::fflush(file_) != 0)
    fail_errno("write");
}

} // namespace dann::cli
