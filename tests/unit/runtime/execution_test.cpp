#include "execution.h"

#include "allocation_counter.h"
#include "expect_error.h"
#include "model_abi.h"
#include "recording.h"

#include <cstring>
#include <filesystem>
#include <numeric>

using namespace dann;
using testing::HasSubstr;

namespace {

std::int64_t threads_of_process() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

TEST(Execution, ThreadsKnowEachOther) {
  Execution execution(3);
  std::int64_t seen[3] = {}, sums[3] = {};
  execution.run([&] {
    std::int64_t index = dann_thread_index();
    EXPECT_EQ(dann_thread_count(), 3);
    seen[index] = index + 1;
    dann_barrier();
    sums[index] = std::accumulate(seen, seen + 3, std::int64_t(0));
  });
  EXPECT_THAT(sums, testing::ElementsAre(6, 6, 6));
}

TEST(Execution, OutsideOfASessionIsAnError) {
  float element = 0;
  MemRef<float, 2> matrix{&element, &element, 0, {1, 1}, {1, 1}};
  auto outside = HasSubstr("outside of a session");
  EXPECT_ERROR(dann_thread_index(), Internal, outside);
  EXPECT_ERROR(dann_thread_count(), Internal, outside);
  EXPECT_ERROR(dann_barrier(), Internal, outside);
  EXPECT_ERROR(dann_begin_operation(0), Internal, outside);
  EXPECT_ERROR(
      _mlir_ciface_dann_onednn_matmul_f32(&matrix, &matrix, &matrix, 0),
      Internal, outside);
  // Also when a run has ended in an error.
  Execution execution(2);
  EXPECT_THROW(execution.run([] { throw 1; }), int);
  EXPECT_ERROR(dann_thread_index(), Internal, outside);
}

TEST(Execution, ErrorsOfAnyThreadReachTheCaller) {
  Execution execution(3);
  for (int bad = 0; bad < 3; ++bad)
    EXPECT_ERROR(execution.run([&] {
      dann_barrier();
      if (dann_thread_index() == bad)
        throw Error(ErrorCode::Internal, "broken");
      dann_barrier();
      ADD_FAILURE() << "passed a barrier alone";
    }),
                 Internal, "broken");
}

TEST(Execution, ScratchMemoryIsKept) {
  Execution execution(1);
  void *small = execution.scratch(0);
  EXPECT_NE(small, nullptr);
  void *large = execution.scratch(3 << 20);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(large) % (2 << 20), 0u);
  std::memset(large, 1, 3 << 20);
  EXPECT_EQ(execution.scratch(100), large);
  EXPECT_EQ(execution.scratch(3 << 20), large);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(Execution(1).scratch(100)) % 64,
            0u);
  EXPECT_ERROR(execution.scratch(INT64_MAX), OutOfMemory,
               HasSubstr("9223372036854775807 bytes"));
  // A failed request leaves a usable session.
  EXPECT_NE(execution.scratch(100), nullptr);
}

TEST(Kernels, TakeTransposedOperandsAsStrides) {
  // a is stored as [K, M] = [3, 2], b as [N, K] = [2, 3].
  float a[] = {1, 2, 3, 4, 5, 6}, b[] = {1, 0, 2, 0, 1, 1};
  float dst[] = {100, 200, 100, -200};
  MemRef<float, 2> a_ref{a, a, 0, {2, 3}, {1, 2}};
  MemRef<float, 2> b_ref{b, b, 0, {3, 2}, {1, 3}};
  MemRef<float, 2> dst_ref{dst, dst, 0, {2, 2}, {2, 1}};
  Execution execution(1);
  execution.run([&] {
    _mlir_ciface_dann_onednn_matmul_f32(&a_ref, &b_ref, &dst_ref,
                                        kAccumulate | kRelu);
  });
  EXPECT_THAT(dst, testing::ElementsAre(111, 208, 114, 0));
}

TEST(Kernels, TakeOffsetsAndBf16) {
  // 1, 2, 3, and a number around them that must not be read.
  std::uint16_t a[] = {0x7F80, 0x3F80, 0x4000, 0x4040, 0x7F80};
  float dst[] = {7, 7, 7};
  MemRef<std::uint16_t, 2> row{a, a, 1, {1, 3}, {3, 1}};
  MemRef<std::uint16_t, 2> column{a, a, 1, {3, 1}, {1, 1}};
  MemRef<float, 2> dst_ref{dst, dst, 1, {1, 1}, {1, 1}};
  Execution execution(1);
  execution.run([&] {
    _mlir_ciface_dann_onednn_matmul_bf16(&row, &column, &dst_ref, 0);
  });
  EXPECT_THAT(dst, testing::ElementsAre(7, 14, 7));
}

// Every thread computes slices of its own; libgomp, which oneDNN would use
// otherwise, starts no thread. And after the first calls nothing of ours is
// allocated: what remains is oneDNN's, which puts the arguments of a call into
// a hash table of its own, with six calls of `operator new`.
TEST(Kernels, NeitherStartThreadsNorAllocate) {
  constexpr std::int64_t size = 256, calls = 100;
  std::vector<float> a(size * size, 1), b(size * size, 2), dst(size * size);
  Execution execution(2);
  std::int64_t threads = threads_of_process();
  auto product = [&] {
    std::int64_t rows = size / 2, begin = dann_thread_index() * rows * size;
    MemRef<float, 2> a_ref{a.data(), a.data(), begin, {rows, size}, {size, 1}};
    MemRef<float, 2> b_ref{b.data(), b.data(), 0, {size, size}, {size, 1}};
    MemRef<float, 2> dst_ref{
        dst.data(), dst.data(), begin, {rows, size}, {size, 1}};
    _mlir_ciface_dann_onednn_matmul_f32(&a_ref, &b_ref, &dst_ref, 0);
  };
  execution.run(product);
  EXPECT_EQ(dst, std::vector<float>(size * size, 2 * size));
  EXPECT_EQ(threads_of_process(), threads);

  std::int64_t before = allocation_count();
  for (int i = 0; i < calls; ++i)
    execution.run(product);
  std::int64_t onednn = allocation_count() - before;
  EXPECT_LE(onednn, 2 * calls * 6);

  before = allocation_count();
  for (int i = 0; i < calls; ++i)
    execution.run([] {
      dann_begin_operation(0);
      dann_barrier();
      dann_begin_operation(-1);
    });
  EXPECT_EQ(allocation_count(), before);
}

} // namespace
