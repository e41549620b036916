//===- SequenceOperators.cpp - Sequences of tensors -----------------------===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using Elements = std::vector<Tensor>;

FailureOr<Tensor> getSequence(Node &node, int index) {
  Tensor input = node.getInput(index);
  if (!input.sequence)
    return node.emitError()
           << "takes a sequence, and input " << index << " is a tensor";
  return input;
}

FailureOr<Tensor> getTensorInput(Node &node, int index) {
  Tensor input = node.getInput(index);
  if (input.sequence)
    return node.emitError()
           << "takes a tensor, and input " << index << " is a sequence";
  return input;
}

/// A position in a sequence that input `index` gives, which has to be below
/// `end`; `otherwise` if it is left out.
FailureOr<int64_t> getPosition(Node &node, int index, int64_t size, int64_t end,
                               int64_t otherwise) {
  if (!node.hasInput(index))
    return otherwise;
  std::optional<int64_t> position =
      node.getKnownContents().getInt(node.getInput(index).value);
  if (!position)
    return node.emitError()
           << "the position in the sequence is not known at compile time";
  if (*position < -size || *position >= end)
    return node.emitError()
           << "the position " << *position << " is not in a sequence of "
           << size << " tensors";
  return *position < 0 ? *position + size : *position;
}

LogicalResult importSequenceEmpty(Node &node) {
  int64_t dataType = node.getInt("dtype", proto::TensorProto::FLOAT);
  if (dataType < 0 || dataType > 1000 ||
      !getElementType(static_cast<int32_t>(dataType), node.getContext()))
    return node.emitError() << "the type " << dataType << " is not supported";
  node.setOutput(0, node.makeSequence({}, static_cast<int32_t>(dataType)));
  return success();
}

LogicalResult importSequenceConstruct(Node &node) {
  SmallVector<Tensor> inputs = node.getInputs();
  if (failed(node.requireSameType(inputs)))
    return failure();
  node.setOutput(
      0, node.makeSequence({inputs.begin(), inputs.end()}, inputs[0].dataType));
  return success();
}

LogicalResult importSequenceInsert(Node &node) {
  FailureOr<Tensor> sequence = getSequence(node, 0);
  FailureOr<Tensor> tensor = getTensorInput(node, 1);
  if (failed(sequence) || failed(tensor) ||
      failed(node.requireSameType({*sequence, *tensor})))
    return failure();
  Elements elements = *sequence->sequence;
  int64_t size = elements.size();
  FailureOr<int64_t> position = getPosition(node, 2, size, size + 1, size);
  if (failed(position))
    return failure();
  elements.insert(elements.begin() + *position, *tensor);
  node.setOutput(0, node.makeSequence(std::move(elements), sequence->dataType));
  return success();
}

LogicalResult importSequenceErase(Node &node) {
  FailureOr<Tensor> sequence = getSequence(node, 0);
  if (failed(sequence))
    return failure();
  Elements elements = *sequence->sequence;
  int64_t size = elements.size();
  if (size == 0)
    return node.emitError() << "the sequence is empty";
  FailureOr<int64_t> position = getPosition(node, 1, size, size, size - 1);
  if (failed(position))
    return failure();
  elements.erase(elements.begin() + *position);
  node.setOutput(0, node.makeSequence(std::move(elements), sequence->dataType));
  return success();
}

/// Parts of a tensor at places that are not known have no value.
LogicalResult requireKnown(Node &node, Tensor element) {
  if (element)
    return success();
  return node.emitError()
         << "takes a part of a tensor that is split into sizes which are not "
            "known at compile time";
}

LogicalResult importSequenceAt(Node &node) {
  FailureOr<Tensor> sequence = getSequence(node, 0);
  if (failed(sequence))
    return failure();
  int64_t size = sequence->sequence->size();
  FailureOr<int64_t> position = getPosition(node, 1, size, size, 0);
  if (failed(position) ||
      failed(requireKnown(node, (*sequence->sequence)[*position])))
    return failure();
  node.setOutput(0, (*sequence->sequence)[*position]);
  return success();
}

LogicalResult importSequenceLength(Node &node) {
  FailureOr<Tensor> sequence = getSequence(node, 0);
  if (failed(sequence))
    return failure();
  return node.setResult(node.number(sequence->sequence->size()));
}

LogicalResult importConcatFromSequence(Node &node) {
  FailureOr<Tensor> sequence = getSequence(node, 0);
  if (failed(sequence))
    return failure();
  SmallVector<Tensor> elements(sequence->sequence->begin(),
                               sequence->sequence->end());
  if (elements.empty())
    return node.emitError() << "the sequence is empty";
  for (const Tensor &element : elements)
    if (failed(requireKnown(node, element)))
      return failure();
  if (!node.hasAttribute("axis"))
    return node.emitError() << "needs the attribute 'axis'";
  int64_t isNew = node.getInt("new_axis", 0);
  if (isNew != 0 && isNew != 1)
    return node.emitError()
           << "new_axis is " << isNew << "; it has to be 0 or 1";
  FailureOr<int64_t> axis =
      node.getAxis("axis", 0, elements[0].getRank() + isNew);
  if (failed(axis))
    return failure();
  if (isNew)
    for (Tensor &element : elements) {
      SmallVector<int64_t> shape(element.getShape());
      if (static_cast<int64_t>(shape.size()) < *axis)
        return node.emitError() << "cannot stack " << elements[0].getType()
                                << " and " << element.getType();
      shape.insert(shape.begin() + *axis, 1);
      FailureOr<Tensor> extended = node.reshape(element, shape);
      if (failed(extended))
        return failure();
      element = *extended;
    }
  if (ShapedType::isDynamicShape(elements[0].getShape().drop_front()))
    return node.emitError() << "would move the batch behind a new dimension";
  return node.setResult(node.concatenate(elements, *axis));
}

