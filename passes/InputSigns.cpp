//===- InputSigns.cpp - Signs that models take their inputs to have -------===//

#include "passes/InputSigns.h"

#include "passes/SignAnalysis.h"

#include "mlir/Analysis/DataFlow/ConstantPropagationAnalysis.h"
#include "mlir/Analysis/DataFlow/DeadCodeAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace mlir::dann;

/// Null if the analysis fails.
static std::unique_ptr<DataFlowSolver> analyze(ModuleOp module) {
  auto solver = std::make_unique<DataFlowSolver>();
  solver->load<dataflow::DeadCodeAnalysis>();
  solver->load<dataflow::SparseConstantPropagation>();
  solver->load<SignAnalysis>();
  if (failed(solver->initializeAndRun(module)))
    return nullptr;
  return solver;
}

static bool isNonnegative(const DataFlowSolver *solver, Value value) {
  const auto *lattice =
      solver ? solver->lookupState<SignLattice>(value) : nullptr;
  return lattice && lattice->getValue().sign &&
         isSubsetOf(*lattice->getValue().sign, Sign::Nonneg);
}

/// Whether an argument is an input of floats without a contract.
static bool isFreeInput(BlockArgument argument) {
  auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
  if (!function || !isa<FloatType>(getElementTypeOrSelf(argument.getType())))
    return false;
  StringRef contracts[] = {DannDialect::kRoleAttr, DannDialect::kSignAttr,
                           DannDialect::kRangeAttr};
  return llvm::none_of(contracts, [&](StringRef name) {
    return function.getArgAttr(argument.getArgNumber(), name);
  });
}

static void assumeNonnegative(BlockArgument argument) {
  cast<func::FuncOp>(argument.getOwner()->getParentOp())
      .setArgAttr(argument.getArgNumber(), DannDialect::kSignAttr,
                  SignAttr::get(argument.getContext(), Sign::Nonneg));
}

InputSigns::InputSigns(ModuleOp module) : known(analyze(module)) {
  SmallVector<std::pair<func::FuncOp, unsigned>> assumed;
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.isExternal()
                                      ? ArrayRef<BlockArgument>()
                                      : function.getArguments())
      if (isFreeInput(argument)) {
        assumeNonnegative(argument);
        assumed.emplace_back(function, argument.getArgNumber());
      }
  implied = analyze(module);
  for (auto [function, i] : assumed)
    function.removeArgAttr(i, DannDialect::kSignAttr);
}

bool InputSigns::canBeNonnegative(Value value) const {
  return isNonnegative(known.get(), value) ||
         isNonnegative(implied.get(), value);
}

void InputSigns::demandNonnegative(Value value) const {
  SmallVector<Value> pending = {value};
  DenseSet<Value> seen;
  while (!pending.empty()) {
    value = pending.pop_back_val();
    if (isNonnegative(known.get(), value) || !seen.insert(value).second)
      continue;
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      if (isFreeInput(argument))
        assumeNonnegative(argument);
      continue;
    }
    value.getDefiningOp()->walk(
        [&](Operation *op) { llvm::append_range(pending, op->getOperands()); });
  }
}
