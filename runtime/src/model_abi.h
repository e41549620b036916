// The binary interface between a compiled model and the runtime. The compiler
// (compiler/Codegen.cpp) emits one `dann_model` per object; both sides change
// together, and `kAbiVersion` with them.
#ifndef DANN_RUNTIME_MODEL_ABI_H
#define DANN_RUNTIME_MODEL_ABI_H

#include <cstdint>

namespace dann {

inline constexpr std::uint32_t kAbiVersion = 1;

// One entry point. `invoke` takes one pointer per argument of the entry point,
// in the order of its description; each points to a MemRef descriptor.
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
  kTransposeA = 1, // a is [K, M] instead of [M, K]
  kTransposeB = 2, // b is [N, K] instead of [K, N]
  kAccumulate = 4, // dst = scale * a.b + dst, else dst = scale * a.b
  kRelu = 8,       // applied last
};

} // namespace dann

// Visible in libdann_runtime.so, whose other internals are not.
#pragma GCC visibility push(default)
extern "C" {

/// The model of an executable or shared object.
extern const dann::ModelAbi dann_model;

/// Kernels that compiled code calls. They run in the session that is current
/// on the calling thread and throw dann::Error, which unwinds through compiled
/// code to Session::run.
///
/// dst[M,N] = relu?(scale * op(a).op(b) + bias[N]? + dst?)
void _mlir_ciface_dann_onednn_matmul(dann::MemRef<float, 2> *a,
                                     dann::MemRef<float, 2> *b,
                                     dann::MemRef<float, 2> *dst, float scale,
                                     std::int64_t flags);
void _mlir_ciface_dann_onednn_matmul_bias(dann::MemRef<float, 2> *a,
                                          dann::MemRef<float, 2> *b,
                                          dann::MemRef<float, 1> *bias,
                                          dann::MemRef<float, 2> *dst,
                                          float scale, std::int64_t flags);

/// Scratch memory of one entry point call, from the current session's arena.
/// All of it is released together when the entry point returns.
void *_mlir_memref_to_llvm_alloc(std::uint64_t size);
void *_mlir_memref_to_llvm_aligned_alloc(std::uint64_t alignment,
                                         std::uint64_t size);
void _mlir_memref_to_llvm_free(void *);
}
#pragma GCC visibility pop

#endif // DANN_RUNTIME_MODEL_ABI_H
