//===- DannLayers.cpp - Layers of dann as ONNX nodes ----------------------===//

#include "frontend/Onnx/DannLayers.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

#include <charconv>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

double mlir::dann::onnx::toDecimal(float value) {
  char text[64];
  char *end = std::to_chars(std::begin(text), std::end(text), value).ptr;
  double decimal = value;
  std::from_chars(std::begin(text), end, decimal);
  return decimal;
}

std::optional<LayerOperator> LayerOperator::parse(StringRef opType) {
  LayerOperator op{};
  auto hasNo = [&](StringRef part) {
    return opType.consume_front(("No" + part).str());
  };
  bool isConvolution = opType.consume_front("EIConv2D");
  if (isConvolution || opType.consume_front("EIDense")) {
    op.kind = isConvolution ? Kind::EiConv2d : Kind::EiDense;
    op.isDivisive = opType.consume_front("Shunting");
    op.hasGain = op.isDivisive && !hasNo("Gain");
    op.hasBias = !hasNo("Bias");
  } else if (opType.consume_front("EIRecurrent")) {
    op.kind = Kind::EiRecurrent;
    op.isDivisive = opType.consume_front("Shunting");
    op.isLinear = opType.consume_front("Linear");
    op.givesLast = opType.consume_front("Last");
    op.hasInitial = !hasNo("Initial");
  } else if (opType.consume_front("Recurrent")) {
    op.kind = Kind::Recurrent;
    op.isLinear = opType.consume_front("Linear");
    op.givesLast = opType.consume_front("Last");
    op.hasInitial = !hasNo("Initial");
  } else if (opType.consume_front("ApplyPolarity")) {
    op.kind = Kind::ApplyPolarity;
  } else if (opType.consume_front("ApplyColumnPolarity")) {
    op.kind = Kind::ApplyColumnPolarity;
  } else {
    return std::nullopt;
  }
  if (!opType.empty())
    return std::nullopt;
  return op;
}

std::vector<LayerOperator> LayerOperator::getAll() {
  std::vector<LayerOperator> all;
  for (Kind kind : {Kind::EiDense, Kind::EiConv2d})
    for (bool hasBias : {true, false}) {
      LayerOperator op{kind};
      op.hasBias = hasBias;
      op.hasGain = false;
      all.push_back(op);
      op.isDivisive = true;
      for (bool hasGain : {true, false}) {
        op.hasGain = hasGain;
        all.push_back(op);
      }
    }
  for (Kind kind : {Kind::EiRecurrent, Kind::Recurrent})
    for (bool isDivisive : {false, true}) {
      if (isDivisive && kind == Kind::Recurrent)
        continue;
      for (bool isLinear : {false, true})
        for (bool givesLast : {false, true})
          for (bool hasInitial : {true, false}) {
            LayerOperator op{kind, isDivisive, isLinear, givesLast};
            op.hasInitial = hasInitial;
            all.push_back(op);
          }
    }
  all.push_back({Kind::ApplyPolarity});
  all.push_back({Kind::ApplyColumnPolarity});
  return all;
}

std::string LayerOperator::getName() const {
  std::string shunting = isDivisive ? "Shunting" : "",
              linear = isLinear ? "Linear" : "", last = givesLast ? "Last" : "",
              initial = hasInitial ? "" : "NoInitial";
  switch (kind) {
  case Kind::EiDense:
  case Kind::EiConv2d:
    return (kind == Kind::EiDense ? "EIDense" : "EIConv2D") + shunting +
           (isDivisive && !hasGain ? "NoGain" : "") + (hasBias ? "" : "NoBias");
  case Kind::EiRecurrent:
    return "EIRecurrent" + shunting + linear + last + initial;
  case Kind::Recurrent:
    return "Recurrent" + linear + last + initial;
  case Kind::ApplyPolarity:
    return "ApplyPolarity";
  case Kind::ApplyColumnPolarity:
    return "ApplyColumnPolarity";
  }
  return "";
}

SmallVector<StringRef, 14> LayerOperator::getInputs() const {
  SmallVector<StringRef, 14> names = {"x"};
  switch (kind) {
  case Kind::EiDense:
  case Kind::EiConv2d:
    names.append({"wex", "wix", "wei"});
    if (isDivisive)
      names.push_back("alpha");
    if (isDivisive && hasGain)
      names.push_back("gain");
    if (hasBias)
      names.push_back("bias");
    break;
  case Kind::EiRecurrent:
    names.append({"u_wex", "u_wix", "u_wei"});
    if (isDivisive)
      names.append({"u_alpha", "u_gain"});
    names.append({"u_bias", "w_wex", "w_wix", "w_wei"});
    if (isDivisive)
      names.append({"w_alpha", "w_gain"});
    break;
  case Kind::Recurrent:
    names.append({"u", "bias", "w"});
    break;
  case Kind::ApplyPolarity:
    return {"magnitude", "polarity"};
  case Kind::ApplyColumnPolarity:
    return {"magnitude"};
  }
  if ((kind == Kind::EiRecurrent || kind == Kind::Recurrent) && hasInitial)
    names.push_back("initial");
  return names;
}

