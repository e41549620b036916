// The threads of a session.
#ifndef DANN_RUNTIME_THREAD_POOL_H
#define DANN_RUNTIME_THREAD_POOL_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace dann {

/// Runs one function on all of its threads at a time, of which the caller is
/// the first. Belongs to one caller at a time; a pool is not to be entered
/// again from within.
///
/// Threads that wait spin for a while, since what they wait for mostly takes
/// microseconds, and then sleep, since the processor may be needed by the very
/// thread they wait for. They sleep at once if there are more threads than
/// processors, or if one of the others shares the processor with them.
class ThreadPool {
public:
  /// Starts count - 1 threads. Throws OutOfMemory, or Internal, if the system
  /// refuses to.
  explicit ThreadPool(int count);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int count() const { return count_; }

  /// Calls f(index) on every thread, the caller with index 0, and returns when
  /// all are done. If any of them throws, the others unwind at their next
  /// barrier, and the exception that was thrown first goes on from here.
  template <typename F> void run(F &&f) {
    using Function = std::remove_reference_t<F>;
    run_job([](void *function,
               int index) { (*static_cast<Function *>(function))(index); },
            const_cast<void *>(static_cast<const void *>(std::addressof(f))));
  }

  /// Called by every thread of a run, with its index: waits until all of them
  /// are here.
  void barrier(int index);

private:
  using Job = void (*)(void *function, int index);
  using Duration = std::chrono::nanoseconds;

  // A line of its own for what one thread writes while others spin on it.
  static constexpr std::size_t kLine = 64;

  /// Unwinds a thread whose fellows will not come to the barrier.
  struct Abandoned {};

  struct alignas(kLine) Place {
    std::atomic<int> processor = -1; // where the thread was seen last
  };

  void wait_for_change(const std::atomic<std::uint32_t> &value,
                       std::uint32_t old, Duration spin, int index);
  void note_place(int index);
  bool shares_processor(int index);
  void leave_processor(int index);
  void run_job(Job job, void *function);
  void call(int index) noexcept;
  void work(int index) noexcept;
  void stop() noexcept;
  void abandon_run() noexcept;

  const int count_;
  const Duration barrier_spin_, idle_spin_;
  std::vector<Place> places_;
  std::vector<std::thread> threads_;

  // Written by the caller before `runs_` counts up.
  Job job_ = nullptr;
  void *function_ = nullptr;
  bool stopping_ = false;

  std::mutex error_mutex_;
  std::exception_ptr error_; // the first of a run

  alignas(kLine) std::atomic<std::uint32_t> runs_ = 0;
  alignas(kLine) std::atomic<std::uint32_t> working_ = 0;
  alignas(kLine) std::atomic<std::uint32_t> arrived_ = 0; // at the barrier
  // Barriers passed; counts up once more when a run is abandoned.
  alignas(kLine) std::atomic<std::uint32_t> generation_ = 0;
  std::atomic<bool> abandoned_ = false;
};

} // namespace dann

#endif // DANN_RUNTIME_THREAD_POOL_H
