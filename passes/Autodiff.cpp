//===- Autodiff.cpp - Reverse-mode differentiation ------------------------===//

#include "Utils/LinalgBuilder.h"
#include "passes/Backpropagation.h"
#include "passes/Passes.h"
#include "passes/SquaredGradients.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::dann {
#define GEN_PASS_DEF_AUTODIFF
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

/// What an operation reads: its operands, and what its regions capture.
static llvm::SetVector<Value> getInputs(Operation &op) {
  llvm::SetVector<Value> inputs;
  getUsedValuesDefinedAbove(op.getRegions(), inputs);
  inputs.insert(op.operand_begin(), op.operand_end());
  return inputs;
}

namespace {
/// Which values of a block depend on `wrt` and are depended on by `values`:
/// only through these do cotangents flow.
class Activity {
public:
  Activity(Block &block, ValueRange wrt, ValueRange values) {
    DenseSet<Value> varied(wrt.begin(), wrt.end());
    for (Operation &op : block)
      if (llvm::any_of(getInputs(op),
                       [&](Value v) { return varied.contains(v); }))
        for (Value result : op.getResults())
          if (isFloat(result))
            varied.insert(result);
    DenseSet<Value> useful(values.begin(), values.end());
    for (Operation &op : llvm::reverse(block))
      if (llvm::any_of(op.getResults(),
                       [&](Value v) { return useful.contains(v); }))
        useful.insert_range(getInputs(op));
    for (Value v : useful)
      if (varied.contains(v))
        active.insert(v);
  }

  bool isActive(Value value) const { return active.contains(value); }
  bool isActive(Operation &op) const {
    return llvm::any_of(op.getResults(), [&](Value v) { return isActive(v); });
  }

private:
  DenseSet<Value> active;
};
} // namespace

SmallVector<Operation *> mlir::dann::findNonDifferentiable(Block &block,
                                                           ValueRange wrt,
                                                           ValueRange values) {
  Activity activity(block, wrt, values);
  SmallVector<Operation *> found;
  for (Operation &op : block) {
    if (!activity.isActive(op))
      continue;
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    // Rules know operands alone: nothing would flow back to captured values.
    bool captures = llvm::any_of(getInputs(op), [&](Value v) {
      return activity.isActive(v) && !llvm::is_contained(op.getOperands(), v);
    });
    if (captures || !differentiable || !differentiable.isDifferentiable())
      found.push_back(&op);
  }
  return found;
}

SmallVector<Value> mlir::dann::backpropagate(OpBuilder &builder, Block &block,
                                             const IRMapping &mapping,
                                             ValueRange wrt, ValueRange values,
                                             ValueRange ofValues) {
  Activity activity(block, wrt, values);
  DenseMap<Value, Value> cotangents;
  auto accumulate = [&](Value value, Value cotangent, Location loc) {
    Value &sum = cotangents[value];
    sum = sum ? arith::AddFOp::create(builder, loc, sum, cotangent) : cotangent;
  };
  for (auto [value, cotangent] : llvm::zip_equal(values, ofValues))
    accumulate(value, cotangent, value.getLoc());
  for (Operation &op : llvm::reverse(block)) {
    SmallVector<Value> ofResults;
    for (Value result : op.getResults())
      ofResults.push_back(activity.isActive(result) ? cotangents.lookup(result)
                                                    : Value());
    if (!llvm::any_of(ofResults, [](Value v) { return v != nullptr; }))
      continue;
    llvm::BitVector activeOperands(op.getNumOperands());
    for (auto [i, operand] : llvm::enumerate(op.getOperands()))
      activeOperands[i] = activity.isActive(operand);
    SmallVector<Value> ofOperands(op.getNumOperands());
    cast<DifferentiableOpInterface>(mapping.lookup(&op))
        .buildVjp(builder, ofResults, activeOperands, ofOperands);
    for (auto [i, operand] : llvm::enumerate(op.getOperands())) {
      if (!activeOperands[i] || !ofOperands[i])
        continue;
      accumulate(operand, ofOperands[i], op.getLoc());
    }
  }
  return llvm::map_to_vector(wrt,
                             [&](Value v) { return cotangents.lookup(v); });
}