int LayerOperator::getNumRequired() const {
  SmallVector<StringRef, 14> names = getInputs();
  while (names.back() == "gain" || names.back() == "bias" ||
         names.back() == "initial")
    names.pop_back();
  return static_cast<int>(names.size());
}

StringRef LayerOperator::getOutput() const {
  switch (kind) {
  case Kind::EiDense:
  case Kind::EiConv2d:
    return "z";
  case Kind::EiRecurrent:
  case Kind::Recurrent:
    return givesLast ? "last" : "states";
  case Kind::ApplyPolarity:
  case Kind::ApplyColumnPolarity:
    return "weights";
  }
  return "";
}

std::vector<proto::AttributeProto> LayerOperator::getAttributes() const {
  std::vector<proto::AttributeProto> attributes;
  auto add = [&](StringRef name, proto::AttributeProto::AttributeType type)
      -> proto::AttributeProto & {
    attributes.emplace_back();
    attributes.back().set_name(name.str());
    attributes.back().set_type(type);
    return attributes.back();
  };
  auto addInts = [&](StringRef name, ArrayRef<int64_t> values) {
    proto::AttributeProto &attribute = add(name, proto::AttributeProto::INTS);
    attribute.mutable_ints()->Assign(values.begin(), values.end());
  };
  if (isDivisive)
    add("epsilon", proto::AttributeProto::FLOAT).set_f(kDefaultEpsilon);
  if (kind == Kind::EiConv2d) {
    addInts("strides", {1, 1});
    addInts("dilations", {1, 1});
    addInts("pads", {0, 0, 0, 0});
  }
  if (kind == Kind::EiRecurrent || kind == Kind::Recurrent)
    add("checkpoint_every", proto::AttributeProto::INT).set_i(0);
  if (kind == Kind::EiRecurrent)
    for (StringRef name : {"dropconnect_input", "dropconnect"})
      add(name, proto::AttributeProto::FLOAT).set_f(0);
  if (kind == Kind::ApplyColumnPolarity)
    add("excitatory", proto::AttributeProto::INT).set_i(0);
  return attributes;
}

LayerOperator Layer::getOperator() const {
  LayerOperator present = op;
  auto has = [&](StringRef name) { return !getInput(name).empty(); };
  present.hasGain &= !isInput("gain") || has("gain");
  present.hasBias &= !isInput("bias") || has("bias");
  present.hasInitial &= !isInput("initial") || has("initial");
  return present;
}

std::string Layer::getInput(StringRef name) const {
  auto index = static_cast<int>(llvm::find(inputs, name) - inputs.begin());
  return index < node.input_size() ? node.input(index) : "";
}

const proto::AttributeProto *Layer::getAttribute(StringRef name) const {
  for (const proto::AttributeProto &attribute : node.attribute())
    if (attribute.name() == name)
      return &attribute;
  return nullptr;
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

/// Makes a layer one of the operator `op`, which has all inputs that it has.
static void setOperator(proto::NodeProto &node, const LayerOperator &op) {
  Layer layer(node);
  std::vector<std::string> inputs;
  for (StringRef name : op.getInputs())
    inputs.push_back(layer.getInput(name));
  node.mutable_input()->Assign(inputs.begin(), inputs.end());
  node.set_op_type(op.getName());
}

static proto::FunctionProto
buildFunction(const LayerOperator &op, int64_t opsetVersion, int32_t dataType) {
  proto::FunctionProto function;
  function.set_name(op.getName());
  function.set_domain(kDannDomain.str());
  for (StringRef name : op.getInputs())
    function.add_input(name.str());
  function.add_output(op.getOutput().str());
  for (const proto::AttributeProto &attribute : op.getAttributes())
    function.add_attribute(attribute.name());
  proto::OperatorSetIdProto *opset = function.add_opset_import();
  opset->set_domain("");
  opset->set_version(opsetVersion);
  buildLayerBody(op, {*function.mutable_node(), dataType, /*layer=*/nullptr,
                      [](StringRef name) { return name.str(); }});
  return function;
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
      LayerOperator op = Layer(node).getOperator();
      setOperator(node, op);
      if (given.contains(node.op_type()) ||
          !known.insert(node.op_type()).second)
        continue;
      added.push_back(buildFunction(
          op, std::max(kLayerOpset, getVersion(model, "")), dataType));
    }
  });
  // A function refers to attributes, which have no defaults there.
  walk(model, [&](Nodes &nodes) {
    for (proto::NodeProto &node : nodes) {
      if (!Layer::is(node))
        continue;
      for (proto::AttributeProto &attribute :
           Layer(node).getOperator().getAttributes())
        if (!Layer(node).getAttribute(attribute.name()))
          *node.add_attribute() = std::move(attribute);
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
      auto translate = [&](StringRef name) -> std::string {
        if (layer.isOutput(name))
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
      };
      buildLayerBody(layer.getOperator(),
                     {expanded, dataType, &layer, translate});
    }
    nodes = std::move(expanded);
  });
  // The functions go with the nodes, and so does the domain.
  auto *functions = model.mutable_functions();
  functions->erase(std::remove_if(functions->begin(), functions->end(),
                                  [](const proto::FunctionProto &function) {
                                    return function.domain() == kDannDomain &&
                                           LayerOperator::parse(
                                               function.name());
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
