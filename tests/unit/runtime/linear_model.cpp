// A model written by hand instead of compiled: softmax regression with
// non-negative weights. It lets the runtime be tested without the compiler, in
// the process, as a shared object, and as an executable.
//
// logits = x.wT + b; train_step: w <- max(0, w - lr * dw), b <- b - lr * db
// prepare: a copy of wT, which forward and evaluate read in the place of w
//
// As in a compiled model, all threads run an entry point at once. The pieces of
// its operations are the same for any number of threads, and so are the
// results.
#include "linear_model.h"

#include "dann/program.hpp"
#include "program.pb.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace dann;

namespace {

using Vector = MemRef<float, 1>;
using FloatMatrix = MemRef<float, 2>;
using Scalar = MemRef<float, 0>;
using Labels = MemRef<std::int64_t, 1>;
using Integer = MemRef<std::int64_t, 0>;

template <typename T> T &as(void *descriptor) {
  return *static_cast<T *>(descriptor);
}

constexpr std::int64_t kRowsPerPiece = 16;

/// Calls f(begin, end) with this thread's pieces of `count` rows.
template <typename F>
void for_each_piece(std::int64_t count, std::int64_t size, F f) {
  for (std::int64_t begin = dann_thread_index() * size; begin < count;
       begin += dann_thread_count() * size)
    f(begin, std::min(begin + size, count));
}

/// Rows of a matrix.
FloatMatrix rows(const FloatMatrix &matrix, std::int64_t begin,
                 std::int64_t end) {
  FloatMatrix part = matrix;
  part.offset += begin * matrix.strides[0];
  part.sizes[0] = end - begin;
  return part;
}

FloatMatrix transposed(const FloatMatrix &matrix) {
  FloatMatrix result = matrix;
  std::swap(result.sizes[0], result.sizes[1]);
  std::swap(result.strides[0], result.strides[1]);
  return result;
}

/// Scratch memory: the logits [samples, classes], then the samples' losses and
/// whether they are errors.
struct ScratchMemory {
  FloatMatrix logits;
  float *losses;
  std::int32_t *errors;

  ScratchMemory(void *descriptor, std::int64_t samples) {
    auto &bytes = as<MemRef<std::uint8_t, 1>>(descriptor);
    auto *elements = reinterpret_cast<float *>(bytes.aligned + bytes.offset);
    logits = {elements, elements, 0, {samples, kClasses}, {kClasses, 1}};
    losses = elements + samples * kClasses;
    errors = reinterpret_cast<std::int32_t *>(losses + samples);
  }
};
constexpr std::int64_t kScratchPerSample = (kClasses + 2) * 4;

void compute_logits(const FloatMatrix &x, FloatMatrix weights, const Vector &b,
                    const FloatMatrix &logits) {
  for_each_piece(
      x.sizes[0], kRowsPerPiece, [&](std::int64_t begin, std::int64_t end) {
        FloatMatrix from = rows(x, begin, end), to = rows(logits, begin, end);
        for (std::int64_t i = begin; i < end; ++i)
          std::copy_n(b.aligned, kClasses, logits.aligned + i * kClasses);
        _mlir_ciface_dann_onednn_matmul_f32(&from, &weights, &to, kAccumulate);
      });
}

/// Replaces the logits by `scale` times the gradient of the mean loss.
void softmax_cross_entropy(ScratchMemory &scratch, const Labels &y,
                           double scale) {
  std::int64_t samples = scratch.logits.sizes[0];
  auto one = [&](std::int64_t i) {
    float *row = scratch.logits.aligned + i * kClasses;
    std::int64_t label = y.aligned[i];
    float largest = *std::max_element(row, row + kClasses);
    scratch.errors[i] = std::max_element(row, row + kClasses) - row != label;
    double sum = 0;
    for (std::int64_t j = 0; j < kClasses; ++j)
      sum += std::exp(row[j] - largest);
    scratch.losses[i] = float(std::log(sum) + largest - row[label]);
    for (std::int64_t j = 0; j < kClasses; ++j)
      row[j] = float(scale * (std::exp(row[j] - largest) / sum - (j == label)) /
                     double(samples));
  };
  for_each_piece(samples, kRowsPerPiece,
                 [&](std::int64_t begin, std::int64_t end) {
                   for (std::int64_t i = begin; i < end; ++i)
                     one(i);
                 });
}

float mean_loss(const ScratchMemory &scratch) {
  std::int64_t samples = scratch.logits.sizes[0];
  double sum = 0;
  for (std::int64_t i = 0; i < samples; ++i)
    sum += scratch.losses[i];
  return float(sum / double(samples));
}

void init(void **arguments) {
  if (dann_thread_index() != 0)
    return;
  std::int64_t seed = *as<Integer>(arguments[0]).aligned;
  auto &w = as<FloatMatrix>(arguments[1]);
  auto &b = as<Vector>(arguments[2]);
  for (std::int64_t i = 0; i < kClasses * kFeatures; ++i)
    w.aligned[i] = float((i * 37 + seed * 11) % 101) / 1010;
  std::fill_n(b.aligned, kClasses, 0.0f);
}

void prepare(void **arguments) {
  auto &w = as<FloatMatrix>(arguments[0]);
  auto &copy = as<FloatMatrix>(arguments[1]);
  for_each_piece(kFeatures, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t j = 0; j < kClasses; ++j)
        copy.aligned[i * kClasses + j] = w.aligned[j * kFeatures + i];
  });
}

