//===- ImageOperators.cpp - Padding, resampling, and the order of pixels -===//

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
using FloatPredicate = arith::CmpFPredicate;
using IntPredicate = arith::CmpIPredicate;

Value constantIndex(B &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value select(B &b, Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}
Value compare(B &b, FloatPredicate predicate, Value x, double y) {
  return arith::CmpFOp::create(b, predicate, x, constantLike(b, x, y));
}
Value compare(B &b, IntPredicate predicate, Value x, int64_t y) {
  return arith::CmpIOp::create(b, predicate, x, constantIndex(b, y));
}

/// `x` in [low, high], which NaN becomes low.
Value clampFloat(B &b, Value x, double low, double high) {
  x = arith::MaxNumFOp::create(b, x, constantLike(b, x, low));
  return arith::MinNumFOp::create(b, x, constantLike(b, x, high));
}
/// An index in [0, extent).
Value clampIndex(B &b, Value x, int64_t extent) {
  x = arith::MaxSIOp::create(b, x, constantIndex(b, 0));
  return arith::MinSIOp::create(b, x, constantIndex(b, extent - 1));
}
/// A whole float that is not too large.
Value toIndex(B &b, Value x) {
  return arith::IndexCastOp::create(
      b, b.getIndexType(), arith::FPToSIOp::create(b, b.getI64Type(), x));
}
Value toFloat(B &b, Value index, Type type) {
  return arith::SIToFPOp::create(
      b, type, arith::IndexCastOp::create(b, b.getI64Type(), index));
}

//===----------------------------------------------------------------------===//
// Pad
//===----------------------------------------------------------------------===//

enum class PadMode { Constant, Edge, Reflect, Wrap };

/// The place in an extent of which `place`, that may be outside, is a copy.
Value findOriginal(B &b, Value place, int64_t extent, PadMode mode) {
  if (mode == PadMode::Edge || extent == 1)
    return clampIndex(b, place, extent);
  // What is farther away than the extent is reflected or wrapped repeatedly.
  int64_t period = mode == PadMode::Wrap ? extent : 2 * (extent - 1);
  Value rest = arith::RemSIOp::create(b, place, constantIndex(b, period));
  rest = select(b, compare(b, IntPredicate::slt, rest, 0),
                arith::AddIOp::create(b, rest, constantIndex(b, period)), rest);
  if (mode == PadMode::Wrap)
    return rest;
  return select(b, compare(b, IntPredicate::sge, rest, extent),
                arith::SubIOp::create(b, constantIndex(b, period), rest), rest);
}

/// Pads by numbers that are known at run time only: every element looks up its
/// own. `axes` are those that the pads belong to, `value` is a scalar.
LogicalResult importDynamicPad(Node &node, Tensor x, PadMode mode,
                               ArrayRef<int64_t> axes, Tensor value) {
  auto shape = node.getDeclaredShape(0);
  Tensor pads = node.getInput(1);
  if (!shape || static_cast<int64_t>(shape->size()) != x.getRank() ||
      !x.getType().hasStaticShape())
    return node.emitError() << "the pads are not known at compile time, nor is "
                               "the shape of the result declared";
  if (pads.getShape() != ArrayRef<int64_t>(2 * axes.size()))
    return node.emitError()
           << "takes " << 2 * axes.size() << " pads, not " << pads.getType();
  if (failed(node.checkSize(*shape)))
    return failure();
  if (llvm::is_contained(x.getShape(), 0)) {
    if (mode != PadMode::Constant)
      return node.emitError() << x.getType() << " has no elements to repeat";
    FailureOr<Tensor> result = node.broadcast(value, *shape);
    if (failed(result))
      return failure();
    node.setOutput(0, *result);
    return success();
  }
  node.setOutput(
      0,
      node.generate(*shape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        SmallVector<Value> places(indices);
        Value isInside = arith::ConstantOp::create(b, b.getBoolAttr(true));
        for (auto [i, axis] : llvm::enumerate(axes)) {
          int64_t extent = x.getDim(axis);
          Value low = arith::IndexCastOp::create(
              b, b.getIndexType(),
              tensor::ExtractOp::create(
                  b, pads.value, constantIndex(b, static_cast<int64_t>(i))));
          Value place = arith::SubIOp::create(b, indices[axis], low);
          // Unsigned, so that what is negative is outside too.
          isInside = arith::AndIOp::create(
              b, isInside, compare(b, IntPredicate::ult, place, extent));
          places[axis] = mode == PadMode::Constant
                             ? clampIndex(b, place, extent)
                             : findOriginal(b, place, extent, mode);
        }
        // Those without pads should not be larger; the file may lie.
        for (int64_t i = 0; i < x.getRank(); ++i)
          if (!llvm::is_contained(axes, i))
            places[i] = clampIndex(b, indices[i], x.getDim(i));
        Value element = tensor::ExtractOp::create(b, x.value, places);
        if (mode != PadMode::Constant)
          return element;
        return select(b, isInside, element,
                      tensor::ExtractOp::create(b, value.value));
      }));
  return success();
}

