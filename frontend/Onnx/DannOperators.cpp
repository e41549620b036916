//===- DannOperators.cpp - The operators of the domain ai.dann ------------===//

#include "frontend/Layers/Recurrence.h"
#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/ParameterValues.h"
#include "frontend/Onnx/Window.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

/// An extent that an input has to have, and what it is called; without a value
/// any known one will do.
struct Extent {
  StringRef name;
  std::optional<int64_t> value;
};

LogicalResult checkShape(Node &node, StringRef name, Tensor tensor,
                         ArrayRef<Extent> extents) {
  bool isRight =
      tensor.getRank() == static_cast<int64_t>(extents.size()) &&
      llvm::all_of(llvm::zip(tensor.getShape(), extents), [](const auto &pair) {
        auto [own, extent] = pair;
        return own == extent.value.value_or(own) && own >= 1;
      });
  if (isRight)
    return success();
  InFlightDiagnostic error = node.emitError()
                             << name << " is " << tensor.getType()
                             << "; it has to be [";
  llvm::interleaveComma(extents, error, [&](const Extent &extent) {
    error << extent.name;
    if (extent.value)
      error << " = " << *extent.value;
  });
  return error << "]"
               << (tensor.getRank() ? ", with extents of 1 or more" : "");
}

/// A parameter of a layer gets its role and its sign contract, which its
/// initial value has to keep.
LogicalResult describeParameter(Node &node, Value operand,
                                std::optional<Role> role, Sign sign) {
  auto argument = dyn_cast<BlockArgument>(operand);
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
               : func::FuncOp();
  if (!role || !function)
    return success();
  unsigned index = argument.getArgNumber();
  auto initial =
      function.getArgAttrOfType<ElementsAttr>(index, DannDialect::kInitialAttr);
  if (!initial)
    return success(); // an input
  if (std::optional<std::string> violation = findViolation(initial, sign))
    return node.emitError()
           << "the parameter "
           << function.getArgAttrOfType<StringAttr>(index,
                                                    DannDialect::kNameAttr)
           << " has the value " << *violation
           << ", but Dale's law demands values that are not negative";
  // Of layers that share a parameter it serves the first.
  if (argument.hasOneUse())
    function.setArgAttr(index, DannDialect::kRoleAttr,
                        RoleAttr::get(node.getContext(), *role));
  if (sign != Sign::Any)
    function.setArgAttr(index, DannDialect::kSignAttr,
                        SignAttr::get(node.getContext(), sign));
  return success();
}

/// Inputs of the model that a layer reads are not negative: their range says
/// so, or else a sign contract.
void demandNonnegative(Value x) {
  while (isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp>(
      x.getDefiningOp()))
    x = x.getDefiningOp()->getOperand(0);
  auto argument = dyn_cast<BlockArgument>(x);
  auto function =
      argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
               : func::FuncOp();
  if (!function)
    return;
  unsigned index = argument.getArgNumber();
  if (!function.getArgAttr(index, DannDialect::kRangeAttr) &&
      !function.getArgAttr(index, DannDialect::kRoleAttr))
    function.setArgAttr(index, DannDialect::kSignAttr,
                        SignAttr::get(function.getContext(), Sign::Nonneg));
}

/// The inputs of a layer by their names in its operator.
class LayerInputs {
public:
  explicit LayerInputs(Node &node)
      : node(node), op(*LayerOperator::parse(node.getOpType())) {}

  const LayerOperator &getOperator() const { return op; }

  /// No value if it is left out.
  Tensor get(StringRef name) const {
    auto inputs = op.getInputs();
    auto *it = llvm::find(inputs, name);
    return it == inputs.end() ? Tensor() : node.getInput(it - inputs.begin());
  }

  LogicalResult check(StringRef name, ArrayRef<Extent> extents) const {
    Tensor tensor = get(name);
    return tensor ? checkShape(node, name, tensor, extents) : success();
  }

  /// Whether all are floats of one type, and `x` has a rank and a known number
  /// of features in dimension `features`.
  LogicalResult checkTypes(int64_t rank, int64_t features) const {
    Tensor x = get("x");
    if (failed(node.requireFloat(x)) ||
        failed(node.requireSameType(node.getInputs())) ||
        failed(node.requireRank(x, rank)))
      return failure();
    if (ShapedType::isDynamic(x.getDim(features)) || x.getDim(features) < 1)
      return node.emitError() << "x is " << x.getType()
                              << "; the number of its features has to be known";
    return success();
  }

