//===- SignalOperators.cpp - Windows and Fourier transforms ---------------===//

#include "frontend/Onnx/Indices.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numbers>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;
constexpr int32_t kInt64 = proto::TensorProto::INT64;
constexpr int32_t kDouble = proto::TensorProto::DOUBLE;
constexpr double kTwoPi = 2 * std::numbers::pi;

Value makeDouble(B &b, double value) {
  return arith::ConstantOp::create(b, b.getF64FloatAttr(value));
}
Value toDouble(B &b, Value index) {
  return arith::UIToFPOp::create(
      b, b.getF64Type(), arith::IndexCastOp::create(b, b.getI64Type(), index));
}
/// A number that is an input: a scalar, and what it is if that is known.
struct Number {
  Tensor tensor;
  std::optional<int64_t> known;

  /// The number as an index in [low, high].
  Value load(B &b, int64_t low, int64_t high) const {
    if (known)
      return makeIndex(b, std::clamp(*known, low, high));
    Value index = toIndex(b, tensor::ExtractOp::create(b, tensor.value));
    index = arith::MinSIOp::create(b, index, makeIndex(b, high));
    return arith::MaxSIOp::create(b, index, makeIndex(b, low));
  }
};

FailureOr<Tensor> getScalar(Node &node, int input) {
  Tensor tensor = node.getInput(input);
  if (!tensor.getType().hasStaticShape() ||
      tensor.getType().getNumElements() != 1 || tensor.isBool())
    return node.emitError()
           << "input " << input << " has to be one number, not "
           << tensor.getType();
  return node.reshape(tensor, {});
}

FailureOr<Number> getInteger(Node &node, int input) {
  FailureOr<Tensor> tensor = getScalar(node, input);
  if (failed(tensor))
    return failure();
  if (tensor->dataType != proto::TensorProto::INT32 &&
      tensor->dataType != kInt64)
    return node.emitError()
           << "input " << input << " has to be int32 or int64, not "
           << getTypeName(tensor->dataType);
  Number number = {*tensor, {}};
  if (auto known = node.getKnownInts(input))
    number.known = (*known)[0];
  return number;
}

