//===- Window.cpp - Windows that slide over the dimensions of space -------===//

#include "frontend/Onnx/Window.h"

#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;

FailureOr<SmallVector<int64_t>>
mlir::dann::onnx::getWindowInts(Node &node, StringRef name, int64_t count,
                                int64_t least, int64_t otherwise) {
  SmallVector<int64_t> values =
      node.getInts(name, SmallVector<int64_t>(count, otherwise));
  bool isValid = static_cast<int64_t>(values.size()) == count &&
                 llvm::all_of(values, [&](int64_t value) {
                   return value >= least && value <= kMaxWindow;
                 });
  if (isValid)
    return values;
  InFlightDiagnostic error = node.emitError() << name << " is [";
  llvm::interleaveComma(values, error);
  return error << "] instead of " << count << " numbers from " << least
               << " to " << kMaxWindow;
}

FailureOr<WindowAttributes>
mlir::dann::onnx::getWindowAttributes(Node &node, int64_t rank) {
  FailureOr<SmallVector<int64_t>> strides =
      getWindowInts(node, "strides", rank, 1, 1);
  FailureOr<SmallVector<int64_t>> dilations =
      getWindowInts(node, "dilations", rank, 1, 1);
  FailureOr<SmallVector<int64_t>> pads =
      getWindowInts(node, "pads", 2 * rank, 0, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  using Padding = WindowAttributes::Padding;
  std::string mode = node.getString("auto_pad", "NOTSET");
  auto padding = llvm::StringSwitch<std::optional<Padding>>(mode)
                     .Case("NOTSET", Padding::Explicit)
                     .Case("VALID", Padding::None)
                     .Case("SAME_UPPER", Padding::SameUpper)
                     .Case("SAME_LOWER", Padding::SameLower)
                     .Default(std::nullopt);
  if (!padding)
    return node.emitError() << "there is no auto_pad '" << mode << "'";
  return WindowAttributes{*strides, *dilations, *pads, *padding};
}

FailureOr<Window> mlir::dann::onnx::getWindow(Node &node, Tensor x,
                                              ArrayRef<int64_t> kernel) {
  int64_t rank = x.getRank() - 2;
  if (rank < 1)
    return node.emitError()
           << "takes a batch, channels and at least one dimension of space, "
              "not "
           << x.getType();
  Window window;
  window.kernel.assign(kernel.begin(), kernel.end());
  if (window.getRank() != rank || llvm::any_of(kernel, [](int64_t extent) {
        return extent < 1 || extent > kMaxWindow;
      })) {
    InFlightDiagnostic error = node.emitError() << "the kernel has the shape [";
    llvm::interleaveComma(kernel, error);
    return error << "] instead of " << rank << " extents from 1 to "
                 << kMaxWindow;
  }
  FailureOr<WindowAttributes> attributes = getWindowAttributes(node, rank);
  if (failed(attributes))
    return failure();
  using Padding = WindowAttributes::Padding;
  Padding padding = attributes->padding;
  window.strides = attributes->strides;
  window.dilations = attributes->dilations;
  // VALID has a formula of its own, in which nothing is rounded up.
  bool isCeil =
      padding == Padding::Explicit && node.getInt("ceil_mode", 0) != 0;
  for (int64_t i = 0; i < rank; ++i) {
    int64_t extent = x.getDim(2 + i), span = window.getSpan(i),
            stride = window.strides[i];
    int64_t low = 0, high = 0, output = 0;
    if (extent < 1 || extent > kMaxElements)
      return node.emitError() << "dimension " << 2 + i << " of " << x.getType()
                              << " is not from 1 to " << kMaxElements;
    if (padding == Padding::SameUpper || padding == Padding::SameLower) {
      // With a remainder the more is behind for UPPER, before for LOWER.
      output = llvm::divideCeil(extent, stride);
      int64_t total =
          std::max<int64_t>(0, (output - 1) * stride + span - extent);
      low = padding == Padding::SameUpper ? total / 2 : total - total / 2;
      high = total - low;
    } else {
      if (padding == Padding::Explicit) {
        low = attributes->pads[i];
        high = attributes->pads[rank + i];
      }
      int64_t room = extent + low + high - span;
      if (room < 0)
        return node.emitError()
               << "a window spans " << span << " in dimension " << 2 + i
               << " of " << x.getType() << ", with padding " << room + span;
      output = (isCeil ? llvm::divideCeil(room, stride) : room / stride) + 1;
    }
    window.low.push_back(low);
    window.high.push_back(high);
    window.output.push_back(output);
  }
  SmallVector<int64_t> shape(x.getShape().take_front(2));
  shape.append(window.output);
  // That of the input too: an empty batch hides how large the rest is.
  if (failed(node.checkSize(shape)) ||
      failed(node.checkSize(x.getShape().drop_front())))
    return failure();
  return window;
}

FailureOr<Tensor> mlir::dann::onnx::padForWindow(Node &node, Tensor x,
                                                 const Window &window,
                                                 Value padding) {
  int64_t leading = x.getRank() - window.getRank();
  SmallVector<int64_t> low(leading, 0), high(leading, 0), shape(x.getShape());
  for (int64_t i = 0; i < window.getRank(); ++i) {
    int64_t end =
        (window.output[i] - 1) * window.strides[i] + window.getSpan(i);
    low.push_back(window.low[i]);
    high.push_back(
        std::max<int64_t>(0, end - window.low[i] - x.getDim(leading + i)));
    shape[leading + i] += low.back() + high.back();
  }
  if (failed(node.checkSize(shape)))
    return failure();
  // What later passes know of images.
  if (window.getRank() == 2 && leading == 2 && x.isFloat() &&
      (ArrayRef(shape) != x.getShape() ||
       window.high != SmallVector<int64_t>{0, 0})) {
    // What is given, also where no window covers the end of it.
    for (int64_t i : {0, 1})
      if (window.high[i] > high[leading + i]) {
        shape[leading + i] += window.high[i] - high[leading + i];
        high[leading + i] = window.high[i];
      }
    if (failed(node.checkSize(shape)))
      return failure();
    auto attributes = [&](ArrayRef<int64_t> sizes) {
      return getAsIndexOpFoldResult(node.getContext(), sizes);
    };
    return Tensor{tensor::PadOp::create(
                      node.b(),
                      RankedTensorType::get(shape, x.getElementType()), x.value,
                      attributes(low), attributes(high), padding),
                  x.dataType};
  }
  return node.pad(x, low, high, padding);
}

Value mlir::dann::onnx::buildGeneric(Node &node, ArrayRef<Mapped> inputs,
                                     Mapped init, Node::Body body) {
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  for (const Mapped &input : inputs) {
    tensors.push_back(input.tensor);
    maps.push_back(input.map);
  }
  maps.push_back(init.map);
  SmallVector<utils::IteratorType> iterators;
  for (unsigned i = 0; i < init.map.getNumDims(); ++i)
    iterators.push_back(init.map.isFunctionOfDim(i)
                            ? utils::IteratorType::parallel
                            : utils::IteratorType::reduction);
  return linalg::GenericOp::create(
             node.b(), init.tensor.getType(), tensors, init.tensor, maps,
             iterators,
             [&](OpBuilder &b, Location loc, ValueRange arguments) {
               B inner(loc, b);
               linalg::YieldOp::create(inner, body(inner, arguments));
             })
      .getResult(0);
}

AffineMap mlir::dann::onnx::getWindowMap(Node &node, const Window &window,
                                         unsigned numLoops,
                                         ArrayRef<unsigned> leading,
                                         unsigned positions, unsigned offsets) {
  SmallVector<AffineExpr> expressions;
  auto loop = [&](unsigned i) {
    return getAffineDimExpr(i, node.getContext());
  };
  for (unsigned i : leading)
    expressions.push_back(loop(i));
  for (int64_t i = 0; i < window.getRank(); ++i)
    expressions.push_back(loop(positions + i) * window.strides[i] +
                          loop(offsets + i) * window.dilations[i]);
  return AffineMap::get(numLoops, 0, expressions, node.getContext());
}

/// `tensor` with its dimension `axis` as two, of which the first has the extent
/// `outer`.
static Value splitDimension(Node &node, Value tensor, int64_t axis,
                            int64_t outer) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> shape(type.getShape());
  int64_t inner = outer == 0 ? 0 : shape[axis] / outer;
  shape[axis] = outer;
  shape.insert(shape.begin() + axis + 1, inner);
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0, next = 0; i < type.getRank(); ++i) {
    groups.push_back({next++});
    if (i == axis)
      groups.back().push_back(next++);
  }
  return tensor::ExpandShapeOp::create(
      node.b(), RankedTensorType::get(shape, type.getElementType()), tensor,
      groups, node.getSizes(shape));
}

