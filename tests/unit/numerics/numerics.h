// What the numeric tests share.
#ifndef DANN_TESTS_NUMERICS_H
#define DANN_TESTS_NUMERICS_H

#include <dann/dann.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace dann::test {

/// A program that this directory's CMakeLists.txt compiles.
inline std::shared_ptr<const Program> load_model(const std::string &name) {
  return Program::load(std::string(DANN_MODELS) + "/" + name + ".so");
}

/// The elements of an f32 or f64 tensor as doubles.
inline std::vector<double> to_doubles(const Tensor &tensor) {
  if (tensor.element_type() == ElementType::F32) {
    const float *data = tensor.data<const float>();
    return {data, data + tensor.element_count()};
  }
  const double *data = tensor.data<const double>();
  return {data, data + tensor.element_count()};
}

/// A copy of an f64 tensor in the element type of a program.
inline Tensor convert(const Tensor &tensor, ElementType type) {
  if (type == tensor.element_type())
    return tensor.clone();
  Tensor result(type, tensor.shape());
  std::vector<double> values = to_doubles(tensor);
  std::copy(values.begin(), values.end(), result.data<float>());
  return result;
}

/// Expects |actual - expected| <= tolerance * max |expected|, entry by entry.
/// Relative to the largest entry, because an entry that is a sum with
/// cancellation has an error of the size of its terms.
inline void expect_close(const Tensor &actual, const Tensor &expected,
                         double tolerance, const std::string &what) {
  std::vector<double> a = to_doubles(actual), e = to_doubles(expected);
  ASSERT_EQ(a.size(), e.size()) << what;
  double scale = 0;
  for (double value : e)
    scale = std::max(scale, std::abs(value));
  for (std::size_t i = 0; i < e.size(); ++i)
    ASSERT_NEAR(a[i], e[i], tolerance * scale) << what << ", entry " << i;
}

} // namespace dann::test

#endif // DANN_TESTS_NUMERICS_H
