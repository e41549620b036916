//===- ConvolutionOperators.cpp - Convolutions ---------------------------===//

#include "frontend/Onnx/Scalars.h"
#include "frontend/Onnx/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

/// What both directions require of their operands; returns the number of
/// groups. The weights of Conv have the channels of the result in front and
/// those of one group of the input behind them, those of ConvTranspose the
/// channels of the input and those of one group of the result.
FailureOr<int64_t> checkOperands(Node &node, bool isTransposed) {
  Tensor x = node.getInput(0), weights = node.getInput(1),
         bias = node.getInput(2);
  SmallVector<Tensor> operands = {x, weights};
  if (bias)
    operands.push_back(bias);
  if (failed(node.requireFloat(x)) || failed(node.requireSameType(operands)))
    return failure();
  FailureOr<int64_t> groups = getGroups(node, x, weights, isTransposed);
  if (failed(groups))
    return failure();
  // No overflow: there are no more groups than elements of the weights.
  int64_t results =
      isTransposed ? weights.getDim(1) * *groups : weights.getDim(0);
  if (bias && (bias.getRank() != 1 || bias.getDim(0) != results))
    return node.emitError() << "takes a bias of " << results
                            << " elements, not " << bias.getType();
  return groups;
}

void setOutputWithBias(Node &node, Tensor result) {
  if (Tensor bias = node.getInput(2))
    result.value = node.linalg().elementwise(
        {{result.value, LinalgBuilder::allLoops(result.value)},
         {bias.value, {1}}},
        result.value, [](B &b, ValueRange arguments) {
          return add(b, arguments[0], arguments[1]);
        });
  node.setOutput(0, result);
}

LogicalResult importConv(Node &node) {
  if (failed(checkOperands(node, false)))
    return failure();
  Tensor x = node.getInput(0), weights = node.getInput(1);
  FailureOr<Tensor> result = convolve(node, x, weights);
  if (failed(result))
    return failure();
  setOutputWithBias(node, *result);
  return success();
}

/// Where ConvTranspose puts the elements of its input, by dimension of space.
struct TransposedWindow {
  Window window; // of the convolution that computes the result
  SmallVector<int64_t> strides, low;
};

FailureOr<TransposedWindow> getTransposedWindow(Node &node, Tensor x,
                                                ArrayRef<int64_t> kernel) {
  int64_t rank = x.getRank() - 2;
  for (int64_t extent : kernel)
    if (extent < 1 || extent > kMaxWindow)
      return node.emitError() << "the kernel has the extent " << extent
                              << ", which is not from 1 to " << kMaxWindow;
  FailureOr<WindowAttributes> attributes = getWindowAttributes(node, rank);
  FailureOr<SmallVector<int64_t>> more =
      getWindowInts(node, "output_padding", rank, 0, 0);
  if (failed(attributes) || failed(more))
    return failure();
  using Padding = WindowAttributes::Padding;
  Padding padding = attributes->padding;
  bool isUpper = padding == Padding::SameUpper,
       isSame = isUpper || padding == Padding::SameLower;
  ArrayRef<int64_t> strides = attributes->strides,
                    dilations = attributes->dilations, pads = attributes->pads;
  SmallVector<int64_t> shape;
  bool hasShape = node.hasAttribute("output_shape");
  if (hasShape) {
    shape = node.getInts("output_shape");
    // Old models give the batch and the channels too.
    if (static_cast<int64_t>(shape.size()) == rank + 2)
      shape.erase(shape.begin(), shape.begin() + 2);
    if (static_cast<int64_t>(shape.size()) != rank)
      return node.emitError() << "output_shape has " << shape.size()
                              << " extents instead of " << rank;
  }
  TransposedWindow result;
  result.strides = attributes->strides;
  result.window.kernel.assign(kernel.begin(), kernel.end());
  result.window.strides.assign(rank, 1);
  result.window.dilations = attributes->dilations;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t extent = x.getDim(2 + i), stride = strides[i];
    if ((*more)[i] != 0 && (*more)[i] >= std::max(stride, dilations[i]))
      return node.emitError() << "output_padding is " << (*more)[i]
                              << ", which is not less than the stride "
                              << stride << " or the dilation " << dilations[i];
    int64_t scaled = 0, whole = 0, output = 0, low = 0;
    if (extent < 1 || llvm::MulOverflow(extent, stride, scaled) ||
        scaled > kMaxElements)
      return node.emitError() << "cannot widen dimension " << 2 + i << " of "
                              << x.getType() << " by " << stride;
    whole = scaled - stride + (*more)[i] + result.window.getSpan(i);
    if (hasShape || isSame) {
      output = hasShape ? shape[i] : scaled;
      if (output < 1 || output > kMaxElements)
        return node.emitError() << "the result would have the extent " << output
                                << ", which is not from 1 to " << kMaxElements;
      // A result that is larger than the whole has zeros behind.
      int64_t total = std::max<int64_t>(0, whole - output);
      low = isUpper ? total / 2 : total - total / 2;
    } else {
      int64_t high = 0;
      if (padding == Padding::Explicit) {
        low = pads[i];
        high = pads[rank + i];
      }
      output = whole - low - high;
    }
    if (output < 1)
      return node.emitError() << "the padding leaves nothing of dimension "
                              << 2 + i << ", whose extent would be " << output;
    result.low.push_back(low);
    result.window.output.push_back(output);
  }
  return result;
}

