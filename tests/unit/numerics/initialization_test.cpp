// Initial values of compiled programs: the random numbers against the reference
// implementation of Philox, their scales against the published rules.

#include "numerics.h"

#include <Random123/philox.h>

#include <numbers>
#include <numeric>

namespace dann::test {
namespace {

/// The two uniform numbers that dann.random documents for one entry.
std::pair<double, double> uniforms(std::uint64_t seed, std::uint64_t stream,
                                   std::uint64_t entry) {
  r123::Philox4x32 philox;
  auto word = [](std::uint64_t value, int shift) {
    return static_cast<std::uint32_t>(value >> shift);
  };
  auto words = philox(
      {{word(entry, 0), word(entry, 32), word(stream, 0), word(stream, 32)}},
      {{word(seed, 0), word(seed, 32)}});
  auto uniform = [&](int i) {
    std::uint64_t bits = (std::uint64_t(words[i]) << 32) | words[i + 1];
    return static_cast<double>(bits >> 11) * 0x1p-53 + 0x1p-54;
  };
  return {uniform(0), uniform(2)};
}

double mean(const std::vector<double> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) /
         static_cast<double>(values.size());
}

double deviation(const std::vector<double> &values) {
  double m = mean(values), sum = 0;
  for (double value : values)
    sum += (value - m) * (value - m);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

// A seed of more than 32 bits, so that both words of the key count.
constexpr std::int64_t kSeed = (std::int64_t(5) << 32) + 3;

TEST(Initialization, ExponentialNumbersArePhilox) {
  Session session(load_model("dense-generated-f64"));
  session.initialize(kSeed);
  std::vector<double> wex = to_doubles(session.parameter("0.wex"));
  std::vector<double> wix = to_doubles(session.parameter("0.wix"));
  double sigma = std::sqrt(1 / (2 * 12.0));
  for (std::size_t i = 0; i < wex.size(); ++i)
    EXPECT_NEAR(wex[i], -sigma * std::log(uniforms(kSeed, 0, i).first), 1e-14);
  for (std::size_t i = 0; i < wix.size(); ++i)
    EXPECT_NEAR(wix[i], -sigma * std::log(uniforms(kSeed, 1, i).first), 1e-14);
}

TEST(Initialization, NormalNumbersArePhilox) {
  Session session(load_model("mlp-generated-f64"));
  session.initialize(kSeed);
  std::vector<double> w = to_doubles(session.parameter("0.w"));
  for (std::size_t i = 0; i < w.size(); ++i) {
    auto [u, v] = uniforms(kSeed, 0, i);
    double normal =
        std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
    EXPECT_NEAR(w[i], std::sqrt(1 / 8.0) * normal, 1e-14);
  }
}

TEST(Initialization, FollowsThePublishedScales) {
  Session session(load_model("fashion_mnist-auto-f32"));
  session.initialize(1);
  auto values = [&](const char *name) {
    return to_doubles(session.parameter(name));
  };
  // Mean and deviation of an exponential are its scale. 5 standard errors.
  for (auto [name, sigma] :
       {std::pair("0.wex", 0.0252538), std::pair("0.wix", 0.0252538),
        std::pair("1.wex", 0.0487705), std::pair("2.wix", 0.0487705),
        std::pair("3.wex", 0.0487705)}) {
    std::vector<double> entries = values(name);
    double error = 5 * sigma / std::sqrt(static_cast<double>(entries.size()));
    EXPECT_NEAR(mean(entries), sigma, error) << name;
    EXPECT_NEAR(deviation(entries), sigma, 2 * error) << name;
  }
  for (double alpha : values("0.alpha"))
    EXPECT_NEAR(alpha, -2.499940, 1e-6);
  for (double alpha : values("1.alpha"))
    EXPECT_NEAR(alpha, -2.275039, 1e-6);
  for (double wei : values("1.wei"))
    EXPECT_FLOAT_EQ(wei, 1.0 / 50);
  for (double g : values("2.g"))
    EXPECT_EQ(g, 1);
  for (double b : values("2.b"))
    EXPECT_EQ(b, 0);
}

/// wei . (e^alpha * (wix . x)) of the first unit, and u / c of all units, of a
/// layer as it is initialised.
struct Activity {
  double divisor = 0;
  std::vector<double> quotients;
};

Activity activity_of(const Session &session, const std::string &layer,
                     const std::vector<double> &x) {
  auto values = [&](const char *role) {
    return to_doubles(session.parameter(layer + "." + role));
  };
  std::vector<double> wex = values("wex"), wix = values("wix");
  std::vector<double> wei = values("wei"), alpha = values("alpha");
  std::size_t d = x.size(), ni = alpha.size(), ne = wex.size() / d;
  auto product = [&](const std::vector<double> &w, std::size_t row) {
    return std::inner_product(x.begin(), x.end(),
                              w.begin() + std::ptrdiff_t(row * d), 0.0);
  };
  std::vector<double> zi(ni);
  for (std::size_t j = 0; j < ni; ++j)
    zi[j] = product(wix, j);
  Activity activity;
  for (std::size_t i = 0; i < ne; ++i) {
    double inhibition = 0, divisor = 0;
    for (std::size_t j = 0; j < ni; ++j) {
      inhibition += wei[i * ni + j] * zi[j];
      divisor += wei[i * ni + j] * std::exp(alpha[j]) * zi[j];
    }
    if (i == 0)
      activity.divisor = divisor;
    activity.quotients.push_back((product(wex, i) - inhibition) / divisor);
  }
  return activity;
}

// 1.62530 E[x] in the first layer, for the mean pixels of MNIST, KMNIST and
// Fashion-MNIST. The divisor is a sum over 784 x 50 exponential numbers: its
// relative deviation is 1 / sqrt(39200), and 5 of them are allowed.
TEST(Initialization, DivisorHasThePublishedMean) {
  Session session(load_model("fashion_mnist-auto-f32"));
  session.initialize(1);
  for (auto [pixel, divisor] :
       {std::pair(0.1307, 0.21243), std::pair(0.1918, 0.31173),
        std::pair(0.2860, 0.46484)})
    EXPECT_NEAR(
        activity_of(session, "0", std::vector<double>(784, pixel)).divisor,
        divisor, 5 * divisor / std::sqrt(39200.0));
}

// sqrt(pi / (2 pi - 1)) over the units for x = relu(N(0, 1)); 500 units give it
// to 1 / sqrt(1000), and the moments of 500 inputs to about as much again: 4 of
// both together are allowed.
TEST(Initialization, ActivityHasThePublishedDeviation) {
  Session session(load_model("fashion_mnist-auto-f32"));
  session.initialize(1);
  for (const char *layer : {"1", "2"}) {
    std::mt19937_64 random(3);
    std::normal_distribution<double> normal;
    std::vector<double> x(500);
    for (double &value : x)
      value = std::max(normal(random), 0.0);
    EXPECT_NEAR(deviation(activity_of(session, layer, x).quotients), 0.7711,
                4 * 0.7711 * std::sqrt(2 / 1000.0))
        << layer;
  }
}

TEST(Initialization, StreamsOfParametersDiffer) {
  Session session(load_model("fashion_mnist-auto-f32"));
  session.initialize(1);
  std::vector<double> first = to_doubles(session.parameter("1.wex"));
  std::vector<double> second = to_doubles(session.parameter("2.wex"));
  EXPECT_NE(first, second);
  session.initialize(2);
  EXPECT_NE(first, to_doubles(session.parameter("1.wex")));
}

/// With one interneuron the centring is exact: the logits of the last layer
/// sum to 0 for every sample. Scaling the input changes nothing but through
/// epsilon.
TEST(Initialization, OneInterneuronCentresExactly) {
  Session session(load_model("dense-generated-f64"));
  session.initialize(4);
  constexpr std::int64_t samples = 3, classes = 4;
  Tensor x(ElementType::F64, {samples, 12});
  for (std::int64_t i = 0; i < x.element_count(); ++i)
    x.data<double>()[i] = uniforms(9, 0, i).first;
  std::vector<double> logits = to_doubles(session.forward(x));
  for (std::int64_t row = 0; row < samples; ++row) {
    double sum = 0, size = 0;
    for (std::int64_t c = 0; c < classes; ++c) {
      sum += logits[row * classes + c];
      size += std::abs(logits[row * classes + c]);
    }
    EXPECT_GT(size, 0.1);
    EXPECT_NEAR(sum, 0, 1e-12 * size);
  }
  for (std::int64_t i = 0; i < x.element_count(); ++i)
    x.data<double>()[i] *= 0.25;
  std::vector<double> scaled = to_doubles(session.forward(x));
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(scaled[i], logits[i], 1e-6);
}

TEST(Initialization, DoesNotDependOnThreads) {
  auto program = load_model("fashion_mnist-auto-f32");
  Session one(program, {1}), two(program, {2});
  one.initialize(6);
  two.initialize(6);
  for (const Parameter &parameter : program->description().parameters)
    EXPECT_EQ(to_doubles(one.parameter(parameter.name)),
              to_doubles(two.parameter(parameter.name)))
        << parameter.name;
}

} // namespace
} // namespace dann::test
