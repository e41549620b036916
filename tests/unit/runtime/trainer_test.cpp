#include "trainer.h"

#include "expect_error.h"
#include "linear_model.h"
#include "random.h"
#include "temporary_directory.h"

#include <cmath>

using namespace dann;
using testing::HasSubstr;

namespace {

/// 22 samples: with batches of 8, the last one of an epoch has 6.
class TrainerTest : public testing::Test {
protected:
  static constexpr std::int64_t kSamples = 22;

  TrainerTest() : session(program), data(make_data(program->description())) {}

  static Dataset make_data(const Description &description) {
    Tensor x(ElementType::U8, {kSamples, kFeatures});
    Tensor y(ElementType::I64, {kSamples});
    for (std::int64_t i = 0; i < x.element_count(); ++i)
      x.data<std::uint8_t>()[i] = std::uint8_t(
          random_bits(1, RandomStream::Benchmark, 0, std::uint64_t(i)));
    for (std::int64_t i = 0; i < kSamples; ++i)
      y.data<std::int64_t>()[i] = x.data<std::uint8_t>()[i * kFeatures] % 3;
    return Dataset(Samples(x, description, "x"), y, description, "y");
  }

  TrainingState start() { return {5, 8, 0.3, kSamples}; }

  /// Trains to the end of epoch `epochs`.
  static void train(Trainer &trainer, std::int64_t epochs) {
    while (trainer.state().epoch < epochs) {
      while (!trainer.epoch_done())
        trainer.step();
      trainer.finish_epoch();
    }
  }