LogicalResult importPad(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank(), opset = node.getOpset();
  std::string name = node.getString("mode", "constant");
  PadMode mode;
  if (name == "constant")
    mode = PadMode::Constant;
  else if (name == "edge")
    mode = PadMode::Edge;
  else if (name == "reflect")
    mode = PadMode::Reflect;
  else if (name == "wrap" && opset >= 19)
    mode = PadMode::Wrap;
  else
    return node.emitError() << "there is no mode '" << name << "'";
  // The pads, and the value around, became inputs.
  std::optional<SmallVector<int64_t>> pads;
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Tensor value;
  if (opset < 11) {
    if (failed(node.requireFloat(x)))
      return failure();
    pads = node.getInts(opset < 2 ? "paddings" : "pads");
    value = node.fill({}, x.dataType, node.getFloat("value", 0));
  } else {
    if (!node.hasInput(1) ||
        node.getInput(1).dataType != proto::TensorProto::INT64)
      return node.emitError() << "needs pads of int64";
    pads = node.getKnownInts(1);
    if (opset >= 18) {
      auto given = node.getAxes(18, 3, rank);
      if (failed(given))
        return failure();
      if (*given)
        axes = **given;
    }
    value = node.hasInput(2) ? node.getInput(2) : node.fill({}, x.dataType, 0);
    if (failed(node.requireSameType({x, value})))
      return failure();
    if (!value.getType().hasStaticShape() ||
        llvm::any_of(value.getShape(), [](int64_t e) { return e != 1; }))
      return node.emitError() << "takes one value, not " << value.getType();
    FailureOr<Tensor> scalar = node.reshape(value, {});
    if (failed(scalar))
      return failure();
    value = *scalar;
  }
  if (!pads)
    return importDynamicPad(node, x, mode, axes, value);
  if (pads->size() != 2 * axes.size())
    return node.emitError()
           << "has " << pads->size() << " pads instead of " << 2 * axes.size();
  // Negative pads take something away.
  SmallVector<int64_t> offsets(rank, 0), sizes(x.getShape()), low(rank, 0),
      high(rank, 0), shape(x.getShape());
  bool isEmpty = false;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    int64_t before = (*pads)[i], behind = (*pads)[axes.size() + i];
    if (std::min(before, behind) < -kMaxElements ||
        std::max(before, behind) > kMaxElements)
      return node.emitError()
             << "the pads " << before << " and " << behind << " are too large";
    if (ShapedType::isDynamic(x.getDim(axis))) {
      if (before != 0 || behind != 0)
        return node.emitError() << "pads the batch, which is not supported";
      continue;
    }
    if (x.getDim(axis) > kMaxElements)
      return node.emitError() << "the input " << x.getType() << " is too large";
    shape[axis] += before + behind;
    offsets[axis] = std::max<int64_t>(0, -before);
    sizes[axis] += std::min<int64_t>(0, before) + std::min<int64_t>(0, behind);
    low[axis] = std::max<int64_t>(0, before);
    high[axis] = std::max<int64_t>(0, behind);
    isEmpty |= sizes[axis] <= 0;
  }
  if (failed(node.checkSize(shape)))
    return failure();
  if (isEmpty) {
    if (mode != PadMode::Constant && !llvm::is_contained(shape, 0))
      return node.emitError() << "leaves no elements to repeat";
    FailureOr<Tensor> result = node.broadcast(value, shape);
    if (failed(result))
      return failure();
    node.setOutput(0, *result);
    return success();
  }
  Tensor part = node.slice(x, offsets, sizes, SmallVector<int64_t>(rank, 1));
  if (mode == PadMode::Constant) {
    Value padding = tensor::ExtractOp::create(node.b(), value.value);
    node.setOutput(0, node.pad(part, low, high, padding));
    return success();
  }
  node.setOutput(
      0,
      node.generate(shape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        SmallVector<Value> places(indices);
        for (int64_t i = 0; i < rank; ++i)
          if (low[i] != 0 || high[i] != 0)
            places[i] = findOriginal(
                b,
                arith::SubIOp::create(b, indices[i], constantIndex(b, low[i])),
                sizes[i], mode);
        return tensor::ExtractOp::create(b, part.value, places);
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// Resize
//===----------------------------------------------------------------------===//

enum class Coordinates {
  HalfPixel,
  PytorchHalfPixel,
  AlignCorners,
  Asymmetric,
  HalfPixelForNearest,
  Crop
};

/// Nearest to a coordinate. Before opset 11, when nothing was said, it was the
/// one in front, or the one behind when the size shrinks.
enum class Rounding { PreferFloor, PreferCeil, Floor, Ceil, Simple };

enum class Interpolation { Nearest, Linear, Cubic };

/// Resampling of a tensor, dimension by dimension.
class Resampling {
public:
  explicit Resampling(Node &node) : node(node), x(node.getInput(0)) {}

  /// Reads what Resize has, or what its predecessors have.
  LogicalResult readAttributes();
  LogicalResult readOldAttributes();
  /// The scales by their input or the attribute of Upsample, or the sizes.
  LogicalResult readScales(int scalesIndex, int sizesIndex, int regionIndex,
                           std::optional<SmallVector<double>> scales);
  LogicalResult build();

private:
  LogicalResult setShape(std::optional<ArrayRef<int64_t>> sizes);
  bool isResampled(int64_t axis) const;
  bool isRepeated() const;
  Value getScale(B &b, int64_t axis);
  Value getRegion(B &b, int64_t i);
  Value getCoordinate(B &b, int64_t axis, Value index);
  Value getNearest(B &b, int64_t axis, Value coordinate);
  Value getWeight(B &b, Value distance);
  Tensor repeat();
  Tensor takeNearest();
  Tensor interpolate(Tensor tensor, int64_t axis);
  Tensor extrapolate(Tensor tensor);

  Node &node;
  Tensor x;
  Interpolation interpolation = Interpolation::Nearest;
  Coordinates coordinates = Coordinates::Asymmetric;
  Rounding rounding = Rounding::Simple;
  double cubicCoefficient = -0.75, extrapolationValue = 0;
  bool excludesOutside = false;
  /// By dimension: known scales, or the tensor that holds them.
  std::optional<SmallVector<double>> knownScales;
  Tensor scaleTensor, region;
  SmallVector<int64_t> shape;
};

LogicalResult Resampling::readOldAttributes() {
  std::string mode = node.getString("mode", "nearest");
  if (mode == "linear" || mode == "bilinear")
    interpolation = Interpolation::Linear;
  else if (mode != "nearest")
    return node.emitError() << "there is no mode '" << mode << "'";
  return success();
}

template <typename T>
LogicalResult parseWord(Node &node, StringRef attribute, StringRef otherwise,
                        ArrayRef<std::pair<StringRef, T>> words, T &result) {
  std::string given = node.getString(attribute, otherwise);
  for (auto [word, value] : words)
    if (word == given) {
      result = value;
      return success();
    }
  return node.emitError() << "there is no " << attribute << " '" << given
                          << "'";
}

LogicalResult Resampling::readAttributes() {
  if (failed(parseWord<Interpolation>(node, "mode", "nearest",
                                      {{"nearest", Interpolation::Nearest},
                                       {"linear", Interpolation::Linear},
                                       {"cubic", Interpolation::Cubic}},
                                      interpolation)) ||
      failed(parseWord<Coordinates>(
          node, "coordinate_transformation_mode", "half_pixel",
          {{"half_pixel", Coordinates::HalfPixel},
           {"pytorch_half_pixel", Coordinates::PytorchHalfPixel},
           {"align_corners", Coordinates::AlignCorners},
           {"asymmetric", Coordinates::Asymmetric},
           {"tf_half_pixel_for_nn", Coordinates::HalfPixelForNearest},
           {"tf_crop_and_resize", Coordinates::Crop}},
          coordinates)) ||
      failed(parseWord<Rounding>(node, "nearest_mode", "round_prefer_floor",
                                 {{"round_prefer_floor", Rounding::PreferFloor},
                                  {"round_prefer_ceil", Rounding::PreferCeil},
                                  {"floor", Rounding::Floor},
                                  {"ceil", Rounding::Ceil}},
                                 rounding)))
    return failure();
  cubicCoefficient = node.getFloat("cubic_coeff_a", -0.75f);
  extrapolationValue = node.getFloat("extrapolation_value", 0);
  excludesOutside = node.getInt("exclude_outside", 0) != 0;
  if (node.hasAttribute("axes") || node.getInt("antialias", 0) != 0 ||
      node.getString("keep_aspect_ratio_policy", "stretch") != "stretch")
    return node.emitError() << "axes, antialias and keep_aspect_ratio_policy, "
                               "of later versions, are not supported";
  return success();
}

LogicalResult
Resampling::readScales(int scalesIndex, int sizesIndex, int regionIndex,
                       std::optional<SmallVector<double>> scales) {
  int64_t rank = x.getRank();
  for (int64_t extent : x.getShape())
    if (extent == 0 || extent > kMaxElements)
      return node.emitError()
             << "cannot resize " << x.getType() << ", which has no elements";
  if (coordinates == Coordinates::Crop) {
    region = node.getInput(regionIndex);
    if (!region || region.getShape() != ArrayRef<int64_t>(2 * rank) ||
        !region.isFloat())
      return node.emitError()
             << "needs a roi of " << 2 * rank << " floats to crop";
    if (!x.getType().hasStaticShape())
      return node.emitError() << "crops the batch, which is not supported";
  }
  auto isGiven = [&](int index) {
    Tensor tensor = index < 0 ? Tensor() : node.getInput(index);
    return tensor && tensor.getShape() != ArrayRef<int64_t>{0};
  };
  bool hasScales = scales || isGiven(scalesIndex);
  if (hasScales == isGiven(sizesIndex))
    return node.emitError() << "needs either scales or sizes";
  if (!hasScales) {
    Tensor tensor = node.getInput(sizesIndex);
    if (tensor.dataType != proto::TensorProto::INT64 ||
        tensor.getShape() != ArrayRef<int64_t>{rank})
      return node.emitError()
             << "takes " << rank << " sizes of int64, not " << tensor.getType();
    std::optional<SmallVector<int64_t>> sizes = node.getKnownInts(sizesIndex);
    if (sizes ? failed(setShape(ArrayRef<int64_t>(*sizes)))
              : failed(setShape(std::nullopt)))
      return failure();
    knownScales.emplace();
    for (auto [from, to] : llvm::zip(x.getShape(), shape))
      knownScales->push_back(
          from == to ? 1 : static_cast<double>(to) / static_cast<double>(from));
    return success();
  }
  if (!scales) {
    scaleTensor = node.getInput(scalesIndex);
    if (scaleTensor.dataType != proto::TensorProto::FLOAT ||
        scaleTensor.getShape() != ArrayRef<int64_t>{rank})
      return node.emitError() << "takes " << rank << " scales of float, not "
                              << scaleTensor.getType();
    scales = node.getKnownFloats(scalesIndex);
    if (!scales)
      return setShape(std::nullopt);
  }
  if (static_cast<int64_t>(scales->size()) != rank)
    return node.emitError()
           << "has " << scales->size() << " scales instead of " << rank;
  knownScales = scales;
  SmallVector<int64_t> sizes;
  std::optional<SmallVector<double>> bounds;
  if (region)
    bounds = node.getKnownFloats(regionIndex);
  if (region && !bounds)
    return setShape(std::nullopt);
  for (int64_t i = 0; i < rank; ++i) {
    double scale = (*scales)[i];
    if (!(scale > 0) || !std::isfinite(scale))
      return node.emitError() << "has the scale " << scale;
    if (ShapedType::isDynamic(x.getDim(i))) {
      if (scale != 1)
        return node.emitError() << "resizes the batch, which is not supported";
      sizes.push_back(x.getDim(i));
      continue;
    }
    double size = static_cast<double>(x.getDim(i)) * scale;
    if (bounds)
      size *= (*bounds)[rank + i] - (*bounds)[i];
    size = std::floor(size);
    if (!(size >= 1 && size <= static_cast<double>(kMaxElements)))
      return node.emitError()
             << "dimension " << i << " of " << x.getType() << " scaled by "
             << scale << " has the size " << size;
    sizes.push_back(static_cast<int64_t>(size));
  }
  return setShape(ArrayRef<int64_t>(sizes));
}

/// Without sizes the shape is the declared one.
LogicalResult Resampling::setShape(std::optional<ArrayRef<int64_t>> sizes) {
  if (sizes) {
    shape.assign(sizes->begin(), sizes->end());
  } else if (auto declared = node.getDeclaredShape(0);
             declared && x.getType().hasStaticShape() &&
             static_cast<int64_t>(declared->size()) == x.getRank()) {
    shape = *declared;
  } else {
    return node.emitError() << "the size of the result is not known at compile "
                               "time, nor is its shape declared";
  }
  for (auto [from, to] : llvm::zip(x.getShape(), shape))
    if (ShapedType::isDynamic(from) != ShapedType::isDynamic(to) ||
        (!ShapedType::isDynamic(to) && to < 1))
      return node.emitError()
             << "cannot resize an extent of " << x.getType() << " to " << to;
  return node.checkSize(shape);
}

/// Whether anything happens in a dimension.
bool Resampling::isResampled(int64_t axis) const {
  if (ShapedType::isDynamic(x.getDim(axis)))
    return false;
  if (coordinates == Coordinates::Crop)
    return true;
  if (x.getDim(axis) == 1 && shape[axis] == 1)
    return false;
  return !knownScales || (*knownScales)[axis] != 1 ||
         shape[axis] != x.getDim(axis);
}

/// Whether each element is repeated a whole number of times.
bool Resampling::isRepeated() const {
  bool isExact = false;
  switch (coordinates) {
  case Coordinates::Asymmetric:
  case Coordinates::HalfPixelForNearest:
    isExact =
        rounding == Rounding::Floor || (rounding == Rounding::Simple &&
                                        coordinates == Coordinates::Asymmetric);
    break;
  case Coordinates::HalfPixel:
  case Coordinates::PytorchHalfPixel:
    // Between halves, so that it does not matter which ones are preferred.
    isExact =
        rounding == Rounding::PreferFloor || rounding == Rounding::PreferCeil;
    break;
  case Coordinates::AlignCorners:
  case Coordinates::Crop:
    break;
  }
  if (!isExact || !knownScales)
    return false;
  for (int64_t i = 0; i < x.getRank(); ++i)
    if (isResampled(i) &&
        (shape[i] % x.getDim(i) != 0 ||
         (*knownScales)[i] != static_cast<double>(shape[i] / x.getDim(i))))
      return false;
  return true;
}

Value Resampling::getScale(B &b, int64_t axis) {
  if (knownScales)
    return constant(b, b.getF64Type(), (*knownScales)[axis]);
  Value scale =
      tensor::ExtractOp::create(b, scaleTensor.value, constantIndex(b, axis));
  return arith::ExtFOp::create(b, b.getF64Type(), scale);
}

Value Resampling::getRegion(B &b, int64_t i) {
  return node.convertScalar(
      b, tensor::ExtractOp::create(b, region.value, constantIndex(b, i)),
      region.dataType, proto::TensorProto::DOUBLE);
}

/// Where an element of the result is in the input, of which whole numbers are
/// the places. As precise as the scales are, since rounding depends on it.
Value Resampling::getCoordinate(B &b, int64_t axis, Value index) {
  Type type = b.getF64Type();
  auto number = [&](double value) { return constant(b, type, value); };
  Value place = toFloat(b, index, type);
  double from = static_cast<double>(x.getDim(axis));
  double to = static_cast<double>(shape[axis]);
  switch (coordinates) {
  case Coordinates::PytorchHalfPixel:
    if (shape[axis] == 1)
      return number(0);
    [[fallthrough]];
  case Coordinates::HalfPixel:
    return subtract(b, divide(b, add(b, place, number(0.5)), getScale(b, axis)),
                    number(0.5));
  case Coordinates::HalfPixelForNearest:
    return divide(b, add(b, place, number(0.5)), getScale(b, axis));
  case Coordinates::AlignCorners:
    // The size of the result is what the scale says, without rounding: so does
    // the standard's test data.
    if (shape[axis] == 1)
      return number(0);
    return divide(
        b, multiply(b, place, number(from - 1)),
        subtract(b, multiply(b, getScale(b, axis), number(from)), number(1)));
  case Coordinates::Crop: {
    Value start = getRegion(b, axis);
    Value end = getRegion(b, x.getRank() + axis);
    if (shape[axis] == 1)
      return multiply(b, add(b, start, end), number(0.5 * (from - 1)));
    Value length = multiply(b, subtract(b, end, start), number(from - 1));
    return add(b, multiply(b, start, number(from - 1)),
               divide(b, multiply(b, place, length), number(to - 1)));
  }
  case Coordinates::Asymmetric:
    break;
  }
  return divide(b, place, getScale(b, axis));
}

/// The place nearest to a coordinate.
Value Resampling::getNearest(B &b, int64_t axis, Value coordinate) {
  auto floor = [&](Value value) { return math::FloorOp::create(b, value); };
  auto ceil = [&](Value value) { return math::CeilOp::create(b, value); };
  Value half = constantLike(b, coordinate, 0.5), rounded;
  switch (rounding) {
  case Rounding::PreferFloor:
    rounded = ceil(subtract(b, coordinate, half));
    break;
  case Rounding::PreferCeil:
    rounded = floor(add(b, coordinate, half));
    break;
  case Rounding::Floor:
    rounded = floor(coordinate);
    break;
  case Rounding::Ceil:
    rounded = ceil(coordinate);
    break;
  case Rounding::Simple:
    rounded = select(b, compare(b, FloatPredicate::OLT, getScale(b, axis), 1.0),
                     ceil(coordinate), floor(coordinate));
    break;
  }
  double last = static_cast<double>(x.getDim(axis) - 1);
  return arith::FPToSIOp::create(b, b.getI64Type(),
                                 clampFloat(b, rounded, 0, last));
}

/// The weight of an element at a distance from the coordinate.
Value Resampling::getWeight(B &b, Value distance) {
  auto number = [&](double value) { return constantLike(b, distance, value); };
  if (interpolation != Interpolation::Cubic)
    return arith::MaximumFOp::create(b, subtract(b, number(1), distance),
                                     number(0));
  double a = cubicCoefficient;
  // ((a + 2) d - (a + 3)) d^2 + 1 up to 1, and a d^3 - 5 a d^2 + 8 a d - 4 a.
  Value near = subtract(b, multiply(b, distance, number(a + 2)), number(a + 3));
  near = multiply(b, multiply(b, near, distance), distance);
  near = add(b, near, number(1));
  Value far = subtract(b, multiply(b, distance, number(a)), number(5 * a));
  far = add(b, multiply(b, far, distance), number(8 * a));
  far = subtract(b, multiply(b, far, distance), number(4 * a));
  return select(b, compare(b, FloatPredicate::OLE, distance, 1.0), near, far);
}

Tensor Resampling::repeat() {
  SmallVector<int64_t> wide;
  SmallVector<unsigned, 2> loops;
  SmallVector<ReassociationIndices> groups;
  for (int64_t i = 0; i < x.getRank(); ++i) {
    loops.push_back(wide.size());
    groups.push_back({static_cast<int64_t>(wide.size())});
    wide.push_back(x.getDim(i));
    if (shape[i] != x.getDim(i)) {
      groups.back().push_back(wide.size());
      wide.push_back(shape[i] / x.getDim(i));
    }
  }
  Value init = node.linalg().empty(node.getSizes(wide), x.getElementType());
  Value repeated = node.linalg().generic(
      wide.size(), {{x.value, loops}}, {init, LinalgBuilder::allLoops(init)},
      [](B &, ValueRange arguments) { return arguments[0]; });
  if (wide.size() == shape.size())
    return {repeated, x.dataType};
  return {tensor::CollapseShapeOp::create(
              node.b(), RankedTensorType::get(shape, x.getElementType()),
              repeated, groups),
          x.dataType};
}

Tensor Resampling::takeNearest() {
  SmallVector<Value> places(x.getRank());
  for (int64_t i = 0; i < x.getRank(); ++i)
    if (isResampled(i))
      places[i] = node.generate({shape[i]}, proto::TensorProto::INT64,
                                [&](B &b, ValueRange indices) {
                                  return getNearest(
                                      b, i, getCoordinate(b, i, indices[0]));
                                })
                      .value;
  return node.generate(shape, x.dataType,
                       [&](B &b, ValueRange indices) -> Value {
                         SmallVector<Value> from(indices);
                         for (auto [index, place] : llvm::zip(from, places))
                           if (place)
                             index = arith::IndexCastOp::create(
                                 b, b.getIndexType(),
                                 tensor::ExtractOp::create(b, place, index));
                         return tensor::ExtractOp::create(b, x.value, from);
                       });
}

/// The weighted sum of the elements around each coordinate in one dimension.
Tensor Resampling::interpolate(Tensor tensor, int64_t axis) {
  int64_t extent = x.getDim(axis), rank = x.getRank();
  int64_t count = interpolation == Interpolation::Cubic ? 4 : 2;
  int64_t before = count / 2 - 1;
  auto last = static_cast<double>(extent - 1);
  // Farther outside there is nothing else.
  auto getBounded = [&](B &b, Value index) {
    return clampFloat(b, getCoordinate(b, axis, index), -4, last + 4);
  };
  auto getTap = [&](B &b, Value coordinate, Value i) -> Value {
    Value first =
        subtract(b, math::FloorOp::create(b, coordinate),
                 constantLike(b, coordinate, static_cast<double>(before)));
    return add(b, first, i);
  };
  Tensor places = node.generate(
      {shape[axis], count}, proto::TensorProto::INT64,
      [&](B &b, ValueRange indices) -> Value {
        Value coordinate = getBounded(b, indices[0]);
        Value tap =
            getTap(b, coordinate, toFloat(b, indices[1], coordinate.getType()));
        return arith::FPToSIOp::create(b, b.getI64Type(),
                                       clampFloat(b, tap, 0, last));
      });
  Tensor weights = node.generate(
      {shape[axis], count}, tensor.dataType,
      [&](B &b, ValueRange indices) -> Value {
        Value coordinate = getBounded(b, indices[0]);
        auto weigh = [&](Value i) -> Value {
          Value tap = getTap(b, coordinate, i);
          Value weight = getWeight(
              b, math::AbsFOp::create(b, subtract(b, coordinate, tap)));
          if (!excludesOutside)
            return weight;
          Value isInside = arith::AndIOp::create(
              b, compare(b, FloatPredicate::OGE, tap, 0.0),
              compare(b, FloatPredicate::OLE, tap, last));
          return select(b, isInside, weight, constantLike(b, weight, 0));
        };
        Value weight = weigh(toFloat(b, indices[1], coordinate.getType()));
        if (excludesOutside) {
          Value sum = constantLike(b, weight, 0);
          for (int64_t i = 0; i < count; ++i)
            sum = add(b, sum,
                      weigh(constantLike(b, weight, static_cast<double>(i))));
          weight = divide(b, weight, sum);
        }
        return node.convertScalar(b, weight, proto::TensorProto::DOUBLE,
                                  tensor.dataType);
      });
  SmallVector<int64_t> target(tensor.getShape());
  target[axis] = shape[axis];
  Value init = node.fill(target, tensor.dataType, 0).value;
  unsigned loop = axis, tap = rank;
  Value result = node.linalg().generic(
      rank + 1, {{places.value, {loop, tap}}, {weights.value, {loop, tap}}},
      {init, LinalgBuilder::allLoops(init)}, [&](B &b, ValueRange arguments) {
        SmallVector<Value> from;
        for (int64_t i = 0; i < rank; ++i)
          from.push_back(i == axis ? arith::IndexCastOp::create(
                                         b, b.getIndexType(), arguments[0])
                                         .getResult()
                                   : linalg::IndexOp::create(b, i).getResult());
        Value element = tensor::ExtractOp::create(b, tensor.value, from);
        return add(b, arguments[2], multiply(b, element, arguments[1]));
      });
  return {result, tensor.dataType};
}

/// Puts the value of the attribute where a coordinate is outside.
Tensor Resampling::extrapolate(Tensor tensor) {
  SmallVector<LinalgBuilder::Indexed> operands = {
      {tensor.value, LinalgBuilder::allLoops(tensor.value)}};
  for (int64_t i = 0; i < x.getRank(); ++i)
    operands.push_back(
        {node.generate({shape[i]}, proto::TensorProto::BOOL,
                       [&](B &b, ValueRange indices) -> Value {
                         Value place = getCoordinate(b, i, indices[0]);
                         auto last = static_cast<double>(x.getDim(i) - 1);
                         return arith::AndIOp::create(
                             b, compare(b, FloatPredicate::OGE, place, 0.0),
                             compare(b, FloatPredicate::OLE, place, last));
                       })
             .value,
         {static_cast<unsigned>(i)}});
  Value outside = node.scalar(tensor.dataType, extrapolationValue);
  tensor.value = node.linalg().elementwise(
      operands, tensor.value, [&](B &b, ValueRange arguments) {
        Value result = arguments[0];
        for (size_t i = 1; i < operands.size(); ++i)
          result = select(b, arguments[i], result, outside);
        return result;
      });
  return tensor;
}

LogicalResult Resampling::build() {
  bool isNearest = interpolation == Interpolation::Nearest;
  if (x.isBool() && (!isNearest || coordinates == Coordinates::Crop))
    return node.emitError() << "cannot interpolate bools";
  // What is outside of a crop need not be a number of the type.
  if (coordinates == Coordinates::Crop && !x.isFloat())
    return node.emitError()
           << "takes floats to crop, not " << getTypeName(x.dataType);
  Tensor result = x;
  if (isNearest) {
    result = isRepeated() ? repeat() : takeNearest();
  } else {
    int32_t type = x.isFloat() ? x.dataType : proto::TensorProto::DOUBLE;
    FailureOr<Tensor> converted = node.convert(x, type);
    if (failed(converted))
      return failure();
    result = *converted;
    for (int64_t i = 0; i < x.getRank(); ++i)
      if (isResampled(i))
        result = interpolate(result, i);
  }
  if (coordinates == Coordinates::Crop)
    result = extrapolate(result);
  FailureOr<Tensor> converted = result;
  if (result.dataType != x.dataType) {
    // Cubic weights may lead out of the type's range.
    unsigned width = x.getElementType().getIntOrFloatBitWidth();
    double low = x.isUnsigned() ? 0 : -std::ldexp(1.0, width - 1);
    double high = std::ldexp(1.0, x.isUnsigned() ? width : width - 1) - 1;
    if (width > 32) // of which the last one would be rounded up to the next
      high = std::nextafter(high, 0);
    FailureOr<Tensor> bounded = node.elementwise(
        result, result.dataType, [&](B &b, ValueRange arguments) {
          return clampFloat(b, arguments[0], low, high);
        });
    if (failed(bounded))
      return failure();
    converted = node.convert(*bounded, x.dataType);
    if (failed(converted))
      return failure();
  }
  node.setOutput(0, *converted);
  return success();
}

LogicalResult importResize(Node &node) {
  Resampling resampling(node);
  if (failed(resampling.readAttributes()) ||
      failed(resampling.readScales(2, 3, 1, std::nullopt)))
    return failure();
  return resampling.build();
}

/// Resize of opset 10 has what Upsample of opset 9 has.
LogicalResult importOldResize(Node &node) {
  Resampling resampling(node);
  if (failed(resampling.readOldAttributes()) ||
      failed(resampling.readScales(1, -1, -1, std::nullopt)))
    return failure();
  return resampling.build();
}

LogicalResult importOldUpsample(Node &node) {
  SmallVector<double> scales;
  if (node.getOpset() < 7) {
    if (failed(node.requireRank(node.getInput(0), 4)))
      return failure();
    scales = {1, 1, node.getFloat("height_scale", 1),
              node.getFloat("width_scale", 1)};
  } else {
    for (float scale : node.getFloats("scales"))
      scales.push_back(scale);
  }
  Resampling resampling(node);
  if (failed(resampling.readOldAttributes()) ||
      failed(resampling.readScales(-1, -1, -1, scales)))
    return failure();
  return resampling.build();
}

//===----------------------------------------------------------------------===//
// The order of pixels
//===----------------------------------------------------------------------===//

/// The size of the blocks by which two extents, or channels, are divided.
FailureOr<int64_t> getBlockSize(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireRank(x, 4)))
    return failure();
  int64_t size = node.getInt("blocksize", 0);
  if (size < 1)
    return node.emitError() << "takes a blocksize from 1 on, not " << size;
  return size;
}

