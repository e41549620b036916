//===- FuseLoops.cpp - One pass over the data for elementwise maths -------===//

#include "passes/Passes.h"
#include "passes/ProductForm.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_FUSELOOPS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

bool isElementwise(linalg::GenericOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumDpsInits() == 0 ||
      op.getNumLoops() == 0 || op.getNumParallelLoops() != op.getNumLoops())
    return false;
  for (OpOperand &init : op.getDpsInitsMutable())
    if (!op.getMatchingIndexingMap(&init).isIdentity() ||
        op.payloadUsesValueFromOperand(&init))
      return false;
  return true;
}

/// Whether the loops of both run over the same range. Of sizes that are not
/// known there is only one, the batch.
bool haveSameLoops(linalg::GenericOp a, linalg::GenericOp b) {
  return cast<MemRefType>(a.getDpsInits()[0].getType()).getShape() ==
         cast<MemRefType>(b.getDpsInits()[0].getType()).getShape();
}

/// Whether `first` and `second` meet only the same entries of memory in an
/// iteration, where one of them writes it.
bool meetEntryByEntry(linalg::GenericOp first, linalg::GenericOp second) {
  // What a body looks up may be any entry.
  for (auto [reader, writer] : {std::pair(first, second), {second, first}})
    for (Value buffer : getBuffersReadInBody(reader))
      for (Value written : writer.getDpsInits())
        if (mayShareMemory(buffer, written))
          return false;
  for (OpOperand &a : first->getOpOperands())
    for (OpOperand &b : second->getOpOperands()) {
      if (!isa<MemRefType>(a.get().getType()) ||
          !isa<MemRefType>(b.get().getType()) ||
          (!first.isDpsInit(&a) && !second.isDpsInit(&b)) ||
          !mayShareMemory(a.get(), b.get()))
        continue;
      if (a.get() != b.get() ||
          !first.getMatchingIndexingMap(&a).isIdentity() ||
          !second.getMatchingIndexingMap(&b).isIdentity())
        return false;
    }
  return true;
}

/// Whether fusing the two saves memory traffic: they meet the same entries of a
/// buffer in each iteration. Operations that share less, such as the updates of
/// two layers, which share the learning rate, would make one loop over more and
/// more buffers the deeper the network is.
bool meetSameEntries(linalg::GenericOp first, linalg::GenericOp second) {
  return llvm::any_of(second->getOpOperands(), [&](OpOperand &b) {
    AffineMap map = second.getMatchingIndexingMap(&b);
    return map.isPermutation() &&
           llvm::any_of(first->getOpOperands(), [&](OpOperand &a) {
             return a.get() == b.get() &&
                    first.getMatchingIndexingMap(&a) == map;
           });
  });
}

/// Whether `later` may run before `earlier`.
bool canOvertake(linalg::GenericOp later, Operation *earlier) {
  if (isMemoryEffectFree(earlier) || isa<memref::AllocOp>(earlier))
    return true;
  auto op = dyn_cast<linalg::LinalgOp>(earlier);
  if (!op)
    return false;
  for (OpOperand &a : op->getOpOperands())
    for (OpOperand &b : later->getOpOperands())
      if (isa<MemRefType>(a.get().getType()) &&
          isa<MemRefType>(b.get().getType()) &&
          (op.isDpsInit(&a) || later.isDpsInit(&b)) &&
          mayShareMemory(a.get(), b.get()))
        return false;
  auto looksUp = [](linalg::LinalgOp reader, linalg::LinalgOp writer) {
    return llvm::any_of(getBuffersReadInBody(reader), [&](Value buffer) {
      return llvm::any_of(writer.getDpsInits(), [&](Value written) {
        return mayShareMemory(buffer, written);
      });
    });
  };
  return !looksUp(later, op) && !looksUp(op, later);
}

