#include "dann/tensor.hpp"

#include "elements.h"
#include "fail.h"

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sys/mman.h>

namespace dann {

Error::~Error() = default;

std::size_t size_of(ElementType type) {
  return visit(type, [](auto zero) { return sizeof(zero); });
}

const char *name_of(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::F64:
    return "f64";
  case ElementType::BF16:
    return "bf16";
  case ElementType::I8:
    return "i8";
  case ElementType::I16:
    return "i16";
  case ElementType::I32:
    return "i32";
  case ElementType::I64:
    return "i64";
  case ElementType::U8:
    return "u8";
  case ElementType::U16:
    return "u16";
  case ElementType::U32:
    return "u32";
  case ElementType::U64:
    return "u64";
  case ElementType::Bool:
    return "bool";
  }
  fail(ErrorCode::Internal, "unknown element type ", int(type));
}

std::string to_string(const Shape &shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

std::optional<std::int64_t> element_count_of(const Shape &shape,
                                             ElementType type) {
  std::int64_t count = 1;
  bool empty = false;
  for (std::int64_t extent : shape) {
    if (extent < 0)
      return std::nullopt;
    // An extent of zero must not hide the overflow of the others.
    empty |= extent == 0;
    if (extent != 0 && __builtin_mul_overflow(count, extent, &count))
      return std::nullopt;
  }
  if (count > std::numeric_limits<std::ptrdiff_t>::max() /
                  std::int64_t(2 * size_of(type)))
    return std::nullopt;
  return empty ? 0 : count;
}

std::shared_ptr<void> allocate_elements(std::size_t bytes) {
  // Large buffers on huge pages: a parameter of a few MB, read with a stride,
  // would otherwise take a miss of the TLB every few lines.
  constexpr std::size_t huge_page = std::size_t(2) << 20;
  std::size_t alignment = bytes >= huge_page ? huge_page : 64;
  std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void *buffer = std::aligned_alloc(alignment, std::max(rounded, alignment));
  if (!buffer)
    fail(ErrorCode::OutOfMemory, "out of memory: could not allocate ", bytes,
         " bytes");
  // Without the whole of the last page, which would make it resident. Where
  // the kernel has no huge pages it may refuse; nothing but time is lost.
  if (alignment == huge_page)
    (void)madvise(buffer, bytes / huge_page * huge_page, MADV_HUGEPAGE);
  return std::shared_ptr<void>(buffer, std::free);
}

std::int64_t checked_element_count(const Shape &shape, ElementType type) {
  std::optional<std::int64_t> count = element_count_of(shape, type);
  if (!count)
    fail(ErrorCode::InvalidArgument, "a tensor cannot have the shape ",
         to_string(shape));
  return *count;
}

std::uint64_t byte_size_of(const Shape &shape, ElementType type) {
  return std::uint64_t(checked_element_count(shape, type)) * size_of(type);
}

Tensor::Tensor(ElementType type, Shape shape)
    : type_(type), shape_(std::move(shape)),
      element_count_(checked_element_count(shape_, type)),
      owner_(allocate_elements(byte_size())), data_(owner_.get()) {
  std::memset(data_, 0, byte_size());
}

Tensor::Tensor(ElementType type, Shape shape, std::shared_ptr<void> owner,
               void *data, bool read_only)
    : type_(type), read_only_(read_only), shape_(std::move(shape)),
      element_count_(checked_element_count(shape_, type)),
      owner_(std::move(owner)), data_(data) {}

Tensor Tensor::share(ElementType type, Shape shape,
                     std::shared_ptr<void> buffer) {
  void *data = buffer.get();
  return Tensor(type, std::move(shape), std::move(buffer), data, false);
}

void *Tensor::mutable_bytes() const {
  if (read_only_)
    fail(ErrorCode::InvalidArgument, "the tensor is read-only");
  return data_;
}

void Tensor::check_access(ElementType wanted, bool constant) const {
  if (wanted != type_)
    fail(ErrorCode::InvalidArgument, "the tensor holds ", name_of(type_),
         " elements, not ", name_of(wanted));
  if (!constant)
    mutable_bytes();
}

Tensor Tensor::as_read_only() const {
  Tensor copy = *this;
  copy.read_only_ = true;
  return copy;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (checked_element_count(shape, type_) != element_count_)
    fail(ErrorCode::InvalidArgument, "a tensor of shape ", to_string(shape_),
         " cannot be seen as ", to_string(shape));
  Tensor copy = *this;
  copy.shape_ = std::move(shape);
  return copy;
}

Tensor Tensor::clone() const {
  Tensor copy = share(type_, shape_, allocate_elements(byte_size()));
  if (byte_size() != 0)
    std::memcpy(copy.data_, data_, byte_size());
  return copy;
}

namespace {

/// One element; false if To has no such value.
template <typename To, typename From> bool convert_element(From from, To &to) {
  if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    // The bounds of i64 are exact in both floating-point types; comparing
    // before the conversion avoids its undefined cases, NaN among them.
    if (!(from >= -0x1p63 && from < 0x1p63) || std::trunc(from) != from)
      return false;
  }
  to = static_cast<To>(from);
  return true;
}

template <typename To> void convert_all(const Tensor &from, To *to) {
  visit(from.element_type(), [&](auto zero) {
    using Element = decltype(zero);
    using From =
        std::conditional_t<std::is_same_v<Element, BFloat16>, float, Element>;
    const Element *elements = from.data<const Element>();
    for (std::int64_t i = 0; i < from.element_count(); ++i)
      if (!convert_element<To, From>(elements[i], to[i]))
        fail(ErrorCode::InvalidArgument, "element ", i, " is ", elements[i],
             ", which is not a whole number of 64 bits");
  });
}

} // namespace