/// The convolution of the input, with its elements as far apart as the strides,
/// with the kernel from behind.
LogicalResult importConvTranspose(Node &node) {
  FailureOr<int64_t> groups = checkOperands(node, true);
  if (failed(groups))
    return failure();
  Tensor x = node.getInput(0), weights = node.getInput(1);
  FailureOr<TransposedWindow> transposed =
      getTransposedWindow(node, x, weights.getShape().drop_front(2));
  if (failed(transposed))
    return failure();
  const Window &window = transposed->window;
  int64_t channels = x.getDim(1), perGroup = weights.getDim(1);
  SmallVector<int64_t> shape = {x.getDim(0), perGroup * *groups};
  shape.append(window.output);
  // Where the elements of the input are in the one that is convolved, which
  // may have no place for the first and last ones.
  SmallVector<int64_t> spread = {x.getDim(0), channels};
  SmallVector<int64_t> from = {0, 0}, taken = {x.getDim(0), channels},
                       to = {0, 0}, strides = {1, 1};
  bool isEmpty = false;
  for (int64_t i = 0; i < window.getRank(); ++i) {
    int64_t span = window.getSpan(i), stride = transposed->strides[i];
    int64_t extent = window.output[i] + span - 1;
    int64_t first = span - 1 - transposed->low[i];
    int64_t begin = first < 0 ? (-first - 1) / stride + 1 : 0;
    int64_t end =
        extent - 1 < first
            ? 0
            : std::min((extent - 1 - first) / stride + 1, x.getDim(2 + i));
    isEmpty |= begin >= end;
    spread.push_back(extent);
    from.push_back(begin);
    taken.push_back(end - begin);
    to.push_back(first + begin * stride);
    strides.push_back(stride);
  }
  if (failed(node.checkSize(shape)) || failed(node.checkSize(spread)))
    return failure();
  if (isEmpty) {
    setOutputWithBias(node, node.fill(shape, x.dataType, 0));
    return success();
  }
  Tensor wide = x;
  if (spread != x.getShape()) {
    SmallVector<int64_t> ones(x.getRank(), 1);
    Tensor part = node.slice(x, from, taken, ones);
    auto attributes = [&](ArrayRef<int64_t> values) {
      return llvm::map_to_vector(values, [&](int64_t value) -> OpFoldResult {
        return node.b().getIndexAttr(value);
      });
    };
    wide.value = tensor::InsertSliceOp::create(
        node.b(), part.value, node.fill(spread, x.dataType, 0).value,
        attributes(to), node.getSizes(taken), attributes(strides));
  }
  // The weights with the channels of the result in front, from behind.
  int64_t inGroup = channels / *groups;
  SmallVector<int64_t> flippedShape(weights.getShape());
  flippedShape[0] = perGroup * *groups;
  flippedShape[1] = inGroup;
  Tensor flipped = node.generate(
      flippedShape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        auto index = [&](int64_t value) -> Value {
          return arith::ConstantIndexOp::create(b, value);
        };
        SmallVector<Value> places = {indices[1], indices[0]};
        if (*groups != 1) {
          Value group = arith::DivUIOp::create(b, indices[0], index(perGroup));
          places[0] = arith::AddIOp::create(
              b, indices[1], arith::MulIOp::create(b, group, index(inGroup)));
          places[1] = arith::RemUIOp::create(b, indices[0], index(perGroup));
        }
        for (auto [i, extent] : llvm::enumerate(window.kernel))
          places.push_back(
              arith::SubIOp::create(b, index(extent - 1), indices[2 + i]));
        return tensor::ExtractOp::create(b, weights.value, places);
      });
  setOutputWithBias(node, convolve(node, wide, flipped, window, *groups));
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"Conv", 1, 2, 3, 1, importConv},
    {"ConvTranspose", 1, 2, 3, 1, importConvTranspose},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getConvolutionOperators() {
  return kOperators;
}
