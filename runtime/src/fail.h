// Shorthand to build the sentence of an error.
#ifndef DANN_RUNTIME_FAIL_H
#define DANN_RUNTIME_FAIL_H

#include "dann/error.hpp"

#include <sstream>
#include <string>

namespace dann {

template <typename... Parts> std::string concat(const Parts &...parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <typename... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts &...parts) {
  throw Error(code, concat(parts...));
}

} // namespace dann

#endif // DANN_RUNTIME_FAIL_H
