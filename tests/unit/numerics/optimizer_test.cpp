// Compiled optimizers against optimizer_references.h. The gradients are the
// program's own, which other tests compare with golden numbers and differences.

#include "optimizer_references.h"

#include <Random123/philox.h>

#include <cstring>
#include <memory>

namespace dann::test {
namespace {

/// Labels for `key`, as docs/model.md says that they are drawn.
Tensor sample_labels(const Tensor &logits, std::int64_t key) {
  std::int64_t samples = logits.shape()[0], classes = logits.shape()[1];
  std::vector<double> z = to_doubles(logits);
  Tensor labels(ElementType::I64, {samples});
  for (std::int64_t b = 0; b < samples; ++b) {
    double best = -1e300;
    for (std::int64_t c = 0; c < classes; ++c) {
      std::uint64_t i = std::uint64_t(b * classes + c);
      r123::Philox4x32 philox;
      auto words = philox(
          {{std::uint32_t(i), std::uint32_t(i >> 32), 0,
            std::uint32_t(1) << 30}},
          {{std::uint32_t(key), std::uint32_t(std::uint64_t(key) >> 32)}});
      std::uint64_t bits = (std::uint64_t(words[0]) << 32 | words[1]) >> 11;
      double u = double(bits) * 0x1p-53 + 0x1p-54;
      double noisy = z[std::size_t(i)] - std::log(-std::log(u));
      if (noisy > best) {
        best = noisy;
        labels.data<std::int64_t>()[b] = c;
      }
    }
  }
  return labels;
}

/// The gradients of a batch at the session's parameters.
Values gradients_of(Session &session, const Tensor &x, const Tensor &y) {
  TensorMap results = session.run("loss_and_gradients", {{"x", x}, {"y", y}});
  Values gradients;
  for (const Parameter &parameter : session.program().description().parameters)
    gradients[parameter.name] =
        to_doubles(results.at("grad/" + parameter.name));
  return gradients;
}

/// Means of squares, from a call for each sample.
Values squares_of(Session &session, const Tensor &x, const Tensor &y) {
  Values squares;
  std::int64_t samples = x.shape()[0], width = x.shape()[1];
  std::vector<double> all = to_doubles(x);
  for (std::int64_t b = 0; b < samples; ++b) {
    Tensor row(ElementType::F64, {1, width}), label(ElementType::I64, {1});
    std::copy_n(all.begin() + b * width, width, row.data<double>());
    *label.data<std::int64_t>() = y.data<const std::int64_t>()[b];
    for (const auto &[name, values] : gradients_of(session, row, label)) {
      squares[name].resize(values.size());
      for (std::size_t i = 0; i < values.size(); ++i)
        squares[name][i] += values[i] * values[i] / double(samples);
    }
  }
  return squares;
}

/// Parameters away from their special initial values (ones, zeros, equal
/// entries), within their contracts.
TensorMap move_away(const Session &session) {
  std::mt19937_64 random(11);
  std::uniform_real_distribution<double> factor(0.7, 1.3), shift(0.01, 0.1);
  TensorMap moved;
  for (const Parameter &parameter :
       session.program().description().parameters) {
    Tensor value = session.parameter(parameter.name).clone();
    double side = parameter.sign == Sign::NonPositive ? -1 : 1;
    for (std::int64_t i = 0; i < value.element_count(); ++i) {
      double &entry = value.data<double>()[i];
      entry = entry * factor(random) + side * shift(random);
    }
    moved.emplace(parameter.name, value);
  }
  return moved;
}

using MakeReference =
    std::function<std::unique_ptr<Reference>(const Description &)>;

template <typename T, typename... Arguments>
MakeReference make(Arguments... arguments) {
  return [=](const Description &program) {
    return std::make_unique<T>(program, arguments...);
  };
}

double signed_power(double x, double power) {
  return sign(x) * std::pow(std::abs(x), power);
}

struct Case {
  const char *name;
  double rate;
  MakeReference make;
};

class Optimizer
    : public testing::TestWithParam<std::tuple<Case, const char *>> {};

TEST_P(Optimizer, FollowsItsFormula) {
  const auto &[test, precision] = GetParam();
  auto program =
      load_model("optimizer_" + std::string(test.name) + "-" + precision);
  bool is_f64 = program->description().element_type == ElementType::F64;
  // Sums of another order; in f32 over steps that amplify their differences.
  double tolerance = is_f64 ? 1e-9 : 2e-3;
  auto reference = test.make(program->description());
  Session session(program, {2});
  // The initial values of all precisions are those of f64, rounded.
  auto initial = load_model("optimizer_" + std::string(test.name) + "-f64");
  Session start(initial);
  start.initialize(3);
  TensorMap values;
  for (const auto &[name, value] : move_away(start))
    values.emplace(name, convert(value, program->description().element_type));
  session.set_parameters(values);

  for (int i = 0; i < 5; ++i) {
    TensorMap batch = random_batch(program->description(), 6 + i);
    Values parameters;
    for (const Parameter &parameter : program->description().parameters)
      parameters[parameter.name] =
          to_doubles(session.parameter(parameter.name));
    TensorMap inputs = batch;
    Tensor rate(ElementType::F64, {}), key(ElementType::I64, {});
    *rate.data<double>() = test.rate;
    *key.data<std::int64_t>() = 0x123456789abcdef * (i + 1);
    inputs.emplace("learning_rate", rate);
    Step step{gradients_of(session, batch["x"], batch["y"]), {}, test.rate};
    if (std::string_view(test.name).starts_with("natural")) {
      inputs.emplace("random_key", key);
      Tensor labels =
          sample_labels(session.forward(batch["x"]), *key.data<std::int64_t>());
      step.squares = squares_of(session, batch["x"], labels);
    }
    reference->step(parameters, step);
    for (const Parameter &parameter : program->description().parameters)
      for (double &value : parameters[parameter.name]) {
        if (!reference->projects)
          continue;
        if (parameter.sign == Sign::NonNegative)
          value = std::max(0.0, value);
        if (parameter.sign == Sign::NonPositive)
          value = std::min(0.0, value);
      }
    session.run("train_step", inputs);
    for (const Parameter &parameter : program->description().parameters) {
      const std::vector<double> &wanted = parameters[parameter.name];
      Tensor expected(ElementType::F64, parameter.shape);
      std::copy(wanted.begin(), wanted.end(), expected.data<double>());
      expect_close(session.parameter(parameter.name), expected, tolerance,
                   parameter.name + " after step " + std::to_string(i + 1));
    }
  }
}

std::vector<Case> all_cases() {
  auto identity = [](double x) { return x; };
  auto forth = [](double x) { return signed_power(x, 0.5); };
  auto back = [](double x) { return signed_power(x, 2); };
  return {{"momentum", 0.1, make<Sgd>(0.9, 0.0, false, 0.01, true)},
          {"nesterov", 0.1, make<Sgd>(0.8, 0.0, true, 0.0)},
          {"dampened", 0.1, make<Sgd>(0.9, 0.3, false, 0.0)},
          {"adam", 0.01, make<Adam>(0.9, 0.999, 0.02, false)},
          {"adamw", 0.01, make<Adam>(0.8, 0.99, 0.3, true)},
          {"amsgrad", 0.01, make<Adam>(0.9, 0.3, 0.0, false, true)},
          {"eg", 0.5, make<ExponentiatedGradient>(0.9, 0.05)},
          {"eg_split", 0.5, make<ExponentiatedGradient>(0.9, 0.05)},
          {"adam_eg", 0.05, make<AdamExponentiatedGradient>(0.999, false)},
          {"adam_eg_amsgrad", 0.05, make<AdamExponentiatedGradient>(0.3, true)},
          {"mirror_quadratic", 0.1, make<MirrorDescent>(identity, identity)},
          {"mirror_entropy", 0.5, make<Entropy>()},
          {"mirror_p", 0.1, make<MirrorDescent>(forth, back)},
          {"clip_layer", 0.1, make<Clipped>(0.0, true, 0.05, false)},
          {"clip_global", 0.1, make<Clipped>(0.9, false, 0.1, true)},
          {"angle", 5.0, make<CosineAngle>()},
          {"natural", 0.01, make<NaturalGradient>(false)},
          {"natural_scaled", 1.0, make<NaturalGradient>(true)},
          {"natural_columns", 1.0, make<NaturalGradient>(true)}};
}

INSTANTIATE_TEST_SUITE_P(All, Optimizer,
                         testing::Combine(testing::ValuesIn(all_cases()),
                                          testing::Values("f64", "f32")),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) +
                                  "_" + std::get<1>(info.param);
                         });

