//===- TrainingOperators.cpp - Optimizers and gradients ------------------===//

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

Value scale(B &b, double factor, Value x) {
  return multiply(b, constantLike(b, x, factor), x);
}

//===----------------------------------------------------------------------===//
// Optimizers
//===----------------------------------------------------------------------===//

/// One step for each tensor: a rate, how many updates there were, then all
/// tensors, all gradients, and all of each kind of state.
class Optimizer {
public:
  Optimizer(Node &node, int64_t numStates)
      : node(node), numStates(numStates),
        regularization(node.getFloat("norm_coefficient", 0)) {}
  virtual ~Optimizer() = default;

  LogicalResult import();

protected:
  /// An entry of a tensor, its gradient with the regularization added, and its
  /// states, old and new.
  struct Entry {
    Value x, gradient;
    SmallVector<Value> states;
  };

  /// What all entries have in common, from the rate and the number of updates
  /// as a float.
  virtual Value computeFactor(B &b, Value rate, Value updates) { return rate; }
  /// New state `index`, of which `entry` has the old ones.
  virtual Value updateState(B &b, int64_t index, const Entry &entry,
                            Value updates) = 0;
  /// The new value, from new states.
  virtual Value updateValue(B &b, const Entry &entry, Value factor) = 0;

  static Value isPositive(B &b, Value x) {
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x,
                                 constantLike(b, x, 0));
  }

  Node &node;

private:
  LogicalResult importTensor(int64_t index, int64_t numTensors);

  const int64_t numStates;
  const double regularization;
  Tensor rate, updates;
};

LogicalResult Optimizer::importTensor(int64_t index, int64_t numTensors) {
  SmallVector<Tensor> operands;
  for (int64_t i = 0; i < 2 + numStates; ++i)
    operands.push_back(node.getInput(2 + index + i * numTensors));
  Tensor x = operands[0];
  if (failed(node.requireFloat(x)) || failed(node.requireSameType(operands)))
    return failure();
  for (const Tensor &operand : operands)
    if (operand.getType() != x.getType())
      return node.emitError()
             << "tensor " << index << " is " << x.getType()
             << ", and its gradient or a state " << operand.getType();
  FailureOr<Tensor> ownRate = node.convert(rate, x.dataType);
  FailureOr<Tensor> ownUpdates = node.convert(updates, x.dataType);
  if (failed(ownRate) || failed(ownUpdates))
    return failure();
  FailureOr<Tensor> factor = node.elementwise(
      {*ownRate, *ownUpdates}, x.dataType, [&](B &b, ValueRange arguments) {
        return computeFactor(b, arguments[0], arguments[1]);
      });
  if (failed(factor))
    return failure();
  auto getEntry = [&](B &b, ValueRange arguments) {
    Value gradient =
        add(b, scale(b, regularization, arguments[0]), arguments[1]);
    return Entry{arguments[0], gradient,
                 SmallVector<Value>(arguments.slice(2, numStates))};
  };
  SmallVector<Tensor> states;
  operands.push_back(*ownUpdates);
  for (int64_t i = 0; i < numStates; ++i) {
    FailureOr<Tensor> state =
        node.elementwise(operands, x.dataType, [&](B &b, ValueRange arguments) {
          return updateState(b, i, getEntry(b, arguments),
                             arguments[2 + numStates]);
        });
    if (failed(state))
      return failure();
    states.push_back(*state);
  }
  operands = {operands[0], operands[1]};
  operands.append(states);
  operands.push_back(*factor);
  FailureOr<Tensor> updated =
      node.elementwise(operands, x.dataType, [&](B &b, ValueRange arguments) {
        return updateValue(b, getEntry(b, arguments), arguments[2 + numStates]);
      });
  if (failed(updated))
    return failure();
  node.setOutput(index, *updated);
  for (auto [i, state] : llvm::enumerate(states))
    node.setOutput(index + (i + 1) * numTensors, state);
  return success();
}