  /// The shapes of the parameters of an E/I layer, whose names begin with
  /// `prefix` and whose filters have the extents `inputs`.
  LogicalResult checkLayer(StringRef prefix, ArrayRef<Extent> inputs,
                           std::optional<int64_t> units = {}) const;

  FailureOr<double> getEpsilon() const {
    float epsilon = node.getFloat("epsilon", kDefaultEpsilon);
    if (!std::isfinite(epsilon) || epsilon < 0)
      return node.emitError() << "epsilon is " << static_cast<double>(epsilon)
                              << "; it has to be finite and not negative";
    return toDecimal(epsilon);
  }

private:
  Node &node;
  LayerOperator op;
};

LogicalResult LayerInputs::checkLayer(StringRef prefix, ArrayRef<Extent> inputs,
                                      std::optional<int64_t> units) const {
  auto named = [&](StringRef role) { return (prefix + role).str(); };
  auto with = [&](Extent first) {
    SmallVector<Extent> extents = {first};
    llvm::append_range(extents, inputs);
    return extents;
  };
  if (failed(check(named("wex"), with({"ne", units}))) ||
      failed(check(named("wix"), with({"ni", {}}))))
    return failure();
  int64_t ne = get(named("wex")).getDim(0), ni = get(named("wix")).getDim(0);
  return failure(failed(check(named("wei"), {{"ne", ne}, {"ni", ni}})) ||
                 failed(check(named("alpha"), {{"ni", ni}})) ||
                 failed(check(named("gain"), {{"ne", ne}})) ||
                 failed(check(named("bias"), {{"ne", ne}})));
}

/// Gives the parameters and the input of a layer that was built what Dale's
/// law demands of them.
LogicalResult describeLayer(Node &node, EILayerOpInterface layer) {
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    if (failed(describeParameter(node, operand.get(),
                                 layer.getOperandRole(index),
                                 layer.getRequiredSign(index))))
      return failure();
  }
  demandNonnegative(layer->getOperand(0));
  return success();
}

LogicalResult importEiDense(Node &node) {
  LayerInputs inputs(node);
  if (failed(inputs.checkTypes(2, 1)))
    return failure();
  Tensor x = inputs.get("x");
  FailureOr<double> epsilon = inputs.getEpsilon();
  if (failed(inputs.checkLayer("", {{"d", x.getDim(1)}})) || failed(epsilon))
    return failure();
  auto type = RankedTensorType::get({x.getDim(0), inputs.get("wex").getDim(0)},
                                    x.getElementType());
  auto layer = EiDenseOp::create(
      node.b(), type, x.value, inputs.get("wex").value, inputs.get("wix").value,
      inputs.get("wei").value, inputs.get("alpha").value,
      inputs.get("gain").value, inputs.get("bias").value, APFloat(*epsilon));
  if (failed(describeLayer(node, layer)))
    return failure();
  node.setOutput(0, {layer, x.dataType});
  return success();
}

