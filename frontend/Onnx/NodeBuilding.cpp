//===- NodeBuilding.cpp - What imported nodes compute ---------------------===//

#include "frontend/Onnx/GraphImporter.h"
#include "frontend/Onnx/Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

SmallVector<OpFoldResult> Node::getSizes(ArrayRef<int64_t> shape) {
  SmallVector<OpFoldResult> sizes;
  for (int64_t extent : shape)
    sizes.push_back(ShapedType::isDynamic(extent)
                        ? OpFoldResult(graph.getState().batchSize)
                        : builder.getIndexAttr(extent));
  return sizes;
}

FailureOr<SmallVector<int64_t>>
Node::getBroadcastShape(ArrayRef<Tensor> tensors) {
  int64_t rank = 0;
  for (Tensor tensor : tensors)
    rank = std::max(rank, tensor.getRank());
  SmallVector<int64_t> shape(rank, 1);
  for (Tensor tensor : tensors)
    for (int64_t i = 0, e = tensor.getRank(); i < e; ++i) {
      int64_t &extent = shape[rank - e + i];
      int64_t own = tensor.getDim(i);
      if (extent == 1) {
        extent = own;
      } else if (own != 1 && own != extent) {
        InFlightDiagnostic error = emitError() << "the shapes ";
        llvm::interleave(
            tensors, error, [&](Tensor other) { error << other.getType(); },
            " and ");
        return error << " do not broadcast";
      }
    }
  if (mlir::failed(checkSize(shape)))
    return failure();
  return shape;
}

LinalgBuilder::Indexed Node::indexBroadcast(Tensor tensor,
                                            ArrayRef<int64_t> shape,
                                            ArrayRef<unsigned> inner) {
  int64_t own = tensor.getRank() - inner.size(), first = shape.size() - own;
  SmallVector<int64_t> repeated;
  SmallVector<unsigned, 2> loops;
  for (int64_t i = 0; i < own; ++i) {
    if (tensor.getDim(i) == 1 && shape[first + i] != 1)
      repeated.push_back(i);
    else
      loops.push_back(first + i);
  }
  loops.append(inner.begin(), inner.end());
  return {squeeze(tensor, repeated).value, loops};
}

FailureOr<Tensor> Node::elementwise(ArrayRef<Tensor> tensors, int32_t dataType,
                                    Body body) {
  FailureOr<SmallVector<int64_t>> shape = getBroadcastShape(tensors);
  if (mlir::failed(shape))
    return failure();
  // Numbers are constants of the body, not inputs.
  auto getNumber = [&](Tensor tensor) -> Value {
    DenseFPElementsAttr elements;
    if (tensor.getRank() != 0 || !tensor.isFloat() ||
        !matchPattern(tensor.value, m_Constant(&elements)))
      return Value();
    return arith::ConstantOp::create(builder,
                                     elements.getSplatValue<FloatAttr>());
  };
  SmallVector<LinalgBuilder::Indexed> inputs;
  SmallVector<Value> numbers; // null for those that are inputs
  for (Tensor tensor : tensors) {
    numbers.push_back(shape->empty() ? Value() : getNumber(tensor));
    if (numbers.back())
      continue;
    inputs.push_back(indexBroadcast(tensor, *shape));
  }
  Value init = linalgBuilder.empty(
      getSizes(*shape), onnx::getElementType(dataType, getContext()));
  auto withNumbers = [&](ImplicitLocOpBuilder &b, ValueRange arguments) {
    SmallVector<Value> all;
    for (Value number : numbers) {
      all.push_back(number ? number : arguments.front());
      if (!number)
        arguments = arguments.drop_front();
    }
    llvm::append_range(all, arguments);
    return body(b, all);
  };
  return Tensor{linalgBuilder.generic(shape->size(), inputs,
                                      {init, LinalgBuilder::allLoops(init)},
                                      withNumbers),
                dataType};
}

FailureOr<Tensor> Node::broadcast(Tensor tensor, ArrayRef<int64_t> shape) {
  if (tensor.getShape() == shape)
    return tensor;
  Tensor target{linalgBuilder.empty(getSizes(shape), tensor.getElementType()),
                tensor.dataType};
  FailureOr<SmallVector<int64_t>> both = getBroadcastShape({tensor, target});
  if (mlir::failed(both))
    return failure();
  if (ArrayRef(*both) != shape)
    return emitError() << "the shape of " << tensor.getType()
                       << " does not broadcast to that of " << target.getType();
  return Tensor{linalgBuilder.generic(
                    shape.size(), indexBroadcast(tensor, shape),
                    {target.value, LinalgBuilder::allLoops(target.value)},
                    [](ImplicitLocOpBuilder &, ValueRange arguments) {
                      return arguments[0];
                    }),
                tensor.dataType};
}

