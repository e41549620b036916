//===- PoolingOperators.cpp - Windows reduced to one element --------------===//

#include "frontend/Onnx/Scalars.h"
#include "frontend/Onnx/Window.h"

#include "Utils/ConvolutionBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>
#include <numeric>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

/// What no number of the type is less than.
Value buildLeast(Node &node, Tensor x) {
  B &b = node.b();
  if (x.isFloat())
    return node.scalar(x.dataType, -std::numeric_limits<double>::infinity());
  unsigned width = x.getElementType().getIntOrFloatBitWidth();
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(x.getElementType(),
                          x.isUnsigned() ? APInt::getMinValue(width)
                                         : APInt::getSignedMinValue(width)));
}

FailureOr<Window> getPoolingWindow(Node &node, Tensor x) {
  if (!node.hasAttribute("kernel_shape"))
    return node.emitError() << "needs the attribute 'kernel_shape'";
  return getWindow(node, x, node.getInts("kernel_shape"));
}

/// Reduces the windows of a padded `x` from `initial` on. `body` gets the
/// element and the value so far.
Tensor reduceWindows(Node &node, Tensor x, const Window &window, Value initial,
                     Node::Body body) {
  unsigned leading = x.getRank() - window.getRank();
  unsigned rank = window.getRank(), positions = leading,
           offsets = positions + rank, numLoops = offsets + rank;
  SmallVector<unsigned> leadingLoops(leading);
  std::iota(leadingLoops.begin(), leadingLoops.end(), 0);
  SmallVector<int64_t> shape(x.getShape().take_front(leading));
  shape.append(window.output);
  Value init = linalg::FillOp::create(
                   node.b(), initial,
                   node.linalg().empty(node.getSizes(shape), initial.getType()))
                   .getResult(0);
  // Without contents, this tells the extents of the loops over a window.
  Value extents =
      node.linalg().empty(node.getSizes(window.kernel), x.getElementType());
  MLIRContext *context = node.getContext();
  AffineMap all = AffineMap::getMultiDimIdentityMap(numLoops, context);
  return {
      buildGeneric(node,
                   {{x.value, getWindowMap(node, window, numLoops, leadingLoops,
                                           positions, offsets)},
                    {extents, all.getMinorSubMap(rank)}},
                   {init, all.getMajorSubMap(offsets)},
                   [&](B &b, ValueRange arguments) {
                     return body(b, {arguments[0], arguments[2]});
                   }),
      x.dataType};
}

//===----------------------------------------------------------------------===//
// MaxPool
//===----------------------------------------------------------------------===//

