//===- DannScan.cpp - Recurrence in the dann dialect ----------------------===//

#include "Dann/Dann.h"

#include "mlir/IR/IRMapping.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

//===----------------------------------------------------------------------===//
// ScanOp
//===----------------------------------------------------------------------===//

/// The type of one step of a sequence, and the sequence of such steps.
static RankedTensorType getSliceType(Type sequence) {
  auto type = cast<RankedTensorType>(sequence);
  return RankedTensorType::get(type.getShape().drop_front(),
                               type.getElementType());
}
static RankedTensorType getSequenceType(Type slice, int64_t numSteps) {
  auto type = cast<RankedTensorType>(slice);
  SmallVector<int64_t> shape = {numSteps};
  llvm::append_range(shape, type.getShape());
  return RankedTensorType::get(shape, type.getElementType());
}

int64_t ScanOp::getNumSteps() {
  return cast<RankedTensorType>(getSequences().front().getType()).getDimSize(0);
}

YieldOp ScanOp::getYield() {
  return cast<YieldOp>(getBody().front().getTerminator());
}

MutableArrayRef<BlockArgument> ScanOp::getCarryArguments() {
  return getBody().getArguments().take_front(getInitials().size());
}
MutableArrayRef<BlockArgument> ScanOp::getSliceArguments() {
  return getBody().getArguments().slice(getInitials().size(),
                                        getSequences().size());
}
MutableArrayRef<BlockArgument> ScanOp::getInvariantArguments() {
  return getBody().getArguments().take_back(getInvariants().size());
}

ResultRange ScanOp::getLastCarries() {
  return getValues().take_front(getInitials().size());
}
ResultRange ScanOp::getOutputs() {
  return getValues().drop_front(getInitials().size());
}

void ScanOp::build(OpBuilder &builder, OperationState &state,
                   ValueRange initials, ValueRange sequences,
                   ValueRange invariants, bool reverse,
                   IntegerAttr checkpointEvery, ScanBody body) {
  state.addOperands(initials);
  state.addOperands(sequences);
  state.addOperands(invariants);
  Properties &properties = state.getOrAddProperties<Properties>();
  llvm::copy(ArrayRef<int32_t>{static_cast<int32_t>(initials.size()),
                               static_cast<int32_t>(sequences.size()),
                               static_cast<int32_t>(invariants.size())},
             properties.operandSegmentSizes.begin());
  if (reverse)
    properties.reverse = builder.getUnitAttr();
  properties.checkpoint_every = checkpointEvery;

  Block *block = &state.addRegion()->emplaceBlock();
  for (Value initial : initials)
    block->addArgument(initial.getType(), state.location);
  for (Value sequence : sequences)
    block->addArgument(getSliceType(sequence.getType()), state.location);
  for (Value invariant : invariants)
    block->addArgument(invariant.getType(), state.location);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(block);
  body(builder, state.location, block->getArguments());
  auto yield = cast<YieldOp>(block->getTerminator());
  state.addTypes(initials.getTypes());
  int64_t numSteps =
      cast<RankedTensorType>(sequences.front().getType()).getDimSize(0);
  for (Value output : yield.getOutputs())
    state.addTypes(getSequenceType(output.getType(), numSteps));
}

LogicalResult ScanOp::verify() {
  if (getSequences().empty())
    return emitOpError(
        "must have a sequence, which says how many steps it has");
  for (auto [i, sequence] : llvm::enumerate(getSequences())) {
    auto type = cast<RankedTensorType>(sequence.getType());
    if (type.getRank() == 0 || type.isDynamicDim(0) || type.getDimSize(0) < 1)
      return emitOpError() << "sequence " << i
                           << " must have a static leading size of at least 1, "
                              "but is "
                           << type;
    if (type.getDimSize(0) != getNumSteps())
      return emitOpError() << "sequence " << i << " has " << type.getDimSize(0)
                           << " steps, but sequence 0 has " << getNumSteps();
  }
  return success();
}

