#include "convolution.h"

#include "expect_error.h"

#include <algorithm>
#include <random>
#include <vector>

using namespace dann;
using testing::HasSubstr;

namespace {

/// An array with elements around its rows that nothing may touch.
struct Padded {
  std::vector<float> elements;
  Array4 array;

  Padded(std::initializer_list<std::int64_t> sizes, std::int64_t padding,
         std::mt19937 &random) {
    std::copy(sizes.begin(), sizes.end(), array.sizes);
    std::int64_t stride = 1;
    for (int i = 3; i >= 0; --i) {
      array.strides[i] = stride;
      stride *= array.sizes[i] + padding;
    }
    elements.resize(std::size_t(stride));
    // Small whole numbers: all sums are exact, whatever their order.
    std::uniform_int_distribution<int> distribution(-4, 4);
    std::generate(elements.begin(), elements.end(),
                  [&] { return float(distribution(random)); });
    array.elements = elements.data();
  }
};

float &at(const Array4 &array, std::int64_t i, std::int64_t j, std::int64_t k,
          std::int64_t l) {
  return array.elements[i * array.strides[0] + j * array.strides[1] +
                        k * array.strides[2] + l * array.strides[3]];
}

/// The definition, loop by loop.
void compute(const Array4 &x, const Array4 &filters, const Array4 &z,
             const ConvolutionOptions &options) {
  const Array4 *results[] = {&z, &x, &filters};
  const Array4 &result = *results[options.result];
  if (!options.accumulate)
    for (std::int64_t i = 0; i < result.sizes[0]; ++i)
      for (std::int64_t j = 0; j < result.sizes[1]; ++j)
        for (std::int64_t k = 0; k < result.sizes[2]; ++k)
          for (std::int64_t l = 0; l < result.sizes[3]; ++l)
            at(result, i, j, k, l) = 0;
  for (std::int64_t f = 0; f < z.sizes[0]; ++f)
    for (std::int64_t oh = 0; oh < z.sizes[1]; ++oh)
      for (std::int64_t ow = 0; ow < z.sizes[2]; ++ow)
        for (std::int64_t b = 0; b < z.sizes[3]; ++b)
          for (std::int64_t c = 0; c < x.sizes[0]; ++c)
            for (std::int64_t kh = 0; kh < filters.sizes[2]; ++kh)
              for (std::int64_t kw = 0; kw < filters.sizes[3]; ++kw) {
                float &zi = at(z, f, oh, ow, b);
                float &xi = at(
                    x, c, oh * options.strides[0] + kh * options.dilations[0],
                    ow * options.strides[1] + kw * options.dilations[1], b);
                float &wi = at(filters, f, c, kh, kw);
                if (options.result == ConvolutionOptions::Z)
                  zi += xi * wi;
                else if (options.result == ConvolutionOptions::X)
                  xi += zi * wi;
                else
                  wi += zi * xi;
              }
}

struct Geometry {
  std::int64_t channels, rows, columns, batch, maps, kernel[2], strides[2],
      dilations[2];
};

class Convolution
    : public testing::TestWithParam<
          std::tuple<Geometry, ConvolutionOptions::Result, bool>> {};

TEST_P(Convolution, IsTheDefinition) {
  const auto &[g, result, accumulate] = GetParam();
  std::mt19937 random(3);
  std::int64_t out[2];
  std::int64_t extents[] = {g.rows, g.columns};
  for (int i = 0; i < 2; ++i)
    out[i] =
        (extents[i] - (g.kernel[i] - 1) * g.dilations[i] - 1) / g.strides[i] +
        1;
  ConvolutionOptions options{result,
                             {g.strides[0], g.strides[1]},
                             {g.dilations[0], g.dilations[1]},
                             accumulate};
  for (std::int64_t padding : {0, 3}) {
    Padded x({g.channels, g.rows, g.columns, g.batch}, padding, random);
    Padded filters({g.maps, g.channels, g.kernel[0], g.kernel[1]}, padding,
                   random);
    Padded z({g.maps, out[0], out[1], g.batch}, padding, random);
    Padded x2 = x, filters2 = filters, z2 = z;
    for (Padded *copy : {&x2, &filters2, &z2})
      copy->array.elements = copy->elements.data();
    ConvolutionCache cache;
    for (int call = 0; call < 2; ++call) {
      cache.run(x.array, filters.array, z.array, options);
      compute(x2.array, filters2.array, z2.array, options);
    }
    EXPECT_EQ(cache.primitive_count(), 1U);
    EXPECT_EQ(x.elements, x2.elements);
    EXPECT_EQ(filters.elements, filters2.elements);
    EXPECT_EQ(z.elements, z2.elements);
  }
}

constexpr Geometry kGeometries[] = {
    {3, 8, 7, 5, 6, {3, 2}, {1, 1}, {1, 1}},
    {16, 6, 6, 16, 32, {3, 3}, {1, 1}, {1, 1}},
    {5, 9, 8, 3, 17, {3, 3}, {2, 1}, {1, 2}},
    {4, 1, 1, 9, 3, {1, 1}, {1, 1}, {1, 1}},
    // Rows and columns that no window covers.
    {2, 10, 10, 4, 3, {2, 2}, {3, 3}, {1, 1}},
};

INSTANTIATE_TEST_SUITE_P(
    All, Convolution,
    testing::Combine(testing::ValuesIn(kGeometries),
                     testing::Values(ConvolutionOptions::Z,
                                     ConvolutionOptions::X,
                                     ConvolutionOptions::Filters),
                     testing::Bool()));

TEST(ConvolutionErrors, OperandsThatDoNotFit) {
  std::mt19937 random(3);
  Padded x({2, 4, 4, 3}, 0, random), z({5, 3, 3, 3}, 0, random);
  Padded filters({5, 2, 3, 3}, 0, random);
  ConvolutionCache cache;
  EXPECT_ERROR(cache.run(x.array, filters.array, z.array, {}), Internal,
               HasSubstr("does not fit images [5, 3, 3, 3]"));
}

TEST(ConvolutionErrors, UnknownResult) {
  std::mt19937 random(3);
  Padded x({2, 4, 4, 3}, 0, random), z({5, 2, 2, 3}, 0, random);
  Padded filters({5, 2, 3, 3}, 0, random);
  ConvolutionCache cache;
  for (std::int64_t number : {-1, 3})
    EXPECT_ERROR(cache.run(x.array, filters.array, z.array,
                           {ConvolutionOptions::Result(number)}),
                 Internal,
                 HasSubstr("the unknown result " + std::to_string(number)));
}

// The sum over no samples.
TEST(ConvolutionEdges, EmptyBatch) {
  std::mt19937 random(3);
  Padded x({2, 4, 4, 0}, 0, random), z({5, 2, 2, 0}, 0, random);
  Padded filters({5, 2, 3, 3}, 0, random);
  std::vector<float> before = filters.elements;
  ConvolutionCache cache;
  cache.run(x.array, filters.array, z.array,
            {ConvolutionOptions::Filters, {1, 1}, {1, 1}, true});
  EXPECT_EQ(filters.elements, before);
  cache.run(x.array, filters.array, z.array,
            {ConvolutionOptions::Filters, {1, 1}, {1, 1}, false});
  EXPECT_EQ(filters.elements, std::vector<float>(before.size(), 0.0f));
}

} // namespace
