// What compiled code finds when it calls back into the runtime.
#ifndef DANN_RUNTIME_EXECUTION_H
#define DANN_RUNTIME_EXECUTION_H

#include "convolution.h"
#include "matmul.h"
#include "thread_pool.h"

#include <cstdint>
#include <deque>
#include <memory>

namespace dann {

class ThreadRecord;
class Recording;

/// What a thread of a session has of its own.
struct alignas(64) ThreadContext {
  ThreadPool *pool;
  int index;
  MatmulCache matmuls;
  ConvolutionCache convolutions;
  ThreadRecord *record = nullptr; // null: nobody asks for it

  /// That of the calling thread. Throws Internal if it runs no session's code.
  static ThreadContext &current();
};

/// The threads, kernels and scratch memory of one session.
class Execution {
public:
  /// Throws like ThreadPool.
  explicit Execution(int threads);
  ~Execution();

  int threads() const { return pool_.count(); }

  /// Calls `f` on all threads at once, with their contexts as the current ones.
  /// What one of them throws goes on from here. OpenMP is kept from starting
  /// threads in the meantime.
  template <typename F> void run(F &&f) {
    pool_.run([&](int index) {
      ContextScope scope(contexts_[std::size_t(index)]);
      f();
    });
  }

  /// At least `bytes` of memory, 64-byte aligned, with unspecified content.
  /// Valid until the next call. Throws OutOfMemory.
  void *scratch(std::uint64_t bytes);

  /// What threads do is recorded there from the next run on; null ends it.
  void record_to(Recording *recording);

private:
  class ContextScope {
  public:
    explicit ContextScope(ThreadContext &context);
    ~ContextScope();
    ContextScope(const ContextScope &) = delete;
    ContextScope &operator=(const ContextScope &) = delete;

  private:
    ThreadContext *outer_;
    int outer_openmp_threads_;
  };

  std::deque<ThreadContext> contexts_;
  std::shared_ptr<void> scratch_;
  std::uint64_t scratch_size_ = 0;
  ThreadPool pool_; // last: its threads use the rest
};

} // namespace dann

#endif // DANN_RUNTIME_EXECUTION_H
