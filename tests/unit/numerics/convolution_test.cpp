// Convolutions against dense layers.

#include "numerics.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace dann::test {
namespace {

Tensor reshape(const Tensor &tensor, const Shape &shape) {
  Tensor result(ElementType::F64, shape);
  std::vector<double> values = to_doubles(tensor);
  EXPECT_EQ(result.element_count(), std::int64_t(values.size()));
  std::copy(values.begin(), values.end(), result.data<double>());
  return result;
}

class Pointwise : public testing::TestWithParam<const char *> {};

// With filters of one pixel on images of one pixel, a convolution is a product,
// and so is a training step: rounding alone differs.
TEST_P(Pointwise, IsADenseLayer) {
  Session conv(load_model(GetParam() == std::string("onednn")
                              ? "pointwise-onednn-f32"
                              : "pointwise-generated-f64"));
  Session dense(load_model("pointwise_dense-generated-f64"));
  double tolerance = GetParam() == std::string("onednn") ? 1e-5 : 1e-12;
  ElementType type = conv.program().description().element_type;
  dense.initialize(3);
  perturb(dense);
  for (const Parameter &parameter : conv.program().description().parameters)
    conv.set_parameter(
        parameter.name,
        convert(reshape(dense.parameter(parameter.name), parameter.shape),
                type));
  TensorMap batch = random_batch(dense.program().description(), 9);
  Tensor images = convert(reshape(batch.at("x"), {9, 7, 1, 1}), type);

  TensorMap expected = dense.run("loss_and_gradients", batch);
  TensorMap actual =
      conv.run("loss_and_gradients", {{"x", images}, {"y", batch.at("y")}});
  for (const auto &[name, value] : expected)
    expect_close(reshape(actual.at(name), value.shape()), value, tolerance,
                 name);
  for (int step = 0; step < 3; ++step) {
    dense.train_step(batch.at("x"), batch.at("y"), 0.1);
    conv.train_step(images, batch.at("y"), 0.1);
  }
  for (const auto &[name, value] : dense.parameters())
    expect_close(reshape(conv.parameter(name), value.shape()), value, tolerance,
                 name);
  expect_close(conv.forward(images), dense.forward(batch.at("x")), tolerance,
               "logits");
}

INSTANTIATE_TEST_SUITE_P(All, Pointwise,
                         testing::Values("generated", "onednn"));

// The scales of hidden layers with d = cin kh kw, in the first layer, too.
TEST(EiConvolution, InitialValues) {
  Session session(load_model("conv-generated-f64"));
  session.initialize(5);
  auto mean_of = [&](const char *name) {
    std::vector<double> values = to_doubles(session.parameter(name));
    return std::accumulate(values.begin(), values.end(), 0.0) /
           double(values.size());
  };
  const double d = 2 * 3 * 3, two_pi = 2 * std::numbers::pi;
  double sigma = std::sqrt(two_pi / (d * (two_pi - 1)));
  // Of 90 entries with mean and deviation sigma: 0.105 sigma is one error.
  EXPECT_NEAR(mean_of("0.wex"), sigma, 0.4 * sigma);
  EXPECT_NEAR(mean_of("0.wei"), 0.5, 1e-15);
  EXPECT_NEAR(mean_of("0.alpha"), std::log(std::sqrt((two_pi - 1) / d)), 1e-12);
  EXPECT_EQ(mean_of("0.g"), 1);
  EXPECT_EQ(mean_of("0.b"), 0);
  // A single interneuron has the mean of the excitatory filters.
  std::vector<double> wex = to_doubles(session.parameter("1.wex"));
  std::vector<double> wix = to_doubles(session.parameter("1.wix"));
  for (std::size_t i = 0; i < wix.size(); ++i) {
    double sum = 0;
    for (std::size_t j = i; j < wex.size(); j += wix.size())
      sum += wex[j];
    EXPECT_NEAR(wix[i], sum / 4, 1e-15);
  }
}

} // namespace
} // namespace dann::test
