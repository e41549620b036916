#include "c_api.h"

#include "elements.h"

#include <cstdint>
#include <optional>
#include <utility>

using namespace dann;

// The values of the enumerations are part of the interface.
static_assert(
    int(ElementType::F32) == DANN_F32 && int(ElementType::F64) == DANN_F64 &&
    int(ElementType::BF16) == DANN_BF16 && int(ElementType::I8) == DANN_I8 &&
    int(ElementType::I16) == DANN_I16 && int(ElementType::I32) == DANN_I32 &&
    int(ElementType::I64) == DANN_I64 && int(ElementType::U8) == DANN_U8 &&
    int(ElementType::U16) == DANN_U16 && int(ElementType::U32) == DANN_U32 &&
    int(ElementType::U64) == DANN_U64 && int(ElementType::Bool) == DANN_BOOL);

dann_error_code dann::code_of(ErrorCode code) {
  switch (code) {
  case ErrorCode::InvalidArgument:
    return DANN_INVALID_ARGUMENT;
  case ErrorCode::InvalidData:
    return DANN_INVALID_DATA;
  case ErrorCode::Incompatible:
    return DANN_INCOMPATIBLE;
  case ErrorCode::InputOutput:
    return DANN_INPUT_OUTPUT;
  case ErrorCode::OutOfMemory:
    return DANN_OUT_OF_MEMORY;
  case ErrorCode::Diverged:
    return DANN_DIVERGED;
  case ErrorCode::Internal:
    return DANN_INTERNAL;
  }
  return DANN_INTERNAL;
}

dann_error *dann::out_of_memory() {
  // Short enough to need no memory: a std::string keeps 15 characters itself.
  static dann_error error{DANN_OUT_OF_MEMORY, "out of memory"};
  return &error;
}

dann_error *dann::make_error(dann_error_code code,
                             const char *message) noexcept {
  try {
    return new dann_error{code, message};
  } catch (...) {
    return out_of_memory();
  }
}

void dann::check_index(std::size_t index, std::size_t count, const char *what) {
  if (index >= count)
    fail(ErrorCode::InvalidArgument, "there is no ", what, " ", index,
         ": there are ", count);
}

bool dann::is_element_type(int number) {
  return number >= DANN_F32 && number <= DANN_BOOL;
}

Tensor dann::borrow(const dann_tensor &view, const char *name) {
  int type_number = number_of(view.element_type);
  if (!is_element_type(type_number))
    fail(ErrorCode::InvalidArgument, name, " has the unknown element type ",
         type_number);
  if (view.rank != 0 && !view.shape)
    fail(ErrorCode::InvalidArgument, name, " has ", view.rank,
         " dimensions, but its shape is null");
  // More than any program has; a wild number is not read through.
  constexpr std::size_t most_dimensions = 64;
  if (view.rank > most_dimensions)
    fail(ErrorCode::InvalidArgument, name, " has ", view.rank,
         " dimensions, more than ", most_dimensions);
  auto type = ElementType(type_number);
  Shape shape(view.shape, view.shape + view.rank);
  std::optional<std::int64_t> count = element_count_of(shape, type);
  if (!count)
    fail(ErrorCode::InvalidArgument, name, " has the impossible shape ",
         to_string(shape));
  std::uint64_t bytes = std::uint64_t(*count) * size_of(type);
  if (view.byte_size != bytes)
    fail(ErrorCode::InvalidArgument, name, " has ", view.byte_size,
         " bytes, but ", name_of(type), " ", to_string(shape), " are ", bytes);
  if (!view.data && bytes != 0)
    fail(ErrorCode::InvalidArgument, "the data of ", name, " is null");
  if (reinterpret_cast<std::uintptr_t>(view.data) % size_of(type) != 0)
    fail(ErrorCode::InvalidArgument, "the data of ", name,
         " is not aligned for ", name_of(type));
  if (view.strides) {
    std::int64_t stride = 1;
    for (std::size_t i = view.rank; i-- > 0; stride *= shape[i])
      // One step or none: the stride is never taken.
      if (shape[i] > 1 && view.strides[i] != stride)
        fail(ErrorCode::InvalidArgument, name, " has the stride ",
             view.strides[i], " along dimension ", i,
             ", but has to be row-major, where it is ", stride);
  }
  // The runtime reads inputs only; the view is of const elements.
  return Tensor::share(type, std::move(shape),
                       std::shared_ptr<void>(std::shared_ptr<void>(),
                                             const_cast<void *>(view.data)))
      .as_read_only();
}

Tensor dann::borrow(const dann_tensor *view, const char *name) {
  return borrow(checked(view, name), name);
}

dann_tensor dann::view_of(const Tensor &tensor) {
  return {dann_element_type(tensor.element_type()),
          tensor.shape().size(),
          tensor.shape().data(),
          nullptr,
          tensor.bytes(),
          tensor.byte_size()};
}

extern "C" {

const char *dann_version(void) { return DANN_VERSION; }

dann_error_code dann_error_get_code(const dann_error *error) {
  return error ? error->code : DANN_OK;
}

const char *dann_error_get_message(const dann_error *error) {
  return error ? error->message.c_str() : "";
}

void dann_error_destroy(dann_error *error) {
  if (error != out_of_memory())
    delete error;
}

size_t dann_element_size(dann_element_type type) {
  int number = number_of(type);
  return is_element_type(number) ? size_of(ElementType(number)) : 0;
}

} // extern "C"
