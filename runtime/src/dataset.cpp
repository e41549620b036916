#include "dataset.h"

#include "dann/training.hpp"

#include "array_file.h"
#include "elements.h"
#include "execution.h"
#include "fail.h"
#include "random.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

namespace dann {

namespace {

std::int64_t sample_size(const Description &program) {
  return checked_element_count(program.input_shape, program.element_type);
}

template <typename T>
void gather_bytes(const unsigned char *from, std::int64_t features,
                  const std::int64_t *indices, std::int64_t begin,
                  std::int64_t end, const std::array<double, 256> &values,
                  T *to) {
  std::array<T, 256> table;
  std::copy(values.begin(), values.end(), table.begin());
  to += begin * features;
  for (std::int64_t i = begin; i < end; ++i) {
    const unsigned char *sample = from + indices[i] * features;
    for (std::int64_t j = 0; j < features; ++j)
      *to++ = table[sample[j]];
  }
}

} // namespace

Samples Samples::load(const std::string &path, const Description &program) {
  return Samples(load_array(path), program, path);
}

Samples::Samples(const Tensor &array, const Description &program,
                 const std::string &name) {
  if (array.rank() == 0)
    fail(ErrorCode::InvalidData, name, " holds a single number, not samples");
  count_ = array.shape()[0];
  if (count_ == 0)
    fail(ErrorCode::InvalidData, name, " holds no samples");
  features_ = array.element_count() / count_;
  if (features_ != sample_size(program))
    fail(ErrorCode::InvalidData, name, " has ", features_,
         " features per sample, but the model ", program.name, " takes ",
         sample_size(program));

  if (array.element_type() == ElementType::U8) {
    elements_ = array;
    for (std::size_t i = 0; i < byte_values_.size(); ++i)
      byte_values_[i] =
          program.input_minimum +
          double(i) / 255 * (program.input_maximum - program.input_minimum);
    return;
  }

  elements_ = array;
  if (array.element_type() != program.element_type) {
    elements_ =
        Tensor::share(program.element_type, array.shape(),
                      allocate_elements(std::size_t(array.element_count()) *
                                        size_of(program.element_type)));
    convert_elements(array, program.element_type, elements_.mutable_bytes());
  }
  std::int64_t bad =
      find_outside(elements_, program.input_minimum, program.input_maximum);
  if (bad >= 0)
    fail(ErrorCode::InvalidData, name, ": feature ", bad % features_,
         " of sample ", bad / features_, " is ", element_text(elements_, bad),
         ", but has to lie in [", program.input_minimum, ", ",
         program.input_maximum, "]");
}

Samples Samples::select(const std::vector<std::int64_t> &indices) const {
  Samples result(*this);
  result.count_ = std::int64_t(indices.size());
  Shape shape = elements_.shape();
  shape[0] = result.count_;
  std::size_t size = std::size_t(features_) * size_of(elements_.element_type());
  result.elements_ = Tensor::share(elements_.element_type(), shape,
                                   allocate_elements(indices.size() * size));
  auto *from = static_cast<const char *>(elements_.bytes());
  auto *to = static_cast<char *>(result.elements_.mutable_bytes());
  for (std::int64_t index : indices) {
    std::memcpy(to, from + std::size_t(index) * size, size);
    to += size;
  }
  return result;
}

void Samples::gather(const std::int64_t *indices, std::int64_t begin,
                     std::int64_t end, const Tensor &x) const {
  if (elements_.element_type() == ElementType::U8) {
    auto *bytes = elements_.data<const std::uint8_t>();
    if (x.element_type() == ElementType::F32)
      gather_bytes(bytes, features_, indices, begin, end, byte_values_,
                   x.data<float>());
    else
      gather_bytes(bytes, features_, indices, begin, end, byte_values_,
                   x.data<double>());
    return;
  }
  std::size_t size = std::size_t(features_) * size_of(elements_.element_type());
  auto *from = static_cast<const char *>(elements_.bytes());
  auto *to = static_cast<char *>(x.mutable_bytes());
  for (std::int64_t i = begin; i < end; ++i)
    std::memcpy(to + std::size_t(i) * size,
                from + std::size_t(indices[i]) * size, size);
}

void Samples::prefetch(const std::int64_t *indices, std::int64_t begin,
                       std::int64_t end) const {
  constexpr std::size_t line = 64;
  std::size_t size = std::size_t(features_) * size_of(elements_.element_type());
  for (std::int64_t i = begin; i < end; ++i) {
    auto *sample = static_cast<const char *>(elements_.bytes()) +
                   std::size_t(indices[i]) * size;
    for (std::size_t at = 0; at < size; at += line)
      __builtin_prefetch(sample + at);
  }
}

Dataset Dataset::load(const std::string &x_path, const std::string &y_path,
                      const Description &program) {
  Samples samples = Samples::load(x_path, program);
  Tensor labels = load_array(y_path);
  if (labels.shape() != Shape{samples.count()})
    fail(ErrorCode::InvalidData, y_path, " holds labels of shape ",
         to_string(labels.shape()), ", but ", x_path, " has ", samples.count(),
         " samples");
  return Dataset(std::move(samples), labels, program, y_path);
}

Dataset::Dataset(Samples samples, const Tensor &labels,
                 const Description &program, const std::string &name)
    : samples_(std::move(samples)),
      labels_(ElementType::I64, Shape{samples_.count()}) {
  if (labels.shape() != labels_.shape())
    fail(ErrorCode::InvalidData, name, " holds labels of shape ",
         to_string(labels.shape()), " for ", samples_.count(), " samples");
  // Before the conversion, which would say less of a NaN.
  std::int64_t bad = find_outside(labels, 0, double(program.classes - 1));
  if (bad >= 0)
    fail(ErrorCode::InvalidData, name, ": the label of sample ", bad, " is ",
         element_text(labels, bad), ", but the model ", program.name,
         " has the classes 0 to ", program.classes - 1);
  try {
    convert_elements(labels, ElementType::I64, labels_.mutable_bytes());
  } catch (const Error &error) {
    fail(ErrorCode::InvalidData, name, ": ", error.what());
  }
}

Dataset Dataset::select(const std::vector<std::int64_t> &indices) const {
  Dataset result(*this);
  result.samples_ = samples_.select(indices);
  result.labels_ = Tensor(ElementType::I64, {result.count()});
  auto *from = labels_.data<const std::int64_t>();
  auto *to = result.labels_.data<std::int64_t>();
  for (std::int64_t index : indices)
    *to++ = from[index];
  return result;
}

ValidationSplit::ValidationSplit(const Dataset &data, std::int64_t count,
                                 std::int64_t seed)
    : ValidationSplit(
          data, count,
          shuffled_indices(data.count(), seed, 0, RandomStream::Validation)) {}

/// The samples in `order` that are not among its last `count`.
static std::vector<std::int64_t>
all_but_last(const std::vector<std::int64_t> &order, std::int64_t count) {
  if (count >= std::int64_t(order.size()))
    fail(ErrorCode::InvalidArgument, count,
         " validation samples leave none to "
         "train on: the training set has ",
         order.size());
  return {order.begin(), order.end() - count};
}

ValidationSplit::ValidationSplit(const Dataset &data, std::int64_t count,
                                 const std::vector<std::int64_t> &order)
    : training(data.select(all_but_last(order, count))),
      validation(data.select({order.end() - count, order.end()})) {}

void Dataset::gather(const std::int64_t *indices, std::int64_t begin,
                     std::int64_t end, const Tensor &x, const Tensor &y) const {
  samples_.gather(indices, begin, end, x);
  auto *from = labels_.data<const std::int64_t>();
  auto *to = y.data<std::int64_t>();
  for (std::int64_t i = begin; i < end; ++i)
    to[i] = from[indices[i]];
}

static Shape batch_shape(const Description &program, std::int64_t count) {
  Shape shape = program.input_shape;
  shape.insert(shape.begin(), count);
  return shape;
}

Batch::Batch(const Description &program, std::int64_t size)
    : x_buffer_(program.element_type, batch_shape(program, size)),
      y_buffer_(ElementType::I64, {size}) {
  x = x_buffer_;
  y = y_buffer_;
}

void Batch::resize(std::int64_t count) {
  if (x.shape()[0] == count)
    return;
  Shape shape = x_buffer_.shape();
  shape[0] = count;
  if (x_buffer_.element_type() == ElementType::F32)
    x = Tensor::borrow(x_buffer_.data<float>(), shape);
  else
    x = Tensor::borrow(x_buffer_.data<double>(), shape);
  y = Tensor::borrow(y_buffer_.data<std::int64_t>(), {count});
}

/// The calling thread's share [begin, end) of `count` samples.
static std::pair<std::int64_t, std::int64_t> share(std::int64_t count) {
  const ThreadContext &thread = ThreadContext::current();
  std::int64_t threads = thread.pool->count();
  return {count * thread.index / threads, count * (thread.index + 1) / threads};
}

void Batch::gather(const Dataset &data, const std::int64_t *indices,
                   std::int64_t count, Execution &execution,
                   std::int64_t following) {
  resize(count);
  execution.run([&] {
    auto [begin, end] = share(count);
    data.gather(indices, begin, end, x, y);
    auto [next_begin, next_end] = share(following);
    data.prefetch(indices + count, next_begin, next_end);
  });
}

void Batch::gather(const Samples &data, const std::int64_t *indices,
                   std::int64_t count, Execution &execution) {
  resize(count);
  execution.run([&] {
    auto [begin, end] = share(count);
    data.gather(indices, begin, end, x);
  });
}

void Batch::read(BatchSource &source, const std::int64_t *indices,
                 std::int64_t count) {
  resize(count);
  checked = false;
  source.read(indices, count, x, y);
}

DataFiles DataFiles::find(const std::string &directory, DataParts parts) {
  namespace fs = std::filesystem;
  auto find_file = [&](const std::string &idx, const std::string &npy) {
    for (const std::string &name : {idx, idx + ".gz", npy}) {
      std::error_code error;
      fs::path path = fs::path(directory) / name;
      if (fs::exists(path, error))
        return path.string();
    }
    std::error_code error;
    if (!fs::is_directory(directory, error))
      fail(ErrorCode::InputOutput, directory, " is not a directory");
    fail(ErrorCode::InputOutput, "the directory ", directory, " has no ", idx,
         ", ", idx, ".gz or ", npy);
  };
  DataFiles files;
  if (parts != DataParts::Test) {
    files.train_x = find_file("train-images-idx3-ubyte", "train-x.npy");
    files.train_y = find_file("train-labels-idx1-ubyte", "train-y.npy");
  }
  if (parts != DataParts::Training) {
    files.test_x = find_file("t10k-images-idx3-ubyte", "test-x.npy");
    files.test_y = find_file("t10k-labels-idx1-ubyte", "test-y.npy");
  }
  return files;
}

} // namespace dann
