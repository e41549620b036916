//===- LayerGroups.cpp - The layers that a function's operations form -----===//

#include "passes/LayerGroups.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/SetVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mlir::dann;

SmallVector<Value> mlir::dann::getReadValues(Operation &op) {
  llvm::SetVector<Value> values;
  for (Value operand : op.getOperands())
    values.insert(operand);
  getUsedValuesDefinedAbove(op.getRegions(), values);
  return values.takeVector();
}

StringRef mlir::dann::getShortName(Operation *op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return generic.getNumReductionLoops() ? "reduction" : "elementwise";
  return op->getName().stripDialect();
}

bool mlir::dann::isPointwise(Operation *op) {
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
    return linalgOp.getNumReductionLoops() == 0;
  return op->hasTrait<OpTrait::Elementwise>() ||
         isa_and_nonnull<tensor::TensorDialect>(op->getDialect());
}

namespace {

class Grouping {
public:
  explicit Grouping(func::FuncOp forward) : forward(forward) {
    for (BlockArgument argument : forward.getArguments())
      if (forward.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr))
        parametersOf[argument] = {argument.getArgNumber()};
      else
        isData.insert(argument);
  }

  std::vector<LayerGroup> run() {
    auto operations = forward.getBody().front().without_terminator();
    for (Operation &op : operations) {
      trace(op);
      if (used.contains(&op) && !isa<UnknownLoc>(op.getLoc()))
        ++places[op.getLoc()];
    }
    // Layers are listed where inputs reach them, not where their parameters are
    // prepared.
    for (Operation &op : operations)
      if (readsData(op))
        place(op);
    for (Operation &op : operations)
      if (!readsData(op) && used.contains(&op))
        place(op);
    for (LayerGroup &group : groups)
      group.name = getName(group);
    return std::move(groups);
  }

private:
  /// Finds what `op` is computed of.
  void trace(Operation &op) {
    // Sizes are no data.
    if (!llvm::any_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>))
      return;
    llvm::SetVector<unsigned> parameters;
    bool readsData = false;
    for (Value value : getReadValues(op)) {
      auto found = parametersOf.find(value);
      if (found != parametersOf.end())
        parameters.insert(found->second.begin(), found->second.end());
      else
        readsData |= isData.contains(value);
    }
    if (!parameters.empty())
      used[&op] = llvm::to_vector(parameters);
    if (readsData)
      isData.insert_range(op.getResults());
    else if (!parameters.empty())
      for (Value result : op.getResults())
        parametersOf[result] = used[&op];
  }

  bool readsData(Operation &op) {
    return op.getNumResults() != 0 && isData.contains(op.getResult(0));
  }

  void place(Operation &op) {
    if (!isa<UnknownLoc>(op.getLoc()))
      if (auto found = byPlace.find(op.getLoc()); found != byPlace.end())
        return add(found->second, op);
    int group = kInput;
    if (auto found = used.find(&op); found != used.end())
      group = findByParameters(found->second);
    else if (isPointwise(&op) && !sharesPlace(op))
      for (Value value : getReadValues(op))
        if (auto found = groupOf.find(value); found != groupOf.end())
          group = std::max(group, found->second);
    if (group == kInput) {
      group = groups.size();
      groups.emplace_back();
    }
    add(group, op);
  }

  /// Whether another operation, which uses parameters, was written at the same
  /// place: a layer.
  bool sharesPlace(Operation &op) { return places.lookup(op.getLoc()) > 0; }

  void add(int group, Operation &op) {
    LayerGroup &layer = groups[group];
    layer.operations.push_back(&op);
    if (!isa<UnknownLoc>(op.getLoc()))
      byPlace.try_emplace(op.getLoc(), group);
    if (auto found = used.find(&op); found != used.end())
      for (unsigned parameter : found->second) {
        byName.try_emplace(getPrefix(parameter), group);
        if (counted.insert(parameter).second)
          layer.parameters.push_back(parameter);
      }
    if (!readsData(op))
      return;
    // A layer is called after what uses its parameters, if anything does.
    if (!layer.main || (!used.contains(layer.main) && used.contains(&op)))
      layer.main = &op;
    for (Value result : op.getResults())
      groupOf[result] = group;
    // The last one: a scan's is what it stacks.
    for (Value result : llvm::reverse(op.getResults()))
      if (isa<RankedTensorType>(result.getType())) {
        layer.output = result;
        break;
      }
  }

  StringRef getParameterName(unsigned parameter) {
    auto name =
        forward.getArgAttrOfType<StringAttr>(parameter, DannDialect::kNameAttr);
    return name ? name.getValue() : StringRef();
  }
  /// All before the last dot.
  StringRef getPrefix(unsigned parameter) {
    StringRef name = getParameterName(parameter);
    auto [prefix, rest] = name.rsplit('.');
    return rest.empty() ? name : prefix;
  }

  /// The group of parameters with such names: 0.mean.stat goes with 0.w. One
  /// operation may also use parameters whose names have nothing in common.
  int findByParameters(ArrayRef<unsigned> parameters) {
    int group = kInput;
    for (unsigned parameter : parameters)
      for (StringRef name = getPrefix(parameter); !name.empty();
           name = name.contains('.') ? name.rsplit('.').first : "")
        if (auto found = byName.find(name); found != byName.end()) {
          group = std::max(group, found->second);
          break;
        }
    return group;
  }

  /// What the names of its parameters have in common, up to a dot; else the
  /// first of them, or the operation's own name.
  std::string getName(const LayerGroup &layer) {
    if (layer.parameters.empty()) {
      auto name = layer.main ? layer.main->getLoc()->findInstanceOf<NameLoc>()
                             : NameLoc();
      StringRef text = name ? name.getName().getValue() : StringRef();
      text.consume_front("layer "); // of a model file
      return text.str();
    }
    StringRef common = getPrefix(layer.parameters.front());
    for (unsigned parameter : layer.parameters)
      while (!common.empty() && getPrefix(parameter) != common &&
             !getPrefix(parameter).starts_with((common + ".").str()))
        common = common.contains('.') ? common.rsplit('.').first : "";
    return (common.empty() ? getPrefix(layer.parameters.front()) : common)
        .str();
  }

  static constexpr int kInput = -1;

  func::FuncOp forward;
  std::vector<LayerGroup> groups;
  // Arguments, and what is computed of them alone.
  DenseMap<Value, SmallVector<unsigned>> parametersOf;
  llvm::DenseSet<Value> isData; // inputs and what is computed of them
  DenseMap<Operation *, SmallVector<unsigned>> used;
  // Operations at a place, and the group that they are in.
  DenseMap<Location, unsigned> places;
  DenseMap<Location, int> byPlace;
  DenseMap<Value, int> groupOf;
  llvm::StringMap<int> byName;
  llvm::DenseSet<unsigned> counted;
};

} // namespace

std::vector<LayerGroup> mlir::dann::groupLayers(func::FuncOp forward) {
  return Grouping(forward).run();
}
