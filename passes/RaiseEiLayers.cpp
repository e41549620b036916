//===- RaiseEiLayers.cpp - Recognise E/I layers in plain operations -------===//
//
// Values are multiplied out (SumsOfProducts.h), so that there is one form to
// recognise however a layer is written (EiLayerForm.h).
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "passes/EiLayerForm.h"
#include "passes/InputSigns.h"
#include "passes/ParameterElements.h"

#include "Dann/Dann.h"
#include "Utils/FloatElements.h"
#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace mlir::dann {
#define GEN_PASS_DEF_RAISEEILAYERS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

//===----------------------------------------------------------------------===//
// Replacing what was recognised
//===----------------------------------------------------------------------===//

using Fault = std::optional<std::string>;

void report(Location loc, const std::string &fault) {
  emitRemark(loc) << "is no E/I layer: " << fault;
}

/// Says which initial values Dale's law forbids.
Fault checkSigns(Role role, ElementsAttr initial) {
  std::optional<WrongSigns> wrong =
      findWrongSigns(initial, /*isNonnegative=*/true);
  if (!wrong)
    return ("the initial values of its " + stringifyRole(role) +
            " are not known")
        .str();
  if (wrong->count == 0)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << stringifyRole(role) << " has " << wrong->count << " negative "
     << (wrong->count == 1 ? "entry, at [" : "entries, first at [");
  llvm::interleaveComma(wrong->first, os);
  os << "] = " << llvm::format("%g", wrong->value);
  return text;
}

/// The argument of the function that `value` is, also where a scan passes it on
/// to all of its steps; null for anything else.
BlockArgument getFunctionArgument(Value value) {
  while (auto argument = dyn_cast<BlockArgument>(value)) {
    auto scan = dyn_cast<ScanOp>(argument.getOwner()->getParentOp());
    if (!scan)
      return isa<func::FuncOp>(argument.getOwner()->getParentOp())
                 ? argument
                 : BlockArgument();
    auto passedOn = scan.getInvariantArguments();
    auto *found = llvm::find(passedOn, argument);
    if (found == passedOn.end())
      break;
    value = scan.getInvariants()[found - passedOn.begin()];
  }
  return {};
}

/// Gives the parameters and the input of a layer their attributes.
void annotate(EILayerOpInterface layer) {
  auto function = layer->getParentOfType<func::FuncOp>();
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    std::optional<Role> role = layer.getOperandRole(index);
    BlockArgument argument = getFunctionArgument(operand.get());
    if (!role || !argument)
      continue;
    auto set = [&](StringRef name, Attribute attribute) {
      function.setArgAttr(argument.getArgNumber(), name, attribute);
    };
    set(DannDialect::kRoleAttr, RoleAttr::get(layer->getContext(), *role));
    if (layer.getRequiredSign(index) != Sign::Any)
      set(DannDialect::kSignAttr,
          SignAttr::get(layer->getContext(), layer.getRequiredSign(index)));
  }
}

/// A layer that is one operation already.
void annotateExisting(EILayerOpInterface layer, const InputSigns &signs) {
  auto function = layer->getParentOfType<func::FuncOp>();
  SmallVector<Value> inputs;
  for (OpOperand &operand : layer->getOpOperands()) {
    unsigned index = operand.getOperandNumber();
    std::optional<Role> role = layer.getOperandRole(index);
    if (!role) {
      inputs.push_back(operand.get());
      continue;
    }
    BlockArgument argument = getFunctionArgument(operand.get());
    auto given = argument ? function.getArgAttrOfType<RoleAttr>(
                                argument.getArgNumber(), DannDialect::kRoleAttr)
                          : RoleAttr();
    if (!given ||
        (given.getValue() != Role::Weight && given.getValue() != *role))
      return;
    if (layer.getRequiredSign(index) == Sign::Any)
      continue;
    if (Fault fault = checkSigns(*role, getInitialValue(argument)))
      return report(layer->getLoc(), *fault);
  }
  annotate(layer);
  for (Value input : inputs)
    if (signs.canBeNonnegative(input))
      signs.demandNonnegative(input);
}

/// The operations between x and z, in their order.
SetVector<Operation *> getOperationsBetween(Value x, Value z) {
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitUsesFromAbove = false;
  options.filter = [&](Operation *op) { return op != x.getDefiningOp(); };
  SetVector<Operation *> slice;
  (void)getBackwardSlice(z, &slice, options);
  return slice;
}

