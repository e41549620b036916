// Recurrent layers against layers without a state, and what is left of them
// where connections are dropped or ablated.

#include "masks.h"
#include "numerics.h"

#include <map>

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

//===----------------------------------------------------------------------===//
// Dropped connections
//===----------------------------------------------------------------------===//

/// The network of models/rnn_dropconnect.txtpb.in, written down once more.
struct DropconnectNetwork {
  static constexpr std::size_t steps = 5, inputs = 4, units = 6, classes = 3;
  static constexpr std::size_t of_input = 3, of_state = 2;

  using Values = std::map<std::string, std::vector<double>>;
  Values p;

  explicit DropconnectNetwork(const Session &session) {
    for (const auto &[name, value] : session.parameters())
      p[name] = to_doubles(value);
  }

  /// rows x columns . x
  static std::vector<double> multiply(const std::vector<double> &w,
                                      const std::vector<double> &x) {
    std::vector<double> result(w.size() / x.size());
    for (std::size_t i = 0; i < w.size(); ++i)
      result[i / x.size()] += w[i] * x[i % x.size()];
    return result;
  }

  /// wex . x - wei . (wix . x), where the weights of the streams `first` and
  /// `first` + 1 are dropped at the rate; nothing is without a key.
  std::vector<double> half(const std::string &name,
                           const std::vector<double> &x,
                           const std::int64_t *key, std::uint32_t first,
                           double rate) const {
    std::vector<double> wex = p.at(name + "wex"), wix = p.at(name + "wix");
    if (key) {
      for (std::size_t i = 0; i < wex.size(); ++i)
        wex[i] *= is_kept(*key, first, i, rate);
      for (std::size_t i = 0; i < wix.size(); ++i)
        wix[i] *= is_kept(*key, first + 1, i, rate);
    }
    std::vector<double> result = multiply(wex, x);
    std::vector<double> inhibition =
        multiply(p.at(name + "wei"), multiply(wix, x));
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] -= inhibition[i];
    return result;
  }

  /// The mean loss of a batch.
  double loss(const TensorMap &batch, const std::int64_t *key) const {
    const Tensor &x = batch.at("x");
    std::int64_t samples = x.shape()[0];
    double total = 0;
    for (std::int64_t s = 0; s < samples; ++s) {
      std::vector<double> h(units);
      for (std::size_t t = 0; t < steps; ++t) {
        const double *row =
            x.data<const double>() + (std::size_t(s) * steps + t) * inputs;
        std::int64_t ofStep = 0;
        if (key)
          ofStep = std::int64_t(std::uint64_t(*key) +
                                (t + 1) * 0x9e3779b97f4a7c15ULL);
        const std::int64_t *stepKey = key ? &ofStep : nullptr;
        std::vector<double> u =
            half("0.u.", {row, row + inputs}, stepKey, 0, 0.25);
        std::vector<double> w = half("0.w.", h, stepKey, 2, 0.4);
        for (std::size_t i = 0; i < units; ++i)
          h[i] = std::max(0.0, u[i] + w[i] + p.at("0.u.b")[i]);
      }
      std::vector<double> z = half("1.", h, nullptr, 0, 0);
      double sum = 0;
      for (std::size_t c = 0; c < classes; ++c)
        sum += std::exp(z[c] += p.at("1.b")[c]);
      total += std::log(sum) - z[batch.at("y").data<const std::int64_t>()[s]];
    }
    return total / double(samples);
  }
};

constexpr std::int64_t kKey = -(std::int64_t(9) << 41) + 54321;

