//===- OrderOperators.cpp - Running sums, order, determinants -------------===//

#include "frontend/Onnx/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

SmallVector<int64_t> getAllAxes(int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(0, rank));
}

//===----------------------------------------------------------------------===//
// Running sums
//===----------------------------------------------------------------------===//

/// `x` moved by `distance` along an axis, with zeros behind it.
Tensor shift(Node &node, Tensor x, int64_t axis, int64_t distance,
             bool backwards) {
  SmallVector<int64_t> zeros(x.getRank(), 0), ones(x.getRank(), 1);
  SmallVector<int64_t> offsets(zeros), sizes(x.getShape()), padding(zeros);
  sizes[axis] -= distance;
  padding[axis] = distance;
  if (backwards)
    offsets[axis] = distance;
  Tensor part = node.slice(x, offsets, sizes, ones);
  return node.pad(part, backwards ? zeros : padding,
                  backwards ? padding : zeros, node.scalar(x.dataType, 0));
}

/// The sums up to each element along an axis, or from it on. Each step adds the
/// sums of twice as many elements, in parallel.
Tensor sumUp(Node &node, Tensor x, int64_t axis, bool isExclusive,
             bool backwards) {
  int64_t extent = x.getDim(axis);
  if (isExclusive) {
    if (extent <= 1)
      return node.fill(x.getShape(), x.dataType, 0);
    x = shift(node, x, axis, 1, backwards);
  }
  for (int64_t distance = 1; distance < extent; distance *= 2)
    x = compute(
        node, x.getShape(), x.dataType,
        {indexWhole(x), indexWhole(shift(node, x, axis, distance, backwards))},
        [](B &b, ValueRange arguments) -> Value {
          if (isa<FloatType>(arguments[0].getType()))
            return arith::AddFOp::create(b, arguments[0], arguments[1]);
          return arith::AddIOp::create(b, arguments[0], arguments[1]);
        });
  return x;
}

LogicalResult importCumSum(Node &node) {
  Tensor x = node.getInput(0), axis = node.getInput(1);
  bool isExclusive = node.getInt("exclusive", 0) != 0;
  bool backwards = node.getInt("reverse", 0) != 0;
  int64_t rank = x.getRank();
  if (x.isBool() || rank == 0)
    return node.emitError()
           << "takes numbers along an axis, not " << x.getType();
  if (!axis.isInteger() || !axis.getType().hasStaticShape() ||
      axis.getType().getNumElements() != 1)
    return node.emitError() << "takes one axis, not " << axis.getType();
  std::optional<SmallVector<int64_t>> known = node.getKnownInts(1);
  SmallVector<int64_t> axes = getAllAxes(rank);
  if (known) {
    FailureOr<int64_t> normal = node.normalizeAxis(known->front(), rank);
    if (failed(normal))
      return failure();
    axes = {*normal};
  } else if (rank == 1) {
    known.emplace();
  }
  SmallVector<int64_t> masks;
  SmallVector<Tensor> alternatives;
  for (int64_t i : axes) {
    if (ShapedType::isDynamic(x.getDim(i)))
      return node.emitError()
             << "sums up along the batch"
             << (known ? "" : ", or an axis that is not known at compile time")
             << ", which is not supported";
    masks.push_back(int64_t(1) << i);
    alternatives.push_back(sumUp(node, x, i, isExclusive, backwards));
  }
  if (axes.size() == 1)
    node.setOutput(0, alternatives[0]);
  else
    node.setOutput(0, choose(node, buildAxisMask(node, axis, rank),
                             (int64_t(1) << rank) - 1, masks, alternatives));
  return success();
}

//===----------------------------------------------------------------------===//
// The largest elements
//===----------------------------------------------------------------------===//