LogicalResult ScanOp::verifyRegions() {
  SmallVector<Type> wanted(getInitials().getTypes());
  for (Value sequence : getSequences())
    wanted.push_back(getSliceType(sequence.getType()));
  llvm::append_range(wanted, getInvariants().getTypes());
  if (getBody().getNumArguments() != wanted.size())
    return emitOpError() << "the body must have " << wanted.size()
                         << " arguments, but has "
                         << getBody().getNumArguments();
  for (auto [i, type] : llvm::enumerate(wanted))
    if (getBody().getArgument(i).getType() != type)
      return emitOpError() << "argument " << i << " of the body must be a "
                           << type << ", but is a "
                           << getBody().getArgument(i).getType();
  auto yield = dyn_cast<YieldOp>(getBody().front().getTerminator());
  if (!yield)
    return emitOpError("the body must end with 'dann.yield'");
  if (yield.getCarries().getTypes() != getInitials().getTypes())
    return yield.emitOpError(
        "carries must be of the types of the initial carries");
  SmallVector<Type> results(getInitials().getTypes());
  for (Value output : yield.getOutputs())
    results.push_back(getSequenceType(output.getType(), getNumSteps()));
  if (getValues().size() != results.size())
    return emitOpError() << "must have " << results.size()
                         << " results, but has " << getValues().size();
  for (auto [i, type] : llvm::enumerate(results))
    if (getValues()[i].getType() != type)
      return emitOpError() << "result " << i << " must be a " << type
                           << ", but is a " << getValues()[i].getType();
  return success();
}

/// Drops operands that the body does not use, outputs that nobody uses, and
/// carries that only make themselves.
LogicalResult ScanOp::canonicalize(ScanOp op, PatternRewriter &rewriter) {
  YieldOp yield = op.getYield();
  SmallVector<Value> initials, sequences, invariants, carries, outputs;
  SmallVector<Value> keptArguments, keptResults;
  for (auto [i, argument] : llvm::enumerate(op.getCarryArguments())) {
    bool isUsedInside = llvm::any_of(argument.getUses(), [&](OpOperand &use) {
      return use.getOwner() != yield ||
             use.getOperandNumber() != static_cast<unsigned>(i);
    });
    if (!isUsedInside && op.getLastCarries()[i].use_empty())
      continue;
    initials.push_back(op.getInitials()[i]);
    carries.push_back(yield.getCarries()[i]);
    keptArguments.push_back(argument);
    keptResults.push_back(op.getLastCarries()[i]);
  }
  // One sequence has to stay: it counts the steps.
  for (auto [i, argument] : llvm::enumerate(op.getSliceArguments())) {
    bool isLast = i + 1 == op.getSequences().size() && sequences.empty();
    if (argument.use_empty() && !isLast)
      continue;
    sequences.push_back(op.getSequences()[i]);
    keptArguments.push_back(argument);
  }
  for (auto [argument, invariant] :
       llvm::zip(op.getInvariantArguments(), op.getInvariants()))
    if (!argument.use_empty()) {
      invariants.push_back(invariant);
      keptArguments.push_back(argument);
    }
  for (auto [output, result] : llvm::zip(yield.getOutputs(), op.getOutputs()))
    if (!result.use_empty()) {
      outputs.push_back(output);
      keptResults.push_back(result);
    }
  if (keptArguments.size() == op.getNumOperands() &&
      keptResults.size() == op.getNumResults())
    return rewriter.notifyMatchFailure(op, "everything is used");

  auto smaller = ScanOp::create(
      rewriter, op.getLoc(), initials, sequences, invariants, op.getReverse(),
      op.getCheckpointEveryAttr(),
      [&](OpBuilder &b, Location loc, ValueRange arguments) {
        IRMapping mapping;
        mapping.map(keptArguments, arguments);
        // What only dropped values need may read dropped arguments.
        DenseSet<Operation *> needed;
        for (Operation &inner : llvm::reverse(op.getBody().front())) {
          bool isKept =
              llvm::any_of(
                  inner.getUsers(),
                  [&](Operation *user) {
                    return needed.contains(
                        op.getBody().front().findAncestorOpInBlock(*user));
                  }) ||
              llvm::any_of(inner.getResults(), [&](Value result) {
                return llvm::is_contained(carries, result) ||
                       llvm::is_contained(outputs, result);
              });
          if (isKept)
            needed.insert(&inner);
        }
        for (Operation &inner : op.getBody().front().without_terminator())
          if (needed.contains(&inner))
            b.clone(inner, mapping);
        auto map = [&](ArrayRef<Value> values) {
          return llvm::map_to_vector(
              values, [&](Value v) { return mapping.lookup(v); });
        };
        YieldOp::create(b, loc, map(carries), map(outputs));
      });
  for (auto [old, value] : llvm::zip(keptResults, smaller.getResults()))
    rewriter.replaceAllUsesWith(old, value);
  rewriter.eraseOp(op);
  return success();
}