/// Makes one operation of both, in the place of the first one.
linalg::GenericOp fuse(linalg::GenericOp first, linalg::GenericOp second) {
  SmallVector<Value> inputs, inits;
  SmallVector<AffineMap> inputMaps, initMaps;
  // Where the body arguments of the two are found among the inputs of the new
  // one, or among the results of the first.
  struct Source {
    bool isResult;
    unsigned index;
  };
  SmallVector<Source> firstSources, secondSources;
  auto addInput = [&](Value value, AffineMap map) -> unsigned {
    for (auto [i, other] : llvm::enumerate(inputs))
      if (other == value && inputMaps[i] == map)
        return i;
    inputs.push_back(value);
    inputMaps.push_back(map);
    return inputs.size() - 1;
  };
  for (OpOperand *input : first.getDpsInputOperands())
    firstSources.push_back(
        {false, addInput(input->get(), first.getMatchingIndexingMap(input))});
  for (OpOperand *input : second.getDpsInputOperands()) {
    OperandRange made = first.getOutputs();
    auto found = llvm::find(made, input->get());
    if (found != made.end())
      secondSources.push_back({true, unsigned(found - made.begin())});
    else
      secondSources.push_back(
          {false,
           addInput(input->get(), second.getMatchingIndexingMap(input))});
  }
  // Results of the first that nobody else needs are not stored.
  SmallVector<unsigned> kept;
  for (auto [i, init] : llvm::enumerate(first.getDpsInits())) {
    if (llvm::is_contained(second.getDpsInits(), init) ||
        isUsedOnlyBy(init, {first, second}))
      continue;
    kept.push_back(i);
    inits.push_back(init);
    initMaps.push_back(
        first.getMatchingIndexingMap(first.getDpsInitOperand(i)));
  }
  for (OpOperand &init : second.getDpsInitsMutable()) {
    inits.push_back(init.get());
    initMaps.push_back(second.getMatchingIndexingMap(&init));
  }

  ImplicitLocOpBuilder b(second.getLoc(), first);
  llvm::append_range(inputMaps, initMaps);
  auto fused = linalg::GenericOp::create(
      b, TypeRange(), inputs, inits, inputMaps, first.getIteratorTypesArray(),
      [&](OpBuilder &nested, Location loc, ValueRange arguments) {
        auto inlineBody = [&](linalg::GenericOp op, ArrayRef<Source> sources,
                              ArrayRef<Value> results) {
          IRMapping mapping;
          for (auto [argument, source] :
               llvm::zip_first(sources, op.getBody()->getArguments())) {
            mapping.map(source, argument.isResult ? results[argument.index]
                                                  : arguments[argument.index]);
          }
          for (Operation &inner : op.getBody()->without_terminator())
            nested.clone(inner, mapping);
          SmallVector<Value> yielded;
          for (Value value : op.getBody()->getTerminator()->getOperands())
            yielded.push_back(mapping.lookupOrDefault(value));
          return yielded;
        };
        auto firstResults = inlineBody(first, firstSources, {});
        auto secondResults = inlineBody(second, secondSources, firstResults);
        SmallVector<Value> all;
        for (unsigned i : kept)
          all.push_back(firstResults[i]);
        llvm::append_range(all, secondResults);
        linalg::YieldOp::create(nested, loc, all);
      });
  first.erase();
  second.erase();
  return fused;
}

struct FuseLoopsPass : dann::impl::FuseLoopsBase<FuseLoopsPass> {
  void runOnOperation() override {
    SmallVector<Block *> blocks;
    getOperation().walk([&](Block *block) {
      if (!isa<linalg::LinalgOp>(block->getParentOp()))
        blocks.push_back(block);
    });
    for (Block *each : blocks) {
      Block &block = *each;
      hoistAllocations(block);
      for (auto it = block.begin(); it != block.end();) {
        auto second = dyn_cast<linalg::GenericOp>(*it);
        ++it;
        if (!second || !isElementwise(second))
          continue;
        // What both have read may be the result of one before.
        while (linalg::GenericOp first = findPartner(second))
          second = fuse(first, second);
      }
    }
  }

  /// Buffers that a later operation needs exist from the beginning.
  static void hoistAllocations(Block &block) {
    SmallVector<Operation *> hoisted;
    for (Operation &op : block) {
      bool isSizeOfArgument =
          isa<memref::DimOp>(op) && isa<BlockArgument>(op.getOperand(0));
      if (op.hasTrait<OpTrait::ConstantLike>() || isSizeOfArgument ||
          isa<memref::AllocOp>(op))
        hoisted.push_back(&op);
    }
    // Constants are operands of sizes, and sizes of buffers.
    auto rank = [](Operation *op) {
      return isa<memref::AllocOp>(op) ? 2 : isa<memref::DimOp>(op) ? 1 : 0;
    };
    llvm::stable_sort(
        hoisted, [&](Operation *a, Operation *b) { return rank(a) < rank(b); });
    for (Operation *op : llvm::reverse(hoisted))
      if (llvm::all_of(op->getOperands(), [&](Value operand) {
            return isa<BlockArgument>(operand) ||
                   llvm::is_contained(hoisted, operand.getDefiningOp());
          }))
        op->moveBefore(&block, block.begin());
  }

  /// The nearest operation before `second` that it can be fused with.
  static linalg::GenericOp findPartner(linalg::GenericOp second) {
    auto isAvailable = [&](Value value, Operation *at) {
      Operation *definition = value.getDefiningOp();
      return !definition || (definition->getBlock() == at->getBlock() &&
                             definition->isBeforeInBlock(at));
    };
    for (Operation *op = second->getPrevNode(); op; op = op->getPrevNode()) {
      auto first = dyn_cast<linalg::GenericOp>(op);
      if (first && isElementwise(first) && haveSameLoops(first, second) &&
          meetSameEntries(first, second) && meetEntryByEntry(first, second)) {
        bool allAvailable = llvm::all_of(second->getOperands(), [&](Value v) {
          return isAvailable(v, first);
        });
        second.getRegion().walk([&](Operation *inner) {
          for (Value value : inner->getOperands())
            if (value.getParentRegion() != &second.getRegion())
              allAvailable &= isAvailable(value, first);
        });
        if (allAvailable)
          return first;
      }
      if (!canOvertake(second, op))
        return nullptr;
    }
    return nullptr;
  }
};

} // namespace
