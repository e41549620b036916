//===- Window.h - Windows that slide over the dimensions of space ---------===//

#ifndef DANN_FRONTEND_ONNX_WINDOW_H
#define DANN_FRONTEND_ONNX_WINDOW_H

#include "frontend/Onnx/Node.h"

namespace mlir::dann::onnx {

/// The windows of a convolution or a pooling: an entry for each dimension of
/// the input but the first two, which are the batch and the channels.
struct Window {
  SmallVector<int64_t> kernel, strides, dilations;
  /// What is added to the input before and behind, without what only
  /// `ceil_mode` makes windows cover.
  SmallVector<int64_t> low, high;
  SmallVector<int64_t> output;

  int64_t getRank() const { return kernel.size(); }
  /// The extent that a window spans.
  int64_t getSpan(int64_t i) const {
    return (kernel[i] - 1) * dilations[i] + 1;
  }
};

// Extents of windows may not be larger, so that no sum or product of two of
// them overflows.
constexpr int64_t kMaxWindow = int64_t(1) << 30;

/// An attribute with a number from `least` to kMaxWindow for each of `count`
/// dimensions.
FailureOr<SmallVector<int64_t>> getWindowInts(Node &node, StringRef name,
                                              int64_t count, int64_t least,
                                              int64_t otherwise);

/// What attributes say of windows over the dimensions of space.
struct WindowAttributes {
  enum class Padding { Explicit, None, SameUpper, SameLower };
  SmallVector<int64_t> strides, dilations;
  SmallVector<int64_t> pads; // before all dimensions, then behind them
  Padding padding = Padding::Explicit;
};
FailureOr<WindowAttributes> getWindowAttributes(Node &node, int64_t rank);

/// The windows of size `kernel` that the attributes of the node put on `x`.
FailureOr<Window> getWindow(Node &node, Tensor x, ArrayRef<int64_t> kernel);

/// `x` with `padding` around it, so that it contains all windows.
FailureOr<Tensor> padForWindow(Node &node, Tensor x, const Window &window,
                               Value padding);

/// A tensor and how loops index it.
struct Mapped {
  Value tensor;
  AffineMap map;
};

/// A linalg.generic; loops that do not index `init` are reductions.
Value buildGeneric(Node &node, ArrayRef<Mapped> inputs, Mapped init,
                   Node::Body body);

/// How a tensor is indexed whose last dimensions are covered by windows: the
/// dimensions in front by the loops `leading`, those of space by the windows'
/// positions, which are the loops from `positions` on, and the positions within
/// them, which are the loops from `offsets` on.
AffineMap getWindowMap(Node &node, const Window &window, unsigned numLoops,
                       ArrayRef<unsigned> leading, unsigned positions,
                       unsigned offsets);

/// Whether `x` can be convolved with `weights`, in as many groups as the node
/// has, which are returned. The weights of a transposed convolution have the
/// channels of `x` first.
FailureOr<int64_t> getGroups(Node &node, Tensor x, Tensor weights,
                             bool isTransposed);
/// The convolution that the attributes of the node describe, with zeros around
/// `x`.
FailureOr<Tensor> convolve(Node &node, Tensor x, Tensor weights);
/// The convolution of a padded `x` with `weights`, whose dimensions are the
/// channels of the result, those of `x` in one group, and space. Of numbers of
/// any type.
Tensor convolve(Node &node, Tensor x, Tensor weights, const Window &window,
                int64_t groups);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_WINDOW_H