//===----------------------------------------------------------------------===//
// FoldInhibitionOp and EiDenseFoldedOp
//===----------------------------------------------------------------------===//

LogicalResult FoldInhibitionOp::verify() {
  auto weights = cast<RankedTensorType>(getWex().getType());
  int64_t ne = weights.getDimSize(0), d = weights.getDimSize(1);
  int64_t ni = cast<RankedTensorType>(getWix().getType()).getDimSize(0);
  for (Value operand : getOperands()) {
    auto type = cast<RankedTensorType>(operand.getType());
    if (!type.hasStaticShape())
      return emitOpError("sizes must be static");
    if (type.getElementType() != weights.getElementType())
      return emitOpError() << "element types differ: "
                           << weights.getElementType() << " and "
                           << type.getElementType();
  }
  if (failed(verifyShape(*this, getWix(), "wix", {ni, d})))
    return failure();
  return verifyShape(*this, getWei(), "wei", {ne, ni});
}

void FoldInhibitionOp::inferResultSigns(ArrayRef<Sign>,
                                        MutableArrayRef<Sign> signs) {
  signs[0] = Sign::Any;
}

std::optional<Role> FoldInhibitionOp::getOperandRole(unsigned index) {
  static constexpr Role roles[] = {Role::Wex, Role::Wix, Role::Wei};
  return roles[index];
}

Sign FoldInhibitionOp::getRequiredSign(unsigned) { return Sign::Nonneg; }

int64_t FoldInhibitionOp::getFanIn() {
  return cast<RankedTensorType>(getWex().getType()).getDimSize(1);
}

int64_t FoldInhibitionOp::getNumExcitatory() {
  return cast<RankedTensorType>(getWex().getType()).getDimSize(0);
}

LogicalResult EiDenseFoldedOp::verify() {
  auto weights = cast<RankedTensorType>(getFolded().getType());
  if (!weights.hasStaticShape())
    return emitOpError("sizes of folded must be static");
  int64_t batch = cast<RankedTensorType>(getX().getType()).getDimSize(0);
  int64_t ne = weights.getDimSize(0), d = weights.getDimSize(1);
  if (failed(verifyShape(*this, getX(), "x", {batch, d})) ||
      failed(verifyShape(*this, getBias(), "bias", {ne})) ||
      failed(verifyShape(*this, getZ(), "z", {batch, ne})))
    return failure();
  for (Value value : std::initializer_list<Value>{getX(), getZ(), getBias()})
    if (value &&
        getElementTypeOrSelf(value.getType()) != weights.getElementType())
      return emitOpError() << "element types differ: "
                           << weights.getElementType() << " and "
                           << getElementTypeOrSelf(value.getType());
  return success();
}

void EiDenseFoldedOp::inferResultSigns(ArrayRef<Sign>,
                                       MutableArrayRef<Sign> signs) {
  signs[0] = Sign::Any;
}

std::optional<Role> EiDenseFoldedOp::getOperandRole(unsigned index) {
  return index == 2 ? std::optional(Role::Bias) : std::nullopt;
}

Sign EiDenseFoldedOp::getRequiredSign(unsigned index) {
  return index == 0 ? Sign::Nonneg : Sign::Any;
}

int64_t EiDenseFoldedOp::getFanIn() {
  return cast<RankedTensorType>(getFolded().getType()).getDimSize(1);
}

int64_t EiDenseFoldedOp::getNumExcitatory() {
  return cast<RankedTensorType>(getFolded().getType()).getDimSize(0);
}
