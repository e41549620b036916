// Gradients of compiled programs against central differences and, on the other
// backend, against each other.

#include "numerics.h"

#include <random>

namespace dann::test {
namespace {

/// A batch from the program's input range.
TensorMap random_batch(const Description &program, std::int64_t size) {
  std::mt19937_64 random(7);
  Shape shape = {size};
  for (std::int64_t extent : program.input_shape)
    shape.push_back(extent);
  Tensor x(ElementType::F64, shape), y(ElementType::I64, {size});
  std::uniform_real_distribution<double> value(program.input_minimum,
                                               program.input_maximum);
  std::generate_n(x.data<double>(), x.element_count(),
                  [&] { return value(random); });
  std::generate_n(y.data<std::int64_t>(), size, [&] {
    return static_cast<std::int64_t>(random() % program.classes);
  });
  return {{"x", x}, {"y", y}};
}

/// Moves parameters away from their special initial values (ones, zeros, equal
/// entries), within their contracts.
void perturb(Session &session) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> factor(0.7, 1.3), shift(0.01, 0.1);
  for (const Parameter &parameter :
       session.program().description().parameters) {
    Tensor value = session.parameter(parameter.name).clone();
    double *data = value.data<double>();
    for (std::int64_t i = 0; i < value.element_count(); ++i)
      data[i] = data[i] * factor(random) + shift(random);
    session.set_parameter(parameter.name, value);
  }
}

class Gradient : public testing::TestWithParam<const char *> {};

TEST_P(Gradient, AgreesWithCentralDifferences) {
  Session session(load_model(GetParam() + std::string("-generated-f64")));
  session.initialize(3);
  perturb(session);
  TensorMap batch = random_batch(session.program().description(), 5);
  TensorMap results = session.run("loss_and_gradients", batch);
  auto loss_with = [&](const std::string &name, const Tensor &value) {
    session.set_parameter(name, value);
    return to_doubles(session.run("evaluate", batch).at("loss"))[0];
  };

  for (const Parameter &parameter :
       session.program().description().parameters) {
    Tensor original = session.parameter(parameter.name).clone();
    const double *gradient =
        results.at("grad/" + parameter.name).data<const double>();
    double difference = 0, norm = 0;
    for (std::int64_t i = 0; i < original.element_count(); ++i) {
      // Truncation is of the order h^2, rounding of 1e-16 / h: 1e-10 each.
      constexpr double h = 1e-5;
      Tensor value = original.clone();
      double &entry = value.data<double>()[i];
      double middle = entry;
      entry = middle + h;
      double above = loss_with(parameter.name, value);
      entry = middle - h;
      double below = loss_with(parameter.name, value);
      double expected = (above - below) / (2 * h);
      difference += std::pow(gradient[i] - expected, 2);
      norm += std::pow(expected, 2);
    }
    session.set_parameter(parameter.name, original);
    EXPECT_GT(norm, 0) << parameter.name << " has no gradient to compare";
    EXPECT_LE(std::sqrt(difference), 1e-6 * std::sqrt(norm)) << parameter.name;
  }
}

TEST_P(Gradient, AgreesBetweenBackends) {
  Session generated(load_model(GetParam() + std::string("-generated-f64")));
  Session onednn(load_model(GetParam() + std::string("-onednn-f32")));
  generated.initialize(3);
  perturb(generated);
  for (const auto &[name, value] : generated.parameters())
    onednn.set_parameter(name, convert(value, ElementType::F32));
  TensorMap batch = random_batch(generated.program().description(), 33);
  TensorMap expected = generated.run("loss_and_gradients", batch);
  TensorMap actual = onednn.run("loss_and_gradients", batch);
  ASSERT_EQ(expected.size(), actual.size());
  for (const auto &[name, value] : expected)
    expect_close(actual.at(name), value, 2e-4, name);
}

INSTANTIATE_TEST_SUITE_P(All, Gradient, testing::Values("dann", "mlp"));

} // namespace
} // namespace dann::test