LogicalResult importEiConv2d(Node &node) {
  LayerInputs inputs(node);
  if (failed(inputs.checkTypes(4, 1)))
    return failure();
  Tensor x = inputs.get("x"), wex = inputs.get("wex");
  FailureOr<double> epsilon = inputs.getEpsilon();
  if (failed(epsilon) || failed(node.requireRank(wex, 4)) ||
      failed(inputs.checkLayer("", {{"channels", x.getDim(1)},
                                    {"rows", wex.getDim(2)},
                                    {"columns", wex.getDim(3)}})))
    return failure();
  for (StringRef name : {"auto_pad", "ceil_mode", "group"})
    if (node.hasAttribute(name))
      return node.emitError() << "has no attribute '" << name << "'";
  FailureOr<Window> window = getWindow(node, x, wex.getShape().drop_front(2));
  if (failed(window))
    return failure();
  SmallVector<int64_t> shape = {x.getDim(0), wex.getDim(0)}, padding;
  llvm::append_range(shape, window->output);
  llvm::append_range(padding, window->low);
  llvm::append_range(padding, window->high);
  if (failed(node.checkSize(shape)))
    return failure();
  auto layer = EiConv2dOp::create(
      node.b(), RankedTensorType::get(shape, x.getElementType()), x.value,
      wex.value, inputs.get("wix").value, inputs.get("wei").value,
      inputs.get("alpha").value, inputs.get("gain").value,
      inputs.get("bias").value, window->strides, window->dilations, padding,
      APFloat(*epsilon));
  if (failed(describeLayer(node, layer)))
    return failure();
  node.setOutput(0, {layer, x.dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// Recurrence
//===----------------------------------------------------------------------===//

/// Builds what model files build for a layer with a state. `step` builds a step
/// from the parameters, which are the inputs but x and the initial state.
LogicalResult
importRecurrence(Node &node, const LayerInputs &inputs, int64_t units,
                 llvm::function_ref<Value(ForwardBuilder &, const Recurrence &,
                                          Value, ValueRange)>
                     build) {
  Tensor x = inputs.get("x"), initial = inputs.get("initial");
  if (ShapedType::isDynamic(x.getDim(1)) || x.getDim(1) < 1)
    return node.emitError() << "x is " << x.getType()
                            << "; the number of its steps has to be known";
  if (initial && failed(inputs.check("initial", {{"units", units}})))
    return failure();
  Recurrence recurrence;
  recurrence.steps = x.getDim(1);
  recurrence.inputs = x.getDim(2);
  recurrence.units = units;
  recurrence.hasInitialState = static_cast<bool>(initial);
  recurrence.givesAllStates = !inputs.getOperator().givesLast;
  recurrence.checkpointEvery = node.getInt("checkpoint_every", 0);
  if (recurrence.checkpointEvery < 0)
    return node.emitError()
           << "checkpoint_every is " << recurrence.checkpointEvery
           << "; it has to be 0 or more";
  if (failed(node.checkSize({x.getDim(0), recurrence.steps, units})))
    return failure();
  SmallVector<Value> parameters;
  for (StringRef name : inputs.getOperator().getInputs())
    if (name != "x" && name != "initial")
      parameters.push_back(inputs.get(name).value);
  SmallVector<Value> taken;
  if (initial)
    taken.push_back(initial.value);
  ForwardBuilder builder(node.b(), cast<FloatType>(x.getElementType()), taken,
                         /*splitsBiases=*/false);
  builder.startLayer(node.getLoc());
  Value states = build(builder, recurrence, x.value, parameters);
  node.setOutput(0, {states, x.dataType});
  return success();
}

::dann::model::Activation getActivation(const LayerOperator &op) {
  return op.isLinear ? ::dann::model::IDENTITY : ::dann::model::RELU;
}

LogicalResult importEiRecurrent(Node &node) {
  LayerInputs inputs(node);
  if (failed(inputs.checkTypes(3, 2)))
    return failure();
  const LayerOperator &op = inputs.getOperator();
  Tensor x = inputs.get("x");
  FailureOr<double> epsilon = inputs.getEpsilon();
  if (failed(epsilon) || failed(inputs.checkLayer("u_", {{"d", x.getDim(2)}})))
    return failure();
  int64_t units = inputs.get("u_wex").getDim(0);
  if (failed(inputs.checkLayer("w_", {{"ne", units}}, units)))
    return failure();
  SmallVector<double, 2> rates;
  for (StringRef name : {"dropconnect_input", "dropconnect"}) {
    rates.push_back(toDecimal(node.getFloat(name, 0)));
    if (!(rates.back() >= 0 && rates.back() < 1))
      return node.emitError() << name << " is " << rates.back()
                              << "; it has to be from 0 to less than 1";
  }
  if (failed(importRecurrence(
          node, inputs, units,
          [&](ForwardBuilder &b, const Recurrence &recurrence, Value x,
              ValueRange parameters) {
            return recurrence.buildEi(b, x, parameters, op.isDivisive,
                                      APFloat(*epsilon), getActivation(op),
                                      rates[0], rates[1]);
          })))
    return failure();
  for (StringRef name : op.getInputs()) {
    if (!inputs.get(name)) // the initial state may be left out
      continue;
    StringRef role = name == "initial" ? name : name.drop_front(2);
    std::optional<Role> known = llvm::StringSwitch<std::optional<Role>>(role)
                                    .Case("wex", Role::Wex)
                                    .Case("wix", Role::Wix)
                                    .Case("wei", Role::Wei)
                                    .Case("alpha", Role::Alpha)
                                    .Case("gain", Role::Gain)
                                    .Case("bias", Role::Bias)
                                    .Case("initial", Role::Initial)
                                    .Default(std::nullopt);
    bool isFree = known == Role::Alpha || known == Role::Bias;
    if (known && failed(describeParameter(node, inputs.get(name).value, known,
                                          isFree ? Sign::Any : Sign::Nonneg)))
      return failure();
  }
  demandNonnegative(x.value);
  return success();
}

LogicalResult importRecurrent(Node &node) {
  LayerInputs inputs(node);
  if (failed(inputs.checkTypes(3, 2)))
    return failure();
  Tensor x = inputs.get("x");
  if (failed(inputs.check("u", {{"units", {}}, {"d", x.getDim(2)}})))
    return failure();
  int64_t units = inputs.get("u").getDim(0);
  if (failed(inputs.check("bias", {{"units", units}})) ||
      failed(inputs.check("w", {{"units", units}, {"units", units}})))
    return failure();
  return importRecurrence(node, inputs, units,
                          [&](ForwardBuilder &b, const Recurrence &recurrence,
                              Value x, ValueRange parameters) {
                            return recurrence.buildStandard(
                                b, x, parameters,
                                getActivation(inputs.getOperator()));
                          });
}

//===----------------------------------------------------------------------===//
// Polarity
//===----------------------------------------------------------------------===//

LogicalResult importPolarity(Node &node) {
  bool isByColumn = node.getOpType() == "ApplyColumnPolarity";
  Tensor magnitude = node.getInput(0), polarity = node.getInput(1);
  if (failed(node.requireFloat(magnitude)) ||
      failed(node.requireSameType(node.getInputs())))
    return failure();
  if (!magnitude.getType().hasStaticShape() || magnitude.getRank() < 1)
    return node.emitError() << "the shape of " << magnitude.getType()
                            << " has to be known, with a dimension";
  IntegerAttr excitatory;
  if (isByColumn) {
    if (failed(node.requireRank(magnitude, 2)))
      return failure();
    int64_t count = node.getInt("excitatory", 0);
    if (count < 0 || count > magnitude.getDim(1))
      return node.emitError() << "excitatory is " << count << " for "
                              << magnitude.getDim(1) << " columns";
    excitatory = node.b().getI64IntegerAttr(count);
  } else {
    // A vector belongs to the columns.
    bool isVector = polarity.getRank() == 1 && magnitude.getRank() == 2 &&
                    polarity.getDim(0) == magnitude.getDim(1);
    if (!isVector && polarity.getShape() != magnitude.getShape())
      return node.emitError() << "the polarity " << polarity.getType()
                              << " has to have the shape of the magnitude "
                              << magnitude.getType() << " or of its rows";
  }
  Value weights = ApplyPolarityOp::create(node.b(), magnitude.value,
                                          polarity.value, excitatory,
                                          /*ablated=*/UnitAttr());
  node.setOutput(0, {weights, magnitude.dataType});
  return describeParameter(node, magnitude.value, Role::Weight, Sign::Nonneg);
}

NodeImporter getImporter(LayerOperator::Kind kind) {
  switch (kind) {
  case LayerOperator::Kind::EiDense:
    return importEiDense;
  case LayerOperator::Kind::EiConv2d:
    return importEiConv2d;
  case LayerOperator::Kind::EiRecurrent:
    return importEiRecurrent;
  case LayerOperator::Kind::Recurrent:
    return importRecurrent;
  case LayerOperator::Kind::ApplyPolarity:
  case LayerOperator::Kind::ApplyColumnPolarity:
    return importPolarity;
  }
  llvm_unreachable("unknown kind of layer");
}

/// The operators by the parts of their names.
struct LayerTable {
  LayerTable() {
    std::vector<LayerOperator> all = LayerOperator::getAll();
    for (const LayerOperator &op : all)
      names.push_back(op.getName());
    for (auto [op, name] : llvm::zip(all, names))
      entries.push_back({name, kDannVersion, op.getNumRequired(),
                         static_cast<int>(op.getInputs().size()), 1,
                         getImporter(op.kind), kDannDomain});
  }

  std::vector<std::string> names; // those of the entries
  std::vector<OperatorEntry> entries;
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getDannOperators() {
  static const LayerTable table;
  return table.entries;
}