class LayerRaiser {
public:
  LayerRaiser(EiLayerForm &layer, const InputSigns &signs)
      : layer(layer), signs(signs),
        function(layer.z.getDefiningOp()->getParentOfType<func::FuncOp>()),
        between(getOperationsBetween(layer.x, layer.z)) {}

  /// Replaces the layer unless it has a fault. Nothing changes before that is
  /// known. Returns what stands for z.
  FailureOr<Value> raise() {
    Fault fault = check();
    if (fault) {
      report(layer.z.getLoc(), *fault);
      return failure();
    }
    return replace();
  }

private:
  struct Parameter {
    Role role;
    BlockArgument argument;
    ElementsAttr initial;  // in the layer's shape
    bool isShared = false; // and the layer takes a copy
  };

  Fault check();
  Fault addParameter(Role role, Operand operand, ArrayRef<int64_t> shape);
  Fault addStrength();
  Fault checkUses(Parameter &parameter);
  void takeCopy(Parameter &parameter);
  Value replace();
  Value getArgument(Role role) const {
    const auto *it = llvm::find_if(
        parameters, [&](const Parameter &p) { return p.role == role; });
    return it == parameters.end() ? Value() : Value(it->argument);
  }

  EiLayerForm &layer;
  const InputSigns &signs;
  func::FuncOp function;
  SetVector<Operation *> between;
  SmallVector<Parameter, 6> parameters;
};

Fault LayerRaiser::addParameter(Role role, Operand operand,
                                ArrayRef<int64_t> shape) {
  std::string name = stringifyRole(role).str();
  auto argument = dyn_cast<BlockArgument>(operand.value);
  if (!argument)
    return "its " + name + " is no parameter, but the result of '" +
           operand.value.getDefiningOp()->getName().getStringRef().str() + "'";
  for (const Parameter &other : parameters)
    if (other.argument == argument)
      return "its " + name + " is its " + stringifyRole(other.role).str() +
             ", too";
  ElementsAttr initial = getInitialValue(argument);
  if (!FloatElements::of(initial))
    return "the initial values of its " + name + " are not known";
  if (initial.getElementType() != getElementTypeOrSelf(layer.x.getType()))
    return "its " + name + " has other elements than its input";
  auto type = RankedTensorType::get(shape, initial.getElementType());
  auto argumentName = function.getArgAttrOfType<StringAttr>(
      argument.getArgNumber(), DannDialect::kNameAttr);
  parameters.push_back({role, argument,
                        reshapeElements(initial, operand.transposed, type,
                                        argumentName ? argumentName.getValue()
                                                     : StringRef(name))});
  return std::nullopt;
}

/// Adds alpha, computed from what is written in its place.
Fault LayerRaiser::addStrength() {
  const Divisor &divisor = *layer.divisor;
  bool isWei = divisor.kind == Strength::WeightedWei;
  SmallVector<int64_t> shape = {layer.ni};
  if (isWei)
    shape = {layer.ne, layer.ni};
  if (Fault fault = addParameter(Role::Alpha, divisor.strength, shape))
    return fault;
  if (divisor.kind == Strength::Alpha)
    return std::nullopt;
  Parameter &alpha = parameters.back();
  FloatElements values = *FloatElements::of(alpha.initial);
  Type elementType = alpha.initial.getElementType();
  SmallVector<double> strengths;
  if (!isWei) {
    for (int64_t i = 0; i < layer.ni; ++i)
      strengths.push_back(values[i]);
  } else {
    const auto *wei = llvm::find_if(
        parameters, [](const Parameter &p) { return p.role == Role::Wei; });
    FloatElements weights = *FloatElements::of(wei->initial);
    double tolerance = elementType.isF32() ? 1e-5 : 1e-12;
    for (int64_t i = 0; i < layer.ni; ++i) {
      double sum = 0, weighted = 0;
      for (int64_t e = 0; e < layer.ne; ++e) {
        sum += weights[e * layer.ni + i];
        weighted += values[e * layer.ni + i];
      }
      // Interneurons without effect may have any strength.
      double strength = sum == 0 && weighted == 0 ? 1 : weighted / sum;
      for (int64_t e = 0; e < layer.ne; ++e) {
        double entry = values[e * layer.ni + i];
        double expected = weights[e * layer.ni + i] * strength;
        if (!(std::abs(entry - expected) <=
              tolerance * std::max(std::abs(entry), std::abs(expected))))
          return llvm::formatv(
                     "its divisor's weights are not wei e^alpha: column {0} is "
                     "{1} times wei in sum, but not at [{2}, {0}]",
                     i, llvm::format("%g", strength), e)
              .str();
      }
      strengths.push_back(strength);
    }
  }
  for (auto [i, strength] : llvm::enumerate(strengths))
    if (!(strength > 0) || !std::isfinite(strength))
      return llvm::formatv("its strength e^alpha is {0} at [{1}]",
                           llvm::format("%g", strength), i)
          .str();
  alpha.initial =
      makeElements(RankedTensorType::get({layer.ni}, elementType), "alpha",
                   [&](int64_t i) { return std::log(strengths[i]); });
  return std::nullopt;
}

