#include "processors.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <thread>

using namespace dann;

namespace {

TEST(Processors, QuotasAreRoundedUp) {
  EXPECT_EQ(processors_of_quota("max 100000\n"), 0);
  EXPECT_EQ(processors_of_quota("200000 100000\n"), 2);
  EXPECT_EQ(processors_of_quota("150000 100000\n"), 2);
  EXPECT_EQ(processors_of_quota("1000 100000\n"), 1);
  EXPECT_EQ(processors_of_quota(""), 0);
  EXPECT_EQ(processors_of_quota("1e300 1"), 0);
  EXPECT_EQ(processors_of_quota("-5 0"), 0);
}

TEST(Processors, AffinityIsRespected) {
  EXPECT_GE(processor_count(), core_count());
  EXPECT_GE(core_count(), 1);
  // On a thread of its own, whose affinity ends with it.
  std::thread([] {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(sched_getcpu(), &set);
    ASSERT_EQ(sched_setaffinity(0, sizeof set, &set), 0);
    EXPECT_EQ(processor_count(), 1);
    EXPECT_EQ(core_count(), 1);
  }).join();
}

} // namespace
