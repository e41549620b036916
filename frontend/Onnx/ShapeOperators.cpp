//===- ShapeOperators.cpp - Shapes and the order of elements --------------===//

#include "frontend/Onnx/Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

#include <array>
#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

/// A tensor of int64 with the extents of a shape.
Tensor buildShape(Node &node, ArrayRef<int64_t> shape) {
  if (!ShapedType::isDynamicShape(shape))
    return node.constant(shape);
  SmallVector<Value> extents;
  for (OpFoldResult size : node.getSizes(shape)) {
    if (auto known = dyn_cast<Attribute>(size))
      extents.push_back(arith::ConstantOp::create(
          node.b(),
          node.b().getI64IntegerAttr(cast<IntegerAttr>(known).getInt())));
    else
      extents.push_back(arith::IndexCastOp::create(
          node.b(), node.b().getI64Type(), cast<Value>(size)));
  }
  auto type = RankedTensorType::get({static_cast<int64_t>(shape.size())},
                                    node.b().getI64Type());
  return {tensor::FromElementsOp::create(node.b(), type, extents),
          proto::TensorProto::INT64};
}

LogicalResult importShape(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  auto clamp = [&](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  int64_t begin = clamp(std::max(node.getInt("start", 0), -rank));
  int64_t end = clamp(std::clamp(node.getInt("end", rank), -rank - 1, rank));
  if (node.getInt("end", rank) < -rank)
    end = 0;
  node.setOutput(0, buildShape(node, x.getShape().slice(
                                         begin, std::max(begin, end) - begin)));
  return success();
}

LogicalResult importSize(Node &node) {
  Tensor x = node.getInput(0);
  if (!x.getType().hasStaticShape())
    return node.emitError() << "the size of the batch is not known";
  int64_t count = x.getType().getNumElements();
  node.setOutput(
      0, node.constant(
             DenseElementsAttr::get(
                 RankedTensorType::get({}, node.b().getI64Type()), count),
             proto::TensorProto::INT64));
  return success();
}

/// The target of a Reshape, from the numbers that the model gives.
FailureOr<SmallVector<int64_t>>
resolveShape(Node &node, Tensor x, ArrayRef<int64_t> wanted, bool allowZero) {
  SmallVector<int64_t> shape(wanted);
  std::optional<size_t> inferred;
  int64_t known = 1;
  bool hasBatch = false;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    if (extent == 0 && !allowZero) {
      if (static_cast<int64_t>(i) >= x.getRank())
        return node.emitError()
               << "extent " << i << " is that of the input, which has only "
               << x.getRank();
      extent = x.getDim(i);
    }
    if (extent == -1) {
      if (inferred)
        return node.emitError() << "two extents of the shape are -1";
      inferred = i;
    } else if (ShapedType::isDynamic(extent)) {
      hasBatch = true;
    } else if (extent < 0) {
      return node.emitError() << "the shape has the extent " << extent;
    } else if (llvm::MulOverflow(known, extent, known)) {
      return node.emitError() << "the shape has too many elements";
    }
  }
  if (!inferred)
    return shape;
  int64_t elements = 1;
  bool inputHasBatch = false;
  for (int64_t extent : x.getShape()) {
    if (ShapedType::isDynamic(extent))
      inputHasBatch = true;
    else
      elements *= extent;
  }
  if (known == 0 || elements % known != 0)
    return node.emitError()
           << "cannot infer the extent that is -1 of " << x.getType();
  int64_t rest = elements / known;
  if (inputHasBatch && !hasBatch) {
    if (rest != 1)
      return node.emitError() << "merges the batch with other dimensions, "
                                 "which is not supported";
    rest = ShapedType::kDynamic;
  }
  shape[*inferred] = rest;
  return shape;
}

