#include "recording.h"

#include "fail.h"
#include "file.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dann {

namespace {

double median(std::vector<double> values) {
  if (values.empty())
    return 0;
  auto middle = values.begin() + std::ptrdiff_t(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

} // namespace

Recording::Recording(int threads, std::size_t capacity) {
  for (int i = 0; i < threads; ++i)
    records_.push_back(std::make_unique<ThreadRecord>(capacity));
}

void Recording::clear() {
  for (auto &record : records_)
    record->clear();
}

std::vector<Interval> intervals_of(const Recording &recording,
                                   const EntryPoint &entry_point) {
  std::vector<Interval> intervals;
  for (int thread = 0; thread < recording.threads(); ++thread) {
    const ThreadRecord &record = recording.thread(thread);
    if (record.overflowed())
      fail(ErrorCode::Internal, "a call of ", entry_point.name,
           " has more operations and barriers than can be recorded");
    const ThreadRecord::Event *operation = nullptr, *barrier = nullptr;
    for (const ThreadRecord::Event &event : record) {
      if (event.what == ThreadRecord::kBarrierBegin) {
        barrier = &event;
      } else if (event.what == ThreadRecord::kBarrierEnd) {
        if (barrier)
          intervals.push_back(
              {thread, ThreadRecord::kBarrierBegin, barrier->time, event.time});
        barrier = nullptr;
      } else {
        if (operation)
          intervals.push_back(
              {thread, operation->what, operation->time, event.time});
        operation = event.what == ThreadRecord::kEnd ? nullptr : &event;
        if (operation && (event.what < 0 || std::size_t(event.what) >=
                                                entry_point.operations.size()))
          fail(ErrorCode::Internal, "the entry point ", entry_point.name,
               " began operation ", event.what, ", but describes ",
               entry_point.operations.size());
      }
    }
  }
  return intervals;
}

Profile::Profile(const EntryPoint &entry_point, std::int64_t batch_size)
    : entry_point_(entry_point), batch_size_(batch_size),
      operation_seconds_(entry_point.operations.size()) {}

void Profile::add(const Recording &recording, double seconds) {
  std::vector<Interval> intervals = intervals_of(recording, entry_point_);
  std::size_t operations = entry_point_.operations.size();
  auto threads = std::size_t(recording.threads());
  // By operation and thread; a barrier counts for itself, not for the operation
  // around it.
  std::vector<double> busy(operations * threads);
  double waited = 0;
  for (const Interval &interval : intervals) {
    double time = double(interval.end - interval.begin) * 1e-9;
    if (interval.operation >= 0) {
      busy[std::size_t(interval.operation) * threads +
           std::size_t(interval.thread)] += time;
      continue;
    }
    waited += time;
    for (const Interval &around : intervals)
      if (around.operation >= 0 && around.thread == interval.thread &&
          around.begin <= interval.begin && interval.end <= around.end) {
        busy[std::size_t(around.operation) * threads +
             std::size_t(around.thread)] -= time;
        break;
      }
  }
  seconds_.push_back(seconds);
  barrier_seconds_.push_back(waited / double(threads));
  for (std::size_t i = 0; i < operations; ++i)
    operation_seconds_[i].push_back(
        *std::max_element(busy.begin() + std::ptrdiff_t(i * threads),
                          busy.begin() + std::ptrdiff_t((i + 1) * threads)));
}

Profile::Summary Profile::summary() const {
  Summary summary{};
  summary.calls = std::int64_t(seconds_.size());
  summary.seconds = median(seconds_);
  summary.barrier_seconds = median(barrier_seconds_);
  summary.barrier_share = ratio(summary.barrier_seconds, summary.seconds);
  for (std::size_t i = 0; i < operation_seconds_.size(); ++i) {
    const Operation &operation = entry_point_.operations[i];
    double seconds = median(operation_seconds_[i]);
    double flops = double(operation.flops) +
                   double(batch_size_) * double(operation.flops_per_sample);
    summary.rows.push_back({&operation, seconds, ratio(flops, seconds),
                            ratio(seconds, summary.seconds)});
  }
  return summary;
}

void save_trace(const std::string &path, const EntryPoint &entry_point,
                const std::vector<Interval> &intervals) {
  std::int64_t first = INT64_MAX;
  for (const Interval &interval : intervals)
    first = std::min(first, interval.begin);
  nlohmann::ordered_json events = nlohmann::ordered_json::array();
  for (const Interval &interval : intervals) {
    const Operation *operation =
        interval.operation < 0
            ? nullptr
            : &entry_point.operations[std::size_t(interval.operation)];
    events.push_back({{"name", operation ? operation->name : "barrier"},
                      {"cat", operation ? operation->kernel : "barrier"},
                      {"ph", "X"},
                      {"ts", double(interval.begin - first) * 1e-3},
                      {"dur", double(interval.end - interval.begin) * 1e-3},
                      {"pid", 1},
                      {"tid", interval.thread}});
  }
  nlohmann::ordered_json trace = {{"traceEvents", events},
                                  {"displayTimeUnit", "ns"}};
  std::string text =
      trace.dump(-1, ' ', false,
                 nlohmann::ordered_json::error_handler_t::replace) +
      "\n";
  AtomicFile file(path);
  file.write(text.data(), text.size());
  file.commit();
}

} // namespace dann
