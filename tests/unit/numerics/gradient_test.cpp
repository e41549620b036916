// Gradients of compiled programs against central differences and, on the other
// backend, against each other.

#include "numerics.h"

namespace dann::test {
namespace {

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
    // The states at the start of a recurrence hardly matter to its end: of
    // their gradients only the rounding may be left.
    double noise = 1e-10 * std::sqrt(double(original.element_count()));
    EXPECT_LE(std::sqrt(difference), 1e-6 * std::sqrt(norm) + noise)
        << parameter.name;
  }
}

TEST_P(Gradient, AgreesBetweenBackends) {
  Session generated(load_model(GetParam() + std::string("-generated-f64")));
  generated.initialize(3);
  perturb(generated);
  TensorMap batch = random_batch(generated.program().description(), 33);
  TensorMap expected = generated.run("loss_and_gradients", batch);
  // Rounding adds up over the steps of a recurrence, whose divisors amplify it.
  double tolerance =
      std::string_view(GetParam()).substr(0, 3) == "rnn" ? 1e-3 : 2e-4;
  for (const char *backend : {"-auto-f32", "-onednn-f32"}) {
    Session session(load_model(GetParam() + std::string(backend)));
    for (const auto &[name, value] : generated.parameters())
      session.set_parameter(name, convert(value, ElementType::F32));
    TensorMap actual = session.run("loss_and_gradients", batch);
    ASSERT_EQ(expected.size(), actual.size());
    for (const auto &[name, value] : expected)
      expect_close(actual.at(name), value, tolerance, name + backend);
  }
}

INSTANTIATE_TEST_SUITE_P(All, Gradient,
                         testing::Values("dann", "mlp", "conv_divisive",
                                         "conv_subtractive", "conv_standard",
                                         "rnn_divisive", "rnn_checkpoints",
                                         "rnn_standard", "rnn_linear"));

} // namespace
} // namespace dann::test