/// Trains with steps large enough to drive weights to the border.
void train(Session &session, double rate) {
  session.initialize(1);
  for (int i = 0; i < 30; ++i) {
    TensorMap batch = random_batch(session.program().description(), 8);
    session.train_step(batch["x"], batch["y"], rate);
  }
}

// Also with momentum, of which the step may lead out of the contract at a
// gradient that does not.
TEST(Optimizers, ProjectedOnesKeepContractsAndFreeParametersFree) {
  for (const char *name :
       {"momentum", "adam", "amsgrad", "mirror_p", "clip_layer"}) {
    auto program = load_model(std::string("optimizer_") + name + "-f32");
    Session session(program);
    train(session, 0.3);
    bool any_negative = false;
    for (const Parameter &parameter : program->description().parameters)
      for (double value : to_doubles(session.parameter(parameter.name))) {
        if (parameter.sign == Sign::NonNegative) {
          ASSERT_GE(value, 0) << name << ": " << parameter.name;
        }
        if (parameter.sign == Sign::NonPositive) {
          ASSERT_LE(value, 0) << name << ": " << parameter.name;
        }
        any_negative |= parameter.sign == Sign::Any && value < 0;
      }
    EXPECT_TRUE(any_negative) << name;
  }
}

TEST(Optimizers, ExponentiatedStepsKeepAllSignsAndZeros) {
  // Split biases follow large steps to where weights round to zero.
  for (auto [name, rate] :
       {std::pair("eg", 1.0), std::pair("eg_split", 0.1),
        std::pair("adam_eg", 1.0), std::pair("adam_eg_amsgrad", 0.1),
        std::pair("mirror_entropy", 1.0)}) {
    auto program = load_model(std::string("optimizer_") + name + "-f64");
    Session session(program);
    session.initialize(1);
    Tensor wex = session.parameter("0.wex").clone();
    for (std::int64_t i = 0; i < wex.element_count(); i += 5)
      wex.data<double>()[i] = 0;
    session.set_parameter("0.wex", wex);
    TensorMap before;
    for (const auto &[parameter, value] : session.parameters())
      before.emplace(parameter, value.clone());
    for (int i = 0; i < 30; ++i) {
      TensorMap batch = random_batch(program->description(), 8);
      session.train_step(batch["x"], batch["y"], rate);
    }
    for (const Parameter &parameter : program->description().parameters) {
      if (parameter.role == "b" || parameter.role == "alpha")
        continue;
      std::vector<double> old = to_doubles(before.at(parameter.name));
      std::vector<double> now = to_doubles(session.parameter(parameter.name));
      EXPECT_NE(old, now) << name << ": " << parameter.name;
      for (std::size_t i = 0; i < old.size(); ++i)
        ASSERT_EQ(sign(old[i]), sign(now[i]))
            << name << ": " << parameter.name << ", entry " << i;
    }
  }
}

