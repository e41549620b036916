// Means and deviations of random numbers.
#ifndef DANN_TESTS_MOMENTS_H
#define DANN_TESTS_MOMENTS_H

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace dann::test {

struct Moments {
  double mean = 0, deviation = 0, fourth = 0; // fourth: E (x - mean)^4
  std::size_t count = 0;
};

inline Moments moments_of(const std::vector<double> &values) {
  Moments m;
  m.count = values.size();
  auto n = static_cast<double>(m.count);
  for (double value : values)
    m.mean += value / n;
  for (double value : values) {
    double square = (value - m.mean) * (value - m.mean);
    m.deviation += square / n;
    m.fourth += square * square / n;
  }
  m.deviation = std::sqrt(m.deviation);
  return m;
}

/// Expects mean and deviation within 5 of their standard errors: s / sqrt(n),
/// and sqrt((E (x - mean)^4 - s^4) / n) / 2 s.
inline void expect_moments(const std::vector<double> &values, double mean,
                           double deviation, const char *what) {
  Moments m = moments_of(values);
  auto n = static_cast<double>(m.count);
  double square = m.deviation * m.deviation;
  EXPECT_NEAR(m.mean, mean, 5 * deviation / std::sqrt(n)) << what;
  EXPECT_NEAR(m.deviation, deviation,
              5 * std::sqrt((m.fourth - square * square) / n) /
                  (2 * m.deviation))
      << what;
}

} // namespace dann::test

#endif // DANN_TESTS_MOMENTS_H
