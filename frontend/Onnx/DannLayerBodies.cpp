//===- DannLayerBodies.cpp - Layers of dann in operators of ONNX ----------===//

#include "frontend/Onnx/DannLayers.h"

#include "llvm/ADT/Twine.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

/// Values go by the names that they have in the layer.
class BodyBuilder {
public:
  BodyBuilder(const LayerOperator &op, const LayerBody &body)
      : op(op), body(body), nodes(&body.nodes) {}

  void buildDense();
  void buildConvolution();
  void buildEiRecurrent();
  void buildRecurrent();
  void buildPolarity();
  void buildColumnPolarity();

private:
  /// Adds a node and returns its result.
  std::string add(StringRef type, ArrayRef<std::string> operands,
                  const Twine &result);
  /// An attribute of the last node.
  proto::AttributeProto &
  addAttribute(StringRef name, proto::AttributeProto::AttributeType type);
  void addInt(StringRef name, int64_t value) {
    addAttribute(name, proto::AttributeProto::INT).set_i(value);
  }
  /// The attribute `own` of the layer as `name` of the last node.
  void copyAttribute(StringRef own, StringRef name,
                     proto::AttributeProto::AttributeType type);
  std::string addInts(ArrayRef<int64_t> values, const Twine &result);
  std::string addScalar(double value, const Twine &result);
  std::string addEpsilon();
  /// a . b^T, plus a bias.
  std::string addProduct(ArrayRef<std::string> operands, const Twine &result) {
    std::string product = add("Gemm", operands, result);
    addInt("transB", 1);
    return product;
  }
  std::string addWindows(const std::string &x, const std::string &filters,
                         const Twine &result);
  std::string addRelu(const std::string &z, const Twine &result) {
    return op.isLinear ? z : add("Relu", {z}, result);
  }

  /// The weights of divisive inhibition, and the layer, of `x` and parameters
  /// that begin with `prefix`.
  std::string addStrength(const std::string &prefix);
  std::string addDenseLayer(const std::string &x, const std::string &prefix,
                            const std::string &strength,
                            const std::string &epsilon, bool hasBias);
  /// The scan over the steps of x. `step` computes the new state.
  void addScan(const std::string &weights,
               llvm::function_ref<std::string()> step);
  /// Gives a value another name.
  void rename(const std::string &value, StringRef result) {
    add("Identity", {value}, result);
  }

  const LayerOperator &op;
  const LayerBody &body;
  Nodes *nodes;
  proto::NodeProto *last = nullptr;
};

} // namespace

std::string BodyBuilder::add(StringRef type, ArrayRef<std::string> operands,
                             const Twine &result) {
  std::string name = result.str();
  last = nodes->Add();
  last->set_op_type(type.str());
  for (const std::string &operand : operands)
    last->add_input(body.translate(operand));
  last->add_output(body.translate(name));
  if (body.layer)
    last->set_name(last->output(0));
  return name;
}

proto::AttributeProto &
BodyBuilder::addAttribute(StringRef name,
                          proto::AttributeProto::AttributeType type) {
  proto::AttributeProto &attribute = *last->add_attribute();
  attribute.set_name(name.str());
  attribute.set_type(type);
  return attribute;
}

void BodyBuilder::copyAttribute(StringRef own, StringRef name,
                                proto::AttributeProto::AttributeType type) {
  proto::AttributeProto &attribute = addAttribute(name, type);
  if (!body.layer) {
    attribute.set_ref_attr_name(own.str());
    return;
  }
  if (const proto::AttributeProto *given = body.layer->getAttribute(own))
    attribute = *given;
  else
    for (const proto::AttributeProto &otherwise : op.getAttributes())
      if (otherwise.name() == own)
        attribute = otherwise;
  attribute.set_name(name.str());
}

