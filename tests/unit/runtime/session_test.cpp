#include "dann/session.hpp"

#include "dataset.h"
#include "expect_error.h"
#include "linear_model.h"
#include "program.pb.h"
#include "session_access.h"
#include "temporary_directory.h"
#include "trainer.h"

#include <cmath>
#include <functional>

using namespace dann;
using testing::HasSubstr;

namespace {

class SessionTest : public testing::Test {
protected:
  SessionTest() : session(Program::from_model(dann_model)) {}

  /// w = [[1,0,0,0],[0,1,0,0],[0,0,1,0]], b = [0, 0, 0.5]
  void set_known_parameters() {
    Tensor w(ElementType::F32, {3, 4}), b(ElementType::F32, {3});
    for (int i = 0; i < 3; ++i)
      w.data<float>()[i * 4 + i] = 1;
    b.data<float>()[2] = 0.5;
    session.set_parameters({{"0.w", w}, {"0.b", b}});
  }

  Session session;
  const float x_values[8] = {1, 0, 0, 0, 0, 0, 1, 1};
  Tensor x = Tensor::borrow(x_values, {2, 4});
  const std::int64_t y_values[2] = {0, 1};
  Tensor y = Tensor::borrow(y_values, {2});
};

TEST_F(SessionTest, Forward) {
  set_known_parameters();
  Tensor logits = session.forward(x);
  EXPECT_EQ(logits.shape(), (Shape{2, 3}));
  EXPECT_THAT(
      std::vector<float>(logits.data<float>(), logits.data<float>() + 6),
      testing::ElementsAre(1, 0, 0.5f, 0, 0, 1.5f));
  // Results belong to the caller.
  session.forward(x).data<float>()[0] = 99;
  EXPECT_EQ(logits.data<float>()[0], 1);
}

TEST_F(SessionTest, Evaluate) {
  set_known_parameters();
  Evaluation result = session.evaluate(x, y);
  double first = std::log(std::exp(1.0) + 1 + std::exp(0.5)) - 1;
  double second = std::log(2 + std::exp(1.5));
  EXPECT_NEAR(result.loss, (first + second) / 2, 1e-6);
  EXPECT_EQ(result.errors, 1);
}

TEST_F(SessionTest, TrainStepUpdatesTheSession) {
  session.initialize(1);
  double before = session.train_step(x, y, 0.5);
  double after = session.train_step(x, y, 0.5);
  EXPECT_LT(after, before);
}

TEST_F(SessionTest, BatchSizesAlternate) {
  set_known_parameters();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(session.forward(x).shape(), (Shape{2, 3}));
    EXPECT_EQ(session.forward(Tensor::borrow(x_values, {1, 4})).shape(),
              (Shape{1, 3}));
  }
}

TEST_F(SessionTest, ScalarsHaveOneElement) {
  EXPECT_ERROR(session.run("init", {{"seed", y}}), InvalidArgument,
               "seed has the shape [2], but the model linear needs []");
}

TEST_F(SessionTest, RunTrainsOnGivenParameters) {
  const std::int64_t seed = 3;
  TensorMap initial =
      session.run("init", {{"seed", Tensor::borrow(&seed, {1})}});
  ASSERT_EQ(initial.size(), 2u);
  float untouched = initial["0.w"].data<float>()[1];

  TensorMap inputs = initial;
  inputs["x"] = x;
  inputs["y"] = y;
  TensorMap results = session.run("train_step", inputs);
  EXPECT_EQ(results.count("loss"), 1u);
  EXPECT_EQ(results["loss"].shape(), Shape{});
  // The session keeps what the step wrote; the caller's tensor is untouched.
  EXPECT_EQ(session.parameter("0.w").data<const float>()[4],
            results["0.w"].data<float>()[4]);
  EXPECT_EQ(initial["0.w"].data<float>()[1], untouched);

  // The default learning rate is the program's.
  session.set_parameters(initial);
  session.train_step(x, y, 0.5);
  EXPECT_EQ(session.parameter("0.b").data<const float>()[0],
            results["0.b"].data<float>()[0]);
}

TEST_F(SessionTest, GivenParametersOfAReadDoNotStay) {
  set_known_parameters();
  Tensor zeros(ElementType::F64, {3, 4});
  TensorMap results = session.run("forward", {{"x", x}, {"0.w", zeros}});
  EXPECT_EQ(results["logits"].data<float>()[0], 0);
  EXPECT_EQ(session.forward(x).data<float>()[0], 1);
}

/// What a session that has never computed anything else gives for the same
/// parameters.
std::vector<float> fresh_logits(const Session &session, const Tensor &x) {
  Session fresh(Program::from_model(dann_model));
  fresh.set_parameters(session.parameters());
  Tensor logits = fresh.forward(x);
  return {logits.data<float>(), logits.data<float>() + logits.element_count()};
}

