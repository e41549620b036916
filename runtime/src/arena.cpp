#include "arena.h"

#include "fail.h"

#include <algorithm>
#include <cstdlib>

namespace dann {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kSmallestChunk = 256 * 1024;

constexpr std::size_t round_up(std::size_t size, std::size_t alignment) {
  return (size + alignment - 1) / alignment * alignment;
}

} // namespace

void Arena::Chunk::Free::operator()(void *memory) const noexcept {
  std::free(memory);
}

Arena::Chunk Arena::make_chunk(std::size_t size) {
  // `size` is a multiple of the alignment, as aligned_alloc demands.
  Chunk chunk{decltype(Chunk::memory)(std::aligned_alloc(kAlignment, size)),
              size};
  if (!chunk.memory)
    fail(ErrorCode::OutOfMemory, "out of memory: could not allocate ", size,
         " bytes of scratch memory");
  return chunk;
}

void *Arena::allocate(std::uint64_t alignment, std::uint64_t size) {
  // The address space of a process, and far below any overflow of the sums that
  // follow.
  constexpr std::uint64_t limit = std::uint64_t(1) << 47;
  alignment = std::max<std::uint64_t>(alignment, kAlignment);
  if (size > limit || alignment > limit)
    fail(ErrorCode::OutOfMemory, "out of memory: ", size,
         " bytes of scratch memory are more than there can be");

  auto begin_in = [&](const Chunk &chunk) {
    auto base = reinterpret_cast<std::uintptr_t>(chunk.memory.get());
    return round_up(base + used_, alignment) - base;
  };
  std::size_t wanted = round_up(size, kAlignment);
  if (chunks_.empty() ||
      begin_in(chunks_.back()) + wanted > chunks_.back().size) {
    std::size_t least = wanted + (alignment - kAlignment);
    chunks_.push_back(make_chunk(
        std::max({round_up(least, kAlignment), capacity(), kSmallestChunk})));
    used_ = 0;
  }
  const Chunk &chunk = chunks_.back();
  std::size_t begin = begin_in(chunk);
  used_ = begin + wanted;
  return static_cast<char *>(chunk.memory.get()) + begin;
}

void Arena::reset() noexcept {
  used_ = 0;
  if (chunks_.size() <= 1)
    return;
  std::size_t size = capacity();
  chunks_.clear();
  try {
    chunks_.push_back(make_chunk(size));
  } catch (...) {
    // The next call will grow chunks again, or report that it cannot.
  }
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const Chunk &chunk : chunks_)
    total += chunk.size;
  return total;
}

} // namespace dann
