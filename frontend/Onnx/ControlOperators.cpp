//===- ControlOperators.cpp - If, Loop, Scan ------------------------------===//

#include "frontend/Onnx/Loops.h"
#include "frontend/Onnx/Node.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// If
//===----------------------------------------------------------------------===//

/// Imports a branch to where the builder stands.
FailureOr<SmallVector<Tensor>> importBranch(Node &node, StringRef name) {
  FailureOr<const proto::GraphProto *> graph = node.getGraph(name);
  if (failed(graph))
    return failure();
  FailureOr<SmallVector<Tensor>> outputs = node.importGraph(**graph, {});
  if (succeeded(outputs) &&
      outputs->size() != static_cast<size_t>(node.getNumOutputs()))
    return node.emitError() << "'" << name << "' has " << outputs->size()
                            << " outputs instead of " << node.getNumOutputs();
  return outputs;
}

LogicalResult importIf(Node &node) {
  Tensor condition = node.getInput(0);
  if (!condition.isBool())
    return node.emitError()
           << "the condition is " << getTypeName(condition.dataType)
           << ", and has to be bool";
  if (std::optional<int64_t> known =
          node.getKnownContents().getInt(condition.value)) {
    FailureOr<SmallVector<Tensor>> outputs =
        importBranch(node, *known != 0 ? "then_branch" : "else_branch");
    if (failed(outputs))
      return failure();
    for (auto [i, output] : llvm::enumerate(*outputs))
      node.setOutput(i, output);
    return success();
  }

  FailureOr<Value> isTrue = extractScalar(node, condition);
  if (failed(isTrue))
    return failure();
  B &b = node.b();
  // The types of the results follow from the branches.
  auto first = scf::IfOp::create(b, *isTrue, /*withElseRegion=*/true);
  SmallVector<Tensor> outputs[2];
  for (int i : {0, 1}) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(&first->getRegion(i).front());
    FailureOr<SmallVector<Tensor>> branch =
        importBranch(node, i == 0 ? "then_branch" : "else_branch");
    if (failed(branch))
      return failure();
    outputs[i] = *branch;
  }
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(first);
  SmallVector<Tensor> memories;
  SmallVector<Type> types;
  for (auto [i, both] : llvm::enumerate(llvm::zip(outputs[0], outputs[1]))) {
    auto &[yes, no] = both;
    if (yes.sequence || no.sequence)
      return node.emitError() << "output " << i
                              << " is a sequence, which needs a condition "
                                 "that is known at compile time";
    if (yes.getType() != no.getType() || yes.dataType != no.dataType)
      return node.emitError()
             << "output " << i << " is " << yes.getType() << " of "
             << getTypeName(yes.dataType) << " or " << no.getType() << " of "
             << getTypeName(no.dataType)
             << ", depending on a condition that is not known at compile time";
    memories.push_back(allocate(node, yes.getShape(), yes.dataType));
    types.push_back(yes.getType());
  }
  auto branch = scf::IfOp::create(b, types, *isTrue, /*withElseRegion=*/true);
  for (int i : {0, 1}) {
    Block *from = &first->getRegion(i).front();
    Block *to = &branch->getRegion(i).front();
    if (!from->empty() && from->back().hasTrait<OpTrait::IsTerminator>())
      from->back().erase();
    to->clear();
    to->getOperations().splice(to->end(), from->getOperations());
    b.setInsertionPointToEnd(to);
    SmallVector<Value> yielded;
    for (auto [output, memory] : llvm::zip(outputs[i], memories))
      yielded.push_back(materialize(node, output, memory).value);
    scf::YieldOp::create(b, yielded);
  }
  first.erase();
  for (auto [i, result] : llvm::enumerate(branch.getResults()))
    node.setOutput(i, {result, outputs[0][i].dataType});
  return success();
}

//===----------------------------------------------------------------------===//
// Loop
//===----------------------------------------------------------------------===//

/// A bool of rank 0.
FailureOr<Tensor> toCondition(Node &node, Tensor tensor) {
  if (tensor.sequence || !tensor.isBool())
    return node.emitError() << "the condition has to be a bool, not "
                            << (tensor.sequence ? "a sequence of " : "")
                            << getTypeName(tensor.dataType);
  return node.reshape(tensor, {});
}

/// The number of an iteration as the standard counts them.
Tensor buildIteration(Node &node, Value index) {
  B &b = node.b();
  Value number = arith::IndexCastOp::create(b, b.getI64Type(), index);
  return {tensor::FromElementsOp::create(
              b, RankedTensorType::get({}, b.getI64Type()), number),
          proto::TensorProto::INT64};
}

