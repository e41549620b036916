//===- ImageOperators.cpp - Padding, and the order of pixels --------------===//

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
    return node.setResult(node.broadcast(value, *shape));
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
      return node.emitError() << "needs pads of int64 as input 1";
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
      return node.emitError()
             << "leaves no elements of " << x.getType() << " to repeat";
    return node.setResult(node.broadcast(value, shape));
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
  return node.setResult(
      node.reshape(node.transpose(*wide, permutation), merged));
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

constexpr OperatorEntry kOperators[] = {
    {"Pad", 1, 1, 4, 1, importPad},
    {"DepthToSpace", 1, 1, 1, 1, importDepthToSpace},
    {"SpaceToDepth", 1, 1, 1, 1, importSpaceToDepth},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getImageOperators() {
  return kOperators;
}
