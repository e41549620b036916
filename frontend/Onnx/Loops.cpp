//===- Loops.cpp - Operators that are sequential --------------------------===//

#include "frontend/Onnx/Loops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// Parts of tensors
//===----------------------------------------------------------------------===//

namespace {
/// The part of a shape that is at `places`.
struct Part {
  SmallVector<OpFoldResult> offsets, sizes, strides;
  SmallVector<int64_t> shape; // without their axes

  Part(Node &node, ArrayRef<int64_t> whole, ArrayRef<Place> places)
      : offsets(whole.size(), node.b().getIndexAttr(0)),
        sizes(node.getSizes(whole)),
        strides(whole.size(), node.b().getIndexAttr(1)) {
    for (auto [axis, index] : places) {
      offsets[axis] = index;
      sizes[axis] = node.b().getIndexAttr(1);
    }
    for (auto [axis, extent] : llvm::enumerate(whole))
      if (llvm::none_of(places, [axis = static_cast<int64_t>(axis)](
                                    const Place &p) { return p.axis == axis; }))
        shape.push_back(extent);
  }
};
} // namespace

Tensor mlir::dann::onnx::extractAt(Node &node, Tensor tensor,
                                   ArrayRef<Place> places) {
  Part part(node, tensor.getShape(), places);
  auto type = RankedTensorType::get(part.shape, tensor.getElementType());
  return {tensor::ExtractSliceOp::create(node.b(), type, tensor.value,
                                         part.offsets, part.sizes,
                                         part.strides),
          tensor.dataType};
}

Tensor mlir::dann::onnx::insertAt(Node &node, Tensor tensor, Tensor whole,
                                  ArrayRef<Place> places) {
  Part part(node, whole.getShape(), places);
  return {tensor::InsertSliceOp::create(node.b(), tensor.value, whole.value,
                                        part.offsets, part.sizes, part.strides),
          whole.dataType};
}

Tensor mlir::dann::onnx::allocate(Node &node, ArrayRef<int64_t> shape,
                                  int32_t dataType) {
  SmallVector<Value> sizes;
  for (OpFoldResult size : node.getSizes(shape))
    if (auto value = dyn_cast<Value>(size))
      sizes.push_back(value);
  auto type = RankedTensorType::get(
      shape, onnx::getElementType(dataType, node.getContext()));
  return {bufferization::AllocTensorOp::create(node.b(), type, sizes),
          dataType};
}

/// `tensor` in memory that nobody else knows.
static Tensor copy(Node &node, Tensor tensor) {
  if (tensor.value.getDefiningOp<bufferization::AllocTensorOp>())
    return tensor;
  return {bufferization::AllocTensorOp::create(node.b(), tensor.getType(),
                                               ValueRange(), tensor.value),
          tensor.dataType};
}

Tensor mlir::dann::onnx::materialize(Node &node, Tensor tensor,
                                     Tensor destination) {
  if (tensor.value == destination.value)
    return tensor;
  return {bufferization::MaterializeInDestinationOp::create(
              node.b(), destination.getType(), tensor.value, destination.value)
              .getResult(),
          tensor.dataType};
}

FailureOr<Value> mlir::dann::onnx::extractScalar(Node &node, Tensor tensor) {
  if (!tensor.getType().hasStaticShape() ||
      tensor.getType().getNumElements() != 1)
    return node.emitError()
           << "takes a tensor of one element, not " << tensor.getType();
  SmallVector<Value> zeros(tensor.getRank());
  for (Value &zero : zeros)
    zero = arith::ConstantIndexOp::create(node.b(), 0);
  return tensor::ExtractOp::create(node.b(), tensor.value, zeros).getResult();
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
/// Builds a loop in two steps: a first one tells what the body gives, which
/// becomes the body of the one that remains.
class LoopBuilder {
public:
  LoopBuilder(Node &node, const Loop &loop)
      : node(node), b(node.b()), loop(loop), count(loop.count) {}

  FailureOr<SmallVector<Tensor>> build(LoopBody body);

private:
  LogicalResult checkCarried();
  LogicalResult chooseForm();
  LogicalResult buildCollections();
  void moveBody(Block *to, Value index, ValueRange carried);
  SmallVector<Value> finishBody(Value index, ValueRange carried);
  SmallVector<Value> buildFor();
  SmallVector<Value> buildWhile();

  ArrayRef<Tensor> getNext() const {
    return ArrayRef(given).take_front(initial.size());
  }
  ArrayRef<Tensor> getParts() const {
    return ArrayRef(given).drop_front(initial.size());
  }
  SmallVector<Value> getInitialValues() const {
    SmallVector<Value> values;
    for (ArrayRef<Tensor> tensors : {ArrayRef(initial), ArrayRef(collections)})
      for (const Tensor &tensor : tensors)
        values.push_back(tensor.value);
    return values;
  }

  Node &node;
  B &b;
  const Loop &loop;
  Value count;
  bool isWhile = false;
  SmallVector<Tensor> initial, given, collections;
  SmallVector<int64_t> axes;
  scf::ForOp first;
};
} // namespace

