// Labelled samples, checked against a program and handed out in batches.
#ifndef DANN_RUNTIME_DATASET_H
#define DANN_RUNTIME_DATASET_H

#include "dann/program.hpp"

#include <array>
#include <string>
#include <vector>

namespace dann {

class BatchSource;
class Execution;

/// The inputs of a data set, without labels.
class Samples {
public:
  /// Reads an array [samples, ...], of which one sample has as many elements as
  /// the program's input. Unsigned bytes are mapped linearly from 0 … 255 onto
  /// the program's input range; other types are taken as they are and have to
  /// lie in it. Throws InputOutput or InvalidData.
  static Samples load(const std::string &path, const Description &program);

  /// The same from an array at hand; `name` stands for it in messages.
  Samples(const Tensor &array, const Description &program,
          const std::string &name);

  std::int64_t count() const { return count_; }

  /// Copies of the samples of those numbers, in that order; at least one.
  Samples select(const std::vector<std::int64_t> &indices) const;

  /// Copies samples indices[begin], …, indices[end - 1] into the rows of those
  /// numbers of `x`, a buffer of the program's element type.
  void gather(const std::int64_t *indices, std::int64_t begin, std::int64_t end,
              const Tensor &x) const;

  /// Brings samples nearer that will be gathered soon.
  void prefetch(const std::int64_t *indices, std::int64_t begin,
                std::int64_t end) const;

private:
  // Bytes stay bytes until they are gathered: a quarter of the memory.
  Tensor elements_;
  std::array<double, 256> byte_values_;
  std::int64_t count_, features_;
};

class Dataset {
public:
  /// Reads inputs and labels: an array of whole numbers, [samples]. Throws
  /// InputOutput or InvalidData.
  static Dataset load(const std::string &x_path, const std::string &y_path,
                      const Description &program);

  Dataset(Samples samples, const Tensor &labels, const Description &program,
          const std::string &name);

  std::int64_t count() const { return samples_.count(); }

  /// Copies of the samples of those numbers, in that order; at least one.
  Dataset select(const std::vector<std::int64_t> &indices) const;

  void gather(const std::int64_t *indices, std::int64_t begin, std::int64_t end,
              const Tensor &x, const Tensor &y) const;
  void prefetch(const std::int64_t *indices, std::int64_t begin,
                std::int64_t end) const {
    samples_.prefetch(indices, begin, end);
  }

private:
  Samples samples_;
  Tensor labels_; // i64 [samples]
};

/// Divides a data set at random: into the samples to train on, and `count` held
/// out to validate on. Which ones, and their order, depends on the seed and the
/// two counts only. Throws InvalidArgument if nothing is left to train on.
struct ValidationSplit {
  ValidationSplit(const Dataset &data, std::int64_t count, std::int64_t seed);

  Dataset training, validation;

private:
  ValidationSplit(const Dataset &data, std::int64_t count,
                  const std::vector<std::int64_t> &order);
};

/// One batch of a data set in buffers that are reused.
///
/// All threads of an execution fill it, between two steps. A thread of its own
/// that did so during the steps would take its time from a thread that the
/// others wait for. What takes longest are the misses of the cache, as samples
/// are in any order; so the next batch is fetched ahead: 32 images of 28 x 28
/// take one thread 7 µs instead of 18.
class Batch {
public:
  /// Room for `size` samples of the program.
  Batch(const Description &program, std::int64_t size);

  /// Fills the buffers; `x` and `y` are views of `count` samples. The
  /// `following` indices behind those of the batch are what will be asked for
  /// next.
  void gather(const Dataset &data, const std::int64_t *indices,
              std::int64_t count, Execution &execution,
              std::int64_t following = 0);
  void gather(const Samples &data, const std::int64_t *indices,
              std::int64_t count, Execution &execution);

  /// Has an application fill the buffers, on the calling thread.
  void read(BatchSource &source, const std::int64_t *indices,
            std::int64_t count);

  Tensor x, y;
  bool checked = true; ///< whether the values are known to be in range

private:
  void resize(std::int64_t count);

  Tensor x_buffer_, y_buffer_;
};

/// The parts of a data set that a command reads.
enum class DataParts { Training, Test, TrainingAndTest };

/// The files of a data set in a directory: the IDX names of the MNIST family,
/// plain or with .gz, or {train,test}-{x,y}.npy.
struct DataFiles {
  std::string train_x, train_y, test_x, test_y;

  /// Looks for the files of the parts only; the other names stay empty. Throws
  /// InputOutput if one is in none of its places.
  static DataFiles find(const std::string &directory, DataParts parts);
};

} // namespace dann

#endif // DANN_RUNTIME_DATASET_H
