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
#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::dann {
#define GEN_PASS_DEF_OUTLINELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// An operation with what its function will take.
struct Loops {
  linalg::GenericOp op;
  SmallVector<Value> buffers;
  SmallVector<Value> captured; // values from outside that are no constants
};

/// The operands of getIntegers that are not the same in all of `group`.
BitVector findDifferentIntegers(ArrayRef<Loops> group) {
  SmallVector<OpOperand *> first = getIntegers(group.front().op);
  BitVector different(first.size());
  auto getValue = [](OpOperand *operand) {
    Attribute value;
    matchPattern(operand->get(), m_Constant(&value));
    return value;
  };
  for (const Loops &loops : group.drop_front())
    for (auto [i, operand] : llvm::enumerate(getIntegers(loops.op)))
      if (getValue(operand) != getValue(first[i]))
        different.set(i);
  return different;
}

struct OutlineLoopsPass : dann::impl::OutlineLoopsBase<OutlineLoopsPass> {
  void runOnOperation() override {
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
    llvm::MapVector<StringAttr, SmallVector<Loops>> groups;
    for (linalg::GenericOp op : generics) {
      Loops loops = prepare(op);
      std::string key = getBodyText(op, /*withIntegers=*/false);
      llvm::raw_string_ostream os(key);
      for (Value argument :
           llvm::concat<const Value>(loops.buffers, loops.captured))
        os << " " << argument.getType();
      groups[StringAttr::get(&getContext(), key)].push_back(loops);
    }
    for (auto [i, group] : llvm::enumerate(llvm::make_second_range(groups)))
      outline(group, i);
  }

  static Loops prepare(linalg::GenericOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    Loops loops{op, {}, {}};
    for (Value operand : op->getOperands())
      loops.buffers.push_back(
          isa<MemRefType>(operand.getType())
              ? b.createOrFold<memref::CastOp>(
                    getGeneralType(operand.getType()), operand)
              : operand);
    llvm::SetVector<Value> captured;
    getUsedValuesDefinedAbove(op.getRegion(), captured);
    captured.remove_if(
        [](Value value) { return matchPattern(value, m_Constant()); });
    loops.captured = captured.takeVector();
    return loops;
  }

  void outline(MutableArrayRef<Loops> group, unsigned number) {
    BitVector different = findDifferentIntegers(group);
    func::FuncOp function;
    for (Loops &loops : group) {
      SmallVector<Value> arguments = loops.buffers;
      llvm::append_range(arguments, loops.captured);
      SmallVector<OpOperand *> integers = getIntegers(loops.op);
      for (unsigned i : different.set_bits())
        arguments.push_back(integers[i]->get());
      if (!function)
        function = build(loops, arguments, different, number);
      ImplicitLocOpBuilder b(loops.op.getLoc(), loops.op);
      func::CallOp::create(b, function, arguments);
    }
    for (Loops &loops : group)
      loops.op.erase();
  }

  func::FuncOp build(Loops &loops, ValueRange arguments,
                     const BitVector &different, unsigned number) {
    linalg::GenericOp op = loops.op;
    ModuleOp module = getOperation();
    auto b = ImplicitLocOpBuilder::atBlockEnd(op.getLoc(), module.getBody());
    auto function =
        func::FuncOp::create(b, "dann_loops_" + std::to_string(number),
                             b.getFunctionType(arguments.getTypes(), {}));
    function.setPrivate();
    // Shared for the sake of its size, so LLVM must not copy it into callers.
    function->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
    Block *entry = function.addEntryBlock();
    b.setInsertionPointToStart(entry);

    IRMapping mapping;
    unsigned numOperands = op->getNumOperands();
    auto rest = entry->getArguments().drop_front(numOperands);
    mapping.map(loops.captured, rest.take_front(loops.captured.size()));
    op.getRegion().walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (!op.getRegion().isAncestor(operand.getParentRegion()) &&
            !mapping.contains(operand))
          if (Operation *constant = operand.getDefiningOp())
            b.clone(*constant, mapping);
    });
    auto outlined = cast<linalg::GenericOp>(b.clone(*op, mapping));
    outlined->setOperands(entry->getArguments().take_front(numOperands));
    SmallVector<OpOperand *> integers = getIntegers(outlined);
    for (auto [i, argument] : llvm::zip_first(
             different.set_bits(), rest.drop_front(loops.captured.size())))
      integers[i]->set(argument);
    func::ReturnOp::create(b);
    return function;
  }
};

} // namespace
