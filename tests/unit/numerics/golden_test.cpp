// Compiled programs against golden numbers from an independent implementation.

#include "numerics.h"

#include <functional>

namespace dann::test {
namespace {

struct Case {
  const char *network;
  const char *backend;
  double tolerance;
};

// f64 leaves nothing but the order of sums; f32 has 24 bits and 20 steps of
// error growth.
constexpr double kF64 = 1e-9, kF32 = 2e-4;
// Factors of products are rounded to 8 bits, by 2^-9 of them at most, a product
// by 2^-8. Differences of products (excitation - inhibition) have larger
// relative errors; by how much depends on the network. This is 20 * 2^-8, from
// measurement.
constexpr double kBf16 = 0.08;
// The gradient of wix is such a difference again: 0.16 was measured.
constexpr double kBf16Interneurons = 0.25;

class Golden : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    golden_ = load_tensors(std::string(DANN_GOLDEN) + "/" + GetParam().network +
                               ".safetensors",
                           &metadata_);
    program_ =
        load_model(std::string(GetParam().network) + "-" + GetParam().backend);
    if (!can_run(program_))
      GTEST_SKIP() << "compiled for " << program_->description().target_cpu;
  }

  /// The golden parameters of a stage: "init", "step1" or "step20".
  TensorMap parameters(const std::string &stage) const {
    TensorMap result;
    for (const Parameter &parameter : program_->description().parameters)
      result[parameter.name] = convert(golden_.at(stage + "/" + parameter.name),
                                       program_->description().element_type);
    return result;
  }

  void expect_parameters(const Session &session, const std::string &stage) {
    for (const auto &[name, expected] : parameters(stage))
      expect_close(session.parameter(name), golden_.at(stage + "/" + name),
                   GetParam().tolerance, stage + "/" + name);
  }

  double learning_rate() const {
    return std::stod(metadata_.at("learning_rate"));
  }

  TensorMap golden_;
  Metadata metadata_;
  std::shared_ptr<const Program> program_;
};

TEST_P(Golden, HoldsAllParametersOfTheProgram) {
  std::size_t count = 0;
  for (const auto &[name, tensor] : golden_)
    count += name.rfind("init/", 0) == 0;
  EXPECT_EQ(program_->description().parameters.size(), count);
}

TEST_P(Golden, Forward) {
  Session session(program_);
  session.set_parameters(parameters("init"));
  TensorMap results = session.run("forward", {{"x", golden_.at("x")}});
  expect_close(results.at("logits"), golden_.at("logits"), GetParam().tolerance,
               "logits");
}

TEST_P(Golden, LossAndGradients) {
  Session session(program_);
  session.set_parameters(parameters("init"));
  TensorMap results = session.run(
      "loss_and_gradients", {{"x", golden_.at("x")}, {"y", golden_.at("y")}});
  expect_close(results.at("loss"), golden_.at("loss"), GetParam().tolerance,
               "loss");
  for (const Parameter &parameter : program_->description().parameters)
    if (is_trained(parameter))
      expect_close(results.at("grad/" + parameter.name),
                   golden_.at("grad/" + parameter.name), GetParam().tolerance,
                   "grad/" + parameter.name);
    else
      EXPECT_EQ(results.count("grad/" + parameter.name), 0U) << parameter.name;
}

TEST_P(Golden, TwentySteps) {
  Session session(program_);
  session.set_parameters(parameters("init"));
  Tensor x = convert(golden_.at("x"), program_->description().element_type);
  std::vector<double> losses = to_doubles(golden_.at("losses"));
  ASSERT_EQ(losses.size(), 20U);
  for (std::size_t step = 0; step < losses.size(); ++step) {
    double loss = session.train_step(x, golden_.at("y"), learning_rate());
    EXPECT_NEAR(loss, losses[step], GetParam().tolerance * losses[step])
        << "before step " << step + 1;
    if (step == 0)
      expect_parameters(session, "step1");
  }
  expect_parameters(session, "step20");
  if (golden_.count("step20/logits") != 0)
    expect_close(session.forward(x), golden_.at("step20/logits"),
                 GetParam().tolerance, "step20/logits");
}

/// Trains, and expects of each step that inference gives the bits of a session
/// that has never seen other parameters, on any number of threads: nothing is
/// left of what was prepared from older ones.
void expect_inference_follows(const std::shared_ptr<const Program> &program,
                              const TensorMap &parameters, const Tensor &x,
                              const Tensor &y, double learning_rate) {
  Session session(program, {2});
  session.set_parameters(parameters);
  for (int step = 0; step < 3; ++step) {
    std::vector<double> logits = to_doubles(session.forward(x));
    Evaluation evaluation = session.evaluate(x, y);
    for (int threads : {1, 2, 3, 4}) {
      Session fresh(program, {threads});
      fresh.set_parameters(session.parameters());
      Evaluation expected = fresh.evaluate(x, y);
      EXPECT_EQ(to_doubles(fresh.forward(x)), logits) << threads << " threads";
      EXPECT_EQ(expected.loss, evaluation.loss) << threads << " threads";
      EXPECT_EQ(expected.errors, evaluation.errors) << threads << " threads";
    }
    session.train_step(x, y, learning_rate);
  }
}

