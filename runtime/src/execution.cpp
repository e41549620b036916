#include "execution.h"

#include "fail.h"
#include "model_abi.h"

// Declared here and not by <omp.h>, which belongs to the compiler at hand: with
// Clang it would be that of another OpenMP library than oneDNN's, libgomp, and
// set the number of threads of a pool that nobody uses.
extern "C" {
void omp_set_num_threads(int);
int omp_get_max_threads();
}

namespace dann {

static thread_local Execution *current_execution = nullptr;

ExecutionScope::ExecutionScope(Execution &execution, int threads)
    : execution_(execution), outer_(current_execution),
      outer_threads_(omp_get_max_threads()) {
  current_execution = &execution;
  omp_set_num_threads(threads);
}

ExecutionScope::~ExecutionScope() {
  omp_set_num_threads(outer_threads_);
  current_execution = outer_;
  execution_.arena.reset();
}

Execution &ExecutionScope::current() {
  if (!current_execution)
    fail(ErrorCode::Internal, "compiled code was called outside of a session");
  return *current_execution;
}

int default_thread_count() { return omp_get_max_threads(); }

namespace {

Matrix matrix_of(const MemRef<float, 2> &memref) {
  return {memref.aligned + memref.offset, memref.sizes[0], memref.sizes[1],
          memref.strides[0], memref.strides[1]};
}

void matmul(const MemRef<float, 2> &a, const MemRef<float, 2> &b,
            const float *bias, const MemRef<float, 2> &dst, float scale,
            std::int64_t flags) {
  MatmulOptions options;
  options.scale = scale;
  options.bias = bias;
  options.accumulate = flags & kAccumulate;
  options.relu = flags & kRelu;
  Matrix left = matrix_of(a), right = matrix_of(b);
  ExecutionScope::current().matmuls.run(
      flags & kTransposeA ? left.transposed() : left,
      flags & kTransposeB ? right.transposed() : right, matrix_of(dst),
      options);
}

} // namespace
} // namespace dann

using namespace dann;

void _mlir_ciface_dann_onednn_matmul(MemRef<float, 2> *a, MemRef<float, 2> *b,
                                     MemRef<float, 2> *dst, float scale,
                                     std::int64_t flags) {
  matmul(*a, *b, nullptr, *dst, scale, flags);
}

void _mlir_ciface_dann_onednn_matmul_bias(MemRef<float, 2> *a,
                                          MemRef<float, 2> *b,
                                          MemRef<float, 1> *bias,
                                          MemRef<float, 2> *dst, float scale,
                                          std::int64_t flags) {
  if (bias->sizes[0] != dst->sizes[1] ||
      (bias->strides[0] != 1 && bias->sizes[0] > 1))
    fail(ErrorCode::Internal, "a bias of ", bias->sizes[0],
         " elements with stride ", bias->strides[0],
         " cannot be added to rows of ", dst->sizes[1]);
  matmul(*a, *b, bias->aligned + bias->offset, *dst, scale, flags);
}

void *_mlir_memref_to_llvm_alloc(std::uint64_t size) {
  return ExecutionScope::current().arena.allocate(1, size);
}

void *_mlir_memref_to_llvm_aligned_alloc(std::uint64_t alignment,
                                         std::uint64_t size) {
  return ExecutionScope::current().arena.allocate(alignment, size);
}

void _mlir_memref_to_llvm_free(void *) {}
