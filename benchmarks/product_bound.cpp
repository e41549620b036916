// What a training step cannot do without, alone: its matrix products, back to
// back in oneDNN, and the rate at which the processor can multiply and add.
//
// usage: dann_product_bound products --batch-size N LAYER... [OPTION]...
//        dann_product_bound peak [OPTION]...
//
// LAYER is ei:INPUTS:EXCITATORY:INHIBITORY or dense:INPUTS:UNITS, first layer
// first. OPTION is --threads N, and --seconds X, how long to measure.
//
// `products` prints the median time of all products of a step, and how many
// operations they have. Every operand is a plain row-major f32 matrix, written
// as the product reads it: nothing is transposed, converted or updated, and
// nothing is computed but products. Memory is shared between them as in a step:
// a layer's weights are one buffer for both passes, its results another.
//
// `peak` prints the rate of fused multiply-adds on registers.

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <dnnl.hpp>
#include <exception>
#include <immintrin.h>
#include <omp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// -----------------------------------------------------------------------------
// Arguments
// -----------------------------------------------------------------------------

struct Layer {
  std::int64_t inputs;
  std::int64_t excitatory;
  std::int64_t inhibitory; // 0 in a standard layer

  std::int64_t units() const { return excitatory + inhibitory; }
};

struct Options {
  std::string command;
  std::vector<Layer> layers;
  std::int64_t batch_size = 0;
  int threads = omp_get_num_procs();
  double seconds = 1;
};

template <typename T> T parse_positive(std::string_view text) {
  T value{};
  auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  // Sizes stay so small that no product of two of them overflows.
  if (error != std::errc() || end != text.data() + text.size() ||
      !(value > 0) || !(value <= T(1 << 20)))
    throw std::invalid_argument("'" + std::string(text) +
                                "' is not a positive number up to 2^20");
  return value;
}

Layer parse_layer(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::string_view rest = text;;) {
    std::size_t colon = rest.find(':');
    parts.push_back(rest.substr(0, colon));
    if (colon == std::string_view::npos)
      break;
    rest.remove_prefix(colon + 1);
  }
  auto size = [&](std::size_t i) {
    return parse_positive<std::int64_t>(parts[i]);
  };
  if (parts.size() == 4 && parts[0] == "ei")
    return {size(1), size(2), size(3)};
  if (parts.size() == 3 && parts[0] == "dense")
    return {size(1), size(2), 0};
  throw std::invalid_argument("'" + std::string(text) +
                              "' is not a layer: give "
                              "ei:INPUTS:EXCITATORY:INHIBITORY or "
                              "dense:INPUTS:UNITS");
}

Options parse(int argc, char **argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string_view argument = argv[i];
    auto value = [&]() -> std::string_view {
      if (++i == argc)
        throw std::invalid_argument(std::string(argument) + " needs a value");
      return argv[i];
    };
    if (argument == "--batch-size")
      options.batch_size = parse_positive<std::int64_t>(value());
    else if (argument == "--threads")
      options.threads = parse_positive<int>(value());
    else if (argument == "--seconds")
      options.seconds = parse_positive<double>(value());
    else if (argument.substr(0, 2) == "--")
      throw std::invalid_argument("unknown option " + std::string(argument));
    else if (options.command.empty())
      options.command = argument;
    else
      options.layers.push_back(parse_layer(argument));
  }
  if (options.command != "products" && options.command != "peak")
    throw std::invalid_argument("give the command products or peak");
  if (options.command == "products" &&
      (options.layers.empty() || options.batch_size == 0))
    throw std::invalid_argument("products needs layers and --batch-size");
  return options;
}

// -----------------------------------------------------------------------------
// Products
// -----------------------------------------------------------------------------

/// The products of a training step, in their order, with everything built that
/// oneDNN needs to execute them.
class Products {
public:
  Products(const std::vector<Layer> &layers, std::int64_t batch_size) {
    std::int64_t b = batch_size;
    std::vector<Buffers> buffers;
    for (const Layer &layer : layers)
      buffers.push_back(allocate(layer, b));

    for (std::size_t i = 0; i < layers.size(); ++i) {
      const auto [d, ne, ni] = layers[i];
      Buffers &at = buffers[i];
      add(b, d, ne + ni, at.x, at.w, at.z); // ze | zi
      if (ni != 0) {
        add(b, ni, ne, at.zi, at.wei, at.u); // subtractive inhibition
        add(b, ni, ne, at.zi, at.wei, at.c); // divisive inhibition
      }
    }
    for (std::size_t i = layers.size(); i-- > 0;) {
      const auto [d, ne, ni] = layers[i];
      Buffers &at = buffers[i];
      if (ni != 0) {
        add(b, ne, ni, at.u, at.wei, at.dzi); // dzi, of both inhibitions
        add(b, ne, ni, at.c, at.wei, at.dzi);
        add(ne, b, ni, at.u, at.zi, at.dwei); // dwei, of both
        add(ne, b, ni, at.c, at.zi, at.dwei);
      }
      add(ne + ni, b, d, at.z, at.x, at.dw);
      if (i != 0)
        add(b, ne + ni, d, at.z, at.w, at.dx);
    }
  }

  void execute() {
    for (Product &product : products_)
      product.primitive.execute(stream_, product.arguments);
    stream_.wait();
  }

  std::size_t count() const { return products_.size(); }

  /// Multiplications and additions of one execution.
  std::int64_t operations() const { return operations_; }

private:
  using Buffer = std::vector<float>;

  /// Each as large as every matrix that a product takes it for. Only the first
  /// four are inputs alone: repeated executions see the same numbers, which
  /// neither grow nor vanish.
  struct Buffers {
    Buffer &x, &w, &zi, &wei;
    Buffer &z, &u, &c; // in the backward pass dz, du and dc
    Buffer &dzi, &dwei, &dw, &dx;
  };