TEST_P(Golden, InferenceFollowsTraining) {
  expect_inference_follows(
      program_, parameters("init"),
      convert(golden_.at("x"), program_->description().element_type),
      golden_.at("y"), learning_rate());
}

// The loss of a step is computed from the layers as they are, that of an
// evaluation from folded ones, and with running statistics.
TEST_P(Golden, EvaluationAgreesWithTraining) {
  Session session(program_);
  session.set_parameters(parameters("init"));
  Tensor x = convert(golden_.at("x"), program_->description().element_type);
  double expected = golden_.count("evaluation_loss") != 0
                        ? to_doubles(golden_.at("evaluation_loss"))[0]
                        : to_doubles(golden_.at("losses"))[0];
  EXPECT_NEAR(session.evaluate(x, golden_.at("y")).loss, expected,
              GetParam().tolerance * expected);
}

Tensor difference(const Tensor &a, const Tensor &b) {
  Tensor result(ElementType::F64, b.shape());
  std::vector<double> x = to_doubles(a), y = to_doubles(b);
  std::transform(x.begin(), x.end(), y.begin(), result.data<double>(),
                 std::minus<>());
  return result;
}

/// |actual - expected| / |expected|, in Euclidean norms.
double relative_error(const Tensor &actual, const Tensor &expected) {
  double error = 0, norm = 0;
  std::vector<double> a = to_doubles(actual), e = to_doubles(expected);
  for (std::size_t i = 0; i < e.size(); ++i) {
    error += std::pow(a[i] - e[i], 2);
    norm += std::pow(e[i], 2);
  }
  return std::sqrt(error / norm);
}

double bf16_tolerance(const Parameter &parameter) {
  return parameter.role == "wix" ? kBf16Interneurons : kBf16;
}

// One step only: what is rounded differently takes another way from there.
TEST(GoldenBf16, TrainStep) {
  Metadata metadata;
  TensorMap golden =
      load_tensors(std::string(DANN_GOLDEN) + "/dense.safetensors", &metadata);
  std::shared_ptr<const Program> program = load_model("dense-auto-bf16");
  if (!can_run(program))
    GTEST_SKIP() << "compiled for " << program->description().target_cpu;
  ASSERT_EQ(program->description().precision, "bf16");
  Session session(program);
  for (const Parameter &parameter : program->description().parameters)
    session.set_parameter(
        parameter.name,
        convert(golden.at("init/" + parameter.name), ElementType::F32));

  Tensor x = convert(golden.at("x"), ElementType::F32);
  expect_inference_follows(program, session.parameters(), x, golden.at("y"),
                           std::stod(metadata.at("learning_rate")));
  EXPECT_LE(relative_error(session.forward(x), golden.at("logits")), kBf16);

  TensorMap results = session.run(
      "loss_and_gradients", {{"x", golden.at("x")}, {"y", golden.at("y")}});
  double rounding = 0;
  for (const Parameter &parameter : program->description().parameters) {
    const std::string name = "grad/" + parameter.name;
    double error = relative_error(results.at(name), golden.at(name));
    EXPECT_LE(error, bf16_tolerance(parameter)) << name;
    rounding = std::max(rounding, error);
  }
  // Products in f32 would be much closer.
  EXPECT_GT(rounding, 1e-3);

  double loss = session.train_step(x, golden.at("y"),
                                   std::stod(metadata.at("learning_rate")));
  double expected_loss = to_doubles(golden.at("losses"))[0];
  EXPECT_NEAR(loss, expected_loss, kBf16 * expected_loss);
  // Of the steps themselves: the parameters, which stay f32, hardly move.
  for (const Parameter &parameter : program->description().parameters) {
    Tensor before = golden.at("init/" + parameter.name);
    EXPECT_LE(relative_error(
                  difference(session.parameter(parameter.name), before),
                  difference(golden.at("step1/" + parameter.name), before)),
              bf16_tolerance(parameter))
        << parameter.name;
  }
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const char *network : {"dense", "dense_uncorrected", "dense_subtractive",
                              "conv", "images", "rnn"}) {
    cases.push_back({network, "auto-f32", kF32});
    cases.push_back({network, "generated-f64", kF64});
    cases.push_back({network, "generated-f32", kF32});
    cases.push_back({network, "onednn-f32", kF32});
  }
  for (const char *network : {"layer_norm", "batch_norm", "layer_norm_as_coded",
                              "batch_norm_as_coded", "column_ei", "frozen"}) {
    cases.push_back({network, "generated-f64", kF64});
    cases.push_back({network, "generated-f32", kF32});
    cases.push_back({network, "onednn-f32", kF32});
  }
  cases.push_back({"dense", "haswell-f32", kF32});
  cases.push_back({"dense", "haswell-f64", kF64});
  return cases;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::ValuesIn(all_cases()),
                         [](const auto &info) {
                           std::string name = std::string(info.param.network) +
                                              "_" + info.param.backend;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
} // namespace dann::test
