//===- ChooseDestinations.cpp - What operations write into ----------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CHOOSEDESTINATIONS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The tensor whose contents `value` starts from: destination of destination.
Value getFirstDestination(Value value) {
  while (auto result = dyn_cast<OpResult>(value)) {
    auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner());
    if (!op)
      break;
    value = op.getTiedOpOperand(result)->get();
  }
  return value;
}

/// Makes `argument`, or what was accumulated on it, the destination of `op`,
/// whose result is undefined before, if it reads that entry by entry.
void reuseArgument(linalg::LinalgOp op, BlockArgument argument) {
  OpOperand *init = op.getDpsInitOperand(0);
  if (op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !init->get().getDefiningOp<tensor::EmptyOp>() ||
      op.payloadUsesValueFromOperand(init))
    return;
  for (OpOperand *input : op.getDpsInputOperands())
    if (getFirstDestination(input->get()) == argument &&
        op.getMatchingIndexingMap(input) == op.getMatchingIndexingMap(init)) {
      init->set(input->get());
      return;
    }
}

/// Gives every destination without contents, or with one value everywhere, to
/// one operation alone. CSE makes them shared, which would turn into copies.
void separateDestinations(func::FuncOp function) {
  OpBuilder b(function.getContext());
  function.walk([&](linalg::LinalgOp op) {
    b.setInsertionPoint(op);
    for (OpOperand &init : op.getDpsInitsMutable()) {
      Operation *made = init.get().getDefiningOp();
      if (!isa_and_nonnull<tensor::EmptyOp, linalg::FillOp>(made))
        continue;
      Operation *own = b.clone(*made);
      if (auto fill = dyn_cast<linalg::FillOp>(own))
        if (Operation *empty =
                fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>())
          fill.getOutputsMutable()[0].set(
              b.insert(empty->clone())->getResult(0));
      own->moveBefore(op);
      init.set(own->getResult(0));
      // Bufferization would fill even what nobody reads.
      if (made->use_empty())
        made->erase();
    }
  });
}

/// The destination without contents that `value` starts from, in `block`; null
/// if it starts from something else.
OpOperand *getEmptyDestination(Value value, Block *block) {
  while (auto result = dyn_cast<OpResult>(value)) {
    auto op = dyn_cast<DestinationStyleOpInterface>(result.getOwner());
    if (!op || op->getBlock() != block)
      return nullptr;
    OpOperand *init = op.getTiedOpOperand(result);
    if (init->get().getDefiningOp<tensor::EmptyOp>())
      return init;
    value = init->get();
  }
  return nullptr;
}

/// Whether `op` reads `value` entry by entry, where it writes its first result.
bool readsEntryByEntry(Operation *operation, Value value) {
  auto op = dyn_cast<linalg::LinalgOp>(operation);
  if (!op || op.getNumParallelLoops() != op.getNumLoops())
    return false;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  return llvm::all_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    return input->get() != value || op.getMatchingIndexingMap(input) == result;
  });
}

/// Makes the new values of what a loop carries in the place of the old ones,
/// where nothing reads these later, and copies them there where something does:
/// one buffer serves all iterations.
void reuseCarries(scf::ForOp loop) {
  Block *body = loop.getBody();
  OpBuilder builder(body->getTerminator());
  for (auto [argument, yielded] :
       llvm::zip(loop.getRegionIterArgs(), *loop.getYieldedValuesMutable())) {
    Value value = yielded.get();
    OpOperand *start = getEmptyDestination(value, body);
    if (!start || start->get().getType() != argument.getType())
      continue;
    Operation *writer = start->getOwner();
    bool isFree = llvm::all_of(argument.getUsers(), [&](Operation *user) {
      Operation *reader = body->findAncestorOpInBlock(*user);
      return reader == writer ? readsEntryByEntry(writer, argument)
                              : reader->isBeforeInBlock(writer);
    });
    if (isFree)
      start->set(argument);
    else
      yielded.set(
          linalg::CopyOp::create(builder, loop.getLoc(), value, Value(argument))
              .getResult(0));
  }
}

/// Says which arguments bufferization must not write to: those that no result
/// replaces. They are the caller's, and may be read-only.
void protectArguments(func::FuncOp function) {
  if (!function.isPublic())
    return;
  llvm::SmallBitVector updated(function.getNumArguments());
  for (unsigned i = 0; i < function.getNumResults(); ++i)
    if (auto updates = function.getResultAttrOfType<IntegerAttr>(
            i, DannDialect::kUpdatesAttr))
      updated.set(updates.getInt());
  for (unsigned i = 0; i < function.getNumArguments(); ++i)
    if (!updated[i] && isa<TensorType>(function.getArgument(i).getType()))
      function.setArgAttr(
          i, bufferization::BufferizationDialect::kWritableAttrName,
          BoolAttr::get(function.getContext(), false));
}

struct ChooseDestinationsPass
    : dann::impl::ChooseDestinationsBase<ChooseDestinationsPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function.getBody().hasOneBlock())
      return;
    protectArguments(function);
    separateDestinations(function);
    function.walk(reuseCarries);
    Operation *terminator = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
      auto updates = function.getResultAttrOfType<IntegerAttr>(
          i, DannDialect::kUpdatesAttr);
      if (!updates)
        continue;
      if (auto op = value.getDefiningOp<linalg::LinalgOp>())
        reuseArgument(op, function.getArgument(updates.getInt()));
    }
  }
};

} // namespace
