// Convolutions of images by oneDNN, and their derivatives.
#ifndef DANN_RUNTIME_CONVOLUTION_H
#define DANN_RUNTIME_CONVOLUTION_H

#include <cstdint>
#include <memory>

namespace dann {

/// Four-dimensional data anywhere in memory. Strides count elements.
struct Array4 {
  float *elements;
  std::int64_t sizes[4], strides[4];
};

/// x[C, H, W, B] and filters[F, C, kh, kw] give z[F, OH, OW, B], the batch
/// last: z[f, oh, ow] is the sum of filters[f, c, kh, kw] x[c, oh stride + kh
/// dilation, ow stride + kw dilation]. x holds its padding, if it has some.
struct ConvolutionOptions {
  enum Result : std::int64_t { Z, X, Filters };
  /// Which of the three is computed from the two others: by the convolution, or
  /// by one of its derivatives.
  Result result = Z;
  std::int64_t strides[2] = {1, 1}, dilations[2] = {1, 1};
  bool accumulate = false; // on what the result holds, else it is overwritten
};

/// oneDNN primitives, each built at the first convolution of its shape and
/// kept, for the use of one thread at a time.
///
/// oneDNN's kernels want vectors of channels, so operands are reordered on the
/// way in and the result on the way out. That costs 5 to 20 % of the arithmetic
/// for 16 or 32 samples and the layers of VGG16, whose convolutions run at 160
/// to 240 GF/s on one core with AVX-512; where images have 4 pixels only and
/// weights 9 MB, up to a third.
class ConvolutionCache {
public:
  ConvolutionCache();
  ~ConvolutionCache();
  ConvolutionCache(const ConvolutionCache &) = delete;
  ConvolutionCache &operator=(const ConvolutionCache &) = delete;

  /// Throws Internal if the operands do not fit together, the result is none of
  /// them, or oneDNN reports an
  /// error, OutOfMemory if it runs out of memory.
  void run(const Array4 &x, const Array4 &filters, const Array4 &z,
           const ConvolutionOptions &options);

  std::size_t primitive_count() const;

private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace dann

#endif // DANN_RUNTIME_CONVOLUTION_H