/// The type of the result of an operator that makes numbers.
FailureOr<int32_t> getOutputType(Node &node) {
  int64_t type = node.getInt("output_datatype", proto::TensorProto::FLOAT);
  if (type < 0 || type > 1000 || type == proto::TensorProto::BOOL ||
      !getElementType(static_cast<int32_t>(type), node.getContext()))
    return node.emitError()
           << "gives elements of type " << type << ", which is not supported";
  return static_cast<int32_t>(type);
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// a - b cos(x) + c cos(2 x), for x once around.
LogicalResult importWindow(Node &node, double a, double b, double c) {
  FailureOr<Number> number = getInteger(node, 0);
  FailureOr<int32_t> dataType = getOutputType(node);
  if (failed(number) || failed(dataType))
    return failure();
  std::optional<int64_t> size = number->known;
  if (!size) {
    auto declared = node.getDeclaredShape(0);
    if (!declared || declared->size() != 1)
      return node.emitError() << "its size is not known at compile time";
    size = (*declared)[0];
  }
  if (failed(node.checkSize(*size)))
    return failure();
  // A periodic window lacks the last point, which is the first one again.
  bool isPeriodic = node.getInt("periodic", 1) != 0;
  double steps =
      static_cast<double>(std::max<int64_t>(1, isPeriodic ? *size : *size - 1));
  node.setOutput(
      0, node.generate(*size, *dataType, [&](B &builder, ValueRange indices) {
        Value angle =
            arith::MulFOp::create(builder, toDouble(builder, indices[0]),
                                  makeDouble(builder, kTwoPi / steps));
        Value value = arith::SubFOp::create(
            builder, makeDouble(builder, a),
            arith::MulFOp::create(builder, makeDouble(builder, b),
                                  math::CosOp::create(builder, angle)));
        if (c != 0) {
          Value twice = arith::AddFOp::create(builder, angle, angle);
          value = arith::AddFOp::create(
              builder, value,
              arith::MulFOp::create(builder, makeDouble(builder, c),
                                    math::CosOp::create(builder, twice)));
        }
        return node.convertScalar(builder, value, kDouble, *dataType);
      }));
  return success();
}

LogicalResult importHannWindow(Node &node) {
  return importWindow(node, 0.5, 0.5, 0);
}
LogicalResult importHammingWindow(Node &node) {
  return importWindow(node, 25.0 / 46, 21.0 / 46, 0);
}
LogicalResult importBlackmanWindow(Node &node) {
  return importWindow(node, 0.42, 0.5, 0.08);
}

LogicalResult importMelWeightMatrix(Node &node) {
  FailureOr<Number> numBands = getInteger(node, 0);
  FailureOr<Number> length = getInteger(node, 1);
  FailureOr<Number> rate = getInteger(node, 2);
  FailureOr<Tensor> low = getScalar(node, 3), high = getScalar(node, 4);
  FailureOr<int32_t> dataType = getOutputType(node);
  if (failed(numBands) || failed(length) || failed(rate) || failed(low) ||
      failed(high) || failed(dataType))
    return failure();
  for (Tensor edge : {*low, *high})
    if (failed(node.requireFloat(edge)))
      return failure();
  SmallVector<int64_t> shape;
  if (numBands->known && length->known) {
    if (*numBands->known < 0 || *length->known < 0)
      return node.emitError()
             << "has " << *numBands->known << " bands of a transform of "
             << *length->known << " points";
    shape = {*length->known / 2 + 1, *numBands->known};
  } else if (auto declared = node.getDeclaredShape(0)) {
    shape = *declared;
  }
  if (shape.size() != 2)
    return node.emitError() << "its shape is not known at compile time";
  if (failed(node.checkSize(shape)))
    return failure();
  auto load = [&](B &b, Tensor tensor) {
    return node.convertScalar(b, tensor::ExtractOp::create(b, tensor.value),
                              tensor.dataType, kDouble);
  };
  // The edges of the bands lie equally far apart on the scale of mels, each
  // rounded down to a frequency of the transform.
  constexpr double kMels = 2595, kBreak = 700;
  Tensor edges = node.generate(
      shape[1] + 2, kDouble, [&](B &b, ValueRange indices) -> Value {
        auto toMel = [&](Value hertz) -> Value {
          Value ratio = arith::DivFOp::create(b, hertz, makeDouble(b, kBreak));
          return arith::MulFOp::create(
              b, math::Log1pOp::create(b, ratio),
              makeDouble(b, kMels / std::numbers::ln10));
        };
        Value first = toMel(load(b, *low)), last = toMel(load(b, *high));
        Value step = arith::DivFOp::create(
            b, arith::SubFOp::create(b, last, first),
            makeDouble(b, static_cast<double>(shape[1] + 2)));
        Value mel = arith::AddFOp::create(
            b, first, arith::MulFOp::create(b, toDouble(b, indices[0]), step));
        Value hertz = arith::MulFOp::create(
            b,
            math::ExpM1Op::create(
                b, arith::MulFOp::create(
                       b, mel, makeDouble(b, std::numbers::ln10 / kMels))),
            makeDouble(b, kBreak));
        Value points =
            arith::AddFOp::create(b, load(b, length->tensor), makeDouble(b, 1));
        return math::FloorOp::create(
            b, arith::DivFOp::create(b, arith::MulFOp::create(b, points, hertz),
                                     load(b, rate->tensor)));
      });
  node.setOutput(
      0,
      node.generate(shape, *dataType, [&](B &b, ValueRange indices) -> Value {
        using Predicate = arith::CmpFPredicate;
        auto test = [&](Predicate predicate, Value x, Value y) -> Value {
          return arith::CmpFOp::create(b, predicate, x, y);
        };
        auto both = [&](Value x, Value y) -> Value {
          return arith::AndIOp::create(b, x, y);
        };
        SmallVector<Value> edge;
        for (int64_t i = 0; i < 3; ++i)
          edge.push_back(tensor::ExtractOp::create(
              b, edges.value,
              arith::AddIOp::create(b, indices[1], makeIndex(b, i))
                  .getResult()));
        Value at = toDouble(b, indices[0]);
        Value zero = makeDouble(b, 0), one = makeDouble(b, 1);
        // Up to 1 at the center, and down behind it.
        Value rise = arith::SubFOp::create(b, edge[1], edge[0]);
        Value fall = arith::SubFOp::create(b, edge[2], edge[1]);
        Value isStep = test(Predicate::OEQ, rise, zero);
        Value up = arith::DivFOp::create(
            b, arith::SubFOp::create(b, at, edge[0]), rise);
        Value isUp = both(test(Predicate::OGE, at, edge[0]),
                          test(Predicate::OLE, at, edge[1]));
        up = arith::SelectOp::create(b, isUp, up, zero);
        Value isCenter = test(Predicate::OEQ, at, edge[1]);
        Value value = arith::SelectOp::create(
            b, isStep, arith::SelectOp::create(b, isCenter, one, zero), up);
        Value down = arith::DivFOp::create(
            b, arith::SubFOp::create(b, edge[2], at), fall);
        Value isDown = both(test(Predicate::OGE, at, edge[1]),
                            test(Predicate::OLT, at, edge[2]));
        value = arith::SelectOp::create(b, isDown, down, value);
        return node.convertScalar(b, value, kDouble, *dataType);
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// Fourier transforms
//===----------------------------------------------------------------------===//

// A transform is a product with a matrix of cosines and sines, for the lengths
// that networks use fast enough, and of any length.

/// How a dimension is transformed.
struct Transform {
  Number length;         // the points of a period, of which those behind are 0
  int64_t numPoints = 0; // those given, never more than the length
  int64_t numBins = 0;   // the frequencies
  bool isInverse = false;
};

/// Transforms dimension `axis` of x, whose last one has the real and, if it is
/// not 1, the imaginary parts.
FailureOr<Tensor> transform(Node &node, Tensor x, int64_t axis,
                            const Transform &how) {
  int64_t rank = x.getRank(), numParts = x.getShape().back();
  SmallVector<int64_t> shape(x.getShape());
  shape[axis] = how.numBins;
  shape.back() = 2;
  SmallVector<int64_t> factorShape = {2, numParts, how.numBins, how.numPoints};
  if (failed(node.checkSize(shape)) || failed(node.checkSize(factorShape)))
    return failure();
  Tensor factors = node.generate(
      factorShape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        Value result = indices[0], part = indices[1], bin = indices[2],
              point = indices[3];
        // Not larger than any period that the result can have.
        Value length = how.length.load(b, 1, kMaxElements);
        // The angle is exact in units of the circle.
        Value turns = arith::RemUIOp::create(
            b, arith::MulIOp::create(b, bin, point), length);
        Value count = toDouble(b, length);
        Value angle = arith::MulFOp::create(
            b, makeDouble(b, kTwoPi),
            arith::DivFOp::create(b, toDouble(b, turns), count));
        // e^-ix = cos x - i sin x
        Value sine = math::SinOp::create(b, angle);
        Value negated = arith::NegFOp::create(b, sine);
        Value isReal = compare(b, IntPredicate::eq, result, makeIndex(b, 0));
        sine = how.isInverse
                   ? arith::SelectOp::create(b, isReal, negated, sine)
                   : arith::SelectOp::create(b, isReal, sine, negated);
        Value isSame = compare(b, IntPredicate::eq, result, part);
        Value factor = arith::SelectOp::create(
            b, isSame, math::CosOp::create(b, angle), sine);
        if (how.isInverse)
          factor = arith::DivFOp::create(b, factor, count);
        Value isGiven = compare(b, IntPredicate::ult, point, length);
        factor = arith::SelectOp::create(b, isGiven, factor, makeDouble(b, 0));
        return node.convertScalar(b, factor, kDouble, x.dataType);
      });
  // Loops over the result, and points and parts to sum up.
  unsigned point = rank, part = rank + 1, last = rank - 1;
  LinalgBuilder::Indexed input = {x.value, LinalgBuilder::allLoops(x.value)};
  input.loops[axis] = point;
  input.loops[last] = part;
  Value init = node.fill(shape, x.dataType, 0).value;
  return Tensor{
      node.linalg().generic(
          rank + 2,
          {input,
           {factors.value, {last, part, static_cast<unsigned>(axis), point}}},
          {init, LinalgBuilder::allLoops(init)},
          [](B &b, ValueRange arguments) {
            return arith::AddFOp::create(
                b, arguments[2],
                arith::MulFOp::create(b, arguments[0], arguments[1]));
          }),
      x.dataType};
}

/// Whether the last dimension of x has the parts of a number.
LogicalResult requireComplex(Node &node, Tensor x, bool isOneSided) {
  if (failed(node.requireFloat(x)))
    return failure();
  if (x.getRank() < 2 || (x.getShape().back() != 1 && x.getShape().back() != 2))
    return node.emitError() << "the last dimension of " << x.getType()
                            << " has no real, or real and imaginary parts";
  if (isOneSided && x.getShape().back() != 1)
    return node.emitError()
           << "'onesided' takes real numbers, not " << x.getType();
  return success();
}

LogicalResult importDFT(Node &node) {
  Tensor x = node.getInput(0);
  bool isOneSided = node.getInt("onesided", 0) != 0;
  if (failed(requireComplex(node, x, isOneSided)))
    return failure();
  // From opset 20 on the axis is an input.
  int64_t given = -2;
  if (node.getOpset() < 20) {
    given = node.getInt("axis", 1);
  } else if (node.hasInput(2)) {
    FailureOr<Number> number = getInteger(node, 2);
    if (failed(number))
      return failure();
    if (!number->known)
      return node.emitError() << "the axis is not known at compile time";
    given = *number->known;
  }
  FailureOr<int64_t> axis = node.normalizeAxis(given, x.getRank());
  if (failed(axis))
    return failure();
  if (*axis == x.getRank() - 1 || ShapedType::isDynamic(x.getDim(*axis)))
    return node.emitError()
           << "cannot transform dimension " << *axis << " of " << x.getType();
  int64_t extent = x.getDim(*axis);
  Transform how;
  how.length.known = extent;
  how.numPoints = extent;
  how.isInverse = node.getInt("inverse", 0) != 0;
  if (node.hasInput(1)) {
    FailureOr<Number> length = getInteger(node, 1);
    if (failed(length))
      return failure();
    how.length = *length;
  }
  if (how.length.known) {
    int64_t length = *how.length.known;
    if (length < 1 || length > kMaxElements)
      return node.emitError()
             << "transforms " << length << " points, which is not from 1 to "
             << kMaxElements;
    how.numBins = isOneSided ? length / 2 + 1 : length;
    how.numPoints = std::min(extent, length);
  } else {
    // The length is not known, but how many frequencies there are.
    auto declared = node.getDeclaredShape(0);
    if (!declared || static_cast<int64_t>(declared->size()) != x.getRank())
      return node.emitError() << "its length is not known at compile time";
    how.numBins = (*declared)[*axis];
    if (how.numBins < 1)
      return node.emitError() << "declares " << how.numBins
                              << " frequencies, and there is one at least";
    how.numPoints =
        std::min(extent, isOneSided ? 2 * how.numBins - 1 : how.numBins);
  }
  SmallVector<int64_t> sizes(x.getShape());
  sizes[*axis] = how.numPoints;
  SmallVector<int64_t> offsets(x.getRank(), 0), ones(x.getRank(), 1);
  return node.setResult(
      transform(node, node.slice(x, offsets, sizes, ones), *axis, how));
}

LogicalResult importSTFT(Node &node) {
  FailureOr<Tensor> x = node.getInput(0);
  Tensor window = node.getInput(2);
  bool isOneSided = node.getInt("onesided", 1) != 0;
  // Real signals need no dimension of parts.
  if (x->getRank() == 2) {
    SmallVector<int64_t> shape(x->getShape());
    shape.push_back(1);
    x = node.reshape(*x, shape);
    if (failed(x))
      return failure();
  }
  if (failed(requireComplex(node, *x, isOneSided)) ||
      failed(node.requireRank(*x, 3)))
    return failure();
  int64_t extent = x->getDim(1);
  FailureOr<Number> step = getInteger(node, 1);
  if (failed(step))
    return failure();
  if (step->known && *step->known < 1)
    return node.emitError()
           << "has the step " << *step->known << ", which has to be 1 or more";
  Transform how;
  if (node.hasInput(3)) {
    FailureOr<Number> length = getInteger(node, 3);
    if (failed(length))
      return failure();
    how.length = *length;
  }
  if (window) {
    if (failed(node.requireSameType({*x, window})) ||
        failed(node.requireRank(window, 1)))
      return failure();
    int64_t size = window.getDim(0);
    if (ShapedType::isDynamic(size) ||
        (how.length.known && *how.length.known != size))
      return node.emitError()
             << "the window " << window.getType() << " is not that of a frame";
    how.length.known = size;
  }
  if (!node.hasInput(3) && !window)
    return node.emitError() << "needs a window or the length of a frame";
  auto declared = node.getDeclaredShape(0);
  bool isDeclared = declared && declared->size() == 4;
  if (how.length.known) {
    how.numPoints = *how.length.known;
    if (how.numPoints < 1 || how.numPoints > extent)
      return node.emitError() << "takes frames of " << how.numPoints
                              << " points from " << x->getType();
    how.numBins = isOneSided ? how.numPoints / 2 + 1 : how.numPoints;
  } else {
    if (!isDeclared || (*declared)[2] < 1)
      return node.emitError()
             << "the length of a frame is not known at compile time";
    how.numBins = (*declared)[2];
    how.numPoints = isOneSided ? 2 * how.numBins - 1 : how.numBins;
  }
  int64_t numFrames = 0;
  if (how.length.known && step->known)
    numFrames = (extent - how.numPoints) / *step->known + 1;
  else if (isDeclared)
    numFrames = (*declared)[1];
  else
    return node.emitError()
           << "the number of frames is not known at compile time";
  SmallVector<int64_t> shape = {x->getDim(0), numFrames, how.numPoints,
                                x->getDim(2)};
  if (failed(node.checkSize(shape)))
    return failure();
  if (extent == 0)
    return node.emitError()
           << "transforms " << x->getType() << ", which has no elements";
  Tensor frames =
      node.generate(shape, x->dataType, [&](B &b, ValueRange indices) -> Value {
        Value at = arith::AddIOp::create(
            b, arith::MulIOp::create(b, indices[1], step->load(b, 0, extent)),
            indices[2]);
        at = clamp(b, at, extent);
        Value value = tensor::ExtractOp::create(
            b, x->value, ValueRange{indices[0], at, indices[3]});
        if (!window)
          return value;
        return arith::MulFOp::create(
            b, value, tensor::ExtractOp::create(b, window.value, indices[2]));
      });
  return node.setResult(transform(node, frames, 2, how));
}

constexpr OperatorEntry kOperators[] = {
    {"HannWindow", 17, 1, 1, 1, importHannWindow},
    {"HammingWindow", 17, 1, 1, 1, importHammingWindow},
    {"BlackmanWindow", 17, 1, 1, 1, importBlackmanWindow},
    {"MelWeightMatrix", 17, 5, 5, 1, importMelWeightMatrix},
    {"DFT", 17, 1, 2, 1, importDFT},
    {"DFT", 20, 1, 3, 1, importDFT},
    {"STFT", 17, 2, 4, 1, importSTFT},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getSignalOperators() {
  return kOperators;
}
