// What the threads of a session did when, and what to make of it.
#ifndef DANN_RUNTIME_RECORDING_H
#define DANN_RUNTIME_RECORDING_H

#include "dann/program.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace dann {

/// The moments that one thread passed, in a buffer that is there before it
/// runs: adding one reads the clock, about 25 ns.
class ThreadRecord {
public:
  static constexpr std::int32_t kEnd = -1; // of the last operation
  static constexpr std::int32_t kBarrierBegin = -2;
  static constexpr std::int32_t kBarrierEnd = -3;

  struct Event {
    std::int64_t time; // of the steady clock, in ns
    std::int32_t what; // an operation that begins, or one of the above
  };

  explicit ThreadRecord(std::size_t capacity)
      : events_(new Event[capacity]), capacity_(capacity) {}

  void add(std::int32_t what) {
    if (count_ < capacity_)
      events_[count_] = {
          std::chrono::steady_clock::now().time_since_epoch().count(), what};
    ++count_;
  }

  const Event *begin() const { return events_.get(); }
  const Event *end() const { return begin() + std::min(count_, capacity_); }
  /// Whether there was no room for some events.
  bool overflowed() const { return count_ > capacity_; }
  void clear() { count_ = 0; }

private:
  std::unique_ptr<Event[]> events_;
  std::size_t count_ = 0, capacity_;
};

/// The records of all threads of a session.
class Recording {
public:
  static constexpr std::size_t kEventsPerThread = 1 << 15;

  explicit Recording(int threads, std::size_t capacity = kEventsPerThread);

  int threads() const { return int(records_.size()); }
  ThreadRecord &thread(int index) { return *records_[std::size_t(index)]; }
  const ThreadRecord &thread(int index) const {
    return *records_[std::size_t(index)];
  }
  void clear();

private:
  std::vector<std::unique_ptr<ThreadRecord>> records_;
};

/// A stretch of time of one thread, in ns of the steady clock.
struct Interval {
  int thread;
  std::int32_t operation; // or ThreadRecord::kBarrierBegin
  std::int64_t begin, end;
};

/// The operations of all threads, and the times at barriers, which lie within
/// them. Throws Internal if the entry point has no operation of such a number,
/// or if the buffers were too small for the call.
std::vector<Interval> intervals_of(const Recording &recording,
                                   const EntryPoint &entry_point);

/// How long the operations of an entry point take, over many calls.
class Profile {
public:
  /// `entry_point` has to outlive the profile.
  Profile(const EntryPoint &entry_point, std::int64_t batch_size);

  /// One more call, which took `seconds` in all.
  void add(const Recording &recording, double seconds);

  struct Row {
    const Operation *operation;
    double seconds; ///< on the thread that took longest; median over the calls
    double flops_per_second;
    double share; ///< of the call
  };
  struct Summary {
    double seconds;         ///< of a call, median
    std::vector<Row> rows;  ///< in the order of the program
    double barrier_seconds; ///< mean over the threads, median over the calls
    double barrier_share;
    std::int64_t calls;
  };
  Summary summary() const;

private:
  const EntryPoint &entry_point_;
  std::int64_t batch_size_;
  std::vector<double> seconds_, barrier_seconds_;      // of each call
  std::vector<std::vector<double>> operation_seconds_; // of each operation
};

/// Writes a Chrome trace event file: one complete event an interval, in
/// microseconds from the first. Throws InputOutput.
void save_trace(const std::string &path, const EntryPoint &entry_point,
                const std::vector<Interval> &intervals);

} // namespace dann

#endif // DANN_RUNTIME_RECORDING_H
