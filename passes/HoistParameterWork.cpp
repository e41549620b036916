//===- HoistParameterWork.cpp - Prepare what parameters alone decide ------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Analysis/TopologicalSortUtils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Dominance.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Transforms/CSE.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::dann {
#define GEN_PASS_DEF_HOISTPARAMETERWORK
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

constexpr StringLiteral kPrepare = "prepare";

/// Whether an argument is a parameter that a program can have: one with a name
/// and a static shape.
bool isParameter(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  return type && type.hasStaticShape() &&
         function.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr) &&
         function.getArgAttr(argument.getArgNumber(), DannDialect::kNameAttr);
}

/// Everything that `value` is computed from, in order.
SetVector<Operation *> getComputation(Value value) {
  BackwardSliceOptions options;
  options.inclusive = true;
  options.omitUsesFromAbove = false;
  SetVector<Operation *> slice;
  (void)getBackwardSlice(value, &slice, options);
  // Operations of nested regions come with the operation around them.
  slice.remove_if(
      [&](Operation *op) { return op->getBlock() != value.getParentBlock(); });
  return topologicalSort(slice);
}

/// The arguments that a computation reads, in their order.
SmallVector<BlockArgument> getArguments(ArrayRef<Operation *> computation) {
  SetVector<Value> used;
  for (Operation *op : computation) {
    used.insert_range(op->getOperands());
    getUsedValuesDefinedAbove(op->getRegions(), used);
  }
  SmallVector<BlockArgument> arguments;
  for (Value value : used)
    if (auto argument = dyn_cast<BlockArgument>(value))
      arguments.push_back(argument);
  llvm::sort(arguments, [](BlockArgument a, BlockArgument b) {
    return a.getArgNumber() < b.getArgNumber();
  });
  return arguments;
}

/// The values that can be computed before the calls of `function` and are worth
/// it: results of linalg operations that depend on parameters and constants
/// alone, and that others read.
SmallVector<Value> getHoistableValues(func::FuncOp function) {
  Block &body = function.getBody().front();
  // Values that no input has a part in; true for those that depend on a
  // parameter.
  DenseMap<Value, bool> known;
  for (BlockArgument argument : body.getArguments())
    if (isParameter(argument))
      known[argument] = true;
  SmallVector<Operation *> candidates;
  for (Operation &op : body.without_terminator()) {
    SetVector<Value> operands(op.operand_begin(), op.operand_end());
    getUsedValuesDefinedAbove(op.getRegions(), operands);
    if (!isMemoryEffectFree(&op) ||
        !llvm::all_of(operands, [&](Value v) { return known.contains(v); }))
      continue;
    bool isDerived =
        llvm::any_of(operands, [&](Value v) { return known.lookup(v); });
    for (Value result : op.getResults())
      known[result] = isDerived;
    if (isDerived)
      candidates.push_back(&op);
  }

  // Users come before what they use. What costs nothing moves only if nobody
  // stays behind who needs it.
  SmallVector<Value> values;
  DenseSet<Operation *> hoisted;
  for (Operation *op : llvm::reverse(candidates)) {
    auto isNeeded = [&](Value result) {
      return llvm::any_of(result.getUsers(), [&](Operation *user) {
        return !hoisted.contains(body.findAncestorOpInBlock(*user));
      });
    };
    if (isa<linalg::LinalgOp>(op))
      llvm::copy_if(op->getResults(), std::back_inserter(values), isNeeded);
    else if (llvm::any_of(op->getResults(), isNeeded))
      continue;
    hoisted.insert(op);
  }
  std::reverse(values.begin(), values.end());
  return values;
}

