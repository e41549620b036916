//===- OutlineLoops.cpp - Functions for loops that recur ------------------===//

#include "passes/Passes.h"
#include "passes/ProductForm.h"
#include "passes/VectorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::dann {
#define GEN_PASS_DEF_OUTLINELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

struct OutlineLoopsPass : dann::impl::OutlineLoopsBase<OutlineLoopsPass> {
  llvm::StringMap<func::FuncOp> functions;

  void runOnOperation() override {
    functions.clear();
    IRRewriter rewriter(&getContext());
    getOperation().walk([&](linalg::LinalgOp op) {
      if (!isa<linalg::FillOp, linalg::TransposeOp, linalg::CopyOp>(
              op.getOperation()) ||
          !op.hasPureBufferSemantics() || op.getNumLoops() == 0)
        return;
      rewriter.setInsertionPoint(op);
      (void)linalg::generalizeNamedOp(rewriter, op);
    });
    SmallVector<linalg::GenericOp> generics;
    getOperation().walk([&](linalg::GenericOp op) {
      if (op.hasPureBufferSemantics() &&
          llvm::all_of(op->getOperands(), [](Value operand) {
            return !isa<MemRefType>(operand.getType()) ||
                   hasContiguousRows(operand);
          }))
        generics.push_back(op);
    });
    for (linalg::GenericOp op : generics)
      outline(op);
  }

  void outline(linalg::GenericOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    SmallVector<Value> arguments;
    for (Value operand : op->getOperands())
      arguments.push_back(isa<MemRefType>(operand.getType())
                              ? b.createOrFold<memref::CastOp>(
                                    getGeneralType(operand.getType()), operand)
                              : operand);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegion(), captured);
    captured.remove_if(
        [](Value value) { return matchPattern(value, m_Constant()); });
    llvm::append_range(arguments, captured);

    std::string key = getBodyText(op);
    llvm::raw_string_ostream os(key);
    for (Value argument : arguments)
      os << " " << argument.getType();
    func::FuncOp &function = functions[key];
    if (!function)
      function = build(op, arguments, captured.getArrayRef());
    func::CallOp::create(b, function, arguments);
    op.erase();
  }

  func::FuncOp build(linalg::GenericOp op, ValueRange arguments,
                     ArrayRef<Value> captured) {
    ModuleOp module = getOperation();
    auto b = ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), module.getBody());
    auto function = func::FuncOp::create(
        b, "dann_loops_" + std::to_string(functions.size() - 1),
        b.getFunctionType(arguments.getTypes(), {}));
    function.setPrivate();
    // Shared for the sake of its size, so LLVM must not copy it into callers.
    function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
    Block *entry = function.addEntryBlock();
    b.setInsertionPointToStart(entry);

    IRMapping mapping;
    unsigned numOperands = op->getNumOperands();
    mapping.map(captured, entry->getArguments().drop_front(numOperands));
    op.getRegion().walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (!op.getRegion().isAncestor(operand.getParentRegion()) &&
            !mapping.contains(operand))
          if (Operation *constant = operand.getDefiningOp())
            b.clone(*constant, mapping);
    });
    auto outlined = cast<linalg::GenericOp>(b.clone(*op, mapping));
    outlined->setOperands(entry->getArguments().take_front(numOperands));
    func::ReturnOp::create(b);
    return function;
  }
};

} // namespace
