//===- ExpandTraining.cpp - Make the training entry points ----------------===//

#include "passes/OptimizerSteps.h"
#include "passes/Passes.h"
#include "passes/TrainingForward.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_EXPANDTRAINING
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// How the gradient of an inhibitory parameter is corrected.
struct Correction {
  Role role;
  int64_t fanIn, numExcitatory;
  bool operator==(const Correction &) const = default;
};

/// One argument or result of a function under construction.
struct Slot {
  Type type;
  DictionaryAttr attributes;
  Location loc;
};

/// Builds the entry points of one `dann.training`.
class Expansion {
public:
  Expansion(TrainingOp training, func::FuncOp forward)
      : training(training), forward(forward),
        builder(training.getLoc(), training) {
    auto logits = cast<RankedTensorType>(forward.getResultTypes()[0]);
    scalar = RankedTensorType::get({}, logits.getElementType());
    auto labels =
        RankedTensorType::get({logits.getDimSize(0)}, builder.getI64Type());
    input = {forward.getArgumentTypes()[0], argumentAttributes(0),
             forward.getArgument(0).getLoc()};
    y = {labels, named("y"), training.getLoc()};
    for (unsigned i = 1, e = forward.getNumArguments(); i < e; ++i)
      parameters.push_back({forward.getArgumentTypes()[i],
                            argumentAttributes(i),
                            forward.getArgument(i).getLoc()});
  }

  LogicalResult run() {
    for (StringRef name : {StringRef("loss"), StringRef(kTrainingLoss),
                           StringRef("loss_and_gradients"),
                           StringRef("train_step"), StringRef("evaluate")})
      if (Operation *other =
              SymbolTable::lookupSymbolIn(training->getParentOp(), name))
        return other->emitError()
               << "the name '" << name << "' is taken: "
               << "dann-expand-training makes a function of that name";
    FailureOr<TrainingForward> built = buildTrainingForward(forward);
    if (failed(built))
      return failure();
    trained = *built;
    buildLoss("loss", {forward, /*takesKey=*/false, /*updated=*/{}});
    if (trained.function != forward)
      buildLoss(kTrainingLoss, trained);
    buildLossAndGradients();
    buildEvaluate();
    forward->setAttr(DannDialect::kInferenceAttr, builder.getUnitAttr());
    return buildTrainStep();
  }

private:
  DictionaryAttr argumentAttributes(unsigned index) {
    DictionaryAttr attributes = forward.getArgAttrDict(index);
    return attributes ? attributes : builder.getDictionaryAttr({});
  }
  DictionaryAttr named(const Twine &name) {
    return builder.getDictionaryAttr(builder.getNamedAttr(
        DannDialect::kNameAttr, builder.getStringAttr(name)));
  }
  StringAttr parameterName(const Slot &parameter) {
    auto name = parameter.attributes.getAs<StringAttr>(DannDialect::kNameAttr);
    return name ? name : builder.getStringAttr("");
  }

  /// Starts a function and moves the builder into it.
  func::FuncOp start(StringRef name, ArrayRef<Slot> arguments,
                     ArrayRef<Slot> results, bool isPublic) {
    builder.setInsertionPoint(training);
    auto types = [](ArrayRef<Slot> slots) {
      return llvm::map_to_vector(slots, [](const Slot &s) { return s.type; });
    };
    auto function = func::FuncOp::create(
        builder, name,
        builder.getFunctionType(types(arguments), types(results)));
    if (!isPublic)
      function.setPrivate();
    for (auto [i, slot] : llvm::enumerate(arguments))
      function.setArgAttrs(i, slot.attributes);
    for (auto [i, slot] : llvm::enumerate(results))
      function.setResultAttrs(i, slot.attributes);
    Block *block = function.addEntryBlock();
    for (auto [argument, slot] : llvm::zip(block->getArguments(), arguments))
      argument.setLoc(slot.loc);
    builder.setInsertionPointToStart(block);
    return function;
  }

  SmallVector<Slot> slots(std::initializer_list<Slot> first) {
    SmallVector<Slot> all(first);
    llvm::append_range(all, parameters);
    return all;
  }

  /// The arguments of a function that trains: `first`, parameters, and a random
  /// key if the training form of the network takes one.
  SmallVector<Slot> trainingSlots(std::initializer_list<Slot> first) {
    SmallVector<Slot> all = slots(first);
    if (trained.takesKey)
      all.push_back({RankedTensorType::get({}, builder.getI64Type()),
                     named(kRandomKey), loc()});
    return all;
  }