LogicalResult importReshape(Node &node) {
  Tensor x = node.getInput(0);
  std::optional<SmallVector<int64_t>> wanted;
  if (node.getOpset() < 5)
    wanted = node.getInts("shape");
  else if (node.hasInput(1))
    wanted = node.getKnownInts(1);
  else
    return node.emitError() << "needs a shape";
  SmallVector<int64_t> shape;
  if (wanted) {
    FailureOr<SmallVector<int64_t>> resolved =
        resolveShape(node, x, *wanted, node.getInt("allowzero", 0) != 0);
    if (failed(resolved))
      return failure();
    shape = *resolved;
  } else if (std::optional<SmallVector<int64_t>> declared =
                 node.getDeclaredShape(0)) {
    shape = *declared;
  } else {
    return node.emitError() << "the shape is not known at compile time";
  }
  FailureOr<Tensor> result = node.reshape(x, shape);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importFlatten(Node &node) {
  Tensor x = node.getInput(0);
  int64_t axis = node.getInt("axis", 1), rank = x.getRank();
  if (axis < -rank || axis > rank)
    return node.emitError() << "the axis " << axis << " is not in [" << -rank
                            << ", " << rank << "]";
  if (axis < 0)
    axis += rank;
  SmallVector<int64_t> shape;
  for (ArrayRef<int64_t> part :
       {x.getShape().take_front(axis), x.getShape().drop_front(axis)}) {
    int64_t product = 1;
    bool hasBatch = false;
    for (int64_t extent : part) {
      hasBatch |= ShapedType::isDynamic(extent);
      product *= ShapedType::isDynamic(extent) ? 1 : extent;
    }
    if (hasBatch && product != 1)
      return node.emitError() << "merges the batch with other dimensions, "
                                 "which is not supported";
    shape.push_back(hasBatch ? ShapedType::kDynamic : product);
  }
  FailureOr<Tensor> result = node.reshape(x, shape);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importSqueeze(Node &node) {
  Tensor x = node.getInput(0);
  if (node.getOpset() >= 13 && node.hasInput(1) && !node.getKnownInts(1)) {
    // What is left is declared. It has as many elements, in their order.
    auto declared = node.getDeclaredShape(0);
    if (!declared)
      return node.emitError() << "the axes are not known at compile time";
    FailureOr<Tensor> result = node.reshape(x, *declared);
    if (failed(result))
      return failure();
    node.setOutput(0, *result);
    return success();
  }
  auto axes = node.getAxes(13, 1, x.getRank());
  if (failed(axes))
    return failure();
  SmallVector<int64_t> dropped;
  if (*axes) {
    dropped = **axes;
    for (int64_t axis : dropped)
      if (x.getDim(axis) != 1)
        return node.emitError()
               << "dimension " << axis << " of " << x.getType() << " is not 1";
  } else {
    for (auto [i, extent] : llvm::enumerate(x.getShape()))
      if (extent == 1)
        dropped.push_back(i);
  }
  node.setOutput(0, node.squeeze(x, dropped));
  return success();
}

LogicalResult importUnsqueeze(Node &node) {
  Tensor x = node.getInput(0);
  std::optional<SmallVector<int64_t>> given;
  if (node.getOpset() < 13)
    given = node.getInts("axes");
  else if (node.hasInput(1))
    given = node.getKnownInts(1);
  if (!given) {
    // With the axes as an input their number is known, and the result declared.
    given = node.getDeclaredShape(0);
    if (!given)
      return node.emitError() << "the axes are not known at compile time";
    FailureOr<Tensor> result = node.reshape(x, *given);
    if (failed(result))
      return failure();
    node.setOutput(0, *result);
    return success();
  }
  int64_t rank = x.getRank() + given->size();
  llvm::SmallBitVector isNew(std::min<int64_t>(rank, kMaxRank * 2));
  if (rank > kMaxRank)
    return node.emitError() << "the result would have the rank " << rank;
  for (int64_t axis : *given) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
    if (failed(normal))
      return failure();
    if (isNew.test(*normal))
      return node.emitError() << "the axis " << axis << " is given twice";
    isNew.set(*normal);
  }
  SmallVector<int64_t> shape;
  const int64_t *next = x.getShape().begin();
  for (int64_t i = 0; i < rank; ++i)
    shape.push_back(isNew.test(i) ? 1 : *next++);
  FailureOr<Tensor> result = node.reshape(x, shape);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importTranspose(Node &node) {
  Tensor x = node.getInput(0);
  SmallVector<int64_t> reversed;
  for (int64_t i = x.getRank() - 1; i >= 0; --i)
    reversed.push_back(i);
  SmallVector<int64_t> permutation = node.getInts("perm", reversed);
  if (!isPermutationVector(permutation) ||
      static_cast<int64_t>(permutation.size()) != x.getRank()) {
    InFlightDiagnostic error = node.emitError() << "perm is [";
    llvm::interleaveComma(permutation, error);
    return error << "], which is no permutation of the " << x.getRank()
                 << " dimensions";
  }
  node.setOutput(0, node.transpose(x, permutation));
  return success();
}

LogicalResult importConcat(Node &node) {
  SmallVector<Tensor> inputs = node.getInputs();
  if (inputs.empty())
    return node.emitError() << "needs an input";
  Tensor first = inputs[0];
  // Before opset 4 the axis had a default.
  if (node.getOpset() >= 4 && !node.hasAttribute("axis"))
    return node.emitError() << "needs the attribute 'axis'";
  FailureOr<int64_t> axis = node.getAxis("axis", 1, first.getRank());
  if (failed(axis) || failed(node.requireSameType(inputs)))
    return failure();
  SmallVector<int64_t> shape(first.getShape());
  shape[*axis] = 0;
  for (Tensor input : inputs) {
    bool fits = input.getRank() == first.getRank();
    for (int64_t i = 0; fits && i < first.getRank(); ++i)
      fits = i == *axis ? !ShapedType::isDynamic(input.getDim(i))
                        : input.getDim(i) == first.getDim(i);
    if (!fits)
      return node.emitError()
             << "cannot join " << first.getType() << " and " << input.getType()
             << " along dimension " << *axis;
    shape[*axis] += input.getDim(*axis);
  }
  if (failed(node.checkSize(shape)))
    return failure();
  node.setOutput(0, node.concatenate(inputs, *axis));
  return success();
}

LogicalResult importSplit(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<int64_t> axis = node.getAxis("axis", 0, x.getRank());
  if (failed(axis))
    return failure();
  int64_t extent = x.getDim(*axis), parts = node.getNumOutputs();
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "splits the batch, which is not supported";
  std::optional<SmallVector<int64_t>> sizes;
  if (node.getOpset() < 13) {
    if (node.hasAttribute("split"))
      sizes = node.getInts("split");
  } else if (node.hasInput(1)) {
    sizes = node.getKnownInts(1);
    if (!sizes) {
      sizes.emplace();
      for (int i = 0; i < parts; ++i) {
        auto declared = node.getDeclaredShape(i);
        if (!declared || static_cast<int64_t>(declared->size()) != x.getRank())
          return node.emitError() << "the sizes are not known at compile time";
        sizes->push_back((*declared)[*axis]);
      }
    }
  }
  if (!sizes) {
    // Equal parts, of which the last one may be smaller from opset 18 on.
    int64_t size = llvm::divideCeil(extent, parts);
    if (size * parts != extent && node.getOpset() < 18)
      return node.emitError() << "cannot split " << extent << " into " << parts
                              << " equal parts";
    sizes.emplace(parts, size);
    sizes->back() = extent - size * (parts - 1);
  }
  int64_t sum = 0;
  for (int64_t size : *sizes) {
    if (size < 0 || size > extent)
      return node.emitError()
             << "has a part of size " << size << " of " << extent;
    sum += size;
  }
  if (sum != extent || static_cast<int64_t>(sizes->size()) != parts)
    return node.emitError()
           << "splits " << extent << " into " << sizes->size() << " parts of "
           << sum << " in all, for " << parts << " outputs";
  SmallVector<int64_t> offsets(x.getRank(), 0), ones(x.getRank(), 1);
  for (auto [i, size] : llvm::enumerate(*sizes)) {
    SmallVector<int64_t> shape(x.getShape());
    shape[*axis] = size;
    node.setOutput(i, node.slice(x, offsets, shape, ones));
    offsets[*axis] += size;
  }
  return success();
}

/// Where a slice begins, how it goes on, and how many it takes.
struct AxisSlice {
  int64_t begin = 0, step = 1, size = 0;
};

FailureOr<AxisSlice> resolveSlice(Node &node, int64_t extent, int64_t begin,
                                  int64_t end, int64_t step) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min())
    return node.emitError() << "has the step " << step;
  auto clamp = [&](int64_t at, int64_t low, int64_t high) {
    if (at < 0)
      at += extent; // negative, so this does not overflow
    return std::clamp(at, low, high);
  };
  AxisSlice slice;
  slice.step = step;
  if (step > 0) {
    slice.begin = clamp(begin, 0, extent);
    int64_t stop = clamp(end, 0, extent);
    slice.size = stop <= slice.begin ? 0 : (stop - slice.begin - 1) / step + 1;
  } else {
    slice.begin = clamp(begin, -1, extent - 1);
    int64_t stop = clamp(end, -1, extent - 1);
    slice.size = stop >= slice.begin ? 0 : (slice.begin - stop - 1) / -step + 1;
  }
  return slice;
}