void forward(void **arguments) {
  dann_begin_operation(0);
  compute_logits(as<FloatMatrix>(arguments[0]), as<FloatMatrix>(arguments[3]),
                 as<Vector>(arguments[2]), as<FloatMatrix>(arguments[4]));
  dann_begin_operation(-1);
}

// The order of the arguments is the description's: names decide, not places.
void train_step(void **arguments) {
  auto &w = as<FloatMatrix>(arguments[0]);
  auto &b = as<Vector>(arguments[1]);
  auto &x = as<FloatMatrix>(arguments[2]);
  float rate = *as<Scalar>(arguments[4]).aligned;
  ScratchMemory scratch(arguments[6], x.sizes[0]);

  dann_begin_operation(0);
  compute_logits(x, transposed(w), b, scratch.logits);
  dann_begin_operation(1);
  softmax_cross_entropy(scratch, as<Labels>(arguments[3]), -rate);
  dann_barrier();
  dann_begin_operation(2);
  FloatMatrix delta = transposed(scratch.logits);
  for_each_piece(kClasses, 1, [&](std::int64_t begin, std::int64_t end) {
    FloatMatrix from = rows(delta, begin, end), to = rows(w, begin, end);
    _mlir_ciface_dann_onednn_matmul_f32(&from, &x, &to, kAccumulate | kRelu);
  });
  dann_begin_operation(3);
  if (dann_thread_index() == 0) {
    *as<Scalar>(arguments[5]).aligned = mean_loss(scratch);
    for (std::int64_t i = 0; i < x.sizes[0]; ++i)
      for (std::int64_t j = 0; j < kClasses; ++j)
        b.aligned[j] += scratch.logits.aligned[i * kClasses + j];
  }
  dann_begin_operation(-1);
}

void evaluate(void **arguments) {
  auto &x = as<FloatMatrix>(arguments[0]);
  ScratchMemory scratch(arguments[7], x.sizes[0]);
  compute_logits(x, as<FloatMatrix>(arguments[4]), as<Vector>(arguments[3]),
                 scratch.logits);
  softmax_cross_entropy(scratch, as<Labels>(arguments[1]), 1);
  dann_barrier();
  if (dann_thread_index() == 0) {
    *as<Scalar>(arguments[5]).aligned = mean_loss(scratch);
    *as<Integer>(arguments[6]).aligned =
        std::accumulate(scratch.errors, scratch.errors + x.sizes[0], 0);
  }
}

/// One thread fails, the others wait for it.
void fail(void **) {
  if (dann_thread_index() == dann_thread_count() - 1) {
    float element = 0;
    FloatMatrix row{&element, &element, 0, {1, 1}, {1, 1}};
    FloatMatrix wrong{&element, &element, 0, {2, 2}, {2, 1}};
    _mlir_ciface_dann_onednn_matmul_f32(&row, &row, &wrong, 0);
  }
  dann_barrier();
}

constexpr EntryPointAbi kEntryPoints[] = {
    {"init", init},         {"forward", forward}, {"train_step", train_step},
    {"evaluate", evaluate}, {"prepare", prepare}, {"fail", fail}};

void add_argument(proto::EntryPoint *entry_point, const std::string &name,
                  proto::ElementType type,
                  const std::vector<std::int64_t> &shape,
                  proto::Argument::Access access = proto::Argument::READ) {
  proto::Argument *argument = entry_point->add_arguments();
  argument->set_name(name);
  argument->set_element_type(type);
  for (std::int64_t extent : shape)
    argument->add_shape(extent);
  argument->set_access(access);
}

void add_operation(proto::EntryPoint *entry_point, const char *name,
                   const char *kernel, std::int64_t flops_per_sample) {
  proto::Operation *operation = entry_point->add_operations();
  operation->set_name(name);
  operation->set_kernel(kernel);
  operation->set_flops_per_sample(flops_per_sample);
}