LogicalResult Optimizer::import() {
  // All of them have to be given.
  int64_t numTensors = (node.getNumInputs() - 2) / (2 + numStates);
  if (node.getNumInputs() != 2 + numTensors * (2 + numStates) ||
      node.getNumOutputs() != numTensors * (1 + numStates))
    return node.emitError() << "has " << node.getNumInputs() << " inputs and "
                            << node.getNumOutputs() << " outputs; for each "
                            << "tensor there have to be " << 2 + numStates
                            << " besides the first two, and " << 1 + numStates;
  for (int i = 0; i < node.getNumInputs(); ++i)
    if (!node.hasInput(i))
      return node.emitError() << "needs input " << i;
  if (failed(node.requireFloat(node.getInput(0))))
    return failure();
  if (!node.getInput(1).isInteger())
    return node.emitError() << "the number of updates is "
                            << getTypeName(node.getInput(1).dataType)
                            << ", and has to be an integer";
  FailureOr<Tensor> scalarRate = node.reshape(node.getInput(0), {});
  FailureOr<Tensor> scalarUpdates = node.reshape(node.getInput(1), {});
  if (failed(scalarRate) || failed(scalarUpdates))
    return failure();
  rate = *scalarRate;
  updates = *scalarUpdates;
  for (int64_t i = 0; i < numTensors; ++i)
    if (failed(importTensor(i, numTensors)))
      return failure();
  return success();
}

struct Adagrad : Optimizer {
  explicit Adagrad(Node &node)
      : Optimizer(node, 1), decay(node.getFloat("decay_factor", 0)),
        epsilon(node.getFloat("epsilon", 1e-6f)) {}

  Value computeFactor(B &b, Value rate, Value updates) override {
    Value one = constantLike(b, rate, 1);
    return divide(b, rate, add(b, one, scale(b, decay, updates)));
  }
  Value updateState(B &b, int64_t, const Entry &entry, Value) override {
    return add(b, entry.states[0], multiply(b, entry.gradient, entry.gradient));
  }
  Value updateValue(B &b, const Entry &entry, Value rate) override {
    Value root = math::SqrtOp::create(b, entry.states[0]);
    root = add(b, root, constantLike(b, root, epsilon));
    Value change = divide(b, multiply(b, rate, entry.gradient), root);
    return subtract(b, entry.x, change);
  }

  const double decay, epsilon;
};

struct Adam : Optimizer {
  explicit Adam(Node &node)
      : Optimizer(node, 2), alpha(node.getFloat("alpha", 0.9f)),
        beta(node.getFloat("beta", 0.999f)),
        epsilon(node.getFloat("epsilon", 1e-6f)),
        regularizationAfter(node.getFloat("norm_coefficient_post", 0)) {}

  /// The rate with the correction of the averages' bias, which there is none of
  /// before the first update.
  Value computeFactor(B &b, Value rate, Value updates) override {
    auto rest = [&](double base) {
      Value power =
          math::PowFOp::create(b, constantLike(b, rate, base), updates);
      return subtract(b, constantLike(b, rate, 1), power);
    };
    Value corrected = divide(
        b, multiply(b, rate, math::SqrtOp::create(b, rest(beta))), rest(alpha));
    return arith::SelectOp::create(b, isPositive(b, updates), corrected, rate);
  }
  Value updateState(B &b, int64_t index, const Entry &entry, Value) override {
    Value next = entry.gradient;
    if (index == 1)
      next = multiply(b, next, next);
    double kept = index == 0 ? alpha : beta;
    return add(b, scale(b, kept, entry.states[index]),
               scale(b, 1 - kept, next));
  }
  Value updateValue(B &b, const Entry &entry, Value rate) override {
    Value root = math::SqrtOp::create(b, entry.states[1]);
    root = add(b, root, constantLike(b, root, epsilon));
    Value change = multiply(b, rate, divide(b, entry.states[0], root));
    return scale(b, 1 - regularizationAfter, subtract(b, entry.x, change));
  }

  const double alpha, beta, epsilon, regularizationAfter;
};

struct Momentum : Optimizer {
  explicit Momentum(Node &node)
      : Optimizer(node, 1), alpha(node.getFloat("alpha", 0)),
        beta(node.getFloat("beta", 1)),
        isNesterov(node.getString("mode", "") == "nesterov") {}

