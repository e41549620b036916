#include "commands.h"
#include "dann/session.hpp"
#include "dataset.h"
#include "options.h"
#include "random.h"

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
};

struct Timing {
  double median_ms;
  std::int64_t repetitions;
};

template <typename F> Timing measure(const BenchOptions &options, F f) {
  using Clock = std::chrono::steady_clock;
  // The first calls build what the later ones use.
  constexpr int warm_up = 5;
  for (int i = 0; i < warm_up; ++i)
    f();

  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  auto more = [&] {
    if (options.repetitions != 0)
      return std::int64_t(times.size()) < options.repetitions;
    return times.empty() || Clock::now() - begin <
                                std::chrono::duration<double>(options.seconds);
  };
  while (more()) {
    Clock::time_point start = Clock::now();
    f();
    times.push_back(
        std::chrono::duration<double, std::milli>(Clock::now() - start)
            .count());
  }
  auto middle = times.begin() + std::ptrdiff_t(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return {*middle, std::int64_t(times.size())};
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
  Session session(program, {options.threads});
  session.initialize(0);
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < options.batch_size; ++i)
    indices.push_back(i);
  Batch batch(description, options.batch_size);
  batch.gather(random_data(description, options.batch_size), indices.data(),
               options.batch_size);

  // The time of a step does not depend on the learning rate, unless the
  // parameters run away over thousands of steps on the same noise.
  double learning_rate = description.default_learning_rate * 1e-3;
  Timing step = measure(
      options, [&] { session.train_step(batch.x, batch.y, learning_rate); });
  Timing forward = measure(options, [&] { session.forward(batch.x); });

  if (options.json) {
    nlohmann::ordered_json json = {
        {"batch_size", options.batch_size},
        {"threads", session.threads()},
        {"train_step_ms", step.median_ms},
        {"train_step_repetitions", step.repetitions},
        {"forward_ms", forward.median_ms},
        {"forward_repetitions", forward.repetitions}};
    std::printf("%s\n", json.dump().c_str());
    return;
  }
  std::printf("batch size %lld, %d threads, median time\n",
              static_cast<long long>(options.batch_size), session.threads());
  std::printf("train_step  %8.3f ms  (%lld repetitions)\n", step.median_ms,
              static_cast<long long>(step.repetitions));
  std::printf("forward     %8.3f ms  (%lld repetitions)\n", forward.median_ms,
              static_cast<long long>(forward.repetitions));
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
  command.callback([options, program] { run_bench(*options, program); });
}

} // namespace dann::cli
