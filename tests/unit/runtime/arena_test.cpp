#include "arena.h"

#include "expect_error.h"

#include <cstring>

using namespace dann;
using testing::HasSubstr;

namespace {

TEST(Arena, AllocationsAreAlignedAndDisjoint) {
  Arena arena;
  char *last_end = nullptr;
  for (std::uint64_t alignment : {1u, 64u, 256u, 4096u}) {
    auto *memory = static_cast<char *>(arena.allocate(alignment, 100));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) %
                  std::max<std::uint64_t>(alignment, 64),
              0u);
    EXPECT_GE(memory, last_end);
    std::memset(memory, 1, 100);
    last_end = memory + 100;
  }
}

TEST(Arena, GrowthKeepsEarlierAllocations) {
  Arena arena;
  auto *first = static_cast<char *>(arena.allocate(64, 1000));
  std::memset(first, 42, 1000);
  auto *second = static_cast<char *>(arena.allocate(64, 10 << 20));
  std::memset(second, 1, 10 << 20);
  EXPECT_EQ(arena.chunk_count(), 2u);
  EXPECT_EQ(first[0], 42);
  EXPECT_EQ(first[999], 42);
}

TEST(Arena, RepeatedCallsNeedOneChunk) {
  Arena arena;
  auto call = [&] {
    for (int i = 0; i < 20; ++i)
      arena.allocate(64, 300'000);
  };
  call();
  EXPECT_GT(arena.chunk_count(), 1u);
  arena.reset();
  EXPECT_EQ(arena.chunk_count(), 1u);
  std::size_t capacity = arena.capacity();
  call();
  EXPECT_EQ(arena.chunk_count(), 1u);
  EXPECT_EQ(arena.capacity(), capacity);
}

TEST(Arena, RefusesWhatCannotBe) {
  Arena arena;
  EXPECT_ERROR(arena.allocate(64, ~0ull), OutOfMemory,
               HasSubstr("out of memory"));
  EXPECT_ERROR(arena.allocate(64, 1ull << 60), OutOfMemory,
               HasSubstr("out of memory"));
  EXPECT_ERROR(arena.allocate(1ull << 63, 8), OutOfMemory,
               HasSubstr("out of memory"));
  EXPECT_NE(arena.allocate(64, 8), nullptr);
}

} // namespace
