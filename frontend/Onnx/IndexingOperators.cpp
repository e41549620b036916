//===- IndexingOperators.cpp - Gathering, scattering, random numbers ------===//

#include "frontend/Onnx/Indices.h"

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

//===----------------------------------------------------------------------===//
// Indices from data
//===----------------------------------------------------------------------===//

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
  return node.setResult(
      node.reshape(node.slice(x, offsets, sizes, ones), shape));
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
  return node.setResult(
      node.elementwise(indices, x.dataType, [&](B &b, ValueRange arguments) {
        SmallVector<Value> places;
        for (int64_t i = 0; i < x.getRank(); ++i) {
          if (i == *axis)
            places.push_back(clamp(b, wrap(b, arguments[0], extent), extent));
          else
            places.push_back(linalg::IndexOp::create(b, i));
        }
        return tensor::ExtractOp::create(b, x.value, places);
      }));
}

/// The number of dimensions that the tuples in the last dimension of `indices`
/// index, behind the first `numBatch` ones of `data`.
FailureOr<int64_t> getTupleSize(Node &node, Tensor data, Tensor indices,
                                int64_t numBatch) {
  if (failed(requireIndices(node, indices)))
    return failure();
  if (data.getRank() == 0 || indices.getRank() == 0)
    return node.emitError() << "takes tensors with dimensions, not "
                            << data.getType() << " and " << indices.getType();
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
    return node.emitError()
           << "the reduction '" << name << "' takes numbers, not bool";
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
