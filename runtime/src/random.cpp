#include "random.h"

#include <Random123/philox.h>
#include <numeric>
#include <utility>

namespace dann {

__extension__ using uint128 = unsigned __int128;

std::uint64_t random_bits(std::int64_t seed, RandomStream stream,
                          std::uint32_t epoch, std::uint64_t index) {
  auto key = std::uint64_t(seed);
  r123::Philox4x32::ctr_type counter = {{std::uint32_t(index),
                                         std::uint32_t(index >> 32), epoch,
                                         std::uint32_t(stream)}};
  r123::Philox4x32::key_type keys = {
      {std::uint32_t(key), std::uint32_t(key >> 32)}};
  auto words = r123::Philox4x32()(counter, keys);
  return words[0] | std::uint64_t(words[1]) << 32;
}

std::int64_t random_key(std::int64_t seed, std::int64_t step) {
  return std::int64_t(
      random_bits(seed, RandomStream::TrainingStep, 0, std::uint64_t(step)));
}

std::vector<std::int64_t> shuffled_indices(std::int64_t count,
                                           std::int64_t seed,
                                           std::int64_t epoch,
                                           RandomStream stream) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  // Fisher-Yates. Scaling 64 random bits to [0, i] favours some values by at
  // most i in 2^64, which is far from measurable.
  for (std::int64_t i = count - 1; i > 0; --i) {
    std::uint64_t bits =
        random_bits(seed, stream, std::uint32_t(epoch), std::uint64_t(i));
    auto j = static_cast<std::int64_t>(
        static_cast<uint128>(bits) * std::uint64_t(i + 1) >> 64);
    std::swap(indices[std::size_t(i)], indices[std::size_t(j)]);
  }
  return indices;
}

} // namespace dann
