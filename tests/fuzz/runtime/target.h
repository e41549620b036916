// What each kind of file that the runtime reads has for its fuzzing.
#ifndef DANN_TESTS_FUZZ_RUNTIME_TARGET_H
#define DANN_TESTS_FUZZ_RUNTIME_TARGET_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

/// Reads the bytes, whatever they are. Ends the process if the runtime is wrong
/// about them: an exception of another kind, a value that breaks a contract.
void try_input(const std::string &bytes);

/// Inputs that are right, to begin with.
std::vector<std::string> make_seeds();

/// Changes what the format consists of; the same seed gives the same change.
/// Bytes that are not of the format may be returned as they are.
std::string mutate_input(const std::string &bytes, std::uint64_t seed);

/// What try_input expects.
inline void expect(bool condition, const char *what) {
  if (condition)
    return;
  std::fprintf(stderr, "not true: %s\n", what);
  std::abort();
}

/// Choices of a mutation.
class Choices {
public:
  explicit Choices(std::uint64_t seed) : random_(seed) {}

  /// In [0, end); 0 if that is empty.
  std::size_t below(std::size_t end) { return end == 0 ? 0 : random_() % end; }

  /// Small ones, and ones at which arithmetic goes wrong.
  std::int64_t number() {
    static constexpr std::int64_t special[] = {
        0,         -1,        7,           16,        255,           4096,
        INT32_MAX, INT32_MIN, INT64_MAX,   INT64_MIN, 1ll << 32,     1ll << 36,
        1ll << 61, 1ll << 62, -(1ll << 3), 1ll << 48, INT64_MAX - 1, 1ll << 20};
    return below(2) == 0 ? std::int64_t(below(9)) - 2
                         : special[below(std::size(special))];
  }

private:
  std::mt19937_64 random_;
};

#endif // DANN_TESTS_FUZZ_RUNTIME_TARGET_H
