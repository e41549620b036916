// Random numbers of the training loop.
#ifndef DANN_RUNTIME_RANDOM_H
#define DANN_RUNTIME_RANDOM_H

#include <cstdint>
#include <vector>

namespace dann {

/// What a stream of numbers is for; streams of one seed are independent.
/// Compiled code numbers the parameters that it initialises from 0.
enum class RandomStream : std::uint32_t {
  Shuffle = 0xFFFFFFFF,
  Benchmark = 0xFFFFFFFE,
  Validation = 0xFFFFFFFD,   ///< which samples are held out
  TrainingStep = 0xFFFFFFFC, ///< keys of the random numbers within steps
};

/// The `index`-th number of a stream, uniform over all 64-bit numbers:
/// Philox4x32-10 (Salmon et al., SC 2011) with the seed as key and {index,
/// epoch, stream} as counter. There is no state to keep or to save.
std::uint64_t random_bits(std::int64_t seed, RandomStream stream,
                          std::uint32_t epoch, std::uint64_t index);

/// The key of the random numbers within one training step, e.g. of dropout.
/// `step` counts the steps of the training from 0.
std::int64_t random_key(std::int64_t seed, std::int64_t step);

/// A permutation of 0 … count-1 that depends on the seed, the epoch and the
/// stream only.
std::vector<std::int64_t>
shuffled_indices(std::int64_t count, std::int64_t seed, std::int64_t epoch,
                 RandomStream stream = RandomStream::Shuffle);

} // namespace dann

#endif // DANN_RUNTIME_RANDOM_H