/// Integers with a sign in the order of the elements of `x`, or in the reverse
/// order. Zeros of both signs are equal, and a NaN is the largest number.
Tensor buildKeys(Node &node, Tensor x, bool isReversed) {
  unsigned width = x.getElementType().getIntOrFloatBitWidth();
  int32_t dataType = proto::TensorProto::INT64;
  if (width == 32)
    dataType = proto::TensorProto::INT32;
  else if (width == 16)
    dataType = proto::TensorProto::INT16;
  else if (width == 8)
    dataType = proto::TensorProto::INT8;
  Type type = getElementType(dataType, node.getContext());
  return compute(
      node, x.getShape(), dataType, indexWhole(x),
      [&](B &b, ValueRange arguments) {
        auto constant = [&](const APInt &value) -> Value {
          return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
        };
        Value key = arguments[0];
        if (x.isFloat()) {
          Value isNan =
              arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, key, key);
          Value isZero =
              arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, key,
                                    createConstant(b, key.getType(), 0));
          Value bits = arith::BitcastOp::create(b, type, key);
          // Of negative numbers the other bits count the other way round.
          Value sign = arith::ShRSIOp::create(
              b, bits, constant(APInt(width, width - 1)));
          Value flip = arith::AndIOp::create(
              b, sign, constant(APInt::getSignedMaxValue(width)));
          key = arith::XOrIOp::create(b, bits, flip);
          key = arith::SelectOp::create(b, isZero, constant(APInt(width, 0)),
                                        key);
          key = arith::SelectOp::create(
              b, isNan, constant(APInt::getSignedMaxValue(width)), key);
        } else if (x.isUnsigned()) {
          key = arith::XOrIOp::create(
              b, key, constant(APInt::getSignedMinValue(width)));
        }
        if (isReversed)
          key =
              arith::XOrIOp::create(b, key, constant(APInt::getAllOnes(width)));
        return key;
      });
}

/// The positions along `axis` of the `count` largest keys, in falling order,
/// and of equal ones those in front first.
///
/// A tournament: neighbouring lists, at first of one element each, are merged
/// until one is left, and of each no more than `count` elements are kept. Every
/// element of a merged list finds its origin by a binary search of its own.
Tensor selectLargest(Node &node, Tensor keys, int64_t axis, int64_t count) {
  int64_t rank = keys.getRank(), extent = keys.getDim(axis);
  int32_t dataType = proto::TensorProto::INT64;
  using Predicate = arith::CmpIPredicate;
  // The lists take the place of the axis, and what they hold comes behind it.
  SmallVector<int64_t> shape(keys.getShape());
  shape.insert(shape.begin() + axis + 1, 1);
  Tensor lists = compute(node, shape, dataType, {}, [&](B &b, ValueRange) {
    return buildPosition(b, shape, axis);
  });
  for (int64_t span = 1; span < extent; span *= 2) {
    int64_t numLists = shape[axis], width = shape[axis + 1];
    shape[axis] = llvm::divideCeil(numLists, 2);
    shape[axis + 1] = std::min(2 * width, count);
    lists = compute(node, shape, dataType, {}, [&](B &b, ValueRange) {
      auto constant = [&](int64_t value) -> Value {
        return arith::ConstantIndexOp::create(b, value);
      };
      auto is = [&](Predicate predicate, Value x, Value y) -> Value {
        return arith::CmpIOp::create(b, predicate, x, y);
      };
      auto clamp = [&](Value x, Value high) -> Value {
        x = arith::MaxSIOp::create(b, x, constant(0));
        return arith::MinSIOp::create(b, x, high);
      };
      auto subtract = [&](Value x, Value y) -> Value {
        return arith::SubIOp::create(b, x, y);
      };
      SmallVector<Value> indices;
      for (int64_t i = 0; i <= rank; ++i)
        indices.push_back(linalg::IndexOp::create(b, i));
      Value list = indices[axis], place = indices[axis + 1];
      Value left = arith::MulIOp::create(b, list, constant(2));
      Value right = arith::AddIOp::create(b, left, constant(1));
      // The lists at the end are shorter, or missing.
      auto getLength = [&](Value list) {
        Value begin = arith::MulIOp::create(b, list, constant(span));
        return clamp(subtract(constant(extent), begin), constant(width));
      };
      Value leftLength = getLength(left), rightLength = getLength(right);
      // No place is outside: those that no list has are of no importance.
      auto getEntry = [&](Value list, Value place) -> Value {
        SmallVector<Value> at(indices);
        at[axis] = clamp(list, constant(numLists - 1));
        at[axis + 1] = clamp(place, constant(width - 1));
        return tensor::ExtractOp::create(b, lists.value, at);
      };
      auto getKey = [&](Value entry) -> Value {
        SmallVector<Value> at(indices);
        at.erase(at.begin() + axis + 1);
        at[axis] = arith::IndexCastOp::create(b, b.getIndexType(), entry);
        return tensor::ExtractOp::create(b, keys.value, at);
      };
      auto precedes = [&](Value leftEntry, Value rightEntry) {
        return is(Predicate::sge, getKey(leftEntry), getKey(rightEntry));
      };
      // How many of the elements in front come from the left.
      Value low = clamp(subtract(place, rightLength), place);
      Value high = arith::MinSIOp::create(b, place, leftLength);
      for (int64_t rest = width; rest > 0; rest /= 2) {
        Value middle = arith::ShRUIOp::create(
            b, arith::AddIOp::create(b, low, high), constant(1));
        Value isOpen = is(Predicate::slt, low, high);
        Value opposite = subtract(subtract(place, middle), constant(1));
        Value isIn =
            precedes(getEntry(left, middle), getEntry(right, opposite));
        Value raised = arith::SelectOp::create(
            b, isIn, arith::AddIOp::create(b, middle, constant(1)), low);
        Value lowered = arith::SelectOp::create(b, isIn, high, middle);
        low = arith::SelectOp::create(b, isOpen, raised, low);
        high = arith::SelectOp::create(b, isOpen, lowered, high);
      }
      Value rightPlace = subtract(place, low);
      Value leftEntry = getEntry(left, low);
      Value rightEntry = getEntry(right, rightPlace);
      Value isRightOver = is(Predicate::sge, rightPlace, rightLength);
      Value takesLeft = arith::AndIOp::create(
          b, is(Predicate::slt, low, leftLength),
          arith::OrIOp::create(b, isRightOver,
                               precedes(leftEntry, rightEntry)));
      return arith::SelectOp::create(b, takesLeft, leftEntry, rightEntry)
          .getResult();
    });
  }
  // One list of `count` elements is left.
  return node.squeeze(lists, axis);
}

