#include "dataset.h"

#include "array_file.h"
#include "execution.h"
#include "expect_error.h"
#include "temporary_directory.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace dann;
using testing::HasSubstr;

namespace {

Description description() {
  Description program{};
  program.name = "net";
  program.element_type = ElementType::F32;
  program.input_shape = {2, 2};
  program.input_minimum = -1;
  program.input_maximum = 1;
  program.classes = 3;
  return program;
}

Tensor bytes(std::vector<std::uint8_t> values, Shape shape) {
  Tensor tensor(ElementType::U8, std::move(shape));
  std::copy(values.begin(), values.end(), tensor.data<std::uint8_t>());
  return tensor;
}

TEST(Samples, BytesAreMappedOntoTheInputRange) {
  Samples samples(bytes({0, 255, 51, 102, 0, 0, 0, 0}, {2, 4}), description(),
                  "x");
  std::int64_t indices[] = {0};
  Tensor x(ElementType::F32, {1, 2, 2});
  samples.gather(indices, 0, 1, x);
  auto *values = x.data<const float>();
  EXPECT_EQ(values[0], -1.0f);
  EXPECT_EQ(values[1], 1.0f);
  EXPECT_FLOAT_EQ(values[2], -0.6f);
  EXPECT_FLOAT_EQ(values[3], -0.2f);
}

TEST(Samples, OtherTypesAreTakenAsTheyAre) {
  const double values[] = {0.5, -1, 1, 0.25};
  Samples samples(Tensor::borrow(values, {1, 4}), description(), "x");
  std::int64_t indices[] = {0};
  Tensor x(ElementType::F32, {1, 2, 2});
  samples.gather(indices, 0, 1, x);
  EXPECT_EQ(x.data<const float>()[0], 0.5f);
  EXPECT_EQ(x.data<const float>()[3], 0.25f);
}

TEST(Samples, ErrorsNameTheValue) {
  double values[] = {0, 0, 0, 0, 0, 0, 1.5, 0};
  Tensor array = Tensor::borrow(values, {2, 4});
  EXPECT_ERROR(
      Samples(array, description(), "x.npy"), InvalidData,
      "x.npy: feature 2 of sample 1 is 1.5, but has to lie in [-1, 1]");
  values[6] = std::nan("");
  EXPECT_ERROR(
      Samples(array, description(), "x.npy"), InvalidData,
      "x.npy: feature 2 of sample 1 is nan, but has to lie in [-1, 1]");
  EXPECT_ERROR(Samples(Tensor::borrow(values, {4, 2}), description(), "x.npy"),
               InvalidData,
               "x.npy has 2 features per sample, but the model net takes 4");
  EXPECT_ERROR(Samples(Tensor::borrow(values, {0, 4}), description(), "x.npy"),
               InvalidData, "x.npy holds no samples");
  EXPECT_ERROR(Samples(Tensor::borrow(values, {}), description(), "x.npy"),
               InvalidData, HasSubstr("single number"));
}

TEST(Dataset, ErrorsNameTheLabel) {
  TemporaryDirectory directory;
  std::string x = directory / "x.npy", y = directory / "y.npy";
  save_npy(x, bytes({1, 2, 3, 4, 5, 6, 7, 8}, {2, 2, 2}));
  save_npy(y, bytes({0, 3}, {2}));
  EXPECT_ERROR(Dataset::load(x, y, description()), InvalidData,
               y + ": the label of sample 1 is 3, but the model net has the "
                   "classes 0 to 2");
  save_npy(y, bytes({0, 1, 2}, {3}));
  EXPECT_ERROR(Dataset::load(x, y, description()), InvalidData,
               y + " holds labels of shape [3], but " + x + " has 2 samples");
  const double half[] = {0, 0.5};
  save_npy(y, Tensor::borrow(half, {2}));
  EXPECT_ERROR(Dataset::load(x, y, description()), InvalidData,
               HasSubstr("not a whole number"));
  save_npy(y, bytes({0, 2}, {2}));
  EXPECT_EQ(Dataset::load(x, y, description()).count(), 2);
}

TEST(Dataset, BatchesHoldTheSamplesAskedFor) {
  Dataset data(Samples(bytes({0, 0, 0, 0, 255, 255, 255, 255}, {2, 4}),
                       description(), "x"),
               bytes({1, 2}, {2}), description(), "y");
  Batch batch(description(), 2);
  Execution execution(2);
  std::int64_t indices[] = {1, 0};
  batch.gather(data, indices, 2, execution);
  EXPECT_EQ(batch.x.shape(), (Shape{2, 2, 2}));
  EXPECT_EQ(batch.x.data<const float>()[0], 1.0f);
  EXPECT_EQ(batch.y.data<const std::int64_t>()[0], 2);
  EXPECT_EQ(batch.y.data<const std::int64_t>()[1], 1);
  batch.gather(data, indices, 1, execution);
  EXPECT_EQ(batch.x.shape(), (Shape{1, 2, 2}));
  EXPECT_EQ(batch.y.shape(), Shape{1});
}

/// 100 samples, each recognised by its one feature, labelled by the tens of
/// its number.
Dataset numbered_samples(const Description &program) {
  Tensor x(ElementType::U8, {100, 1}), y(ElementType::U8, {100});
  for (int i = 0; i < 100; ++i) {
    x.data<std::uint8_t>()[i] = std::uint8_t(i);
    y.data<std::uint8_t>()[i] = std::uint8_t(i / 10);
  }
  return Dataset(Samples(x, program, "x"), y, program, "y");
}

/// The numbers of a part of numbered_samples; checks that each has its label.
std::vector<int> numbers_of(const Dataset &part, const Description &program) {
  std::vector<std::int64_t> indices(std::size_t(part.count()));
  std::iota(indices.begin(), indices.end(), 0);
  Batch batch(program, part.count());
  Execution execution(1);
  batch.gather(part, indices.data(), part.count(), execution);
  std::vector<int> numbers;
  for (std::int64_t i = 0; i < part.count(); ++i) {
    numbers.push_back(int(std::lround(255 * batch.x.data<const float>()[i])));
    EXPECT_EQ(batch.y.data<const std::int64_t>()[i], numbers.back() / 10);
  }
  return numbers;
}

TEST(ValidationSplit, DividesTheSamplesBySeed) {
  Description program = description();
  program.input_shape = {1};
  program.input_minimum = 0;
  program.classes = 10;
  Dataset data = numbered_samples(program);
  ValidationSplit split(data, 20, 3), again(data, 20, 3), other(data, 20, 4);
  EXPECT_EQ(split.training.count(), 80);

  std::vector<int> held_out = numbers_of(split.validation, program);
  EXPECT_EQ(held_out.size(), 20u);
  EXPECT_EQ(numbers_of(again.validation, program), held_out);
  EXPECT_NE(numbers_of(other.validation, program), held_out);

  // Each sample is in one of the parts.
  std::vector<int> all = numbers_of(split.training, program);
  all.insert(all.end(), held_out.begin(), held_out.end());
  std::sort(all.begin(), all.end());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(all[std::size_t(i)], i);

  EXPECT_EQ(ValidationSplit(data, 99, 3).training.count(), 1);
  EXPECT_ERROR(ValidationSplit(data, 100, 3), InvalidArgument,
               "100 validation samples leave none to train on: the training "
               "set has 100");
}

TEST(DataFiles, AreFoundByName) {
  TemporaryDirectory directory;
  for (const char *name : {"train-images-idx3-ubyte.gz", "train-y.npy",
                           "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"})
    write_file(directory / name, "");
  DataFiles files = DataFiles::find(directory / "", DataParts::TrainingAndTest);
  EXPECT_THAT(files.train_x, HasSubstr("train-images-idx3-ubyte.gz"));
  EXPECT_THAT(files.train_y, HasSubstr("train-y.npy"));
  std::filesystem::remove(directory / "train-y.npy");
  EXPECT_ERROR(DataFiles::find(directory / "", DataParts::TrainingAndTest),
               InputOutput, HasSubstr("has no train-labels-idx1-ubyte"));
  EXPECT_THAT(DataFiles::find(directory / "", DataParts::Test).test_y,
              HasSubstr("t10k-labels-idx1-ubyte"));
  std::filesystem::remove(directory / "t10k-labels-idx1-ubyte");
  write_file(directory / "train-y.npy", "");
  EXPECT_EQ(DataFiles::find(directory / "", DataParts::Training).test_y, "");
}

} // namespace
