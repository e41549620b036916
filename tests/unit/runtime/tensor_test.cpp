#include "dann/tensor.hpp"

#include "elements.h"
#include "expect_error.h"

#include <cmath>
#include <limits>

using namespace dann;
using testing::HasSubstr;

namespace {

TEST(Tensor, OwnsZeros) {
  Tensor tensor(ElementType::F32, {2, 3});
  EXPECT_EQ(tensor.element_count(), 6);
  EXPECT_EQ(tensor.byte_size(), 24u);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.bytes()) % 64, 0u);
  for (int i = 0; i < 6; ++i)
    EXPECT_EQ(tensor.data<float>()[i], 0);
}

TEST(Tensor, CopiesShareAndClonesDoNot) {
  Tensor tensor(ElementType::I64, {1});
  Tensor copy = tensor, clone = tensor.clone();
  tensor.data<std::int64_t>()[0] = 7;
  EXPECT_EQ(copy.data<std::int64_t>()[0], 7);
  EXPECT_EQ(clone.data<std::int64_t>()[0], 0);
}

TEST(Tensor, AccessIsChecked) {
  const float values[] = {1, 2};
  Tensor view = Tensor::borrow(values, {2});
  EXPECT_EQ(view.data<const float>(), values);
  EXPECT_ERROR(view.data<float>(), InvalidArgument, HasSubstr("read-only"));
  EXPECT_ERROR(view.data<const double>(), InvalidArgument,
               "the tensor holds f32 elements, not f64");
}

TEST(Tensor, RefusesImpossibleShapes) {
  for (const Shape &shape : {Shape{-1}, Shape{1ll << 62, 2}, Shape{1ll << 61},
                             Shape{1ll << 40, 0, 1ll << 40}})
    EXPECT_ERROR(Tensor(ElementType::F32, shape), InvalidArgument,
                 HasSubstr("cannot have the shape"));
  EXPECT_ERROR(Tensor(ElementType::F32, {4}).reshaped({3}), InvalidArgument,
               "a tensor of shape [4] cannot be seen as [3]");
}

TEST(Elements, FloatsBecomeWholeNumbersOnlyExactly) {
  const double good[] = {-3, 0, 0x1p62};
  std::int64_t result[3];
  convert_elements(Tensor::borrow(good, {3}), ElementType::I64, result);
  EXPECT_THAT(result, testing::ElementsAre(-3, 0, 1ll << 62));
  for (double bad : {0.5, 0x1p63, std::nan(""), HUGE_VAL})
    EXPECT_ERROR(
        convert_elements(Tensor::borrow(&bad, {1}), ElementType::I64, result),
        InvalidArgument, HasSubstr("not a whole number"));
}

TEST(Elements, BFloat16IsTheUpperHalfOfAFloat) {
  Tensor tensor(ElementType::BF16, {3});
  EXPECT_EQ(tensor.byte_size(), 6u);
  EXPECT_STREQ(name_of(tensor.element_type()), "bf16");
  auto *elements = tensor.data<BFloat16>();
  elements[0].bits = 0x3fc0; // 1.5
  elements[1].bits = 0xc000; // -2
  float floats[3];
  convert_elements(tensor, ElementType::F32, floats);
  EXPECT_THAT(floats, testing::ElementsAre(1.5f, -2, 0));
  EXPECT_EQ(element_text(tensor, 0), "1.5");
  EXPECT_EQ(find_outside(tensor, 0, 2), 1);
  std::int64_t whole[3];
  EXPECT_ERROR(convert_elements(tensor, ElementType::I64, whole),
               InvalidArgument, HasSubstr("element 0 is 1.5"));
  elements[2].bits = 0x7fc0; // NaN
  EXPECT_EQ(find_not_finite(tensor), 2);
}

TEST(Elements, OutsideIsFoundAtAnyPlace) {
  for (std::int64_t place : {0, 255, 256, 257, 511, 512, 599}) {
    Tensor tensor(ElementType::F32, {600});
    EXPECT_EQ(find_outside(tensor, 0, 1), -1);
    for (float bad :
         {-0.1f, 1.1f, std::nanf(""), std::numeric_limits<float>::infinity()}) {
      tensor.data<float>()[place] = bad;
      EXPECT_EQ(find_outside(tensor, 0, 1), place);
    }
  }
}

TEST(Tensor, LargeBuffersAreAlignedToHugePages) {
  Tensor large(ElementType::F32, {(1 << 20) / 2});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(large.bytes()) % (2 << 20), 0u);
  Tensor small(ElementType::F32, {3});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(small.bytes()) % 64, 0u);
}

} // namespace