LogicalResult importTopK(Node &node) {
  Tensor x = node.getInput(0);
  bool takesLargest = node.getOpset() < 11 || node.getInt("largest", 1) != 0;
  FailureOr<int64_t> axis = node.getAxis("axis", -1, x.getRank());
  if (failed(axis))
    return failure();
  if (x.isBool())
    return node.emitError() << "takes numbers, not bools";
  int64_t count = -1;
  if (node.getOpset() < 10) {
    count = node.getInt("k", -1);
  } else if (!node.hasInput(1)) {
    return node.emitError() << "needs the number of elements";
  } else if (auto known = node.getKnownInts(1)) {
    if (known->size() != 1)
      return node.emitError() << "takes one number of elements, not "
                              << node.getInput(1).getType();
    count = known->front();
  } else {
    for (int i : {0, 1})
      if (auto shape = node.getDeclaredShape(i);
          shape && static_cast<int64_t>(shape->size()) == x.getRank())
        count = (*shape)[*axis];
    if (count < 0)
      return node.emitError() << "the number of elements is not known at "
                                 "compile time, nor is a shape declared";
  }
  int64_t extent = x.getDim(*axis);
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "selects along the batch, which is not "
                               "supported";
  if (count < 0 || count > extent)
    return node.emitError() << "selects " << count << " elements of " << extent;
  SmallVector<int64_t> shape(x.getShape());
  shape[*axis] = count;
  if (failed(node.checkSize(shape)))
    return failure();
  if (count == 0) {
    node.setOutput(0, node.fill(shape, x.dataType, 0));
    node.setOutput(1, node.fill(shape, proto::TensorProto::INT64, 0));
    return success();
  }
  Tensor positions =
      selectLargest(node, buildKeys(node, x, !takesLargest), *axis, count);
  node.setOutput(1, positions);
  node.setOutput(
      0, compute(node, shape, x.dataType, indexWhole(positions),
                 [&](B &b, ValueRange arguments) {
                   SmallVector<Value> indices;
                   for (int64_t i = 0; i < x.getRank(); ++i)
                     indices.push_back(linalg::IndexOp::create(b, i));
                   indices[*axis] = arith::IndexCastOp::create(
                       b, b.getIndexType(), arguments[0]);
                   return tensor::ExtractOp::create(b, x.value, indices);
                 }));
  return success();
}

//===----------------------------------------------------------------------===//
// Determinants
//===----------------------------------------------------------------------===//

/// Larger matrices would become too many operations.
constexpr int64_t kMaxDeterminant = 256;

