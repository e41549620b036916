#include "recording.h"

#include "allocation_counter.h"
#include "execution.h"
#include "expect_error.h"
#include "model_abi.h"
#include "temporary_directory.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

using namespace dann;
using testing::HasSubstr;

namespace {

EntryPoint entry_point() {
  EntryPoint entry;
  entry.name = "train_step";
  entry.operations = {{"first", "onednn", 1000, 10, 0, 0},
                      {"second \"quoted\"", "loops", 0, 0, 0, 0}};
  return entry;
}

/// Two operations with a barrier in the second; thread 1 is slow in the first.
void operations() {
  dann_begin_operation(0);
  usleep(dann_thread_index() == 1 ? 20000 : 1000);
  dann_begin_operation(1);
  dann_barrier();
  usleep(2000);
  dann_begin_operation(-1);
}

TEST(Recording, IntervalsAreThoseOfTheThreads) {
  EntryPoint entry = entry_point();
  Execution execution(2);
  Recording recording(2);
  execution.run(operations);
  EXPECT_TRUE(intervals_of(recording, entry).empty());

  execution.record_to(&recording);
  execution.run(operations);
  execution.record_to(nullptr);
  execution.run(operations);

  std::vector<Interval> intervals = intervals_of(recording, entry);
  ASSERT_EQ(intervals.size(), 6u);
  for (int thread : {0, 1}) {
    const Interval *of = &intervals[std::size_t(3 * thread)];
    EXPECT_EQ(of[0].thread, thread);
    EXPECT_EQ(of[0].operation, 0);
    EXPECT_EQ(of[1].operation, ThreadRecord::kBarrierBegin);
    EXPECT_EQ(of[2].operation, 1);
    EXPECT_EQ(of[0].end, of[2].begin);
    EXPECT_LE(of[2].begin, of[1].begin);
    EXPECT_LE(of[1].end, of[2].end);
  }
  EXPECT_GE(intervals[3].end - intervals[3].begin, 20'000'000);
  // The first thread waits for the second.
  EXPECT_GE(intervals[1].end, intervals[3].end);

  recording.clear();
  EXPECT_TRUE(intervals_of(recording, entry).empty());
}

TEST(Recording, ProfilesCountTheSlowestThread) {
  EntryPoint entry = entry_point();
  Execution execution(2);
  Recording recording(2);
  execution.record_to(&recording);
  Profile profile(entry, 100);
  for (int i = 0; i < 3; ++i) {
    recording.clear();
    execution.run(operations);
    profile.add(recording, 0.025);
  }
  Profile::Summary summary = profile.summary();
  EXPECT_EQ(summary.calls, 3);
  EXPECT_EQ(summary.seconds, 0.025);
  ASSERT_EQ(summary.rows.size(), 2u);
  EXPECT_EQ(summary.rows[0].operation->name, "first");
  EXPECT_GE(summary.rows[0].seconds, 0.020);
  EXPECT_DOUBLE_EQ(summary.rows[0].flops_per_second,
                   2000 / summary.rows[0].seconds);
  EXPECT_DOUBLE_EQ(summary.rows[0].share, summary.rows[0].seconds / 0.025);
  // Without the time at the barrier, of which one thread has nearly all.
  EXPECT_GE(summary.rows[1].seconds, 0.002);
  EXPECT_LT(summary.rows[1].seconds, summary.rows[0].seconds / 2);
  EXPECT_GE(summary.barrier_seconds, 0.005);
}

TEST(Recording, DoesNotAllocate) {
  Execution execution(2);
  Recording recording(2);
  execution.record_to(&recording);
  auto many = [] {
    for (int i = 0; i < 1000; ++i) {
      dann_begin_operation(i % 2);
      dann_barrier();
    }
  };
  execution.run(many);
  std::int64_t before = allocation_count();
  execution.run(many);
  EXPECT_EQ(allocation_count(), before);
}

TEST(Recording, DefectsAreErrors) {
  EntryPoint entry = entry_point();
  Execution execution(1);
  Recording small(1, 3);
  execution.record_to(&small);
  execution.run(operations);
  EXPECT_ERROR(intervals_of(small, entry), Internal,
               HasSubstr("more operations and barriers than can be recorded"));
  for (std::int64_t number : {2, -7}) {
    Recording recording(1);
    execution.record_to(&recording);
    execution.run([number] { dann_begin_operation(number); });
    EXPECT_ERROR(intervals_of(recording, entry), Internal,
                 "the entry point train_step began operation " +
                     std::to_string(number) + ", but describes 2");
  }
}

TEST(Recording, TracesAreCompleteEvents) {
  TemporaryDirectory directory;
  std::vector<Interval> intervals = {
      {0, 0, 5'000'000'000, 5'000'001'500},
      {1, ThreadRecord::kBarrierBegin, 5'000'000'250, 5'000'001'000},
      {1, 1, 5'000'001'000, 5'000'002'000}};
  save_trace(directory / "t.json", entry_point(), intervals);
  auto trace = nlohmann::json::parse(read_file(directory / "t.json"));
  auto event = [](const char *name, const char *category, double begin,
                  double duration, int thread) -> nlohmann::json {
    return {{"name", name}, {"cat", category}, {"ph", "X"},    {"pid", 1},
            {"ts", begin},  {"dur", duration}, {"tid", thread}};
  };
  EXPECT_EQ(trace["traceEvents"],
            nlohmann::json({event("first", "onednn", 0, 1.5, 0),
                            event("barrier", "barrier", 0.25, 0.75, 1),
                            event("second \"quoted\"", "loops", 1, 1, 1)}));
  EXPECT_EQ(directory.file_count(), 1u);
  EXPECT_ERROR(save_trace(directory / "no/t", entry_point(), intervals),
               InputOutput, HasSubstr("cannot create"));
}

} // namespace
