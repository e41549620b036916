#include "thread_pool.h"

#include "expect_error.h"
#include "processors.h"

#include <csignal>
#include <sched.h>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace dann;
using testing::HasSubstr;

namespace {

/// With one thread, with one per processor, with more threads than those.
class ThreadPoolTest : public testing::TestWithParam<int> {
protected:
  ThreadPool pool{GetParam()};
  const int count = GetParam();
};

TEST_P(ThreadPoolTest, EveryThreadRunsOnce) {
  for (int run = 0; run < 200; ++run) {
    std::vector<int> calls(std::size_t(count), 0);
    std::vector<std::thread::id> ids{std::size_t(count)};
    pool.run([&](int index) {
      ++calls[std::size_t(index)];
      ids[std::size_t(index)] = std::this_thread::get_id();
    });
    EXPECT_EQ(calls, std::vector<int>(std::size_t(count), 1));
    EXPECT_EQ(ids[0], std::this_thread::get_id());
    std::sort(ids.begin(), ids.end());
    EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  }
}

// Threads hand values on to their neighbours; a barrier that lets one pass
// early, or does not publish what was written, shows as a wrong sum or as a
// race.
TEST_P(ThreadPoolTest, BarriersSeparate) {
  constexpr int rounds = 3000;
  std::vector<std::int64_t> values(std::size_t(count), 0), next = values;
  pool.run([&](int index) {
    auto i = std::size_t(index), neighbour = (i + 1) % std::size_t(count);
    for (int round = 0; round < rounds; ++round) {
      next[i] = values[neighbour] + 1;
      pool.barrier(index);
      values[i] = next[i];
      pool.barrier(index);
    }
  });
  EXPECT_EQ(values, std::vector<std::int64_t>(std::size_t(count), rounds));
}

TEST_P(ThreadPoolTest, RunsFollowEachOther) {
  std::int64_t sum = 0;
  std::vector<std::int64_t> parts(std::size_t(count), 0);
  for (int run = 0; run < 1000; ++run) {
    // Long enough now and then for the threads to fall asleep.
    if (run % 250 == 0)
      usleep(2000);
    pool.run([&](int index) {
      parts[std::size_t(index)] += index;
      pool.barrier(index);
      if (index == 0)
        for (std::int64_t part : parts)
          sum += part;
    });
  }
  EXPECT_EQ(sum, std::int64_t(count) * (count - 1) / 2 * 1000 * 1001 / 2);
}

// Whichever thread fails, wherever the others are: none hangs, and the pool can
// be used again.
TEST_P(ThreadPoolTest, ExceptionsReachTheCaller) {
  for (int bad = 0; bad < count; ++bad)
    for (int barriers = 0; barriers < 20; ++barriers) {
      int passed = 0;
      try {
        pool.run([&](int index) {
          for (int i = 0; i < barriers; ++i)
            pool.barrier(index);
          if (index == bad)
            throw std::runtime_error("thread " + std::to_string(bad));
          for (int i = 0; i < 3; ++i)
            pool.barrier(index);
          ++passed;
        });
        ADD_FAILURE() << "no exception";
      } catch (const std::runtime_error &error) {
        EXPECT_EQ(error.what(), "thread " + std::to_string(bad));
      }
      EXPECT_EQ(passed, 0);
      std::vector<int> calls(std::size_t(count), 0);
      pool.run([&](int index) {
        pool.barrier(index);
        ++calls[std::size_t(index)];
      });
      EXPECT_EQ(calls, std::vector<int>(std::size_t(count), 1));
    }
}

TEST_P(ThreadPoolTest, OneOfManyExceptionsReachesTheCaller) {
  for (int i = 0; i < 100; ++i)
    EXPECT_THROW(pool.run([&](int index) { throw index; }), int);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 9));

TEST(ThreadPool, ThreadsBlockSignals) {
  ThreadPool pool(2);
  bool blocked[2];
  pool.run([&](int index) {
    sigset_t set;
    pthread_sigmask(SIG_SETMASK, nullptr, &set);
    blocked[index] = sigismember(&set, SIGINT) == 1;
  });
  EXPECT_FALSE(blocked[0]);
  EXPECT_TRUE(blocked[1]);
}

// A worker that finds itself on the processor of the caller moves away from it,
// and stays free to run anywhere.
TEST(ThreadPool, ThreadsThatShareAProcessorPart) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  if (CPU_COUNT(&before) < 2 || processor_count() < 2)
    GTEST_SKIP() << "there is one processor";
  ThreadPool pool(2);
  int parted = 0;
  for (int i = 0; i < 20; ++i) {
    int caller = sched_getcpu();
    pool.run([&](int index) {
      if (index == 0)
        return;
      cpu_set_t one;
      CPU_ZERO(&one);
      CPU_SET(caller, &one);
      sched_setaffinity(0, sizeof one, &one);
      sched_setaffinity(0, sizeof before, &before);
    });
    int places[2];
    cpu_set_t after;
    pool.run([&](int index) {
      places[index] = sched_getcpu();
      if (index == 1)
        sched_getaffinity(0, sizeof after, &after);
    });
    parted += places[0] != places[1];
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
  }
  // The system may always move them together again.
  EXPECT_GE(parted, 10);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Sanitizers need more address space than such a limit leaves.
TEST(ThreadPool, ThreadsThatDoNotStartAreAnError) {
  pid_t child = fork();
  if (child == 0) {
    // No room for a thousand stacks.
    rlimit limit{1ull << 30, 1ull << 30};
    if (setrlimit(RLIMIT_AS, &limit) != 0)
      _exit(2);
    try {
      ThreadPool pool(1024);
      _exit(3);
    } catch (const Error &error) {
      std::string sentence = error.what();
      bool good = error.code() == ErrorCode::OutOfMemory &&
                  sentence.find("could not start thread ") == 0 &&
                  sentence.find(" of 1024: ") != std::string::npos;
      _exit(good ? 0 : 4);
    } catch (...) {
      _exit(5);
    }
  }
  int status;
  waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

} // namespace
