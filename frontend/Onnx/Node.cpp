//===- Node.cpp - Importing one node of an ONNX graph ---------------------===//

#include "frontend/Onnx/Node.h"

#include "frontend/Onnx/GraphImporter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

Node::Node(GraphImporter &graph, const proto::NodeProto &node, int64_t opset,
           OpBuilder &builder, Location loc)
    : graph(graph), node(node), opset(opset), loc(loc), builder(loc, builder),
      linalgBuilder(this->builder, loc) {}

InFlightDiagnostic Node::emitError() {
  return mlir::emitError(loc) << node.op_type() << ": ";
}

//===----------------------------------------------------------------------===//
// Inputs and outputs
//===----------------------------------------------------------------------===//

Tensor Node::getInput(int index) {
  return hasInput(index) ? graph.lookup(node.input(index)) : Tensor();
}

SmallVector<Tensor> Node::getInputs() {
  SmallVector<Tensor> inputs;
  for (int i = 0; i < getNumInputs(); ++i)
    if (hasInput(i))
      inputs.push_back(getInput(i));
  return inputs;
}

std::optional<SmallVector<int64_t>> Node::getKnownInts(int index) {
  Tensor input = getInput(index);
  if (!input)
    return std::nullopt;
  return getKnownContents().getInts(input.value);
}

std::optional<SmallVector<double>> Node::getKnownFloats(int index) {
  Tensor input = getInput(index);
  if (!input)
    return std::nullopt;
  return getKnownContents().getFloats(input.value);
}

Tensor Node::makeSequence(std::vector<Tensor> elements, int32_t dataType) {
  auto &sequences = graph.getState().sequences;
  if (mlir::failed(charge(elements.size()))) {
    failed = true;
    elements.clear();
  }
  sequences.push_back(std::move(elements));
  return {nullptr, dataType, &sequences.back()};
}

Tensor Node::lookup(StringRef name) const { return graph.lookup(name); }

KnownContents &Node::getKnownContents() { return graph.getState().known; }

std::optional<SmallVector<int64_t>> Node::getDeclaredShape(int index) {
  if (!hasOutput(index))
    return std::nullopt;
  const proto::ValueInfoProto *info = graph.getDeclaration(node.output(index));
  if (!info || !info->type().has_tensor_type() ||
      !info->type().tensor_type().has_shape())
    return std::nullopt;
  SmallVector<int64_t> shape;
  for (const auto &dim : info->type().tensor_type().shape().dim()) {
    if (!dim.has_dim_value())
      return std::nullopt;
    shape.push_back(dim.dim_value());
  }
  if (!countElements(shape) || static_cast<int64_t>(shape.size()) > kMaxRank)
    return std::nullopt;
  return shape;
}

void Node::setOutput(int index, Tensor tensor) {
  if (hasOutput(index))
    graph.bind(node.output(index), tensor);
}

//===----------------------------------------------------------------------===//
// Attributes
//===----------------------------------------------------------------------===//

bool Node::hasAttribute(StringRef name) const {
  return llvm::any_of(node.attribute(), [&](const auto &attribute) {
    return attribute.name() == name &&
           (attribute.ref_attr_name().empty() || !graph.isFunction() ||
            graph.getCallAttribute(attribute.ref_attr_name()));
  });
}

const proto::AttributeProto *
Node::find(StringRef name, proto::AttributeProto::AttributeType type) {
  for (const proto::AttributeProto &own : node.attribute()) {
    if (own.name() != name)
      continue;
    const proto::AttributeProto *attribute = &own;
    if (!own.ref_attr_name().empty() && graph.isFunction())
      attribute = graph.getCallAttribute(own.ref_attr_name());
    // Old models do not give the type.
    if (attribute && attribute->type() != type &&
        attribute->type() != proto::AttributeProto::UNDEFINED) {
      emitError() << "the attribute '" << name << "' is of type "
                  << proto::AttributeProto::AttributeType_Name(
                         attribute->type())
                  << " instead of "
                  << proto::AttributeProto::AttributeType_Name(type);
      failed = true;
      return nullptr;
    }
    return attribute;
  }
  return nullptr;
}

int64_t Node::getInt(StringRef name, int64_t otherwise) {
  const auto *attribute = find(name, proto::AttributeProto::INT);
  return attribute ? attribute->i() : otherwise;
}

float Node::getFloat(StringRef name, float otherwise) {
  const auto *attribute = find(name, proto::AttributeProto::FLOAT);
  return attribute ? attribute->f() : otherwise;
}

std::string Node::getString(StringRef name, StringRef otherwise) {
  const auto *attribute = find(name, proto::AttributeProto::STRING);
  return attribute ? attribute->s() : otherwise.str();
}

SmallVector<int64_t> Node::getInts(StringRef name,
                                   ArrayRef<int64_t> otherwise) {
  const auto *attribute = find(name, proto::AttributeProto::INTS);
  if (!attribute)
    return SmallVector<int64_t>(otherwise);
  return {attribute->ints().begin(), attribute->ints().end()};
}

SmallVector<float> Node::getFloats(StringRef name, ArrayRef<float> otherwise) {
  const auto *attribute = find(name, proto::AttributeProto::FLOATS);
  if (!attribute)
    return SmallVector<float>(otherwise);
  return {attribute->floats().begin(), attribute->floats().end()};
}

