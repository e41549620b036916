#include "thread_pool.h"

#include "fail.h"
#include "processors.h"

#include <csignal>
#include <emmintrin.h>
#include <sched.h>
#include <system_error>
#include <utility>

namespace dann {

namespace {

// Within an entry point threads wait for what the others have left of the same
// operation. Between entry points a caller prepares the next one.
constexpr std::chrono::microseconds kBarrierSpin(20);
constexpr std::chrono::microseconds kIdleSpin(100);

/// While it lives, threads that are started block all signals: those of a
/// process are for the threads of the application.
class BlockedSignals {
public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &old_, nullptr); }
  BlockedSignals(const BlockedSignals &) = delete;

private:
  sigset_t old_;
};

} // namespace

ThreadPool::ThreadPool(int count)
    : count_(count),
      barrier_spin_(count <= processor_count() ? kBarrierSpin : Duration(0)),
      idle_spin_(count <= processor_count() ? kIdleSpin : Duration(0)),
      places_(std::size_t(count)) {
  BlockedSignals blocked;
  threads_.reserve(std::size_t(count - 1));
  try {
    for (int index = 1; index < count; ++index)
      threads_.emplace_back([this, index] { work(index); });
  } catch (const std::system_error &error) {
    std::size_t started = threads_.size();
    stop();
    fail(error.code() == std::errc::resource_unavailable_try_again
             ? ErrorCode::OutOfMemory
             : ErrorCode::Internal,
         "could not start thread ", started + 2, " of ", count, ": ",
         error.code().message());
  } catch (...) {
    stop();
    throw;
  }
}

void ThreadPool::note_place(int index) {
  std::atomic<int> &place = places_[std::size_t(index)].processor;
  // Others may read it: not written to without need.
  if (int now = sched_getcpu(); place.load(std::memory_order_relaxed) != now)
    place.store(now, std::memory_order_relaxed);
}

/// Moves the calling thread to a processor without others of the pool, if it
/// may use one. Threads that take turns are never seen waiting for a processor
/// at the same time, and would stay together for good.
void ThreadPool::leave_processor(int index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
    return;
  cpu_set_t others = allowed;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (int place = places_[i].processor.load(std::memory_order_relaxed);
        int(i) != index && place >= 0 && place < CPU_SETSIZE)
      CPU_CLR(place, &others);
  if (CPU_COUNT(&others) != 0 &&
      sched_setaffinity(0, sizeof others, &others) == 0)
    sched_setaffinity(0, sizeof allowed, &allowed);
  note_place(index);
}

/// Whether another thread was last seen on the processor that this one is on.
/// Where other processes compute as well, the system puts threads together that
/// wake each other, and the one that spins then keeps the other from running: a
/// run took 130 µs more. Where the others are by now does not matter much: a
/// wrong guess costs a few microseconds.
bool ThreadPool::shares_processor(int index) {
  int processor = sched_getcpu();
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (int(i) != index &&
        places_[i].processor.load(std::memory_order_relaxed) == processor)
      return true;
  return false;
}

/// Waits until `value` is another than `old`, and makes visible what was
/// written before the change.
void ThreadPool::wait_for_change(const std::atomic<std::uint32_t> &value,
                                 std::uint32_t old, Duration spin, int index) {
  using Clock = std::chrono::steady_clock;
  constexpr int pauses = 32; // about a microsecond
  auto changed = [&] {
    for (int i = 0; i < pauses; ++i) {
      if (value.load(std::memory_order_acquire) != old)
        return true;
      _mm_pause();
    }
    return false;
  };
  note_place(index);
  if (spin.count() != 0) {
    if (changed())
      return;
    Clock::time_point end = Clock::now() + spin;
    while (!shares_processor(index) && Clock::now() < end)
      if (changed())
        return;
  }
  value.wait(old, std::memory_order_acquire);
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() noexcept {
  stopping_ = true;
  runs_.fetch_add(1);
  runs_.notify_all();
  for (std::thread &thread : threads_)
    thread.join();
}

void ThreadPool::work(int index) noexcept {
  for (std::uint32_t run = 0;; ++run) {
    wait_for_change(runs_, run, idle_spin_, index);
    if (stopping_)
      return;
    if (idle_spin_.count() != 0 && shares_processor(index))
      leave_processor(index);
    call(index);
    // The pool outlives this: its destructor joins the thread.
    if (working_.fetch_sub(1) == 1)
      working_.notify_one();
  }
}

void ThreadPool::call(int index) noexcept {
  try {
    job_(function_, index);
  } catch (const Abandoned &) {
  } catch (...) {
    {
      std::lock_guard lock(error_mutex_);
      if (!error_)
        error_ = std::current_exception();
    }
    abandon_run();
  }
}

void ThreadPool::run_job(Job job, void *function) {
  if (count_ == 1)
    return job(function, 0);
  note_place(0);
  job_ = job;
  function_ = function;
  arrived_.store(0, std::memory_order_relaxed);
  abandoned_.store(false, std::memory_order_relaxed);
  working_.store(std::uint32_t(count_ - 1), std::memory_order_relaxed);
  runs_.fetch_add(1);
  runs_.notify_all();
  call(0);
  for (std::uint32_t left; (left = working_.load(std::memory_order_acquire));)
    wait_for_change(working_, left, barrier_spin_, 0);
  if (error_)
    std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::abandon_run() noexcept {
  abandoned_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
}

void ThreadPool::barrier(int index) {
  if (count_ == 1)
    return;
  // In this order: a thread that misses the flag has not seen the generation
  // that comes with it either, and will.
  std::uint32_t generation = generation_.load(std::memory_order_acquire);
  if (abandoned_.load(std::memory_order_acquire))
    throw Abandoned();
  if (arrived_.fetch_add(1) + 1 == std::uint32_t(count_)) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1);
    generation_.notify_all();
    return;
  }
  wait_for_change(generation_, generation, barrier_spin_, index);
  if (abandoned_.load(std::memory_order_acquire))
    throw Abandoned();
}

} // namespace dann
