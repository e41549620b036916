// Dropout, fixed polarities and the initial values of all rules, by independent
// formulas. Normalisations are among the golden networks.

#include "masks.h"
#include "moments.h"
#include "numerics.h"

#include <numbers>
#include <numeric>

namespace dann::test {
namespace {

//===----------------------------------------------------------------------===//
// Dropout
//===----------------------------------------------------------------------===//

/// A dense network of two layers with dropout before each, and its gradients.
struct DropoutNetwork {
  static constexpr std::int64_t inputs = 16, hidden = 24, classes = 3;
  static constexpr double rates[] = {0.25, 0.5};

  std::vector<double> w0, b0, w1, b1;

  explicit DropoutNetwork(const Session &session) {
    w0 = to_doubles(session.parameter("1.w"));
    b0 = to_doubles(session.parameter("1.b"));
    w1 = to_doubles(session.parameter("3.w"));
    b1 = to_doubles(session.parameter("3.b"));
  }

  /// The mean loss and, behind it, the gradients of w0, b0, w1 and b1.
  std::vector<double> differentiate(const Tensor &x, const Tensor &y,
                                    std::int64_t key) const {
    std::int64_t samples = x.shape()[0];
    double loss = 0;
    std::vector<double> dw0(w0.size()), db0(b0.size()), dw1(w1.size()),
        db1(b1.size());
    for (std::int64_t s = 0; s < samples; ++s) {
      std::vector<double> in(inputs), h(hidden), kept(hidden), z(classes);
      for (std::int64_t i = 0; i < inputs; ++i)
        in[i] = x.data<const double>()[s * inputs + i] *
                mask_entry(key, 0, std::uint64_t(s * inputs + i), rates[0]);
      for (std::int64_t j = 0; j < hidden; ++j) {
        double sum = b0[j];
        for (std::int64_t i = 0; i < inputs; ++i)
          sum += w0[j * inputs + i] * in[i];
        kept[j] = mask_entry(key, 1, std::uint64_t(s * hidden + j), rates[1]);
        h[j] = sum > 0 ? sum * kept[j] : 0;
        kept[j] = sum > 0 ? kept[j] : 0;
      }
      double total = 0;
      for (std::int64_t c = 0; c < classes; ++c) {
        z[c] = std::inner_product(h.begin(), h.end(), w1.begin() + c * hidden,
                                  b1[c]);
        total += std::exp(z[c]);
      }
      std::int64_t label = y.data<const std::int64_t>()[s];
      loss += (std::log(total) - z[label]) / double(samples);
      for (std::int64_t c = 0; c < classes; ++c) {
        double dz = (std::exp(z[c]) / total - (c == label)) / double(samples);
        db1[c] += dz;
        for (std::int64_t j = 0; j < hidden; ++j) {
          dw1[c * hidden + j] += dz * h[j];
          double dh = dz * w1[c * hidden + j] * kept[j];
          db0[j] += dh;
          for (std::int64_t i = 0; i < inputs; ++i)
            dw0[j * inputs + i] += dh * in[i];
        }
      }
    }
    std::vector<double> all = {loss};
    for (const auto &part : {dw0, db0, dw1, db1})
      all.insert(all.end(), part.begin(), part.end());
    return all;
  }
};

TEST(Dropout, LossAndGradientsAreThoseThroughTheMask) {
  Session session(load_model("dropout-generated-f64"));
  session.initialize(3);
  perturb(session);
  TensorMap batch = random_batch(session.program().description(), 37);
  constexpr std::int64_t key = -(std::int64_t(7) << 40) + 12345;
  Tensor key_value = Tensor::borrow(&key, {});
  batch["random_key"] = key_value;
  TensorMap results = session.run("loss_and_gradients", batch);
  std::vector<double> actual;
  for (const char *name :
       {"loss", "grad/1.w", "grad/1.b", "grad/3.w", "grad/3.b"}) {
    std::vector<double> values = to_doubles(results.at(name));
    actual.insert(actual.end(), values.begin(), values.end());
  }
  std::vector<double> expected =
      DropoutNetwork(session).differentiate(batch["x"], batch["y"], key);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    EXPECT_NEAR(actual[i], expected[i], 1e-13) << i;
}

TEST(Dropout, MasksHaveTheirRates) {
  constexpr std::int64_t count = 200000;
  for (double rate : {0.25, 0.5}) {
    std::int64_t zeros = 0;
    for (std::int64_t i = 0; i < count; ++i)
      zeros += mask_entry(42, 1, std::uint64_t(i), rate) == 0;
    // 5 standard errors of a binomial distribution.
    EXPECT_NEAR(double(zeros) / double(count), rate,
                5 * std::sqrt(rate * (1 - rate) / double(count)));
  }
}

TEST(Dropout, InferenceDropsNothing) {
  Session session(load_model("dropout-generated-f64"));
  session.initialize(3);
  TensorMap batch = random_batch(session.program().description(), 5);
  std::vector<double> logits = to_doubles(session.forward(batch["x"]));
  DropoutNetwork network(session);
  for (std::int64_t s = 0; s < 5; ++s)
    for (std::int64_t c = 0; c < DropoutNetwork::classes; ++c) {
      double z = network.b1[c];
      for (std::int64_t j = 0; j < DropoutNetwork::hidden; ++j) {
        double sum = network.b0[j];
        for (std::int64_t i = 0; i < DropoutNetwork::inputs; ++i)
          sum += network.w0[j * DropoutNetwork::inputs + i] *
                 batch["x"].data<double>()[s * DropoutNetwork::inputs + i];
        z += std::max(sum, 0.0) * network.w1[c * DropoutNetwork::hidden + j];
      }
      EXPECT_NEAR(logits[s * DropoutNetwork::classes + c], z, 1e-13);
    }
}

/// Steps of one session draw other masks each, and another session with the
/// same seed the same ones, on any number of threads.
TEST(Dropout, StepsFollowFromTheSeed) {
  auto program = load_model("dropout-generated-f64");
  TensorMap batch = random_batch(program->description(), 20);
  auto losses = [&](std::int64_t seed, int threads) {
    Session session(program, {threads});
    session.initialize(seed);
    std::vector<double> result;
    // At a learning rate of 0 nothing changes but the masks.
    for (int step = 0; step < 3; ++step)
      result.push_back(session.train_step(batch["x"], batch["y"], 0));
    return result;
  };
  std::vector<double> first = losses(1, 1);
  EXPECT_EQ(first, losses(1, 2));
  EXPECT_NE(first[0], first[1]);
  EXPECT_NE(first[1], first[2]);
}

//===----------------------------------------------------------------------===//
// Polarities
//===----------------------------------------------------------------------===//

/// Magnitudes stay nonnegative and polarities what they are, so every weight
/// keeps its sign, at steps large enough to change it.
TEST(Polarity, KeepsEverySignInTraining) {
  for (const char *model :
       {"frozen-generated-f64", "column_ei-generated-f64"}) {
    Session session(load_model(model));
    session.initialize(3);
    TensorMap before = session.parameters();
    for (auto &[name, value] : before)
      value = value.clone();
    TensorMap batch = random_batch(session.program().description(), 20);
    for (int step = 0; step < 100; ++step)
      session.train_step(batch["x"], batch["y"], 0.5);
    std::int64_t clipped = 0;
    for (const Parameter &parameter :
         session.program().description().parameters) {
      std::vector<double> values =
          to_doubles(session.parameter(parameter.name));
      if (parameter.role == "polarity") {
        EXPECT_EQ(values, to_doubles(before.at(parameter.name)));
      }
      if (parameter.role != "w")
        continue;
      EXPECT_EQ(parameter.sign, Sign::NonNegative);
      for (double value : values) {
        EXPECT_GE(value, 0) << parameter.name;
        clipped += value == 0;
      }
    }
    EXPECT_GT(clipped, 0) << model << ": no step would have changed a sign";
  }
}

TEST(Polarity, IsOneOrMinusOne) {
  Session session(load_model("frozen-generated-f64"));
  session.initialize(3);
  Tensor value = session.parameter("0.polarity").clone();
  std::vector<double> signs = to_doubles(value);
  EXPECT_GT(std::count(signs.begin(), signs.end(), 1), 0);
  EXPECT_GT(std::count(signs.begin(), signs.end(), -1), 0);
  value.data<double>()[5] = 0.5;
  try {
    session.set_parameter("0.polarity", value);
    FAIL() << "a polarity of 0.5 was taken";
  } catch (const Error &error) {
    EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
    EXPECT_STREQ(error.what(), "0.polarity[0, 5] is 0.5, but is the sign of a "
                               "weight: 1 or -1");
  }
}

//===----------------------------------------------------------------------===//
// Initial values
//===----------------------------------------------------------------------===//

double maximum(const std::vector<double> &values) {
  return *std::max_element(values.begin(), values.end());
}
double minimum(const std::vector<double> &values) {
  return *std::min_element(values.begin(), values.end());
}

class Distributions : public testing::Test {
protected:
  Distributions() : session_(load_model("distributions-generated-f64")) {
    session_.initialize(8);
  }
  std::vector<double> values(const char *name) const {
    return to_doubles(session_.parameter(name));
  }
  Session session_;
};

TEST_F(Distributions, HeNormal) {
  expect_moments(values("he.w"), 0, std::sqrt(1.0 / 200), "first layer");
  expect_moments(values("13.w"), 0, std::sqrt(2.0 / 200), "last layer");
}

TEST_F(Distributions, XavierUniform) {
  double bound = std::sqrt(6.0 / (300 + 200));
  std::vector<double> w = values("xavier.w");
  expect_moments(w, 0, std::sqrt(2.0 / (300 + 200)), "xavier");
  EXPECT_LT(maximum(w), bound);
  EXPECT_GT(minimum(w), -bound);
  // The largest of n misses the bound by bound / n on average.
  EXPECT_GT(maximum(w), bound * (1 - 1e-3));
  // One sign: |U|.
  double folded = std::sqrt(6.0 / (200 + 150));
  expect_moments(values("positive.w"), folded / 2, folded / std::sqrt(12),
                 "positive");
}

TEST_F(Distributions, PyTorchUniform) {
  double bound = 1 / std::sqrt(200.0);
  expect_moments(values("pytorch.w"), 0, bound / std::sqrt(3), "w");
  expect_moments(values("pytorch.b"), 0, bound / std::sqrt(3), "b");
  EXPECT_LT(maximum(values("pytorch.w")), bound);
}

TEST_F(Distributions, LognormalOfBothSigns) {
  double deviation = std::sqrt(2.0 / 300 / (1 + 1.5 * 1.5));
  std::vector<double> w = values("lognormal.w");
  // Random signs: mean 0, and the second moment of He.
  expect_moments(w, 0, std::sqrt(2.0 / 300), "lognormal");
  std::vector<double> magnitudes = w, logarithms = w;
  for (double &value : magnitudes)
    value = std::abs(value);
  for (double &value : logarithms)
    value = std::log(std::abs(value));
  expect_moments(magnitudes, 1.5 * deviation, deviation, "|lognormal|");
  double variance = std::log(1 + 1 / (1.5 * 1.5));
  expect_moments(logarithms, std::log(1.5 * deviation) - variance / 2,
                 std::sqrt(variance), "log |lognormal|");
  // The units count, 150 of 300 inputs each.
  expect_moments(values("fan_out.w"), 0, std::sqrt(2.0 / 150), "fan_out");
}

TEST_F(Distributions, FixedPolarities) {
  double scale = std::sqrt(2.0 / 150);
  // |N|: mean sqrt(2 / pi), deviation sqrt(1 - 2 / pi).
  double mean = scale * std::sqrt(2 / std::numbers::pi);
  double deviation = scale * std::sqrt(1 - 2 / std::numbers::pi);
  expect_moments(values("frozen.w"), mean, deviation, "frozen");
  expect_moments(values("frozen.polarity"), 0, 1, "frozen.polarity");
  EXPECT_EQ(session_.program().description().parameters.size(),
            session_.parameters().size());
}

TEST_F(Distributions, ColumnEi) {
  // 550 inputs: 500 excitatory ones and 50 inhibitory ones.
  std::vector<double> w = values("columns.w"), excitatory, inhibitory;
  for (std::size_t i = 0; i < w.size(); ++i)
    (i % 550 < 500 ? excitatory : inhibitory).push_back(w[i]);
  expect_moments(excitatory, 0.0147049, 0.0147049, "excitatory");
  expect_moments(inhibitory, 0.1470485, 0.1470485, "inhibitory");
}

TEST_F(Distributions, IidInhibition) {
  const double twoPi = 2 * std::numbers::pi;
  double sigma = std::sqrt(twoPi / (400 * (twoPi - 1)));
  double scale = std::sqrt(sigma / 30);
  expect_moments(values("iid.wex"), sigma, sigma, "wex");
  expect_moments(values("iid.wix"), scale, scale, "wix");
  expect_moments(values("iid.wei"), scale, scale, "wei");
}

TEST_F(Distributions, LognormalMeanExcitation) {
  double sigma = std::sqrt(2 * 300.0 / (300 * 299.0));
  std::vector<double> wex = values("mean.wex"), logarithms = wex;
  expect_moments(wex, sigma, sigma, "wex");
  for (double &value : logarithms)
    value = std::log(value);
  expect_moments(logarithms, std::log(sigma) - std::log(2) / 2,
                 std::sqrt(std::log(2)), "log wex");
  std::vector<double> wix = values("mean.wix"), wei = values("mean.wei");
  for (std::size_t j = 0; j < 300; ++j) {
    double mean = 0;
    for (std::size_t i = 0; i < 300; ++i)
      mean += wex[i * 300 + j] / 300;
    for (std::size_t i = 0; i < 30; ++i)
      EXPECT_NEAR(wix[i * 300 + j], mean, 1e-14);
    EXPECT_NEAR(std::accumulate(wei.begin() + std::ptrdiff_t(j * 30),
                                wei.begin() + std::ptrdiff_t(j * 30 + 30), 0.0),
                1, 1e-14);
  }
}

TEST_F(Distributions, MeanExcitationOfAnyScale) {
  double sigma = std::sqrt(0.5 * 200 / (150 * 199.0));
  expect_moments(values("numerator.wex"), sigma, sigma, "wex");
}

TEST(ColumnEi, FirstLayerSubtractsTheMeanPixel) {
  Session session(load_model("fashion_mnist_column_ei-auto-f32"));
  session.initialize(1);
  for (double b : to_doubles(session.parameter("0.b")))
    EXPECT_NEAR(b, -8.008, 1e-3);
  expect_moments(to_doubles(session.parameter("0.w")), 1 / 28.0, 1 / 28.0, "w");
}

} // namespace
} // namespace dann::test
