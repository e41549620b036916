//===- TrainingForward.cpp - A network as it is while it is trained -------===//

#include "passes/TrainingForward.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

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

namespace {

/// The random key of a function, and those of the steps of its scans.
class RandomKeys {
public:
  explicit RandomKeys(Value key) : key(key) {}

  /// The key to draw from in `block`: the function's, or, in the body of a
  /// scan, that of the step. Null if it does not get there.
  Value getIn(Block *block) {
    Operation *parent = block->getParentOp();
    if (parent == key.getParentBlock()->getParentOp())
      return key;
    auto scan = dyn_cast<ScanOp>(parent);
    if (!scan)
      return nullptr;
    if (Value known = ofSteps.lookup(scan))
      return known;
    Value outer = getIn(scan->getBlock());
    return outer ? ofSteps[scan] = addStepKeys(scan, outer) : Value();
  }

private:
  /// Gives a scan a key for each step t: outer + (t + 1) * 0x9e3779b97f4a7c15.
  /// The factor (2^64 / the golden ratio) keeps keys of other steps of training
  /// away, should these follow each other.
  static Value addStepKeys(ScanOp scan, Value outer) {
    OpBuilder builder(scan);
    LinalgBuilder b(builder, scan.getLoc());
    Type type = builder.getI64Type();
    auto number = [&](uint64_t value) -> Value {
      return arith::ConstantOp::create(
          builder, scan.getLoc(),
          builder.getIntegerAttr(type, static_cast<int64_t>(value)));
    };
    Value factor = number(0x9e3779b97f4a7c15), one = number(1);
    Value keys = b.elementwise(
        {{outer, {}}},
        b.empty({builder.getIndexAttr(scan.getNumSteps())}, type),
        [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          Value step = arith::IndexCastOp::create(
              b, type, linalg::IndexOp::create(b, 0));
          Value count = arith::AddIOp::create(b, step, one);
          return arith::AddIOp::create(b, args[0],
                                       arith::MulIOp::create(b, count, factor));
        });
    unsigned index = scan.getInitials().size() + scan.getSequences().size();
    scan.getSequencesMutable().append(keys);
    return scan.getBody().insertArgument(index, outer.getType(),
                                         outer.getLoc());
  }

  Value key;
  DenseMap<Operation *, Value> ofSteps;
};

} // namespace

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

  RandomKeys keys(key);
  Operation *terminator = function.getBody().front().getTerminator();
  SmallVector<Value> updated;
  SmallVector<DictionaryAttr> attributes;
  function.getAllResultAttrs(attributes);
  int64_t stream = 0;
  for (TrainingModeOpInterface op : ops) {
    Value ownKey;
    if (op.needsRandomKey()) {
      ownKey = keys.getIn(op->getBlock());
      if (!ownKey)
        return op->emitOpError()
               << "has a training form, but stands inside of '"
               << op->getParentOp()->getName()
               << "', which keeps it from its random key";
    }
    SmallVector<Value> results(op->getNumResults());
    SmallVector<Value> updates(op->getNumOperands());
    builder.setInsertionPoint(op);
    op.buildTrainingForm(builder, ownKey, stream++, results, updates);
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
