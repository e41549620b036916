//===- Node.cpp - Importing one node of an ONNX graph ---------------------===//

#include "frontend/Onnx/Node.h"

#include "frontend/Onnx/GraphImporter.h"

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

FailureOr<SmallVector<int64_t>> Node::getShape(int input) {
  std::optional<SmallVector<int64_t>> shape = getKnownInts(input);
  if (!shape)
    shape = getDeclaredShape(0);
  if (!shape)
    return emitError() << "the shape is not known at compile time";
  return *shape;
}

void Node::setOutput(int index, Tensor tensor) {
  if (hasOutput(index))
    graph.bind(node.output(index), tensor);
}

LogicalResult Node::setResult(FailureOr<Tensor> result) {
  if (mlir::failed(result))
    return failure();
  setOutput(0, *result);
  return success();
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

FailureOr<const proto::GraphProto *> Node::getGraph(StringRef name) {
  const auto *attribute = find(name, proto::AttributeProto::GRAPH);
  if (!attribute)
    return emitError() << "needs the attribute '" << name << "'";
  return &attribute->g();
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

LogicalResult Node::requireNumber(Tensor tensor) {
  if (!tensor.isBool())
    return success();
  return emitError() << "takes numbers, not " << getTypeName(tensor.dataType);
}

LogicalResult Node::requireBool(Tensor tensor) {
  if (tensor.isBool())
    return success();
  return emitError() << "takes bools, not " << getTypeName(tensor.dataType);
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

LogicalResult Node::charge(int64_t numUses) {
  return graph.charge(numUses, loc);
}

//===----------------------------------------------------------------------===//
// What the model holds
//===----------------------------------------------------------------------===//

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

Tensor Node::makeSequence(std::vector<Tensor> elements, int32_t dataType) {
  auto &sequences = graph.getState().sequences;
  if (mlir::failed(charge(elements.size()))) {
    failed = true;
    elements.clear();
  }
  sequences.push_back(std::move(elements));
  return {nullptr, dataType, &sequences.back()};
}
