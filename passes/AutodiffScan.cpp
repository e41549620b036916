//===- AutodiffScan.cpp - Derivatives of recurrence -----------------------===//
//
// Backpropagation through time: the derivative of a scan is a scan in the other
// direction.
//
//===----------------------------------------------------------------------===//

#include "passes/Backpropagation.h"
#include "passes/CloneScan.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

SmallVector<Value> getFloats(ValueRange values) {
  return llvm::filter_to_vector(values, isFloat);
}

/// Builds the reverse scan of one scan.
///
/// Its body holds the operations of the forward body and their reverse sweep.
/// What the sweep reads of the forward values is then either a residual, saved
/// by the forward scan, or computed again.
class ReverseScan {
public:
  ReverseScan(ScanOp forward, OpBuilder &builder,
              ArrayRef<Value> resultCotangents, const llvm::BitVector &active)
      : forward(forward), builder(builder), resultCotangents(resultCotangents),
        active(active) {}

  void build(MutableArrayRef<Value> operandCotangents) {
    addArguments();
    OpBuilder inner(builder.getContext());
    inner.setInsertionPointToStart(block);
    IRMapping mapping;
    mapping.map(forward.getBody().getArguments(), primals);
    Block &body = forward.getBody().front();
    for (Operation &op : body.without_terminator()) {
      Operation *clone = inner.clone(op, mapping);
      clones.insert(clone);
      for (auto [original, copy] :
           llvm::zip(op.getResults(), clone->getResults()))
        originals[copy] = original;
    }
    backpropagateStep(inner, mapping);
    saveResiduals();
    finish(operandCotangents);
  }

private:
  unsigned numCarries() { return forward.getInitials().size(); }
  unsigned numSequences() { return forward.getSequences().size(); }
  bool isActive(unsigned operand) {
    return active[operand] && isFloat(forward.getOperand(operand)) &&
           !forward.getBody().getArgument(operand).use_empty();
  }

  /// The arguments in the order of a scan's: cotangents of the carries and
  /// sums over the steps of cotangents of invariants; the carries and slices of
  /// the step and cotangents of its outputs; the invariants.
  void addArguments() {
    // In the function until it becomes the body of the reverse scan: rules
    // look at what is around an operation.
    block = &builder.getBlock()->getParent()->emplaceBlock();
    LinalgBuilder linalg(builder, forward.getLoc());
    auto add = [&](Value operand, Type type) {
      operands.push_back(operand);
      return block->addArgument(type, forward.getLoc());
    };
    for (auto [i, initial] : llvm::enumerate(forward.getInitials()))
      if (isFloat(initial)) {
        Value cotangent = resultCotangents[i];
        carryCotangents.push_back(
            add(cotangent ? cotangent : linalg.zerosLike(initial),
                initial.getType()));
      }
    for (auto [i, invariant] : llvm::enumerate(forward.getInvariants()))
      if (isActive(numCarries() + numSequences() + i))
        sums.push_back(add(linalg.zerosLike(invariant), invariant.getType()));
    numReverseCarries = operands.size();
    // The saved carries are made when it is known which ones are needed.
    for (BlockArgument carry : forward.getCarryArguments())
      primals.push_back(add({}, carry.getType()));
    for (auto [slice, sequence] :
         llvm::zip(forward.getSliceArguments(), forward.getSequences()))
      primals.push_back(add(sequence, slice.getType()));
    for (auto [i, output] : llvm::enumerate(forward.getYield().getOutputs()))
      outputCotangents.push_back(
          resultCotangents[numCarries() + i]
              ? add(resultCotangents[numCarries() + i], output.getType())
              : Value());
    numReverseSequences = operands.size() - numReverseCarries;
    for (auto [argument, invariant] :
         llvm::zip(forward.getInvariantArguments(), forward.getInvariants()))
      primals.push_back(add(invariant, argument.getType()));
  }

