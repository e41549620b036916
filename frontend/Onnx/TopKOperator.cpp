//===- TopKOperator.cpp - The largest elements ----------------------------===//

#include "frontend/Onnx/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

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
        auto integer = [&](const APInt &value) -> Value {
          return arith::ConstantOp::create(b, b.getIntegerAttr(type, value));
        };
        Value key = arguments[0];
        if (x.isFloat()) {
          Value isNan =
              arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, key, key);
          Value isZero = arith::CmpFOp::create(
              b, arith::CmpFPredicate::OEQ, key, constant(b, key.getType(), 0));
          Value bits = arith::BitcastOp::create(b, type, key);
          // Of negative numbers the other bits count the other way round.
          Value sign =
              arith::ShRSIOp::create(b, bits, integer(APInt(width, width - 1)));
          Value flip = arith::AndIOp::create(
              b, sign, integer(APInt::getSignedMaxValue(width)));
          key = arith::XOrIOp::create(b, bits, flip);
          key =
              arith::SelectOp::create(b, isZero, integer(APInt(width, 0)), key);
          key = arith::SelectOp::create(
              b, isNan, integer(APInt::getSignedMaxValue(width)), key);
        } else if (x.isUnsigned()) {
          key = arith::XOrIOp::create(b, key,
                                      integer(APInt::getSignedMinValue(width)));
        }
        if (isReversed)
          key =
              arith::XOrIOp::create(b, key, integer(APInt::getAllOnes(width)));
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
  if (failed(node.requireNumber(x)))
    return failure();
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

constexpr OperatorEntry kOperators[] = {
    {"TopK", 1, 1, 2, 2, importTopK},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getTopKOperators() {
  return kOperators;
}
