//===- DannOperators.cpp - The operators of the domain ai.dann ------------===//

#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/ParameterValues.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

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

LogicalResult importEiDense(Node &node) {
  SmallVector<StringRef> inputs = getLayerInputs(node.getOpType());
  auto get = [&](StringRef name) {
    auto *it = llvm::find(inputs, name);
    return it == inputs.end() ? Tensor() : node.getInput(it - inputs.begin());
  };
  Tensor x = get("x"), wex = get("wex"), wix = get("wix"), wei = get("wei"),
         alpha = get("alpha"), gain = get("gain"), bias = get("bias");
  if (failed(node.requireFloat(x)) ||
      failed(node.requireSameType(node.getInputs())) ||
      failed(node.requireRank(x, 2)))
    return failure();
  int64_t d = x.getDim(1);
  if (ShapedType::isDynamic(d) || d < 1)
    return node.emitError() << "x is " << x.getType()
                            << "; the number of its features has to be known";
  if (failed(checkShape(node, "wex", wex, {{"ne", {}}, {"d", d}})) ||
      failed(checkShape(node, "wix", wix, {{"ni", {}}, {"d", d}})))
    return failure();
  int64_t ne = wex.getDim(0), ni = wix.getDim(0);
  if (failed(checkShape(node, "wei", wei, {{"ne", ne}, {"ni", ni}})) ||
      (alpha && failed(checkShape(node, "alpha", alpha, {{"ni", ni}}))) ||
      (gain && failed(checkShape(node, "gain", gain, {{"ne", ne}}))) ||
      (bias && failed(checkShape(node, "bias", bias, {{"ne", ne}}))))
    return failure();
  float epsilon = node.getFloat("epsilon", kDefaultEpsilon);
  if (!std::isfinite(epsilon) || epsilon < 0)
    return node.emitError() << "epsilon is " << static_cast<double>(epsilon)
                            << "; it has to be finite and not negative";

  auto type = RankedTensorType::get({x.getDim(0), ne}, x.getElementType());
  auto layer = EiDenseOp::create(node.b(), type, x.value, wex.value, wix.value,
                                 wei.value, alpha.value, gain.value, bias.value,
                                 APFloat(toDecimal(epsilon)));
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    if (failed(describeParameter(node, operand.get(),
                                 layer.getOperandRole(index),
                                 layer.getRequiredSign(index))))
      return failure();
  }
  demandNonnegative(x.value);
  node.setOutput(0, {layer, x.dataType});
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"EIDense", 1, 4, 5, 1, importEiDense, kDannDomain},
    {"EIDenseNoBias", 1, 4, 4, 1, importEiDense, kDannDomain},
    {"EIDenseShunting", 1, 5, 7, 1, importEiDense, kDannDomain},
    {"EIDenseShuntingNoGain", 1, 5, 6, 1, importEiDense, kDannDomain},
    {"EIDenseShuntingNoBias", 1, 5, 6, 1, importEiDense, kDannDomain},
    {"EIDenseShuntingNoGainNoBias", 1, 5, 5, 1, importEiDense, kDannDomain},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getDannOperators() {
  return kOperators;
}