/// A slice whose place is known at run time only: every element looks up its
/// own, within the bounds.
LogicalResult importDynamicSlice(Node &node) {
  Tensor x = node.getInput(0), starts = node.getInput(1);
  auto shape = node.getDeclaredShape(0);
  int64_t rank = x.getRank();
  std::optional<SmallVector<int64_t>> axes;
  if (node.hasInput(3))
    axes = node.getKnownInts(3);
  else if (starts.getRank() == 1 && starts.getType().hasStaticShape() &&
           starts.getDim(0) <= rank)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.getDim(0)));
  // Which axis a start belongs to need not be known if each has one.
  bool axesAreInput = node.hasInput(3) && !axes;
  if (!shape || static_cast<int64_t>(shape->size()) != rank ||
      starts.getRank() != 1 || !starts.getType().hasStaticShape() ||
      starts.getDim(0) > rank || !x.getType().hasStaticShape() ||
      (axes && static_cast<int64_t>(axes->size()) != starts.getDim(0)))
    return node.emitError() << "the place of the slice is not known at compile "
                               "time, nor is its shape declared";
  int64_t count = starts.getDim(0);
  Tensor axisTensor = axesAreInput ? node.getInput(3) : Tensor();
  Tensor steps = node.getInput(4);
  for (Tensor other : {axisTensor, steps})
    if (other && other.getShape() != starts.getShape())
      return node.emitError() << "starts, axes and steps differ in number";
  if (axes)
    for (int64_t &axis : *axes) {
      FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
      if (failed(normal))
        return failure();
      axis = *normal;
    }
  for (auto [i, extent] : llvm::enumerate(*shape))
    if (extent > 0 && x.getDim(i) == 0)
      return node.emitError() << "declares a result larger than its input";
  Tensor result =
      node.generate(*shape, x.dataType, [&](B &b, ValueRange indices) -> Value {
        auto load = [&](Tensor from, int64_t i) -> Value {
          Value at = arith::ConstantIndexOp::create(b, i);
          Value value = tensor::ExtractOp::create(b, from.value, at);
          return arith::IndexCastOp::create(b, b.getIndexType(), value);
        };
        Value zero = arith::ConstantIndexOp::create(b, 0);
        SmallVector<Value> places(indices);
        for (int64_t i = 0; i < count; ++i) {
          Value start = load(starts, i);
          Value step = steps ? load(steps, i)
                             : arith::ConstantIndexOp::create(b, 1).getResult();
          for (int64_t axis = 0; axis < rank; ++axis) {
            if (axes && (*axes)[i] != axis)
              continue;
            Value extent = arith::ConstantIndexOp::create(b, x.getDim(axis));
            Value last = arith::ConstantIndexOp::create(b, x.getDim(axis) - 1);
            Value isNegative = arith::CmpIOp::create(
                b, arith::CmpIPredicate::slt, start, zero);
            Value begin = arith::SelectOp::create(
                b, isNegative, arith::AddIOp::create(b, start, extent), start);
            // Backwards from behind the end is backwards from the last.
            begin = arith::MinSIOp::create(
                b, arith::MaxSIOp::create(b, begin, zero), last);
            Value place = arith::AddIOp::create(
                b, begin, arith::MulIOp::create(b, indices[axis], step));
            if (axesAreInput) {
              Value chosen = load(axisTensor, i);
              Value wrapped = arith::AddIOp::create(
                  b, chosen, arith::ConstantIndexOp::create(b, rank));
              Value below = arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                                  chosen, zero);
              chosen = arith::SelectOp::create(b, below, wrapped, chosen);
              Value isThis = arith::CmpIOp::create(
                  b, arith::CmpIPredicate::eq, chosen,
                  arith::ConstantIndexOp::create(b, axis));
              place = arith::SelectOp::create(b, isThis, place, places[axis]);
            }
            places[axis] = place;
          }
        }
        for (int64_t axis = 0; axis < rank; ++axis) {
          Value last = arith::ConstantIndexOp::create(b, x.getDim(axis) - 1);
          places[axis] = arith::MinSIOp::create(
              b, arith::MaxSIOp::create(b, places[axis], zero), last);
        }
        return tensor::ExtractOp::create(b, x.value, places);
      });
  node.setOutput(0, result);
  return success();
}

