//===- MaskOperators.cpp - Masks, and as many results as data says --------===//

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
  if (failed(node.requireNumber(indices)) || failed(node.requireNumber(depth)))
    return failure();
  if (values.getRank() != 1 || values.getDim(0) != 2)
    return node.emitError() << "takes two values, not " << values.getType();
  std::optional<int64_t> extent;
  if (depth.isFloat()) {
    if (auto known = node.getKnownFloats(1)) {
      if (!((*known)[0] >= 0 &&
            (*known)[0] < static_cast<double>(kMaxElements)))
        return node.emitError() << "has the depth " << (*known)[0]
                                << ", which is not from 0 to " << kMaxElements;
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
    return node.emitError() << "has the depth " << *extent
                            << ", which is not from 0 to " << kMaxElements;
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
  return node.setResult(
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
      }));
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
    return node.emitError() << "merges the batch with other dimensions of "
                            << x.getType() << ", which is not supported";
  return node.reshape(x, x.getType().getNumElements());
}

/// Makes `x` a vector unless there is an attribute `axis`, which it returns.
FailureOr<int64_t> chooseAxis(Node &node, Tensor &x) {
  if (node.hasAttribute("axis"))
    return node.getAxis("axis", 0, x.getRank());
  FailureOr<Tensor> vector = flatten(node, x);
  if (failed(vector))
    return failure();
  x = *vector;
  return 0;
}

LogicalResult importCompress(Node &node) {
  Tensor x = node.getInput(0);
  Tensor condition = node.getInput(1);
  FailureOr<int64_t> axis = chooseAxis(node, x);
  if (failed(axis))
    return failure();
  if (!condition.isBool() || condition.getRank() != 1)
    return node.emitError() << "takes a vector of bools as its condition, not "
                            << condition.getType();
  int64_t extent = condition.getDim(0);
  if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(x.getDim(*axis)))
    return node.emitError() << "picks from the batch, which is not supported";
  if (extent > x.getDim(*axis))
    return node.emitError() << "the condition has " << extent
                            << " elements, more than dimension " << *axis
                            << " of " << x.getType();
  int64_t count = 0;
  if (auto known = node.getKnownInts(1)) {
    count = extent - llvm::count(*known, 0);
  } else {
    auto declared = node.getDeclaredShape(0);
    if (!declared || static_cast<int64_t>(declared->size()) != x.getRank())
      return node.emitError() << "how many elements the condition takes is "
                                 "neither known at compile time nor declared";
    count = (*declared)[*axis];
  }
  SmallVector<int64_t> shape(x.getShape());
  shape[*axis] = count;
  if (failed(node.checkSize(shape)) ||
      failed(checkPicked(node, x, *axis, shape)))
    return failure();
  Tensor indices = collect(node, extent, count, [&](B &b, Value index) {
    return tensor::ExtractOp::create(b, condition.value, index);
  });
  node.setOutput(0, gather(node, x, indices, *axis, shape));
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
  Tensor x = node.getInput(0);
  bool isSorted = node.getInt("sorted", 1) != 0;
  FailureOr<int64_t> axis = chooseAxis(node, x);
  if (failed(axis))
    return failure();
  if (!x.getType().hasStaticShape())
    return node.emitError() << "compares the batch, which is not supported";
  int64_t numParts = x.getDim(*axis);
  if (x.getType().getNumElements() == 0 || numParts > kMaxParts)
    return node.emitError() << "compares 1 to " << kMaxParts
                            << " parts, not those of " << x.getType();
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
  for (int64_t i = 0; i < x.getRank(); ++i)
    if (i != *axis)
      permutation.push_back(i);
  int64_t size = x.getType().getNumElements() / numParts;
  FailureOr<Tensor> parts =
      node.reshape(node.transpose(x, permutation), {numParts, size});
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
          isBefore = isLess(b, load(1), load(0), x.isUnsigned() || x.isBool());
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
  SmallVector<int64_t> shape(x.getShape());
  shape[*axis] = *count;
  node.setOutput(0, gather(node, x, {indices, kInt}, *axis, shape));
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

constexpr OperatorEntry kOperators[] = {
    {"OneHot", 9, 3, 3, 1, importOneHot},
    {"Trilu", 14, 1, 2, 1, importTrilu},
    {"EyeLike", 9, 1, 1, 1, importEyeLike},
    {"ReverseSequence", 10, 2, 2, 1, importReverseSequence},
    {"Compress", 9, 2, 2, 1, importCompress},
    {"NonZero", 9, 1, 1, 1, importNonZero},
    {"Unique", 11, 1, 1, 4, importUnique},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getMaskOperators() {
  return kOperators;
}
