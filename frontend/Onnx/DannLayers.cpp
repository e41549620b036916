//===- DannLayers.cpp - E/I layers as ONNX nodes --------------------------===//

#include "frontend/Onnx/DannLayers.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

#include <charconv>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

// The output of a layer.
static constexpr llvm::StringLiteral kResult = "z";

using Nodes = google::protobuf::RepeatedPtrField<proto::NodeProto>;

double mlir::dann::onnx::toDecimal(float value) {
  char text[64];
  char *end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  double decimal = value;
  std::from_chars(std::begin(text), end, decimal);
  return decimal;
}

SmallVector<StringRef> mlir::dann::onnx::getLayerInputs(StringRef opType) {
  if (!opType.consume_front("EIDense"))
    return {};
  SmallVector<StringRef> names = {"x", "wex", "wix", "wei"};
  if (opType.consume_front("Shunting")) {
    names.push_back("alpha");
    if (!opType.consume_front("NoGain"))
      names.push_back("gain");
  }
  if (!opType.consume_front("NoBias"))
    names.push_back("bias");
  if (!opType.empty())
    names.clear();
  return names;
}

namespace {

/// A layer that a node stands for.
class Layer {
public:
  Layer(const proto::NodeProto &node)
      : node(node), inputs(getLayerInputs(node.op_type())) {}

  static bool is(const proto::NodeProto &node) {
    return node.domain() == kDannDomain &&
           !getLayerInputs(node.op_type()).empty();
  }

  /// The name of an input of the node; empty if it is left out.
  std::string getInput(StringRef name) const {
    auto index = llvm::find(inputs, name) - inputs.begin();
    return index < node.input_size() ? node.input(index) : "";
  }
  bool has(StringRef name) const { return !getInput(name).empty(); }
  bool isInput(StringRef name) const {
    return llvm::is_contained(inputs, name);
  }

  /// Null if it is not given.
  const proto::AttributeProto *getEpsilon() const {
    for (const proto::AttributeProto &attribute : node.attribute())
      if (attribute.name() == "epsilon")
        return &attribute;
    return nullptr;
  }

  /// The operator for the inputs that the node has.
  std::string getOpType() const {
    return (Twine(isInput("alpha") ? "EIDenseShunting" : "EIDense") +
            (isInput("alpha") && !has("gain") ? "NoGain" : "") +
            (has("bias") ? "" : "NoBias"))
        .str();
  }

  /// Appends the nodes that compute the layer. `translate` gives the names of
  /// its values in their place. `isFunction` tells whether that is a function,
  /// to which epsilon is an attribute.
  void build(Nodes &nodes, int32_t dataType, bool isFunction,
             llvm::function_ref<std::string(StringRef)> translate) const;

private:
  const proto::NodeProto &node;
  SmallVector<StringRef> inputs;
};

} // namespace

