//===- TrainingForward.cpp - A network as it is while it is trained -------===//

#include "passes/TrainingForward.h"

#include "Dann/Dann.h"

using namespace mlir;
using namespace mlir::dann;

/// The argument of `function` that keeps a statistic given as `operand`.
static FailureOr<unsigned> findStatistic(func::FuncOp function,
                                         OpOperand &operand) {
  auto argument = dyn_cast<BlockArgument>(operand.get());
  if (argument && argument.getOwner() == &function.getBody().front())
    if (auto role = function.getArgAttrOfType<RoleAttr>(argument.getArgNumber(),
                                                        DannDialect::kRoleAttr);
        role && role.getValue() == Role::Stat)
      return argument.getArgNumber();
  return operand.getOwner()->emitOpError()
         << "updates its operand #" << operand.getOperandNumber()
         << " in training, which must be a parameter of the role stat";
}

FailureOr<TrainingForward>
mlir::dann::buildTrainingForward(func::FuncOp forward) {
  WalkResult found = forward.walk(
      [](TrainingModeOpInterface) { return WalkResult::interrupt(); });
  if (!found.wasInterrupted())
    return TrainingForward{forward, /*takesKey=*/false, /*updated=*/{}};

  constexpr StringLiteral name = "forward_training";
  if (Operation *other =
          SymbolTable::lookupSymbolIn(forward->getParentOp(), name))
    return other->emitError()
           << "the name '" << name << "' is taken: "
           << "dann-expand-training makes a function of that name";
  OpBuilder builder(forward.getContext());
  builder.setInsertionPointAfter(forward);
  auto function = cast<func::FuncOp>(builder.clone(*forward));
  function.setName(name);
  function.setPrivate();
  TrainingForward result{function, /*takesKey=*/false, /*updated=*/{}};

  SmallVector<TrainingModeOpInterface> ops;
  function.walk([&](TrainingModeOpInterface op) { ops.push_back(op); });
  Value key;
  if (llvm::any_of(ops, [](auto op) { return op.needsRandomKey(); })) {
    unsigned index = function.getNumArguments();
    auto attributes = builder.getDictionaryAttr(builder.getNamedAttr(
        DannDialect::kNameAttr, builder.getStringAttr(kRandomKey)));
    if (failed(function.insertArgument(
            index, RankedTensorType::get({}, builder.getI64Type()), attributes,
            function.getLoc())))
      return failure();
    key = function.getArgument(index);
    result.takesKey = true;
  }

  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> updated;
  SmallVector<DictionaryAttr> attributes;
  function.getAllResultAttrs(attributes);
  int64_t stream = 0;
  for (TrainingModeOpInterface op : ops) {
    auto isolated = op->getParentWithTrait<OpTrait::IsIsolatedFromAbove>();
    if (isolated != function)
      return op->emitOpError()
             << "has a training form, but stands inside of '"
             << isolated->getName() << "', which keeps it from its random key";
    SmallVector<Value> results(op->getNumResults());
    SmallVector<Value> updates(op->getNumOperands());
    builder.setInsertionPoint(op);
    op.buildTrainingForm(builder, op.needsRandomKey() ? key : Value(), stream++,
                         results, updates);
    for (OpOperand &operand : op->getOpOperands()) {
      Value update = updates[operand.getOperandNumber()];
      if (!update)
        continue;
      FailureOr<unsigned> statistic = findStatistic(function, operand);
      if (failed(statistic))
        return failure();
      if (llvm::is_contained(result.updated, *statistic))
        return op->emitOpError()
               << "updates a parameter that another operation updates, too";
      result.updated.push_back(*statistic);
      updated.push_back(update);
      attributes.push_back(builder.getDictionaryAttr({}));
    }
    op->replaceAllUsesWith(results);
  }
  for (TrainingModeOpInterface op : ops)
    op->erase();
  terminator->insertOperands(terminator->getNumOperands(), updated);
  function.setFunctionType(builder.getFunctionType(
      function.getArgumentTypes(), terminator->getOperandTypes()));
  function.setAllResultAttrs(attributes);
  return result;
}