/// The published split: a bias that starts at 0 is the sum of two parameters
/// that do not, and so can move by factors.
TEST(Optimizers, SplitBiasesStartAwayFromZeroAndMove) {
  auto program = load_model("optimizer_eg_split-f64");
  Session session(program);
  session.initialize(1);
  auto sum_of = [&](const std::string &layer) {
    std::vector<double> sum = to_doubles(session.parameter(layer + ".b_plus"));
    std::vector<double> minus =
        to_doubles(session.parameter(layer + ".b_minus"));
    for (std::size_t i = 0; i < sum.size(); ++i)
      sum[i] += minus[i];
    return sum;
  };
  for (const char *layer : {"0", "1"}) { // of E/I units
    for (double value :
         to_doubles(session.parameter(layer + std::string(".b_plus"))))
      EXPECT_EQ(value, 1);
    for (double value : sum_of(layer))
      EXPECT_EQ(value, 0);
  }
  // Of a standard layer with 7 inputs.
  double reach = std::sqrt(2 / 7.0);
  std::vector<double> plus = to_doubles(session.parameter("last.b_plus"));
  std::vector<double> minus = to_doubles(session.parameter("last.b_minus"));
  for (std::size_t i = 0; i < plus.size(); ++i) {
    EXPECT_GT(plus[i], 0);
    EXPECT_LT(plus[i], reach);
    EXPECT_LT(minus[i], 0);
    EXPECT_GT(minus[i], -reach);
    EXPECT_NE(plus[i], -minus[i]);
  }
  TensorMap batch = random_batch(program->description(), 8);
  session.train_step(batch["x"], batch["y"], 0.5);
  int moved = 0; // all but those of units that no sample excites
  for (double value : sum_of("0"))
    moved += value != 0;
  EXPECT_GT(moved, 3);
}

// A factor that would overflow is limited: zeros stay zeros.
TEST(Optimizers, ExponentiatedStepsOfAnySizeKeepZeros) {
  for (const char *precision : {"f32", "f64"}) {
    auto program = load_model(std::string("optimizer_eg-") + precision);
    Session session(program);
    session.initialize(1);
    Tensor g = session.parameter("0.g").clone();
    std::memset(g.mutable_bytes(), 0, g.byte_size());
    session.set_parameter("0.g", g);
    TensorMap batch = random_batch(program->description(), 8);
    session.train_step(batch["x"], batch["y"], 1e30);
    for (double value : to_doubles(session.parameter("0.g")))
      EXPECT_EQ(value, 0) << precision;
  }
}

TEST(Optimizers, InitializeStartsAfresh) {
  auto program = load_model("optimizer_adam-f32");
  Session session(program);
  train(session, 0.01);
  bool any = false;
  for (const auto &[name, value] : session.optimizer_state())
    for (double entry :
         value.element_type() == ElementType::I64
             ? std::vector<double>{double(*value.data<const std::int64_t>())}
             : to_doubles(value))
      any |= entry != 0;
  EXPECT_TRUE(any);
  session.initialize(1);
  for (const auto &[name, value] : session.optimizer_state()) {
    const auto *bytes = static_cast<const char *>(value.bytes());
    EXPECT_TRUE(std::all_of(bytes, bytes + value.byte_size(), [](char byte) {
      return byte == 0;
    })) << name;
  }
}

} // namespace
} // namespace dann::test
