// Training for whole epochs, by the public interface.
#include "dann/training.hpp"

#include "expect_error.h"
#include "linear_model.h"
#include "program.pb.h"
#include "temporary_directory.h"

#include <cmath>
#include <limits>

using namespace dann;
using testing::ElementsAre;
using testing::HasSubstr;

namespace {

constexpr std::int64_t kSamples = 22;

/// The samples of x and y, handed out by number.
class Source : public BatchSource {
public:
  Source(Tensor x, Tensor y) : x_(std::move(x)), y_(std::move(y)) {}

  std::int64_t sample_count() const override { return kSamples; }
  void read(const std::int64_t *indices, std::int64_t count, const Tensor &x,
            const Tensor &y) override {
    EXPECT_EQ(x.shape(), (Shape{count, kFeatures}));
    for (std::int64_t i = 0; i < count; ++i) {
      std::copy_n(x_.data<const float>() + indices[i] * kFeatures, kFeatures,
                  x.data<float>() + i * kFeatures);
      y.data<std::int64_t>()[i] = y_.data<const std::int64_t>()[indices[i]];
    }
    if (++reads == failing_read)
      throw std::runtime_error("the tape broke");
    if (reads == bad_read)
      x.data<float>()[1] = std::nanf("");
  }

  int reads = 0, failing_read = 0, bad_read = 0;

private:
  Tensor x_, y_;
};

class TrainingTest : public testing::Test {
protected:
  TrainingTest() {
    for (std::int64_t i = 0; i < x.element_count(); ++i)
      x.data<float>()[i] = float(i * 37 % 64) / 64;
    for (std::int64_t i = 0; i < kSamples; ++i)
      y.data<std::int64_t>()[i] = i * 7 % kClasses;
    session.initialize(5);
    state.seed = 5;
    state.learning_rate = 0.3;
    options.epochs = 3;
  }

  std::vector<float> weights(const Session &of) {
    auto *begin = of.parameter("0.w").data<const float>();
    return {begin, begin + kClasses * kFeatures};
  }

  /// The weights after a training that nothing disturbs.
  std::vector<float> expected() {
    Session other(program, {1});
    other.initialize(5);
    TrainingState from = state;
    EXPECT_TRUE(train(other, x, y, from, options));
    return weights(other);
  }