  struct Product {
    dnnl::matmul primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  Buffers allocate(const Layer &layer, std::int64_t b) {
    const auto [d, ne, ni] = layer;
    auto make = [&](std::int64_t rows, std::int64_t columns) -> Buffer & {
      Buffer &buffer = memory_.emplace_back(std::size_t(rows * columns));
      for (std::size_t i = 0; i < buffer.size(); ++i)
        buffer[i] = float(i * 2654435761u % 1024) / 1024;
      return buffer;
    };
    return {make(b, d),       make(ne + ni, d), make(b, ni), make(ne, ni),
            make(b, ne + ni), make(b, ne),      make(b, ne), make(b, ni),
            make(ne, ni),     make(ne + ni, d), make(b, d)};
  }

  /// c[m, n] = a[m, k] · b[k, n]
  void add(std::int64_t m, std::int64_t k, std::int64_t n, Buffer &a, Buffer &b,
           Buffer &c) {
    auto matrix = [](std::int64_t rows, std::int64_t columns) {
      return dnnl::memory::desc({rows, columns}, dnnl::memory::data_type::f32,
                                dnnl::memory::format_tag::ab);
    };
    dnnl::memory::desc a_desc = matrix(m, k), b_desc = matrix(k, n),
                       c_desc = matrix(m, n);
    dnnl::matmul::desc description(a_desc, b_desc, c_desc);
    products_.push_back(
        {dnnl::matmul(dnnl::matmul::primitive_desc(description, engine_)),
         {{DNNL_ARG_SRC, {a_desc, engine_, a.data()}},
          {DNNL_ARG_WEIGHTS, {b_desc, engine_, b.data()}},
          {DNNL_ARG_DST, {c_desc, engine_, c.data()}}}});
    operations_ += 2 * m * k * n;
  }

  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::deque<Buffer> memory_; // elements stay where they are
  std::vector<Product> products_;
  std::int64_t operations_ = 0;
};

void measure_products(const Options &options) {
  Products products(options.layers, options.batch_size);
  for (int i = 0; i < 5; ++i)
    products.execute();

  std::vector<double> times;
  Clock::time_point begin = Clock::now();
  do {
    Clock::time_point start = Clock::now();
    products.execute();
    times.push_back(seconds_since(start) * 1e3);
  } while (seconds_since(begin) < options.seconds);
  auto middle = times.begin() + std::ptrdiff_t(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  std::printf("{\"products_ms\": %.6f, \"repetitions\": %zu, \"products\": "
              "%zu, \"operations\": %lld, \"threads\": %d}\n",
              *middle, times.size(), products.count(),
              static_cast<long long>(products.operations()), options.threads);
}

// -----------------------------------------------------------------------------
// Peak
// -----------------------------------------------------------------------------

// As many accumulators as registers hold next to the two factors, and more than
// latency times throughput of an FMA unit (at most 5 × 2) in any case.
#if defined(__AVX512F__)
using Vector = __m512;
constexpr int kAccumulators = 24; // of 32 registers
Vector broadcast(float value) { return _mm512_set1_ps(value); }
Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm512_fmadd_ps(a, b, c);
}
#elif defined(__AVX2__) && defined(__FMA__)
using Vector = __m256;
constexpr int kAccumulators = 12; // of 16 registers
Vector broadcast(float value) { return _mm256_set1_ps(value); }
Vector multiply_add(Vector a, Vector b, Vector c) {
  return _mm256_fmadd_ps(a, b, c);
}
#else
#error "the benchmarks need a processor with AVX2 and FMA, or AVX-512"
#endif

constexpr std::int64_t kLanes = sizeof(Vector) / sizeof(float);
constexpr std::int64_t kIterations = 100'000;
constexpr std::int64_t kOperationsPerRun =
    2 * kLanes * kAccumulators * kIterations;

/// kIterations times one FMA on each accumulator, all in registers. The empty
/// assembler statements make the compiler compute every one of them.
[[gnu::noinline]] void run_multiply_adds() {
  Vector a = broadcast(0.999f), b = broadcast(0.001f);
  asm volatile("" : "+v"(a), "+v"(b));
  Vector sum[kAccumulators];
#pragma GCC unroll 64
  for (Vector &element : sum)
    element = b;
  for (std::int64_t i = 0; i < kIterations; ++i) {
#pragma GCC unroll 64
    for (Vector &element : sum) {
      element = multiply_add(element, a, b);
      asm volatile("" : "+v"(element));
    }
  }
}

/// The highest rate among many short trials: a trial can only be disturbed
/// into showing less.
void measure_peak(const Options &options) {
  double best = 0;
  Clock::time_point begin = Clock::now();
  do {
    double slowest = 0;
#pragma omp parallel num_threads(options.threads) reduction(max : slowest)
    {
      constexpr int runs = 10;
      run_multiply_adds();
#pragma omp barrier
      Clock::time_point start = Clock::now();
      for (int i = 0; i < runs; ++i)
        run_multiply_adds();
      slowest = seconds_since(start) / runs;
    }
    best =
        std::max(best, double(kOperationsPerRun) * options.threads / slowest);
  } while (seconds_since(begin) < options.seconds);
  std::printf("{\"gflops\": %.2f, \"lanes\": %lld, \"threads\": %d}\n",
              best * 1e-9, static_cast<long long>(kLanes), options.threads);
}

} // namespace

int main(int argc, char **argv) {
  try {
    Options options = parse(argc, argv);
    omp_set_dynamic(0);
    omp_set_num_threads(options.threads);
    if (options.command == "peak")
      measure_peak(options);
    else
      measure_products(options);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return EXIT_FAILURE;
  }
}