void Layer::build(Nodes &nodes, int32_t dataType, bool isFunction,
                  llvm::function_ref<std::string(StringRef)> translate) const {
  proto::NodeProto *last = nullptr;
  auto add = [&](StringRef type, ArrayRef<StringRef> operands,
                 StringRef result) {
    last = nodes.Add();
    last->set_op_type(type.str());
    for (StringRef operand : operands)
      last->add_input(translate(operand));
    last->add_output(translate(result));
    if (!isFunction)
      last->set_name(last->output(0));
    return result;
  };
  auto addAttribute = [&](StringRef name,
                          proto::AttributeProto::AttributeType type) {
    proto::AttributeProto *attribute = last->add_attribute();
    attribute->set_name(name.str());
    attribute->set_type(type);
    return attribute;
  };
  // a . b^T
  auto multiply = [&](StringRef a, StringRef b, StringRef result) {
    add("Gemm", {a, b}, result);
    addAttribute("transB", proto::AttributeProto::INT)->set_i(1);
    return result;
  };

  multiply("x", "wex", "ze");
  multiply("x", "wix", "zi");
  multiply("zi", "wei", "inhibition");
  StringRef value = add("Sub", {"ze", "inhibition"}, "difference");
  if (has("alpha")) {
    add("Exp", {"alpha"}, "strength");
    add("Mul", {"wei", "strength"}, "shunting_weights");
    multiply("zi", "shunting_weights", "shunting");
    const proto::AttributeProto *given = getEpsilon();
    std::string reference;
    if (isFunction)
      reference = "epsilon";
    else if (given)
      reference = given->ref_attr_name(); // the layer stands in a function
    if (!reference.empty()) {
      bool isFloat = dataType == proto::TensorProto::FLOAT;
      add("Constant", {}, isFloat ? "epsilon" : "float_epsilon");
      addAttribute("value_float", proto::AttributeProto::FLOAT)
          ->set_ref_attr_name(reference);
      if (!isFloat) {
        add("Cast", {"float_epsilon"}, "epsilon");
        addAttribute("to", proto::AttributeProto::INT)->set_i(dataType);
      }
    } else {
      float epsilon = given ? given->f() : kDefaultEpsilon;
      add("Constant", {}, "epsilon");
      proto::TensorProto *tensor =
          addAttribute("value", proto::AttributeProto::TENSOR)->mutable_t();
      tensor->set_data_type(dataType);
      if (dataType == proto::TensorProto::DOUBLE)
        tensor->add_double_data(toDecimal(epsilon));
      else
        tensor->add_float_data(epsilon);
    }
    add("Add", {"shunting", "epsilon"}, "divisor");
    value = add("Div", {value, "divisor"}, "quotient");
  }
  if (has("gain"))
    value = add("Mul", {value, "gain"}, "amplified");
  if (has("bias"))
    add("Add", {value, "bias"}, "biased");
  last->set_output(0, translate(kResult));
  if (!isFunction)
    last->set_name(last->output(0));
}

/// Calls `visit` on the lists of nodes of the model: that of its graph, those
/// of graphs in attributes, and those of functions.
static void walk(Nodes &nodes, llvm::function_ref<void(Nodes &)> visit) {
  visit(nodes);
  for (proto::NodeProto &node : nodes)
    for (proto::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        walk(*attribute.mutable_g()->mutable_node(), visit);
      for (proto::GraphProto &graph : *attribute.mutable_graphs())
        walk(*graph.mutable_node(), visit);
    }
}
static void walk(proto::ModelProto &model,
                 llvm::function_ref<void(Nodes &)> visit) {
  walk(*model.mutable_graph()->mutable_node(), visit);
  for (proto::FunctionProto &function : *model.mutable_functions())
    walk(*function.mutable_node(), visit);
}

bool mlir::dann::onnx::hasLayers(const proto::ModelProto &model) {
  bool found = false;
  // Nothing is written.
  walk(const_cast<proto::ModelProto &>(model),
       [&](Nodes &nodes) { found |= llvm::any_of(nodes, Layer::is); });
  return found;
}

static int64_t getVersion(const proto::ModelProto &model, StringRef domain) {
  for (const proto::OperatorSetIdProto &opset : model.opset_import())
    if (opset.domain() == domain)
      return opset.version();
  return 0;
}

/// Makes a layer one of the operator `opType`, which has all inputs that it
/// has.
static void setOpType(proto::NodeProto &node, const std::string &opType) {
  Layer layer(node);
  std::vector<std::string> inputs;
  for (StringRef name : getLayerInputs(opType))
    inputs.push_back(layer.getInput(name));
  node.mutable_input()->Assign(inputs.begin(), inputs.end());
  node.set_op_type(opType);
}