SmallVector<std::string> Node::getStrings(StringRef name) {
  const auto *attribute = find(name, proto::AttributeProto::STRINGS);
  if (!attribute)
    return {};
  return {attribute->strings().begin(), attribute->strings().end()};
}

const proto::TensorProto *Node::getTensor(StringRef name) {
  const auto *attribute = find(name, proto::AttributeProto::TENSOR);
  return attribute ? &attribute->t() : nullptr;
}

const proto::GraphProto *Node::getGraph(StringRef name) {
  const auto *attribute = find(name, proto::AttributeProto::GRAPH);
  return attribute ? &attribute->g() : nullptr;
}

FailureOr<int64_t> Node::normalizeAxis(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank)
    return emitError() << "the axis " << axis << " is not in [" << -rank << ", "
                       << rank - 1 << "]";
  return axis < 0 ? axis + rank : axis;
}

FailureOr<int64_t> Node::getAxis(StringRef name, int64_t otherwise,
                                 int64_t rank) {
  return normalizeAxis(getInt(name, otherwise), rank);
}

FailureOr<std::optional<SmallVector<int64_t>>>
Node::getAxes(int64_t inputOpset, int inputIndex, int64_t rank) {
  std::optional<SmallVector<int64_t>> given;
  if (opset < inputOpset) {
    if (hasAttribute("axes"))
      given = getInts("axes");
  } else if (hasInput(inputIndex)) {
    given = getKnownInts(inputIndex);
    if (!given)
      return emitError() << "the axes in input " << inputIndex
                         << " are not known at compile time";
  }
  if (!given)
    return given;
  SmallVector<int64_t> axes;
  for (int64_t axis : *given) {
    FailureOr<int64_t> normal = normalizeAxis(axis, rank);
    if (mlir::failed(normal))
      return failure();
    if (llvm::is_contained(axes, *normal))
      return emitError() << "the axis " << axis << " is given twice";
    axes.push_back(*normal);
  }
  return std::optional(axes);
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

LogicalResult Node::requireFloat(Tensor tensor) {
  if (tensor.isFloat())
    return success();
  return emitError() << "takes floats, not " << getTypeName(tensor.dataType);
}

LogicalResult Node::requireRank(Tensor tensor, int64_t rank) {
  if (tensor.getRank() == rank)
    return success();
  return emitError() << "takes a tensor of rank " << rank << ", not "
                     << tensor.getRank();
}

LogicalResult Node::requireSameType(ArrayRef<Tensor> tensors) {
  for (Tensor tensor : tensors)
    if (tensor.dataType != tensors[0].dataType)
      return emitError() << "takes tensors of one type, not "
                         << getTypeName(tensors[0].dataType) << " and "
                         << getTypeName(tensor.dataType);
  return success();
}

LogicalResult Node::charge(int64_t numUses) {
  return graph.charge(numUses, loc);
}

//===----------------------------------------------------------------------===//
// Building
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

LogicalResult Node::checkSize(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> known(shape);
  for (int64_t &extent : known)
    if (ShapedType::isDynamic(extent) && graph.getState().batchSize)
      extent = 1;
  if (static_cast<int64_t>(shape.size()) > kMaxRank)
    return emitError() << "the result would have the rank " << shape.size()
                       << ", more than " << kMaxRank;
  if (countElements(known))
    return success();
  InFlightDiagnostic error = emitError() << "the result would have the shape [";
  llvm::interleaveComma(shape, error);
  return error << "]: extents may not be negative, and have up to "
               << kMaxElements << " elements";
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
    int64_t first = shape->size() - tensor.getRank();
    // Dimensions of size 1 that are repeated have no loop.
    SmallVector<int64_t> repeated;
    SmallVector<unsigned, 2> loops;
    for (int64_t i = 0; i < tensor.getRank(); ++i) {
      if (tensor.getDim(i) == 1 && (*shape)[first + i] != 1)
        repeated.push_back(i);
      else
        loops.push_back(first + i);
    }
    inputs.push_back({squeeze(tensor, repeated).value, loops});
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
  SmallVector<int64_t> repeated;
  SmallVector<unsigned, 2> loops;
  int64_t first = shape.size() - tensor.getRank();
  for (int64_t i = 0; i < tensor.getRank(); ++i) {
    if (tensor.getDim(i) == 1 && shape[first + i] != 1)
      repeated.push_back(i);
    else
      loops.push_back(first + i);
  }
  return Tensor{linalgBuilder.generic(
                    shape.size(), {{squeeze(tensor, repeated).value, loops}},
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

Tensor Node::concatenate(ArrayRef<Tensor> tensors, int64_t axis) {
  SmallVector<int64_t> shape(tensors[0].getShape());
  for (Tensor tensor : tensors.drop_front())
    shape[axis] += tensor.getDim(axis);
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
  return {whole, tensors[0].dataType};
}

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

FailureOr<Tensor> Node::load(const proto::TensorProto &tensor) {
  ElementsAttr elements =
      OnnxFile::getElements(graph.getState().file, tensor, loc);
  if (!elements)
    return failure();
  return constant(elements, tensor.data_type());
}

FailureOr<SmallVector<Tensor>>
Node::importGraph(const proto::GraphProto &nested, ArrayRef<Tensor> inputs) {
  return graph.importNested(nested, inputs, builder, loc);
}
