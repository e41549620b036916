// Scratch memory of one call of compiled code.
#ifndef DANN_RUNTIME_ARENA_H
#define DANN_RUNTIME_ARENA_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace dann {

/// A bump allocator: allocations are released all together. It grows in chunks;
/// at a reset, several chunks become one that holds what they held, so that
/// calls that repeat end up with no allocation from the system at all.
class Arena {
public:
  /// At least 64-byte aligned. `alignment` is a power of two. Throws
  /// OutOfMemory.
  void *allocate(std::uint64_t alignment, std::uint64_t size);

  /// Releases everything allocated.
  void reset() noexcept;

  /// Bytes obtained from the system.
  std::size_t capacity() const;
  std::size_t chunk_count() const { return chunks_.size(); }

private:
  struct Chunk {
    struct Free {
      void operator()(void *memory) const noexcept;
    };
    std::unique_ptr<void, Free> memory;
    std::size_t size;
  };
  static Chunk make_chunk(std::size_t size);

  std::vector<Chunk> chunks_;
  std::size_t used_ = 0; // of the last chunk
};

} // namespace dann

#endif // DANN_RUNTIME_ARENA_H