void mlir::dann::onnx::addLayerFunctions(proto::ModelProto &model,
                                         int32_t dataType) {
  llvm::StringSet<> given, known;
  for (const proto::FunctionProto &function : model.functions())
    if (function.domain() == kDannDomain)
      given.insert(function.name());
  std::vector<proto::FunctionProto> added;
  walk(model, [&](Nodes &nodes) {
    for (proto::NodeProto &node : nodes) {
      if (!Layer::is(node) || given.contains(node.op_type()))
        continue;
      setOpType(node, Layer(node).getOpType());
      if (given.contains(node.op_type()) ||
          !known.insert(node.op_type()).second)
        continue;
      Layer layer(node);
      proto::FunctionProto function;
      function.set_name(node.op_type());
      function.set_domain(kDannDomain.str());
      for (StringRef name : getLayerInputs(node.op_type()))
        function.add_input(name.str());
      function.add_output(kResult.str());
      if (layer.has("alpha"))
        function.add_attribute("epsilon");
      proto::OperatorSetIdProto *opset = function.add_opset_import();
      opset->set_domain("");
      opset->set_version(std::max(kLayerOpset, getVersion(model, "")));
      layer.build(*function.mutable_node(), dataType, /*isFunction=*/true,
                  [](StringRef name) { return name.str(); });
      added.push_back(std::move(function));
    }
  });
  // A function refers to the attribute, which has no default there.
  walk(model, [&](Nodes &nodes) {
    for (proto::NodeProto &node : nodes) {
      if (!Layer::is(node) || !Layer(node).has("alpha") ||
          Layer(node).getEpsilon())
        continue;
      proto::AttributeProto *epsilon = node.add_attribute();
      epsilon->set_name("epsilon");
      epsilon->set_type(proto::AttributeProto::FLOAT);
      epsilon->set_f(kDefaultEpsilon);
    }
  });
  if (added.empty())
    return;
  for (proto::FunctionProto &function : added)
    *model.add_functions() = std::move(function);
  model.set_ir_version(std::max<int64_t>(model.ir_version(), 8));
}

void mlir::dann::onnx::expandLayers(proto::ModelProto &model,
                                    int32_t dataType) {
  llvm::StringSet<> taken;
  auto takeAll = [&](const auto &values) {
    for (const auto &value : values)
      taken.insert(value.name());
  };
  takeAll(model.graph().input());
  takeAll(model.graph().initializer());
  walk(model, [&](Nodes &nodes) {
    for (const proto::NodeProto &node : nodes) {
      taken.insert(node.input().begin(), node.input().end());
      taken.insert(node.output().begin(), node.output().end());
    }
  });
  walk(model, [&](Nodes &nodes) {
    Nodes expanded;
    for (proto::NodeProto &node : nodes) {
      if (!Layer::is(node)) {
        *expanded.Add() = std::move(node);
        continue;
      }
      Layer layer(node);
      const std::string &prefix =
          node.name().empty() ? node.output(0) : node.name();
      llvm::StringMap<std::string> names;
      layer.build(expanded, dataType, /*isFunction=*/false,
                  [&](StringRef name) -> std::string {
                    if (name == kResult)
                      return node.output(0);
                    if (layer.isInput(name))
                      return layer.getInput(name);
                    std::string &place = names[name];
                    if (place.empty()) {
                      place = (Twine(prefix) + "." + name).str();
                      while (!taken.insert(place).second)
                        place += "_";
                    }
                    return place;
                  });
    }
    nodes = std::move(expanded);
  });
  // The functions go with the nodes, and so does the domain.
  auto *functions = model.mutable_functions();
  functions->erase(
      std::remove_if(functions->begin(), functions->end(),
                     [](const proto::FunctionProto &function) {
                       return function.domain() == kDannDomain &&
                              !getLayerInputs(function.name()).empty();
                     }),
      functions->end());
  bool isUsed = false;
  walk(model, [&](Nodes &nodes) {
    isUsed |= llvm::any_of(nodes, [](const proto::NodeProto &node) {
      return node.domain() == kDannDomain;
    });
  });
  if (isUsed)
    return;
  auto *opsets = model.mutable_opset_import();
  opsets->erase(std::remove_if(opsets->begin(), opsets->end(),
                               [](const proto::OperatorSetIdProto &opset) {
                                 return opset.domain() == kDannDomain;
                               }),
                opsets->end());
}
