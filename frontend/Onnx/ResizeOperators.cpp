//===- ResizeOperators.cpp - Images of another size -----------------------===//

#include "frontend/Onnx/Pixels.h"

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
  return parseWord<Interpolation>(node, "mode", "nearest",
                                  {{"nearest", Interpolation::Nearest},
                                   {"linear", Interpolation::Linear},
                                   {"bilinear", Interpolation::Linear}},
                                  interpolation);
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
      return node.emitError() << "has the scale " << scale
                              << "; it has to be positive and finite";
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
  if (result.dataType == x.dataType)
    return node.setResult(result);
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
  return node.setResult(node.convert(*bounded, x.dataType));
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

constexpr OperatorEntry kOperators[] = {
    {"Upsample", 1, 1, 1, 1, importOldUpsample},
    {"Upsample", 9, 2, 2, 1, importOldResize},
    {"Resize", 10, 2, 2, 1, importOldResize},
    {"Resize", 11, 1, 4, 1, importResize},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getResizeOperators() {
  return kOperators;
}
