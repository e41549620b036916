// Handles of oneDNN's C interface, and what its callers have in common.
#ifndef DANN_RUNTIME_ONEDNN_HANDLES_H
#define DANN_RUNTIME_ONEDNN_HANDLES_H

#include "fail.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <dnnl.h>
#include <memory>
#include <unordered_map>
#include <utility>

namespace dann {

/// Throws OutOfMemory or Internal for a failure to do `action`.
inline void check(dnnl_status_t status, const char *action) {
  if (status == dnnl_success)
    return;
  fail(status == dnnl_out_of_memory ? ErrorCode::OutOfMemory
                                    : ErrorCode::Internal,
       "oneDNN could not ", action, " (status ", int(status), ")");
}

/// Owns a handle of the C interface.
template <typename Handle, dnnl_status_t (*destroy)(Handle)> class Owned {
public:
  Owned() = default;
  Owned(Owned &&other) noexcept : handle_(std::exchange(other.handle_, {})) {}
  Owned &operator=(Owned &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owned() {
    if (handle_)
      destroy(handle_);
  }
  Handle get() const { return handle_; }
  Handle *out() { return &handle_; }

private:
  Handle handle_ = nullptr;
};

using Engine = Owned<dnnl_engine_t, dnnl_engine_destroy>;
using Stream = Owned<dnnl_stream_t, dnnl_stream_destroy>;
using Memory = Owned<dnnl_memory_t, dnnl_memory_destroy>;
using Primitive = Owned<dnnl_primitive_t, dnnl_primitive_destroy>;
using PrimitiveDesc = Owned<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;
using Attributes = Owned<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;
using PostOps = Owned<dnnl_post_ops_t, dnnl_post_ops_destroy>;

/// The CPU, and the stream that runs on the calling thread.
struct Processor {
  Engine engine;
  Stream stream;

  /// Makes them, if they are not there yet.
  void prepare() {
    if (engine.get())
      return;
    check(dnnl_engine_create(engine.out(), dnnl_cpu, 0), "create an engine");
    check(dnnl_stream_create(stream.out(), engine.get(),
                             dnnl_stream_default_flags),
          "create a stream");
  }
};

/// A hash of keys that are compared as bytes and made of whole 64-bit words.
template <typename Key> struct WordsHash {
  std::size_t operator()(const Key &key) const {
    std::uint64_t words[sizeof(Key) / 8];
    static_assert(sizeof(words) == sizeof(Key));
    std::memcpy(words, &key, sizeof(Key));
    std::uint64_t hash = 0;
    for (std::uint64_t word : words)
      hash = (hash ^ word) * 0x9E3779B97F4A7C15u, hash ^= hash >> 32;
    return hash;
  }
};

/// What was built for each key, and the processor to run it on.
template <typename Key, typename Built> class PrimitiveCache {
public:
  const Built &get(const Key &key) {
    auto found = built_.find(key);
    if (found != built_.end())
      return found->second;
    processor_.prepare();
    if (built_.size() >= kMaximum)
      built_.clear();
    return built_.try_emplace(key, key, processor_.engine.get()).first->second;
  }
  std::size_t size() const { return built_.size(); }
  dnnl_stream_t stream() const { return processor_.stream.get(); }

private:
  // A session that sees many batch sizes starts afresh now and then, rather
  // than keep the code of all of them.
  static constexpr std::size_t kMaximum = 512;

  Processor processor_;
  std::unordered_map<Key, Built, WordsHash<Key>> built_;
};

/// Memory that grows with what is asked of it.
class ScratchMemory {
public:
  /// `size` bytes, 64-byte aligned, with unspecified content; null for none.
  /// Valid until the next call. Throws OutOfMemory.
  void *get(std::size_t size) {
    if (size <= size_)
      return memory_.get();
    memory_.reset();
    memory_.reset(std::aligned_alloc(64, (size + 63) / 64 * 64));
    size_ = memory_ ? size : 0;
    if (!memory_)
      fail(ErrorCode::OutOfMemory, "out of memory: could not allocate ", size,
           " bytes of scratch memory");
    return memory_.get();
  }

private:
  std::unique_ptr<void, decltype(&std::free)> memory_{nullptr, std::free};
  std::size_t size_ = 0;
};

} // namespace dann

#endif // DANN_RUNTIME_ONEDNN_HANDLES_H