  /// The reverse sweep of a step and the terminator.
  void backpropagateStep(OpBuilder &inner, const IRMapping &mapping) {
    YieldOp yield = forward.getYield();
    SmallVector<Value> values = getFloats(yield.getCarries());
    SmallVector<Value> cotangents = carryCotangents;
    for (auto [output, cotangent] :
         llvm::zip(yield.getOutputs(), outputCotangents))
      if (cotangent) {
        values.push_back(output);
        cotangents.push_back(cotangent);
      }
    SmallVector<Value> wrt;
    for (BlockArgument argument : forward.getBody().getArguments())
      if (argument.getArgNumber() < numCarries()
              ? isFloat(argument)
              : isActive(argument.getArgNumber()))
        wrt.push_back(argument);
    auto ofArguments = backpropagate(inner, forward.getBody().front(), mapping,
                                     wrt, values, cotangents);

    LinalgBuilder linalg(inner, forward.getLoc());
    SmallVector<Value> carries, slices;
    auto sum = sums.begin();
    for (auto [argument, cotangent] : llvm::zip(wrt, ofArguments)) {
      unsigned index = cast<BlockArgument>(argument).getArgNumber();
      if (index < numCarries()) {
        carries.push_back(cotangent ? cotangent : linalg.zerosLike(argument));
      } else if (index < numCarries() + numSequences()) {
        slices.push_back(
            cotangent ? cotangent : linalg.zerosLike(mapping.lookup(argument)));
      } else {
        Value total = *sum++;
        carries.push_back(cotangent
                              ? arith::AddFOp::create(inner, forward.getLoc(),
                                                      total, cotangent)
                              : total);
      }
    }
    YieldOp::create(inner, forward.getLoc(), carries, slices);
  }

  /// Whether the reverse scan makes a value again rather than reading it.
  bool isRecomputed(Operation *op) {
    return forward.getCheckpointEvery() ||
           op->hasTrait<OpTrait::ConstantLike>() ||
           isa<tensor::EmptyOp, linalg::FillOp>(op) ||
           !llvm::all_of(op->getResultTypes(), llvm::IsaPred<RankedTensorType>);
  }

  /// Replaces forward values that the sweep reads by arguments, and drops what
  /// makes the others.
  void saveResiduals() {
    SmallVector<Operation *> dead;
    for (Operation &op : llvm::make_early_inc_range(llvm::reverse(*block))) {
      if (!clones.contains(&op))
        continue;
      if (!isRecomputed(&op))
        for (Value result : op.getResults()) {
          if (result.use_empty())
            continue;
          unsigned index = numReverseCarries + numReverseSequences++;
          Value residual =
              block->insertArgument(index, result.getType(), forward.getLoc());
          operands.insert(operands.begin() + index, Value());
          saved.push_back({index, originals[result]});
          result.replaceAllUsesWith(residual);
        }
      if (op.use_empty())
        op.erase();
    }
    for (auto [i, argument] : llvm::enumerate(forward.getCarryArguments()))
      if (!primals[i].use_empty())
        saved.push_back(
            {numReverseCarries + static_cast<unsigned>(i), argument});
  }

  /// Makes the forward scan give what is saved, and the reverse scan.
  void finish(MutableArrayRef<Value> operandCotangents) {
    SmallVector<Value> stacked = saveInForward();
    for (auto [residual, sequence] : llvm::zip(saved, stacked))
      operands[residual.first] = sequence;
    // Arguments that nothing reads.
    llvm::BitVector unused(operands.size());
    for (unsigned i = numReverseCarries; i < operands.size(); ++i)
      unused[i] = block->getArgument(i).use_empty();
    // A scan needs a sequence: any of them counts the steps.
    unsigned first = numReverseCarries;
    auto isUnused = [&](unsigned i) { return unused[i]; };
    if (llvm::all_of(llvm::seq(first, first + numReverseSequences), isUnused))
      unused.reset(first + numCarries());
    block->eraseArguments(unused);
    SmallVector<Value> kept[3];
    for (auto [i, operand] : llvm::enumerate(operands))
      if (!unused[i])
        kept[i < numReverseCarries                         ? 0
             : i < numReverseCarries + numReverseSequences ? 1
                                                           : 2]
            .push_back(operand);

    auto reverse = ScanOp::create(
        builder, forward.getLoc(), kept[0], kept[1], kept[2],
        !forward.getReverse(),
        [&](OpBuilder &b, Location, ValueRange arguments) {
          for (auto [old, argument] :
               llvm::zip_equal(block->getArguments(), arguments))
            old.replaceAllUsesWith(argument);
          Block *target = b.getInsertionBlock();
          target->getOperations().splice(target->end(), block->getOperations());
        });
    block->erase();
    auto carry = reverse.getLastCarries().begin();
    auto output = reverse.getOutputs().begin();
    for (auto [i, initial] : llvm::enumerate(forward.getInitials()))
      if (isFloat(initial)) {
        Value cotangent = *carry++;
        if (active[i])
          operandCotangents[i] = cotangent;
      }
    for (unsigned i = numCarries(), e = forward.getNumOperands(); i < e; ++i)
      if (isActive(i))
        operandCotangents[i] =
            i < numCarries() + numSequences() ? *output++ : *carry++;
  }