LogicalResult importSlice(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  std::optional<SmallVector<int64_t>> starts, ends, axes, steps;
  if (node.getOpset() < 10) {
    starts = node.getInts("starts");
    ends = node.getInts("ends");
    if (node.hasAttribute("axes"))
      axes = node.getInts("axes");
  } else {
    if (!node.hasInput(1) || !node.hasInput(2))
      return node.emitError() << "needs starts and ends";
    starts = node.getKnownInts(1);
    ends = node.getKnownInts(2);
    axes = node.getKnownInts(3);
    steps = node.getKnownInts(4);
    if (!starts || !ends || (node.hasInput(3) && !axes) ||
        (node.hasInput(4) && !steps))
      return importDynamicSlice(node);
  }
  size_t count = starts->size();
  if (!axes)
    axes = llvm::to_vector(llvm::seq<int64_t>(0, count));
  if (!steps)
    steps.emplace(count, 1);
  if (ends->size() != count || axes->size() != count || steps->size() != count)
    return node.emitError()
           << "has " << count << " starts, " << ends->size() << " ends, "
           << axes->size() << " axes and " << steps->size() << " steps";
  SmallVector<AxisSlice> slices(rank);
  for (int64_t i = 0; i < rank; ++i)
    slices[i].size = x.getDim(i);
  for (size_t i = 0; i < count; ++i) {
    FailureOr<int64_t> axis = node.normalizeAxis((*axes)[i], rank);
    if (failed(axis))
      return failure();
    int64_t extent = x.getDim(*axis);
    if (ShapedType::isDynamic(extent)) {
      bool isWhole = (*starts)[i] == 0 && (*steps)[i] == 1 &&
                     ((*ends)[i] >= std::numeric_limits<int32_t>::max() ||
                      ShapedType::isDynamic((*ends)[i]));
      if (!isWhole)
        return node.emitError() << "takes a part of the batch, which is not "
                                   "supported";
      continue;
    }
    if (ShapedType::isDynamic((*starts)[i]) ||
        ShapedType::isDynamic((*ends)[i]))
      return node.emitError() << "takes as many elements of dimension " << *axis
                              << " as the batch has, which is not supported";
    FailureOr<AxisSlice> slice =
        resolveSlice(node, extent, (*starts)[i], (*ends)[i], (*steps)[i]);
    if (failed(slice))
      return failure();
    slices[*axis] = *slice;
  }
  SmallVector<int64_t> offsets, sizes, strides;
  bool goesBackwards = false, isEmpty = false;
  for (const AxisSlice &slice : slices) {
    offsets.push_back(slice.begin);
    sizes.push_back(slice.size);
    strides.push_back(slice.step);
    goesBackwards |= slice.step < 0;
    isEmpty |= slice.size == 0;
  }
  if (isEmpty) {
    node.setOutput(0, node.fill(sizes, x.dataType, 0));
  } else if (!goesBackwards) {
    node.setOutput(0, node.slice(x, offsets, sizes, strides));
  } else {
    node.setOutput(
        0, node.generate(sizes, x.dataType, [&](B &b, ValueRange indices) {
          SmallVector<Value> places;
          for (auto [i, slice] : llvm::enumerate(slices)) {
            Value step = arith::ConstantIndexOp::create(b, slice.step);
            Value begin = arith::ConstantIndexOp::create(b, slice.begin);
            places.push_back(arith::AddIOp::create(
                b, begin, arith::MulIOp::create(b, indices[i], step)));
          }
          return tensor::ExtractOp::create(b, x.value, places);
        }));
  }
  return success();
}

