//===- IndexingOperators.cpp - Gathering, scattering, and masks ----------===//

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;

Value makeIndex(B &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}
Value compare(B &b, IntPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}
Value toIndex(B &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getIndexType(), integer);
}
Value toInt64(B &b, Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}
Value makeZero(B &b, Type type) {
  return arith::ConstantOp::create(b, b.getZeroAttr(type));
}
Value makeInt64(B &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
}
Value isLess(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  return compare(b, isUnsigned ? IntPredicate::ult : IntPredicate::slt, x, y);
}

//===----------------------------------------------------------------------===//
// Indices from data
//===----------------------------------------------------------------------===//

/// An element of a tensor of indices as an index into `extent` elements, of
/// which negative ones count from behind.
Value wrap(B &b, Value element, int64_t extent) {
  Value index = toIndex(b, element);
  Value isNegative = compare(b, IntPredicate::slt, index, makeIndex(b, 0));
  Value fromBehind = arith::AddIOp::create(b, index, makeIndex(b, extent));
  return arith::SelectOp::create(b, isNegative, fromBehind, index);
}

/// The nearest index of the `extent` elements, of which there is one at least.
/// Models may not have others, and must not read other memory if they do.
Value clamp(B &b, Value index, int64_t extent) {
  Value notAbove =
      arith::MinSIOp::create(b, index, makeIndex(b, extent - 1)).getResult();
  return arith::MaxSIOp::create(b, notAbove, makeIndex(b, 0));
}

LogicalResult requireIndices(Node &node, Tensor tensor) {
  if (tensor.dataType == proto::TensorProto::INT32 ||
      tensor.dataType == proto::TensorProto::INT64)
    return success();
  return node.emitError() << "takes indices of int32 or int64, not "
                          << getTypeName(tensor.dataType);
}

/// Whether there may be a result of `shape`: the batch can only come first.
LogicalResult checkResult(Node &node, ArrayRef<int64_t> shape) {
  if (failed(node.checkSize(shape)))
    return failure();
  for (auto [i, extent] : llvm::enumerate(shape))
    if (i > 0 && ShapedType::isDynamic(extent))
      return node.emitError() << "the batch would become dimension " << i
                              << ", which is not supported";
  return success();
}

/// Whether indices may pick from dimension `axis` of `data`, once for each
/// element of `shape`.
LogicalResult checkPicked(Node &node, Tensor data, int64_t axis,
                          ArrayRef<int64_t> shape) {
  int64_t extent = data.getDim(axis);
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "picks from the batch, which is not supported";
  if (extent == 0 && !llvm::is_contained(shape, 0))
    return node.emitError() << "picks from dimension " << axis << " of "
                            << data.getType() << ", which is empty";
  return success();
}

/// Whether the indices of input `index`, if they are known, lie in `extent`.
LogicalResult checkKnownIndices(Node &node, int input, int64_t extent) {
  if (auto known = node.getKnownInts(input))
    for (int64_t at : *known)
      if (at < -extent || at >= extent)
        return node.emitError() << "the index " << at << " is not in ["
                                << -extent << ", " << extent - 1 << "]";
  return success();
}

/// The parts of `x` along `axis` that `indices` name, in a checked `shape`.
Tensor gather(Node &node, Tensor x, Tensor indices, int64_t axis,
              ArrayRef<int64_t> shape) {
  int64_t numOwn = indices.getRank(), extent = x.getDim(axis);
  SmallVector<unsigned, 2> loops =
      llvm::to_vector<2>(llvm::seq<unsigned>(axis, axis + numOwn));
  Value init = node.linalg().empty(node.getSizes(shape), x.getElementType());
  return {node.linalg().generic(
              shape.size(), {{indices.value, loops}},
              {init, LinalgBuilder::allLoops(init)},
              [&](B &b, ValueRange arguments) {
                SmallVector<Value> places;
                for (int64_t i = 0; i < x.getRank(); ++i) {
                  if (i == axis)
                    places.push_back(
                        clamp(b, wrap(b, arguments[0], extent), extent));
                  else
                    places.push_back(linalg::IndexOp::create(
                        b, i < axis ? i : i + numOwn - 1));
                }
                return tensor::ExtractOp::create(b, x.value, places);
              }),
          x.dataType};
}

