// Matrix products by oneDNN.
#ifndef DANN_RUNTIME_MATMUL_H
#define DANN_RUNTIME_MATMUL_H

#include <cstdint>
#include <memory>

namespace dann {

/// A matrix of f32 anywhere in memory. Strides count elements; one of the two
/// has to be 1 unless the extent along it is.
struct Matrix {
  float *elements;
  std::int64_t rows, columns;
  std::int64_t row_stride, column_stride;

  Matrix transposed() const {
    return {elements, columns, rows, column_stride, row_stride};
  }
};

/// dst = relu?(scale * a.b + bias? + dst?)
struct MatmulOptions {
  float scale = 1;
  const float *bias = nullptr; // one per column of dst
  bool accumulate = false;
  bool relu = false;
};

/// oneDNN primitives, each built at the first product of its shape and kept.
///
/// Operands stay in the layout in which they are. Packing the weights, which
/// change at every step, would cost as much as a product of 32 samples, while
/// plain row-major operands, transposed by strides, already run at 165 to 225
/// GF/s on one AVX-512 core and twice that on two (32 samples, 500 to 784
/// units). A kept primitive costs 0.3 µs a call beyond the arithmetic.
class MatmulCache {
public:
  MatmulCache();
  ~MatmulCache();
  MatmulCache(const MatmulCache &) = delete;
  MatmulCache &operator=(const MatmulCache &) = delete;

  /// Throws Internal if the operands do not fit together or oneDNN reports an
  /// error, OutOfMemory if it runs out of memory.
  void run(const Matrix &a, const Matrix &b, const Matrix &dst,
           const MatmulOptions &options);

  std::size_t primitive_count() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace dann

#endif // DANN_RUNTIME_MATMUL_H