  Value updateState(B &b, int64_t, const Entry &entry, Value updates) override {
    // The first gradient counts as a whole.
    Value share = arith::SelectOp::create(b, isPositive(b, updates),
                                          constantLike(b, updates, beta),
                                          constantLike(b, updates, 1));
    return add(b, scale(b, alpha, entry.states[0]),
               multiply(b, share, entry.gradient));
  }
  Value updateValue(B &b, const Entry &entry, Value rate) override {
    Value direction = entry.states[0];
    if (isNesterov)
      direction = add(b, entry.gradient, scale(b, alpha, direction));
    return subtract(b, entry.x, multiply(b, rate, direction));
  }

  const double alpha, beta;
  const bool isNesterov;
};

template <typename OptimizerTy> LogicalResult importOptimizer(Node &node) {
  return OptimizerTy(node).import();
}

LogicalResult importMomentum(Node &node) {
  for (StringRef name : {"alpha", "beta", "norm_coefficient"})
    if (!node.hasAttribute(name))
      return node.emitError() << "needs the attribute '" << name << "'";
  std::string mode = node.getString("mode", "");
  if (mode != "standard" && mode != "nesterov")
    return node.emitError()
           << "the mode '" << mode << "' is neither standard nor nesterov";
  return Momentum(node).import();
}

//===----------------------------------------------------------------------===//
// Gradients
//===----------------------------------------------------------------------===//

/// What an operation reads: its operands, and what its regions capture.
llvm::SetVector<Value> getInputs(Operation *op) {
  llvm::SetVector<Value> inputs;
  getUsedValuesDefinedAbove(op->getRegions(), inputs);
  inputs.insert(op->operand_begin(), op->operand_end());
  return inputs;
}

/// What leads to a value.
struct Computation {
  DenseSet<Operation *> operations;
  /// The values that it starts from, `given` first.
  llvm::SetVector<Value> sources;

  Computation(Value result, ArrayRef<Value> given)
      : sources(given.begin(), given.end()) {
    SmallVector<Value> open = {result};
    while (!open.empty()) {
      Value value = open.pop_back_val();
      if (sources.contains(value))
        continue;
      Operation *op = value.getDefiningOp();
      if (!op)
        sources.insert(value);
      else if (operations.insert(op).second)
        llvm::append_range(open, getInputs(op));
    }
  }
};

/// The function that the model is imported to.
func::FuncOp getFunction(Node &node) {
  Operation *place = node.b().getInsertionBlock()->getParentOp();
  auto function = dyn_cast<func::FuncOp>(place);
  return function ? function : place->getParentOfType<func::FuncOp>();
}

/// A function of the sources that gives the sum of the elements of `result`.
func::FuncOp outline(Node &node, const Computation &computation, Value result) {
  func::FuncOp function = getFunction(node);
  auto module = function->getParentOfType<ModuleOp>();

  OpBuilder::InsertionGuard guard(node.b());
  B &b = node.b();
  b.setInsertionPoint(function);
  auto types = ValueRange(computation.sources.getArrayRef()).getTypes();
  auto scalarType =
      RankedTensorType::get({}, getElementTypeOrSelf(result.getType()));
  auto outlined = func::FuncOp::create(b, "differentiated",
                                       b.getFunctionType(types, scalarType));
  outlined.setPrivate();
  Block *entry = outlined.addEntryBlock();
  b.setInsertionPointToStart(entry);
  IRMapping mapping;
  mapping.map(computation.sources.getArrayRef(), entry->getArguments());
  // In the order of the function, where values come before their uses.
  function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (!computation.operations.contains(op))
      return WalkResult::advance();
    b.clone(*op, mapping);
    return WalkResult::skip();
  });
  Value value = mapping.lookup(result);
  auto type = cast<RankedTensorType>(value.getType());
  if (type.getRank() > 0) {
    Value zero = node.linalg().fill({}, type.getElementType(), 0);
    value = node.linalg().generic(type.getRank(),
                                  {{value, LinalgBuilder::allLoops(value)}},
                                  {zero, {}}, [](B &b, ValueRange arguments) {
                                    return add(b, arguments[0], arguments[1]);
                                  });
  }
  func::ReturnOp::create(b, value);
  SymbolTable(module).insert(outlined);
  return outlined;
}