  /// The loss of the logits of a network; also what else the network returns.
  void buildLoss(StringRef name, TrainingForward network) {
    SmallVector<Slot> results = {{scalar, named("loss"), loc()}};
    for (Type type : network.function.getResultTypes().drop_front())
      results.push_back({type, builder.getDictionaryAttr({}), loc()});
    auto function = start(
        name, network.takesKey ? trainingSlots({input, y}) : slots({input, y}),
        results, /*isPublic=*/false);
    auto arguments = function.getArguments();
    SmallVector<Value> operands = {arguments[0]};
    llvm::append_range(operands, arguments.drop_front(2));
    auto call = func::CallOp::create(builder, network.function, operands);
    Value loss;
    switch (training.getLoss()) {
    case Loss::SoftmaxCrossEntropy:
      loss = SoftmaxCrossEntropyOp::create(builder, scalar, call.getResult(0),
                                           arguments[1]);
    }
    SmallVector<Value> returned(call.getResults());
    returned[0] = loss;
    func::ReturnOp::create(builder, returned);
  }

  static bool isTrained(const Slot &parameter) {
    return dann::isTrained(
        parameter.attributes.getAs<RoleAttr>(DannDialect::kRoleAttr)
            .getValue());
  }

  /// Calls the loss that training minimises on x, y, the parameters and the
  /// key. There is a gradient for each parameter that is trained.
  ValueAndGradOp buildValueAndGrad(ArrayRef<Value> operands) {
    SmallVector<Type> types;
    SmallVector<int64_t> wrt;
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      if (!isTrained(parameter))
        continue;
      types.push_back(parameter.type);
      wrt.push_back(2 + i);
    }
    llvm::append_range(types, trained.function.getResultTypes().drop_front());
    return ValueAndGradOp::create(
        builder, scalar, types,
        trained.function == forward ? "loss" : kTrainingLoss, operands, wrt);
  }

  void buildLossAndGradients() {
    SmallVector<Slot> results = {{scalar, named("loss"), loc()}};
    for (const Slot &parameter : parameters)
      if (isTrained(parameter))
        results.push_back({parameter.type,
                           named("grad/" + parameterName(parameter).getValue()),
                           parameter.loc});
    auto function = start("loss_and_gradients", trainingSlots({input, y}),
                          results, /*isPublic=*/true);
    auto operands = llvm::to_vector_of<Value>(function.getArguments());
    func::ReturnOp::create(
        builder,
        buildValueAndGrad(operands).getResults().take_front(results.size()));
  }

  void buildEvaluate() {
    auto count = RankedTensorType::get({}, builder.getI64Type());
    auto function =
        start("evaluate", slots({input, y}),
              {{scalar, named("loss"), loc()}, {count, named("errors"), loc()}},
              /*isPublic=*/true);
    function->setAttr(DannDialect::kInferenceAttr, builder.getUnitAttr());
    auto arguments = function.getArguments();
    auto loss = func::CallOp::create(
        builder, TypeRange(scalar), "loss",
        llvm::to_vector_of<Value>(function.getArguments()));
    SmallVector<Value> operands = {arguments[0]};
    llvm::append_range(operands, arguments.drop_front(2));
    Value logits =
        func::CallOp::create(builder, forward, operands).getResult(0);
    Value errors = CountErrorsOp::create(builder, count, logits, arguments[1]);
    func::ReturnOp::create(builder, ValueRange{loss.getResult(0), errors});
  }

  LogicalResult buildTrainStep() {
    constexpr unsigned firstParameter = 3;
    OptimizerSteps optimizer(training, describeTrained());
    if (failed(optimizer.check()))
      return failure();
    // The batch and the rate, parameters, the key, states.
    SmallVector<Slot> arguments =
        trainingSlots({input, y, {scalar, named("learning_rate"), loc()}});
    if (optimizer.needsSquaredGradients() && !trained.takesKey)
      arguments.push_back({RankedTensorType::get({}, builder.getI64Type()),
                           named(kRandomKey), loc()});
    SmallVector<Slot> results = {{scalar, named("loss"), loc()}};
    auto addUpdate = [&](Slot slot, unsigned argument) {
      NamedAttrList attributes(slot.attributes);
      attributes.set(DannDialect::kUpdatesAttr,
                     builder.getI64IntegerAttr(argument));
      slot.attributes = attributes.getDictionary(builder.getContext());
      results.push_back(slot);
    };
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      if (!isUpdated(i))
        continue;
      NamedAttrList attributes;
      for (StringRef kept : {DannDialect::kNameAttr, DannDialect::kSignAttr})
        if (Attribute value = parameter.attributes.get(kept))
          attributes.set(kept, value);
      addUpdate({parameter.type, attributes.getDictionary(builder.getContext()),
                 parameter.loc},
                firstParameter + i);
    }
    unsigned firstState = arguments.size();
    for (const OptimizerSteps::State &state : optimizer.getStates()) {
      addUpdate({state.type, named(state.name), state.loc}, arguments.size());
      NamedAttrList attributes(named(state.name));
      attributes.set(DannDialect::kRoleAttr,
                     RoleAttr::get(builder.getContext(), Role::State));
      arguments.push_back({state.type,
                           attributes.getDictionary(builder.getContext()),
                           state.loc});
    }
    auto function = start("train_step", arguments, results, /*isPublic=*/true);
    function->setAttr(DannDialect::kSettingsAttr, describeTraining());

    SmallVector<Value> values(function.getArguments());
    ArrayRef<Value> weights =
        ArrayRef(values).slice(firstParameter, parameters.size());
    Value key = firstState > firstParameter + parameters.size()
                    ? values[firstState - 1]
                    : Value();
    ValueAndGradOp valueAndGrad =
        differentiate(values[0], values[1], weights, key);
    OptimizerSteps::Values old;
    llvm::append_range(old.states, ArrayRef(values).drop_front(firstState));
    SmallVector<Value> gradients;
    for (unsigned i = 0; i < parameters.size(); ++i) {
      if (!isTrained(parameters[i]))
        continue;
      FailureOr<Value> gradient =
          correct(i, valueAndGrad.getGradients()[gradients.size()]);
      if (failed(gradient))
        return failure();
      gradients.push_back(*gradient);
      old.parameters.push_back(weights[i]);
    }
    SmallVector<Value> squares;
    if (optimizer.needsSquaredGradients())
      squares = buildSquaredGradients(values[0], weights, key);
    OptimizerSteps::Values made =
        optimizer.build(builder, old, gradients, values[2], squares, values[0]);
    SmallVector<Value> returned = {valueAndGrad.getValue()};
    auto stepped = made.parameters.begin();
    for (unsigned i = 0; i < parameters.size(); ++i) {
      if (isTrained(parameters[i]))
        returned.push_back(*stepped++);
      else if (isUpdated(i))
        returned.push_back(valueAndGrad.getAuxiliary()[std::distance(
            trained.updated.begin(), llvm::find(trained.updated, i + 1))]);
    }
    llvm::append_range(returned, made.states);
    builder.setLoc(loc());
    func::ReturnOp::create(builder, returned);
    return success();
  }

  /// The loss that training minimises, and its gradients.
  ValueAndGradOp differentiate(Value x, Value labels, ArrayRef<Value> weights,
                               Value key) {
    SmallVector<Value> operands = {x, labels};
    llvm::append_range(operands, weights);
    if (trained.takesKey)
      operands.push_back(key);
    return buildValueAndGrad(operands);
  }

  /// The sums over the samples of `x` of their squared gradients, for labels
  /// drawn from the model.
  SmallVector<Value> buildSquaredGradients(Value x, ArrayRef<Value> weights,
                                           Value key) {
    SmallVector<Value> operands = {x};
    llvm::append_range(operands, weights);
    Value logits =
        func::CallOp::create(builder, forward, operands).getResult(0);
    Value labels = SampleLabelsOp::create(builder, y.type, logits, key);
    ValueAndGradOp squared = differentiate(x, labels, weights, key);
    squared.setSquared(true);
    return SmallVector<Value>(squared.getGradients());
  }

  /// The parameters that the optimizer updates.
  SmallVector<TrainedParameter> describeTrained() {
    SmallVector<TrainedParameter> described;
    for (const Slot &slot : parameters) {
      if (!isTrained(slot))
        continue;
      auto role = slot.attributes.getAs<RoleAttr>(DannDialect::kRoleAttr);
      auto sign = slot.attributes.getAs<SignAttr>(DannDialect::kSignAttr);
      described.push_back({parameterName(slot), role.getValue(),
                           sign ? sign.getValue() : Sign::Any,
                           cast<RankedTensorType>(slot.type), slot.loc});
    }
    return described;
  }

  /// The gradient of parameter `index`, corrected if the training asks for it
  /// and its layer has a correction.
  FailureOr<Value> correct(unsigned index, Value gradient) {
    if (!training.getCorrectInhibition())
      return gradient;
    builder.setLoc(parameters[index].loc);
    std::optional<Correction> correction;
    if (failed(findCorrection(forward.getArgument(index + 1),
                              parameterName(parameters[index]), correction)))
      return failure();
    if (!correction)
      return gradient;
    return CorrectInhibitionOp::create(builder, correction->role, gradient,
                                       correction->fanIn,
                                       correction->numExcitatory)
        .getResult();
  }

  /// Whether a training step gives parameter `index` a new value.
  bool isUpdated(unsigned index) {
    return isTrained(parameters[index]) ||
           llvm::is_contained(trained.updated, index + 1);
  }

  /// What is known of the training when `dann.training` is gone.
  DictionaryAttr describeTraining() {
    std::string optimizer = training.getOptimizer().describe();
    if (training.getCorrectInhibition())
      optimizer += ", corrected";
    if (std::optional<ClipAttr> clip = training.getClip())
      optimizer += clip->getScope() == ClipScope::Layer ? ", clipped by layer"
                                                        : ", clipped globally";
    if (training.getCosineAngle())
      optimizer += ", rates by cosine angle";
    if (training.getProject())
      optimizer += ", projected";
    NamedAttrList settings(ArrayRef<NamedAttribute>(
        {builder.getNamedAttr("batch_size", training.getBatchSizeAttr()),
         builder.getNamedAttr("epochs", training.getEpochsAttr()),
         builder.getNamedAttr("learning_rate", training.getLearningRateAttr()),
         builder.getNamedAttr(
             "loss", builder.getStringAttr(stringifyLoss(training.getLoss()))),
         builder.getNamedAttr("optimizer", builder.getStringAttr(optimizer))}));
    if (std::optional<ScheduleAttr> schedule = training.getSchedule())
      settings.set("schedule", *schedule);
    return settings.getDictionary(builder.getContext());
  }

  /// Where a parameter is used, also in the bodies of scans and with dropped
  /// connections.
  static void collectUses(Value parameter, SmallVectorImpl<OpOperand *> &uses) {
    for (OpOperand &use : parameter.getUses())
      if (auto scan = dyn_cast<ScanOp>(use.getOwner()))
        collectUses(scan.getBody().getArgument(use.getOperandNumber()), uses);
      else if (auto dropout = dyn_cast<DropoutOp>(use.getOwner()))
        collectUses(dropout.getY(), uses);
      else
        uses.push_back(&use);
  }

  /// The correction that the users of a parameter ask for, if any.
  LogicalResult findCorrection(BlockArgument parameter, StringAttr name,
                               std::optional<Correction> &correction) {
    bool first = true;
    SmallVector<OpOperand *> uses;
    collectUses(parameter, uses);
    for (OpOperand *use : uses) {
      std::optional<Correction> wanted;
      if (isa<CallOpInterface>(use->getOwner()))
        return use->getOwner()->emitError()
               << "parameter " << name
               << " is passed to a function, which hides the layer that tells "
                  "how its gradient is corrected: inline the call first";
      if (auto layer = dyn_cast<EILayerOpInterface>(use->getOwner())) {
        std::optional<Role> role =
            layer.getOperandRole(use->getOperandNumber());
        if (role == Role::Wix || role == Role::Wei || role == Role::Alpha)
          wanted =
              Correction{*role, layer.getFanIn(), layer.getNumExcitatory()};
      }
      if (!first && wanted != correction)
        return use->getOwner()->emitError()
               << "parameter " << name
               << " is shared by uses that ask for different corrections of "
                  "its gradient";
      correction = wanted;
      first = false;
    }
    return success();
  }

  Location loc() { return training.getLoc(); }

  // The loss of the network's training form, where it has one.
  static constexpr StringLiteral kTrainingLoss = "loss_training";

  TrainingOp training;
  func::FuncOp forward;
  TrainingForward trained; // what is differentiated
  ImplicitLocOpBuilder builder;
  RankedTensorType scalar;
  Slot input{{}, {}, builder.getUnknownLoc()};
  Slot y{{}, {}, builder.getUnknownLoc()};
  SmallVector<Slot> parameters;
};

struct ExpandTrainingPass : dann::impl::ExpandTrainingBase<ExpandTrainingPass> {
  void runOnOperation() override {
    auto trainings = llvm::to_vector(getOperation().getOps<TrainingOp>());
    if (trainings.size() > 1) {
      trainings[1]
              .emitError("a module can hold one dann.training only")
              .attachNote(trainings[0].getLoc())
          << "the first one is here";
      return signalPassFailure();
    }
    for (TrainingOp training : trainings) {
      auto forward =
          getOperation().lookupSymbol<func::FuncOp>(training.getFunction());
      if (!forward || forward.isExternal()) {
        training.emitError() << "'" << training.getFunction()
                             << "' must be a func.func with a body";
        return signalPassFailure();
      }
      if (failed(Expansion(training, forward).run()))
        return signalPassFailure();
      training.erase();
    }
  }
};

} // namespace