// Derived tensors follow the parameters, whichever way they are written.
TEST_F(SessionTest, DerivedTensorsAreNeverStale) {
  TemporaryDirectory directory;
  session.initialize(7);
  session.save_parameters(directory / "c");
  const TrainingState state{7, 2, 0.5, 2, 0, 0, 0};
  save_checkpoint(directory / "checkpoint", session, state);
  TensorMap initial;
  for (const auto &[name, value] : session.parameters())
    initial[name] = value.clone();
  Tensor w(ElementType::F32, {3, 4});
  for (int i = 0; i < 12; ++i)
    w.data<float>()[i] = float(i) / 8;
  const std::int64_t seed = 5;
  Batch batch(session.program().description(), 2);
  batch.y.data<std::int64_t>()[0] = 2;
  TensorMap step = {{"x", x}, {"y", y}}, step_on_w = step;
  step_on_w["0.w"] = w;

  struct Path {
    const char *name;
    std::function<void()> write;
  };
  const Path paths[] = {
      {"initialize", [&] { session.initialize(3); }},
      {"set_parameter", [&] { session.set_parameter("0.w", w); }},
      {"set_parameters", [&] { session.set_parameters(initial); }},
      {"train_step", [&] { session.train_step(x, y, 0.5); }},
      {"load_parameters", [&] { session.load_parameters(directory / "c"); }},
      {"run init",
       [&] {
         session.run("init", {{"seed", Tensor::borrow(&seed, {})}});
       }},
      {"load_checkpoint",
       [&] { load_checkpoint(directory / "checkpoint", session); }},
      {"run train_step", [&] { session.run("train_step", step); }},
      {"load_checkpoint_parameters",
       [&] { load_checkpoint_parameters(directory / "checkpoint", session); }},
      {"run train_step on given parameters",
       [&] { session.run("train_step", step_on_w); }},
      {"train_step on checked samples",
       [&] { SessionAccess::train_step(session, batch, 0.5, 0); }},
  };
  std::vector<float> before;
  for (const Path &path : paths) {
    path.write();
    std::vector<float> expected = fresh_logits(session, x);
    EXPECT_NE(expected, before) << path.name << " changed nothing";
    for (int call = 0; call < 2; ++call) {
      Tensor logits = session.forward(x);
      EXPECT_EQ(std::vector<float>(logits.data<float>(),
                                   logits.data<float>() + expected.size()),
                expected)
          << path.name;
    }
    before = expected;
  }

  session.train_step(x, y, 0.5);
  Session fresh(Program::from_model(dann_model));
  fresh.set_parameters(session.parameters());
  EXPECT_EQ(session.evaluate(x, y).loss, fresh.evaluate(x, y).loss);
}

// Values given for one call are seen by that call, through derived tensors too,
// and by no other.
TEST_F(SessionTest, GivenParametersReachDerivedTensors) {
  set_known_parameters();
  TensorMap given = {{"x", x}, {"0.w", Tensor(ElementType::F32, {3, 4})}};
  EXPECT_EQ(session.forward(x).data<float>()[0], 1);
  EXPECT_EQ(session.run("forward", given)["logits"].data<float>()[0], 0);
  EXPECT_EQ(session.run("prepare", {{"0.w", given["0.w"]}})["derived/0.w"]
                .data<float>()[0],
            0);
  EXPECT_EQ(session.forward(x).data<float>()[0], 1);
  // A given value that is refused leaves nothing behind either.
  given["0.w"] = Tensor(ElementType::F32, {4, 3});
  EXPECT_ERROR(session.run("forward", given), InvalidArgument,
               HasSubstr("0.w has the shape [4, 3]"));
  EXPECT_EQ(session.forward(x).data<float>()[0], 1);
}

TEST_F(SessionTest, DerivedTensorsAreTheSessionsOwn) {
  set_known_parameters();
  Tensor derived = session.run("prepare", {})["derived/0.w"];
  EXPECT_EQ(derived.shape(), (Shape{4, 3}));
  EXPECT_EQ(derived.data<float>()[4], 1);
  derived.data<float>()[4] = 99;
  EXPECT_EQ(session.forward(x).data<float>()[0], 1);
  EXPECT_ERROR(session.run("forward", {{"x", x}, {"derived/0.w", derived}}),
               InvalidArgument,
               "the entry point forward has no input derived/0.w");
  EXPECT_ERROR(session.parameter("derived/0.w"), InvalidArgument,
               HasSubstr("no parameter derived/0.w"));
  EXPECT_EQ(session.parameters().count("derived/0.w"), 0u);
}

