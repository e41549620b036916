#include "matmul.h"

#include "expect_error.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <tuple>
#include <vector>

using namespace dann;
using testing::HasSubstr;

namespace {

/// The upper half of an f32: exact for small whole numbers.
Bf16 to_bf16(float value) {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return Bf16(bits >> 16);
}

/// A matrix with elements around it that no product may touch.
struct Padded {
  std::vector<float> elements;
  std::vector<Bf16> bf16_elements;
  Matrix<float> matrix;

  Padded(std::int64_t rows, std::int64_t columns, std::int64_t padding,
         bool column_major, std::mt19937 &random) {
    std::int64_t row = column_major ? 1 : columns + padding;
    std::int64_t column = column_major ? rows + padding : 1;
    std::int64_t lines = column_major ? columns : rows;
    elements.resize(
        std::size_t(offset + lines * std::max(row, column) + offset));
    // Small whole numbers: all sums are exact, whatever their order.
    std::uniform_int_distribution<int> distribution(-4, 4);
    for (float &element : elements) {
      element = float(distribution(random));
      bf16_elements.push_back(to_bf16(element));
    }
    matrix = {elements.data() + offset, rows, columns, row, column};
  }

  Matrix<Bf16> bf16() {
    return {bf16_elements.data() + offset, matrix.rows, matrix.columns,
            matrix.row_stride, matrix.column_stride};
  }

  static constexpr std::int64_t offset = 5;
};

float at(const Matrix<float> &matrix, std::int64_t i, std::int64_t j) {
  return matrix.elements[i * matrix.row_stride + j * matrix.column_stride];
}

struct Shape3 {
  std::int64_t m, n, k;
};

class MatmulTest
    : public testing::TestWithParam<std::tuple<Shape3, int, int, bool>> {};

TEST_P(MatmulTest, AgreesWithTheDefinition) {
  auto [shape, layout, options_bits, bf16] = GetParam();
  auto [m, n, k] = shape;
  std::mt19937 random(1);
  std::int64_t padding = layout & 4 ? 3 : 0;
  Padded a(m, k, padding, layout & 1, random);
  Padded b(k, n, padding, layout & 2, random);
  Padded dst(m, n, padding, layout & 8, random);

  MatmulOptions options;
  options.accumulate = options_bits & 1;
  options.relu = options_bits & 2;

  std::vector<float> expected = dst.elements;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = options.accumulate ? at(dst.matrix, i, j) : 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += at(a.matrix, i, l) * at(b.matrix, l, j);
      expected[std::size_t(Padded::offset + i * dst.matrix.row_stride +
                           j * dst.matrix.column_stride)] =
          options.relu ? std::max(sum, 0.0f) : sum;
    }

  MatmulCache cache;
  if (bf16)
    cache.run(a.bf16(), b.bf16(), dst.matrix, options);
  else
    cache.run(a.matrix, b.matrix, dst.matrix, options);
  EXPECT_EQ(dst.elements, expected);
}

INSTANTIATE_TEST_SUITE_P(
    AllOptions, MatmulTest,
    testing::Combine(testing::Values(Shape3{1, 1, 1}, Shape3{1, 5, 3},
                                     Shape3{5, 1, 3}, Shape3{5, 3, 1},
                                     Shape3{1, 1, 4}, Shape3{1, 6, 1},
                                     Shape3{6, 1, 1}, Shape3{7, 19, 33},
                                     Shape3{32, 50, 64}, Shape3{5, 4, 0}),
                     testing::Range(0, 16), testing::Range(0, 4),
                     testing::Bool()));

TEST(Matmul, PrimitivesAreKept) {
  std::mt19937 random(1);
  Padded a(4, 5, 0, false, random), b(5, 6, 0, false, random),
      dst(4, 6, 0, false, random);
  MatmulCache cache;
  for (int i = 0; i < 3; ++i)
    cache.run(a.matrix, b.matrix, dst.matrix, {});
  EXPECT_EQ(cache.primitive_count(), 1u);
  MatmulOptions relu;
  relu.relu = true;
  cache.run(a.matrix, b.matrix, dst.matrix, relu);
  EXPECT_EQ(cache.primitive_count(), 2u);
  cache.run(a.bf16(), b.bf16(), dst.matrix, relu);
  EXPECT_EQ(cache.primitive_count(), 3u);
}

// Descriptors may have any stride along an extent of 1.
TEST(Matmul, StridesOfSingleRowsDoNotMatter) {
  float a[] = {1, 2, 3}, b[] = {4, 5, 6}, dst[] = {0};
  MatmulCache cache;
  cache.run(Matrix<float>{a, 1, 3, 777, 1}, {b, 3, 1, 1, 555},
            {dst, 1, 1, 9, 9}, {});
  EXPECT_EQ(dst[0], 32);
  cache.run(Matrix<float>{a, 1, 3, 0, 1}, {b, 3, 1, 1, 0}, {dst, 1, 1, 0, 0},
            {});
  EXPECT_EQ(dst[0], 32);
}

TEST(Matmul, RefusesOperandsThatDoNotFit) {
  float elements[100] = {};
  MatmulCache cache;
  EXPECT_ERROR(cache.run(Matrix<float>{elements, 2, 3, 3, 1},
                         {elements, 4, 2, 2, 1}, {elements, 2, 2, 2, 1}, {}),
               Internal, HasSubstr("[2, 3] and [4, 2] cannot give [2, 2]"));
  EXPECT_ERROR(cache.run(Matrix<float>{elements, 2, 2, 6, 3},
                         {elements, 2, 2, 2, 1}, {elements, 2, 2, 2, 1}, {}),
               Internal, HasSubstr("strides [6, 3]"));
}

} // namespace