/// `tensor` with its dimensions `axis` and `axis + 1` as one.
static Value mergeDimensions(Node &node, Value tensor, int64_t axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (i == axis + 1)
      groups.back().push_back(i);
    else
      groups.push_back({i});
  }
  return tensor::CollapseShapeOp::create(node.b(), tensor, groups);
}

FailureOr<int64_t> mlir::dann::onnx::getGroups(Node &node, Tensor x,
                                               Tensor weights,
                                               bool isTransposed) {
  if (x.getRank() < 3 || weights.getRank() != x.getRank())
    return node.emitError()
           << "takes a batch, channels and at least one dimension of space, "
              "and weights of as many dimensions, not "
           << x.getType() << " and " << weights.getType();
  if (!weights.getType().hasStaticShape() ||
      llvm::is_contained(weights.getShape(), 0))
    return node.emitError() << "the weights " << weights.getType()
                            << " have no static shape, or no elements";
  int64_t groups = node.getInt("group", 1), channels = x.getDim(1);
  bool fits = groups >= 1 && weights.getDim(0) % groups == 0 &&
              channels % groups == 0 &&
              (isTransposed ? weights.getDim(0) == channels
                            : weights.getDim(1) == channels / groups);
  if (!fits)
    return node.emitError()
           << "with " << groups << " groups, the channels of " << x.getType()
           << " do not fit the weights " << weights.getType();
  SmallVector<int64_t> given =
      node.getInts("kernel_shape", weights.getShape().drop_front(2));
  if (ArrayRef<int64_t>(given) != weights.getShape().drop_front(2)) {
    InFlightDiagnostic error = node.emitError() << "kernel_shape is [";
    llvm::interleaveComma(given, error);
    return error << "] for weights " << weights.getType();
  }
  return groups;
}