TEST_F(SessionTest, ElementTypesAreConverted) {
  set_known_parameters();
  const double x64[] = {1, 0, 0, 0, 0, 0, 1, 1};
  const std::int32_t y32[] = {0, 1};
  Evaluation expected = session.evaluate(x, y);
  Evaluation result =
      session.evaluate(Tensor::borrow(x64, {2, 4}), Tensor::borrow(y32, {2}));
  EXPECT_EQ(result.loss, expected.loss);
  EXPECT_EQ(result.errors, expected.errors);
}

TEST_F(SessionTest, InputsAreChecked) {
  set_known_parameters();
  auto with_x = [](std::vector<float> &values) {
    return Tensor::borrow(values.data(), {std::int64_t(values.size()) / 4, 4});
  };
  std::vector<float> bad = {0, 0, 0, 0, 0, 0, 0, std::nanf("")};
  EXPECT_ERROR(session.forward(with_x(bad)), InvalidArgument,
               "x[1, 3] is nan, but has to lie in [0, 1]");
  bad[7] = -0.25f;
  EXPECT_ERROR(session.forward(with_x(bad)), InvalidArgument,
               "x[1, 3] is -0.25, but has to lie in [0, 1]");
  const std::int64_t labels[] = {0, 3};
  EXPECT_ERROR(session.evaluate(x, Tensor::borrow(labels, {2})),
               InvalidArgument, "y[1] is 3, but has to lie in [0, 2]");
  EXPECT_ERROR(session.evaluate(x, Tensor::borrow(labels, {1})),
               InvalidArgument, "y holds 1 samples, but x holds 2");
  EXPECT_ERROR(session.forward(Tensor(ElementType::F32, {0, 4})),
               InvalidArgument, "x holds no samples");
  EXPECT_ERROR(session.forward(Tensor(ElementType::F32, {2, 5})),
               InvalidArgument,
               "x has the shape [2, 5], but the model linear needs [samples, "
               "4]");
  EXPECT_ERROR(session.forward(Tensor(ElementType::F32, {})), InvalidArgument,
               HasSubstr("x has the shape []"));
  EXPECT_ERROR(session.train_step(x, y, std::nan("")), InvalidArgument,
               HasSubstr("learning_rate is nan"));
  EXPECT_ERROR(session.run("forward", {}), InvalidArgument,
               "the entry point forward needs the input x");
  EXPECT_ERROR(session.run("forward", {{"x", x}, {"z", x}}), InvalidArgument,
               "the entry point forward has no input z");
  EXPECT_ERROR(session.run("forward", {{"x", x}, {"logits", x}}),
               InvalidArgument, "the entry point forward has no input logits");
  EXPECT_ERROR(session.run("backward", {}), InvalidArgument,
               HasSubstr("no entry point backward; it has init, forward"));
}

// The data set has looked at its samples when it was read.
TEST_F(SessionTest, BatchesAreNotCheckedAgain) {
  set_known_parameters();
  Batch batch(session.program().description(), 2);
  std::fill_n(batch.x.data<float>(), 8, 1.5f);
  std::fill_n(batch.y.data<std::int64_t>(), 2, 1);
  EXPECT_ERROR(session.evaluate(batch.x, batch.y), InvalidArgument,
               "x[0, 0] is 1.5, but has to lie in [0, 1]");
  // logits 1.5, 1.5, 2
  double expected = std::log(2 + std::exp(0.5));
  EXPECT_NEAR(SessionAccess::evaluate(session, batch).loss, expected, 1e-6);
  EXPECT_NEAR(SessionAccess::train_step(session, batch, 0.5, 0), expected,
              1e-6);
}

TEST_F(SessionTest, ParametersAreChecked) {
  EXPECT_ERROR(session.forward(x), InvalidArgument,
               HasSubstr("0.w has no value yet"));
  Tensor w(ElementType::F32, {3, 4});
  w.data<float>()[6] = -1;
  EXPECT_ERROR(session.set_parameter("0.w", w), InvalidArgument,
               "0.w[1, 2] is -1, but must not be negative");
  w.data<float>()[6] = std::nanf("");
  EXPECT_ERROR(session.set_parameter("0.w", w), InvalidArgument,
               "0.w[1, 2] is nan, but has to be finite");
  w.data<float>()[6] = HUGE_VALF;
  EXPECT_ERROR(session.set_parameter("0.w", w), InvalidArgument,
               "0.w[1, 2] is inf, but has to be finite");
  EXPECT_ERROR(session.set_parameter("0.w", Tensor(ElementType::F32, {4, 3})),
               InvalidArgument,
               "0.w has the shape [4, 3], but the model linear needs [3, 4]");
  EXPECT_ERROR(session.set_parameter("0.v", w), InvalidArgument,
               "the model linear has no parameter 0.v");
  const double beyond_f32[] = {0, 1e300, 0};
  EXPECT_ERROR(session.set_parameter("0.b", Tensor::borrow(beyond_f32, {3})),
               InvalidArgument, "0.b[1] is inf, but has to be finite");
}

