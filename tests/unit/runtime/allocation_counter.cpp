#include "allocation_counter.h"

#include <atomic>
#include <cstdlib>
#include <new>

static std::atomic<std::int64_t> count = 0;

static void *allocate(std::size_t size, std::size_t alignment) {
  count.fetch_add(1, std::memory_order_relaxed);
  void *memory = std::aligned_alloc(alignment, (size + alignment - 1) /
                                                   alignment * alignment);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

// The other forms of new and delete call these.
void *operator new(std::size_t size) { return allocate(size, 16); }
void *operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, std::size_t(alignment));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

std::int64_t dann::allocation_count() {
  return count.load(std::memory_order_relaxed);
}