  std::shared_ptr<const Program> program = Program::from_model(dann_model);
  Session session;
  Dataset data;
  TemporaryDirectory directory;
};

TEST_F(TrainerTest, TheLossFalls) {
  session.initialize(5);
  double before = evaluate(session, data).loss;
  Trainer trainer(session, data, start());
  EXPECT_EQ(trainer.steps_per_epoch(), 3);
  train(trainer, 5);
  EXPECT_LT(evaluate(session, data).loss, before);
}

TEST_F(TrainerTest, TheLossIsTheMeanOverSamples) {
  session.initialize(5);
  TrainingState state = start();
  state.learning_rate = 1e-30;
  Trainer trainer(session, data, state);
  EXPECT_EQ(trainer.mean_loss(), 0);
  while (!trainer.epoch_done())
    trainer.step();
  EXPECT_NEAR(trainer.mean_loss(), evaluate(session, data).loss, 1e-6);
}

TEST_F(TrainerTest, StepsAreCounted) {
  session.initialize(5);
  Trainer trainer(session, data, start());
  for (std::int64_t step = 0; step < 7; ++step) {
    EXPECT_EQ(trainer.steps_done(), step);
    if (trainer.epoch_done())
      trainer.finish_epoch();
    EXPECT_EQ(trainer.steps_done(), step);
    trainer.step();
  }
}

// Interrupted after any number of steps, at the end of an epoch too.
TEST_F(TrainerTest, AResumedRunIsTheSameRun) {
  session.initialize(5);
  Trainer uninterrupted(session, data, start());
  train(uninterrupted, 3);
  save_checkpoint(directory / "whole", session, uninterrupted.state());

  for (int steps = 0; steps < 9; ++steps) {
    Session first(program, {1});
    first.initialize(5);
    Trainer begun(first, data, start());
    for (int i = 0; i < steps; ++i) {
      if (begun.epoch_done())
        begun.finish_epoch();
      begun.step();
    }
    save_checkpoint(directory / "part", first, begun.state());

    Session second(program, {2});
    Trainer resumed(second, data, load_checkpoint(directory / "part", second));
    train(resumed, 3);
    save_checkpoint(directory / "resumed", second, resumed.state());
    EXPECT_EQ(read_file(directory / "resumed"), read_file(directory / "whole"))
        << "interrupted after " << steps << " steps";
  }
}

// Batches are gathered by all threads.
TEST_F(TrainerTest, ThreadsDoNotChangeTheRun) {
  for (int threads : {1, 2, 3}) {
    Session other(program, {threads});
    other.initialize(5);
    Trainer trainer(other, data, start());
    train(trainer, 2);
    save_checkpoint(directory / std::to_string(threads), other,
                    trainer.state());
  }
  EXPECT_EQ(read_file(directory / "1"), read_file(directory / "2"));
  EXPECT_EQ(read_file(directory / "1"), read_file(directory / "3"));
}

TEST_F(TrainerTest, TheLearningRateFollowsItsSchedule) {
  // The values of the formulas in dann/program.hpp, worked out by hand.
  Schedule schedule;
  EXPECT_EQ(schedule.factor_at(1000), 1);
  schedule = {Decay::Stepwise, 0.5, 10};
  EXPECT_EQ(schedule.factor_at(9), 1);
  EXPECT_EQ(schedule.factor_at(10), 0.5);
  EXPECT_EQ(schedule.factor_at(39), 0.125);
  schedule = {Decay::Exponential, 0.25, 10};
  EXPECT_DOUBLE_EQ(schedule.factor_at(5), 0.5);
  EXPECT_DOUBLE_EQ(schedule.factor_at(10), 0.25);
  schedule = {Decay::Cosine, 1, 8, 0.2, 4};
  EXPECT_DOUBLE_EQ(schedule.factor_at(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.factor_at(3), 1);
  EXPECT_DOUBLE_EQ(schedule.factor_at(4), 1);
  EXPECT_DOUBLE_EQ(schedule.factor_at(8), 0.6);
  EXPECT_DOUBLE_EQ(schedule.factor_at(12), 0.2);
  EXPECT_DOUBLE_EQ(schedule.factor_at(99), 0.2);

  // Resumed in the middle, the trainer takes the rates of the whole run.
  session.initialize(5);
  TrainingState state = start();
  state.schedule = {Decay::Stepwise, 0.5, 2};
  Trainer trainer(session, data, state);
  std::vector<double> rates;
  for (int i = 0; i < 7; ++i) {
    if (trainer.epoch_done())
      trainer.finish_epoch();
    if (i == 4)
      save_checkpoint(directory / "c", session, trainer.state());
    rates.push_back(trainer.learning_rate());
    trainer.step();
  }
  EXPECT_EQ(rates,
            (std::vector<double>{0.3, 0.3, 0.15, 0.15, 0.075, 0.075, 0.0375}));
  Trainer resumed(session, data, load_checkpoint(directory / "c", session));
  EXPECT_EQ(resumed.learning_rate(), 0.075);
}

TEST_F(TrainerTest, SeedsDiffer) {
  TrainingState other = start();
  other.seed = 6;
  std::string files[2];
  for (const TrainingState &state : {start(), other}) {
    session.initialize(5);
    Trainer trainer(session, data, state);
    train(trainer, 1);
    session.save_parameters(directory / "c");
    files[state.seed == 6] = read_file(directory / "c");
  }
  EXPECT_NE(files[0], files[1]);
}

TEST_F(TrainerTest, DivergenceIsAnError) {
  session.initialize(5);
  TrainingState state = start();
  state.learning_rate = 3e38;
  Trainer trainer(session, data, state);
  EXPECT_ERROR(train(trainer, 10), Diverged,
               HasSubstr("at a learning rate of 3e+38"));
  EXPECT_ERROR(save_checkpoint(directory / "c", session, trainer.state()),
               Diverged, HasSubstr("training diverged"));
  EXPECT_EQ(directory.file_count(), 0u);
}

TEST_F(TrainerTest, CheckpointsAreChecked) {
  session.initialize(5);
  std::string path = directory / "c";
  save_checkpoint(path, session, start());
  Metadata good;
  TensorMap parameters = load_tensors(path, &good);

  auto expect = [&](const char *key, const char *value, ErrorCode code,
                    const char *sentence) {
    Metadata metadata = good;
    metadata[key] = value;
    save_tensors(path, parameters, metadata);
    try {
      load_checkpoint(path, session);
      ADD_FAILURE() << key << " = " << value << " was accepted";
    } catch (const Error &error) {
      EXPECT_EQ(int(error.code()), int(code));
      EXPECT_THAT(error.what(), HasSubstr(sentence));
    }
  };
  expect("model", "other", ErrorCode::Incompatible,
         "is a checkpoint of the model other, not of linear");
  expect("format_version", "2", ErrorCode::Incompatible, "format version 2");
  expect("batch_size", "0", ErrorCode::InvalidData, "batch_size is 0, but");
  expect("batch_size", "8x", ErrorCode::InvalidData, "batch_size is '8x'");
  expect("learning_rate", "nan", ErrorCode::InvalidData,
         "learning_rate is 'nan'");
  expect("validation_samples", "-1", ErrorCode::InvalidData,
         "validation_samples is -1, but");
  expect("epoch", "-1", ErrorCode::InvalidData, "epoch is -1, but");
  expect("epoch", "9000000000000000000", ErrorCode::InvalidData, "epoch is");
  expect("position", "99", ErrorCode::InvalidData,
         "position is 99, but has to be 22 or a multiple of 8 below it");
  expect("position", "3", ErrorCode::InvalidData, "position is 3, but");
  expect("seed", "99999999999999999999", ErrorCode::InvalidData, "seed is");
  expect("schedule", "magic", ErrorCode::InvalidData, "schedule is 'magic'");
  expect("schedule_steps", "0", ErrorCode::InvalidData,
         "the schedule has the factor 1, 0 steps");

  // As written before samples could be held out.
  Metadata old = good;
  old.erase("validation_samples");
  save_tensors(path, parameters, old);
  EXPECT_EQ(load_checkpoint(path, session).validation_samples, 0);

  save_tensors(path, parameters);
  EXPECT_ERROR(load_checkpoint(path, session), Incompatible,
               HasSubstr("no training to resume"));
  load_checkpoint_parameters(path, session);

  TrainingState other = start();
  other.sample_count = 100;
  EXPECT_ERROR(Trainer(session, data, other), Incompatible,
               HasSubstr("used 100 samples, but the data has 22"));
}

TEST_F(TrainerTest, PredictCoversAllSamples) {
  session.initialize(5);
  Tensor x(ElementType::F32, {1001, kFeatures});
  for (std::int64_t i = 0; i < x.element_count(); ++i)
    x.data<float>()[i] = float(i % 97) / 97;
  Tensor logits = predict(session, Samples(x, program->description(), "x"));
  ASSERT_EQ(logits.shape(), (Shape{1001, kClasses}));
  Tensor last = session.forward(Tensor::borrow(
      static_cast<const float *>(x.data<float>()) + 1000 * kFeatures,
      {1, kFeatures}));
  for (std::int64_t j = 0; j < kClasses; ++j)
    EXPECT_FLOAT_EQ(logits.data<float>()[1000 * kClasses + j],
                    last.data<float>()[j]);
}

} // namespace
