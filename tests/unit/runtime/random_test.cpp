#include "random.h"

#include <gtest/gtest.h>
#include <numeric>
#include <set>

using namespace dann;

namespace {

// The known answer of Random123's kat_vectors for philox4x32-10 with a counter
// and a key of all ones: 408f276d 41c83b0e a20bc7c6 6d5451fd.
TEST(Random, IsPhilox4x32With10Rounds) {
  EXPECT_EQ(random_bits(-1, RandomStream::Shuffle, 0xFFFFFFFF, ~0ull),
            0x41c83b0e408f276dull);
}

TEST(Random, ShuffleIsAPermutation) {
  for (std::int64_t count : {1, 2, 1000}) {
    std::vector<std::int64_t> order = shuffled_indices(count, 7, 3);
    std::set<std::int64_t> distinct(order.begin(), order.end());
    EXPECT_EQ(std::int64_t(distinct.size()), count);
    EXPECT_EQ(*distinct.begin(), 0);
    EXPECT_EQ(*distinct.rbegin(), count - 1);
  }
}

TEST(Random, ShuffleDependsOnSeedAndEpoch) {
  EXPECT_EQ(shuffled_indices(100, 1, 0), shuffled_indices(100, 1, 0));
  EXPECT_NE(shuffled_indices(100, 1, 0), shuffled_indices(100, 2, 0));
  EXPECT_NE(shuffled_indices(100, 1, 0), shuffled_indices(100, 1, 1));
}

TEST(Random, StreamsDiffer) {
  EXPECT_NE(shuffled_indices(100, 1, 0),
            shuffled_indices(100, 1, 0, RandomStream::Validation));
}

// A change of the order would change every training run.
TEST(Random, ShuffleIsPinned) {
  EXPECT_EQ(shuffled_indices(8, 1, 0),
            (std::vector<std::int64_t>{7, 4, 5, 3, 0, 1, 6, 2}));
}

TEST(Random, ShuffleIsUniform) {
  // Where the first of 10 samples ends up, in 10,000 epochs: each place 1,000
  // times, with a standard deviation of 30.
  std::vector<int> places(10);
  for (std::int64_t epoch = 0; epoch < 10'000; ++epoch) {
    std::vector<std::int64_t> order = shuffled_indices(10, 5, epoch);
    for (std::size_t i = 0; i < order.size(); ++i)
      places[i] += order[i] == 0;
  }
  for (int count : places)
    EXPECT_NEAR(count, 1000, 150);
}

TEST(Random, KeysOfStepsFollowFromSeedAndStep) {
  EXPECT_EQ(random_key(5, 7), random_key(5, 7));
  std::set<std::int64_t> keys;
  for (std::int64_t seed = 0; seed < 10; ++seed)
    for (std::int64_t step = 0; step < 100; ++step)
      keys.insert(random_key(seed, step));
  EXPECT_EQ(keys.size(), 1000U);
}

} // namespace