LogicalResult importExpand(Node &node) {
  Tensor x = node.getInput(0);
  std::optional<SmallVector<int64_t>> shape = node.getKnownInts(1);
  if (!shape)
    shape = node.getDeclaredShape(0);
  if (!shape)
    return node.emitError() << "the shape is not known at compile time";
  if (failed(node.checkSize(*shape)))
    return failure();
  // Both ways: where the shape has a 1, the input keeps its extent.
  Tensor target{node.linalg().empty(node.getSizes(*shape), x.getElementType()),
                x.dataType};
  FailureOr<SmallVector<int64_t>> both = node.getBroadcastShape({x, target});
  if (failed(both))
    return failure();
  FailureOr<Tensor> result = node.broadcast(x, *both);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importTile(Node &node) {
  Tensor x = node.getInput(0);
  std::optional<SmallVector<int64_t>> repeats = node.getKnownInts(1);
  std::optional<SmallVector<int64_t>> shape;
  if (repeats && static_cast<int64_t>(repeats->size()) == x.getRank()) {
    shape.emplace();
    for (auto [extent, times] : llvm::zip(x.getShape(), *repeats)) {
      int64_t product = 0;
      if (times < 0 || (ShapedType::isDynamic(extent) && times != 1) ||
          (!ShapedType::isDynamic(extent) &&
           llvm::MulOverflow(extent, times, product)))
        return node.emitError()
               << "cannot repeat " << x.getType() << " " << times << " times";
      shape->push_back(ShapedType::isDynamic(extent) ? extent : product);
    }
  } else if (!repeats) {
    shape = node.getDeclaredShape(0);
  }
  if (!shape || static_cast<int64_t>(shape->size()) != x.getRank())
    return node.emitError() << "the repeats are not known at compile time, or "
                               "are not one for each dimension";
  if (failed(node.checkSize(*shape)))
    return failure();
  for (auto [from, to] : llvm::zip(x.getShape(), *shape))
    if (from == 0 && to != 0)
      return node.emitError() << "repeats nothing";
  node.setOutput(
      0, node.generate(*shape, x.dataType, [&](B &b, ValueRange indices) {
        SmallVector<Value> places;
        for (auto [i, extent] : llvm::enumerate(x.getShape())) {
          if (extent == (*shape)[i])
            places.push_back(indices[i]);
          else
            places.push_back(arith::RemSIOp::create(
                b, indices[i], arith::ConstantIndexOp::create(b, extent)));
        }
        return tensor::ExtractOp::create(b, x.value, places);
      }));
  return success();
}

LogicalResult importConstant(Node &node) {
  if (const proto::TensorProto *value = node.getTensor("value")) {
    FailureOr<Tensor> tensor = node.load(*value);
    if (failed(tensor))
      return failure();
    node.setOutput(0, *tensor);
    return success();
  }
  OpBuilder &b = node.b();
  auto shape = [](size_t size) -> SmallVector<int64_t> {
    return {static_cast<int64_t>(size)};
  };
  if (node.hasAttribute("value_int")) {
    node.setOutput(
        0, node.constant(
               DenseElementsAttr::get(RankedTensorType::get({}, b.getI64Type()),
                                      node.getInt("value_int", 0)),
               proto::TensorProto::INT64));
  } else if (node.hasAttribute("value_ints")) {
    node.setOutput(0, node.constant(node.getInts("value_ints")));
  } else if (node.hasAttribute("value_float")) {
    node.setOutput(
        0, node.constant(
               DenseElementsAttr::get(RankedTensorType::get({}, b.getF32Type()),
                                      node.getFloat("value_float", 0)),
               proto::TensorProto::FLOAT));
  } else if (node.hasAttribute("value_floats")) {
    SmallVector<float> values = node.getFloats("value_floats");
    node.setOutput(
        0, node.constant(
               DenseElementsAttr::get(
                   RankedTensorType::get(shape(values.size()), b.getF32Type()),
                   ArrayRef<float>(values)),
               proto::TensorProto::FLOAT));
  } else {
    return node.emitError() << "has no value of numbers";
  }
  return success();
}

LogicalResult importConstantOfShape(Node &node) {
  std::optional<SmallVector<int64_t>> shape = node.getKnownInts(0);
  if (!shape)
    shape = node.getDeclaredShape(0);
  if (!shape)
    return node.emitError() << "the shape is not known at compile time";
  if (failed(node.checkSize(*shape)))
    return failure();
  const proto::TensorProto *value = node.getTensor("value");
  if (!value) {
    node.setOutput(0, node.fill(*shape, proto::TensorProto::FLOAT, 0));
    return success();
  }
  FailureOr<Tensor> element = node.load(*value);
  if (failed(element))
    return failure();
  if (element->getType().getNumElements() != 1)
    return node.emitError()
           << "takes a value of one element, not " << element->getType();
  FailureOr<Tensor> scalar = node.reshape(*element, {});
  if (failed(scalar))
    return failure();
  FailureOr<Tensor> result = node.broadcast(*scalar, *shape);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult importRange(Node &node) {
  Tensor start = node.getInput(0), limit = node.getInput(1),
         delta = node.getInput(2);
  if (failed(node.requireSameType({start, limit, delta})))
    return failure();
  for (Tensor tensor : {start, limit, delta})
    if (!tensor.getType().hasStaticShape() ||
        tensor.getType().getNumElements() != 1 || tensor.isBool())
      return node.emitError() << "takes numbers, not " << tensor.getType();
  std::optional<int64_t> count;
  if (start.isFloat()) {
    auto a = node.getKnownFloats(0), e = node.getKnownFloats(1),
         d = node.getKnownFloats(2);
    if (a && e && d && (*d)[0] != 0) {
      double steps = std::ceil(((*e)[0] - (*a)[0]) / (*d)[0]);
      if (!(steps < static_cast<double>(kMaxElements)))
        return node.emitError()
               << "has more than " << kMaxElements << " elements";
      count = static_cast<int64_t>(std::max(0.0, steps));
    }
  } else {
    auto a = node.getKnownInts(0), e = node.getKnownInts(1),
         d = node.getKnownInts(2);
    bool isBatch = a && e && d && (*a)[0] == 0 && (*d)[0] == 1 &&
                   ShapedType::isDynamic((*e)[0]);
    if (isBatch) {
      count = ShapedType::kDynamic;
    } else if (a && e && d && (*d)[0] != 0 &&
               llvm::none_of(std::array{(*a)[0], (*e)[0], (*d)[0]},
                             ShapedType::isDynamic)) {
      double steps = std::ceil(
          (static_cast<double>((*e)[0]) - static_cast<double>((*a)[0])) /
          static_cast<double>((*d)[0]));
      if (!(steps < static_cast<double>(kMaxElements)))
        return node.emitError()
               << "has more than " << kMaxElements << " elements";
      count = static_cast<int64_t>(std::max(0.0, steps));
    }
  }
  if (!count) {
    auto declared = node.getDeclaredShape(0);
    if (!declared || declared->size() != 1)
      return node.emitError() << "its length is not known at compile time";
    count = (*declared)[0];
  }
  FailureOr<Tensor> first = node.reshape(start, {});
  FailureOr<Tensor> step = node.reshape(delta, {});
  if (failed(first) || failed(step))
    return failure();
  node.setOutput(
      0, node.generate({*count}, start.dataType, [&](B &b, ValueRange indices) {
        Value i = arith::IndexCastOp::create(b, b.getI64Type(), indices[0]);
        i = node.convertScalar(b, i, proto::TensorProto::INT64, start.dataType);
        Value from = tensor::ExtractOp::create(b, first->value);
        Value by = tensor::ExtractOp::create(b, step->value);
        if (start.isFloat())
          return arith::AddFOp::create(b, from, arith::MulFOp::create(b, i, by))
              .getResult();
        return arith::AddIOp::create(b, from, arith::MulIOp::create(b, i, by))
            .getResult();
      }));
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"Shape", 1, 1, 1, 1, importShape},
    {"Size", 1, 1, 1, 1, importSize},
    {"Reshape", 1, 1, 2, 1, importReshape},
    {"Flatten", 1, 1, 1, 1, importFlatten},
    {"Squeeze", 1, 1, 2, 1, importSqueeze},
    {"Unsqueeze", 1, 1, 2, 1, importUnsqueeze},
    {"Transpose", 1, 1, 1, 1, importTranspose},
    {"Concat", 1, 1, kAnyNumber, 1, importConcat},
    {"Split", 2, 1, 2, kAnyNumber, importSplit},
    {"Slice", 1, 1, 5, 1, importSlice},
    {"Expand", 8, 2, 2, 1, importExpand},
    {"Tile", 6, 2, 2, 1, importTile},
    {"Constant", 1, 0, 0, 1, importConstant},
    {"ConstantOfShape", 9, 1, 1, 1, importConstantOfShape},
    {"Range", 11, 3, 3, 1, importRange},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getShapeOperators() {
  return kOperators;
}
