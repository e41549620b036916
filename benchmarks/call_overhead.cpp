// What a call of a session costs beyond the code that it calls: the entry point
// `forward` of a small network on one sample and one thread,
//
//   generated  the compiled function alone, called again and again
//   run        Session::run, which finds, checks and binds its inputs, and
//   gives
//              results in memory of their own
//   forward    Session::forward, the same without names
//
// The network is linked into this program: examples/embed/bars.txtpb.
#include "dann/session.hpp"
#include "execution.h"
#include "model_abi.h"

#include <benchmark/benchmark.h>
#include <map>

using namespace dann;

namespace {

std::shared_ptr<const Program> load() {
  return Program::from_model(dann_model);
}

Tensor sample(const Description &program) {
  Shape shape = program.input_shape;
  shape.insert(shape.begin(), 1);
  Tensor x(program.element_type, shape);
  for (std::int64_t i = 0; i < x.element_count(); ++i)
    x.data<float>()[i] = float(i % 7) / 7;
  return x;
}

/// Descriptors of an entry point's arguments for one sample, in memory that
/// entry points share by the arguments' names.
class BareCall {
public:
  using Buffers = std::map<std::string, Tensor>;

  BareCall(const EntryPoint &entry_point, Buffers &buffers) {
    for (const Argument &argument : entry_point.arguments) {
      Shape shape = argument.shape;
      if (!shape.empty() && shape[0] == kBatch)
        shape[0] = 1;
      auto [found, is_new] =
          buffers.try_emplace(argument.name, argument.element_type, shape);
      add(found->second.mutable_bytes(), shape);
    }
    scratch_ = Tensor(ElementType::U8, {entry_point.scratch.bytes(1)});
    add(scratch_.mutable_bytes(), scratch_.shape());
    for (const EntryPointAbi *code = dann_model.entry_points;; ++code)
      if (code->name == entry_point.name) {
        invoke_ = code->invoke;
        break;
      }
  }

  void operator()() { invoke_(pointers_.data()); }

private:
  void add(void *elements, const Shape &shape) {
    auto words = std::make_unique<std::int64_t[]>(3 + 2 * shape.size());
    words[0] = words[1] = reinterpret_cast<std::intptr_t>(elements);
    std::int64_t stride = 1;
    for (std::size_t i = shape.size(); i-- > 0; stride *= shape[i]) {
      words[3 + i] = shape[i];
      words[3 + shape.size() + i] = stride;
    }
    pointers_.push_back(words.get());
    descriptors_.push_back(std::move(words));
  }

  void (*invoke_)(void **);
  std::vector<std::unique_ptr<std::int64_t[]>> descriptors_;
  std::vector<void *> pointers_;
  Tensor scratch_;
};

const EntryPoint *find(const Description &program, const std::string &name) {
  for (const EntryPoint &entry_point : program.entry_points)
    if (entry_point.name == name)
      return &entry_point;
  return nullptr;
}

void generated(benchmark::State &state) {
  auto program = load();
  const Description &description = program->description();
  BareCall::Buffers buffers;
  buffers["x"] = sample(description);
  Execution execution(1);
  // As a session does before: parameters, and what depends on them alone.
  for (const char *name : {"init", "prepare"})
    if (const EntryPoint *entry_point = find(description, name))
      execution.run(BareCall(*entry_point, buffers));
  BareCall forward(*find(description, "forward"), buffers);
  execution.run([&] {
    for (auto _ : state)
      forward();
  });
}

void run(benchmark::State &state) {
  Session session(load(), {1});
  session.initialize(0);
  const TensorMap inputs = {{"x", sample(session.program().description())}};
  for (auto _ : state)
    benchmark::DoNotOptimize(session.run("forward", inputs));
}

void forward(benchmark::State &state) {
  Session session(load(), {1});
  session.initialize(0);
  const Tensor x = sample(session.program().description());
  for (auto _ : state)
    benchmark::DoNotOptimize(session.forward(x));
}

BENCHMARK(generated);
BENCHMARK(run);
BENCHMARK(forward);

} // namespace

BENCHMARK_MAIN();