namespace {

struct AutodiffPass : dann::impl::AutodiffBase<AutodiffPass> {
  void runOnOperation() override {
    SymbolTableCollection symbols;
    bool ok = true;
    for (auto function : getOperation().getOps<FunctionOpInterface>())
      ok &= succeeded(expandIn(function, symbols));
    if (!ok)
      return signalPassFailure();
    // The reverse of a body reads only some of what the body reads.
    RewritePatternSet patterns(&getContext());
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }

  /// The functions whose requests are being expanded, from the outermost on.
  SmallVector<Operation *> underway;

  /// Expands all requests in `function`; first, what they differentiate.
  LogicalResult expandIn(FunctionOpInterface function,
                         SymbolTableCollection &symbols) {
    SmallVector<ValueAndGradOp> requests;
    function.walk([&](ValueAndGradOp op) { requests.push_back(op); });
    underway.push_back(function);
    bool ok = true;
    for (ValueAndGradOp request : requests) {
      auto callee = symbols.lookupNearestSymbolFrom<FunctionOpInterface>(
          request, request.getCalleeAttr());
      if (llvm::is_contained(underway, callee.getOperation())) {
        request.emitError() << "cannot differentiate '" << request.getCallee()
                            << "' inside of itself";
        ok = false;
      } else {
        ok &= succeeded(expandIn(callee, symbols)) &&
              succeeded(expand(request, callee));
      }
    }
    underway.pop_back();
    return success(ok);
  }

  /// Names an operation without a derivative; of a scan, those in its body.
  static void attachNotes(InFlightDiagnostic &diagnostic, Operation *obstacle) {
    if (auto scan = dyn_cast<ScanOp>(obstacle)) {
      for (Operation *inner : findNonDifferentiable(scan))
        attachNotes(diagnostic, inner);
      return;
    }
    diagnostic.attachNote(obstacle->getLoc())
        << "'" << obstacle->getName() << "' has no derivative";
  }

  LogicalResult expand(ValueAndGradOp op, FunctionOpInterface callee) {
    if (!callee.getFunctionBody().hasOneBlock())
      return op.emitError() << "cannot differentiate '" << op.getCallee()
                            << "': its body must be one block";
    Block &body = callee.getFunctionBody().front();
    Operation *terminator = body.getTerminator();
    Value value = terminator->getOperand(0);
    SmallVector<Value> wrt;
    for (int64_t position : op.getWrt())
      wrt.push_back(body.getArgument(position));

    SmallVector<Operation *> obstacles =
        findNonDifferentiable(body, wrt, value);
    if (!obstacles.empty()) {
      InFlightDiagnostic diagnostic =
          op.emitError() << "cannot differentiate '" << op.getCallee()
                         << "': " << obstacles.size()
                         << (obstacles.size() == 1 ? " operation has"
                                                   : " operations have")
                         << " no derivative";
      for (Operation *obstacle : obstacles)
        attachNotes(diagnostic, obstacle);
      return failure();
    }

    OpBuilder builder(op);
    IRMapping mapping;
    mapping.map(body.getArguments(), op.getArgs());
    for (Operation &inner : body.without_terminator())
      builder.clone(inner, mapping);
    LinalgBuilder linalg(builder, op.getLoc());
    Value one = linalg.fill({}, getElementTypeOrSelf(value.getType()), 1);
    SmallVector<Value> results = {mapping.lookupOrDefault(value)};
    llvm::append_range(results,
                       backpropagate(builder, body, mapping, wrt, value, one));
    for (auto [i, gradient] : llvm::enumerate(results))
      if (!gradient)
        gradient = linalg.zerosLike(mapping.lookup(wrt[i - 1]));
    if (op.getSquared() &&
        failed(squareTerms(op, body, MutableArrayRef(results).drop_front())))
      return failure();
    for (Value auxiliary : terminator->getOperands().drop_front())
      results.push_back(mapping.lookupOrDefault(auxiliary));
    op.replaceAllUsesWith(results);
    op.erase();
    return success();
  }
};

} // namespace
