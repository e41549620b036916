// An application that embeds the runtime: public headers, C++17, the shared
// library, a model loaded by name.
#include <dann/dann.hpp>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <iostream>
#include <thread>
#include <unistd.h>
#include <vector>

static_assert(__cplusplus < 202000L, "this test is about C++17");

namespace {

TEST(Embedding, LoadsAndTrainsAModel) {
  auto program = dann::Program::load(DANN_LINEAR_SHARED);
  EXPECT_EQ(program->description().name, "linear");
  dann::SessionOptions options;
  options.threads = 1;
  dann::Session session(program, options);
  session.initialize(1);

  std::vector<float> pixels = {1, 0, 0, 0, 0, 1, 0, 0};
  std::vector<std::int64_t> labels = {2, 1};
  auto x = dann::Tensor::borrow(pixels.data(), {2, 4});
  auto y = dann::Tensor::borrow(labels.data(), {2});
  double first = session.train_step(x, y, 0.1);
  for (int i = 0; i < 20; ++i)
    session.train_step(x, y, 0.1);
  EXPECT_LT(session.evaluate(x, y).loss, first);
  EXPECT_EQ(session.forward(x).shape(), (dann::Shape{2, 3}));
}

TEST(Embedding, CatchesErrorsOfTheLibrary) {
  try {
    dann::Program::load("/missing.so");
    FAIL();
  } catch (const dann::Error &error) {
    EXPECT_EQ(error.code(), dann::ErrorCode::InputOutput);
  }
}

// Sessions of one program on several threads do not disturb each other.
TEST(Embedding, SessionsAreIndependent) {
  auto program = dann::Program::load(DANN_LINEAR_SHARED);
  auto train = [&](std::int64_t seed, std::vector<double> &losses) {
    dann::Session session(program);
    session.initialize(seed);
    const float pixels[] = {1, 0, 0.5, 0};
    const std::int64_t label = 1;
    for (int i = 0; i < 200; ++i)
      losses.push_back(session.train_step(dann::Tensor::borrow(pixels, {1, 4}),
                                          dann::Tensor::borrow(&label, {1}),
                                          0.1));
  };
  std::vector<std::vector<double>> together(4), alone(4);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 4; ++i)
    threads.emplace_back([&, i] { train(std::int64_t(i), together[i]); });
  for (std::thread &thread : threads)
    thread.join();
  for (std::size_t i = 0; i < 4; ++i)
    train(std::int64_t(i), alone[i]);
  EXPECT_EQ(together, alone);
}

// Training, then inference, which prepares derived tensors.
std::vector<float> train_and_run(dann::Session &session, std::int64_t seed) {
  session.initialize(seed);
  std::vector<float> pixels(32 * 4);
  std::vector<std::int64_t> labels(32);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = float((i * 29 + std::size_t(seed) * 17) % 64) / 64;
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = std::int64_t(i + std::size_t(seed)) % 3;
  auto x = dann::Tensor::borrow(pixels.data(), {32, 4});
  auto y = dann::Tensor::borrow(labels.data(), {32});
  std::vector<float> results;
  for (int step = 0; step < 50; ++step)
    results.push_back(float(session.train_step(x, y, 0.1)));
  dann::Tensor logits = session.forward(x);
  auto *begin = logits.data<const float>();
  results.insert(results.end(), begin, begin + logits.element_count());
  return results;
}

// How long the test of threads that run at once goes on; long is better.
std::chrono::milliseconds stress_duration() {
  const char *seconds = std::getenv("DANN_STRESS_SECONDS");
  return std::chrono::milliseconds(
      seconds ? std::int64_t(1000 * std::atof(seconds)) : 1000);
}

// Eight threads with a session each on one program get what one thread gets
// alone, bit for bit.
TEST(Embedding, ResultsDoNotDependOnOtherSessions) {
  constexpr std::size_t count = 8;
  auto program = dann::Program::load(DANN_LINEAR_SHARED);
  auto options = [](std::size_t i) {
    dann::SessionOptions result;
    result.threads = 1 + int(i % 2);
    return result;
  };
  std::vector<std::vector<float>> alone;
  for (std::size_t i = 0; i < count; ++i) {
    dann::Session session(program, options(i));
    alone.push_back(train_and_run(session, std::int64_t(i)));
  }
  auto end = std::chrono::steady_clock::now() + stress_duration();
  std::vector<std::size_t> rounds(count), different(count);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i)
    threads.emplace_back([&, i] {
      dann::Session session(program, options(i));
      do {
        different[i] += train_and_run(session, std::int64_t(i)) != alone[i];
        ++rounds[i];
      } while (std::chrono::steady_clock::now() < end);
    });
  for (std::thread &thread : threads)
    thread.join();
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    total += rounds[i];
    EXPECT_EQ(different[i], 0u)
        << "of " << rounds[i] << " rounds, session " << i;
    EXPECT_GE(rounds[i], 1u);
  }
  std::cout << total << " rounds\n";
}

// Sanitizers keep freed memory for a while.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
std::size_t resident_bytes() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return pages * std::size_t(sysconf(_SC_PAGESIZE));
}

TEST(Embedding, SessionsGiveTheirMemoryBack) {
  auto program = dann::Program::load(DANN_LINEAR_SHARED);
  const float pixels[] = {1, 0, 0.5, 0};
  const std::int64_t label = 1;
  auto cycle = [&](int threads) {
    dann::SessionOptions options;
    options.threads = threads;
    dann::Session session(program, options);
    session.initialize(1);
    session.train_step(dann::Tensor::borrow(pixels, {1, 4}),
                       dann::Tensor::borrow(&label, {1}), 0.1);
    session.forward(dann::Tensor::borrow(pixels, {1, 4}));
    if (threads != 1)
      dann::Program::load(DANN_LINEAR_SHARED);
  };
  // Threads are few: on a busy machine each start may take milliseconds.
  auto run = [&](int cycles) {
    for (int i = 0; i < cycles; ++i)
      cycle(i % 50 == 0 ? 2 : 1);
  };
  run(500); // until allocators have what they keep
  std::size_t before = resident_bytes();
  run(10000);
  // A leak of 100 bytes a cycle would be twice as much.
  EXPECT_LT(resident_bytes(), before + 500000);
}
#endif

TEST(Embedding, ViewsOutliveTheSession) {
  dann::Tensor view;
  {
    dann::Session session(dann::Program::load(DANN_LINEAR_SHARED));
    session.initialize(1);
    view = session.parameter("0.w");
  }
  EXPECT_GE(view.data<const float>()[0], 0);
  EXPECT_THROW(view.data<float>(), dann::Error);
}

} // namespace