/// Whether the parameter, and what is computed from it, serve the layer alone.
/// Exporters merge equal parameters, so one with the same value everywhere need
/// not be shared on purpose; what is computed from it is.
Fault LayerRaiser::checkUses(Parameter &parameter) {
  ElementsAttr initial = getInitialValue(parameter.argument);
  FloatElements elements = *FloatElements::of(initial);
  bool mayBeMerged =
      llvm::all_of(llvm::seq<int64_t>(0, initial.getNumElements()),
                   [&](int64_t i) { return elements[i] == elements[0]; });
  SmallVector<Value> pending = {parameter.argument};
  DenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (value == layer.z || !seen.insert(value).second)
      continue;
    for (Operation *user : value.getUsers()) {
      if (isa<tensor::DimOp>(user))
        continue;
      if (between.contains(user))
        llvm::append_range(pending, user->getResults());
      else if (mayBeMerged && value == parameter.argument)
        parameter.isShared = true;
      else
        return ("its " + stringifyRole(parameter.role) +
                " is used outside of the layer, too")
            .str();
    }
  }
  return std::nullopt;
}

/// Gives the layer an argument of its own, which takes the name; what is left
/// to others gets a new one.
void LayerRaiser::takeCopy(Parameter &parameter) {
  unsigned index = parameter.argument.getArgNumber();
  auto name =
      function.getArgAttrOfType<StringAttr>(index, DannDialect::kNameAttr);
  // Cannot fail: arguments have no constraints.
  (void)function.insertArgument(index, parameter.initial.getType(),
                                function.getArgAttrDict(index),
                                parameter.argument.getLoc());
  parameter.argument = function.getArgument(index);
  if (!name)
    return;
  auto isTaken = [&](StringRef other) {
    return llvm::any_of(function.getArguments(), [&](BlockArgument argument) {
      auto taken = function.getArgAttrOfType<StringAttr>(
          argument.getArgNumber(), DannDialect::kNameAttr);
      return taken && taken.getValue() == other;
    });
  };
  auto [base, number] = name.getValue().rsplit('.');
  if (!llvm::all_of(number, llvm::isDigit) || !isTaken(base))
    base = name.getValue();
  std::string other;
  for (int i = 2; other.empty() || isTaken(other); ++i)
    other = (base + "." + llvm::Twine(i)).str();
  function.setArgAttr(index + 1, DannDialect::kNameAttr,
                      StringAttr::get(function.getContext(), other));
}

Fault LayerRaiser::check() {
  if (!layer.fault.empty())
    return layer.fault;
  auto withInputs = [&](int64_t units) {
    SmallVector<int64_t, 4> shape = {units};
    llvm::append_range(shape, layer.d);
    return shape;
  };
  struct {
    Role role;
    Operand operand;
    SmallVector<int64_t, 4> shape;
  } given[] = {{Role::Wex, layer.wex, withInputs(layer.ne)},
               {Role::Wix, layer.wix, withInputs(layer.ni)},
               {Role::Wei, layer.wei, {layer.ne, layer.ni}},
               {Role::Gain, layer.gain, {layer.ne}},
               {Role::Bias, layer.bias, {layer.ne}}};
  for (const auto &[role, operand, shape] : given)
    if (operand)
      if (Fault fault = addParameter(role, operand, shape))
        return fault;
  for (const Parameter &parameter : parameters)
    if (parameter.role != Role::Bias)
      if (Fault fault = checkSigns(parameter.role, parameter.initial))
        return fault;
  if (layer.divisor && layer.divisor->kind != Strength::None)
    if (Fault fault = addStrength())
      return fault;
  for (Parameter &parameter : parameters)
    if (Fault fault = checkUses(parameter))
      return fault;
  if (!signs.canBeNonnegative(layer.x))
    return "its input may be negative";
  return std::nullopt;
}