LogicalResult importSplitToSequence(Node &node) {
  Tensor x = node.getInput(0), split = node.getInput(1);
  FailureOr<int64_t> axis = node.getAxis("axis", 0, x.getRank());
  if (failed(axis))
    return failure();
  bool dropsAxis = !split && node.getInt("keepdims", 1) == 0;
  int64_t extent = x.getDim(*axis);
  SmallVector<int64_t> sizes;
  std::optional<SmallVector<int64_t>> known = node.getKnownInts(1);
  // Of parts of sizes that are not known, at least there is the number.
  if (split && split.getRank() == 1 && split.getType().hasStaticShape() &&
      !known && split.getDim(0) <= KnownContents::kMaxElements) {
    node.setOutput(0, node.makeSequence(Elements(split.getDim(0)), x.dataType));
    return success();
  }
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "splits the batch, which is not supported";
  if (split && (!known || split.getRank() > 1))
    return node.emitError() << "the sizes are not known at compile time";
  if (split && split.getRank() == 1) {
    sizes = *known;
  } else {
    int64_t size = split ? (*known)[0] : 1;
    if (size < 1)
      return node.emitError() << "splits into parts of size " << size
                              << ", which has to be 1 or more";
    if (llvm::divideCeil(extent, size) > KnownContents::kMaxElements)
      return node.emitError()
             << "splits " << extent << " into parts of " << size
             << ", which are more than " << KnownContents::kMaxElements;
    for (int64_t begin = 0; begin < extent; begin += size)
      sizes.push_back(std::min(size, extent - begin));
  }
  FailureOr<SmallVector<Tensor>> parts = node.split(x, *axis, sizes);
  if (failed(parts))
    return failure();
  Elements elements;
  for (Tensor part : *parts)
    elements.push_back(dropsAxis ? node.squeeze(part, *axis) : part);
  node.setOutput(0, node.makeSequence(std::move(elements), x.dataType));
  return success();
}

/// A graph for each element of sequences; tensors are for all of them.
LogicalResult importSequenceMap(Node &node) {
  FailureOr<const proto::GraphProto *> graph = node.getGraph("body");
  FailureOr<Tensor> first = getSequence(node, 0);
  if (failed(graph) || failed(first))
    return failure();
  SmallVector<Tensor> inputs = node.getInputs();
  size_t size = first->sequence->size();
  for (const Tensor &input : inputs)
    if (input.sequence && input.sequence->size() != size)
      return node.emitError() << "takes sequences of " << size << " and "
                              << input.sequence->size() << " tensors";
  if (size == 0)
    return node.emitError() << "the sequence is empty";
  std::vector<Elements> outputs(node.getNumOutputs());
  for (size_t i = 0; i < size; ++i) {
    SmallVector<Tensor> arguments;
    for (const Tensor &input : inputs) {
      arguments.push_back(input.sequence ? (*input.sequence)[i] : input);
      if (failed(requireKnown(node, arguments.back())))
        return failure();
    }
    FailureOr<SmallVector<Tensor>> results =
        node.importGraph(**graph, arguments);
    if (failed(results))
      return failure();
    if (results->size() != outputs.size())
      return node.emitError() << "has " << outputs.size()
                              << " outputs, and its graph " << results->size();
    for (auto [output, result] : llvm::zip(outputs, *results)) {
      if (result.sequence)
        return node.emitError() << "its graph gives a sequence";
      output.push_back(result);
    }
  }
  for (auto [i, output] : llvm::enumerate(outputs))
    node.setOutput(i, node.makeSequence(output, output[0].dataType));
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"SequenceEmpty", 11, 0, 0, 1, importSequenceEmpty},
    {"SequenceConstruct", 11, 1, kAnyNumber, 1, importSequenceConstruct},
    {"SequenceInsert", 11, 2, 3, 1, importSequenceInsert, "", true},
    {"SequenceErase", 11, 1, 2, 1, importSequenceErase, "", true},
    {"SequenceAt", 11, 2, 2, 1, importSequenceAt, "", true},
    {"SequenceLength", 11, 1, 1, 1, importSequenceLength, "", true},
    {"ConcatFromSequence", 11, 1, 1, 1, importConcatFromSequence, "", true},
    {"SplitToSequence", 11, 1, 2, 1, importSplitToSequence},
    {"SequenceMap", 17, 1, kAnyNumber, kAnyNumber, importSequenceMap, "", true},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getSequenceOperators() {
  return kOperators;
}