TEST_F(SessionTest, AFailedLoadChangesNothing) {
  TemporaryDirectory directory;
  set_known_parameters();
  Tensor w(ElementType::F32, {3, 4}), b(ElementType::F32, {3});
  b.data<float>()[0] = std::nanf("");
  save_tensors(directory / "c", {{"0.w", w}, {"0.b", b}});
  EXPECT_ERROR(session.load_parameters(directory / "c"), Incompatible,
               HasSubstr("/c: 0.b[0] is nan"));
  EXPECT_EQ(session.parameter("0.w").data<const float>()[0], 1);
  save_tensors(directory / "c", {{"0.w", w}});
  EXPECT_ERROR(session.load_parameters(directory / "c"), Incompatible,
               HasSubstr("the parameter 0.b of the model linear is missing"));
  save_tensors(directory / "c", {{"0.w", w}, {"0.b", b}, {"1.w", w}});
  EXPECT_ERROR(session.load_parameters(directory / "c"), Incompatible,
               HasSubstr("has no parameter 1.w"));

  session.save_parameters(directory / "c");
  Session other(Program::from_model(dann_model));
  other.load_parameters(directory / "c");
  EXPECT_EQ(other.parameter("0.b").data<const float>()[2], 0.5f);
}

TEST_F(SessionTest, ErrorsOfCompiledCodeReachTheCaller) {
  for (int threads : {1, 2, 5}) {
    session = Session(Program::from_model(dann_model), {threads});
    EXPECT_ERROR(session.run("fail", {}), Internal,
                 HasSubstr("a matmul of [1, 1] and [1, 1] cannot give [2, 2]"));
    set_known_parameters();
    EXPECT_EQ(session.forward(x).data<float>()[0], 1);
  }
}

TEST_F(SessionTest, ResultsDoNotDependOnThreads) {
  constexpr std::int64_t samples = 50;
  Tensor images(ElementType::F32, {samples, kFeatures});
  Tensor labels(ElementType::I64, {samples});
  for (std::int64_t i = 0; i < images.element_count(); ++i)
    images.data<float>()[i] = float(i * 37 % 101) / 101;
  for (std::int64_t i = 0; i < samples; ++i)
    labels.data<std::int64_t>()[i] = i % 3;
  std::vector<double> losses;
  for (int threads : {1, 2, 3, 8}) {
    session = Session(Program::from_model(dann_model), {threads});
    session.initialize(1);
    for (int i = 0; i < 20; ++i)
      session.train_step(images, labels, 0.5);
    losses.push_back(session.evaluate(images, labels).loss);
  }
  EXPECT_EQ(losses, std::vector<double>(4, losses[0]));
}

// A description may ask for more than there is.
TEST_F(SessionTest, TooMuchScratchMemoryIsAnError) {
  for (std::int64_t bytes : {INT64_MAX, std::int64_t(1) << 48}) {
    proto::Program description = linear_description();
    description.mutable_entry_points(2)
        ->mutable_scratch()
        ->set_bytes_per_sample_group(bytes);
    LinearModel model(description);
    Session greedy(Program::from_model(model.abi), {1});
    greedy.initialize(1);
    EXPECT_ERROR(greedy.train_step(x, y, 0.5), OutOfMemory,
                 HasSubstr("out of memory"));
    EXPECT_EQ(greedy.forward(x).shape(), (Shape{2, 3}));
  }
}

TEST_F(SessionTest, ThreadsAreChecked) {
  auto program = Program::from_model(dann_model);
  EXPECT_ERROR(Session(program, {-1}), InvalidArgument,
               HasSubstr("-1 threads"));
  EXPECT_EQ(Session(program, {3}).threads(), 3);
  EXPECT_ERROR(Session(nullptr), InvalidArgument, HasSubstr("program"));
}

// Every step of training, not only what is saved.
TEST_F(SessionTest, WeightsStayNonNegative) {
  session.initialize(1);
  for (int i = 0; i < 50; ++i) {
    session.train_step(x, y, 2);
    Tensor w = session.parameter("0.w");
    for (std::int64_t j = 0; j < w.element_count(); ++j)
      ASSERT_GE(w.data<const float>()[j], 0);
  }
}

} // namespace
