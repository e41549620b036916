#include "execution.h"

#include "elements.h"
#include "fail.h"
#include "model_abi.h"
#include "recording.h"

#include <algorithm>

// Declared here and not by <omp.h>, which belongs to the compiler at hand: with
// Clang it would be that of another OpenMP library than oneDNN's, libgomp, and
// set the number of threads of a pool that nobody uses.
extern "C" {
void omp_set_num_threads(int);
int omp_get_max_threads();
}

namespace dann {

// Initial-exec: found without a call, also in the shared library, for which the
// C library keeps room for a few such pointers.
[[gnu::tls_model("initial-exec")]] static constinit thread_local ThreadContext
    *current_context = nullptr;

[[gnu::cold, noreturn]] static void fail_outside() {
  fail(ErrorCode::Internal, "compiled code was called outside of a session");
}

ThreadContext &ThreadContext::current() {
  if (!current_context) [[unlikely]]
    fail_outside();
  return *current_context;
}

// oneDNN computes each product on the thread that asks for it. How many threads
// OpenMP would use for it is a setting of each thread.
Execution::ContextScope::ContextScope(ThreadContext &context)
    : outer_(current_context), outer_openmp_threads_(omp_get_max_threads()) {
  current_context = &context;
  omp_set_num_threads(1);
}

Execution::ContextScope::~ContextScope() {
  omp_set_num_threads(outer_openmp_threads_);
  current_context = outer_;
}

Execution::Execution(int threads) : pool_(threads) {
  for (int index = 0; index < threads; ++index) {
    ThreadContext &context = contexts_.emplace_back();
    context.pool = &pool_;
    context.index = index;
  }
}

Execution::~Execution() = default;

void *Execution::scratch(std::uint64_t bytes) {
  // The address space of a process, and far below any overflow of sums.
  constexpr std::uint64_t limit = std::uint64_t(1) << 47;
  if (bytes > limit)
    fail(ErrorCode::OutOfMemory, "out of memory: ", bytes,
         " bytes of scratch memory are more than there can be");
  if (!scratch_ || bytes > scratch_size_) {
    // Not both at a time.
    scratch_.reset();
    scratch_size_ = 0;
    scratch_ = allocate_elements(bytes);
    scratch_size_ = bytes;
  }
  return scratch_.get();
}

void Execution::record_to(Recording *recording) {
  for (ThreadContext &context : contexts_)
    context.record = recording ? &recording->thread(context.index) : nullptr;
}

template <typename T> static Matrix<T> matrix_of(const MemRef<T, 2> &memref) {
  return {memref.aligned + memref.offset, memref.sizes[0], memref.sizes[1],
          memref.strides[0], memref.strides[1]};
}

template <typename T>
static void matmul(const MemRef<T, 2> &a, const MemRef<T, 2> &b,
                   const MemRef<float, 2> &dst, std::int64_t flags) {
  ThreadContext::current().matmuls.run(
      matrix_of(a), matrix_of(b), matrix_of(dst),
      {(flags & kAccumulate) != 0, (flags & kRelu) != 0});
}

static Array4 array_of(const MemRef<float, 4> &memref) {
  Array4 array{memref.aligned + memref.offset, {}, {}};
  std::copy_n(memref.sizes, 4, array.sizes);
  std::copy_n(memref.strides, 4, array.strides);
  return array;
}

} // namespace dann

using namespace dann;

std::int64_t dann_thread_index() { return ThreadContext::current().index; }

std::int64_t dann_thread_count() {
  return ThreadContext::current().pool->count();
}

void dann_barrier() {
  ThreadContext &context = ThreadContext::current();
  if (!context.record) [[likely]]
    return context.pool->barrier(context.index);
  context.record->add(ThreadRecord::kBarrierBegin);
  context.pool->barrier(context.index);
  context.record->add(ThreadRecord::kBarrierEnd);
}

void dann_begin_operation(std::int64_t operation) {
  ThreadContext &context = ThreadContext::current();
  if (context.record) [[unlikely]]
    context.record->add(std::int32_t(operation));
}

void _mlir_ciface_dann_onednn_matmul_f32(MemRef<float, 2> *a,
                                         MemRef<float, 2> *b,
                                         MemRef<float, 2> *dst,
                                         std::int64_t flags) {
  matmul(*a, *b, *dst, flags);
}

void _mlir_ciface_dann_onednn_matmul_bf16(MemRef<std::uint16_t, 2> *a,
                                          MemRef<std::uint16_t, 2> *b,
                                          MemRef<float, 2> *dst,
                                          std::int64_t flags) {
  matmul(*a, *b, *dst, flags);
}

void _mlir_ciface_dann_onednn_convolution_f32(
    MemRef<float, 4> *x, MemRef<float, 4> *filters, MemRef<float, 4> *z,
    std::int64_t result, std::int64_t row_stride, std::int64_t column_stride,
    std::int64_t row_dilation, std::int64_t column_dilation,
    std::int64_t flags) {
  ThreadContext::current().convolutions.run(array_of(*x), array_of(*filters),
                                            array_of(*z),
                                            {ConvolutionOptions::Result(result),
                                             {row_stride, column_stride},
                                             {row_dilation, column_dilation},
                                             (flags & kAccumulate) != 0});
}
