// Recurrent layers against layers without a state.

#include "numerics.h"

namespace dann::test {
namespace {

/// "0.wex" -> "0.u.wex", and the same for the others of the first layer.
std::string in_recurrence(const std::string &name) {
  return name.rfind("0.", 0) == 0 ? "0.u." + name.substr(2) : name;
}

TEST(Recurrence, OfOneStepIsADenseLayer) {
  Session dense(load_model("rnn_one_step_dense-generated-f64"));
  dense.initialize(3);
  perturb(dense);
  Session recurrent(load_model("rnn_one_step-generated-f64"));
  recurrent.initialize(3);
  for (const auto &[name, value] : dense.parameters())
    recurrent.set_parameter(in_recurrence(name), value);

  // The order of sums is all that differs.
  constexpr double tolerance = 1e-12;
  TensorMap batch = random_batch(dense.program().description(), 9);
  expect_close(recurrent.forward(batch.at("x")), dense.forward(batch.at("x")),
               tolerance, "logits");
  TensorMap expected = dense.run("loss_and_gradients", batch);
  TensorMap actual = recurrent.run("loss_and_gradients", batch);
  for (const auto &[name, value] : dense.parameters())
    expect_close(actual.at("grad/" + in_recurrence(name)),
                 expected.at("grad/" + name), tolerance, "grad/" + name);
  // The state before the first step is zero: nothing goes through its weights.
  for (const char *role : {"wex", "wix", "wei"})
    for (double entry : to_doubles(actual.at(std::string("grad/0.w.") + role)))
      EXPECT_EQ(entry, 0) << role;

  // The correction counts the inputs of each half.
  double loss = dense.train_step(batch.at("x"), batch.at("y"), 0.1);
  EXPECT_NEAR(recurrent.train_step(batch.at("x"), batch.at("y"), 0.1), loss,
              tolerance * loss);
  for (const auto &[name, value] : dense.parameters())
    expect_close(recurrent.parameter(in_recurrence(name)), value, tolerance,
                 name);
}

} // namespace
} // namespace dann::test
