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
    return node.emitError() << "the size of the batch of " << x.getType()
                            << " is not known at compile time";
  return node.setResult(node.number(x.getType().getNumElements()));
}

/// The number of elements of each sample, and whether there is a batch of them.
std::pair<int64_t, bool> countBesideBatch(ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t extent : shape)
    elements *= ShapedType::isDynamic(extent) ? 1 : extent;
  return {elements, ShapedType::isDynamicShape(shape)};
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
      return node.emitError() << "the shape has the extent " << extent
                              << ", which is neither -1 nor a size";
    } else if (llvm::MulOverflow(known, extent, known)) {
      return node.emitError() << "the shape has too many elements";
    }
  }
  if (!inferred)
    return shape;
  auto [elements, inputHasBatch] = countBesideBatch(x.getShape());
  if (known == 0 || elements % known != 0)
    return node.emitError()
           << "cannot infer the extent that is -1 of " << x.getType();
  int64_t rest = elements / known;
  if (inputHasBatch && !hasBatch) {
    if (rest != 1)
      return node.emitError() << "merges the batch with other dimensions of "
                              << x.getType() << ", which is not supported";
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
  return node.setResult(node.reshape(x, shape));
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
    auto [product, hasBatch] = countBesideBatch(part);
    if (hasBatch && product != 1)
      return node.emitError() << "merges the batch with other dimensions of "
                              << x.getType() << ", which is not supported";
    shape.push_back(hasBatch ? ShapedType::kDynamic : product);
  }
  return node.setResult(node.reshape(x, shape));
}

LogicalResult importSqueeze(Node &node) {
  Tensor x = node.getInput(0);
  if (node.getOpset() >= 13 && node.hasInput(1) && !node.getKnownInts(1)) {
    // What is left is declared. It has as many elements, in their order.
    auto declared = node.getDeclaredShape(0);
    if (!declared)
      return node.emitError() << "the axes are not known at compile time";
    return node.setResult(node.reshape(x, *declared));
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
    return node.setResult(node.reshape(x, *given));
  }
  int64_t rank = x.getRank() + given->size();
  llvm::SmallBitVector isNew(std::min<int64_t>(rank, kMaxRank * 2));
  if (rank > kMaxRank)
    return node.emitError() << "the result would have the rank " << rank
                            << ", more than " << kMaxRank;
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
  return node.setResult(node.reshape(x, shape));
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

LogicalResult importExpand(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<SmallVector<int64_t>> shape = node.getShape(1);
  if (failed(shape) || failed(node.checkSize(*shape)))
    return failure();
  // Both ways: where the shape has a 1, the input keeps its extent.
  Tensor target{node.linalg().empty(node.getSizes(*shape), x.getElementType()),
                x.dataType};
  FailureOr<SmallVector<int64_t>> both = node.getBroadcastShape({x, target});
  if (failed(both))
    return failure();
  return node.setResult(node.broadcast(x, *both));
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
      return node.emitError()
             << "repeats the elements of " << x.getType() << ", which has none";
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

constexpr OperatorEntry kOperators[] = {
    {"Shape", 1, 1, 1, 1, importShape},
    {"Size", 1, 1, 1, 1, importSize},
    {"Reshape", 1, 1, 2, 1, importReshape},
    {"Flatten", 1, 1, 1, 1, importFlatten},
    {"Squeeze", 1, 1, 2, 1, importSqueeze},
    {"Unsqueeze", 1, 1, 2, 1, importUnsqueeze},
    {"Transpose", 1, 1, 1, 1, importTranspose},
    {"Expand", 8, 2, 2, 1, importExpand},
    {"Tile", 6, 2, 2, 1, importTile},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getShapeOperators() {
  return kOperators;
}
