// Finding what is known by a name: parameters, states, entry points.
#ifndef DANN_RUNTIME_NAMED_H
#define DANN_RUNTIME_NAMED_H

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace dann {

/// The index of what is not in a list.
constexpr std::size_t kNone = std::size_t(-1);

/// The index of the first element whose `name` is that, or kNone.
template <typename T>
std::size_t index_of(const std::vector<T> &all, std::string_view name) {
  auto found = std::find_if(all.begin(), all.end(),
                            [&](const T &one) { return one.name == name; });
  return found == all.end() ? kNone : std::size_t(found - all.begin());
}

} // namespace dann

#endif // DANN_RUNTIME_NAMED_H
