//===- ChangedParameters.cpp - Initializers from changed parameters -------===//
//
// An E/I layer that is found in plain operators has its parameters in its own
// layout, and alpha as logarithm. The model that is exported has its nodes as
// they were written. So nodes in front of them turn parameters into the
// initializers of the file.
//
//===----------------------------------------------------------------------===//

#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/OnnxExport.h"

#include "Utils/FloatElements.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

/// How an initializer follows from the parameter, step by step.
struct Change {
  bool isExponential = false; // e^
  std::string factor;         // times this other parameter, if any
  bool isTransposed = false;
  bool isReshaped = false; // to the file's shape
};

/// A parameter as the module has it now.
struct Current {
  RankedTensorType type;
  Role role;
  ElementsAttr initial;
  std::string wei; // of an alpha, that of its layer
};

} // namespace

/// Whether old[i] is about `value(i)`, with i in the same order, and in that of
/// the transpose of a matrix of `shape`.
static std::pair<bool, bool>
compare(const FloatElements &old, ArrayRef<int64_t> shape, double tolerance,
        llvm::function_ref<double(int64_t)> value) {
  bool inOrder = true;
  bool transposed = shape.size() == 2 && shape[0] > 1 && shape[1] > 1;
  auto isNear = [&](double a, double b) {
    return std::abs(a - b) <= tolerance * std::abs(a) || (a != a && b != b);
  };
  for (int64_t i = 0; i < old.size() && (inOrder || transposed); ++i) {
    double now = value(i);
    inOrder = inOrder && isNear(old[i], now);
    transposed =
        transposed && isNear(old[i % shape[1] * shape[0] + i / shape[1]], now);
  }
  return {inOrder, transposed};
}

/// Which of both orders it is; none if that cannot be told.
static std::optional<bool> chooseTransposed(std::pair<bool, bool> orders,
                                            ArrayRef<int64_t> from,
                                            ArrayRef<int64_t> to) {
  if (!orders.first || !orders.second)
    return orders.second;
  // Shapes without extents of 1 tell it, unless they are square.
  SmallVector<int64_t> old;
  llvm::copy_if(from, std::back_inserter(old), [](int64_t i) { return i > 1; });
  if (old.size() != 2 || to[0] == to[1])
    return std::nullopt;
  return old[0] == to[1];
}

static std::optional<Change> findChange(const OnnxParameter &before,
                                        const Current &now,
                                        const llvm::StringMap<Current> &all) {
  Change change;
  ArrayRef<int64_t> shape = now.type.getShape();
  bool isSame = before.type == now.type && before.initial == now.initial;
  if (isSame && before.role == now.role)
    return change;
  std::optional<FloatElements> old = FloatElements::of(before.initial);
  std::optional<FloatElements> value = FloatElements::of(now.initial);
  if (!old || !value)
    return std::nullopt;
  auto finish = [&](std::pair<bool, bool> orders,
                    ArrayRef<int64_t> result) -> std::optional<Change> {
    std::optional<bool> isTransposed =
        chooseTransposed(orders, before.type.getShape(), result);
    if (!isTransposed)
      return std::nullopt;
    change.isTransposed = *isTransposed;
    ArrayRef<int64_t> shape = before.type.getShape();
    if (change.isTransposed)
      change.isReshaped = shape != ArrayRef<int64_t>({result[1], result[0]});
    else
      change.isReshaped = shape != result;
    return change;
  };
  if (old->size() == value->size()) {
    auto orders =
        compare(*old, shape, 0, [&](int64_t i) { return (*value)[i]; });
    if (orders.first || orders.second)
      return finish(orders, shape);
  }
  if (now.role != Role::Alpha || shape.size() != 1)
    return std::nullopt;
  // Rounded twice.
  double tolerance = now.type.getElementType().isF32() ? 1e-4 : 1e-10;
  change.isExponential = true;
  if (old->size() == value->size()) {
    auto orders = compare(*old, shape, tolerance,
                          [&](int64_t i) { return std::exp((*value)[i]); });
    if (orders.first)
      return finish(orders, shape);
  }
  auto found = all.find(now.wei);
  if (found == all.end())
    return std::nullopt;
  std::optional<FloatElements> wei = FloatElements::of(found->second.initial);
  ArrayRef<int64_t> weiShape = found->second.type.getShape();
  if (!wei || weiShape.size() != 2 || weiShape[1] != shape[0] ||
      old->size() != wei->size())
    return std::nullopt;
  change.factor = now.wei;
  auto orders = compare(*old, weiShape, tolerance, [&](int64_t i) {
    return (*wei)[i] * std::exp((*value)[i % weiShape[1]]);
  });
  if (!orders.first && !orders.second)
    return std::nullopt;
  return finish(orders, weiShape);
}

/// Replaces a name in all places of a graph where a value is used.
static void renameUses(proto::GraphProto &graph, StringRef from,
                       const std::string &to) {
  for (proto::NodeProto &node : *graph.mutable_node()) {
    for (std::string &input : *node.mutable_input())
      if (input == from)
        input = to;
    for (proto::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        renameUses(*attribute.mutable_g(), from, to);
      for (proto::GraphProto &nested : *attribute.mutable_graphs())
        renameUses(nested, from, to);
    }
  }
  for (proto::ValueInfoProto &info : *graph.mutable_value_info())
    if (info.name() == from)
      info.set_name(to);
}