/// Reshapes, transposes and reshapes again.
LogicalResult rearrange(Node &node, ArrayRef<int64_t> split,
                        ArrayRef<int64_t> permutation,
                        ArrayRef<int64_t> merged) {
  FailureOr<Tensor> wide = node.reshape(node.getInput(0), split);
  if (failed(wide))
    return failure();
  FailureOr<Tensor> result =
      node.reshape(node.transpose(*wide, permutation), merged);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importDepthToSpace(Node &node) {
  FailureOr<int64_t> block = getBlockSize(node);
  if (failed(block))
    return failure();
  Tensor x = node.getInput(0);
  std::string mode = node.getString("mode", "DCR");
  if (mode != "DCR" && mode != "CRD")
    return node.emitError()
           << "the mode '" << mode << "' is neither DCR nor CRD";
  int64_t size = *block, n = x.getDim(0), c = x.getDim(1), h = x.getDim(2),
          w = x.getDim(3), high = 0, wide = 0;
  if (c % size != 0 || c / size % size != 0 ||
      llvm::MulOverflow(h, size, high) || llvm::MulOverflow(w, size, wide))
    return node.emitError() << "cannot divide the channels of " << x.getType()
                            << " into blocks of " << size << " x " << size;
  int64_t rest = c / size / size;
  SmallVector<int64_t> merged = {n, rest, high, wide};
  if (mode == "DCR")
    return rearrange(node, {n, size, size, rest, h, w}, {0, 3, 4, 1, 5, 2},
                     merged);
  return rearrange(node, {n, rest, size, size, h, w}, {0, 1, 4, 2, 5, 3},
                   merged);
}

LogicalResult importSpaceToDepth(Node &node) {
  FailureOr<int64_t> block = getBlockSize(node);
  if (failed(block))
    return failure();
  Tensor x = node.getInput(0);
  int64_t size = *block, n = x.getDim(0), c = x.getDim(1), h = x.getDim(2),
          w = x.getDim(3), deep = 0;
  if (h % size != 0 || w % size != 0 || llvm::MulOverflow(c, size, deep) ||
      llvm::MulOverflow(deep, size, deep))
    return node.emitError() << "cannot divide the height and width of "
                            << x.getType() << " into blocks of " << size;
  return rearrange(node, {n, c, h / size, size, w / size, size},
                   {0, 3, 5, 1, 2, 4}, {n, deep, h / size, w / size});
}

//===----------------------------------------------------------------------===//
// Samples at places that are known at run time only
//===----------------------------------------------------------------------===//

enum class Outside { Zeros, Border, Reflection };

/// A coordinate that is moved into the extent; with Zeros it stays.
Value moveInside(B &b, Value x, int64_t extent, Outside outside,
                 bool alignsCorners) {
  auto last = static_cast<double>(extent - 1);
  if (outside == Outside::Reflection) {
    // At the middles of the first and last pixels, or at their edges.
    double low = alignsCorners ? 0 : -0.5;
    double span = alignsCorners ? last : last + 1;
    if (span == 0) {
      x = constantLike(b, x, 0);
    } else {
      Value distance =
          math::AbsFOp::create(b, subtract(b, x, constantLike(b, x, low)));
      Value rest =
          arith::RemFOp::create(b, distance, constantLike(b, x, 2 * span));
      Value back = subtract(b, constantLike(b, x, 2 * span), rest);
      x = add(
          b, select(b, compare(b, FloatPredicate::OGT, rest, span), back, rest),
          constantLike(b, x, low));
    }
  }
  if (outside != Outside::Zeros)
    x = clampFloat(b, x, 0, last);
  return x;
}

LogicalResult importGridSample(Node &node) {
  Tensor x = node.getInput(0), grid = node.getInput(1);
  if (failed(node.requireFloat(x)) || failed(node.requireFloat(grid)) ||
      failed(node.requireRank(x, 4)) || failed(node.requireRank(grid, 4)))
    return failure();
  enum class Mode { Bilinear, Nearest, Bicubic } mode;
  Outside outside;
  // Opset 20 renamed two of them.
  if (failed(parseWord<Mode>(node, "mode",
                             node.getOpset() < 20 ? "bilinear" : "linear",
                             {{"bilinear", Mode::Bilinear},
                              {"linear", Mode::Bilinear},
                              {"nearest", Mode::Nearest},
                              {"bicubic", Mode::Bicubic},
                              {"cubic", Mode::Bicubic}},
                             mode)) ||
      failed(parseWord<Outside>(node, "padding_mode", "zeros",
                                {{"zeros", Outside::Zeros},
                                 {"border", Outside::Border},
                                 {"reflection", Outside::Reflection}},
                                outside)))
    return failure();
  bool alignsCorners = node.getInt("align_corners", 0) != 0;
  int64_t height = x.getDim(2), width = x.getDim(3);
  if (grid.getDim(0) != x.getDim(0) || grid.getDim(3) != 2 || height < 1 ||
      width < 1)
    return node.emitError() << "cannot take samples of " << x.getType()
                            << " at places " << grid.getType();
  SmallVector<int64_t> shape = {x.getDim(0), x.getDim(1), grid.getDim(1),
                                grid.getDim(2)};
  if (failed(node.checkSize(shape)))
    return failure();
  Tensor result =
      node.generate(shape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        Type type = x.getElementType();
        auto number = [&](double value) {
          return constant(b, type, value);
        };
        // [-1, 1] to places; x is in front of y.
        auto getCoordinate = [&](int64_t axis, int64_t extent) {
          Value place = tensor::ExtractOp::create(
              b, grid.value,
              ValueRange{indices[0], indices[2], indices[3],
                         constantIndex(b, axis)});
          place = node.convertScalar(b, place, grid.dataType, x.dataType);
          place = add(b, place, number(1));
          auto size = static_cast<double>(extent);
          if (alignsCorners)
            return multiply(b, place, number((size - 1) / 2));
          return subtract(b, multiply(b, place, number(size / 2)), number(0.5));
        };
        Value column = getCoordinate(0, width), row = getCoordinate(1, height);
        // The element at a whole place, 0 outside.
        auto load = [&](Value row, Value column) -> Value {
          auto bound = [&](Value place, int64_t extent) {
            return toIndex(
                b, clampFloat(b, place, -2, static_cast<double>(extent) + 1));
          };
          Value i = bound(row, height), j = bound(column, width);
          Value isInside =
              arith::AndIOp::create(b, compare(b, IntPredicate::ult, i, height),
                                    compare(b, IntPredicate::ult, j, width));
          Value element = tensor::ExtractOp::create(
              b, x.value,
              ValueRange{indices[0], indices[1], clampIndex(b, i, height),
                         clampIndex(b, j, width)});
          return select(b, isInside, element, number(0));
        };
        if (mode != Mode::Bicubic) {
          column = moveInside(b, column, width, outside, alignsCorners);
          row = moveInside(b, row, height, outside, alignsCorners);
        }
        if (mode == Mode::Nearest)
          return load(math::RoundEvenOp::create(b, row),
                      math::RoundEvenOp::create(b, column));
        Value left = math::FloorOp::create(b, column);
        Value top = math::FloorOp::create(b, row);
        Value right = subtract(b, column, left), down = subtract(b, row, top);
        SmallVector<Value> rowWeights, columnWeights;
        for (auto [weights, part] :
             {std::pair(&rowWeights, down), std::pair(&columnWeights, right)}) {
          if (mode == Mode::Bilinear) {
            *weights = {subtract(b, number(1), part), part};
            continue;
          }
          // The cubic weights of Resize, at the distances of four elements.
          constexpr double a = -0.75;
          for (int i = 0; i < 4; ++i) {
            Value d = i < 2 ? add(b, part, number(1 - i))
                            : subtract(b, number(i - 1), part);
            Value weight;
            if (i == 1 || i == 2) {
              weight =
                  subtract(b, multiply(b, d, number(a + 2)), number(a + 3));
              weight = multiply(b, multiply(b, weight, d), d);
              weight = add(b, weight, number(1));
            } else {
              weight = subtract(b, multiply(b, d, number(a)), number(5 * a));
              weight = add(b, multiply(b, weight, d), number(8 * a));
              weight = subtract(b, multiply(b, weight, d), number(4 * a));
            }
            weights->push_back(weight);
          }
        }
        int count = rowWeights.size(), before = count / 2 - 1;
        Value sum = number(0);
        for (int i = 0; i < count; ++i) {
          Value line = number(0);
          Value y = add(b, top, number(i - before));
          if (mode == Mode::Bicubic)
            y = moveInside(b, y, height, outside, alignsCorners);
          for (int j = 0; j < count; ++j) {
            Value at = add(b, left, number(j - before));
            if (mode == Mode::Bicubic)
              at = moveInside(b, at, width, outside, alignsCorners);
            line = add(b, line, multiply(b, load(y, at), columnWeights[j]));
          }
          sum = add(b, sum, multiply(b, line, rowWeights[i]));
        }
        return sum;
      });
  node.setOutput(0, result);
  return success();
}