TEST(Dropconnect, LossAndGradientsAreThoseOfTheConnectionsLeft) {
  Session session(load_model("rnn_dropconnect-generated-f64"));
  session.initialize(3);
  perturb(session);
  TensorMap batch = random_batch(session.program().description(), 7);
  batch["random_key"] = Tensor::borrow(&kKey, {});
  TensorMap results = session.run("loss_and_gradients", batch);
  DropconnectNetwork network(session);
  double loss = network.loss(batch, &kKey);
  EXPECT_NEAR(to_doubles(results.at("loss"))[0], loss, 1e-13);
  EXPECT_GT(std::abs(loss - network.loss(batch, nullptr)), 1e-3)
      << "nothing was dropped";
  for (auto &[name, values] : network.p) {
    std::vector<double> gradient = to_doubles(results.at("grad/" + name));
    for (std::size_t i = 0; i < values.size(); ++i) {
      // Errors of 1e-10 each, of truncation and of rounding.
      constexpr double h = 1e-5;
      double middle = values[i];
      values[i] = middle + h;
      double above = network.loss(batch, &kKey);
      values[i] = middle - h;
      double below = network.loss(batch, &kKey);
      values[i] = middle;
      EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-9)
          << name << ", entry " << i;
    }
  }
}

TEST(Dropconnect, InferenceHasAllConnections) {
  Session session(load_model("rnn_dropconnect-generated-f64"));
  session.initialize(3);
  TensorMap batch = random_batch(session.program().description(), 7);
  TensorMap results = session.run("evaluate", batch);
  EXPECT_NEAR(to_doubles(results.at("loss"))[0],
              DropconnectNetwork(session).loss(batch, nullptr), 1e-13);
}

// What is computed again has the masks that it had.
TEST(Dropconnect, GradientsDoNotDependOnCheckpoints) {
  Session one(load_model("rnn_dropconnect-generated-f64"));
  Session other(load_model("rnn_dropconnect_checkpoints-generated-f64"));
  one.initialize(3);
  perturb(one);
  for (const auto &[name, value] : one.parameters())
    other.set_parameter(name, value);
  TensorMap batch = random_batch(one.program().description(), 7);
  batch["random_key"] = Tensor::borrow(&kKey, {});
  TensorMap expected = one.run("loss_and_gradients", batch);
  for (const auto &[name, value] : other.run("loss_and_gradients", batch))
    expect_close(value, expected.at(name), 1e-12, name);
}

//===----------------------------------------------------------------------===//
// Ablated connections
//===----------------------------------------------------------------------===//

// Of 8 units the last two inhibit.
bool joins_inhibitory(std::size_t i) { return i / 8 >= 6 && i % 8 >= 6; }

TEST(Ablation, IsThatOfWeightsOfZero) {
  Session ablated(load_model("rnn_ablated-generated-f64"));
  Session whole(load_model("rnn_whole-generated-f64"));
  ablated.initialize(3);
  perturb(ablated); // which fills the block
  for (const auto &[name, value] : ablated.parameters()) {
    Tensor copy = value.clone();
    if (name == "0.w.w")
      for (std::size_t i = 0; i < 64; ++i)
        if (joins_inhibitory(i))
          copy.data<double>()[i] = 0;
    whole.set_parameter(name, copy);
  }
  TensorMap batch = random_batch(whole.program().description(), 9);
  TensorMap expected = whole.run("loss_and_gradients", batch);
  TensorMap actual = ablated.run("loss_and_gradients", batch);
  auto *block = expected.at("grad/0.w.w").data<double>();
  for (std::size_t i = 0; i < 64; ++i)
    if (joins_inhibitory(i))
      block[i] = 0;
  for (const auto &[name, value] : actual)
    expect_close(value, expected.at(name), 1e-12, name);
}

TEST(Ablation, LastsThroughTraining) {
  Session session(load_model("rnn_ablated-generated-f64"));
  session.initialize(3);
  std::vector<double> before = to_doubles(session.parameter("0.w.w"));
  for (int i = 0; i < 20; ++i) {
    TensorMap batch = random_batch(session.program().description(), 9);
    session.train_step(batch.at("x"), batch.at("y"), 0.05);
  }
  std::vector<double> after = to_doubles(session.parameter("0.w.w"));
  int moved = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    if (joins_inhibitory(i)) {
      EXPECT_EQ(after[i], 0) << i;
    }
    moved += after[i] != before[i];
  }
  EXPECT_GT(moved, 40);
}

} // namespace
} // namespace dann::test
