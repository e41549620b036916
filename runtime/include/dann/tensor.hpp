// Dense row-major tensors and files of named tensors.
#ifndef DANN_TENSOR_HPP
#define DANN_TENSOR_HPP

#include "dann/error.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace dann {

/// The upper half of an f32.
struct BFloat16 {
  std::uint16_t bits;

  operator float() const {
    std::uint32_t widened = std::uint32_t(bits) << 16;
    float value;
    std::memcpy(&value, &widened, sizeof value);
    return value;
  }
};

enum class ElementType {
  F32,
  F64,
  BF16,
  I8,
  I16,
  I32,
  I64,
  U8,
  U16,
  U32,
  U64,
  Bool
};

/// Bytes of one element.
DANN_API std::size_t size_of(ElementType type);

/// "f32", "i64", …
DANN_API const char *name_of(ElementType type);

/// Extents, slowest dimension first. An empty shape is a scalar.
using Shape = std::vector<std::int64_t>;

/// "[32, 784]"
DANN_API std::string to_string(const Shape &shape);

template <typename T> constexpr ElementType element_type_of() {
  if constexpr (std::is_same_v<T, float>)
    return ElementType::F32;
  else if constexpr (std::is_same_v<T, double>)
    return ElementType::F64;
  else if constexpr (std::is_same_v<T, BFloat16>)
    return ElementType::BF16;
  else if constexpr (std::is_same_v<T, std::int8_t>)
    return ElementType::I8;
  else if constexpr (std::is_same_v<T, std::int16_t>)
    return ElementType::I16;
  else if constexpr (std::is_same_v<T, std::int32_t>)
    return ElementType::I32;
  else if constexpr (std::is_same_v<T, std::int64_t>)
    return ElementType::I64;
  else if constexpr (std::is_same_v<T, std::uint8_t>)
    return ElementType::U8;
  else if constexpr (std::is_same_v<T, std::uint16_t>)
    return ElementType::U16;
  else if constexpr (std::is_same_v<T, std::uint32_t>)
    return ElementType::U32;
  else if constexpr (std::is_same_v<T, std::uint64_t>)
    return ElementType::U64;
  else {
    static_assert(std::is_same_v<T, bool>, "not an element type");
    return ElementType::Bool;
  }
}

/// A handle to a contiguous row-major buffer. Copies of a handle share the
/// buffer; `clone` copies the elements. The buffer is either shared by the
/// handles, which then keep it alive, or borrowed, and then the caller does.
///
/// Handles may be used from several threads, like shared_ptr; the elements are
/// not synchronised.
class DANN_API Tensor {
public:
  /// An f32 tensor of shape [0].
  Tensor() = default;

  /// A zero-filled buffer of its own, aligned for vector loads. Throws
  /// InvalidArgument for a negative extent or a size that overflows, and
  /// OutOfMemory.
  Tensor(ElementType type, Shape shape);

  /// A view of the caller's elements, row-major, which have to outlive every
  /// copy of the handle. A view of const elements is read-only. Throws
  /// InvalidArgument for an impossible shape.
  template <typename T> static Tensor borrow(T *elements, Shape shape) {
    return Tensor(element_type_of<std::remove_const_t<T>>(), std::move(shape),
                  nullptr, const_cast<std::remove_const_t<T> *>(elements),
                  std::is_const_v<T>);
  }

  /// A handle to `buffer`, of which it shares the ownership. The buffer has to
  /// hold at least the bytes of the shape, aligned for its elements. Throws
  /// InvalidArgument for an impossible shape.
  static Tensor share(ElementType type, Shape shape,
                      std::shared_ptr<void> buffer);

  ElementType element_type() const { return type_; }
  const Shape &shape() const { return shape_; }
  std::int64_t rank() const { return std::int64_t(shape_.size()); }
  std::int64_t element_count() const { return element_count_; }
  std::size_t byte_size() const {
    return std::size_t(element_count_) * size_of(type_);
  }
  bool read_only() const { return read_only_; }

  /// The elements, as `float`, `const float`, … Throws InvalidArgument if T is
  /// not the element type, or if T is not const and the tensor is read-only.
  template <typename T> T *data() const {
    check_access(element_type_of<std::remove_const_t<T>>(), std::is_const_v<T>);
    return static_cast<T *>(data_);
  }

  const void *bytes() const { return data_; }
  /// Throws InvalidArgument if the tensor is read-only.
  void *mutable_bytes() const;

  /// A handle to the same buffer that does not give write access.
  Tensor as_read_only() const;
  /// A handle to the same buffer under another shape of as many elements, or
  /// throws InvalidArgument.
  Tensor reshaped(Shape shape) const;
  /// A copy of the elements in a writable buffer of its own. Throws
  /// OutOfMemory.
  Tensor clone() const;

private:
  Tensor(ElementType type, Shape shape, std::shared_ptr<void> owner, void *data,
         bool read_only);
  void check_access(ElementType wanted, bool constant) const;

  ElementType type_ = ElementType::F32;
  bool read_only_ = false;
  Shape shape_{0};
  std::int64_t element_count_ = 0;
  std::shared_ptr<void> owner_;
  void *data_ = nullptr;
};

using TensorMap = std::map<std::string, Tensor, std::less<>>;
using Metadata = std::map<std::string, std::string>;

/// Reads a safetensors file; `metadata`, if given, receives its
/// `__metadata__` without the checksum. Everything in the file is checked, its
/// content against the checksum if there is one. Throws InputOutput,
/// InvalidData or OutOfMemory.
DANN_API TensorMap load_tensors(const std::string &path,
                                Metadata *metadata = nullptr);

/// Writes a safetensors file, with a checksum of its content (`dann_checksum`
/// in its `__metadata__`). It appears under its name complete and on disk, or
/// not at all: whatever was there before survives every failure. Throws
/// InputOutput.
DANN_API void save_tensors(const std::string &path, const TensorMap &tensors,
                           const Metadata &metadata = {});

} // namespace dann

#endif // DANN_TENSOR_HPP