Tensor Node::generate(ArrayRef<int64_t> shape, int32_t dataType, Body body) {
  Value init = linalgBuilder.empty(
      getSizes(shape), onnx::getElementType(dataType, getContext()));
  return {linalgBuilder.generic(
              shape.size(), {}, {init, LinalgBuilder::allLoops(init)},
              [&](ImplicitLocOpBuilder &b, ValueRange) {
                SmallVector<Value> indices;
                for (size_t i = 0; i < shape.size(); ++i)
                  indices.push_back(linalg::IndexOp::create(b, i));
                return body(b, indices);
              }),
          dataType};
}

//===----------------------------------------------------------------------===//
// Shapes
//===----------------------------------------------------------------------===//

Tensor Node::squeeze(Tensor tensor, ArrayRef<int64_t> axes) {
  if (axes.empty())
    return tensor;
  SmallVector<int64_t> shape;
  for (int64_t i = 0; i < tensor.getRank(); ++i)
    if (!llvm::is_contained(axes, i))
      shape.push_back(tensor.getDim(i));
  // A group for each kept dimension, with the dropped ones behind it; those
  // before the first kept one belong to it too.
  SmallVector<ReassociationIndices> groups;
  bool hasKept = false;
  for (int64_t i = 0; i < tensor.getRank(); ++i) {
    bool isKept = !llvm::is_contained(axes, i);
    if (groups.empty() || (isKept && hasKept)) {
      groups.push_back({});
      hasKept = false;
    }
    groups.back().push_back(i);
    hasKept |= isKept;
  }
  auto type = RankedTensorType::get(shape, tensor.getElementType());
  if (shape.empty())
    groups.clear();
  return {tensor::CollapseShapeOp::create(builder, type, tensor.value, groups),
          tensor.dataType};
}

FailureOr<Tensor> Node::reshape(Tensor tensor, ArrayRef<int64_t> shape) {
  ArrayRef<int64_t> from = tensor.getShape();
  if (from == shape)
    return tensor;
  auto countKnown = [](ArrayRef<int64_t> extents) {
    SmallVector<int64_t> known(extents);
    int64_t unknown = 0;
    for (int64_t &extent : known)
      if (ShapedType::isDynamic(extent)) {
        extent = 1;
        ++unknown;
      }
    return std::pair(unknown, countElements(known));
  };
  if (mlir::failed(checkSize(shape)))
    return failure();
  auto target = RankedTensorType::get(shape, tensor.getElementType());
  if (countKnown(from) != countKnown(shape))
    return emitError() << "cannot reshape " << tensor.getType() << " to "
                       << target << ", which has another number of elements";
  if (countKnown(from).second == 0)
    return fill(shape, tensor.dataType, 0);
  // Views of the same memory: at most one that merges dimensions and one that
  // splits them. A batch in front stays as it is.
  bool keepsBatch = !from.empty() && !shape.empty() &&
                    ShapedType::isDynamic(from[0]) && from[0] == shape[0];
  auto groupsOf = [&](ArrayRef<int64_t> extents) {
    SmallVector<ReassociationIndices> groups;
    if (keepsBatch)
      groups.push_back({0});
    ReassociationIndices rest;
    for (int64_t i = keepsBatch; i < static_cast<int64_t>(extents.size()); ++i)
      rest.push_back(i);
    if (!rest.empty())
      groups.push_back(rest);
    return groups;
  };
  bool hasUnknown = countKnown(from).first > 0;
  SmallVector<int64_t> merged;
  if (keepsBatch)
    merged.push_back(ShapedType::kDynamic);
  if (from.size() > (keepsBatch ? 1u : 0u) ||
      shape.size() > (keepsBatch ? 1u : 0u))
    merged.push_back(hasUnknown && !keepsBatch ? ShapedType::kDynamic
                                               : *countKnown(from).second);
  Value value = tensor.value;
  auto mergedType = RankedTensorType::get(merged, tensor.getElementType());
  if (ArrayRef(merged) != from) {
    if (merged.size() < from.size() || from.empty()) {
      if (from.empty() || (keepsBatch && from.size() == 1))
        value = tensor::ExpandShapeOp::create(
            builder, mergedType, value,
            from.empty() ? SmallVector<ReassociationIndices>()
                         : SmallVector<ReassociationIndices>{{0, 1}},
            getSizes(merged));
      else
        value = tensor::CollapseShapeOp::create(builder, mergedType, value,
                                                groupsOf(from));
    } else {
      // [batch] to [batch, 1].
      value = tensor::ExpandShapeOp::create(
          builder, mergedType, value, SmallVector<ReassociationIndices>{{0, 1}},
          getSizes(merged));
    }
  }
  if (ArrayRef(merged) == shape)
    return Tensor{value, tensor.dataType};
  if (shape.size() < merged.size()) {
    // [batch, 1] to [batch], or [1] to a scalar.
    SmallVector<ReassociationIndices> groups;
    if (!shape.empty())
      groups.push_back({0, 1});
    return Tensor{
        tensor::CollapseShapeOp::create(builder, target, value, groups),
        tensor.dataType};
  }
  return Tensor{tensor::ExpandShapeOp::create(builder, target, value,
                                              groupsOf(shape), getSizes(shape)),
                tensor.dataType};
}

