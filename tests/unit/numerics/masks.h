// What training drops, by the reference implementation of Philox.
#ifndef DANN_TESTS_MASKS_H
#define DANN_TESTS_MASKS_H

#include <Random123/philox.h>

#include <cmath>
#include <cstdint>

namespace dann::test {

/// Whether entry `i` is kept, as dann.random and dann.dropout document it.
inline bool is_kept(std::int64_t key, std::uint32_t stream, std::uint64_t i,
                    double rate) {
  r123::Philox4x32 philox;
  auto bits = std::uint64_t(key);
  std::uint32_t word =
      philox({{std::uint32_t(i), std::uint32_t(i >> 32), stream, 0}},
             {{std::uint32_t(bits), std::uint32_t(bits >> 32)}})[0];
  return word < std::llround((1 - rate) * 0x1p32);
}

/// Entry `i` of the mask of inverted dropout.
inline double mask_entry(std::int64_t key, std::uint32_t stream,
                         std::uint64_t i, double rate) {
  return is_kept(key, stream, i, rate) ? 1 / (1 - rate) : 0;
}

} // namespace dann::test

#endif // DANN_TESTS_MASKS_H
