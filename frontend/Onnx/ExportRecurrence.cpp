//===- ExportRecurrence.cpp - Layers with a state to ONNX -----------------===//

#include "frontend/Onnx/Exporter.h"

#include "Utils/LinalgForms.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

/// Sequences [steps, B, inputs] of [B, steps, inputs], and back.
static Value lookThroughSwap(Value sequence) {
  auto transpose = sequence.getDefiningOp<linalg::TransposeOp>();
  if (transpose && transpose.getPermutation() == ArrayRef<int64_t>({1, 0, 2}))
    return transpose.getInput();
  return Value();
}

/// A vector [units] that is repeated over the batch.
static Value lookThroughBroadcast(Value state) {
  auto generic = state.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic.getNumLoops() != 2 ||
      !llvm::hasSingleElement(generic.getBody()->getOperations()))
    return Value();
  AffineMap map = generic.getIndexingMapsArray()[0];
  AffineExpr units = getAffineDimExpr(1, generic.getContext());
  bool isVector = map.getNumResults() == 1 && map.getResult(0) == units;
  bool isCopy = generic.getBody()->getTerminator()->getOperand(0) ==
                generic.getBody()->getArgument(0);
  return isVector && isCopy ? generic.getDpsInputs()[0] : Value();
}

bool Exporter::isPartOfScan(Operation *op) {
  if (op->getNumResults() != 1 || op->use_empty() ||
      (!lookThroughSwap(op->getResult(0)) &&
       !lookThroughBroadcast(op->getResult(0))))
    return false;
  return llvm::all_of(op->getUsers(), [](Operation *user) {
    return isa<ScanOp, tensor::DimOp>(user);
  });
}

namespace {
/// A step of a layer that ai.dann has an operator for.
struct Step {
  std::string type;
  SmallVector<Value> parameters; // arguments of the body, for its inputs
  double epsilon = 0;
  // Of excitatory connections in training, of the input and of the state.
  double inputDropconnect = 0, dropconnect = 0;
};
} // namespace

/// The sum of an E/I layer of the slice and one of the state.
static std::optional<Step> matchEiStep(ScanOp op, Value z) {
  auto sum = z.getDefiningOp<arith::AddFOp>();
  auto u = sum ? sum.getLhs().getDefiningOp<EiDenseOp>() : EiDenseOp();
  auto w = sum ? sum.getRhs().getDefiningOp<EiDenseOp>() : EiDenseOp();
  if (!u || !w || u.getX() != op.getSliceArguments()[0] ||
      w.getX() != op.getCarryArguments()[0] || !u.getBias() || w.getBias() ||
      !u.getAlpha() != !w.getAlpha() || !u.getAlpha() != !u.getGain() ||
      !w.getAlpha() != !w.getGain() || u.getEpsilon() != w.getEpsilon())
    return std::nullopt;
  Step step{u.getAlpha() ? "EIRecurrentShunting" : "EIRecurrent",
            {},
            u.getEpsilon().convertToDouble()};
  // Weights that training drops of. Both of a layer have one rate.
  auto lookThroughDropout = [](Value weights, double &rate) -> Value {
    rate = 0;
    auto dropout = weights.getDefiningOp<DropoutOp>();
    if (!dropout || !dropout.getUnscaled())
      return weights;
    rate = dropout.getRate().convertToDouble();
    return dropout.getX();
  };
  // In the order of the operator's inputs: the bias is behind the gain.
  llvm::append_range(step.parameters, u->getOperands().drop_front());
  llvm::append_range(step.parameters, w->getOperands().drop_front());
  size_t ofState = u->getNumOperands() - 1;
  for (auto [first, rate] : {std::pair(size_t(0), &step.inputDropconnect),
                             {ofState, &step.dropconnect}}) {
    double other = 0;
    Value &wex = step.parameters[first], &wix = step.parameters[first + 1];
    wex = lookThroughDropout(wex, *rate);
    wix = lookThroughDropout(wix, other);
    if (*rate != other)
      return std::nullopt;
  }
  return step;
}