void set_scratch(proto::EntryPoint *entry_point) {
  constexpr std::int64_t bytes = Scratch::kSampleGroup * kScratchPerSample;
  entry_point->mutable_scratch()->set_bytes_per_sample_group(bytes);
  entry_point->mutable_scratch()->set_live_bytes_per_sample_group(bytes - 64);
}

} // namespace

namespace dann {

proto::Program linear_description() {
  using proto::F32;
  using proto::I64;
  constexpr auto READ = proto::Argument::READ;
  constexpr auto WRITE = proto::Argument::WRITE;
  constexpr auto UPDATE = proto::Argument::UPDATE;

  proto::Program program;
  program.set_name("linear");
  program.set_element_type(F32);
  program.mutable_input()->add_shape(kFeatures);
  program.mutable_input()->set_minimum(0);
  program.mutable_input()->set_maximum(1);
  program.set_classes(kClasses);
  proto::Parameter *w = program.add_parameters();
  w->set_name("0.w");
  w->set_role("w");
  w->add_shape(kClasses);
  w->add_shape(kFeatures);
  w->set_sign(proto::NONNEG);
  proto::Parameter *b = program.add_parameters();
  b->set_name("0.b");
  b->set_role("b");
  b->add_shape(kClasses);
  proto::DerivedTensor *derived = program.add_derived_tensors();
  derived->set_name("derived/0.w");
  derived->set_element_type(F32);
  derived->add_shape(kFeatures);
  derived->add_shape(kClasses);
  program.mutable_defaults()->set_batch_size(8);
  program.mutable_defaults()->set_epochs(2);
  program.mutable_defaults()->set_learning_rate(0.5);
  program.set_loss("softmax_cross_entropy");
  program.set_optimizer("sgd, projected");
  program.set_backend("onednn");
  program.set_precision("f32");
  program.set_target_cpu("x86-64");
  program.add_cpu_features("sse2");

  auto add_parameters = [](proto::EntryPoint *to,
                           proto::Argument::Access access) {
    add_argument(to, "0.w", F32, {kClasses, kFeatures}, access);
    add_argument(to, "0.b", F32, {kClasses}, access);
  };
  auto add_derived = [](proto::EntryPoint *to, proto::Argument::Access access) {
    add_argument(to, "derived/0.w", F32, {kFeatures, kClasses}, access);
  };
  proto::EntryPoint *entry = program.add_entry_points();
  entry->set_name("init");
  add_argument(entry, "seed", I64, {});
  add_parameters(entry, WRITE);

  entry = program.add_entry_points();
  entry->set_name("forward");
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_parameters(entry, READ);
  add_derived(entry, READ);
  add_argument(entry, "logits", F32, {-1, kClasses}, WRITE);
  constexpr std::int64_t product = 2 * kFeatures * kClasses;
  add_operation(entry, "logits", "onednn", product);

  entry = program.add_entry_points();
  entry->set_name("train_step");
  add_parameters(entry, UPDATE);
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_argument(entry, "y", I64, {-1});
  add_argument(entry, "learning_rate", F32, {});
  add_argument(entry, "loss", F32, {}, WRITE);
  set_scratch(entry);
  add_operation(entry, "logits", "onednn", product);
  add_operation(entry, "loss", "loops", 0);
  add_operation(entry, "0.w", "onednn", product);
  add_operation(entry, "0.b", "loops", kClasses);

  entry = program.add_entry_points();
  entry->set_name("evaluate");
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_argument(entry, "y", I64, {-1});
  add_parameters(entry, READ);
  add_derived(entry, READ);
  add_argument(entry, "loss", F32, {}, WRITE);
  add_argument(entry, "errors", I64, {}, WRITE);
  set_scratch(entry);

  entry = program.add_entry_points();
  entry->set_name("prepare");
  add_argument(entry, "0.w", F32, {kClasses, kFeatures});
  add_derived(entry, WRITE);

  entry = program.add_entry_points();
  entry->set_name("fail");
  return program;
}

LinearModel::LinearModel(const proto::Program &description)
    : serialized(description.SerializeAsString()),
      entry_points(std::begin(kEntryPoints), std::end(kEntryPoints)),
      abi{kAbiVersion,
          std::uint32_t(entry_points.size()),
          serialized.data(),
          serialized.size(),
          entry_points.data(),
          nullptr,
          0} {}

static const LinearModel linear_model(linear_description());

} // namespace dann

// Filled before main, where the compiler would emit constants.
const ModelAbi dann_model = dann::linear_model.abi;
