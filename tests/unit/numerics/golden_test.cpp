// Compiled programs against golden numbers from an independent implementation.

#include "numerics.h"

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

class Golden : public testing::TestWithParam<Case> {
protected:
  void SetUp() override {
    golden_ = load_tensors(std::string(DANN_GOLDEN) + "/" + GetParam().network +
                               ".safetensors",
                           &metadata_);
    program_ =
        load_model(std::string(GetParam().network) + "-" + GetParam().backend);
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
    expect_close(results.at("grad/" + parameter.name),
                 golden_.at("grad/" + parameter.name), GetParam().tolerance,
                 "grad/" + parameter.name);
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
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const char *network :
       {"dense", "dense_uncorrected", "dense_subtractive"}) {
    cases.push_back({network, "generated-f64", kF64});
    cases.push_back({network, "generated-f32", kF32});
    cases.push_back({network, "onednn-f32", kF32});
  }
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