  std::shared_ptr<const Program> program = Program::from_model(dann_model);
  Session session{program, {1}};
  TrainingState state = TrainingState::defaults(*program);
  TrainingOptions options;
  Tensor x{ElementType::F32, {kSamples, kFeatures}};
  Tensor y{ElementType::I64, {kSamples}};
  TemporaryDirectory directory;
};

TEST_F(TrainingTest, DefaultsAreTheProgramsOwn) {
  state = TrainingState::defaults(*program);
  EXPECT_EQ(state.batch_size, 8);
  EXPECT_EQ(state.learning_rate, 0.5);
  options.epochs = 0;
  EXPECT_TRUE(train(session, x, y, state, options));
  EXPECT_EQ(state.epoch, 2);
  EXPECT_EQ(state.sample_count, kSamples);
}

// The steps, one by one, with the tested train_step.
TEST_F(TrainingTest, TakesTheStepsOfItsSchedule) {
  state.batch_size = kSamples; // no order to know of, but for rounding
  state.schedule = {Decay::Stepwise, 0.5, 1};
  EXPECT_TRUE(train(session, x, y, state, options));
  Session other(program, {1});
  other.initialize(5);
  for (double rate : {0.3, 0.15, 0.075})
    other.train_step(x, y, rate);
  std::vector<float> is = weights(session), should = weights(other);
  for (std::size_t i = 0; i < is.size(); ++i)
    EXPECT_NEAR(is[i], should[i], 1e-6);
}

TEST_F(TrainingTest, SaysHowFarItIs) {
  std::vector<std::int64_t> epochs, steps;
  std::vector<bool> done;
  options.epochs = 2;
  options.progress = [&](const TrainingProgress &now) {
    epochs.push_back(now.epoch);
    steps.push_back(now.step);
    done.push_back(now.epoch_done);
    EXPECT_EQ(now.steps_per_epoch, 3);
    EXPECT_EQ(now.learning_rate, 0.3);
    EXPECT_GT(now.loss, 0);
    session.evaluate(x, y); // changes nothing
    return true;
  };
  TrainingState from = state;
  EXPECT_TRUE(train(session, x, y, from, options));
  EXPECT_THAT(epochs, ElementsAre(1, 1, 1, 2, 2, 2));
  EXPECT_THAT(steps, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(done, ElementsAre(false, false, true, false, false, true));
  options.progress = nullptr;
  EXPECT_EQ(weights(session), expected());
}

TEST_F(TrainingTest, ASourceGivesTheSameRun) {
  Source source(x, y);
  TrainingState from = state;
  EXPECT_TRUE(train(session, source, from, options));
  EXPECT_EQ(source.reads, 9);
  EXPECT_EQ(weights(session), expected());
}

// Cancelled after any step and continued, with the same state or from the file.
TEST_F(TrainingTest, ContinuesWhereItWasCancelled) {
  const std::vector<float> whole = expected();
  for (std::int64_t last = 1; last < 9; ++last) {
    session.initialize(5);
    TrainingState now = state;
    TrainingOptions cancelled = options;
    cancelled.checkpoint = directory / "c";
    cancelled.progress = [&](const TrainingProgress &at) {
      return at.step != last;
    };
    EXPECT_FALSE(train(session, x, y, now, cancelled));
    EXPECT_EQ(now.epoch * 3 + (now.position + 7) / 8, last);

    Session other(program, {2});
    TrainingState loaded = load_checkpoint(directory / "c", other);
    EXPECT_TRUE(train(other, x, y, loaded, options));
    EXPECT_EQ(weights(other), whole);
    EXPECT_TRUE(train(session, x, y, now, options));
    EXPECT_EQ(weights(session), whole);
  }
  // Said at the last step: there is nothing left to cancel.
  session.initialize(5);
  options.progress = [](const TrainingProgress &at) { return at.step != 9; };
  EXPECT_TRUE(train(session, x, y, state, options));
}

TEST_F(TrainingTest, SavesAsOftenAsTold) {
  options.checkpoint = directory / "c";
  options.checkpoint_every = 2;
  options.keep = 3;
  EXPECT_TRUE(train(session, x, y, state, options));
  // After steps 2, 3, 4, 6, 8, 9.
  auto steps_of = [&](const std::string &path) {
    Session other(program, {1});
    TrainingState at = load_checkpoint(path, other);
    return at.epoch * 3 + (at.position + 7) / 8;
  };
  EXPECT_EQ(steps_of(directory / "c"), 9);
  EXPECT_EQ(steps_of(directory / "c.1"), 8);
  EXPECT_EQ(steps_of(directory / "c.2"), 6);
  EXPECT_EQ(directory.file_count(), 3u);
}

TEST_F(TrainingTest, BytesAreMappedOntoTheInputRange) {
  Tensor bytes(ElementType::U8, x.shape());
  for (std::int64_t i = 0; i < x.element_count(); ++i) {
    bytes.data<std::uint8_t>()[i] = std::uint8_t(i * 51 % 256);
    x.data<float>()[i] = float(double(i * 51 % 256) / 255);
  }
  TrainingState from = state;
  EXPECT_TRUE(train(session, bytes, y, from, options));
  EXPECT_EQ(weights(session), expected());
}

TEST_F(TrainingTest, ErrorsOfTheApplicationEndIt) {
  Source source(x, y);
  source.failing_read = 3;
  options.checkpoint = directory / "c";
  EXPECT_THROW(train(session, source, state, options), std::runtime_error);
  EXPECT_EQ(state.position, 16); // two steps
  EXPECT_EQ(directory.file_count(), 0u);

  options.progress = [](const TrainingProgress &at) -> bool {
    if (at.epoch_done)
      throw std::logic_error("no");
    return true;
  };
  source.failing_read = 0;
  EXPECT_THROW(train(session, source, state, options), std::logic_error);
  EXPECT_EQ(directory.file_count(), 0u);

  // What had been done stays, and the rest follows.
  options.progress = nullptr;
  EXPECT_TRUE(train(session, source, state, options));
  state = TrainingState::defaults(*program);
  state.seed = 5;
  state.learning_rate = 0.3;
  EXPECT_EQ(weights(session), expected());
}

TEST_F(TrainingTest, SamplesAreChecked) {
  auto refuse = [&](const Tensor &samples, const Tensor &labels,
                    const char *sentence) {
    EXPECT_ERROR(train(session, samples, labels, state, options),
                 InvalidArgument, HasSubstr(sentence));
  };
  refuse(Tensor(ElementType::F32, {kSamples, 5}), y, "5 features");
  refuse(Tensor(ElementType::F32, {}), y, "x holds a single number");
  refuse(Tensor(ElementType::F32, {0, kFeatures}), y, "x holds no samples");
  refuse(x, Tensor(ElementType::I64, {3}), "y holds labels of shape [3]");
  y.data<std::int64_t>()[4] = 3;
  refuse(x, y, "y: the label of sample 4 is 3");
  y.data<std::int64_t>()[4] = 0;
  x.data<float>()[9] = 1.5f;
  refuse(x, y, "x: feature 1 of sample 2 is 1.5");

  x.data<float>()[9] = 0.5f;
  Source source(x, y);
  source.bad_read = 2;
  EXPECT_ERROR(train(session, source, state, options), InvalidArgument,
               "x[0, 1] is nan, but has to lie in [0, 1]");
  EXPECT_EQ(state.position, 8);
}

struct Nothing : BatchSource {
  std::int64_t sample_count() const override { return count; }
  void read(const std::int64_t *, std::int64_t, const Tensor &,
            const Tensor &) override {}
  std::int64_t count = 0;
};

TEST_F(TrainingTest, StatesAndOptionsAreChecked) {
  auto refuse = [&](auto &&alter, const char *sentence) {
    TrainingState from = state;
    TrainingOptions given = options;
    alter(from, given);
    EXPECT_ERROR(train(session, x, y, from, given), InvalidArgument,
                 HasSubstr(sentence));
  };
  using S = TrainingState &;
  using O = TrainingOptions &;
  refuse([](S s, O) { s.batch_size = 0; },
         "batch_size is 0, but has to be positive");
  refuse([](S s, O) { s.learning_rate = 0; },
         "learning_rate is 0, but has to be positive and finite");
  refuse([](S s, O) { s.learning_rate = HUGE_VAL; }, "learning_rate");
  refuse([](S s, O) { s.sample_count = -1; },
         "sample_count is -1, but has to be positive");
  refuse([](S s, O) { s.validation_samples = -1; },
         "validation_samples is -1, but has to be 0 or more");
  refuse([](S s, O) { s.epoch = -1; },
         "epoch is -1, but has to lie in [0, 2147483647]");
  refuse([](S s, O) { s.epoch = INT64_MAX; },
         "epoch is 9223372036854775807, but");
  refuse([](S s, O) { s.position = 3; },
         "position is 3, but has to be 22 or a multiple of");
  refuse([](S s, O) { s.position = 24; }, "position is 24, but has to be 22");
  refuse([](S s, O) { s.loss_sum = std::nan(""); },
         "loss_sum is nan, but has to be finite");
  refuse([](S s, O) { s.schedule.steps = 0; },
         "the schedule has the factor 1, 0 steps");
  refuse([](S, O o) { o.epochs = -1; },
         "epochs is -1, but has to lie in [0, 2147483647]");
  refuse([](S, O o) { o.epochs = INT64_MAX; }, "epochs is");
  refuse([](S, O o) { o.checkpoint_every = -1; },
         "checkpoint_every is -1, but has to be 0 or more");
  refuse([](S, O o) { o.keep = 0; }, "keep is 0, but has to be positive");
  refuse([](S, O o) { o.keep = 2; }, "keep need a checkpoint");
  refuse([](S, O o) { o.checkpoint_every = 2; }, "need a checkpoint");

  TrainingState other = state;
  other.sample_count = 100;
  EXPECT_ERROR(train(session, x, y, other, options), Incompatible,
               HasSubstr("used 100 samples, but the data has 22"));
  options.checkpoint = directory / "missing/c";
  EXPECT_ERROR(train(session, x, y, state, options), InputOutput,
               HasSubstr("missing/c"));
  EXPECT_EQ(state.position, 0);

  options.checkpoint.clear();
  Nothing nothing;
  EXPECT_ERROR(train(session, nothing, state, options), InvalidArgument,
               "there are 0 samples to train on, but at least one is needed");
  nothing.count = INT64_MAX / 2;
  EXPECT_ERROR(train(session, nothing, state, options), OutOfMemory,
               HasSubstr("could not shuffle"));
  // Zeros are samples like others.
  nothing.count = 1;
  EXPECT_TRUE(train(session, nothing, state, options));
}

TEST_F(TrainingTest, OtherProgramsAreRefused) {
  proto::Program description = linear_description();
  description.set_classes(0);
  for (int index : {5, 3, 2, 0}) // all but forward and prepare
    description.mutable_entry_points()->DeleteSubrange(index, 1);
  LinearModel model(description);
  const EntryPointAbi code[] = {model.entry_points[1], model.entry_points[4]};
  model.abi.entry_points = code;
  model.abi.entry_point_count = 2;
  Session inference(Program::from_model(model.abi), {1});
  state.batch_size = 8;
  EXPECT_ERROR(train(inference, x, y, state, options), InvalidArgument,
               HasSubstr("linear was not compiled for training"));
  // Nothing has a value yet.
  Session empty(program, {1});
  EXPECT_ERROR(train(empty, x, y, state, options), InvalidArgument,
               HasSubstr("0.w has no value yet"));
  EXPECT_ERROR(save_checkpoint(directory / "c", empty, state), InvalidArgument,
               HasSubstr("0.w has no value yet"));
  EXPECT_EQ(directory.file_count(), 0u);
}

TEST_F(TrainingTest, DivergenceEndsIt) {
  state.learning_rate = 3e38;
  options.epochs = 50;
  options.checkpoint = directory / "c";
  EXPECT_ERROR(train(session, x, y, state, options), Diverged,
               HasSubstr("training diverged"));
}

TEST_F(TrainingTest, LoadsAndSavesCheckpoints) {
  state.sample_count = x.shape()[0];
  save_checkpoint(directory / "c", session, state);
  TrainingState impossible = state;
  impossible.sample_count = 0;
  EXPECT_ERROR(save_checkpoint(directory / "c", session, impossible),
               InvalidArgument,
               "the training state is impossible: sample_count is 0, but has "
               "to be positive");
  EXPECT_EQ(load_checkpoint(directory / "c", session).sample_count,
            state.sample_count);
  EXPECT_ERROR(save_checkpoint(directory / "missing/c", session, state),
               InputOutput, HasSubstr("missing/c"));
  EXPECT_ERROR(load_checkpoint(directory / "missing", session), InputOutput,
               HasSubstr("missing"));
  // Parameters alone are no training, damaged ones nothing at all.
  session.save_parameters(directory / "p");
  EXPECT_ERROR(load_checkpoint(directory / "p", session), Incompatible,
               HasSubstr("no training to resume"));
  std::string bytes = read_file(directory / "c");
  bytes.back() ^= 1;
  write_file(directory / "c", bytes);
  const std::vector<float> before = weights(session);
  EXPECT_ERROR(load_checkpoint(directory / "c", session), InvalidData,
               HasSubstr("is damaged"));
  EXPECT_EQ(weights(session), before);
}

} // namespace