struct HoistParameterWorkPass
    : dann::impl::HoistParameterWorkBase<HoistParameterWorkPass> {
  /// A value of an entry point that becomes a result of @prepare.
  struct Derived {
    func::FuncOp user;
    Value value;
  };

  func::FuncOp prepare;
  // The arguments of @prepare by name and type.
  DenseMap<std::pair<Attribute, Type>, BlockArgument> parameters;

  void runOnOperation() override {
    prepare = nullptr;
    parameters.clear();
    SmallVector<Derived> all;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(DannDialect::kInferenceAttr) &&
          function.isPublic() && function.getBody().hasOneBlock())
        for (Value value : getHoistableValues(function))
          all.push_back({function, value});
    if (all.empty())
      return;
    if (Operation *other = getOperation().lookupSymbol(kPrepare)) {
      other->emitError() << "the name '" << kPrepare
                         << "' is taken: dann-hoist-parameter-work makes a "
                            "function of that name";
      return signalPassFailure();
    }

    OpBuilder builder(all.front().user);
    prepare = func::FuncOp::create(builder, all.front().user.getLoc(), kPrepare,
                                   builder.getFunctionType({}, {}));
    prepare.addEntryBlock();
    addParameters(all);
    // What each of them is in @prepare, where CSE makes equal ones the same.
    builder.setInsertionPointToStart(&prepare.getBody().front());
    SmallVector<Value> copies;
    for (const Derived &derived : all)
      copies.push_back(cloneComputation(builder, derived.value));
    auto terminator = func::ReturnOp::create(builder, prepare.getLoc(), copies);
    IRRewriter rewriter(&getContext());
    DominanceInfo dominance(prepare);
    eliminateCommonSubExpressions(rewriter, dominance, prepare);

    SmallVector<Value> results;
    llvm::MapVector<Value, StringAttr> names;
    StringSet<> taken;
    for (Value copy : terminator.getOperands())
      if (names.insert({copy, nullptr}).second) {
        names[copy] = chooseName(copy, taken);
        results.push_back(copy);
      }
    DenseMap<std::pair<Operation *, Value>, Value> arguments;
    for (auto [derived, copy] : llvm::zip_equal(all, terminator.getOperands()))
      replace(derived, arguments[{derived.user, copy}], names[copy]);
    terminator.getOperandsMutable().assign(results);
    prepare.setFunctionType(builder.getFunctionType(
        prepare.getArgumentTypes(), TypeRange(ValueRange(results))));
    for (auto [i, result] : llvm::enumerate(results))
      prepare.setResultAttr(i, DannDialect::kNameAttr, names[result]);
  }

  /// Gives @prepare the parameters that the values depend on, in the order of
  /// the entry points' arguments.
  void addParameters(ArrayRef<Derived> all) {
    llvm::MapVector<Operation *, SmallVector<Operation *>> computations;
    for (const Derived &derived : all)
      llvm::append_range(computations[derived.user],
                         getComputation(derived.value));
    for (auto &[function, computation] : computations)
      for (BlockArgument argument : getArguments(computation))
        addParameter(argument);
  }

  void addParameter(BlockArgument argument) {
    DictionaryAttr attributes = getAttributes(argument);
    BlockArgument &parameter = parameters[getKey(argument)];
    if (parameter)
      return;
    unsigned index = prepare.getNumArguments();
    (void)prepare.insertArgument(index, argument.getType(), attributes,
                                 argument.getLoc());
    parameter = prepare.getArgument(index);
  }

  static DictionaryAttr getAttributes(BlockArgument argument) {
    auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
    return function.getArgAttrDict(argument.getArgNumber());
  }

  static std::pair<Attribute, Type> getKey(BlockArgument argument) {
    return {getAttributes(argument).get(DannDialect::kNameAttr),
            argument.getType()};
  }

  /// Returns what `value` is in @prepare.
  Value cloneComputation(OpBuilder &builder, Value value) {
    SetVector<Operation *> computation = getComputation(value);
    IRMapping mapping;
    for (BlockArgument argument : getArguments(computation.getArrayRef()))
      mapping.map(argument, parameters.lookup(getKey(argument)));
    for (Operation *op : computation)
      builder.clone(*op, mapping);
    return mapping.lookup(value);
  }

  /// "derived/" and the parameters that a result of @prepare depends on.
  StringAttr chooseName(Value value, StringSet<> &taken) {
    SmallVector<StringRef> from;
    SetVector<Operation *> computation = getComputation(value);
    for (BlockArgument argument : getArguments(computation.getArrayRef()))
      from.push_back(prepare
                         .getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                       DannDialect::kNameAttr)
                         .getValue());
    std::string stem = "derived/" + llvm::join(from, ","), name = stem;
    for (unsigned i = 2; !taken.insert(name).second; ++i)
      name = stem + "/" + std::to_string(i);
    return StringAttr::get(&getContext(), name);
  }

  /// Makes a value an argument of its function: `argument`, or a new one.
  static void replace(Derived derived, Value &argument, StringAttr name) {
    SetVector<Operation *> computation = getComputation(derived.value);
    if (!argument) {
      func::FuncOp function = derived.user;
      unsigned index = function.getNumArguments();
      auto attributes = DictionaryAttr::get(
          name.getContext(), NamedAttribute(DannDialect::kNameAttr, name));
      (void)function.insertArgument(index, derived.value.getType(), attributes,
                                    derived.value.getLoc());
      argument = function.getArgument(index);
    }
    derived.value.replaceAllUsesWith(argument);
    for (Operation *op : llvm::reverse(computation))
      if (isOpTriviallyDead(op))
        op->erase();
  }
};

} // namespace