std::string BodyBuilder::addInts(ArrayRef<int64_t> values,
                                 const Twine &result) {
  std::string name = add("Constant", {}, result);
  proto::TensorProto &tensor =
      *addAttribute("value", proto::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(proto::TensorProto::INT64);
  tensor.add_dims(static_cast<int64_t>(values.size()));
  tensor.mutable_int64_data()->Assign(values.begin(), values.end());
  return name;
}

std::string BodyBuilder::addScalar(double value, const Twine &result) {
  std::string name = add("Constant", {}, result);
  proto::TensorProto &tensor =
      *addAttribute("value", proto::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(body.dataType);
  if (body.dataType == proto::TensorProto::DOUBLE)
    tensor.add_double_data(value);
  else
    tensor.add_float_data(static_cast<float>(value));
  return name;
}

std::string BodyBuilder::addEpsilon() {
  const proto::AttributeProto *given =
      body.layer ? body.layer->getAttribute("epsilon") : nullptr;
  // Also of a layer that stands in a function.
  bool isReference = !body.layer || (given && !given->ref_attr_name().empty());
  if (!isReference)
    return addScalar(toDecimal(given ? given->f() : kDefaultEpsilon),
                     "epsilon");
  bool isFloat = body.dataType == proto::TensorProto::FLOAT;
  std::string value =
      add("Constant", {}, isFloat ? "epsilon" : "float_epsilon");
  copyAttribute("epsilon", "value_float", proto::AttributeProto::FLOAT);
  if (isFloat)
    return value;
  std::string converted = add("Cast", {value}, "epsilon");
  addInt("to", body.dataType);
  return converted;
}

std::string BodyBuilder::addStrength(const std::string &prefix) {
  if (!op.isDivisive)
    return "";
  std::string strength = add("Exp", {prefix + "alpha"}, prefix + "strength");
  return add("Mul", {prefix + "wei", strength}, prefix + "shunting_weights");
}

std::string BodyBuilder::addDenseLayer(const std::string &x,
                                       const std::string &prefix,
                                       const std::string &strength,
                                       const std::string &epsilon,
                                       bool hasBias) {
  std::string ze = addProduct({x, prefix + "wex"}, prefix + "ze");
  std::string zi = addProduct({x, prefix + "wix"}, prefix + "zi");
  std::string inhibition =
      addProduct({zi, prefix + "wei"}, prefix + "inhibition");
  std::string value = add("Sub", {ze, inhibition}, prefix + "difference");
  if (op.isDivisive) {
    std::string shunting = addProduct({zi, strength}, prefix + "shunting");
    std::string divisor = add("Add", {shunting, epsilon}, prefix + "divisor");
    value = add("Div", {value, divisor}, prefix + "quotient");
    if (op.hasGain)
      value = add("Mul", {value, prefix + "gain"}, prefix + "amplified");
  }
  if (hasBias)
    value = add("Add", {value, prefix + "bias"}, prefix + "biased");
  return value;
}

/// The last node gives the layer's result.
static void renameResult(proto::NodeProto &last, const LayerBody &body,
                         StringRef result) {
  last.set_output(0, body.translate(result));
  if (body.layer)
    last.set_name(last.output(0));
}

void BodyBuilder::buildDense() {
  std::string strength = addStrength("");
  std::string epsilon = op.isDivisive ? addEpsilon() : "";
  addDenseLayer("x", "", strength, epsilon, op.hasBias);
  renameResult(*last, body, "z");
}

std::string BodyBuilder::addWindows(const std::string &x,
                                    const std::string &filters,
                                    const Twine &result) {
  std::string value = add("Conv", {x, filters}, result);
  for (StringRef name : {"strides", "dilations", "pads"})
    copyAttribute(name, name, proto::AttributeProto::INTS);
  return value;
}

/// wei mixes the channels of each pixel: filters of one pixel.
void BodyBuilder::buildConvolution() {
  std::string ze = addWindows("x", "wex", "ze");
  std::string zi = addWindows("x", "wix", "zi");
  std::string pixel = addInts({2, 3}, "pixel_axes");
  std::string mixing = add("Unsqueeze", {"wei", pixel}, "mixing");
  std::string inhibition = add("Conv", {zi, mixing}, "inhibition");
  std::string value = add("Sub", {ze, inhibition}, "difference");
  std::string behind;
  if (op.hasBias || (op.isDivisive && op.hasGain))
    behind = addInts({1, 2}, "channel_axes");
  if (op.isDivisive) {
    std::string weights = addStrength("");
    std::string filters = add("Unsqueeze", {weights, pixel}, "shunting_mixing");
    std::string shunting = add("Conv", {zi, filters}, "shunting");
    std::string epsilon = addEpsilon();
    std::string divisor = add("Add", {shunting, epsilon}, "divisor");
    value = add("Div", {value, divisor}, "quotient");
    if (op.hasGain) {
      std::string gain = add("Unsqueeze", {"gain", behind}, "channel_gain");
      value = add("Mul", {value, gain}, "amplified");
    }
  }
  if (op.hasBias) {
    std::string bias = add("Unsqueeze", {"bias", behind}, "channel_bias");
    add("Add", {value, bias}, "biased");
  }
  renameResult(*last, body, "z");
}

void BodyBuilder::addScan(const std::string &weights,
                          llvm::function_ref<std::string()> step) {
  // [B, units], of the first dimensions of x and of the weights of the state.
  std::string first = addInts({0}, "first");
  std::string batch =
      add("Gather", {add("Shape", {"x"}, "x_shape"), first}, "batch");
  std::string units =
      add("Gather", {add("Shape", {weights}, "weights_shape"), first}, "units");
  std::string size = add("Concat", {batch, units}, "state_shape");
  addInt("axis", 0);
  std::string start;
  if (op.hasInitial) {
    start = add("Expand", {"initial", size}, "start");
  } else {
    start = add("ConstantOfShape", {size}, "start");
    proto::TensorProto &zero =
        *addAttribute("value", proto::AttributeProto::TENSOR).mutable_t();
    zero.set_data_type(body.dataType);
    zero.add_dims(1);
    if (body.dataType == proto::TensorProto::DOUBLE)
      zero.add_double_data(0);
    else
      zero.add_float_data(0);
  }
  add("Scan", {start, "x"}, "last");
  proto::NodeProto &scan = *last;
  scan.add_output(body.translate("states"));
  addInt("num_scan_inputs", 1);
  // The batch comes before the steps.
  for (StringRef axes : {"scan_input_axes", "scan_output_axes"})
    addAttribute(axes, proto::AttributeProto::INTS).add_ints(1);
  proto::GraphProto &graph =
      *addAttribute("body", proto::AttributeProto::GRAPH).mutable_g();
  graph.set_name("step");
  auto describe = [&](proto::ValueInfoProto &info, StringRef name) {
    info.set_name(body.translate(name));
    info.mutable_type()->mutable_tensor_type()->set_elem_type(body.dataType);
  };
  describe(*graph.add_input(), "state");
  describe(*graph.add_input(), "x_step");
  Nodes *outer = std::exchange(nodes, graph.mutable_node());
  std::string next = step();
  rename(next, "next");
  rename(next, "output");
  nodes = outer;
  describe(*graph.add_output(), "next");
  describe(*graph.add_output(), "output");
}

void BodyBuilder::buildEiRecurrent() {
  // What is the same in all steps is computed before them.
  std::string ofInput = addStrength("u_"), ofState = addStrength("w_");
  std::string epsilon = op.isDivisive ? addEpsilon() : "";
  addScan("w_wex", [&] {
    std::string u = addDenseLayer("x_step", "u_", ofInput, epsilon,
                                  /*hasBias=*/true);
    std::string w = addDenseLayer("state", "w_", ofState, epsilon,
                                  /*hasBias=*/false);
    return addRelu(add("Add", {u, w}, "z"), "activity");
  });
}

void BodyBuilder::buildRecurrent() {
  addScan("w", [&] {
    std::string z = addProduct({"x_step", "u", "bias"}, "from_input");
    return addRelu(addProduct({"state", "w", z}, "z"), "activity");
  });
}

void BodyBuilder::buildPolarity() {
  add("Mul", {"magnitude", "polarity"}, "weights");
}

/// 1 for the first columns, -1 for the others.
void BodyBuilder::buildColumnPolarity() {
  std::string shape = add("Shape", {"magnitude"}, "shape");
  std::string one = add("Constant", {}, "one");
  addAttribute("value_int", proto::AttributeProto::INT).set_i(1);
  std::string zero = add("Constant", {}, "zero");
  addAttribute("value_int", proto::AttributeProto::INT).set_i(0);
  std::string count = add("Gather", {shape, one}, "columns");
  std::string column = add("Range", {zero, count, one}, "column");
  std::string excitatory = add("Constant", {}, "excitatory_columns");
  copyAttribute("excitatory", "value_int", proto::AttributeProto::INT);
  std::string excites = add("Less", {column, excitatory}, "excites");
  std::string signs =
      add("Where",
          {excites, addScalar(1, "excitation"), addScalar(-1, "inhibition")},
          "signs");
  add("Mul", {"magnitude", signs}, "weights");
}

void mlir::dann::onnx::buildLayerBody(const LayerOperator &op,
                                      const LayerBody &body) {
  BodyBuilder builder(op, body);
  switch (op.kind) {
  case LayerOperator::Kind::EiDense:
    return builder.buildDense();
  case LayerOperator::Kind::EiConv2d:
    return builder.buildConvolution();
  case LayerOperator::Kind::EiRecurrent:
    return builder.buildEiRecurrent();
  case LayerOperator::Kind::Recurrent:
    return builder.buildRecurrent();
  case LayerOperator::Kind::ApplyPolarity:
    return builder.buildPolarity();
  case LayerOperator::Kind::ApplyColumnPolarity:
    return builder.buildColumnPolarity();
  }
}