/// The derivatives of the sum of a tensor's elements by others, at values that
/// may differ from theirs.
LogicalResult importGradient(Node &node) {
  SmallVector<std::string> names = node.getStrings("xs");
  size_t numVariables = names.size();
  names.append(node.getStrings("zs"));
  std::string resultName = node.getString("y", "");
  if (names.size() != static_cast<size_t>(node.getNumInputs()) ||
      numVariables == 0)
    return node.emitError()
           << "has " << node.getNumInputs() << " inputs for " << numVariables
           << " xs and " << names.size() - numVariables << " zs";
  if (static_cast<size_t>(node.getNumOutputs()) > numVariables)
    return node.emitError() << "has " << node.getNumOutputs() << " outputs for "
                            << numVariables << " xs";
  auto lookup = [&](StringRef name) -> FailureOr<Tensor> {
    Tensor tensor = node.lookup(name);
    if (!tensor)
      return node.emitError() << "names '" << name
                              << "', which no input, initializer or earlier "
                                 "node gives";
    if (tensor.sequence)
      return node.emitError()
             << "takes tensors, and '" << name << "' is a sequence of them";
    return tensor;
  };
  FailureOr<Tensor> result = lookup(resultName);
  if (failed(result) || failed(node.requireFloat(*result)))
    return failure();
  SmallVector<Value> sources, arguments;
  for (auto [i, name] : llvm::enumerate(names)) {
    FailureOr<Tensor> source = lookup(name);
    if (failed(source))
      return failure();
    if (!node.hasInput(i))
      return node.emitError() << "needs input " << i;
    Tensor argument = node.getInput(i);
    if (i < numVariables && failed(node.requireFloat(*source)))
      return failure();
    if (argument.getType() != source->getType() ||
        argument.dataType != source->dataType)
      return node.emitError()
             << "'" << name << "' is " << source->getType()
             << ", and the value for it " << argument.getType();
    if (llvm::is_contained(sources, source->value))
      return node.emitError()
             << "'" << name
             << "' is the same value as another one of xs and zs";
    sources.push_back(source->value);
    arguments.push_back(argument.value);
  }

  // All of them are looked at, and those that are needed copied.
  int64_t numOperations = 0;
  getFunction(node).walk([&](Operation *) { ++numOperations; });
  if (failed(node.charge(numOperations)))
    return failure();
  Computation computation(result->value, sources);
  for (Value source :
       computation.sources.getArrayRef().drop_front(names.size())) {
    if (!isa<RankedTensorType>(source.getType()))
      return node.emitError()
             << "'" << resultName << "' depends on the step of a loop";
    arguments.push_back(source);
  }
  func::FuncOp function = outline(node, computation, result->value);
  SmallVector<int64_t> positions;
  SmallVector<Type> types = {function.getResultTypes()[0]};
  for (size_t i = 0; i < numVariables; ++i) {
    positions.push_back(i);
    types.push_back(arguments[i].getType());
  }
  auto gradients = ValueAndGradOp::create(
      node.b(), types, function.getSymName(), arguments, positions);
  for (int i = 0; i < node.getNumOutputs(); ++i)
    node.setOutput(i, {gradients.getGradients()[i], node.getInput(i).dataType});
  return success();
}

constexpr StringLiteral kDomain = "ai.onnx.preview.training";

constexpr OperatorEntry kOperators[] = {
    {"Adagrad", 1, 3, kAnyNumber, kAnyNumber, importOptimizer<Adagrad>,
     kDomain},
    {"Adam", 1, 3, kAnyNumber, kAnyNumber, importOptimizer<Adam>, kDomain},
    {"Momentum", 1, 3, kAnyNumber, kAnyNumber, importMomentum, kDomain},
    {"Gradient", 1, 1, kAnyNumber, kAnyNumber, importGradient, kDomain},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getTrainingOperators() {
  return kOperators;
}
