// Dale's law at run time: every constrained parameter keeps its sign at every
// step of an epoch on Fashion-MNIST.

#include "numerics.h"

#include <zlib.h>

namespace dann::test {
namespace {

/// The payload of a gzipped IDX file behind its header.
std::vector<std::uint8_t> read_idx(const std::string &name,
                                   std::size_t header) {
  std::string path = "/usr/share/datasets/fashion-mnist/" + name;
  gzFile file = gzopen(path.c_str(), "rb");
  std::vector<std::uint8_t> bytes;
  if (!file)
    return bytes;
  std::uint8_t buffer[1 << 16];
  for (int n; (n = gzread(file, buffer, sizeof buffer)) > 0;)
    bytes.insert(bytes.end(), buffer, buffer + n);
  gzclose(file);
  bytes.erase(bytes.begin(),
              bytes.begin() +
                  static_cast<std::ptrdiff_t>(std::min(header, bytes.size())));
  return bytes;
}

TEST(DalesLaw, HoldsAtEveryStepOfAnEpoch) {
  std::vector<std::uint8_t> pixels = read_idx("train-images-idx3-ubyte.gz", 16);
  std::vector<std::uint8_t> labels = read_idx("train-labels-idx1-ubyte.gz", 8);
  ASSERT_EQ(labels.size(), 60000U);
  ASSERT_EQ(pixels.size(), labels.size() * 784);

  // One thread: two that wait for each other crawl on a machine whose cores are
  // busy with other tests.
  Session session(load_model("fashion_mnist-auto-f32"), {1});
  const Description &program = session.program().description();
  session.initialize(1);
  constexpr std::int64_t batch = 32;
  Tensor x(ElementType::F32, {batch, 784}), y(ElementType::I64, {batch});
  std::int64_t zeros = 0, constrained = 0;
  for (std::size_t first = 0; first + batch <= labels.size(); first += batch) {
    std::transform(pixels.begin() + first * 784,
                   pixels.begin() + (first + batch) * 784, x.data<float>(),
                   [](std::uint8_t pixel) { return pixel / 255.0F; });
    std::copy_n(labels.begin() + first, batch, y.data<std::int64_t>());
    session.train_step(x, y, program.default_learning_rate);

    zeros = constrained = 0;
    for (const Parameter &parameter : program.parameters) {
      if (parameter.sign != Sign::NonNegative)
        continue;
      Tensor value = session.parameter(parameter.name);
      const float *data = value.data<const float>();
      float minimum = 0;
      std::int64_t here = 0;
      for (std::int64_t i = 0; i < value.element_count(); ++i) {
        // Not !(x < 0): a NaN must fail as well.
        minimum = data[i] >= minimum ? minimum : data[i];
        here += data[i] == 0;
      }
      ASSERT_EQ(minimum, 0)
          << parameter.name << " after the step at sample " << first;
      zeros += here;
      constrained += value.element_count();
    }
  }
  // The test is worth nothing if no update ever needed the projection.
  EXPECT_GT(zeros, constrained / 1000);
}

} // namespace
} // namespace dann::test