static void collectNames(const proto::GraphProto &graph,
                         llvm::StringSet<> &names) {
  for (const proto::NodeProto &node : graph.node()) {
    names.insert(node.input().begin(), node.input().end());
    names.insert(node.output().begin(), node.output().end());
    for (const proto::AttributeProto &attribute : node.attribute()) {
      if (attribute.has_g())
        collectNames(attribute.g(), names);
      for (const proto::GraphProto &nested : attribute.graphs())
        collectNames(nested, names);
    }
  }
}

namespace {
/// Adds the nodes for changed parameters to a graph.
class Adapter {
public:
  Adapter(proto::GraphProto &graph) : graph(graph) {
    collectNames(graph, taken);
    for (const proto::TensorProto &tensor : graph.initializer())
      taken.insert(tensor.name());
  }

  void add(const OnnxParameter &before, const Current &now,
           const Change &change);
  /// The nodes come first.
  void finish() {
    nodes.MergeFrom(graph.node());
    *graph.mutable_node() = std::move(nodes);
  }

private:
  /// Adds a node of the parameter and makes its result the present value.
  proto::NodeProto &append(StringRef type, const std::string &parameter,
                           ArrayRef<std::string> operands) {
    proto::NodeProto &node = *nodes.Add();
    node.set_op_type(type.str());
    for (const std::string &operand : operands)
      node.add_input(operand);
    value = parameter + "." + type.lower();
    while (!taken.insert(value).second)
      value += "_";
    node.set_name(value);
    node.add_output(value);
    return node;
  }

  proto::GraphProto &graph;
  google::protobuf::RepeatedPtrField<proto::NodeProto> nodes;
  llvm::StringSet<> taken;
  std::string value;
};
} // namespace

void Adapter::add(const OnnxParameter &before, const Current &now,
                  const Change &change) {
  value = before.name;
  if (change.isExponential)
    append("Exp", before.name, {value});
  if (!change.factor.empty())
    append("Mul", before.name, {change.factor, value});
  if (change.isTransposed) {
    proto::AttributeProto &permutation =
        *append("Transpose", before.name, {value}).add_attribute();
    permutation.set_name("perm");
    permutation.set_type(proto::AttributeProto::INTS);
    permutation.add_ints(1);
    permutation.add_ints(0);
  }
  if (change.isReshaped) {
    std::string from = value;
    proto::AttributeProto &constant =
        *append("Constant", before.name, {}).add_attribute();
    constant.set_name("value");
    constant.set_type(proto::AttributeProto::TENSOR);
    proto::TensorProto &shape = *constant.mutable_t();
    shape.set_data_type(proto::TensorProto::INT64);
    shape.add_dims(before.type.getRank());
    for (int64_t extent : before.type.getShape())
      shape.add_int64_data(extent);
    append("Reshape", before.name, {from, value});
  }
  if (value == before.name)
    return;
  renameUses(graph, before.name, value);
  // Old models list initializers among the inputs.
  for (proto::ValueInfoProto &input : *graph.mutable_input())
    if (input.name() == before.name) {
      auto *shape =
          input.mutable_type()->mutable_tensor_type()->mutable_shape();
      shape->clear_dim();
      for (int64_t extent : now.type.getShape())
        shape->add_dim()->set_dim_value(extent);
    }
}

void mlir::dann::adaptToParameters(OnnxModels &models, ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  if (!forward || !models.obstacle.empty())
    return;
  llvm::StringMap<Current> all;
  auto getName = [&](Value value) -> std::string {
    auto argument = dyn_cast_or_null<BlockArgument>(value);
    if (!argument || argument.getOwner() != &forward.getBody().front())
      return "";
    auto name = forward.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                     DannDialect::kNameAttr);
    return name ? name.str() : "";
  };
  for (auto [i, argument] : llvm::enumerate(forward.getArguments()))
    if (auto role =
            forward.getArgAttrOfType<RoleAttr>(i, DannDialect::kRoleAttr))
      all[getName(argument)] = {
          cast<RankedTensorType>(argument.getType()), role.getValue(),
          forward.getArgAttrOfType<ElementsAttr>(i, DannDialect::kInitialAttr),
          ""};
  forward.walk([&](EILayerOpInterface layer) {
    auto getOperand = [&](Role role) {
      for (OpOperand &operand : layer->getOpOperands())
        if (layer.getOperandRole(operand.getOperandNumber()) == role)
          return operand.get();
      return Value();
    };
    if (auto found = all.find(getName(getOperand(Role::Alpha)));
        found != all.end())
      found->second.wei = getName(getOperand(Role::Wei));
  });

  SmallVector<std::pair<OnnxParameter *, Change>> changes;
  for (OnnxParameter &parameter : models.parameters) {
    auto found = all.find(parameter.name);
    if (found == all.end())
      continue; // said when the program is described
    std::optional<Change> change = findChange(parameter, found->second, all);
    if (!change) {
      models.obstacle = "what the compiler did to the parameter " +
                        parameter.name + " cannot be undone";
      return;
    }
    if (change->isExponential || change->isTransposed || change->isReshaped)
      changes.emplace_back(&parameter, *change);
  }
  if (changes.empty())
    return;
  auto adapt = [&](OnnxModel &model) {
    proto::GraphProto graph;
    graph.ParseFromString(model.graph); // our own bytes
    Adapter adapter(graph);
    for (auto &[parameter, change] : changes)
      adapter.add(*parameter, all[parameter->name], change);
    adapter.finish();
    model.graph = graph.SerializeAsString();
  };
  adapt(models.layers);
  if (models.plain)
    adapt(*models.plain);
  for (auto &[parameter, change] : changes)
    parameter->type = all[parameter->name].type;
}