/// Gauss' elimination: each step takes the row with the largest element of the
/// first column and that column away, and leaves a smaller matrix.
LogicalResult importDet(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  if (failed(node.requireFloat(x)))
    return failure();
  if (rank < 2 || x.getDim(rank - 1) != x.getDim(rank - 2) ||
      ShapedType::isDynamic(x.getDim(rank - 1)))
    return node.emitError() << "takes square matrices, not " << x.getType();
  if (x.getDim(rank - 1) > kMaxDeterminant)
    return node.emitError() << "takes matrices of up to " << kMaxDeterminant
                            << " rows, not " << x.getType();
  int64_t rowAxis = rank - 2, columnAxis = rank - 1;
  Type type = x.getElementType();
  Tensor product = node.fill(x.getShape().drop_back(2), x.dataType, 1);
  Tensor matrix = x;
  for (int64_t extent = x.getDim(rowAxis); extent > 0; --extent) {
    SmallVector<int64_t> shape(matrix.getShape()), zeros(rank, 0),
        ones(rank, 1);
    shape[columnAxis] = 1;
    Tensor column =
        node.squeeze(node.slice(matrix, zeros, shape, ones), columnAxis);
    Tensor pivots = findExtremum(node, map<math::AbsFOp>(node, column), rowAxis,
                                 Combination::Maximum, false);
    // A row by construction, whatever the matrix holds.
    auto getRow = [&](B &b, Value pivot) -> Value {
      Value row = arith::IndexCastOp::create(b, b.getIndexType(), pivot);
      return arith::MinUIOp::create(
          b, row, arith::ConstantIndexOp::create(b, extent - 1));
    };
    auto get = [&](B &b, Value row, Value column) -> Value {
      SmallVector<Value> indices;
      for (int64_t i = 0; i < rowAxis; ++i)
        indices.push_back(linalg::IndexOp::create(b, i));
      indices.append({row, column});
      return tensor::ExtractOp::create(b, matrix.value, indices);
    };
    // To move the pivot's row to the top takes as many exchanges as there are
    // rows above it, each of which changes the sign.
    product = compute(node, product.getShape(), x.dataType,
                      {indexWhole(product), indexWhole(pivots)},
                      [&](B &b, ValueRange arguments) {
                        Value zero = arith::ConstantIndexOp::create(b, 0);
                        Value one = arith::ConstantIndexOp::create(b, 1);
                        Value row = getRow(b, arguments[1]);
                        Value pivot = get(b, row, zero);
                        Value isEven = arith::CmpIOp::create(
                            b, arith::CmpIPredicate::eq,
                            arith::AndIOp::create(b, row, one), zero);
                        pivot = arith::SelectOp::create(
                            b, isEven, pivot, arith::NegFOp::create(b, pivot));
                        return arith::MulFOp::create(b, arguments[0], pivot);
                      });
    if (extent == 1)
      break;
    shape[rowAxis] = shape[columnAxis] = extent - 1;
    matrix = compute(
        node, shape, x.dataType,
        indexReduced(pivots, rank, {rowAxis, columnAxis}),
        [&](B &b, ValueRange arguments) {
          Value zero = arith::ConstantIndexOp::create(b, 0);
          Value one = arith::ConstantIndexOp::create(b, 1);
          Value pivotRow = getRow(b, arguments[0]);
          Value row = linalg::IndexOp::create(b, rowAxis);
          Value below = arith::AddIOp::create(b, row, one);
          Value isAbove = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                                row, pivotRow);
          row = arith::SelectOp::create(b, isAbove, row, below);
          Value column = arith::AddIOp::create(
              b, linalg::IndexOp::create(b, columnAxis), one);
          Value pivot = get(b, pivotRow, zero);
          Value factor = arith::DivFOp::create(b, get(b, row, zero), pivot);
          // If the pivot is zero, so is all of the column.
          Value none = createConstant(b, type, 0);
          Value isZero =
              arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, pivot, none);
          factor = arith::SelectOp::create(b, isZero, none, factor);
          return arith::SubFOp::create(
              b, get(b, row, column),
              arith::MulFOp::create(b, factor, get(b, pivotRow, column)));
        });
  }
  node.setOutput(0, product);
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"CumSum", 11, 2, 2, 1, importCumSum},
    {"TopK", 1, 1, 2, 2, importTopK},
    {"Det", 11, 1, 1, 1, importDet},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getOrderOperators() {
  return kOperators;
}