bool can_convert_to(ElementType type) {
  return type == ElementType::F32 || type == ElementType::F64 ||
         type == ElementType::I64;
}

void convert_elements(const Tensor &from, ElementType type, void *to) {
  if (from.element_type() == type) {
    if (from.byte_size() != 0)
      std::memcpy(to, from.bytes(), from.byte_size());
    return;
  }
  switch (type) {
  case ElementType::F32:
    return convert_all(from, static_cast<float *>(to));
  case ElementType::F64:
    return convert_all(from, static_cast<double *>(to));
  case ElementType::I64:
    return convert_all(from, static_cast<std::int64_t *>(to));
  default:
    fail(ErrorCode::Internal, "no conversion to ", name_of(type));
  }
}

namespace {

/// The first element for which `good` does not hold, or -1. Counting the bad
/// ones of a block is what compilers turn into vector code.
template <typename T, typename Good>
std::int64_t find_bad(const T *elements, std::int64_t count, Good good) {
  constexpr int block = 256;
  std::int64_t i = 0;
  for (; i + block <= count; i += block) {
    int bad = 0;
    for (int j = 0; j < block; ++j)
      bad += good(elements[i + j]) ? 0 : 1;
    if (bad != 0)
      break;
  }
  for (; i < count; ++i)
    if (!good(elements[i]))
      return i;
  return -1;
}

} // namespace

std::int64_t find_outside(const Tensor &tensor, double minimum,
                          double maximum) {
  // Without a branch between the two comparisons, so that they are vectorised.
  return visit(tensor.element_type(), [&](auto zero) {
    using T = decltype(zero);
    const T *elements = tensor.data<const T>();
    if constexpr (std::is_floating_point_v<T>) {
      // The bounds, rounded like the elements were: 0.1 as f32 is in [0, 0.1].
      T low = T(minimum), high = T(maximum);
      return find_bad(elements, tensor.element_count(),
                      [=](T v) { return int(v >= low) & int(v <= high); });
    } else {
      return find_bad(elements, tensor.element_count(), [=](T v) {
        return int(double(v) >= minimum) & int(double(v) <= maximum);
      });
    }
  });
}

std::int64_t find_not_finite(const Tensor &tensor) {
  // Bounds of the element's own type: as an f32 the largest f64 is infinite.
  double largest = tensor.element_type() == ElementType::F32
                       ? std::numeric_limits<float>::max()
                       : std::numeric_limits<double>::max();
  return find_outside(tensor, -largest, largest);
}

void check_bools(const Tensor &tensor, const std::string &source) {
  if (tensor.element_type() != ElementType::Bool)
    return;
  auto *bytes = static_cast<const unsigned char *>(tensor.bytes());
  for (std::size_t i = 0; i < tensor.byte_size(); ++i)
    if (bytes[i] > 1)
      fail(ErrorCode::InvalidData, source, ": element ", i, " is ",
           int(bytes[i]), ", which is not a bool");
}

std::string element_text(const Tensor &tensor, std::int64_t index) {
  return visit(tensor.element_type(), [&](auto zero) {
    using T = decltype(zero);
    T value = tensor.data<const T>()[index];
    if constexpr (sizeof(T) == 1)
      return std::to_string(int(value));
    else
      return concat(value);
  });
}

} // namespace dann