LogicalResult importGather(Node &node) {
  Tensor x = node.getInput(0), indices = node.getInput(1);
  FailureOr<int64_t> axis = node.getAxis("axis", 0, x.getRank());
  if (failed(axis) || failed(requireIndices(node, indices)))
    return failure();
  SmallVector<int64_t> shape(x.getShape().take_front(*axis));
  llvm::append_range(shape, indices.getShape());
  llvm::append_range(shape, x.getShape().drop_front(*axis + 1));
  int64_t extent = x.getDim(*axis);
  if (failed(checkResult(node, shape)) ||
      failed(checkPicked(node, x, *axis, shape)) ||
      failed(checkKnownIndices(node, 1, extent)))
    return failure();
  std::optional<SmallVector<int64_t>> known = node.getKnownInts(1);
  if (!known || known->size() != 1) {
    node.setOutput(0, gather(node, x, indices, *axis, shape));
    return success();
  }
  // One place that is known: a slice, which copies nothing.
  SmallVector<int64_t> offsets(x.getRank(), 0), ones(x.getRank(), 1);
  SmallVector<int64_t> sizes(x.getShape());
  offsets[*axis] = (*known)[0] < 0 ? (*known)[0] + extent : (*known)[0];
  sizes[*axis] = 1;
  FailureOr<Tensor> result =
      node.reshape(node.slice(x, offsets, sizes, ones), shape);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// Whether each element of `indices` has its place in `data`, but for `axis`.
LogicalResult checkBesideAxis(Node &node, Tensor data, Tensor indices,
                              int64_t axis) {
  bool fits = data.getRank() == indices.getRank();
  for (int64_t i = 0; fits && i < data.getRank(); ++i) {
    int64_t own = indices.getDim(i), whole = data.getDim(i);
    if (i != axis)
      fits = own == whole || (!ShapedType::isDynamic(own) &&
                              !ShapedType::isDynamic(whole) && own < whole);
  }
  if (!fits)
    return node.emitError()
           << "the indices " << indices.getType() << " do not fit into "
           << data.getType() << " beside dimension " << axis;
  return success();
}

LogicalResult importGatherElements(Node &node) {
  Tensor x = node.getInput(0), indices = node.getInput(1);
  FailureOr<int64_t> axis = node.getAxis("axis", 0, x.getRank());
  if (failed(axis) || failed(requireIndices(node, indices)) ||
      failed(checkBesideAxis(node, x, indices, *axis)) ||
      failed(checkPicked(node, x, *axis, indices.getShape())) ||
      failed(checkKnownIndices(node, 1, x.getDim(*axis))))
    return failure();
  int64_t extent = x.getDim(*axis);
  FailureOr<Tensor> result =
      node.elementwise(indices, x.dataType, [&](B &b, ValueRange arguments) {
        SmallVector<Value> places;
        for (int64_t i = 0; i < x.getRank(); ++i) {
          if (i == *axis)
            places.push_back(clamp(b, wrap(b, arguments[0], extent), extent));
          else
            places.push_back(linalg::IndexOp::create(b, i));
        }
        return tensor::ExtractOp::create(b, x.value, places);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// The number of dimensions that the tuples in the last dimension of `indices`
/// index, behind the first `numBatch` ones of `data`.
FailureOr<int64_t> getTupleSize(Node &node, Tensor data, Tensor indices,
                                int64_t numBatch) {
  if (failed(requireIndices(node, indices)))
    return failure();
  if (data.getRank() == 0 || indices.getRank() == 0)
    return node.emitError() << "takes no scalars";
  if (numBatch < 0 || numBatch >= std::min(data.getRank(), indices.getRank()))
    return node.emitError()
           << "batch_dims is " << numBatch << ", which is not in [0, "
           << std::min(data.getRank(), indices.getRank()) - 1 << "]";
  int64_t size = indices.getShape().back();
  if (size < 1 || size > data.getRank() - numBatch)
    return node.emitError()
           << "the indices " << indices.getType() << " are not tuples of 1 to "
           << data.getRank() - numBatch << " elements for " << data.getType();
  return size;
}

LogicalResult importGatherND(Node &node) {
  Tensor x = node.getInput(0), indices = node.getInput(1);
  int64_t numBatch = node.getInt("batch_dims", 0);
  FailureOr<int64_t> size = getTupleSize(node, x, indices, numBatch);
  if (failed(size))
    return failure();
  if (x.getShape().take_front(numBatch) !=
      indices.getShape().take_front(numBatch))
    return node.emitError()
           << "the first " << numBatch << " extents of " << x.getType()
           << " and " << indices.getType() << " differ";
  ArrayRef<int64_t> tuples = indices.getShape().drop_back();
  SmallVector<int64_t> shape(tuples);
  llvm::append_range(shape, x.getShape().drop_front(numBatch + *size));
  if (failed(checkResult(node, shape)))
    return failure();
  for (int64_t i = 0; i < *size; ++i)
    if (failed(checkPicked(node, x, numBatch + i, shape)))
      return failure();
  node.setOutput(
      0, node.generate(shape, x.dataType, [&](B &b, ValueRange loops) {
        SmallVector<Value> places(loops.take_front(numBatch));
        SmallVector<Value> tuple(loops.take_front(tuples.size()));
        tuple.push_back({});
        for (int64_t i = 0; i < *size; ++i) {
          tuple.back() = makeIndex(b, i);
          Value element = tensor::ExtractOp::create(b, indices.value, tuple);
          int64_t extent = x.getDim(numBatch + i);
          places.push_back(clamp(b, wrap(b, element, extent), extent));
        }
        llvm::append_range(places, loops.drop_front(tuples.size()));
        return tensor::ExtractOp::create(b, x.value, places);
      }));
  return success();
}

//===----------------------------------------------------------------------===//
// Scattering
//===----------------------------------------------------------------------===//

/// What becomes of an element and its update.
using Reduction = Value (*)(B &, Value, Value, bool isUnsigned);

Value replace(B &, Value, Value update, bool) { return update; }
Value addUpdate(B &b, Value old, Value update, bool) {
  return add(b, old, update);
}
Value multiplyUpdate(B &b, Value old, Value update, bool) {
  return multiply(b, old, update);
}

FailureOr<Reduction> getReduction(Node &node, Tensor data) {
  std::string name = node.getString("reduction", "none");
  if (name == "none")
    return Reduction(replace);
  if (data.isBool())
    return node.emitError() << "the reduction '" << name << "' takes numbers";
  if (name == "add")
    return Reduction(addUpdate);
  if (name == "mul")
    return Reduction(multiplyUpdate);
  if (name == "min" && node.getOpset() >= 18)
    return Reduction(minimum);
  if (name == "max" && node.getOpset() >= 18)
    return Reduction(maximum);
  return node.emitError() << "the reduction '" << name << "' is unknown";
}

/// Gives the place in the data of the update at `loops`, where dimensions that
/// come from indices need not lie inside.
using PlaceBody = llvm::function_ref<SmallVector<Value>(B &, ValueRange loops)>;

/// `data` with the updates, one after the other, since two may meet. Updates of
/// places outside of the data have no effect. `picked` are the dimensions that
/// come from indices.
Tensor scatter(Node &node, Tensor data, Tensor updates, Reduction reduction,
               ArrayRef<int64_t> picked, PlaceBody getPlace) {
  B &b = node.b();
  SmallVector<Value> ends, zeros, ones;
  for (OpFoldResult size : node.getSizes(updates.getShape())) {
    ends.push_back(getValueOrCreateConstantIndexOp(b, node.getLoc(), size));
    zeros.push_back(makeIndex(b, 0));
    ones.push_back(makeIndex(b, 1));
  }
  scf::LoopNest nest = scf::buildLoopNest(
      b, node.getLoc(), zeros, ends, ones, data.value,
      [&](OpBuilder &nested, Location loc, ValueRange loops,
          ValueRange carried) -> scf::ValueVector {
        B inner(loc, nested);
        SmallVector<Value> place = getPlace(inner, loops);
        Value isInside;
        for (int64_t axis : picked) {
          Value clamped = clamp(inner, place[axis], data.getDim(axis));
          Value isSame = compare(inner, IntPredicate::eq, clamped, place[axis]);
          isInside =
              isInside
                  ? arith::AndIOp::create(inner, isInside, isSame).getResult()
                  : isSame;
          place[axis] = clamped;
        }
        Value old = tensor::ExtractOp::create(inner, carried[0], place);
        Value update = tensor::ExtractOp::create(inner, updates.value, loops);
        Value value = reduction(inner, old, update, data.isUnsigned());
        value = arith::SelectOp::create(inner, isInside, value, old);
        return {tensor::InsertOp::create(inner, value, carried[0], place)};
      });
  return {nest.results[0], data.dataType};
}

LogicalResult importScatterElements(Node &node) {
  Tensor data = node.getInput(0), indices = node.getInput(1),
         updates = node.getInput(2);
  FailureOr<int64_t> axis = node.getAxis("axis", 0, data.getRank());
  if (failed(axis) || failed(requireIndices(node, indices)) ||
      failed(node.requireSameType({data, updates})) ||
      failed(checkBesideAxis(node, data, indices, *axis)) ||
      failed(checkPicked(node, data, *axis, indices.getShape())) ||
      failed(checkKnownIndices(node, 1, data.getDim(*axis))))
    return failure();
  if (indices.getShape() != updates.getShape())
    return node.emitError()
           << "the indices " << indices.getType() << " and the updates "
           << updates.getType() << " differ in their shapes";
  FailureOr<Reduction> reduction = getReduction(node, data);
  if (failed(reduction))
    return failure();
  node.setOutput(0, scatter(node, data, updates, *reduction, *axis,
                            [&](B &b, ValueRange loops) {
                              SmallVector<Value> place(loops);
                              Value element = tensor::ExtractOp::create(
                                  b, indices.value, loops);
                              place[*axis] =
                                  wrap(b, element, data.getDim(*axis));
                              return place;
                            }));
  return success();
}

LogicalResult importScatterND(Node &node) {
  Tensor data = node.getInput(0), indices = node.getInput(1),
         updates = node.getInput(2);
  FailureOr<int64_t> size = getTupleSize(node, data, indices, 0);
  if (failed(size) || failed(node.requireSameType({data, updates})))
    return failure();
  ArrayRef<int64_t> tuples = indices.getShape().drop_back();
  SmallVector<int64_t> shape(tuples);
  llvm::append_range(shape, data.getShape().drop_front(*size));
  if (ArrayRef(shape) != updates.getShape())
    return node.emitError()
           << "the updates " << updates.getType() << " are no parts of "
           << data.getType() << " for the indices " << indices.getType();
  SmallVector<int64_t> picked;
  for (int64_t i = 0; i < *size; ++i) {
    if (failed(checkPicked(node, data, i, shape)))
      return failure();
    picked.push_back(i);
  }
  FailureOr<Reduction> reduction = getReduction(node, data);
  if (failed(reduction))
    return failure();
  node.setOutput(
      0, scatter(node, data, updates, *reduction, picked,
                 [&](B &b, ValueRange loops) {
                   SmallVector<Value> tuple(loops.take_front(tuples.size()));
                   tuple.push_back({});
                   SmallVector<Value> place;
                   for (int64_t i = 0; i < *size; ++i) {
                     tuple.back() = makeIndex(b, i);
                     Value element =
                         tensor::ExtractOp::create(b, indices.value, tuple);
                     place.push_back(wrap(b, element, data.getDim(i)));
                   }
                   llvm::append_range(place, loops.drop_front(tuples.size()));
                   return place;
                 }));
  return success();
}

//===----------------------------------------------------------------------===//
// Masks
//===----------------------------------------------------------------------===//

/// A tensor of one element as a scalar.
FailureOr<Tensor> getScalar(Node &node, Tensor tensor, StringRef what) {
  if (!tensor.getType().hasStaticShape() ||
      tensor.getType().getNumElements() != 1)
    return node.emitError()
           << what << " has to be one number, not " << tensor.getType();
  return node.reshape(tensor, {});
}

LogicalResult importOneHot(Node &node) {
  Tensor indices = node.getInput(0), depth = node.getInput(1),
         values = node.getInput(2);
  int64_t rank = indices.getRank() + 1;
  FailureOr<int64_t> axis = node.getAxis("axis", -1, rank);
  if (failed(axis) || failed(getScalar(node, depth, "the depth")))
    return failure();
  if (indices.isBool() || depth.isBool())
    return node.emitError() << "takes numbers as indices and depth";
  if (values.getRank() != 1 || values.getDim(0) != 2)
    return node.emitError() << "takes two values, not " << values.getType();
  std::optional<int64_t> extent;
  if (depth.isFloat()) {
    if (auto known = node.getKnownFloats(1)) {
      if (!((*known)[0] >= 0 &&
            (*known)[0] < static_cast<double>(kMaxElements)))
        return node.emitError() << "has the depth " << (*known)[0];
      extent = static_cast<int64_t>((*known)[0]);
    }
  } else if (auto known = node.getKnownInts(1)) {
    extent = (*known)[0];
  }
  if (!extent) {
    auto declared = node.getDeclaredShape(0);
    if (!declared || static_cast<int64_t>(declared->size()) != rank)
      return node.emitError() << "the depth is not known at compile time";
    extent = (*declared)[*axis];
  }
  if (*extent < 0)
    return node.emitError() << "has the depth " << *extent;
  SmallVector<int64_t> shape(indices.getShape());
  shape.insert(shape.begin() + *axis, *extent);
  if (failed(checkResult(node, shape)))
    return failure();
  SmallVector<unsigned, 2> loops;
  for (int64_t i = 0; i < rank; ++i)
    if (i != *axis)
      loops.push_back(i);
  Value init =
      node.linalg().empty(node.getSizes(shape), values.getElementType());
  Value result = node.linalg().generic(
      rank, {{indices.value, loops}}, {init, LinalgBuilder::allLoops(init)},
      [&](B &b, ValueRange arguments) -> Value {
        Value index = node.convertScalar(b, arguments[0], indices.dataType,
                                         proto::TensorProto::INT64);
        Value own = toInt64(b, linalg::IndexOp::create(b, *axis));
        // Of indices outside of [-depth, depth - 1] all values are `off`.
        Value isOn = compare(b, IntPredicate::eq, index, own);
        if (!indices.isUnsigned()) {
          Value fromBehind =
              arith::SubIOp::create(b, own, makeInt64(b, *extent));
          isOn = arith::OrIOp::create(
              b, isOn, compare(b, IntPredicate::eq, index, fromBehind));
        }
        Value off = tensor::ExtractOp::create(b, values.value, makeIndex(b, 0));
        Value on = tensor::ExtractOp::create(b, values.value, makeIndex(b, 1));
        return arith::SelectOp::create(b, isOn, on, off);
      });
  node.setOutput(0, {result, values.dataType});
  return success();
}

LogicalResult importTrilu(Node &node) {
  Tensor x = node.getInput(0), k = node.getInput(1);
  bool isUpper = node.getInt("upper", 1) != 0;
  if (x.getRank() < 2)
    return node.emitError() << "takes matrices, not " << x.getType();
  FailureOr<Tensor> diagonal = Tensor();
  if (k) {
    if (failed(requireIndices(node, k)))
      return failure();
    diagonal = getScalar(node, k, "k");
    if (failed(diagonal))
      return failure();
  }
  std::optional<SmallVector<int64_t>> known = node.getKnownInts(1);
  if (known && ShapedType::isDynamic((*known)[0]))
    known.reset(); // the size of the batch
  int64_t row = x.getRank() - 2, column = x.getRank() - 1;
  FailureOr<Tensor> result =
      node.elementwise(x, x.dataType, [&](B &b, ValueRange arguments) -> Value {
        Value distance =
            arith::SubIOp::create(b, linalg::IndexOp::create(b, column),
                                  linalg::IndexOp::create(b, row));
        Value bound;
        if (!k)
          bound = makeIndex(b, 0);
        else if (known)
          bound = makeIndex(b, (*known)[0]);
        else
          bound = toIndex(b, tensor::ExtractOp::create(b, diagonal->value));
        Value isKept =
            compare(b, isUpper ? IntPredicate::sge : IntPredicate::sle,
                    distance, bound);
        return arith::SelectOp::create(b, isKept, arguments[0],
                                       makeZero(b, arguments[0].getType()));
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importEyeLike(Node &node) {
  Tensor x = node.getInput(0);
  int64_t k = node.getInt("k", 0);
  int64_t dataType = node.getInt("dtype", x.dataType);
  if (failed(node.requireRank(x, 2)))
    return failure();
  if (dataType < 0 || dataType > 1000 ||
      !getElementType(static_cast<int32_t>(dataType), node.getContext()))
    return node.emitError() << "gives elements of type " << dataType
                            << ", which is not supported";
  node.setOutput(0, node.generate(x.getShape(), static_cast<int32_t>(dataType),
                                  [&](B &b, ValueRange indices) -> Value {
                                    Value distance = arith::SubIOp::create(
                                        b, indices[1], indices[0]);
                                    Value isOne =
                                        compare(b, IntPredicate::eq, distance,
                                                makeIndex(b, k));
                                    return node.convertScalar(
                                        b, isOne, proto::TensorProto::BOOL,
                                        static_cast<int32_t>(dataType));
                                  }));
  return success();
}

LogicalResult importReverseSequence(Node &node) {
  Tensor x = node.getInput(0), lengths = node.getInput(1);
  int64_t time = node.getInt("time_axis", 0);
  int64_t batch = node.getInt("batch_axis", 1);
  if (x.getRank() < 2 ||
      !((time == 0 && batch == 1) || (time == 1 && batch == 0)))
    return node.emitError() << "the axes " << time << " and " << batch
                            << " are not 0 and 1 of " << x.getType();
  if (failed(requireIndices(node, lengths)))
    return failure();
  if (lengths.getRank() != 1 || lengths.getDim(0) != x.getDim(batch))
    return node.emitError() << "the lengths " << lengths.getType()
                            << " are not one for each element of dimension "
                            << batch << " of " << x.getType();
  int64_t extent = x.getDim(time);
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "reverses the batch, which is not supported";
  Value init =
      node.linalg().empty(node.getSizes(x.getShape()), x.getElementType());
  Value result = node.linalg().generic(
      x.getRank(), {{lengths.value, {static_cast<unsigned>(batch)}}},
      {init, LinalgBuilder::allLoops(init)}, [&](B &b, ValueRange arguments) {
        SmallVector<Value> places;
        for (int64_t i = 0; i < x.getRank(); ++i)
          places.push_back(linalg::IndexOp::create(b, i));
        Value own = places[time];
        Value length = arith::MinSIOp::create(b, toIndex(b, arguments[0]),
                                              makeIndex(b, extent));
        Value isReversed = compare(b, IntPredicate::slt, own, length);
        Value mirrored = arith::SubIOp::create(
            b, arith::SubIOp::create(b, length, makeIndex(b, 1)), own);
        places[time] = arith::SelectOp::create(b, isReversed, mirrored, own);
        return tensor::ExtractOp::create(b, x.value, places);
      });
  node.setOutput(0, {result, x.dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// Results of as many elements as the data says
//===----------------------------------------------------------------------===//

// Shapes are known at compile time, so that the model has to declare how many
// elements there are, or they have to follow from constants. A model that then
// finds more drops them, and one that finds less gives the first one again.

/// The first `count` indices in [0, extent) for which `isTaken` holds.
Tensor collect(Node &node, int64_t extent, int64_t count,
               llvm::function_ref<Value(B &, Value)> isTaken) {
  B &b = node.b();
  Tensor none = node.fill({count}, proto::TensorProto::INT64, 0);
  if (count == 0)
    return none;
  auto loop = scf::ForOp::create(
      b, makeIndex(b, 0), makeIndex(b, extent), makeIndex(b, 1),
      ValueRange{none.value, makeIndex(b, 0)},
      [&](OpBuilder &nested, Location loc, Value index, ValueRange carried) {
        B inner(loc, nested);
        Value taken = isTaken(inner, index);
        Value place = clamp(inner, carried[1], count);
        Value fits = compare(inner, IntPredicate::eq, place, carried[1]);
        Value old = tensor::ExtractOp::create(inner, carried[0], place);
        Value found = arith::SelectOp::create(
            inner, arith::AndIOp::create(inner, taken, fits),
            toInt64(inner, index), old);
        Value indices =
            tensor::InsertOp::create(inner, found, carried[0], place);
        Value next = arith::AddIOp::create(
            inner, carried[1],
            arith::SelectOp::create(inner, taken, makeIndex(inner, 1),
                                    makeIndex(inner, 0)));
        scf::YieldOp::create(inner, ValueRange{indices, next});
      });
  return {loop.getResult(0), proto::TensorProto::INT64};
}

/// x as a vector.
FailureOr<Tensor> flatten(Node &node, Tensor x) {
  if (!x.getType().hasStaticShape())
    return node.emitError()
           << "merges the batch with other dimensions, which is not supported";
  return node.reshape(x, x.getType().getNumElements());
}

LogicalResult importCompress(Node &node) {
  FailureOr<Tensor> x = node.getInput(0);
  Tensor condition = node.getInput(1);
  FailureOr<int64_t> axis = 0;
  if (node.hasAttribute("axis"))
    axis = node.getAxis("axis", 0, x->getRank());
  else
    x = flatten(node, *x);
  if (failed(axis) || failed(x))
    return failure();
  if (!condition.isBool() || condition.getRank() != 1)
    return node.emitError() << "takes a vector of bools as its condition, not "
                            << condition.getType();
  int64_t extent = condition.getDim(0);
  if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(x->getDim(*axis)))
    return node.emitError() << "picks from the batch, which is not supported";
  if (extent > x->getDim(*axis))
    return node.emitError() << "the condition has " << extent
                            << " elements, more than dimension " << *axis
                            << " of " << x->getType();
  int64_t count = 0;
  if (auto known = node.getKnownInts(1)) {
    count = extent - llvm::count(*known, 0);
  } else {
    auto declared = node.getDeclaredShape(0);
    if (!declared || static_cast<int64_t>(declared->size()) != x->getRank())
      return node.emitError() << "how many elements the condition takes is "
                                 "neither known at compile time nor declared";
    count = (*declared)[*axis];
  }
  SmallVector<int64_t> shape(x->getShape());
  shape[*axis] = count;
  if (failed(node.checkSize(shape)) ||
      failed(checkPicked(node, *x, *axis, shape)))
    return failure();
  Tensor indices = collect(node, extent, count, [&](B &b, Value index) {
    return tensor::ExtractOp::create(b, condition.value, index);
  });
  node.setOutput(0, gather(node, *x, indices, *axis, shape));
  return success();
}

LogicalResult importNonZero(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<Tensor> flat = flatten(node, x);
  if (failed(flat))
    return failure();
  int64_t rank = x.getRank();
  std::optional<int64_t> count;
  if (x.isFloat()) {
    if (auto known = node.getKnownFloats(0))
      count = known->size() - llvm::count(*known, 0.0);
  } else if (auto known = node.getKnownInts(0)) {
    count = known->size() - llvm::count(*known, 0);
  }
  if (!count) {
    auto declared = node.getDeclaredShape(0);
    if (!declared || declared->size() != 2 || (*declared)[0] != rank)
      return node.emitError() << "how many elements are not 0 is neither known "
                                 "at compile time nor declared";
    count = (*declared)[1];
  }
  SmallVector<int64_t> shape = {rank, *count};
  if (failed(node.checkSize(shape)))
    return failure();
  if (*count > flat->getDim(0))
    return node.emitError() << "has " << *count << " elements that are not 0, "
                            << "more than " << x.getType();
  if (*count == 0 || rank == 0) {
    node.setOutput(0, node.fill(shape, proto::TensorProto::INT64, 0));
    return success();
  }
  Tensor places =
      collect(node, flat->getDim(0), *count, [&](B &b, Value index) {
        Value element = tensor::ExtractOp::create(b, flat->value, index);
        return node.convertScalar(b, element, x.dataType,
                                  proto::TensorProto::BOOL);
      });
  SmallVector<int64_t> strides(rank, 1);
  for (int64_t i = rank - 1; i > 0; --i)
    strides[i - 1] = strides[i] * x.getDim(i);
  Tensor strideTensor = node.constant(strides);
  Tensor extentTensor = node.constant(x.getShape());
  node.setOutput(
      0, node.generate(
             shape, proto::TensorProto::INT64,
             [&](B &b, ValueRange loops) -> Value {
               Value place =
                   tensor::ExtractOp::create(b, places.value, loops[1]);
               Value stride =
                   tensor::ExtractOp::create(b, strideTensor.value, loops[0]);
               Value extent =
                   tensor::ExtractOp::create(b, extentTensor.value, loops[0]);
               Value rows = arith::DivSIOp::create(b, place, stride);
               return arith::RemSIOp::create(b, rows, extent);
             }));
  return success();
}

/// Compares all pairs of parts: no order of them has to be built, and nothing
/// is sequential.
LogicalResult importUnique(Node &node) {
  constexpr int64_t kMaxParts = 4096;
  constexpr int32_t kInt = proto::TensorProto::INT64;
  FailureOr<Tensor> x = node.getInput(0);
  bool isSorted = node.getInt("sorted", 1) != 0;
  FailureOr<int64_t> axis = 0;
  if (node.hasAttribute("axis"))
    axis = node.getAxis("axis", 0, x->getRank());
  else
    x = flatten(node, *x);
  if (failed(axis) || failed(x))
    return failure();
  if (!x->getType().hasStaticShape())
    return node.emitError() << "compares the batch, which is not supported";
  int64_t numParts = x->getDim(*axis);
  if (x->getType().getNumElements() == 0 || numParts > kMaxParts)
    return node.emitError() << "compares 1 to " << kMaxParts
                            << " parts, not those of " << x->getType();
  // How many there are, of which every output but the inverse tells.
  std::optional<int64_t> count;
  for (int output : {0, 1, 3})
    if (auto declared = node.getDeclaredShape(output)) {
      int64_t at = output == 0 ? *axis : 0;
      if (static_cast<int64_t>(declared->size()) > at)
        count = (*declared)[at];
    }
  if (!count || *count < 1 || *count > numParts)
    return node.emitError() << "how many different parts there are is not "
                               "declared as 1 to "
                            << numParts;
  SmallVector<int64_t> permutation = {*axis};
  for (int64_t i = 0; i < x->getRank(); ++i)
    if (i != *axis)
      permutation.push_back(i);
  int64_t size = x->getType().getNumElements() / numParts;
  FailureOr<Tensor> parts =
      node.reshape(node.transpose(*x, permutation), {numParts, size});
  if (failed(parts))
    return failure();
  LinalgBuilder &linalg = node.linalg();
  auto fill = [&](ArrayRef<int64_t> shape, int64_t value) {
    return node.fill(shape, kInt, static_cast<double>(value)).value;
  };
  auto isEqual = [](B &b, Value x, Value y) -> Value {
    if (isa<FloatType>(x.getType()))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, x, y);
    return compare(b, IntPredicate::eq, x, y);
  };
  auto indexOf = [](B &b, int64_t loop) {
    return toInt64(b, linalg::IndexOp::create(b, loop));
  };
  // Where two parts differ first, `size` if they do not.
  Value difference =
      linalg.generic(3, {{parts->value, {0, 2}}, {parts->value, {1, 2}}},
                     {fill({numParts, numParts}, size), {0, 1}},
                     [&](B &b, ValueRange arguments) -> Value {
                       Value here = arith::SelectOp::create(
                           b, isEqual(b, arguments[0], arguments[1]),
                           makeInt64(b, size), indexOf(b, 2));
                       return arith::MinSIOp::create(b, arguments[2], here);
                     });
  // The first part that equals each. NaNs equal themselves alone.
  Value first = linalg.generic(
      2, {{difference, {0, 1}}}, {fill({numParts}, numParts - 1), {0}},
      [&](B &b, ValueRange arguments) -> Value {
        Value same =
            compare(b, IntPredicate::eq, arguments[0], makeInt64(b, size));
        same = arith::OrIOp::create(
            b, same,
            compare(b, IntPredicate::eq, indexOf(b, 0), indexOf(b, 1)));
        Value here = arith::SelectOp::create(b, same, indexOf(b, 1),
                                             makeInt64(b, numParts - 1));
        return arith::MinSIOp::create(b, arguments[1], here);
      });
  // The place of each among the results: how many come before.
  Value rank = linalg.generic(
      2, {{first, {0}}, {first, {1}}, {difference, {1, 0}}},
      {fill({numParts}, 0), {0}}, [&](B &b, ValueRange arguments) -> Value {
        Value other = indexOf(b, 1);
        Value counts = compare(b, IntPredicate::eq, arguments[1], other);
        Value isBefore;
        if (isSorted) {
          Value at = clamp(b, toIndex(b, arguments[2]), size);
          auto load = [&](int64_t loop) -> Value {
            return tensor::ExtractOp::create(
                b, parts->value,
                ValueRange{linalg::IndexOp::create(b, loop), at});
          };
          isBefore =
              isLess(b, load(1), load(0), x->isUnsigned() || x->isBool());
        } else {
          isBefore = compare(b, IntPredicate::slt, other, arguments[0]);
        }
        Value one = arith::ExtUIOp::create(
            b, b.getI64Type(), arith::AndIOp::create(b, counts, isBefore));
        return arith::AddIOp::create(b, arguments[3], one);
      });
  auto hasRank = [&](B &b, Value rank) {
    return compare(b, IntPredicate::eq, rank, indexOf(b, 0));
  };
  Value indices =
      linalg.generic(2, {{rank, {1}}}, {fill({*count}, numParts - 1), {0}},
                     [&](B &b, ValueRange arguments) -> Value {
                       Value here = arith::SelectOp::create(
                           b, hasRank(b, arguments[0]), indexOf(b, 1),
                           makeInt64(b, numParts - 1));
                       return arith::MinSIOp::create(b, arguments[1], here);
                     });
  SmallVector<int64_t> shape(x->getShape());
  shape[*axis] = *count;
  node.setOutput(0, gather(node, *x, {indices, kInt}, *axis, shape));
  node.setOutput(1, {indices, kInt});
  node.setOutput(2, {rank, kInt});
  if (node.hasOutput(3))
    node.setOutput(
        3, {linalg.generic(2, {{rank, {1}}}, {fill({*count}, 0), {0}},
                           [&](B &b, ValueRange arguments) -> Value {
                             Value one = arith::ExtUIOp::create(
                                 b, b.getI64Type(), hasRank(b, arguments[0]));
                             return arith::AddIOp::create(b, arguments[1], one);
                           }),
            kInt});
  return success();
}

//===----------------------------------------------------------------------===//
// Einsum
//===----------------------------------------------------------------------===//

/// The dimensions of an operand or of the result: letters, and from kEllipsis
/// on those that three dots stand for, counted from behind.
using Labels = SmallVector<int>;
constexpr int kEllipsis = 256;

/// A term of the equation, as it is written: three dots are kEllipsis.
FailureOr<Labels> parseTerm(Node &node, StringRef text) {
  Labels labels;
  for (StringRef rest = text; !rest.empty();) {
    if (rest.consume_front("...")) {
      if (llvm::is_contained(labels, kEllipsis))
        return node.emitError() << "the term '" << text << "' has two ellipses";
      labels.push_back(kEllipsis);
      continue;
    }
    if (!llvm::isAlpha(rest[0]))
      return node.emitError()
             << "the term '" << text << "' has other characters than letters";
    labels.push_back(static_cast<unsigned char>(rest[0]));
    rest = rest.drop_front();
  }
  return labels;
}

/// The dimensions of `term`, with `count` for its ellipsis.
Labels expandEllipsis(ArrayRef<int> term, int64_t count) {
  Labels labels;
  for (int label : term) {
    if (label != kEllipsis) {
      labels.push_back(label);
      continue;
    }
    for (int64_t i = count; i > 0; --i)
      labels.push_back(kEllipsis + static_cast<int>(i) - 1);
  }
  return labels;
}

/// The diagonal of `x` where it has a label twice, so that it has each once.
FailureOr<Tensor> takeDiagonal(Node &node, Tensor x, Labels &labels) {
  Labels own;
  SmallVector<int64_t> shape;
  SmallVector<size_t> loops;
  for (auto [label, extent] : llvm::zip(labels, x.getShape())) {
    size_t loop = llvm::find(own, label) - own.begin();
    loops.push_back(loop);
    if (loop == own.size()) {
      own.push_back(label);
      shape.push_back(extent);
    } else if (shape[loop] != extent) {
      return node.emitError() << "two dimensions of " << x.getType()
                              << " have one letter, and the extents "
                              << shape[loop] << " and " << extent;
    }
  }
  if (own.size() == labels.size())
    return x;
  labels = own;
  return node.generate(shape, x.dataType, [&](B &b, ValueRange indices) {
    SmallVector<Value> places;
    for (size_t loop : loops)
      places.push_back(indices[loop]);
    return tensor::ExtractOp::create(b, x.value, places);
  });
}

LogicalResult importEinsum(Node &node) {
  std::string equation = node.getString("equation", "");
  llvm::erase(equation, ' ');
  SmallVector<Tensor> operands = node.getInputs();
  if (failed(node.requireSameType(operands)))
    return failure();
  if (operands[0].isBool())
    return node.emitError() << "takes numbers";
  auto [left, right] = StringRef(equation).split("->");
  bool isExplicit = StringRef(equation).contains("->");
  SmallVector<StringRef> texts;
  left.split(texts, ',');
  if (texts.size() != operands.size())
    return node.emitError()
           << "the equation '" << equation << "' has " << texts.size()
           << " terms for " << operands.size() << " operands";

  // The labels of each dimension, and their extents.
  SmallVector<Labels> terms;
  std::map<int, int64_t> extents;
  std::map<int, int> occurrences;
  int64_t maxEllipsis = 0;
  for (auto [text, operand] : llvm::zip(texts, operands)) {
    FailureOr<Labels> term = parseTerm(node, text);
    if (failed(term))
      return failure();
    bool hasEllipsis = llvm::is_contained(*term, kEllipsis);
    int64_t ellipsis = operand.getRank() - (static_cast<int64_t>(term->size()) -
                                            (hasEllipsis ? 1 : 0));
    if (ellipsis < 0 || (ellipsis > 0 && !hasEllipsis))
      return node.emitError()
             << "the term '" << text << "' does not name the "
             << operand.getRank() << " dimensions of " << operand.getType();
    maxEllipsis = std::max(maxEllipsis, ellipsis);
    Labels labels = expandEllipsis(*term, ellipsis);
    for (int label : labels)
      ++occurrences[label];
    FailureOr<Tensor> diagonal = takeDiagonal(node, operand, labels);
    if (failed(diagonal))
      return failure();
    operand = *diagonal;
    for (auto [label, extent] : llvm::zip(labels, operand.getShape())) {
      int64_t &known = extents.try_emplace(label, 1).first->second;
      if (known == 1)
        known = extent;
      else if (extent != 1 && extent != known)
        return node.emitError()
               << "the extents of one dimension of '" << equation
               << "' do not broadcast: " << known << " and " << extent;
    }
    terms.push_back(labels);
  }

  Labels result;
  if (isExplicit) {
    FailureOr<Labels> term = parseTerm(node, right);
    if (failed(term))
      return failure();
    result = expandEllipsis(*term, maxEllipsis);
  } else {
    // Letters in their order, which the map has; capitals come first.
    result = expandEllipsis({kEllipsis}, maxEllipsis);
    for (auto [label, count] : occurrences)
      if (label < kEllipsis && count == 1)
        result.push_back(label);
  }

  // A loop for each label, those of the result first.
  std::map<int, unsigned> loops;
  SmallVector<int64_t> shape;
  for (int label : result) {
    auto extent = extents.find(label);
    if (extent == extents.end())
      return node.emitError() << "the result of '" << equation
                              << "' has a dimension that no operand has";
    if (!loops.try_emplace(label, loops.size()).second)
      return node.emitError()
             << "the result of '" << equation << "' has a dimension twice";
    shape.push_back(extent->second);
  }
  for (auto [label, extent] : extents)
    loops.try_emplace(label, loops.size());
  if (failed(checkResult(node, shape)))
    return failure();
  SmallVector<LinalgBuilder::Indexed> inputs;
  for (auto [labels, operand] : llvm::zip(terms, operands)) {
    LinalgBuilder::Indexed input;
    SmallVector<int64_t> repeated;
    for (auto [i, label] : llvm::enumerate(labels)) {
      if (operand.getDim(i) == 1 && extents[label] != 1)
        repeated.push_back(i);
      else
        input.loops.push_back(loops[label]);
    }
    input.tensor = node.squeeze(operand, repeated).value;
    inputs.push_back(input);
  }
  int32_t dataType = operands[0].dataType;

  // Two matrices are what kernels know.
  auto isMatrix = [&](size_t i, unsigned row, unsigned column) {
    SmallVector<unsigned, 2> loops(inputs[i].loops);
    llvm::sort(loops);
    return loops == SmallVector<unsigned, 2>{row, column};
  };
  if (operands[0].isFloat() && inputs.size() == 2 && loops.size() == 3 &&
      shape.size() == 2) {
    for (size_t first : {0, 1})
      if (isMatrix(first, 0, 2) && isMatrix(1 - first, 1, 2)) {
        const LinalgBuilder::Indexed &x = inputs[first];
        const LinalgBuilder::Indexed &y = inputs[1 - first];
        node.setOutput(0, {node.linalg().product(x.tensor, x.loops[0] == 2,
                                                 y.tensor, y.loops[0] == 1),
                           dataType});
        return success();
      }
  }
  bool isSum = loops.size() > shape.size();
  Value init = isSum ? node.fill(shape, dataType, 0).value
                     : node.linalg().empty(node.getSizes(shape),
                                           operands[0].getElementType());
  Value sum = node.linalg().generic(
      loops.size(), inputs, {init, LinalgBuilder::allLoops(init)},
      [&](B &b, ValueRange arguments) {
        Value product = arguments[0];
        for (size_t i = 1; i < inputs.size(); ++i)
          product = multiply(b, product, arguments[i]);
        return isSum ? add(b, arguments.back(), product) : product;
      });
  node.setOutput(0, {sum, dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// Random numbers
//===----------------------------------------------------------------------===//

LogicalResult refuseRandom(Node &node) {
  return node.emitError() << "draws random numbers, of which the standard does "
                             "not say which, so that they are not supported";
}

constexpr OperatorEntry kOperators[] = {
    {"Gather", 1, 2, 2, 1, importGather},
    {"GatherElements", 11, 2, 2, 1, importGatherElements},
    {"GatherND", 11, 2, 2, 1, importGatherND},
    {"Scatter", 9, 3, 3, 1, importScatterElements},
    {"ScatterElements", 11, 3, 3, 1, importScatterElements},
    {"ScatterND", 11, 3, 3, 1, importScatterND},
    {"OneHot", 9, 3, 3, 1, importOneHot},
    {"Trilu", 14, 1, 2, 1, importTrilu},
    {"EyeLike", 9, 1, 1, 1, importEyeLike},
    {"ReverseSequence", 10, 2, 2, 1, importReverseSequence},
    {"Compress", 9, 2, 2, 1, importCompress},
    {"NonZero", 9, 1, 1, 1, importNonZero},
    {"Unique", 11, 1, 1, 4, importUnique},
    {"Einsum", 12, 1, kAnyNumber, 1, importEinsum},
    {"Bernoulli", 15, 1, 1, 1, refuseRandom},
    {"Multinomial", 7, 1, 1, 1, refuseRandom},
    {"RandomNormal", 1, 0, 0, 1, refuseRandom},
    {"RandomNormalLike", 1, 1, 1, 1, refuseRandom},
    {"RandomUniform", 1, 0, 0, 1, refuseRandom},
    {"RandomUniformLike", 1, 1, 1, 1, refuseRandom},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getIndexingOperators() {
  return kOperators;
}