LogicalResult importLoop(Node &node) {
  FailureOr<const proto::GraphProto *> graph = node.getGraph("body");
  if (failed(graph))
    return failure();
  B &b = node.b();
  Loop loop;
  if (node.hasInput(0)) {
    Tensor limit = node.getInput(0);
    if (limit.sequence || !limit.isInteger())
      return node.emitError() << "the number of iterations has to be an "
                                 "integer, not "
                              << (limit.sequence ? "a sequence of " : "")
                              << getTypeName(limit.dataType);
    FailureOr<Value> number = extractScalar(node, limit);
    if (failed(number))
      return failure();
    loop.count = arith::IndexCastOp::create(b, b.getIndexType(), *number);
    loop.knownCount = node.getKnownContents().getInt(limit.value);
    if (loop.knownCount)
      loop.knownCount = std::max<int64_t>(0, *loop.knownCount);
  }
  // Without a condition, what the body gives as one does not count.
  Tensor condition;
  if (node.hasInput(1)) {
    FailureOr<Tensor> given = toCondition(node, node.getInput(1));
    if (failed(given))
      return failure();
    condition = *given;
    std::optional<int64_t> known =
        node.getKnownContents().getInt(condition.value);
    if (known && *known == 0) {
      loop.count = arith::ConstantIndexOp::create(b, 0);
      loop.knownCount = 0;
    }
    loop.isConditional = true;
    loop.initial.push_back(condition);
  } else {
    condition = node.constant(
        DenseElementsAttr::get(RankedTensorType::get({}, b.getI1Type()), true),
        proto::TensorProto::BOOL);
  }
  int numCarried = std::max(0, node.getNumInputs() - 2);
  for (int i = 0; i < numCarried; ++i) {
    Tensor tensor = node.getInput(2 + i);
    if (!tensor)
      return node.emitError() << "needs input " << 2 + i;
    if (tensor.sequence)
      return node.emitError() << "carries a sequence from one iteration to the "
                                 "next, which is not supported";
    loop.initial.push_back(tensor);
  }
  int numCollected = (*graph)->output_size() - 1 - numCarried;
  if (numCollected < 0 || node.getNumOutputs() > (*graph)->output_size() - 1)
    return node.emitError()
           << "its graph has " << (*graph)->output_size() << " outputs, for "
           << numCarried << " carried tensors and " << node.getNumOutputs()
           << " outputs of the loop";
  // What nobody reads need not be collected.
  auto isCollected = [&](int i) { return node.hasOutput(numCarried + i); };
  for (int i = 0; i < numCollected; ++i) {
    if (!isCollected(i))
      continue;
    Collected rule;
    auto declared = node.getDeclaredShape(numCarried + i);
    if (declared && !declared->empty())
      rule.extent = declared->front();
    loop.collected.push_back(rule);
  }
  FailureOr<SmallVector<Tensor>> results = buildLoop(
      node, loop,
      [&](Value index,
          ArrayRef<Tensor> carried) -> FailureOr<SmallVector<Tensor>> {
        SmallVector<Tensor> inputs = {buildIteration(node, index)};
        if (!loop.isConditional)
          inputs.push_back(condition);
        inputs.append(carried.begin(), carried.end());
        FailureOr<SmallVector<Tensor>> outputs =
            node.importGraph(**graph, inputs);
        if (failed(outputs))
          return failure();
        FailureOr<Tensor> next = toCondition(node, outputs->front());
        if (failed(next))
          return failure();
        outputs->front() = *next;
        SmallVector<Tensor> kept;
        for (auto [i, output] : llvm::enumerate(*outputs)) {
          int collected = static_cast<int>(i) - 1 - numCarried;
          if ((i > 0 || loop.isConditional) &&
              (collected < 0 || isCollected(collected)))
            kept.push_back(output);
        }
        return kept;
      });
  if (failed(results))
    return failure();
  ArrayRef<Tensor> given =
      ArrayRef(*results).drop_front(loop.isConditional ? 1 : 0);
  for (int i = 0; i < node.getNumOutputs(); ++i) {
    if (i >= numCarried && !isCollected(i - numCarried))
      continue;
    node.setOutput(i, given.front());
    given = given.drop_front();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Scan
//===----------------------------------------------------------------------===//

/// What Scan iterates over, for one sample or without samples.
struct ScanInputs {
  SmallVector<Tensor> states, scanned;
  SmallVector<int64_t> axes;
  SmallVector<bool> areReversed;
  std::optional<int64_t> length; // of the sequences
  Value limit;                   // how much of it, if not all
};

/// A list of an attribute with an entry for each input or output; `count`
/// zeros if it is not given.
FailureOr<SmallVector<int64_t>> getList(Node &node, StringRef name,
                                        int64_t count) {
  SmallVector<int64_t> zeros(count, 0);
  SmallVector<int64_t> list = node.getInts(name, zeros);
  if (static_cast<int64_t>(list.size()) != count)
    return node.emitError() << "'" << name << "' has " << list.size()
                            << " entries instead of " << count;
  return list;
}

FailureOr<SmallVector<bool>> getDirections(Node &node, StringRef name,
                                           int64_t count) {
  FailureOr<SmallVector<int64_t>> list = getList(node, name, count);
  if (failed(list))
    return failure();
  SmallVector<bool> areReversed;
  for (int64_t direction : *list) {
    if (direction != 0 && direction != 1)
      return node.emitError() << "'" << name << "' has the entry " << direction
                              << "; it has to be 0 or 1";
    areReversed.push_back(direction == 1);
  }
  return areReversed;
}

/// Gives the final states, and what is collected in the axes `collected`.
FailureOr<SmallVector<Tensor>> buildScan(Node &node,
                                         const proto::GraphProto &graph,
                                         const ScanInputs &inputs,
                                         ArrayRef<Collected> collected) {
  B &b = node.b();
  Loop loop;
  Value length = getValueOrCreateConstantIndexOp(
      b, b.getLoc(), node.getSizes({*inputs.length})[0]);
  loop.count = inputs.limit ? inputs.limit : length;
  loop.initial = inputs.states;
  loop.collected = SmallVector<Collected>(collected);
  for (Collected &rule : loop.collected)
    rule.extent = *inputs.length;
  return buildLoop(
      node, loop,
      [&](Value index,
          ArrayRef<Tensor> carried) -> FailureOr<SmallVector<Tensor>> {
        SmallVector<Tensor> arguments(carried);
        for (auto [tensor, axis, isReversed] :
             llvm::zip(inputs.scanned, inputs.axes, inputs.areReversed)) {
          Value at = index;
          if (isReversed) {
            Value last = arith::SubIOp::create(
                b, loop.count, arith::ConstantIndexOp::create(b, 1));
            at = arith::SubIOp::create(b, last, index);
          }
          arguments.push_back(extractAt(node, tensor, Place{axis, at}));
        }
        return node.importGraph(graph, arguments);
      });
}

/// Splits the inputs from `first` on, and checks that sequences are of one
/// length.
LogicalResult readScanInputs(Node &node, int first, int64_t numScanned,
                             ScanInputs &inputs) {
  int64_t numStates = node.getNumInputs() - first - numScanned;
  if (numScanned < 1 || numStates < 0)
    return node.emitError() << "num_scan_inputs is " << numScanned << " of "
                            << node.getNumInputs() - first << " inputs";
  for (int i = first; i < node.getNumInputs(); ++i) {
    Tensor tensor = node.getInput(i);
    if (!tensor)
      return node.emitError() << "needs input " << i;
    (i - first < numStates ? inputs.states : inputs.scanned).push_back(tensor);
  }
  for (auto [tensor, axis] : llvm::zip(inputs.scanned, inputs.axes)) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, tensor.getRank());
    if (failed(normal))
      return failure();
    axis = *normal;
    int64_t length = tensor.getDim(axis);
    if (inputs.length && *inputs.length != length)
      return node.emitError()
             << "scans sequences of the lengths " << *inputs.length << " and "
             << length << ", which have to be equal";
    inputs.length = length;
  }
  return success();
}

