// Matrix products by oneDNN.
#ifndef DANN_RUNTIME_MATMUL_H
#define DANN_RUNTIME_MATMUL_H

#include <cstdint>
#include <memory>

namespace dann {

/// The bits of a bf16 number.
using Bf16 = std::uint16_t;

/// A matrix anywhere in memory. Strides count elements; one of the two has to
/// be 1 unless the extent along it is.
template <typename T> struct Matrix {
  T *elements;
  std::int64_t rows, columns;
  std::int64_t row_stride, column_stride;
};

/// dst = relu?(a.b + dst?)
struct MatmulOptions {
  bool accumulate = false;
  bool relu = false;
};

/// oneDNN primitives, each built at the first product of its shape and kept,
/// for the use of one thread at a time.
///
/// Operands stay in the layout in which they are. Packing the weights, which
/// change at every step, would cost as much as a product of 32 samples, while
/// plain row-major operands, transposed by strides, already run at 165 to 225
/// GF/s on one AVX-512 core (32 samples, 500 to 784 units). A kept primitive
/// costs 0.3 µs a call beyond the arithmetic. Such a call allocates nothing
/// here; oneDNN 2.6 itself allocates and frees eight small blocks, for a table
/// of the arguments.
class MatmulCache {
public:
  MatmulCache();
  ~MatmulCache();
  MatmulCache(const MatmulCache &) = delete;
  MatmulCache &operator=(const MatmulCache &) = delete;

  /// Throws Internal if the operands do not fit together or oneDNN reports an
  /// error, OutOfMemory if it runs out of memory.
  void run(const Matrix<float> &a, const Matrix<float> &b,
           const Matrix<float> &dst, const MatmulOptions &options);

  /// The same with bf16 operands; sums are f32.
  void run(const Matrix<Bf16> &a, const Matrix<Bf16> &b,
           const Matrix<float> &dst, const MatmulOptions &options);

  std::size_t primitive_count() const;

private:
  template <typename T>
  void run_product(const Matrix<T> &a, const Matrix<T> &b,
                   const Matrix<float> &dst, const MatmulOptions &options);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace dann

#endif // DANN_RUNTIME_MATMUL_H
