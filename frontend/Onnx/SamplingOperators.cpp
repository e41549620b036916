//===- SamplingOperators.cpp - Pixels and boxes at run time ---------------===//

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
        auto number = [&](double value) { return constant(b, type, value); };
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
            return floatToIndex(
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
        auto number = [&](double value) { return constant(b, type, value); };
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
              ratio > 0 ? constantIndex(b, ratio)
                        : floatToIndex(
                              b, clampFloat(b, math::CeilOp::create(b, length),
                                            0, maxSamples));
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
            Value index = floatToIndex(b, first);
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
              Value lowest = constant(b, boxes.getElementType(),
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
    {"GridSample", 16, 2, 2, 1, importGridSample},
    {"RoiAlign", 10, 3, 3, 1, importRoiAlign},
    {"NonMaxSuppression", 10, 2, 5, 1, importNonMaxSuppression},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getSamplingOperators() {
  return kOperators;
}