LogicalResult importRoiAlign(Node &node) {
  Tensor x = node.getInput(0), regions = node.getInput(1),
         images = node.getInput(2);
  if (failed(node.requireFloat(x)) ||
      failed(node.requireSameType({x, regions})) ||
      failed(node.requireRank(x, 4)) || failed(node.requireRank(regions, 2)) ||
      failed(node.requireRank(images, 1)))
    return failure();
  int64_t channels = x.getDim(1), height = x.getDim(2), width = x.getDim(3);
  if (images.dataType != proto::TensorProto::INT64 ||
      images.getDim(0) != regions.getDim(0) || regions.getDim(1) != 4)
    return node.emitError() << "takes four coordinates and the int64 of an "
                               "image for each region, not "
                            << regions.getType() << " and " << images.getType();
  if (x.getDim(0) == 0 || height < 1 || width < 1)
    return node.emitError() << "the input " << x.getType() << " is empty";
  bool takesMaximum = false, isHalfPixel = false;
  if (failed(parseWord<bool>(node, "mode", "avg",
                             {{"avg", false}, {"max", true}}, takesMaximum)))
    return failure();
  if (node.getOpset() >= 16 &&
      failed(parseWord<bool>(
          node, "coordinate_transformation_mode", "half_pixel",
          {{"half_pixel", true}, {"output_half_pixel", false}}, isHalfPixel)))
    return failure();
  int64_t rows = node.getInt("output_height", 1),
          columns = node.getInt("output_width", 1),
          ratio = node.getInt("sampling_ratio", 0);
  // Of as many samples in either direction nobody has use; what the regions
  // ask for at run time is bounded too.
  constexpr int64_t maxSamples = 1024;
  if (rows < 1 || columns < 1 || ratio < 0 || ratio > maxSamples)
    return node.emitError() << "has the output " << rows << " x " << columns
                            << " and the sampling_ratio " << ratio
                            << ", which may be up to " << maxSamples;
  double spatialScale = node.getFloat("spatial_scale", 1);
  SmallVector<int64_t> shape = {regions.getDim(0), channels, rows, columns};
  if (failed(node.checkSize(shape)))
    return failure();
  Value numImages = node.linalg().size(x.value, 0).dyn_cast<Value>();
  Tensor result =
      node.generate(shape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        Type type = x.getElementType();
        auto number = [&](double value) {
          return constant(b, type, value);
        };
        Value image = arith::IndexCastOp::create(
            b, b.getIndexType(),
            tensor::ExtractOp::create(b, images.value, indices[0]));
        Value lastImage =
            numImages ? arith::SubIOp::create(b, numImages, constantIndex(b, 1))
                            .getResult()
                      : constantIndex(b, x.getDim(0) - 1);
        image = arith::MinSIOp::create(
            b, arith::MaxSIOp::create(b, image, constantIndex(b, 0)),
            lastImage);
        auto getBound = [&](int64_t i) {
          Value bound = tensor::ExtractOp::create(
              b, regions.value, ValueRange{indices[0], constantIndex(b, i)});
          return subtract(b, multiply(b, bound, number(spatialScale)),
                          number(isHalfPixel ? 0.5 : 0));
        };
        // By direction: where the bin begins, its length, and in how many
        // places samples are taken.
        struct Bin {
          Value begin, length, count;
        };
        auto getBin = [&](int64_t i, int64_t bins, Value index) -> Bin {
          Value start = getBound(i);
          Value length = subtract(b, getBound(i + 2), start);
          if (!isHalfPixel) // as it was: no region is less than a pixel
            length = arith::MaximumFOp::create(b, length, number(1));
          length = divide(b, length, number(static_cast<double>(bins)));
          Value begin =
              add(b, start, multiply(b, toFloat(b, index, type), length));
          Value count =
              ratio > 0
                  ? constantIndex(b, ratio)
                  : toIndex(b, clampFloat(b, math::CeilOp::create(b, length), 0,
                                          maxSamples));
          return {begin, length, count};
        };
        Bin vertical = getBin(1, rows, indices[2]);
        Bin horizontal = getBin(0, columns, indices[3]);
        auto getPlace = [&](B &b, const Bin &bin, Value i) {
          Value part = add(b, toFloat(b, i, type), constant(b, type, 0.5));
          return add(b, bin.begin,
                     divide(b, multiply(b, part, bin.length),
                            toFloat(b, bin.count, type)));
        };
        // Between the four elements around a place, 0 far outside.
        auto sample = [&](B &b, Value y, Value at) -> Value {
          struct Between {
            Value first, second, weight, isInside;
          };
          auto find = [&](Value place, int64_t extent) -> Between {
            auto size = static_cast<double>(extent);
            Value isInside = arith::AndIOp::create(
                b, compare(b, FloatPredicate::OGE, place, -1.0),
                compare(b, FloatPredicate::OLE, place, size));
            Value bounded = clampFloat(b, place, 0, size - 1);
            Value first = math::FloorOp::create(b, bounded);
            Value index = toIndex(b, first);
            Value next = arith::AddIOp::create(b, index, constantIndex(b, 1));
            return {index, clampIndex(b, next, extent),
                    subtract(b, bounded, first), isInside};
          };
          Between row = find(y, height), column = find(at, width);
          auto load = [&](Value i, Value j) -> Value {
            return tensor::ExtractOp::create(
                b, x.value, ValueRange{image, indices[1], i, j});
          };
          auto mix = [&](Value from, Value to, Value weight) {
            return add(
                b,
                multiply(b, from,
                         subtract(b, constantLike(b, weight, 1), weight)),
                multiply(b, to, weight));
          };
          Value value = mix(mix(load(row.first, column.first),
                                load(row.first, column.second), column.weight),
                            mix(load(row.second, column.first),
                                load(row.second, column.second), column.weight),
                            row.weight);
          return select(b,
                        arith::AndIOp::create(b, row.isInside, column.isInside),
                        value, constantLike(b, value, 0));
        };
        Value zero = constantIndex(b, 0), one = constantIndex(b, 1);
        Value initial =
            number(takesMaximum ? -std::numeric_limits<double>::infinity() : 0);
        auto outer = scf::ForOp::create(
            b, zero, vertical.count, one, initial,
            [&](OpBuilder &nested, Location loc, Value i, ValueRange outerSum) {
              B b(loc, nested);
              auto inner = scf::ForOp::create(
                  b, zero, horizontal.count, one, outerSum,
                  [&](OpBuilder &nested, Location loc, Value j,
                      ValueRange sum) {
                    B b(loc, nested);
                    Value value = sample(b, getPlace(b, vertical, i),
                                         getPlace(b, horizontal, j));
                    Value next =
                        takesMaximum
                            ? arith::MaximumFOp::create(b, sum[0], value)
                                  .getResult()
                            : add(b, sum[0], value);
                    scf::YieldOp::create(b, next);
                  });
              scf::YieldOp::create(b, inner.getResults());
            });
        Value count =
            arith::MulIOp::create(b, vertical.count, horizontal.count);
        Value isEmpty = compare(b, IntPredicate::eq, count, 0);
        Value pooled = outer.getResult(0);
        if (!takesMaximum)
          pooled = divide(
              b, pooled,
              arith::MaximumFOp::create(b, toFloat(b, count, type), number(1)));
        return select(b, isEmpty, number(0), pooled);
      });
  node.setOutput(0, result);
  return success();
}

