#include "matmul.h"

#include "execution.h"
#include "expect_error.h"
#include "model_abi.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <tuple>
#include <vector>

using namespace dann;
using testing::HasSubstr;

namespace {

/// A matrix with elements around it that no product may touch.
struct Padded {
  std::vector<float> elements;
  Matrix matrix;

  Padded(std::int64_t rows, std::int64_t columns, std::int64_t padding,
         bool column_major, std::mt19937 &random) {
    std::int64_t row = column_major ? 1 : columns + padding;
    std::int64_t column = column_major ? rows + padding : 1;
    std::int64_t lines = column_major ? columns : rows;
    elements.resize(
        std::size_t(offset + lines * std::max(row, column) + offset));
    // Small whole numbers: all sums are exact, whatever their order.
    std::uniform_int_distribution<int> distribution(-4, 4);
    for (float &element : elements)
      element = float(distribution(random));
    matrix = {elements.data() + offset, rows, columns, row, column};
  }

  static constexpr std::int64_t offset = 5;
};

float at(const Matrix &matrix, std::int64_t i, std::int64_t j) {
  return matrix.elements[i * matrix.row_stride + j * matrix.column_stride];
}

struct Shape3 {
  std::int64_t m, n, k;
};

class MatmulTest : public testing::TestWithParam<std::tuple<Shape3, int, int>> {
};

TEST_P(MatmulTest, AgreesWithTheDefinition) {
  auto [shape, layout, options_bits] = GetParam();
  auto [m, n, k] = shape;
  std::mt19937 random(1);
  std::int64_t padding = layout & 4 ? 3 : 0;
  Padded a(m, k, padding, layout & 1, random);
  Padded b(k, n, padding, layout & 2, random);
  Padded dst(m, n, padding, false, random);
  std::vector<float> bias;
  for (std::int64_t i = 0; i < n; ++i)
    bias.push_back(float(i % 7) - 3);

  MatmulOptions options;
  options.accumulate = options_bits & 1;
  options.relu = options_bits & 2;
  options.bias = options_bits & 4 ? bias.data() : nullptr;
  options.scale = options_bits & 8 ? -0.5f : 1.0f;

  std::vector<float> expected = dst.elements;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      float sum = 0;
      for (std::int64_t l = 0; l < k; ++l)
        sum += at(a.matrix, i, l) * at(b.matrix, l, j);
      float value = options.scale * sum;
      if (options.bias)
        value += bias[std::size_t(j)];
      if (options.accumulate)
        value += at(dst.matrix, i, j);
      if (options.relu)
        value = std::max(value, 0.0f);
      expected[std::size_t(Padded::offset + i * dst.matrix.row_stride + j)] =
          value;
    }

  MatmulCache cache;
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
                     testing::Range(0, 8), testing::Range(0, 16)));

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
}

// Descriptors may have any stride along an extent of 1.
TEST(Matmul, StridesOfSingleRowsDoNotMatter) {
  float a[] = {1, 2, 3}, b[] = {4, 5, 6}, dst[] = {0};
  MatmulCache cache;
  cache.run({a, 1, 3, 777, 1}, {b, 3, 1, 1, 555}, {dst, 1, 1, 9, 9}, {});
  EXPECT_EQ(dst[0], 32);
  cache.run({a, 1, 3, 0, 1}, {b, 3, 1, 1, 0}, {dst, 1, 1, 0, 0}, {});
  EXPECT_EQ(dst[0], 32);
}

TEST(Matmul, RefusesOperandsThatDoNotFit) {
  float elements[100] = {};
  MatmulCache cache;
  EXPECT_ERROR(cache.run({elements, 2, 3, 3, 1}, {elements, 4, 2, 2, 1},
                         {elements, 2, 2, 2, 1}, {}),
               Internal, HasSubstr("[2, 3] and [4, 2] cannot give [2, 2]"));
  EXPECT_ERROR(cache.run({elements, 2, 2, 6, 3}, {elements, 2, 2, 2, 1},
                         {elements, 2, 2, 2, 1}, {}),
               Internal, HasSubstr("strides [6, 3]"));
}

TEST(Kernels, TransposeByFlagAndAddABias) {
  // a is stored as [K, M] = [3, 2], b as [N, K] = [2, 3].
  float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 0, 1, 1};
  float bias[] = {100, 200}, dst[4] = {};
  MemRef<float, 2> a_ref{a, a, 0, {3, 2}, {2, 1}};
  MemRef<float, 2> b_ref{b, b, 0, {2, 3}, {3, 1}};
  MemRef<float, 1> bias_ref{bias, bias, 0, {2}, {1}};
  MemRef<float, 2> dst_ref{dst, dst, 0, {2, 2}, {2, 1}};
  Execution execution;
  ExecutionScope scope(execution, 1);
  _mlir_ciface_dann_onednn_matmul_bias(&a_ref, &b_ref, &bias_ref, &dst_ref, 1,
                                       kTransposeA | kTransposeB);
  EXPECT_THAT(dst, testing::ElementsAre(111, 208, 114, 210));
}

TEST(Kernels, OutsideOfASessionAreAnError) {
  EXPECT_ERROR(_mlir_memref_to_llvm_alloc(8), Internal,
               HasSubstr("outside of a session"));
}

TEST(Kernels, ScratchMemoryIsReleasedWithTheScope) {
  Execution execution;
  void *first;
  {
    ExecutionScope scope(execution, 1);
    first = _mlir_memref_to_llvm_alloc(1000);
    EXPECT_NE(_mlir_memref_to_llvm_alloc(1000), first);
  }
  ExecutionScope scope(execution, 1);
  EXPECT_EQ(_mlir_memref_to_llvm_alloc(1000), first);
}

// Same seed, same result on any number of threads: that oneDNN splits these
// products without changing the order of their sums is not documented, so it is
// tested on the shapes of the example network.
TEST(Matmul, DoesNotDependOnTheNumberOfThreads) {
  struct Case {
    std::int64_t m, n, k;
    bool a_transposed, b_transposed;
  };
  for (Case c : {Case{32, 550, 784, false, true},
                 {32, 550, 500, false, true},
                 {32, 784, 550, false, false},
                 {550, 784, 32, true, false},
                 {500, 50, 32, true, false},
                 {32, 500, 50, false, true},
                 {500, 550, 784, false, true},
                 {32, 11, 500, false, true}}) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    Padded a(c.m, c.k, 0, c.a_transposed, random),
        b(c.k, c.n, 0, c.b_transposed, random);
    for (Padded *operand : {&a, &b})
      for (float &element : operand->elements)
        element = normal(random);
    std::vector<float> results[2];
    for (int threads : {1, 2}) {
      Execution execution;
      ExecutionScope scope(execution, threads);
      Padded dst(c.m, c.n, 0, false, random);
      std::fill(dst.elements.begin(), dst.elements.end(), 0.0f);
      execution.matmuls.run(a.matrix, b.matrix, dst.matrix, {});
      results[threads - 1] = dst.elements;
    }
    EXPECT_EQ(results[0], results[1]) << c.m << "x" << c.n << "x" << c.k;
  }
}

} // namespace