LogicalResult setScanOutputs(Node &node, ArrayRef<Tensor> results) {
  if (node.getNumOutputs() != static_cast<int>(results.size()))
    return node.emitError() << "has " << node.getNumOutputs()
                            << " outputs, and its graph " << results.size();
  for (auto [i, result] : llvm::enumerate(results))
    node.setOutput(i, result);
  return success();
}

LogicalResult importScan(Node &node) {
  FailureOr<const proto::GraphProto *> graph = node.getGraph("body");
  if (failed(graph))
    return failure();
  int64_t numScanned = node.getInt("num_scan_inputs", 0);
  if (numScanned < 1 || numScanned > node.getNumInputs())
    return node.emitError() << "num_scan_inputs is " << numScanned << " of "
                            << node.getNumInputs() << " inputs";
  int64_t numStates = node.getNumInputs() - numScanned;
  int64_t numCollected = (*graph)->output_size() - numStates;
  if (numCollected < 0)
    return node.emitError() << "its graph has " << (*graph)->output_size()
                            << " outputs for " << numStates << " states";
  auto inputAxes = getList(node, "scan_input_axes", numScanned);
  auto outputAxes = getList(node, "scan_output_axes", numCollected);
  auto inputDirections =
      getDirections(node, "scan_input_directions", numScanned);
  auto outputDirections =
      getDirections(node, "scan_output_directions", numCollected);
  if (failed(inputAxes) || failed(outputAxes) || failed(inputDirections) ||
      failed(outputDirections))
    return failure();
  ScanInputs inputs;
  inputs.axes = *inputAxes;
  inputs.areReversed = *inputDirections;
  if (failed(readScanInputs(node, 0, numScanned, inputs)))
    return failure();
  SmallVector<Collected> collected;
  for (auto [axis, isReversed] : llvm::zip(*outputAxes, *outputDirections))
    collected.push_back({axis, isReversed});
  FailureOr<SmallVector<Tensor>> results =
      buildScan(node, **graph, inputs, collected);
  if (failed(results))
    return failure();
  return setScanOutputs(node, *results);
}