FailureOr<SmallVector<Tensor>> LoopBuilder::build(LoopBody body) {
  OpBuilder::InsertionGuard guard(b);
  for (const Tensor &tensor : loop.initial)
    initial.push_back(copy(node, tensor));
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  first =
      scf::ForOp::create(b, zero, count ? count : one, one, getInitialValues());
  b.setInsertionPointToStart(first.getBody());
  SmallVector<Tensor> carried;
  for (auto [tensor, argument] : llvm::zip(initial, first.getRegionIterArgs()))
    carried.push_back({argument, tensor.dataType});
  FailureOr<SmallVector<Tensor>> outputs =
      body(first.getInductionVar(), carried);
  if (failed(outputs))
    return failure();
  given = *outputs;
  if (failed(checkCarried()))
    return failure();
  b.setInsertionPoint(first);
  if (failed(chooseForm()) || failed(buildCollections()))
    return failure();
  SmallVector<Value> values = isWhile ? buildWhile() : buildFor();
  first.erase();
  SmallVector<Tensor> results;
  for (auto [i, value] : llvm::enumerate(values))
    results.push_back({value, given[i].dataType});
  return results;
}

LogicalResult LoopBuilder::checkCarried() {
  if (given.size() != initial.size() + loop.collected.size())
    return node.emitError()
           << "its graph has " << given.size() << " outputs instead of "
           << initial.size() + loop.collected.size();
  for (const Tensor &tensor : given)
    if (tensor.sequence)
      return node.emitError()
             << "its graph gives a sequence, which is not supported";
  for (auto [before, after] : llvm::zip(initial, getNext()))
    if (before.getType() != after.getType() ||
        before.dataType != after.dataType)
      return node.emitError()
             << "its graph turns " << before.getType() << " into "
             << after.getType() << "; shapes have to stay as they are";
  return success();
}

/// Whether the condition can change, and how long the loop runs.
LogicalResult LoopBuilder::chooseForm() {
  if (loop.isConditional) {
    Value next = given[0].value;
    auto known = node.getKnownContents().getInts(next);
    bool isTrue = known && known->size() == 1 && (*known)[0] != 0;
    isWhile = next != first.getRegionIterArgs()[0] && !isTrue;
  }
  if (!isWhile && !count)
    return node.emitError() << "does not end: it has no number of iterations, "
                               "and its condition stays true";
  if (loop.isConditional && !isWhile) {
    FailureOr<Value> isActive = extractScalar(node, initial[0]);
    if (failed(isActive))
      return failure();
    Value zero = arith::ConstantIndexOp::create(b, 0);
    count = arith::SelectOp::create(b, *isActive, count, zero);
  }
  return success();
}

LogicalResult LoopBuilder::buildCollections() {
  for (auto [rule, part] : llvm::zip(loop.collected, getParts())) {
    FailureOr<int64_t> axis = node.normalizeAxis(rule.axis, part.getRank() + 1);
    if (failed(axis))
      return failure();
    std::optional<int64_t> extent = rule.extent;
    if (!extent && !isWhile)
      extent = loop.knownCount;
    if (!extent)
      return node.emitError() << "collects outputs in a number of iterations "
                                 "that is not known at compile time";
    SmallVector<int64_t> shape(part.getShape());
    shape.insert(shape.begin() + *axis, *extent);
    if (failed(node.checkSize(shape)))
      return failure();
    if (ShapedType::isDynamicShape(ArrayRef(shape).drop_front()))
      return node.emitError()
             << "would give the batch as dimension "
             << llvm::find(llvm::drop_begin(shape), ShapedType::kDynamic) -
                    shape.begin()
             << " of an output; it has to be the first one";
    // What no iteration writes is 0.
    Tensor memory = allocate(node, shape, part.dataType);
    Value zero = node.scalar(part.dataType, 0);
    collections.push_back(
        {linalg::FillOp::create(b, zero, memory.value).getResult(0),
         part.dataType});
    axes.push_back(*axis);
    // A count that is only known at run time may be larger than declared.
    Value limit = getValueOrCreateConstantIndexOp(b, b.getLoc(),
                                                  node.getSizes({*extent})[0]);
    count = count ? arith::MinSIOp::create(b, count, limit).getResult() : limit;
  }
  return success();
}

