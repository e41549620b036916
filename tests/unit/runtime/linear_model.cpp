// A model written by hand instead of compiled: softmax regression with
// non-negative weights. It lets the runtime be tested without the compiler, in
// the process, as a shared object, and as an executable.
//
// logits = x.wT + b; train_step: w <- max(0, w - lr * dw), b <- b - lr * db
#include "linear_model.h"

#include "program.pb.h"

#include <algorithm>
#include <cmath>
#include <cstring>

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

void compute_logits(FloatMatrix &x, FloatMatrix &w, Vector &b,
                    FloatMatrix &logits) {
  _mlir_ciface_dann_onednn_matmul_bias(&x, &w, &b, &logits, 1, kTransposeB);
}

/// Scratch memory like a compiled model's.
FloatMatrix allocate(std::int64_t rows, std::int64_t columns) {
  auto *elements = static_cast<float *>(_mlir_memref_to_llvm_aligned_alloc(
      64, std::uint64_t(rows * columns) * sizeof(float)));
  return {elements, elements, 0, {rows, columns}, {columns, 1}};
}

/// Replaces the logits by the gradient of the mean loss; returns the loss.
float softmax_cross_entropy(FloatMatrix &logits, const Labels &y,
                            std::int64_t *errors) {
  std::int64_t samples = logits.sizes[0], classes = logits.sizes[1];
  double loss = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    float *row = logits.aligned + i * classes;
    std::int64_t label = y.aligned[i];
    float largest = *std::max_element(row, row + classes);
    if (errors && std::max_element(row, row + classes) - row != label)
      ++*errors;
    double sum = 0;
    for (std::int64_t j = 0; j < classes; ++j)
      sum += std::exp(row[j] - largest);
    loss += std::log(sum) + largest - row[label];
    for (std::int64_t j = 0; j < classes; ++j)
      row[j] = float((std::exp(row[j] - largest) / sum - (j == label)) /
                     double(samples));
  }
  return float(loss / double(samples));
}

void init(void **arguments) {
  std::int64_t seed = *as<Integer>(arguments[0]).aligned;
  auto &w = as<FloatMatrix>(arguments[1]);
  auto &b = as<Vector>(arguments[2]);
  for (std::int64_t i = 0; i < kClasses * kFeatures; ++i)
    w.aligned[i] = float((i * 37 + seed * 11) % 101) / 1010;
  std::fill_n(b.aligned, kClasses, 0.0f);
}

void forward(void **arguments) {
  compute_logits(as<FloatMatrix>(arguments[0]), as<FloatMatrix>(arguments[1]),
                 as<Vector>(arguments[2]), as<FloatMatrix>(arguments[3]));
}

// The order of the arguments is the description's: names decide, not places.
void train_step(void **arguments) {
  auto &w = as<FloatMatrix>(arguments[0]);
  auto &b = as<Vector>(arguments[1]);
  auto &x = as<FloatMatrix>(arguments[2]);
  auto &y = as<Labels>(arguments[3]);
  float rate = *as<Scalar>(arguments[4]).aligned;
  FloatMatrix delta = allocate(x.sizes[0], kClasses);
  compute_logits(x, w, b, delta);
  *as<Scalar>(arguments[5]).aligned = softmax_cross_entropy(delta, y, nullptr);
  _mlir_ciface_dann_onednn_matmul(&delta, &x, &w, -rate,
                                  kTransposeA | kAccumulate | kRelu);
  for (std::int64_t i = 0; i < x.sizes[0]; ++i)
    for (std::int64_t j = 0; j < kClasses; ++j)
      b.aligned[j] -= rate * delta.aligned[i * kClasses + j];
}

void evaluate(void **arguments) {
  auto &x = as<FloatMatrix>(arguments[0]);
  auto &y = as<Labels>(arguments[1]);
  FloatMatrix logits = allocate(x.sizes[0], kClasses);
  compute_logits(x, as<FloatMatrix>(arguments[2]), as<Vector>(arguments[3]),
                 logits);
  std::int64_t errors = 0;
  *as<Scalar>(arguments[4]).aligned = softmax_cross_entropy(logits, y, &errors);
  *as<Integer>(arguments[5]).aligned = errors;
}

void fail(void **) { _mlir_memref_to_llvm_alloc(~0ull); }

constexpr EntryPointAbi kEntryPoints[] = {{"init", init},
                                          {"forward", forward},
                                          {"train_step", train_step},
                                          {"evaluate", evaluate},
                                          {"fail", fail}};

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
  program.mutable_defaults()->set_batch_size(8);
  program.mutable_defaults()->set_epochs(2);
  program.mutable_defaults()->set_learning_rate(0.5);
  program.set_loss("softmax_cross_entropy");
  program.set_optimizer("sgd, projected");
  program.set_backend("onednn");
  program.set_target_cpu("x86-64");
  program.add_cpu_features("sse2");

  auto add_parameters = [](proto::EntryPoint *to,
                           proto::Argument::Access access) {
    add_argument(to, "0.w", F32, {kClasses, kFeatures}, access);
    add_argument(to, "0.b", F32, {kClasses}, access);
  };
  proto::EntryPoint *entry = program.add_entry_points();
  entry->set_name("init");
  add_argument(entry, "seed", I64, {});
  add_parameters(entry, WRITE);

  entry = program.add_entry_points();
  entry->set_name("forward");
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_parameters(entry, READ);
  add_argument(entry, "logits", F32, {-1, kClasses}, WRITE);

  entry = program.add_entry_points();
  entry->set_name("train_step");
  add_parameters(entry, UPDATE);
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_argument(entry, "y", I64, {-1});
  add_argument(entry, "learning_rate", F32, {});
  add_argument(entry, "loss", F32, {}, WRITE);

  entry = program.add_entry_points();
  entry->set_name("evaluate");
  add_argument(entry, "x", F32, {-1, kFeatures});
  add_argument(entry, "y", I64, {-1});
  add_parameters(entry, READ);
  add_argument(entry, "loss", F32, {}, WRITE);
  add_argument(entry, "errors", I64, {}, WRITE);

  entry = program.add_entry_points();
  entry->set_name("fail");
  return program;
}

LinearModel::LinearModel(const proto::Program &description)
    : serialized(description.SerializeAsString()),
      entry_points(std::begin(kEntryPoints), std::end(kEntryPoints)),
      abi{kAbiVersion, std::uint32_t(entry_points.size()), serialized.data(),
          serialized.size(), entry_points.data()} {}

static const LinearModel linear_model(linear_description());

} // namespace dann

// Filled before main, where the compiler would emit constants.
const ModelAbi dann_model = dann::linear_model.abi;