  /// What is saved, stacked over the steps.
  SmallVector<Value> saveInForward() {
    YieldOp yield = forward.getYield();
    SmallVector<Value> outputs = yield.getOutputs();
    SmallVector<unsigned> positions;
    for (auto [index, value] : saved) {
      auto found = llvm::find(outputs, value);
      positions.push_back(found - outputs.begin());
      if (found == outputs.end())
        outputs.push_back(value);
    }
    ScanOp source = forward;
    if (outputs.size() > yield.getOutputs().size()) {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPoint(forward);
      source = cloneScan(builder, forward, yield.getCarries(), outputs);
      // The old scan is left without uses.
      for (auto [old, value] :
           llvm::zip(forward.getResults(), source.getResults()))
        old.replaceAllUsesWith(value);
    }
    return llvm::map_to_vector(positions, [&](unsigned position) -> Value {
      return source.getOutputs()[position];
    });
  }

  ScanOp forward;
  OpBuilder &builder;
  ArrayRef<Value> resultCotangents;
  const llvm::BitVector &active;

  Block *block = nullptr;
  SmallVector<Value> operands; // of the reverse scan, one for each argument
  unsigned numReverseCarries = 0, numReverseSequences = 0;
  SmallVector<Value> carryCotangents, sums, primals;
  SmallVector<Value> outputCotangents; // null for zero
  DenseSet<Operation *> clones;        // of the forward body's operations
  DenseMap<Value, Value> originals;    // of the clones' results
  // Arguments of the reverse body and the forward values that they hold.
  SmallVector<std::pair<unsigned, Value>> saved;
};

struct ScanModel : DifferentiableOpInterface::ExternalModel<ScanModel, ScanOp> {
  bool isDifferentiable(Operation *op) const {
    return findNonDifferentiable(cast<ScanOp>(op)).empty();
  }
  void buildVjp(Operation *op, OpBuilder &builder, ArrayRef<Value> cotangents,
                const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    ReverseScan(cast<ScanOp>(op), builder, cotangents, active)
        .build(operandCotangents);
  }
};

/// W = wex - wei . wix: dwex = dW, dwix = -wei^T . dW, dwei = -dW . wix^T.
struct FoldModel
    : DifferentiableOpInterface::ExternalModel<FoldModel, FoldInhibitionOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<FoldInhibitionOp>(operation);
    LinalgBuilder b(builder, op.getLoc());
    Value dw = cotangents[0];
    operandCotangents[0] = dw;
    if (!active[1] && !active[2])
      return;
    // The sign goes to the smaller factors.
    auto negate = [&](Value value) {
      return arith::NegFOp::create(builder, op.getLoc(), value);
    };
    operandCotangents[1] = b.product(negate(op.getWei()), true, dw, false);
    operandCotangents[2] = b.product(dw, false, negate(op.getWix()), true);
  }
};

/// z = x . W^T + b: dx = dz . W, dW = dz^T . x, db = sum over B of dz.
struct FoldedModel
    : DifferentiableOpInterface::ExternalModel<FoldedModel, EiDenseFoldedOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<EiDenseFoldedOp>(operation);
    LinalgBuilder b(builder, op.getLoc());
    Value dz = cotangents[0];
    if (active[0])
      operandCotangents[0] = b.product(dz, false, op.getFolded(), false);
    if (active[1])
      operandCotangents[1] = b.product(dz, true, op.getX(), false);
    if (op.getBias() && active[2])
      operandCotangents[2] =
          b.generic(2, {{dz, {0, 1}}}, {b.zerosLike(op.getBias()), {1}},
                    [](ImplicitLocOpBuilder &b, ValueRange args) {
                      return arith::AddFOp::create(b, args[1], args[0]);
                    });
  }
};

} // namespace

SmallVector<Operation *> mlir::dann::findNonDifferentiable(ScanOp scan) {
  SmallVector<Value> wrt = getFloats(scan.getBody().getArguments());
  SmallVector<Value> values = getFloats(scan.getYield().getOperands());
  return findNonDifferentiable(scan.getBody().front(), wrt, values);
}

void mlir::dann::registerScanDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, DannDialect *) {
    ScanOp::attachInterface<ScanModel>(*context);
    FoldInhibitionOp::attachInterface<FoldModel>(*context);
    EiDenseFoldedOp::attachInterface<FoldedModel>(*context);
  });
}