/// Version 8 scans each sample of a batch: axis 0 is that of samples, axis 1
/// that of sequences.
LogicalResult importBatchedScan(Node &node) {
  FailureOr<const proto::GraphProto *> graph = node.getGraph("body");
  if (failed(graph))
    return failure();
  int64_t numScanned = node.getInt("num_scan_inputs", 0);
  if (numScanned < 1 || numScanned >= node.getNumInputs())
    return node.emitError() << "num_scan_inputs is " << numScanned << " of "
                            << node.getNumInputs() - 1 << " inputs";
  auto directions = getDirections(node, "directions", numScanned);
  if (failed(directions))
    return failure();
  ScanInputs inputs;
  inputs.axes.assign(numScanned, 1);
  inputs.areReversed = *directions;
  if (failed(readScanInputs(node, 1, numScanned, inputs)))
    return failure();
  int64_t numCollected = (*graph)->output_size() - inputs.states.size();
  if (numCollected < 0)
    return node.emitError()
           << "its graph has " << (*graph)->output_size() << " outputs for "
           << inputs.states.size() << " states";
  int64_t numSamples = inputs.scanned[0].getDim(0);
  for (ArrayRef<Tensor> tensors :
       {ArrayRef(inputs.states), ArrayRef(inputs.scanned)})
    for (const Tensor &tensor : tensors)
      if (tensor.getRank() == 0 || tensor.getDim(0) != numSamples)
        return node.emitError() << "takes tensors with the samples of a batch "
                                   "in front, not "
                                << tensor.getType();
  Tensor lengths = node.getInput(0);
  if (lengths && (!lengths.isInteger() ||
                  lengths.getShape() != ArrayRef<int64_t>(numSamples)))
    return node.emitError() << "sequence_lens is " << lengths.getType()
                            << "; there has to be an integer for each sample";
  B &b = node.b();
  Loop loop;
  loop.count = getValueOrCreateConstantIndexOp(b, b.getLoc(),
                                               node.getSizes({numSamples})[0]);
  for (int i = 0; i < (*graph)->output_size(); ++i)
    loop.collected.push_back({0, false, numSamples});
  SmallVector<Collected> collected(numCollected);
  FailureOr<SmallVector<Tensor>> results = buildLoop(
      node, loop,
      [&](Value sample, ArrayRef<Tensor>) -> FailureOr<SmallVector<Tensor>> {
        auto extract = [&](const Tensor &tensor) {
          return extractAt(node, tensor, Place{0, sample});
        };
        ScanInputs own = inputs;
        own.states = llvm::map_to_vector(inputs.states, extract);
        own.scanned = llvm::map_to_vector(inputs.scanned, extract);
        own.axes.assign(numScanned, 0);
        if (lengths) {
          Value length = tensor::ExtractOp::create(b, lengths.value, sample);
          length = arith::IndexCastOp::create(b, b.getIndexType(), length);
          Value whole = getValueOrCreateConstantIndexOp(
              b, b.getLoc(), node.getSizes({*inputs.length})[0]);
          own.limit = arith::MinSIOp::create(b, length, whole);
        }
        return buildScan(node, **graph, own, collected);
      });
  if (failed(results))
    return failure();
  return setScanOutputs(node, *results);
}

constexpr OperatorEntry kOperators[] = {
    {"If", 1, 1, 1, kAnyNumber, importIf},
    {"Loop", 1, 0, kAnyNumber, kAnyNumber, importLoop, "", true},
    {"Scan", 8, 0, kAnyNumber, kAnyNumber, importBatchedScan},
    {"Scan", 9, 1, kAnyNumber, kAnyNumber, importScan},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getControlOperators() {
  return kOperators;
}
