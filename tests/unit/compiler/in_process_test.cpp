// An application that compiles models itself: public headers and C++17.
#include <dann/compiler.hpp>
#include <dann/dann.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

/// Losses of some steps and logits after them.
std::vector<float> train_and_run(std::shared_ptr<const dann::Program> program) {
  dann::SessionOptions options;
  options.threads = 1;
  dann::Session session(std::move(program), options);
  session.initialize(3);
  std::vector<float> pixels(8 * 64);
  for (std::size_t i = 0; i < pixels.size(); ++i)
    pixels[i] = float(i * 37 % 101) / 101;
  std::vector<std::int64_t> labels = {0, 1, 1, 0, 1, 0, 0, 1};
  auto x = dann::Tensor::borrow(pixels.data(), {8, 64});
  auto y = dann::Tensor::borrow(labels.data(), {8});
  std::vector<float> results;
  for (int i = 0; i < 5; ++i)
    results.push_back(float(session.train_step(x, y, 0.01)));
  dann::Tensor logits = session.forward(x);
  auto *begin = logits.data<const float>();
  results.insert(results.end(), begin, begin + logits.element_count());
  return results;
}

std::vector<std::string> texts(const dann::Compilation &compilation) {
  std::vector<std::string> result;
  for (const dann::Diagnostic &diagnostic : compilation.diagnostics)
    result.push_back(dann::to_string(diagnostic));
  return result;
}

// The program is the one that dann-compile writes, bit for bit.
TEST(InProcess, CompilesModelFiles) {
  std::shared_ptr<const dann::Program> program;
  {
    dann::Compilation compilation = dann::compile(DANN_MODEL);
    ASSERT_TRUE(compilation) << testing::PrintToString(texts(compilation));
    EXPECT_THAT(compilation.diagnostics, SizeIs(0));
    program = compilation.program;
  }
  EXPECT_EQ(program->description().name, "bars");
  EXPECT_EQ(train_and_run(program),
            train_and_run(dann::Program::load(DANN_COMPILED)));
}

TEST(InProcess, CompilesOnnxModels) {
  dann::Compilation compilation = dann::compile(DANN_ONNX_MODEL);
  ASSERT_TRUE(compilation) << testing::PrintToString(texts(compilation));
  EXPECT_EQ(compilation.program->description().classes, 0);
  // Initial values are in the program.
  EXPECT_FALSE(dann::Session(compilation.program).parameters().empty());

  dann::CompileOptions options;
  options.training.emplace(); // without a learning rate
  compilation = dann::compile(DANN_ONNX_MODEL, options);
  EXPECT_FALSE(compilation);
  EXPECT_THAT(texts(compilation), ElementsAre(HasSubstr("learning rate")));
  options.training->learning_rate = 0.25;
  compilation = dann::compile(DANN_ONNX_MODEL, options);
  ASSERT_TRUE(compilation) << testing::PrintToString(texts(compilation));
  EXPECT_EQ(compilation.program->description().default_learning_rate, 0.25);
  EXPECT_THAT(compilation.program->description().optimizer, HasSubstr("sgd"));
  options.training->optimizer = "adam { beta1: 0.5 }";
  compilation = dann::compile(DANN_ONNX_MODEL, options);
  ASSERT_TRUE(compilation) << testing::PrintToString(texts(compilation));
  EXPECT_THAT(compilation.program->description().optimizer, HasSubstr("adam"));
  options.training->optimizer = "newton {}";
  compilation = dann::compile(DANN_ONNX_MODEL, options);
  EXPECT_FALSE(compilation);
  EXPECT_THAT(texts(compilation), ElementsAre(HasSubstr("newton")));
}

TEST(InProcess, ReportsErrorsAndPrintsNothing) {
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  dann::Compilation broken = dann::compile_text(
      "name: \"x\"\nlayer { dense { units: -1 } }", "x.txtpb");
  dann::Compilation missing = dann::compile("/missing.txtpb");
  dann::Compilation missing_onnx = dann::compile("/missing.onnx");
  dann::CompileOptions options;
  options.backend = "cuda";
  options.precision = "f16";
  dann::Compilation unknown = dann::compile(DANN_MODEL, options);
  options = {};
  options.target_cpu = "abacus";
  dann::Compilation no_cpu = dann::compile(DANN_MODEL, options);
  options = {};
  options.training.emplace();
  dann::Compilation trained = dann::compile(DANN_MODEL, options);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");

  EXPECT_FALSE(broken);
  ASSERT_FALSE(broken.diagnostics.empty());
  EXPECT_EQ(broken.diagnostics[0].severity, dann::Diagnostic::Severity::Error);
  EXPECT_THAT(broken.diagnostics[0].place, HasSubstr("x.txtpb:"));
  EXPECT_FALSE(missing);
  EXPECT_THAT(texts(missing), ElementsAre(HasSubstr("/missing.txtpb")));
  EXPECT_FALSE(missing_onnx);
  EXPECT_THAT(texts(missing_onnx), ElementsAre(HasSubstr("/missing.onnx")));
  EXPECT_FALSE(unknown);
  EXPECT_THAT(
      texts(unknown),
      ElementsAre("error: backend is 'cuda', but has to be one of auto, "
                  "onednn, generated",
                  "error: precision is 'f16', but has to be one of f32, bf16, "
                  "f64"));
  EXPECT_FALSE(no_cpu);
  EXPECT_THAT(texts(no_cpu), ElementsAre(HasSubstr("abacus")));
  EXPECT_FALSE(trained);
  EXPECT_THAT(texts(trained), ElementsAre(HasSubstr("for ONNX models")));
}

TEST(InProcess, GivesRemarks) {
  dann::CompileOptions options;
  options.explain = true;
  dann::Compilation compilation = dann::compile(DANN_MODEL, options);
  ASSERT_TRUE(compilation);
  ASSERT_FALSE(compilation.diagnostics.empty());
  EXPECT_EQ(compilation.diagnostics[0].severity,
            dann::Diagnostic::Severity::Remark);
}

TEST(InProcess, CompilesOnSeveralThreads) {
  std::vector<float> expected =
      train_and_run(dann::Program::load(DANN_COMPILED));
  std::vector<std::vector<float>> results(2);
  std::vector<std::thread> threads;
  for (std::vector<float> &result : results)
    threads.emplace_back([&] {
      if (dann::Compilation compilation = dann::compile(DANN_MODEL))
        result = train_and_run(compilation.program);
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(results[0], expected);
  EXPECT_EQ(results[1], expected);
}

} // namespace
