#include "commands.h"
#include "dann/session.hpp"
#include "dataset.h"
#include "execution.h"
#include "file.h"
#include "options.h"
#include "random.h"
#include "recording.h"
#include "session_access.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

namespace dann::cli {

namespace {

struct BenchOptions {
  std::int64_t batch_size;
  int threads = 0;
  double seconds = 2;
  std::int64_t repetitions = 0; // 0: as many as fit the seconds
  bool json = false;
  bool profile = false;
  std::string trace;
};

struct Timing {
  double median_ms;
  std::int64_t repetitions;
};

using Json = nlohmann::ordered_json;

/// Calls `f` as often as the options say, and `take` with the seconds of each.
template <typename F, typename Take>
void repeat(const BenchOptions &options, F f, Take take) {
  using Clock = std::chrono::steady_clock;
  std::int64_t calls = 0;
  Clock::time_point begin = Clock::now();
  auto more = [&] {
    if (options.repetitions != 0)
      return calls < options.repetitions;
    return calls == 0 || Clock::now() - begin <
                             std::chrono::duration<double>(options.seconds);
  };
  for (; more(); ++calls) {
    Clock::time_point start = Clock::now();
    f();
    take(std::chrono::duration<double>(Clock::now() - start).count());
  }
}

template <typename F> Timing measure(const BenchOptions &options, F f) {
  // The first calls build what the later ones use.
  constexpr int warm_up = 5;
  for (int i = 0; i < warm_up; ++i)
    f();
  std::vector<double> times;
  repeat(options, f, [&](double seconds) { times.push_back(seconds * 1e3); });
  auto middle = times.begin() + std::ptrdiff_t(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return {*middle, std::int64_t(times.size())};
}

/// Records what a session does for as long as it lives.
class RecordingScope {
public:
  explicit RecordingScope(Session &session)
      : execution_(SessionAccess::execution(session)),
        recording_(execution_.threads()) {
    execution_.record_to(&recording_);
  }
  ~RecordingScope() { execution_.record_to(nullptr); }
  RecordingScope(const RecordingScope &) = delete;
  RecordingScope &operator=(const RecordingScope &) = delete;

  Recording &recording() { return recording_; }

private:
  Execution &execution_;
  Recording recording_;
};

/// Profiles calls of an entry point.
template <typename F>
Profile::Summary profile(const BenchOptions &options, Session &session,
                         const EntryPoint &entry_point, F f) {
  // Whatever has to be prepared is none of the operations to record.
  f();
  RecordingScope scope(session);
  Profile profile(entry_point, options.batch_size);
  repeat(
      options,
      [&] {
        scope.recording().clear();
        f();
      },
      [&](double seconds) { profile.add(scope.recording(), seconds); });
  return profile.summary();
}

/// Writes a trace of a few calls.
template <typename F>
void trace(const std::string &path, Session &session,
           const EntryPoint &entry_point, F f) {
  constexpr int calls = 3;
  RecordingScope scope(session);
  for (int i = 0; i < calls; ++i)
    f();
  save_trace(path, entry_point, intervals_of(scope.recording(), entry_point));
}

Json to_json(const Profile::Summary &summary) {
  Json operations = Json::array();
  for (const Profile::Row &row : summary.rows)
    operations.push_back({{"name", row.operation->name},
                          {"kernel", row.operation->kernel},
                          {"us", row.seconds * 1e6},
                          {"gflops_per_second", row.flops_per_second * 1e-9},
                          {"share", row.share}});
  return {{"us", summary.seconds * 1e6},
          {"repetitions", summary.calls},
          {"operations", operations},
          {"barrier_us", summary.barrier_seconds * 1e6},
          {"barrier_share", summary.barrier_share}};
}

void print(const std::string &name, const Profile::Summary &summary) {
  std::size_t width = 8;
  for (const Profile::Row &row : summary.rows)
    width = std::max(width, row.operation->name.size());
  std::printf("\n%-*s  %-9s  %9s  %8s  %6s\n", int(width), name.c_str(),
              "kernel", "us", "GF/s", "share");
  for (const Profile::Row &row : summary.rows) {
    char rate[32] = "";
    if (row.flops_per_second > 0)
      std::snprintf(rate, sizeof rate, "%.1f", row.flops_per_second * 1e-9);
    std::printf("%-*s  %-9s  %9.1f  %8s  %4.1f %%\n", int(width),
                row.operation->name.c_str(), row.operation->kernel.c_str(),
                row.seconds * 1e6, rate, row.share * 100);
  }
  std::printf("%-*s  %-9s  %9.1f  %8s  %4.1f %%\n", int(width), "barriers", "",
              summary.barrier_seconds * 1e6, "", summary.barrier_share * 100);
  std::printf("%-*s  %-9s  %9.1f\n", int(width), "call", "",
              summary.seconds * 1e6);
}

/// Uniformly distributed inputs and labels.
Dataset random_data(const Description &program, std::int64_t count) {
  std::int64_t index = 0;
  auto uniform = [&] {
    return double(random_bits(0, RandomStream::Benchmark, 0,
                              std::uint64_t(index++))) /
           0x1p64;
  };
  Shape shape = program.input_shape;
  shape.insert(shape.begin(), count);
  Tensor x(ElementType::U8, shape), y(ElementType::I64, {count});
  for (std::int64_t i = 0; i < x.element_count(); ++i)
    x.data<std::uint8_t>()[i] = std::uint8_t(uniform() * 255);
  for (std::int64_t i = 0; i < count; ++i)
    y.data<std::int64_t>()[i] = std::min(
        std::int64_t(uniform() * double(program.classes)), program.classes - 1);
  return Dataset(Samples(x, program, "x"), y, program, "y");
}

void run_bench(const BenchOptions &options, const ProgramPointer &program) {
  const Description &description = program->description();
  if (!options.trace.empty())
    check_writable(options.trace);
  Session session(program, {options.threads});
  session.initialize(0);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < options.batch_size; ++i)
    indices.push_back(i);
  Batch batch(description, options.batch_size);
  batch.gather(random_data(description, options.batch_size), indices.data(),
               options.batch_size, SessionAccess::execution(session));

  // The time of a step does not depend on the learning rate, unless the
  // parameters run away over thousands of steps on the same noise.
  double learning_rate = description.default_learning_rate * 1e-3;
  auto train_step = [&] {
    SessionAccess::train_step(session, batch, learning_rate);
  };
  auto run_forward = [&] { session.forward(batch.x); };
  Timing step = measure(options, train_step);
  Timing forward = measure(options, run_forward);
  std::vector<std::pair<std::string, Profile::Summary>> profiles;
  auto find = [&](const std::string &name) -> const EntryPoint & {
    return *std::find_if(
        description.entry_points.begin(), description.entry_points.end(),
        [&](const EntryPoint &entry) { return entry.name == name; });
  };
  if (options.profile) {
    profiles.emplace_back(
        "train_step",
        profile(options, session, find("train_step"), train_step));
    profiles.emplace_back(
        "forward", profile(options, session, find("forward"), run_forward));
  }
  if (!options.trace.empty())
    trace(options.trace, session, find("train_step"), train_step);

  if (options.json) {
    Json json = {{"batch_size", options.batch_size},
                 {"threads", session.threads()},
                 {"train_step_ms", step.median_ms},
                 {"train_step_repetitions", step.repetitions},
                 {"forward_ms", forward.median_ms},
                 {"forward_repetitions", forward.repetitions}};
    for (const auto &[name, summary] : profiles)
      json["profile"][name] = to_json(summary);
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  std::printf("batch size %lld, %d threads, median time\n",
              static_cast<long long>(options.batch_size), session.threads());
  std::printf("train_step  %8.3f ms  (%lld repetitions)\n", step.median_ms,
              static_cast<long long>(step.repetitions));
  std::printf("forward     %8.3f ms  (%lld repetitions)\n", forward.median_ms,
              static_cast<long long>(forward.repetitions));
  for (const auto &[name, summary] : profiles)
    print(name, summary);
}

} // namespace

void add_bench(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<BenchOptions>();
  options->batch_size = program->description().default_batch_size;
  CLI::App &command = *app.add_subcommand(
      "bench", "Median time of a training step and of a forward pass");
  add_count(command, "--batch-size", options->batch_size, "Samples per step");
  add_threads(command, options->threads);
  CLI::Option *seconds = add_positive_number(
      command, "--seconds", options->seconds, "How long to measure each");
  add_count(command, "--repetitions", options->repetitions,
            "How often to measure each, instead of --seconds")
      ->default_str("")
      ->excludes(seconds);
  command.add_flag("--json", options->json, "Print a JSON object");
  CLI::Option *profile =
      command.add_flag("--profile", options->profile,
                       "Also the time of each operation, in further calls");
  command
      .add_option("--trace", options->trace,
                  "Write three training steps of all threads to FILE (Chrome "
                  "trace events)")
      ->type_name("FILE")
      ->needs(profile);
  command.callback([options, program] { run_bench(*options, program); });
}

} // namespace dann::cli
