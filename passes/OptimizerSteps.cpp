//===- OptimizerSteps.cpp - From gradients to updated parameters ----------===//

#include "passes/OptimizerSteps.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace mlir::dann;

OptimizerSteps::OptimizerSteps(TrainingOp training,
                               ArrayRef<TrainedParameter> parameters)
    : training(training), optimizer(training.getOptimizer()),
      parameters(parameters) {
  llvm::MapVector<StringRef, Group> byLayer;
  for (auto [i, parameter] : llvm::enumerate(parameters))
    byLayer[parameter.name.rsplit('.').first].push_back(i);
  if (optimizer.countsSteps())
    states.push_back({"step", countType(), training.getLoc()});
  for (auto &[name, group] : byLayer) {
    layers.push_back(group);
    llvm::erase_if(group,
                   [&](unsigned i) { return parameters[i].sign == Sign::Any; });
    constrained.push_back(group);
    if (training.getCosineAngle() && !group.empty())
      states.push_back({(name + "/rate_index").str(), countType(),
                        parameters[group.front()].loc});
  }
  for (const TrainedParameter &parameter : parameters)
    for (const OptimizerState &state :
         optimizer.getStates(parameter.role, parameter.type))
      states.push_back({(parameter.name + "/" + state.name).str(), state.type,
                        parameter.loc});
}

RankedTensorType OptimizerSteps::countType() const {
  return RankedTensorType::get({},
                               IntegerType::get(optimizer.getContext(), 64));
}

LogicalResult OptimizerSteps::check() {
  auto conflict = [&](StringRef setting, StringRef reason) {
    return training.emitError()
           << "'" << setting << "' and the optimizer " << optimizer.describe()
           << " exclude each other: " << reason;
  };
  if (training.getCorrectInhibition())
    if (std::optional<std::string> reason = optimizer.explainNoCorrection())
      return conflict("correct_inhibition", *reason);
  if (!training.getCosineAngle())
    return success();
  auto sgd = dyn_cast<SgdAttr>(Attribute(optimizer));
  if (!sgd || !sgd.getMomentum().isZero() || !sgd.getWeightDecay().isZero())
    return conflict("cosine_angle", "the angle is that of a step of plain sgd");
  if (!training.getProject())
    return conflict("cosine_angle", "nothing projects the weights, so that "
                                    "there is no angle");
  return success();
}

/// count + 1.
static Value increment(ImplicitLocOpBuilder &builder, Value count) {
  LinalgBuilder b(builder, builder.getLoc());
  Value one = b.constant(builder.getI64Type(), 1);
  return b.elementwise({{count, {}}}, count,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::AddIOp::create(b, args[0], one);
                       });
}

/// The mean over the batch of `x` of the squared gradients that samples have of
/// their own loss, from the sum of those that they have of the mean loss:
/// 1 / B times as large each.
static Value meanOfSquares(ImplicitLocOpBuilder &builder, Value sum, Value x) {
  LinalgBuilder b(builder, builder.getLoc());
  Value batch = b.sizeAsFloat(x, 0, getElementTypeOrSelf(sum.getType()));
  return b.elementwise({{sum, LinalgBuilder::allLoops(sum)}}, sum,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                         return arith::MulFOp::create(b, args[0], batch);
                       });
}

void OptimizerSteps::clip(ImplicitLocOpBuilder &builder, ArrayRef<Group> groups,
                          MutableArrayRef<Value> gradients) {
  for (const Group &group : groups) {
    SmallVector<Value> own =
        llvm::map_to_vector(group, [&](unsigned i) { return gradients[i]; });
    builder.setLoc(parameters[group.front()].loc);
    auto clipped =
        ClipGradNormOp::create(builder, ValueRange(own).getTypes(), own,
                               training.getClip()->getMaxNorm());
    for (auto [i, gradient] : llvm::zip(group, clipped.getClipped()))
      gradients[i] = gradient;
  }
}

unsigned OptimizerSteps::getReference(const Group &layer) const {
  for (unsigned i : layer)
    if (llvm::is_contained({Role::Wex, Role::Weight}, parameters[i].role))
      return i;
  return layer.front();
}

OptimizerSteps::Values OptimizerSteps::build(ImplicitLocOpBuilder &builder,
                                             const Values &old,
                                             ArrayRef<Value> corrected,
                                             Value learningRate,
                                             ArrayRef<Value> squares, Value x) {
  Values updated;
  ArrayRef<Value> oldStates = old.states;
  Value count;
  if (optimizer.countsSteps()) {
    count = increment(builder, oldStates.front());
    updated.states.push_back(count);
    oldStates = oldStates.drop_front();
  }

  SmallVector<Value> gradients(corrected);
  if (std::optional<ClipAttr> clipping = training.getClip()) {
    SmallVector<Group> all = {
        llvm::to_vector(llvm::seq<unsigned>(0, parameters.size()))};
    clip(builder, clipping->getScope() == ClipScope::Layer ? layers : all,
         gradients);
  }

  SmallVector<Value> rates(parameters.size(), learningRate);
  if (std::optional<CosineAngleAttr> angle = training.getCosineAngle())
    for (auto [layer, group] : llvm::zip(layers, constrained)) {
      if (group.empty())
        continue;
      SmallVector<Value> weights, own;
      SmallVector<int64_t> signs;
      for (unsigned i : group) {
        weights.push_back(old.parameters[i]);
        own.push_back(gradients[i]);
        signs.push_back(static_cast<int64_t>(parameters[i].sign));
      }
      builder.setLoc(parameters[group.front()].loc);
      auto rate = AngleLearningRateOp::create(
          builder, learningRate.getType(), countType(), oldStates.front(),
          learningRate, weights, own, signs, angle->getMinimum(),
          angle->getCount(), angle->getEpsilon());
      oldStates = oldStates.drop_front();
      updated.states.push_back(rate.getNewIndex());
      for (unsigned i : layer)
        rates[i] = rate.getRate();
    }

  SmallVector<OptimizerStep> steps;
  for (auto [i, parameter] : llvm::enumerate(parameters)) {
    builder.setLoc(parameter.loc);
    size_t numStates =
        optimizer.getStates(parameter.role, parameter.type).size();
    Value square =
        squares.empty() ? Value() : meanOfSquares(builder, squares[i], x);
    steps.push_back({builder, parameter.role, old.parameters[i], gradients[i],
                     rates[i], count, square, oldStates.take_front(numStates)});
    oldStates = oldStates.drop_front(numStates);
  }
  for (const Group &layer : layers) {
    unsigned reference = getReference(layer);
    builder.setLoc(parameters[reference].loc);
    Value rate = optimizer.buildLayerRate(steps[reference]);
    for (unsigned i : layer)
      steps[i].learningRate = rate;
  }
  for (auto [parameter, step] : llvm::zip(parameters, steps)) {
    builder.setLoc(parameter.loc);
    OptimizerResult result = optimizer.buildStep(step);
    if (training.getProject() && parameter.sign != Sign::Any)
      result.parameter =
          ProjectOp::create(builder, parameter.sign, result.parameter);
    updated.parameters.push_back(result.parameter);
    llvm::append_range(updated.states, result.states);
  }
  return updated;
}
