// What the runtime does with the elements of tensors and their sizes.
#ifndef DANN_RUNTIME_ELEMENTS_H
#define DANN_RUNTIME_ELEMENTS_H

#include "dann/tensor.hpp"

#include "fail.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace dann {

/// Calls `f` with a zero of the C++ type of `type`.
template <typename F> decltype(auto) visit(ElementType type, F &&f) {
  // The branches differ in their types. NOLINTBEGIN(bugprone-branch-clone)
  switch (type) {
  case ElementType::F32:
    return f(float());
  case ElementType::F64:
    return f(double());
  case ElementType::BF16:
    return f(BFloat16());
  case ElementType::I8:
    return f(std::int8_t());
  case ElementType::I16:
    return f(std::int16_t());
  case ElementType::I32:
    return f(std::int32_t());
  case ElementType::I64:
    return f(std::int64_t());
  case ElementType::U8:
    return f(std::uint8_t());
  case ElementType::U16:
    return f(std::uint16_t());
  case ElementType::U32:
    return f(std::uint32_t());
  case ElementType::U64:
    return f(std::uint64_t());
  case ElementType::Bool:
    return f(bool());
  }
  // NOLINTEND(bugprone-branch-clone)
  fail(ErrorCode::Internal, "unknown element type ", int(type));
}

/// The number of elements of `shape`; nothing if an extent is negative or the
/// bytes of the elements, or the product of the extents other than zero, do
/// not fit an address space.
std::optional<std::int64_t> element_count_of(const Shape &shape,
                                             ElementType type);

/// The number of elements and the size in bytes of a shape that has been
/// checked, as those of a program are when it is loaded. Throw InvalidArgument
/// if it has not.
std::int64_t checked_element_count(const Shape &shape, ElementType type);
std::uint64_t byte_size_of(const Shape &shape, ElementType type);

/// An uninitialised buffer, aligned for vector loads; from 2 MB on aligned to
/// huge pages, and in them if the system has some. Throws OutOfMemory.
std::shared_ptr<void> allocate_elements(std::size_t bytes);

/// Whether elements of other types can be converted to `type`.
bool can_convert_to(ElementType type);

/// Converts all elements of `from` to `type` (one of can_convert_to, or that of
/// `from`) into the buffer `to`. Throws InvalidArgument if a floating-point
/// value has no i64.
void convert_elements(const Tensor &from, ElementType type, void *to);

/// The index of the first element that is not in [minimum, maximum], as NaN
/// never is, or -1.
std::int64_t find_outside(const Tensor &tensor, double minimum, double maximum);

/// The index of the first element that is infinite or NaN, or -1.
std::int64_t find_not_finite(const Tensor &tensor);

/// Throws InvalidData if a tensor is of bools, and a byte of it is not.
/// `source` is the file or the argument that it comes from.
void check_bools(const Tensor &tensor, const std::string &source);

/// The element at a flat index, for a message.
std::string element_text(const Tensor &tensor, std::int64_t index);

} // namespace dann

#endif // DANN_RUNTIME_ELEMENTS_H
