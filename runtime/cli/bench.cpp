#include "commands.h"
#include "dann/session.hpp"
#include "dataset.h"
#include "execution.h"
#include "fail.h"
#include "file.h"
#include "options.h"
#include "random.h"
#include "recording.h"
#include "session_access.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

namespace dann::cli {

namespace {

struct BenchOptions {
  std::int64_t batch_size;
  CLI::Option *batch_size_option = nullptr;
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
void repeat(const BenchOptions &options, const F &f, Take take) {
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

template <typename F> Timing measure(const BenchOptions &options, const F &f) {
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
                         const EntryPoint &entry_point, const F &f) {
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
           const EntryPoint &entry_point, const F &f) {
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

/// What `bench` measures: a call of an entry point.
struct Measured {
  const EntryPoint &entry_point;
  std::function<void()> call;
  Timing timing{};
};

const EntryPoint &find(const Description &program, const std::string &name) {
  return *std::find_if(
      program.entry_points.begin(), program.entry_points.end(),
      [&](const EntryPoint &entry) { return entry.name == name; });
}

bool is_parameter(const Description &program, const std::string &name) {
  auto named = [&](const auto &tensor) { return tensor.name == name; };
  return std::any_of(program.parameters.begin(), program.parameters.end(),
                     named) ||
         std::any_of(program.derived_tensors.begin(),
                     program.derived_tensors.end(), named);
}

bool has_batch(const Argument &argument) {
  return !argument.shape.empty() && argument.shape[0] == kBatch;
}

/// Inputs of an entry point by name: of floats, uniformly distributed in
/// [0, 1); of integers, zeros, which are valid as indices.
TensorMap random_inputs(const Description &program,
                        const EntryPoint &entry_point,
                        std::int64_t batch_size) {
  TensorMap inputs;
  std::int64_t index = 0;
  for (const Argument &argument : entry_point.arguments) {
    if (argument.access != Access::Read || is_parameter(program, argument.name))
      continue;
    Shape shape = argument.shape;
    if (has_batch(argument))
      shape[0] = batch_size;
    Tensor tensor(argument.element_type, shape);
    auto fill = [&](auto *elements) {
      using T = std::remove_pointer_t<decltype(elements)>;
      for (std::int64_t i = 0; i < tensor.element_count(); ++i)
        // Of as many bits as a float holds, so that none is rounded to 1.
        elements[i] = T(random_bits(0, RandomStream::Benchmark, 0,
                                    std::uint64_t(index++)) >>
                        40) /
                      T(0x1p24);
    };
    if (argument.element_type == ElementType::F32)
      fill(tensor.data<float>());
    else if (argument.element_type == ElementType::F64)
      fill(tensor.data<double>());
    inputs.emplace(argument.name, tensor);
  }
  return inputs;
}

/// Measures, profiles and prints.
void report(const BenchOptions &options, Session &session,
            std::vector<Measured> calls, bool has_batch_size) {
  for (Measured &measured : calls)
    measured.timing = measure(options, measured.call);
  std::vector<std::pair<std::string, Profile::Summary>> profiles;
  if (options.profile)
    for (const Measured &measured : calls)
      profiles.emplace_back(
          measured.entry_point.name,
          profile(options, session, measured.entry_point, measured.call));
  if (!options.trace.empty())
    trace(options.trace, session, calls[0].entry_point, calls[0].call);

  if (options.json) {
    Json json;
    if (has_batch_size)
      json["batch_size"] = options.batch_size;
    json["threads"] = session.threads();
    for (const Measured &measured : calls) {
      const std::string &name = measured.entry_point.name;
      json[name + "_ms"] = measured.timing.median_ms;
      json[name + "_repetitions"] = measured.timing.repetitions;
    }
    for (const auto &[name, summary] : profiles)
      json["profile"][name] = to_json(summary);
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  if (has_batch_size)
    std::printf("batch size %lld, ",
                static_cast<long long>(options.batch_size));
  std::printf("%d threads, median time\n", session.threads());
  for (const Measured &measured : calls)
    std::printf("%-10s  %8.3f ms  (%lld repetitions)\n",
                measured.entry_point.name.c_str(), measured.timing.median_ms,
                static_cast<long long>(measured.timing.repetitions));
  for (const auto &[name, summary] : profiles)
    print(name, summary);
}

/// Of a program that trains: a training step and a forward pass.
void bench_training(const BenchOptions &options, Session &session) {
  const Description &description = session.program().description();
  session.initialize(0);
  std::vector<std::int64_t> indices(std::size_t(options.batch_size));
  std::iota(indices.begin(), indices.end(), 0);
  Batch batch(description, options.batch_size);
  batch.gather(random_data(description, options.batch_size), indices.data(),
               options.batch_size, SessionAccess::execution(session));

  // The time of a step does not depend on the learning rate, unless the
  // parameters run away over thousands of steps on the same noise.
  double learning_rate = description.default_learning_rate * 1e-3;
  report(options, session,
         {{find(description, "train_step"),
           [&] {
             SessionAccess::train_step(session, batch, learning_rate,
                                       /*random_key=*/0);
           }},
          {find(description, "forward"), [&] { session.forward(batch.x); }}},
         /*has_batch_size=*/true);
}

/// Of another one: a forward pass, by the names of its inputs.
void bench_inference(const BenchOptions &options, Session &session) {
  const Description &description = session.program().description();
  const EntryPoint &forward = find(description, "forward");
  bool has_batch_size =
      std::any_of(forward.arguments.begin(), forward.arguments.end(),
                  [](const Argument &argument) { return has_batch(argument); });
  if (!has_batch_size && options.batch_size_option->count() > 0)
    fail(ErrorCode::InvalidArgument, "the model ", description.name,
         " has no batch: all its shapes are fixed");
  TensorMap inputs = random_inputs(description, forward, options.batch_size);
  report(options, session, {{forward, [&] { session.run("forward", inputs); }}},
         has_batch_size);
}

void run_bench(const BenchOptions &options, const ProgramPointer &program) {
  if (!options.trace.empty())
    check_writable(options.trace);
  Session session(program, {options.threads});
  if (trains(program->description()))
    bench_training(options, session);
  else
    bench_inference(options, session);
}

} // namespace

void add_bench(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<BenchOptions>();
  const Description &description = program->description();
  options->batch_size = batch_size_of(description);
  CLI::App &command = *app.add_subcommand(
      "bench", trains(description)
                   ? "Median time of a training step and of a forward pass"
                   : "Median time of a forward pass");
  options->batch_size_option = add_count(
      command, "--batch-size", options->batch_size, "Samples in a call");
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
                  "Write three training steps, or forward passes without "
                  "training, of all threads to FILE (Chrome trace events)")
      ->type_name("FILE")
      ->needs(profile);
  command.callback([options, program] { run_bench(*options, program); });
}

} // namespace dann::cli