/// The shortest number that is the same in the element type.
double shorten(double value, Type elementType) {
  std::string text;
  llvm::raw_string_ostream(text) << llvm::format("%.6g", value);
  double shorter = std::strtod(text.c_str(), nullptr);
  bool isSame = elementType.isF32()
                    ? static_cast<float>(shorter) == static_cast<float>(value)
                    : shorter == value;
  return isSame ? shorter : value;
}

Value LayerRaiser::replace() {
  Operation *last = layer.z.getDefiningOp();
  OpBuilder builder(last);
  LinalgBuilder linalg(builder, last->getLoc());
  auto transpose = [&](Value matrix) -> Value {
    if (auto inner = matrix.getDefiningOp<linalg::TransposeOp>())
      return inner.getInput(); // of a matrix: the other way round
    Value init = linalg.empty({linalg.size(matrix, 1), linalg.size(matrix, 0)},
                              getElementTypeOrSelf(matrix.getType()));
    return linalg::TransposeOp::create(builder, last->getLoc(), matrix, init,
                                       ArrayRef<int64_t>{1, 0})
        ->getResult(0);
  };

  signs.demandNonnegative(layer.x);
  for (Parameter &parameter : parameters) {
    if (parameter.isShared)
      takeCopy(parameter);
    parameter.argument.setType(parameter.initial.getType());
    function.setArgAttr(parameter.argument.getArgNumber(),
                        DannDialect::kInitialAttr, parameter.initial);
  }
  function.setFunctionType(builder.getFunctionType(
      function.getBody().getArgumentTypes(), function.getResultTypes()));

  Type elementType = getElementTypeOrSelf(layer.x.getType());
  Value x = layer.xIsTransposed ? transpose(layer.x) : layer.x;
  Value alpha = getArgument(Role::Alpha);
  double epsilon = 1e-8; // the default
  if (layer.divisor) {
    epsilon = shorten(layer.divisor->epsilon, elementType);
    if (!alpha) // e^0
      alpha = arith::ConstantOp::create(
          builder, last->getLoc(),
          builder.getZeroAttr(RankedTensorType::get({layer.ni}, elementType)));
  }
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(layer.z.getType()).getShape());
  if (layer.zIsTransposed)
    std::swap(shape[0], shape[1]);
  auto zType = RankedTensorType::get(shape, elementType);
  Value wex = getArgument(Role::Wex), wix = getArgument(Role::Wix),
        wei = getArgument(Role::Wei), gain = getArgument(Role::Gain),
        bias = getArgument(Role::Bias);
  EILayerOpInterface raised;
  if (layer.window)
    raised = EiConv2dOp::create(builder, last->getLoc(), zType, x, wex, wix,
                                wei, alpha, gain, bias, layer.window->strides,
                                layer.window->dilations, layer.window->padding,
                                APFloat(epsilon));
  else
    raised = EiDenseOp::create(builder, last->getLoc(), zType, x, wex, wix, wei,
                               alpha, gain, bias, APFloat(epsilon));
  annotate(raised);

  Value z = raised->getResult(0);
  if (layer.zIsTransposed) {
    for (Operation *user : llvm::make_early_inc_range(layer.z.getUsers()))
      if (isa<linalg::TransposeOp>(user) && user->getOperand(0) == layer.z)
        user->getResult(0).replaceAllUsesWith(z);
    z = transpose(z);
  }
  layer.z.replaceAllUsesWith(z);
  // Some sizes of what goes away may be in use: that of the batch.
  IRRewriter rewriter(builder);
  for (Operation *op : llvm::reverse(between))
    for (Operation *user : llvm::make_early_inc_range(op->getUsers())) {
      auto dim = dyn_cast<tensor::DimOp>(user);
      std::optional<int64_t> index =
          dim ? dim.getConstantIndex() : std::nullopt;
      if (!index || dim.getSource().getDefiningOp() != op)
        continue;
      rewriter.setInsertionPoint(dim);
      FailureOr<OpFoldResult> size = reifyDimOfResult(rewriter, op, 0, *index);
      if (succeeded(size))
        rewriter.replaceOp(dim, getValueOrCreateConstantIndexOp(
                                    rewriter, dim.getLoc(), *size));
    }
  for (Operation *op : llvm::reverse(between))
    if (isOpTriviallyDead(op))
      rewriter.eraseOp(op);
  return z;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Matrices and images may be the input of a layer, unless they are an image