//===----------------------------------------------------------------------===//
// NonMaxSuppression
//===----------------------------------------------------------------------===//

/// The corners and the area of a box.
struct Box {
  SmallVector<Value, 2> low, high;
  Value area;
};

Box loadBox(B &b, Tensor boxes, Value image, Value i, bool isCentered) {
  SmallVector<Value, 4> numbers;
  for (int64_t k = 0; k < 4; ++k)
    numbers.push_back(tensor::ExtractOp::create(
        b, boxes.value, ValueRange{image, i, constantIndex(b, k)}));
  Box box;
  for (int k = 0; k < 2; ++k) {
    Value first = numbers[k], second = numbers[k + 2];
    if (isCentered) {
      Value half = multiply(b, second, constantLike(b, second, 0.5));
      Value middle = first;
      first = subtract(b, middle, half);
      second = add(b, middle, half);
    }
    // Any two opposite corners.
    box.low.push_back(arith::MinimumFOp::create(b, first, second));
    box.high.push_back(arith::MaximumFOp::create(b, first, second));
  }
  box.area = multiply(b, subtract(b, box.high[0], box.low[0]),
                      subtract(b, box.high[1], box.low[1]));
  return box;
}

/// Whether the common part of two boxes is more than `threshold` of their
/// union. Boxes without an area have nothing in common.
Value overlaps(B &b, const Box &x, const Box &y, Value threshold) {
  Value common;
  for (int k = 0; k < 2; ++k) {
    Value side = subtract(b, arith::MinimumFOp::create(b, x.high[k], y.high[k]),
                          arith::MaximumFOp::create(b, x.low[k], y.low[k]));
    side = arith::MaximumFOp::create(b, side, constantLike(b, side, 0));
    common = common ? multiply(b, common, side) : side;
  }
  Value whole = subtract(b, add(b, x.area, y.area), common);
  return arith::CmpFOp::create(b, FloatPredicate::OGT, divide(b, common, whole),
                               threshold);
}

