//===- ExportNodes.cpp - Nodes, their attributes and constants ------------===//

#include "frontend/Onnx/Exporter.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

std::string Exporter::makeUnique(llvm::StringSet<> &taken, const Twine &name) {
  std::string unique = name.str();
  while (!taken.insert(unique).second)
    unique += "_";
  return unique;
}

proto::NodeProto &Exporter::addNode(StringRef type, ValueRange operands,
                                    Value result, StringRef name,
                                    StringRef suffix) {
  std::string layer = name.empty() ? "layer" : name.str();
  std::string own = suffix.empty() ? layer : layer + "." + suffix.str();
  proto::NodeProto &node = *model.mutable_graph()->add_node();
  node.set_op_type(type.str());
  node.set_name(makeUnique(takenByNodes, own));
  for (Value operand : operands)
    node.add_input(operand ? names.lookup(operand) : "");
  // Results of the function have their names already.
  auto [place, isNew] = names.try_emplace(result);
  if (isNew)
    place->second = makeUnique(taken, suffix.empty() ? own + ".z" : own);
  node.add_output(place->second);
  layers[result] = layer;
  return node;
}

static proto::AttributeProto &
addAttribute(proto::NodeProto &node, StringRef name,
             proto::AttributeProto::AttributeType type) {
  proto::AttributeProto &attribute = *node.add_attribute();
  attribute.set_name(name.str());
  attribute.set_type(type);
  return attribute;
}

void Exporter::setInteger(proto::NodeProto &node, StringRef name,
                          int64_t value) {
  addAttribute(node, name, proto::AttributeProto::INT).set_i(value);
}

void Exporter::addIntegers(proto::NodeProto &node, StringRef name,
                           ArrayRef<int64_t> values) {
  addAttribute(node, name, proto::AttributeProto::INTS)
      .mutable_ints()
      ->Assign(values.begin(), values.end());
}

void Exporter::addFloat(proto::NodeProto &node, StringRef name, double value) {
  addAttribute(node, name, proto::AttributeProto::FLOAT)
      .set_f(static_cast<float>(value));
}

std::string Exporter::addConstant(StringRef layer, StringRef suffix,
                                  int32_t type, ArrayRef<int64_t> shape,
                                  StringRef rawData) {
  proto::NodeProto &node = *model.mutable_graph()->add_node();
  std::string own =
      (layer.empty() ? "layer" : layer.str()) + "." + suffix.str();
  node.set_op_type("Constant");
  node.set_name(makeUnique(takenByNodes, own));
  node.add_output(makeUnique(taken, own));
  proto::TensorProto &tensor =
      *addAttribute(node, "value", proto::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(type);
  for (int64_t size : shape)
    tensor.add_dims(size);
  tensor.set_raw_data(rawData.str());
  return node.output(0);
}

std::string Exporter::addFloats(StringRef layer, StringRef suffix,
                                ArrayRef<int64_t> shape,
                                ArrayRef<double> values) {
  auto bytesOf = [](const auto &elements) {
    return StringRef(reinterpret_cast<const char *>(elements.data()),
                     elements.size() * sizeof(elements[0]));
  };
  if (dataType == proto::TensorProto::DOUBLE)
    return addConstant(layer, suffix, dataType, shape, bytesOf(values));
  auto floats = llvm::to_vector_of<float>(values);
  return addConstant(layer, suffix, dataType, shape, bytesOf(floats));
}

std::string Exporter::addAxes(StringRef layer, ArrayRef<int64_t> axes) {
  return addConstant(layer, "axes", proto::TensorProto::INT64,
                     {static_cast<int64_t>(axes.size())},
                     StringRef(reinterpret_cast<const char *>(axes.data()),
                               axes.size() * sizeof(int64_t)));
}

std::string Exporter::addScalar(Value constant, StringRef layer) {
  FloatAttr value;
  matchPattern(constant, m_Constant(&value));
  return addFloats(layer, "constant", {}, value.getValueAsDouble());
}
