// Initial values of recurrent layers against the published rules.

#include "moments.h"
#include "numerics.h"

#include <numbers>

namespace dann::test {
namespace {

class RecurrentValues : public testing::Test {
protected:
  RecurrentValues()
      : session_(load_model("recurrent_distributions-generated-f64")) {
    session_.initialize(5);
  }
  std::vector<double> values(const std::string &name) const {
    return to_doubles(session_.parameter(name));
  }
  Session session_;
};

/// The entries of a square matrix on its diagonal, or all others.
std::vector<double> diagonal(const std::vector<double> &matrix, bool others) {
  auto n = std::size_t(std::lround(std::sqrt(double(matrix.size()))));
  std::vector<double> result;
  for (std::size_t i = 0; i < matrix.size(); ++i)
    if ((i / n != i % n) == others)
      result.push_back(matrix[i]);
  return result;
}

/// The spectral radius as the limit of |w^k|^(1/k) for k = 2^30, by squaring.
double spectral_radius(std::vector<double> w) {
  auto n = std::size_t(std::lround(std::sqrt(double(w.size()))));
  double logarithm = 0;
  for (int i = 0; i < 30; ++i) {
    double norm = 0;
    for (double value : w)
      norm += value * value;
    norm = std::sqrt(norm);
    std::vector<double> square(w.size());
    for (double &value : w)
      value /= norm;
    logarithm = 2 * (logarithm + std::log(norm));
    for (std::size_t r = 0; r < n; ++r)
      for (std::size_t k = 0; k < n; ++k)
        for (std::size_t c = 0; c < n; ++c)
          square[r * n + c] += w[r * n + k] * w[k * n + c];
    w = square;
  }
  return std::exp(logarithm * 0x1p-30);
}

/// "columns", of which the last so many inhibit.
std::vector<double> with_signs(std::vector<double> w, std::size_t n,
                               std::size_t inhibitory) {
  for (std::size_t i = 0; i < w.size(); ++i)
    if (i % n >= n - inhibitory)
      w[i] = -w[i];
  return w;
}

TEST(SpectralRadius, OfKnownMatrices) {
  EXPECT_NEAR(spectral_radius({2, 100, 0, -3}), 3, 1e-6);
  // Eigenvalues 1 + 2i and 1 - 2i.
  EXPECT_NEAR(spectral_radius({1, -2, 2, 1}), std::sqrt(5), 1e-6);
}

TEST_F(RecurrentValues, StandardUnits) {
  std::vector<double> uniform = values("uniform.w.w");
  expect_moments(uniform, 0, std::sqrt(2.0 / 200), "uniform");
  double bound = std::sqrt(3 * 2.0 / 200);
  auto [least, most] = std::minmax_element(uniform.begin(), uniform.end());
  EXPECT_GE(*least, -bound);
  EXPECT_LE(*most, bound);
  expect_moments(values("uniform.u.w"), 0, 1 / std::sqrt(3 * 200.0), "input");
  expect_moments(values("normal.w.w"), 0, std::sqrt(1 / (3 * 200.0)), "normal");
  std::vector<double> identity = values("identity.w.w");
  for (double value : diagonal(identity, /*others=*/false))
    EXPECT_EQ(value, 1);
  for (double value : diagonal(identity, /*others=*/true))
    EXPECT_EQ(value, 0);
}

TEST_F(RecurrentValues, OrthogonalMatrix) {
  constexpr std::size_t n = 100;
  std::vector<double> w = values("orthogonal.w.w");
  for (std::size_t a = 0; a < n; ++a)
    for (std::size_t b = 0; b < n; ++b) {
      double columns = 0, rows = 0;
      for (std::size_t i = 0; i < n; ++i) {
        columns += w[i * n + a] * w[i * n + b];
        rows += w[a * n + i] * w[b * n + i];
      }
      // n products of numbers below 1, rounded.
      ASSERT_NEAR(columns, a == b, 1e-13);
      ASSERT_NEAR(rows, a == b, 1e-13);
    }
  // The first column is that of the uniform matrix, on (0, 1), divided by its
  // norm, which is the root of n / 3 on average.
  std::vector<double> first;
  for (std::size_t i = 0; i < n; ++i)
    first.push_back(w[i * n]);
  EXPECT_GT(*std::min_element(first.begin(), first.end()), 0);
  double scale = std::sqrt(3.0 / n);
  expect_moments(first, 0.5 * scale, scale / std::sqrt(12), "first column");
}

TEST_F(RecurrentValues, HybridMatrix) {
  std::vector<double> w = values("hybrid.w.w");
  double deviation = 0.85 / std::sqrt(3 * 200.0);
  expect_moments(diagonal(w, /*others=*/true), 0, deviation, "others");
  expect_moments(diagonal(w, /*others=*/false), 0.15, deviation, "diagonal");
}

/// Expects every row of a [rows, columns] matrix to sum to `sum`.
void expect_row_sums(const std::vector<double> &w, std::size_t columns,
                     double sum) {
  for (std::size_t i = 0; i < w.size(); i += columns) {
    double actual = 0;
    for (std::size_t j = 0; j < columns; ++j)
      actual += w[i + j];
    EXPECT_NEAR(actual, sum, 1e-14);
  }
}

/// Expects each row of `wix` to be `factor` times the mean row of `wex`.
void expect_mean_rows(const std::vector<double> &wix,
                      const std::vector<double> &wex, std::size_t columns,
                      double factor) {
  for (std::size_t j = 0; j < columns; ++j) {
    double sum = 0;
    for (std::size_t i = j; i < wex.size(); i += columns)
      sum += wex[i];
    double mean = sum / double(wex.size() / columns);
    for (std::size_t i = j; i < wix.size(); i += columns)
      EXPECT_NEAR(wix[i], factor * mean, 1e-14);
  }
}

TEST_F(RecurrentValues, ExcitatoryUnits) {
  // The units count in both halves, whose inputs are 200 and 160.
  double sigma = std::sqrt(2.0 / 160 * 160 / 159);
  for (const char *half : {"drawn.u.", "drawn.w."}) {
    expect_moments(values(half + std::string("wex")), sigma, sigma, half);
    expect_row_sums(values(half + std::string("wei")), 20, 1);
  }
  expect_mean_rows(values("drawn.u.wix"), values("drawn.u.wex"), 200, 1);
  expect_moments(values("drawn.w.wix"), sigma, sigma, "wix");
  // A share of a row is wider than equal ones, and has the same mean.
  std::vector<double> wei = values("drawn.w.wei");
  EXPECT_NEAR(moments_of(wei).mean, 1 / 20.0, 1e-14);
  EXPECT_GT(moments_of(wei).deviation, 0.5 / 20);
}

TEST_F(RecurrentValues, ScaleOfTheInputByItsNumber) {
  // 60 inputs of 100 units.
  double ofInput = std::sqrt(2.0 / 60 * 100 / 99);
  std::vector<double> wex = values("inputs.u.wex");
  expect_moments(wex, ofInput, ofInput, "u.wex");
  expect_mean_rows(values("inputs.u.wix"), wex, 60, 1);
  double ofState = std::sqrt(2.0 / 100 * 100 / 99);
  expect_moments(values("inputs.w.wex"), ofState, ofState, "w.wex");
}

TEST_F(RecurrentValues, LognormalExcitatoryUnits) {
  double sigma = std::sqrt(1 / 3.0 / 160 * 160 / 159);
  std::vector<double> wex = values("lognormal.w.wex"), logarithms = wex;
  expect_moments(wex, sigma, sigma, "wex");
  for (double &value : logarithms)
    value = std::log(value);
  expect_moments(logarithms, std::log(sigma) - std::log(2) / 2,
                 std::sqrt(std::log(2)), "log wex");
  // Interneurons are drawn at the scale of their own weights, as in the code.
  double wide = sigma * std::sqrt(160 / 20.0);
  expect_moments(values("lognormal.w.wix"), wide, wide, "wix");
  for (double value : values("lognormal.u.wei"))
    EXPECT_EQ(value, 1);
}

TEST_F(RecurrentValues, CenteredLognormalHasMedianOne) {
  double sigma = std::sqrt(1 / 3.0 / 160 * 160 / 159);
  double mean = std::sqrt(0.5 + std::sqrt(sigma * sigma + 0.25));
  std::vector<double> wex = values("centered.w.wex"), logarithms = wex;
  expect_moments(wex, mean, sigma, "wex");
  for (double &value : logarithms)
    value = std::log(value);
  // The median of a lognormal distribution is exp of the mean of the logarithm.
  expect_moments(logarithms, 0,
                 std::sqrt(std::log(1 + sigma * sigma / (mean * mean))),
                 "log wex");
  expect_mean_rows(values("centered.w.wix"), wex, 160, 1);
}

TEST_F(RecurrentValues, HybridExcitatoryUnits) {
  constexpr double share = 0.25;
  for (const char *name : {"mixed", "mixed_lognormal"}) {
    std::string layer = name;
    // Here the inputs count, 160 and 200 of them.
    double inputs = layer == "mixed" ? 160 : 200;
    double sigma = std::sqrt(1 / 3.0 / inputs * 200 / 199);
    std::vector<double> wex = values(layer + ".w.wex");
    expect_moments(diagonal(wex, /*others=*/true), share * sigma, share * sigma,
                   name);
    expect_moments(diagonal(wex, /*others=*/false), share * sigma + 1 - share,
                   share * sigma, name);
    double root = std::sqrt(share);
    expect_moments(values(layer + ".w.wix"), root * sigma, root * sigma, name);
    expect_row_sums(values(layer + ".w.wei"), 40, root);
    // Nothing is mixed into the weights of the input.
    double ofInput = std::sqrt(1 / 3.0 / 200 * 200 / 199);
    expect_moments(values(layer + ".u.wex"), ofInput, ofInput, name);
    expect_row_sums(values(layer + ".u.wei"), 40, 1);
  }
  // With the mean excitation the drawn part is centred: what is left of the
  // sum of a column is the identity's.
  std::vector<double> wex = values("mixed_mean.w.wex");
  std::vector<double> wix = values("mixed_mean.w.wix");
  for (double value : values("mixed_mean.w.wei"))
    EXPECT_NEAR(value, std::sqrt(0.5), 1e-15);
  for (std::size_t j = 0; j < 200; ++j) {
    double sum = 0;
    for (std::size_t i = 0; i < 200; ++i)
      sum += wex[i * 200 + j] - std::sqrt(0.5) * wix[j];
    EXPECT_NEAR(sum, 0.5, 1e-12);
  }
}

// 60 units: 54 excite and 6 inhibit for a ratio of 9, 45 and 15 for 3.
TEST_F(RecurrentValues, ColumnsHaveTheSpectralRadius) {
  std::vector<double> w = values("columns.w.w");
  // A vector that turns in a plane settles like 1 / the number of products.
  EXPECT_NEAR(spectral_radius(with_signs(w, 60, 6)), 1.5, 0.01);
  for (double value : diagonal(w, /*others=*/false))
    EXPECT_EQ(value, 0);
  double excitatory = 0, inhibitory = 0;
  for (std::size_t i = 0; i < w.size(); ++i) {
    EXPECT_GE(w[i], 0);
    (i % 60 < 54 ? excitatory : inhibitory) += w[i];
  }
  // Both balance: 54 and 6 columns, of which the latter are nine times as
  // large.
  EXPECT_NEAR(inhibitory / excitatory, 1, 0.3);
}

TEST_F(RecurrentValues, AblatedColumnsHaveTheSpectralRadius) {
  std::vector<double> w = values("ablated.w.w");
  EXPECT_NEAR(spectral_radius(with_signs(w, 60, 15)), 0.75, 0.005);
  for (std::size_t i = 0; i < w.size(); ++i)
    EXPECT_EQ(w[i] == 0, (i / 60 >= 45 && i % 60 >= 45) || i / 60 == i % 60)
        << i;
}

} // namespace
} // namespace dann::test
