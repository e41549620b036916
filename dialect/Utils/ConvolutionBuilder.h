//===- ConvolutionBuilder.h - Convolution, pooling and derivatives --------===//

#ifndef DANN_DIALECT_UTILS_CONVOLUTIONBUILDER_H
#define DANN_DIALECT_UTILS_CONVOLUTIONBUILDER_H

#include "Utils/LinalgBuilder.h"

namespace mlir::dann {

/// Builds two-dimensional convolutions of images x[B, C, H, W], which contain
/// all windows (pad() sees to it), with filters w[F, C, kh, kw], as linalg
/// operations on tensors, and their derivatives.
///
/// All three run over the loops (b, f, oh, ow, c, kh, kw) of
/// `linalg.conv_2d_nchw_fchw` and index x by oh stride + kh dilation; they
/// differ in which of the operands is the sum.
class ConvolutionBuilder {
public:
  /// Two numbers each.
  ConvolutionBuilder(OpBuilder &builder, Location loc,
                     ArrayRef<int64_t> strides, ArrayRef<int64_t> dilations)
      : builder(builder), loc(loc), strides(strides), dilations(dilations) {}

  /// `x` with `padding` (top, left, bottom, right) filled with `value`.
  Value pad(Value x, ArrayRef<int64_t> padding, double value);

  /// z[B, F, oh, ow].
  Value convolve(Value x, Value filters);

  /// The sum over windows of dz . filters at the pixels that they cover, in the
  /// shape of x, added to `init` if there is one.
  Value differentiateByInput(Value dz, Value filters, Value x, Value init = {});

  /// The sum over samples and positions of dz . x, in the shape of `filters`.
  Value differentiateByFilters(Value dz, Value x, Value filters);

  /// The greatest element, or the sum, in each window of `size` of each
  /// channel, from `initial` on.
  Value poolMaximum(Value x, ArrayRef<int64_t> size, double initial);
  Value poolSum(Value x, ArrayRef<int64_t> size);

private:
  struct Maps {
    AffineMap x, filters, z;
  };
  Maps getMaps();
  Value sum(Value a, AffineMap aMap, Value b, AffineMap bMap, Value init,
            AffineMap initMap);
  SmallVector<OpFoldResult> getResultSizes(Value x, OpFoldResult channels,
                                           ArrayRef<int64_t> size);
  template <typename OpTy>
  Value pool(Value x, ArrayRef<int64_t> size, double initial);

  OpBuilder &builder;
  Location loc;
  SmallVector<int64_t> strides, dilations;
};

} // namespace mlir::dann

#endif // DANN_DIALECT_UTILS_CONVOLUTIONBUILDER_H
