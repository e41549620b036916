// What the files of the C interface share: its handles, what a call throws as
// an error, and the views and structures that callers of any version give.
#ifndef DANN_RUNTIME_C_API_H
#define DANN_RUNTIME_C_API_H

#include "dann/dann.h"

#include "dann/session.hpp"
#include "fail.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

struct dann_error {
  dann_error_code code;
  std::string message;
};

struct dann_program {
  std::shared_ptr<const dann::Program> program;
};

struct dann_session {
  dann::Session session;
};

struct dann_results {
  dann::TensorMap tensors;
};

namespace dann {

dann_error_code code_of(ErrorCode code);

/// Given where there is no memory for another one; never destroyed.
dann_error *out_of_memory();

/// An error for the caller to destroy.
dann_error *make_error(dann_error_code code, const char *message) noexcept;

/// What a call throws, as an error.
template <typename F> dann_error *guarded(F &&f) noexcept {
  try {
    f();
    return nullptr;
  } catch (const Error &error) {
    return make_error(code_of(error.code()), error.what());
  } catch (const std::bad_alloc &) {
    return out_of_memory();
  } catch (const std::exception &error) {
    return make_error(DANN_INTERNAL, error.what());
  } catch (...) {
    return make_error(DANN_INTERNAL, "unknown exception");
  }
}

/// What `pointer` points to. Throws InvalidArgument if that is nothing.
template <typename T> T &checked(T *pointer, const char *name) {
  if (!pointer)
    fail(ErrorCode::InvalidArgument, name, " is null");
  return *pointer;
}

/// Throws InvalidArgument unless `index` is less than `count`, that of what a
/// description lists.
void check_index(std::size_t index, std::size_t count, const char *what);

/// The structure begins with its size.
template <typename T> void check_size(T *structure, const char *name) {
  std::size_t size = checked(structure, name).size;
  if (size < sizeof(std::size_t))
    fail(ErrorCode::InvalidArgument, name, " has the size ", size,
         ", which has to be that of the structure");
}

/// What a caller of any version gives as options: those that this version does
/// not know have to be zero, those that the caller does not know are.
template <typename T> T read_options(const T *given, const char *name) {
  T options{};
  if (!given)
    return options;
  check_size(given, name);
  std::size_t size = given->size;
  auto *bytes = reinterpret_cast<const unsigned char *>(given);
  std::memcpy(static_cast<void *>(&options), bytes, std::min(size, sizeof(T)));
  if (size > sizeof(T) && std::any_of(bytes + sizeof(T), bytes + size,
                                      [](unsigned char byte) { return byte; }))
    fail(ErrorCode::Incompatible, name,
         " sets options that this version does not know");
  return options;
}

/// Writes as much of `info` as the caller knows, and zeros beyond.
template <typename T>
void write_info(T info, T *to, const char *name = "info") {
  check_size(to, name);
  std::size_t size = to->size;
  info.size = size;
  auto *bytes = reinterpret_cast<unsigned char *>(to);
  std::memcpy(bytes, &info, std::min(size, sizeof(T)));
  if (size > sizeof(T))
    std::memset(bytes + sizeof(T), 0, size - sizeof(T));
}

/// The number that a caller gave for an enumeration. In C that may be any; to
/// load one that has no name is undefined in C++.
template <typename EnumT> int number_of(const EnumT &given) {
  static_assert(sizeof(EnumT) == sizeof(int));
  int number;
  std::memcpy(&number, &given, sizeof number);
  return number;
}

/// Whether dann_element_type has an enumerator of this value.
bool is_element_type(int number);

/// A handle that borrows the elements of a view. Throws InvalidArgument, with
/// `name`, if the view contradicts itself.
Tensor borrow(const dann_tensor &view, const char *name);
Tensor borrow(const dann_tensor *view, const char *name);

/// The view lives as long as the shape and the elements of `tensor`.
dann_tensor view_of(const Tensor &tensor);

} // namespace dann

#endif // DANN_RUNTIME_C_API_H
