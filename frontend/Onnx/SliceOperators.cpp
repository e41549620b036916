//===- SliceOperators.cpp - Parts of tensors, and joining them ------------===//

#include "frontend/Onnx/Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

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
  return node.setResult(node.concatenate(inputs, *axis));
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
  if (static_cast<int64_t>(sizes->size()) != parts)
    return node.emitError()
           << "has " << sizes->size() << " sizes for " << parts << " outputs";
  FailureOr<SmallVector<Tensor>> split = node.split(x, *axis, *sizes);
  if (failed(split))
    return failure();
  for (auto [i, part] : llvm::enumerate(*split))
    node.setOutput(i, part);
  return success();
}

/// Where a slice begins, how it goes on, and how many it takes.
struct AxisSlice {
  int64_t begin = 0, step = 1, size = 0;
};

FailureOr<AxisSlice> resolveSlice(Node &node, int64_t extent, int64_t begin,
                                  int64_t end, int64_t step) {
  if (step == 0 || step == std::numeric_limits<int64_t>::min())
    return node.emitError()
           << "has the step " << step << ", which leads nowhere";
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
      return node.emitError() << "takes as many axes and steps as starts, not "
                              << other.getType() << " for " << starts.getType();
  if (axes)
    for (int64_t &axis : *axes) {
      FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
      if (failed(normal))
        return failure();
      axis = *normal;
    }
  for (auto [i, extent] : llvm::enumerate(*shape))
    if (extent > 0 && x.getDim(i) == 0)
      return node.emitError() << "declares elements of a result, and its input "
                              << x.getType() << " has none";
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

constexpr OperatorEntry kOperators[] = {
    {"Concat", 1, 1, kAnyNumber, 1, importConcat},
    {"Split", 2, 1, 2, kAnyNumber, importSplit},
    {"Slice", 1, 1, 5, 1, importSlice},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getSliceOperators() {
  return kOperators;
}
