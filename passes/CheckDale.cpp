//===- CheckDale.cpp - Prove that the program keeps Dale's law ------------===//

#include "passes/Passes.h"
#include "passes/SignAnalysis.h"

#include "mlir/Analysis/DataFlow/ConstantPropagationAnalysis.h"
#include "mlir/Analysis/DataFlow/DeadCodeAnalysis.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CHECKDALE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

struct CheckDalePass : dann::impl::CheckDaleBase<CheckDalePass> {
  void runOnOperation() override {
    DataFlowSolver solver;
    solver.load<dataflow::DeadCodeAnalysis>();
    solver.load<dataflow::SparseConstantPropagation>();
    solver.load<SignAnalysis>();
    if (failed(solver.initializeAndRun(getOperation())))
      return signalPassFailure();

    bool keeps = true;
    reported.clear();
    getOperation().walk([&](EILayerOpInterface layer) {
      keeps &= checkOperands(layer, solver);
    });
    SymbolTableCollection symbols;
    getOperation().walk([&](CallOpInterface call) {
      keeps &= checkArguments(call, symbols, solver);
    });
    getOperation().walk([&](FunctionOpInterface function) {
      keeps &= checkResults(function, solver);
    });
    if (!keeps)
      return signalPassFailure();
    markAllAnalysesPreserved();
  }

  /// The sign of a value; that of values never computed is Zero, which keeps
  /// every contract.
  static Sign signOf(Value value, DataFlowSolver &solver) {
    const auto *lattice = solver.lookupState<SignLattice>(value);
    return lattice ? lattice->getValue().sign.value_or(Sign::Zero) : Sign::Any;
  }

  DenseSet<std::pair<Attribute, unsigned>> reported;

  bool checkOperands(EILayerOpInterface layer, DataFlowSolver &solver) {
    bool keeps = true;
    for (OpOperand &operand : layer->getOpOperands()) {
      unsigned index = operand.getOperandNumber();
      Sign required = layer.getRequiredSign(index);
      Sign actual = signOf(operand.get(), solver);
      if (isSubsetOf(actual, required))
        continue;
      keeps = false;
      // All entry points hold the same layer: say it once. Inlining has wrapped
      // its place in the file.
      LocationAttr place = layer->getLoc()->findInstanceOf<FileLineColLoc>();
      if (!place) // the node of an ONNX model
        place = layer->getLoc()->findInstanceOf<NameLoc>();
      if (!place)
        place = layer.getLoc();
      if (!reported.insert({place, index}).second)
        continue;
      std::optional<Role> role = layer.getOperandRole(index);
      InFlightDiagnostic diagnostic =
          layer->emitOpError()
          << "breaks Dale's law: its "
          << (role ? stringifyRole(*role) : StringRef("input")) << " must be "
          << stringifySign(required) << ", but may be "
          << stringifySign(actual);
      if (Operation *origin = operand.get().getDefiningOp())
        diagnostic.attachNote(origin->getLoc())
            << "it is the result of '" << origin->getName() << "'";
      else
        diagnostic.attachNote(operand.get().getLoc())
            << "it is an argument without a contract that says so";
    }
    return keeps;
  }

  /// Whether `value` keeps the contract that `attributes` hold, those of the
  /// argument or result `index` of `function`; otherwise an error at `op`.
  /// Keeps it if there is none.
  static bool keepsContract(Value value, DictionaryAttr attributes,
                            Operation *op, StringRef kind, unsigned index,
                            FunctionOpInterface function,
                            DataFlowSolver &solver) {
    auto contract = attributes
                        ? attributes.getAs<SignAttr>(DannDialect::kSignAttr)
                        : SignAttr();
    if (!contract)
      return true;
    Sign actual = signOf(value, solver);
    if (isSubsetOf(actual, contract.getValue()))
      return true;
    InFlightDiagnostic diagnostic = op->emitOpError()
                                    << "breaks Dale's law: " << kind << " ";
    if (auto name = attributes.getAs<StringAttr>(DannDialect::kNameAttr))
      diagnostic << name;
    else
      diagnostic << "#" << index;
    diagnostic << " of '" << function.getName() << "' must be "
               << stringifySign(contract.getValue()) << ", but may be "
               << stringifySign(actual);
    return false;
  }

  /// A contract that the body of a public function relies on binds its callers.
  /// Private functions are analysed with what they are called with.
  bool checkArguments(CallOpInterface call, SymbolTableCollection &symbols,
                      DataFlowSolver &solver) {
    auto callee = dyn_cast_or_null<FunctionOpInterface>(
        call.resolveCallableInTable(&symbols));
    if (!callee || callee.isPrivate())
      return true;
    bool keeps = true;
    for (auto [i, value] : llvm::enumerate(call.getArgOperands()))
      keeps &= keepsContract(value, callee.getArgAttrDict(i), call, "argument",
                             i, callee, solver);
    return keeps;
  }

  bool checkResults(FunctionOpInterface function, DataFlowSolver &solver) {
    bool keeps = true;
    for (Block &block : function.getFunctionBody()) {
      Operation *terminator = block.getTerminator();
      if (!terminator->hasTrait<OpTrait::ReturnLike>())
        continue;
      for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
        Operation *offender = value.getDefiningOp();
        keeps &= keepsContract(value, function.getResultAttrDict(i),
                               offender ? offender : terminator, "result", i,
                               function, solver);
      }
    }
    return keeps;
  }
};

} // namespace
