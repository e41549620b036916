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

/// The parts may come from files: what would end the line, or command a
/// terminal, becomes '?'.
template <typename... Parts>
[[noreturn]] void fail(ErrorCode code, const Parts &...parts) {
  std::string sentence = concat(parts...);
  for (char &c : sentence)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  throw Error(code, sentence);
}

} // namespace dann

#endif // DANN_RUNTIME_FAIL_H