/// u . slice + bias + w . state
static std::optional<Step> matchStandardStep(ScanOp op, Value z) {
  auto matchProduct = [](Value value, Value x) -> linalg::ContractOp {
    auto product = value.getDefiningOp<linalg::ContractOp>();
    if (!product || product.getNumLoops() != 3 || product.getInputs()[0] != x)
      return {};
    auto maps = product.getIndexingMapsArray();
    auto isOver = [](AffineMap map, ArrayRef<AffineExpr> loops) {
      return map.getResults() == loops;
    };
    if (maps[2].getNumResults() != 2 || maps[0].getNumResults() != 2)
      return {};
    AffineExpr row = maps[2].getResult(0), column = maps[2].getResult(1),
               inner = maps[0].getResult(1);
    return isOver(maps[0], {row, inner}) && isOver(maps[1], {column, inner})
               ? product
               : linalg::ContractOp();
  };
  linalg::ContractOp ofState = matchProduct(z, op.getCarryArguments()[0]);
  auto bias = ofState
                  ? ofState.getOutputs()[0].getDefiningOp<linalg::GenericOp>()
                  : linalg::GenericOp();
  if (!bias || classify(bias) != Elementwise::AddBias)
    return std::nullopt;
  linalg::ContractOp ofInput =
      matchProduct(bias.getDpsInputs()[0], op.getSliceArguments()[0]);
  if (!ofInput || !isZeros(ofInput.getOutputs()[0]))
    return std::nullopt;
  return Step{
      "Recurrent",
      {ofInput.getInputs()[1], bias.getDpsInputs()[1], ofState.getInputs()[1]},
      0};
}

LogicalResult Exporter::addScan(ScanOp op) {
  auto refuse = [&]() -> LogicalResult {
    return op->emitOpError("cannot be exported to ONNX: it is none of the "
                           "recurrent layers of ai.dann");
  };
  if (op.getInitials().size() != 1 || op.getSequences().size() != 1 ||
      op.getReverse())
    return refuse();
  Value x = lookThroughSwap(op.getSequences()[0]);
  Value initial = lookThroughBroadcast(op.getInitials()[0]);
  if (!x || !names.contains(x) || (initial && !names.contains(initial)) ||
      (!initial && !isZeros(op.getInitials()[0])))
    return refuse();

  YieldOp yield = op.getYield();
  Value next = yield.getCarries()[0], z = next;
  auto relu = next.getDefiningOp<linalg::GenericOp>();
  bool isRelu = relu && classify(relu) == Elementwise::Relu;
  if (isRelu)
    z = relu.getDpsInputs()[0];
  std::optional<Step> step = matchEiStep(op, z);
  if (!step)
    step = matchStandardStep(op, z);
  if (!step)
    return refuse();
  SmallVector<Value> operands = {x};
  for (Value parameter : step->parameters) {
    auto argument = dyn_cast<BlockArgument>(parameter);
    auto arguments = op.getInvariantArguments();
    auto *found = llvm::find(arguments, argument);
    if (!argument || found == arguments.end())
      return refuse();
    operands.push_back(op.getInvariants()[found - arguments.begin()]);
    if (!names.contains(operands.back()))
      return refuse();
  }
  if (initial)
    operands.push_back(initial);

  // Either the states of all steps, with the batch in front again, or the last
  // one.
  Value states, last = op.getLastCarries()[0];
  if (!yield.getOutputs().empty()) {
    if (yield.getOutputs().size() != 1 || yield.getOutputs()[0] != next ||
        !last.use_empty())
      return refuse();
    for (Operation *user : op.getOutputs()[0].getUsers())
      if (!isa<tensor::DimOp>(user)) {
        if (states || user->getNumResults() != 1 ||
            lookThroughSwap(user->getResult(0)) != op.getOutputs()[0])
          return refuse();
        states = user->getResult(0);
      }
    if (!states)
      return refuse();
  }

  // "0" of "0.u.wex".
  std::string layer = getLayerName(getWeightsLayer(operands));
  proto::NodeProto &node =
      addNode(step->type + (isRelu ? "" : "Linear") + (states ? "" : "Last"),
              operands, states ? states : last, layer);
  node.set_domain(kDannDomain.str());
  if (!initial)
    node.set_op_type(node.op_type() + "NoInitial");
  setInteger(node, "checkpoint_every", op.getCheckpointEvery().value_or(0));
  if (StringRef(node.op_type()).starts_with("EI")) {
    addFloat(node, "dropconnect_input", step->inputDropconnect);
    addFloat(node, "dropconnect", step->dropconnect);
  }
  if (StringRef(node.op_type()).contains("Shunting"))
    addFloat(node, "epsilon", step->epsilon);
  return success();
}