Tensor Node::transpose(Tensor tensor, ArrayRef<int64_t> permutation) {
  if (isIdentityPermutation(permutation))
    return tensor;
  SmallVector<int64_t> shape = applyPermutation(tensor.getShape(), permutation);
  Value init = linalgBuilder.empty(getSizes(shape), tensor.getElementType());
  return {linalg::TransposeOp::create(builder, tensor.value, init, permutation)
              ->getResult(0),
          tensor.dataType};
}

/// A batch of which all is taken has its size at run time.
static SmallVector<OpFoldResult> toAttributes(OpBuilder &b,
                                              ArrayRef<int64_t> values) {
  return llvm::map_to_vector(
      values, [&](int64_t i) -> OpFoldResult { return b.getIndexAttr(i); });
}

Tensor Node::slice(Tensor tensor, ArrayRef<int64_t> offsets,
                   ArrayRef<int64_t> sizes, ArrayRef<int64_t> strides) {
  auto type = RankedTensorType::get(sizes, tensor.getElementType());
  if (type == tensor.getType() &&
      llvm::all_of(offsets, [](int64_t i) { return i == 0; }))
    return tensor;
  return {tensor::ExtractSliceOp::create(
              builder, type, tensor.value, toAttributes(builder, offsets),
              getSizes(sizes), toAttributes(builder, strides)),
          tensor.dataType};
}

Tensor Node::pad(Tensor tensor, ArrayRef<int64_t> low, ArrayRef<int64_t> high,
                 Value padding) {
  SmallVector<int64_t> shape(tensor.getShape());
  for (auto [extent, before, after] : llvm::zip(shape, low, high))
    if (!ShapedType::isDynamic(extent))
      extent += before + after;
  if (ArrayRef(shape) == tensor.getShape())
    return tensor;
  Value whole =
      linalg::FillOp::create(
          builder, padding,
          linalgBuilder.empty(getSizes(shape), tensor.getElementType()))
          .getResult(0);
  SmallVector<int64_t> ones(shape.size(), 1);
  return {tensor::InsertSliceOp::create(
              builder, tensor.value, whole, toAttributes(builder, low),
              getSizes(tensor.getShape()), toAttributes(builder, ones)),
          tensor.dataType};
}

FailureOr<SmallVector<Tensor>> Node::split(Tensor tensor, int64_t axis,
                                           ArrayRef<int64_t> sizes) {
  int64_t extent = tensor.getDim(axis), rest = extent;
  for (int64_t size : sizes) {
    if (size < 0 || size > rest)
      return emitError() << "has a part of size " << size << ", of " << rest
                         << " left";
    rest -= size;
  }
  if (rest != 0)
    return emitError() << "splits " << extent << " into parts of "
                       << extent - rest << " in all";
  SmallVector<int64_t> offsets(tensor.getRank(), 0), ones(tensor.getRank(), 1);
  SmallVector<Tensor> parts;
  for (int64_t size : sizes) {
    SmallVector<int64_t> shape(tensor.getShape());
    shape[axis] = size;
    parts.push_back(slice(tensor, offsets, shape, ones));
    offsets[axis] += size;
  }
  return parts;
}