FailureOr<Tensor> mlir::dann::onnx::convolve(Node &node, Tensor x,
                                             Tensor weights) {
  FailureOr<int64_t> groups =
      getGroups(node, x, weights, /*isTransposed=*/false);
  if (failed(groups))
    return failure();
  FailureOr<Window> window =
      getWindow(node, x, weights.getShape().drop_front(2));
  if (failed(window))
    return failure();
  SmallVector<int64_t> shape = {x.getDim(0), weights.getDim(0)};
  shape.append(window->output);
  FailureOr<Tensor> padded =
      padForWindow(node, x, *window, node.scalar(x.dataType, 0));
  if (failed(node.checkSize(shape)) || failed(padded))
    return failure();
  return convolve(node, *padded, weights, *window, *groups);
}

Tensor mlir::dann::onnx::convolve(Node &node, Tensor x, Tensor weights,
                                  const Window &window, int64_t groups) {
  B &b = node.b();
  unsigned rank = window.getRank();
  SmallVector<int64_t> shape = {x.getDim(0), weights.getDim(0)};
  shape.append(window.output);
  auto multiplyAdd = [](B &b, ValueRange arguments) {
    return add(b, arguments[2], multiply(b, arguments[0], arguments[1]));
  };
  // What later passes know.
  if (groups == 1 && rank == 2 && x.isFloat()) {
    Value init = node.fill(shape, x.dataType, 0).value;
    return {linalg::Conv2DNchwFchwOp::create(
                b, init.getType(), ValueRange{x.value, weights.value}, init,
                b.getI64VectorAttr(window.strides),
                b.getI64VectorAttr(window.dilations))
                .getResult(0),
            x.dataType};
  }
  // Loops: the batch, the group if there are some, channels, positions, then
  // the channels of the input and the positions in a window.
  bool isGrouped = groups != 1;
  if (isGrouped) {
    shape[1] /= groups;
    shape.insert(shape.begin() + 1, groups);
    x.value = splitDimension(node, x.value, 1, groups);
    weights.value = splitDimension(node, weights.value, 0, groups);
  }
  unsigned channel = 1 + isGrouped, positions = channel + 1,
           inputChannel = positions + rank, offsets = inputChannel + 1,
           numLoops = offsets + rank;
  auto project = [&](ArrayRef<unsigned> loops) {
    SmallVector<AffineExpr> expressions;
    for (unsigned loop : loops)
      expressions.push_back(b.getAffineDimExpr(loop));
    return AffineMap::get(numLoops, 0, expressions, node.getContext());
  };
  SmallVector<unsigned> xLoops = {0}, weightLoops, resultLoops = {0};
  if (isGrouped)
    for (SmallVector<unsigned> *loops : {&xLoops, &weightLoops, &resultLoops})
      loops->push_back(1);
  xLoops.push_back(inputChannel);
  weightLoops.append({channel, inputChannel});
  resultLoops.push_back(channel);
  for (unsigned i = 0; i < rank; ++i) {
    weightLoops.push_back(offsets + i);
    resultLoops.push_back(positions + i);
  }
  Value result = buildGeneric(
      node,
      {{x.value,
        getWindowMap(node, window, numLoops, xLoops, positions, offsets)},
       {weights.value, project(weightLoops)}},
      {node.fill(shape, x.dataType, 0).value, project(resultLoops)},
      multiplyAdd);
  if (isGrouped)
    result = mergeDimensions(node, result, 1);
  return {result, x.dataType};
}
