// An application that embeds the runtime: public headers, C++17, the shared
// library, a model loaded by name.
#include <dann/dann.hpp>

#include <gtest/gtest.h>
#include <thread>
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