FailureOr<Tensor> Node::concatenate(ArrayRef<Tensor> tensors, int64_t axis) {
  SmallVector<int64_t> shape(tensors[0].getShape());
  shape[axis] = 0;
  for (Tensor tensor : tensors) {
    bool fits = tensor.getRank() == static_cast<int64_t>(shape.size());
    for (int64_t i = 0; fits && i < tensor.getRank(); ++i)
      fits = i == axis ? !ShapedType::isDynamic(tensor.getDim(i))
                       : tensor.getDim(i) == shape[i];
    if (!fits ||
        llvm::AddOverflow(shape[axis], tensor.getDim(axis), shape[axis]))
      return emitError() << "cannot join " << tensors[0].getType() << " and "
                         << tensor.getType() << " along dimension " << axis;
  }
  if (mlir::failed(checkSize(shape)))
    return failure();
  Value whole =
      linalgBuilder.empty(getSizes(shape), tensors[0].getElementType());
  SmallVector<int64_t> offsets(shape.size(), 0), ones(shape.size(), 1);
  for (Tensor tensor : tensors) {
    if (tensor.getDim(axis) != 0)
      whole = tensor::InsertSliceOp::create(
          builder, tensor.value, whole, toAttributes(builder, offsets),
          getSizes(tensor.getShape()), toAttributes(builder, ones));
    offsets[axis] += tensor.getDim(axis);
  }
  return Tensor{whole, tensors[0].dataType};
}

//===----------------------------------------------------------------------===//
// Types and constants
//===----------------------------------------------------------------------===//

Value Node::convertScalar(ImplicitLocOpBuilder &b, Value value, int32_t from,
                          int32_t to) {
  Type target = onnx::getElementType(to, getContext());
  Type source = value.getType();
  bool fromBool = from == proto::TensorProto::BOOL;
  if (to == proto::TensorProto::BOOL) {
    if (fromBool)
      return value;
    Value zero = arith::ConstantOp::create(b, b.getZeroAttr(source));
    if (isa<FloatType>(source))
      return arith::CmpFOp::create(b, arith::CmpFPredicate::UNE, value, zero);
    return arith::CmpIOp::create(b, arith::CmpIPredicate::ne, value, zero);
  }
  if (isa<FloatType>(source) && isa<FloatType>(target)) {
    unsigned wide = target.getIntOrFloatBitWidth();
    unsigned narrow = source.getIntOrFloatBitWidth();
    if (wide == narrow)
      return value;
    if (wide > narrow)
      return arith::ExtFOp::create(b, target, value);
    return arith::TruncFOp::create(b, target, value);
  }
  if (isa<FloatType>(source)) {
    // Through 64 bits: what a narrow type cannot hold wraps, as in C.
    Value wide;
    if (to == proto::TensorProto::UINT64)
      wide = arith::FPToUIOp::create(b, b.getI64Type(), value);
    else
      wide = arith::FPToSIOp::create(b, b.getI64Type(), value);
    return target.isInteger(64) ? wide
                                : arith::TruncIOp::create(b, target, wide);
  }
  if (isa<FloatType>(target)) {
    if (onnx::isUnsigned(from))
      return arith::UIToFPOp::create(b, target, value);
    return arith::SIToFPOp::create(b, target, value);
  }
  unsigned wide = target.getIntOrFloatBitWidth();
  unsigned narrow = source.getIntOrFloatBitWidth();
  if (wide == narrow)
    return value;
  if (wide < narrow)
    return arith::TruncIOp::create(b, target, value);
  if (onnx::isUnsigned(from))
    return arith::ExtUIOp::create(b, target, value);
  return arith::ExtSIOp::create(b, target, value);
}

FailureOr<Tensor> Node::convert(Tensor tensor, int32_t dataType) {
  if (tensor.dataType == dataType)
    return tensor;
  if (!onnx::getElementType(dataType, getContext()))
    return emitError() << "converts to " << getTypeName(dataType)
                       << ", which is not supported";
  return elementwise(
      tensor, dataType, [&](ImplicitLocOpBuilder &b, ValueRange arguments) {
        return convertScalar(b, arguments[0], tensor.dataType, dataType);
      });
}

Tensor Node::constant(ElementsAttr elements, int32_t dataType) {
  return {arith::ConstantOp::create(builder, cast<TypedAttr>(elements)),
          dataType};
}

Tensor Node::constant(ArrayRef<int64_t> ints) {
  return constant(builder.getI64TensorAttr(ints), proto::TensorProto::INT64);
}

Tensor Node::number(int64_t value) {
  return constant(DenseElementsAttr::get(
                      RankedTensorType::get({}, builder.getI64Type()), value),
                  proto::TensorProto::INT64);
}

Value Node::scalar(int32_t dataType, double value) {
  return linalgBuilder.constant(onnx::getElementType(dataType, getContext()),
                                value);
}

Tensor Node::fill(ArrayRef<int64_t> shape, int32_t dataType, double value) {
  return {linalgBuilder.fill(getSizes(shape),
                             onnx::getElementType(dataType, getContext()),
                             value),
          dataType};
}