/// For each window the place of its greatest element in `x`, counted through
/// all of it; the first one of equal elements. -1 for a window that contains
/// only padding.
FailureOr<Tensor> findGreatest(Node &node, Tensor x, Tensor padded,
                               Tensor greatest, const Window &window) {
  B &b = node.b();
  int64_t rank = window.getRank();
  int32_t type = proto::TensorProto::INT64;
  ArrayRef<int64_t> space = x.getShape().drop_front(2);
  // The places in a channel, and behind them all one that no window finds.
  int64_t none = std::numeric_limits<int64_t>::max();
  Value noPlace = arith::ConstantOp::create(b, b.getI64IntegerAttr(none));
  Tensor places =
      node.generate(space, type, [&](B &b, ValueRange indices) -> Value {
        Value place = indices[0];
        for (int64_t i = 1; i < rank; ++i)
          place = arith::AddIOp::create(
              b,
              arith::MulIOp::create(
                  b, place, arith::ConstantIndexOp::create(b, space[i])),
              indices[i]);
        return arith::IndexCastOp::create(b, b.getI64Type(), place);
      });
  FailureOr<Tensor> paddedPlaces = padForWindow(node, places, window, noPlace);
  if (failed(paddedPlaces))
    return failure();
  unsigned positions = 2, offsets = positions + rank, numLoops = offsets + rank;
  SmallVector<int64_t> shape(greatest.getShape());
  Value init =
      linalg::FillOp::create(
          b, noPlace, node.linalg().empty(node.getSizes(shape), b.getI64Type()))
          .getResult(0);
  Value extents =
      node.linalg().empty(node.getSizes(window.kernel), x.getElementType());
  AffineMap all =
      AffineMap::getMultiDimIdentityMap(numLoops, node.getContext());
  Value found = buildGeneric(
      node,
      {{padded.value,
        getWindowMap(node, window, numLoops, {0, 1}, positions, offsets)},
       {paddedPlaces->value,
        getWindowMap(node, window, numLoops, {}, positions, offsets)},
       {greatest.value, all.getMajorSubMap(offsets)},
       {extents, all.getMinorSubMap(rank)}},
      {init, all.getMajorSubMap(offsets)},
      [&](B &b, ValueRange arguments) -> Value {
        Value element = arguments[0], place = arguments[1];
        // Unordered: NaN is the greatest.
        Value isGreatest =
            x.isFloat() ? arith::CmpFOp::create(b, arith::CmpFPredicate::UEQ,
                                                element, arguments[2])
                              .getResult()
                        : arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                element, arguments[2])
                              .getResult();
        Value constant =
            arith::ConstantOp::create(b, b.getI64IntegerAttr(none));
        return arith::MinSIOp::create(
            b, arguments[4],
            arith::SelectOp::create(b, isGreatest, place, constant));
      });
  bool isColumnMajor = node.getInt("storage_order", 0) != 0;
  Tensor inChannel{found, type};
  return node.elementwise(
      {inChannel}, type, [&](B &b, ValueRange arguments) -> Value {
        auto constant = [&](int64_t value) -> Value {
          return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
        };
        auto loop = [&](int64_t i) -> Value {
          return arith::IndexCastOp::create(b, b.getI64Type(),
                                            linalg::IndexOp::create(b, i));
        };
        Value place = arguments[0];
        int64_t size = 1;
        for (int64_t extent : space)
          size *= extent;
        Value channel = arith::AddIOp::create(
            b, arith::MulIOp::create(b, loop(0), constant(x.getDim(1))),
            loop(1));
        Value inOrder = place;
        if (isColumnMajor) {
          // The order of the dimensions of space only is another one.
          inOrder = constant(0);
          Value rest = place;
          int64_t inner = size;
          for (int64_t i = rank - 1; i >= 0; --i) {
            inner /= space[i];
            Value index = arith::RemUIOp::create(b, rest, constant(space[i]));
            rest = arith::DivUIOp::create(b, rest, constant(space[i]));
            inOrder = arith::AddIOp::create(
                b, inOrder, arith::MulIOp::create(b, index, constant(inner)));
          }
        }
        Value whole = arith::AddIOp::create(
            b, arith::MulIOp::create(b, channel, constant(size)), inOrder);
        Value isNone = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, place,
                                             constant(none));
        return arith::SelectOp::create(b, isNone, constant(-1), whole);
      });
}

/// Whether the windows are those of images of floats, which later passes know.
bool areImages(Tensor x, const Window &window) {
  return x.isFloat() && window.getRank() == 2;
}

ConvolutionBuilder getImageBuilder(Node &node, const Window &window) {
  return ConvolutionBuilder(node.b(), node.getLoc(), window.strides,
                            window.dilations);
}

LogicalResult importMaxPool(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireNumber(x)))
    return failure();
  FailureOr<Window> window = getPoolingWindow(node, x);
  if (failed(window))
    return failure();
  Value least = buildLeast(node, x);
  FailureOr<Tensor> padded = padForWindow(node, x, *window, least);
  if (failed(padded))
    return failure();
  Tensor greatest{nullptr, x.dataType};
  if (areImages(x, *window))
    greatest.value = getImageBuilder(node, *window)
                         .poolMaximum(padded->value, window->kernel,
                                      -std::numeric_limits<double>::infinity());
  else
    greatest = reduceWindows(
        node, *padded, *window, least, [&](B &b, ValueRange arguments) {
          return maximum(b, arguments[1], arguments[0], x.isUnsigned());
        });
  node.setOutput(0, greatest);
  if (!node.hasOutput(1))
    return success();
  FailureOr<Tensor> places = findGreatest(node, x, *padded, greatest, *window);
  if (failed(places))
    return failure();
  node.setOutput(1, *places);
  return success();
}