/// Makes the body of the first loop that of another one.
void LoopBuilder::moveBody(Block *to, Value index, ValueRange carried) {
  Block *from = first.getBody();
  if (!from->empty() && from->back().hasTrait<OpTrait::IsTerminator>())
    from->back().erase();
  IRMapping mapping;
  mapping.map(from->getArgument(0), index);
  mapping.map(from->getArguments().drop_front(),
              carried.take_front(initial.size()));
  for (BlockArgument argument : from->getArguments())
    argument.replaceAllUsesWith(mapping.lookup(argument));
  to->getOperations().splice(to->end(), from->getOperations());
  for (Tensor &tensor : given)
    tensor.value = mapping.lookupOrDefault(tensor.value);
}

/// What the body yields.
SmallVector<Value> LoopBuilder::finishBody(Value index, ValueRange carried) {
  SmallVector<Value> collected;
  for (auto [rule, part, axis, whole] :
       llvm::zip(loop.collected, getParts(), axes,
                 carried.drop_front(initial.size()))) {
    Value place = index;
    if (rule.isReversed) {
      Value last =
          arith::SubIOp::create(b, count, arith::ConstantIndexOp::create(b, 1));
      place = arith::SubIOp::create(b, last, index);
    }
    collected.push_back(
        insertAt(node, part, {whole, part.dataType}, {{axis, place}}).value);
  }
  SmallVector<Tensor> next(getNext());
  // What takes the place of one tensor may be a part of another one.
  if (next.size() > 1 && !loop.isInPlace)
    for (auto [after, before] : llvm::zip(next, carried))
      if (after.value != before)
        after = copy(node, after);
  SmallVector<Value> yielded;
  for (auto [after, before] : llvm::zip(next, carried))
    yielded.push_back(materialize(node, after, {before, after.dataType}).value);
  yielded.append(collected);
  return yielded;
}

SmallVector<Value> LoopBuilder::buildFor() {
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  auto forOp = scf::ForOp::create(b, zero, count, one, getInitialValues());
  Block *body = forOp.getBody();
  if (!body->empty())
    body->back().erase();
  moveBody(body, forOp.getInductionVar(), forOp.getRegionIterArgs());
  b.setInsertionPointToEnd(body);
  scf::YieldOp::create(
      b, finishBody(forOp.getInductionVar(), forOp.getRegionIterArgs()));
  return forOp.getResults();
}

SmallVector<Value> LoopBuilder::buildWhile() {
  SmallVector<Value> start = {arith::ConstantIndexOp::create(b, 0)};
  llvm::append_range(start, getInitialValues());
  auto whileOp = scf::WhileOp::create(
      b, ValueRange(start).getTypes(), start,
      [&](OpBuilder &builder, Location loc, ValueRange arguments) {
        Value goesOn = tensor::ExtractOp::create(builder, loc, arguments[1]);
        if (count) {
          Value isBelow = arith::CmpIOp::create(
              builder, loc, arith::CmpIPredicate::slt, arguments[0], count);
          goesOn = arith::AndIOp::create(builder, loc, isBelow, goesOn);
        }
        scf::ConditionOp::create(builder, loc, goesOn, arguments);
      },
      [&](OpBuilder &builder, Location, ValueRange arguments) {
        Value index = arguments[0];
        ValueRange carried = arguments.drop_front();
        moveBody(builder.getInsertionBlock(), index, carried);
        OpBuilder::InsertionGuard guard(b);
        b.setInsertionPointToEnd(builder.getInsertionBlock());
        Value one = arith::ConstantIndexOp::create(b, 1);
        SmallVector<Value> yielded = {arith::AddIOp::create(b, index, one)};
        llvm::append_range(yielded, finishBody(index, carried));
        scf::YieldOp::create(b, yielded);
      });
  return llvm::to_vector(
      llvm::drop_begin(SmallVector<Value>(whileOp.getResults())));
}

FailureOr<SmallVector<Tensor>>
mlir::dann::onnx::buildLoop(Node &node, const Loop &loop, LoopBody body) {
  return LoopBuilder(node, loop).build(body);
}
