// The binary interface between a compiled model and the runtime. The compiler
// (compiler/Codegen.cpp) emits one `dann_model` per object; both sides change
// together, and `kAbiVersion` with them.
#ifndef DANN_RUNTIME_MODEL_ABI_H
#define DANN_RUNTIME_MODEL_ABI_H

#include <cstdint>

namespace dann {

inline constexpr std::uint32_t kAbiVersion = 4;

// One entry point. All threads of a session call `invoke` at once, with the
// same descriptors: one pointer per argument of the entry point, in the order
// of its description, each to a MemRef descriptor; behind them one to a
// MemRef<std::uint8_t, 1> of scratch memory, of the size that the description
// asks for at this batch size, 64-byte aligned and with unspecified content.
// Descriptors are not written to.
struct EntryPointAbi {
  const char *name;
  void (*invoke)(void **descriptors);
};

struct ModelAbi {
  std::uint32_t version;
  std::uint32_t entry_point_count;
  const void *program; // serialised dann.proto.Program
  std::uint64_t program_size;
  const EntryPointAbi *entry_points;
  // The initial values of parameters, at the offsets that the description
  // gives, 64-byte aligned; null if there are none.
  const void *values;
  std::uint64_t values_size;
};

// MLIR's strided memref descriptor. Sizes and strides count elements.
template <typename T, int Rank> struct MemRef {
  T *allocated;
  T *aligned;
  std::int64_t offset;
  std::int64_t sizes[Rank];
  std::int64_t strides[Rank];
};

template <typename T> struct MemRef<T, 0> {
  T *allocated;
  T *aligned;
  std::int64_t offset;
};

// Bits of the `flags` argument of the matmul kernels.
enum MatmulFlags : std::int64_t {
  kAccumulate = 1, // dst = a.b + dst, else dst = a.b
  kRelu = 2,       // applied last
};

} // namespace dann

// Visible in libdann_runtime.so, whose other internals are not.
#pragma GCC visibility push(default)
extern "C" {

/// The model of an executable or shared object.
extern const dann::ModelAbi dann_model;

/// What compiled code calls. Outside of an entry point that a session runs
/// these throw Internal. Their errors, dann::Error, unwind through compiled
/// code to the session, also from threads other than the caller's; the other
/// threads of the entry point unwind at their next barrier.

/// Which thread of the entry point this is, from 0, and how many there are.
std::int64_t dann_thread_index();
std::int64_t dann_thread_count();

/// Waits until all threads of the entry point are here. What each wrote before
/// is visible to all of them after.
void dann_barrier();

/// The calling thread begins an operation, by its number in the description of
/// the entry point; -1 when it is done with the last. Matters to profiles only.
void dann_begin_operation(std::int64_t operation);

/// dst[M,N] = relu?(a[M,K].b[K,N] + dst?), on the calling thread alone. Of the
/// two strides of each matrix one is 1, or the extent along it is.
void _mlir_ciface_dann_onednn_matmul_f32(dann::MemRef<float, 2> *a,
                                         dann::MemRef<float, 2> *b,
                                         dann::MemRef<float, 2> *dst,
                                         std::int64_t flags);

/// The same with bf16 operands; sums are f32.
void _mlir_ciface_dann_onednn_matmul_bf16(dann::MemRef<std::uint16_t, 2> *a,
                                          dann::MemRef<std::uint16_t, 2> *b,
                                          dann::MemRef<float, 2> *dst,
                                          std::int64_t flags);
}
#pragma GCC visibility pop

#endif // DANN_RUNTIME_MODEL_ABI_H
