// What the numeric tests share.
#ifndef DANN_TESTS_NUMERICS_H
#define DANN_TESTS_NUMERICS_H

#include <dann/dann.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace dann::test {

/// A program that this directory's CMakeLists.txt compiles.
inline std::shared_ptr<const Program> load_model(const std::string &name) {
  return Program::load(std::string(DANN_MODELS) + "/" + name + ".so");
}

/// Whether this CPU has what a program was compiled for.
inline bool can_run(const std::shared_ptr<const Program> &program) {
  try {
    Session session(program, {1});
    return true;
  } catch (const Error &error) {
    if (error.code() != ErrorCode::Incompatible)
      throw;
    return false;
  }
}

/// Whether training gives the parameter gradients.
inline bool is_trained(const Parameter &parameter) {
  return parameter.role != "stat" && parameter.role != "polarity";
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

/// A batch from the program's input range, in f64.
inline TensorMap random_batch(const Description &program, std::int64_t size) {
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

/// Moves parameters of an f64 program away from their special initial values
/// (ones, zeros, equal entries), within their contracts.
inline void perturb(Session &session) {
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

} // namespace dann::test

#endif // DANN_TESTS_NUMERICS_H