/// Puts the elements where the greatest ones were that MaxPool has found; there
/// are zeros elsewhere.
LogicalResult importMaxUnpool(Node &node) {
  Tensor x = node.getInput(0), places = node.getInput(1);
  if (failed(node.requireFloat(x)))
    return failure();
  if (places.dataType != proto::TensorProto::INT64 ||
      places.getShape() != x.getShape())
    return node.emitError() << "takes places of int64 for each element of "
                            << x.getType() << ", not " << places.getType();
  int64_t rank = x.getRank() - 2;
  if (rank < 1)
    return node.emitError()
           << "takes a batch, channels and at least one dimension of space, "
              "not "
           << x.getType();
  FailureOr<SmallVector<int64_t>> kernel =
      getWindowInts(node, "kernel_shape", rank, 1, 0);
  FailureOr<WindowAttributes> attributes = getWindowAttributes(node, rank);
  if (failed(kernel) || failed(attributes))
    return failure();
  ArrayRef<int64_t> strides = attributes->strides, pads = attributes->pads;
  // What the input of the MaxPool has, unless a window has left elements out.
  SmallVector<int64_t> inferred(x.getShape().take_front(2));
  for (int64_t i = 0; i < rank; ++i) {
    int64_t extent = x.getDim(2 + i);
    if (extent < 1 || extent > kMaxElements / strides[i])
      return node.emitError() << "cannot widen dimension " << 2 + i << " of "
                              << x.getType() << " by " << strides[i];
    inferred.push_back((extent - 1) * strides[i] + (*kernel)[i] - pads[i] -
                       pads[rank + i]);
    if (inferred.back() < 1)
      return node.emitError()
             << "the padding leaves nothing of dimension " << 2 + i
             << ", whose extent would be " << inferred.back();
  }
  SmallVector<int64_t> shape = inferred;
  if (node.hasInput(2)) {
    FailureOr<SmallVector<int64_t>> given = node.getShape(2);
    if (failed(given))
      return failure();
    shape = *given;
    if (ArrayRef(shape).take_front(2) != x.getShape().take_front(2) ||
        shape.size() != inferred.size()) {
      InFlightDiagnostic error = node.emitError() << "output_shape is [";
      llvm::interleaveComma(shape, error);
      return error << "] for " << x.getType();
    }
  }
  if (failed(node.checkSize(inferred)) || failed(node.checkSize(shape)))
    return failure();
  B &b = node.b();
  auto index = [](B &b, int64_t value) -> Value {
    return arith::ConstantIndexOp::create(b, value);
  };
  SmallVector<Value> begins(x.getRank(), index(b, 0)),
      steps(x.getRank(), index(b, 1)), ends;
  for (OpFoldResult size : node.getSizes(x.getShape()))
    ends.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
  SmallVector<Value> extents;
  for (OpFoldResult size : node.getSizes(shape))
    extents.push_back(getValueOrCreateConstantIndexOp(b, b.getLoc(), size));
  SmallVector<Value> inferredExtents = extents;
  for (int64_t i = 0; i < rank; ++i)
    inferredExtents[2 + i] = index(b, inferred[2 + i]);
  // One element after the other: two may have the same place.
  scf::LoopNest loops = scf::buildLoopNest(
      b, b.getLoc(), begins, ends, steps, node.fill(shape, x.dataType, 0).value,
      [&](OpBuilder &nested, Location loc, ValueRange indices,
          ValueRange results) -> scf::ValueVector {
        B b(loc, nested);
        Value element = tensor::ExtractOp::create(b, x.value, indices);
        Value place = arith::IndexCastOp::create(
            b, b.getIndexType(),
            tensor::ExtractOp::create(b, places.value, indices));
        // The standard counts the places in the inferred shape, with
        // output_shape too. What is outside of it or of the result is dropped.
        Value isInside = arith::CmpIOp::create(b, arith::CmpIPredicate::sge,
                                               place, index(b, 0));
        Value rest = place;
        SmallVector<Value> target(x.getRank());
        for (int64_t i = x.getRank() - 1; i >= 0; --i) {
          // The rest is what remains of the first dimension.
          target[i] = i == 0
                          ? rest
                          : arith::RemUIOp::create(b, rest, inferredExtents[i])
                                .getResult();
          rest = arith::DivUIOp::create(b, rest, inferredExtents[i]);
          isInside = arith::AndIOp::create(
              b, isInside,
              arith::CmpIOp::create(b, arith::CmpIPredicate::ult, target[i],
                                    extents[i]));
        }
        for (Value &coordinate : target)
          coordinate =
              arith::SelectOp::create(b, isInside, coordinate, index(b, 0));
        Value old = tensor::ExtractOp::create(b, results[0], target);
        Value chosen = arith::SelectOp::create(b, isInside, element, old);
        return {tensor::InsertOp::create(b, chosen, results[0], target)};
      });
  node.setOutput(0, {loops.results[0], x.dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// AveragePool
//===----------------------------------------------------------------------===//

LogicalResult importAveragePool(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireFloat(x)))
    return failure();
  FailureOr<Window> window = getPoolingWindow(node, x);
  if (failed(window))
    return failure();
  auto add = [](B &b, ValueRange arguments) -> Value {
    return arith::AddFOp::create(b, arguments[1], arguments[0]);
  };
  Value zero = node.scalar(x.dataType, 0);
  FailureOr<Tensor> padded = padForWindow(node, x, *window, zero);
  if (failed(padded))
    return failure();
  Tensor sum{nullptr, x.dataType};
  if (areImages(x, *window))
    sum.value =
        getImageBuilder(node, *window).poolSum(padded->value, window->kernel);
  else
    sum = reduceWindows(node, *padded, *window, zero, add);
  // What a sum is divided by is the product of a number for each dimension of
  // space: of the elements that count. Padding counts if the attribute says so;
  // what windows cover behind it, because of ceil_mode, does not.
  bool countsPadding = node.getInt("count_include_pad", 0) != 0;
  double uniform = 1;
  SmallVector<LinalgBuilder::Indexed> operands = {
      {sum.value, LinalgBuilder::allLoops(sum.value)}};
  for (int64_t i = 0; i < window->getRank(); ++i) {
    int64_t padding = countsPadding ? window->low[i] + window->high[i] : 0;
    int64_t counted = x.getDim(2 + i) + padding;
    int64_t low = countsPadding ? 0 : window->low[i];
    int64_t end =
        (window->output[i] - 1) * window->strides[i] + window->getSpan(i);
    if (low == 0 && end <= counted) {
      uniform *= static_cast<double>(window->kernel[i]);
      continue;
    }
    Window line;
    line.kernel = {window->kernel[i]};
    line.strides = {window->strides[i]};
    line.dilations = {window->dilations[i]};
    line.low = {low};
    line.high = {0};
    line.output = {window->output[i]};
    if (failed(node.checkSize({counted})))
      return failure();
    FailureOr<Tensor> ones =
        padForWindow(node, node.fill({counted}, x.dataType, 1), line, zero);
    if (failed(ones))
      return failure();
    operands.push_back({reduceWindows(node, *ones, line, zero, add).value,
                        {static_cast<unsigned>(2 + i)}});
  }
  Value part = node.scalar(x.dataType, 1 / uniform);
  Value mean = node.linalg().elementwise(
      operands, sum.value, [&](B &b, ValueRange arguments) -> Value {
        if (operands.size() == 1)
          return arith::MulFOp::create(b, arguments[0], part);
        Value count = constantLike(b, arguments[0], uniform);
        // Those of the inputs: behind them is the result.
        for (size_t i = 1; i < operands.size(); ++i)
          count = arith::MulFOp::create(b, count, arguments[i]);
        // A window of nothing that counts has the mean 0.
        count = arith::MaximumFOp::create(b, count, constantLike(b, count, 1));
        return arith::DivFOp::create(b, arguments[0], count);
      });
  node.setOutput(0, {mean, x.dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// LpPool
//===----------------------------------------------------------------------===//

/// p of the Lp norm, which was a float in the first version.
FailureOr<double> getNorm(Node &node) {
  double p = node.getOpset() < 2 ? static_cast<double>(node.getFloat("p", 2))
                                 : static_cast<double>(node.getInt("p", 2));
  if (!(p > 0))
    return node.emitError() << "there is no norm with p " << p;
  return p;
}

/// sum + |x|^p
Value addPower(B &b, Value x, Value sum, double p) {
  Value power;
  if (p == 2) {
    power = arith::MulFOp::create(b, x, x);
  } else {
    power = math::AbsFOp::create(b, x);
    if (p != 1)
      power = math::PowFOp::create(b, power, constantLike(b, x, p));
  }
  return arith::AddFOp::create(b, sum, power);
}

Tensor takeRoot(Node &node, Tensor sum, double p) {
  if (p == 1)
    return sum;
  sum.value = node.linalg().elementwise(
      {{sum.value, LinalgBuilder::allLoops(sum.value)}}, sum.value,
      [&](B &b, ValueRange arguments) -> Value {
        if (p == 2)
          return math::SqrtOp::create(b, arguments[0]);
        return math::PowFOp::create(b, arguments[0],
                                    constantLike(b, arguments[0], 1 / p));
      });
  return sum;
}

LogicalResult importLpPool(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<double> p = getNorm(node);
  if (failed(p) || failed(node.requireFloat(x)))
    return failure();
  FailureOr<Window> window = getPoolingWindow(node, x);
  if (failed(window))
    return failure();
  Value zero = node.scalar(x.dataType, 0);
  FailureOr<Tensor> padded = padForWindow(node, x, *window, zero);
  if (failed(padded))
    return failure();
  Tensor sum = reduceWindows(
      node, *padded, *window, zero, [&](B &b, ValueRange arguments) {
        return addPower(b, arguments[0], arguments[1], *p);
      });
  node.setOutput(0, takeRoot(node, sum, *p));
  return success();
}

//===----------------------------------------------------------------------===//
// All of space
//===----------------------------------------------------------------------===//

/// Reduces all dimensions but the first two to extents of 1, after `finish`
/// has been applied to the two that are left.
LogicalResult
reduceSpace(Node &node, double initial, Node::Body body,
            llvm::function_ref<Tensor(Tensor reduced, double count)> finish) {
  Tensor x = node.getInput(0);
  if (failed(node.requireFloat(x)))
    return failure();
  if (x.getRank() < 2)
    return node.emitError()
           << "takes a batch and channels, not " << x.getType();
  double count = 1;
  for (int64_t extent : x.getShape().drop_front(2))
    count *= static_cast<double>(extent);
  ArrayRef<int64_t> kept = x.getShape().take_front(2);
  Value init =
      node.linalg().fill(node.getSizes(kept), x.getElementType(), initial);
  Tensor reduced =
      finish({node.linalg().generic(
                  x.getRank(), {{x.value, LinalgBuilder::allLoops(x.value)}},
                  {init, {0, 1}}, body),
              x.dataType},
             count);
  if (x.getRank() > 2) {
    SmallVector<int64_t> shape(kept);
    shape.append(x.getRank() - 2, 1);
    SmallVector<ReassociationIndices> groups = {{0}, {}};
    for (int64_t i = 1; i < x.getRank(); ++i)
      groups[1].push_back(i);
    reduced.value = tensor::ExpandShapeOp::create(
        node.b(), RankedTensorType::get(shape, x.getElementType()),
        reduced.value, groups, node.getSizes(shape));
  }
  node.setOutput(0, reduced);
  return success();
}

LogicalResult importGlobalMaxPool(Node &node) {
  return reduceSpace(
      node, -std::numeric_limits<double>::infinity(),
      [](B &b, ValueRange arguments) {
        return maximum(b, arguments[1], arguments[0], false);
      },
      [](Tensor reduced, double) { return reduced; });
}

LogicalResult importGlobalAveragePool(Node &node) {
  return reduceSpace(
      node, 0,
      [](B &b, ValueRange arguments) -> Value {
        return arith::AddFOp::create(b, arguments[1], arguments[0]);
      },
      [&](Tensor sum, double count) {
        sum.value = node.linalg().elementwise(
            {{sum.value, {0, 1}}}, sum.value,
            [&](B &b, ValueRange arguments) -> Value {
              return arith::DivFOp::create(
                  b, arguments[0], constantLike(b, arguments[0], count));
            });
        return sum;
      });
}

LogicalResult importGlobalLpPool(Node &node) {
  FailureOr<double> p = getNorm(node);
  if (failed(p))
    return failure();
  return reduceSpace(
      node, 0,
      [&](B &b, ValueRange arguments) {
        return addPower(b, arguments[0], arguments[1], *p);
      },
      [&](Tensor sum, double) { return takeRoot(node, sum, *p); });
}

constexpr OperatorEntry kOperators[] = {
    {"MaxPool", 1, 1, 1, 2, importMaxPool},
    {"MaxUnpool", 9, 2, 3, 1, importMaxUnpool},
    {"AveragePool", 1, 1, 1, 1, importAveragePool},
    {"LpPool", 1, 1, 1, 1, importLpPool},
    {"GlobalMaxPool", 1, 1, 1, 1, importGlobalMaxPool},
    {"GlobalAveragePool", 1, 1, 1, 1, importGlobalAveragePool},
    {"GlobalLpPool", 1, 1, 1, 1, importGlobalLpPool},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getPoolingOperators() {
  return kOperators;
}