/// Selects for each image and class the best box that is left and drops those
/// that overlap it, again and again. How many rows the result has depends on
/// the data, so that the model has to declare it: of fewer rows the rest are
/// zeros, more are left out.
LogicalResult importNonMaxSuppression(Node &node) {
  Tensor boxes = node.getInput(0), scores = node.getInput(1);
  if (failed(node.requireFloat(boxes)) ||
      failed(node.requireSameType({boxes, scores})) ||
      failed(node.requireRank(boxes, 3)) || failed(node.requireRank(scores, 3)))
    return failure();
  if (!boxes.getType().hasStaticShape() || !scores.getType().hasStaticShape() ||
      boxes.getDim(2) != 4 || boxes.getDim(0) != scores.getDim(0) ||
      boxes.getDim(1) != scores.getDim(2))
    return node.emitError() << "takes images x boxes x 4 numbers and images x "
                               "classes x boxes scores, not "
                            << boxes.getType() << " and " << scores.getType();
  SmallVector<Value> scalars;
  for (auto [i, type] :
       {std::pair(2, static_cast<int32_t>(proto::TensorProto::INT64)),
        std::pair(3, boxes.dataType), std::pair(4, boxes.dataType)}) {
    if (!node.hasInput(i)) {
      // No boxes, no overlap; without a limit no score is too low.
      scalars.push_back(i == 4 ? Value() : node.scalar(type, 0));
      continue;
    }
    Tensor input = node.getInput(i);
    if (input.dataType != type || !input.getType().hasStaticShape() ||
        llvm::any_of(input.getShape(), [](int64_t e) { return e != 1; }))
      return node.emitError()
             << "takes one " << getTypeName(type) << " as input " << i
             << ", not " << input.getType();
    FailureOr<Tensor> scalar = node.reshape(input, {});
    if (failed(scalar))
      return failure();
    scalars.push_back(tensor::ExtractOp::create(node.b(), scalar->value));
  }
  auto shape = node.getDeclaredShape(0);
  if (!shape || shape->size() != 2 || shape->back() != 3)
    return node.emitError()
           << "the number of selected boxes is not known at compile time";
  Tensor selected = node.fill(*shape, proto::TensorProto::INT64, 0);
  int64_t rows = shape->front(), count = boxes.getDim(1);
  if (rows == 0 || count == 0) {
    node.setOutput(0, selected);
    return success();
  }
  bool isCentered = node.getInt("center_point_box", 0) != 0;
  B &builder = node.b();
  Value zero = constantIndex(builder, 0), one = constantIndex(builder, 1),
        numBoxes = constantIndex(builder, count);
  Value limit = arith::MinSIOp::create(
      builder,
      arith::IndexCastOp::create(builder, builder.getIndexType(), scalars[0]),
      numBoxes);
  limit = arith::MaxSIOp::create(builder, limit, zero);
  Value allLeft = node.fill({count}, proto::TensorProto::BOOL, 1).value;
  scf::LoopNest loops = scf::buildLoopNest(
      builder, builder.getLoc(), {zero, zero},
      {constantIndex(builder, boxes.getDim(0)),
       constantIndex(builder, scores.getDim(1))},
      {one, one}, {selected.value, zero},
      [&](OpBuilder &nested, Location loc, ValueRange at,
          ValueRange results) -> scf::ValueVector {
        B b(loc, nested);
        auto perClass = scf::ForOp::create(
            b, zero, limit, one, ValueRange{results[0], results[1], allLeft},
            [&](OpBuilder &nested, Location loc, Value, ValueRange state) {
              B b(loc, nested);
              Value minusOne = constantIndex(b, -1);
              Value lowest =
                  constant(b, boxes.getElementType(),
                                -std::numeric_limits<double>::infinity());
              auto best = scf::ForOp::create(
                  b, zero, numBoxes, one, ValueRange{minusOne, lowest},
                  [&](OpBuilder &nested, Location loc, Value i,
                      ValueRange found) {
                    B b(loc, nested);
                    Value score = tensor::ExtractOp::create(
                        b, scores.value, ValueRange{at[0], at[1], i});
                    Value isBetter = arith::OrIOp::create(
                        b, compare(b, IntPredicate::slt, found[0], 0),
                        arith::CmpFOp::create(b, FloatPredicate::OGT, score,
                                              found[1]));
                    isBetter = arith::AndIOp::create(
                        b, isBetter, tensor::ExtractOp::create(b, state[2], i));
                    if (scalars[2])
                      isBetter = arith::AndIOp::create(
                          b, isBetter,
                          arith::CmpFOp::create(b, FloatPredicate::OGE, score,
                                                scalars[2]));
                    scf::YieldOp::create(
                        b, ValueRange{select(b, isBetter, i, found[0]),
                                      select(b, isBetter, score, found[1])});
                  });
              Value chosen = best.getResult(0);
              Value isFound = arith::AndIOp::create(
                  b, compare(b, IntPredicate::sge, chosen, 0),
                  compare(b, IntPredicate::slt, state[1], rows));
              Value row = clampIndex(b, state[1], rows), table = state[0];
              SmallVector<Value> numbers = {at[0], at[1], chosen};
              for (auto [k, value] : llvm::enumerate(numbers)) {
                SmallVector<Value> place = {
                    row, constantIndex(b, static_cast<int64_t>(k))};
                Value number =
                    arith::IndexCastOp::create(b, b.getI64Type(), value);
                Value old = tensor::ExtractOp::create(b, table, place);
                table = tensor::InsertOp::create(
                    b, select(b, isFound, number, old), table, place);
              }
              Value next = arith::AddIOp::create(b, state[1],
                                                 select(b, isFound, one, zero));
              Value safe = clampIndex(b, chosen, count);
              Box box = loadBox(b, boxes, at[0], safe, isCentered);
              auto left = scf::ForOp::create(
                  b, zero, numBoxes, one, state[2],
                  [&](OpBuilder &nested, Location loc, Value i,
                      ValueRange left) {
                    B b(loc, nested);
                    Value isDropped = overlaps(
                        b, box, loadBox(b, boxes, at[0], i, isCentered),
                        scalars[1]);
                    isDropped = arith::OrIOp::create(
                        b, isDropped,
                        arith::CmpIOp::create(b, IntPredicate::eq, i, safe));
                    Value no =
                        arith::ConstantOp::create(b, b.getBoolAttr(false));
                    Value old = tensor::ExtractOp::create(b, left[0], i);
                    Value now = select(b, isDropped, no, old);
                    scf::YieldOp::create(
                        b, tensor::InsertOp::create(b, now, left[0], i)
                               .getResult());
                  });
              scf::YieldOp::create(b,
                                   ValueRange{table, next, left.getResult(0)});
            });
        return {perClass.getResult(0), perClass.getResult(1)};
      });
  node.setOutput(0, {loops.results[0], proto::TensorProto::INT64});
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"Pad", 1, 1, 4, 1, importPad},
    {"Upsample", 1, 1, 1, 1, importOldUpsample},
    {"Upsample", 9, 2, 2, 1, importOldResize},
    {"Resize", 10, 2, 2, 1, importOldResize},
    {"Resize", 11, 1, 4, 1, importResize},
    {"DepthToSpace", 1, 1, 1, 1, importDepthToSpace},
    {"SpaceToDepth", 1, 1, 1, 1, importSpaceToDepth},
    {"GridSample", 16, 2, 2, 1, importGridSample},
    {"RoiAlign", 10, 3, 3, 1, importRoiAlign},
    {"NonMaxSuppression", 10, 2, 5, 1, importNonMaxSuppression},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getImageOperators() {
  return kOperators;
}