/// with zeros around it: a convolution pads.
bool canBeInput(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> padding;
  return type && (type.getRank() == 2 || type.getRank() == 4) &&
         isa<FloatType>(type.getElementType()) &&
         lookThroughPadding(value, /*filler=*/0, padding) == value;
}

/// The layers of a function, each in its largest form: without `gain` or
/// `divisor` it would be another layer.
std::vector<EiLayerForm> findLayers(func::FuncOp function) {
  Block &block = function.getBody().front();
  Algebra algebra(block);
  llvm::MapVector<Value, EiLayerForm> layers; // by wex
  auto tryInput = [&](Value x) {
    if (!canBeInput(x) || algebra.isWeight(x))
      return;
    auto getRank = [](Value value) {
      auto type = dyn_cast<RankedTensorType>(value.getType());
      return type ? type.getRank() : -1;
    };
    for (auto &[z, sum] : algebra.expand(x)) {
      if (getRank(z) != getRank(x))
        continue;
      std::optional<EiLayerForm> layer = matchEiLayer(x, z, sum);
      if (!layer)
        continue;
      auto [it, isNew] = layers.try_emplace(layer->wex.value, *layer);
      EiLayerForm &old = it->second;
      // Of an x and its transpose, rather the one that is batch-first.
      auto rank = [](const EiLayerForm &layer) {
        return std::tuple(layer.countParts(), layer.fault.empty(),
                          !layer.xIsTransposed);
      };
      if (!isNew && rank(*layer) > rank(old))
        old = *layer;
    }
  };
  for (BlockArgument argument : block.getArguments())
    tryInput(argument);
  for (Operation &op : block)
    for (Value result : op.getResults())
      tryInput(result);
  std::vector<EiLayerForm> found;
  for (auto &[wex, layer] : layers)
    found.push_back(std::move(layer));
  return found;
}

/// Erases those of the parameters that nothing uses any more: numbers that
/// became attributes.
void eraseUnused(func::FuncOp function, ArrayRef<BlockArgument> parameters) {
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument parameter : parameters)
    if (parameter.use_empty())
      unused.set(parameter.getArgNumber());
  // Cannot fail: results of the function stay as they are.
  (void)function.eraseArguments(unused);
}

struct RaiseEiLayersPass : dann::impl::RaiseEiLayersBase<RaiseEiLayersPass> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<EILayerOpInterface> existing;
    module.walk([&](EILayerOpInterface layer) { existing.push_back(layer); });
    SmallVector<std::pair<func::FuncOp, std::vector<EiLayerForm>>> found;
    for (auto function : module.getOps<func::FuncOp>()) {
      // What others call keeps its signature.
      if (function.isExternal() || !function.getBody().hasOneBlock() ||
          !SymbolTable::symbolKnownUseEmpty(function, module))
        continue;
      std::vector<EiLayerForm> layers = findLayers(function);
      if (!layers.empty())
        found.emplace_back(function, std::move(layers));
    }
    if (existing.empty() && found.empty())
      return markAllAnalysesPreserved();

    InputSigns signs(module);
    for (EILayerOpInterface layer : existing)
      annotateExisting(layer, signs);
    for (auto &[function, layers] : found) {
      SmallVector<BlockArgument> used;
      for (BlockArgument argument : function.getArguments())
        if (!argument.use_empty() &&
            function.getArgAttr(argument.getArgNumber(),
                                DannDialect::kRoleAttr))
          used.push_back(argument);
      DenseMap<Value, Value> replaced;
      for (EiLayerForm &layer : layers) {
        if (Value x = replaced.lookup(layer.x))
          layer.x = x;
        Value z = layer.z;
        FailureOr<Value> raised = LayerRaiser(layer, signs).raise();
        if (succeeded(raised))
          replaced[z] = *raised;
      }
      IRRewriter rewriter(&getContext());
      for (Operation &op : llvm::make_early_inc_range(
               llvm::reverse(function.getBody().front())))
        if (isOpTriviallyDead(&op))
          rewriter.eraseOp(&op);
      eraseUnused(function, used);
    }
  }
};

} // namespace
