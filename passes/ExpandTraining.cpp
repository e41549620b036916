//===- ExpandTraining.cpp - Make the training entry points ----------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
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
    for (StringRef name :
         {"loss", "loss_and_gradients", "train_step", "evaluate"})
      if (Operation *other =
              SymbolTable::lookupSymbolIn(training->getParentOp(), name))
        return other->emitError()
               << "the name '" << name << "' is taken: "
               << "dann-expand-training makes a function of that name";
    buildLoss();
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

  Value callForward(Value x, ValueRange weights) {
    SmallVector<Value> operands = {x};
    llvm::append_range(operands, weights);
    return func::CallOp::create(builder, forward, operands).getResult(0);
  }

  void buildLoss() {
    auto function =
        start("loss", slots({input, y}), {{scalar, named("loss"), loc()}},
              /*isPublic=*/false);
    auto arguments = function.getArguments();
    Value logits = callForward(arguments[0], arguments.drop_front(2));
    Value loss;
    switch (training.getLoss()) {
    case Loss::SoftmaxCrossEntropy:
      loss =
          SoftmaxCrossEntropyOp::create(builder, scalar, logits, arguments[1]);
    }
    func::ReturnOp::create(builder, loss);
  }

  /// Calls @loss on x, y and the parameters.
  ValueAndGradOp buildValueAndGrad(ArrayRef<Value> operands) {
    SmallVector<Type> gradientTypes;
    SmallVector<int64_t> wrt;
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      gradientTypes.push_back(parameter.type);
      wrt.push_back(2 + i);
    }
    return ValueAndGradOp::create(builder, scalar, gradientTypes, "loss",
                                  operands, wrt);
  }

  void buildLossAndGradients() {
    SmallVector<Slot> results = {{scalar, named("loss"), loc()}};
    for (const Slot &parameter : parameters)
      results.push_back({parameter.type,
                         named("grad/" + parameterName(parameter).getValue()),
                         parameter.loc});
    auto function = start("loss_and_gradients", slots({input, y}), results,
                          /*isPublic=*/true);
    auto operands = llvm::to_vector_of<Value>(function.getArguments());
    func::ReturnOp::create(builder, buildValueAndGrad(operands).getResults());
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
    Value logits = callForward(arguments[0], arguments.drop_front(2));
    Value errors = CountErrorsOp::create(builder, count, logits, arguments[1]);
    func::ReturnOp::create(builder, ValueRange{loss.getResult(0), errors});
  }

  LogicalResult buildTrainStep() {
    constexpr unsigned firstParameter = 3;
    SmallVector<Slot> results = {{scalar, named("loss"), loc()}};
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      NamedAttrList attributes;
      for (StringRef kept : {DannDialect::kNameAttr, DannDialect::kSignAttr})
        if (Attribute value = parameter.attributes.get(kept))
          attributes.set(kept, value);
      attributes.set(DannDialect::kUpdatesAttr,
                     builder.getI64IntegerAttr(firstParameter + i));
      results.push_back({parameter.type,
                         attributes.getDictionary(builder.getContext()),
                         parameter.loc});
    }
    auto function =
        start("train_step",
              slots({input, y, {scalar, named("learning_rate"), loc()}}),
              results, /*isPublic=*/true);
    function->setAttr(DannDialect::kSettingsAttr, describeTraining());

    auto arguments = function.getArguments();
    SmallVector<Value> operands = {arguments[0], arguments[1]};
    llvm::append_range(operands, arguments.drop_front(firstParameter));
    auto valueAndGrad = buildValueAndGrad(operands);
    SmallVector<Value> returned = {valueAndGrad.getValue()};
    for (auto [i, slot] : llvm::enumerate(parameters)) {
      builder.setLoc(slot.loc);
      Value parameter = arguments[firstParameter + i];
      Value gradient = valueAndGrad.getGradients()[i];
      if (training.getCorrectInhibition()) {
        std::optional<Correction> correction;
        if (failed(findCorrection(forward.getArgument(i + 1),
                                  parameterName(slot), correction)))
          return failure();
        if (correction)
          gradient = CorrectInhibitionOp::create(builder, correction->role,
                                                 gradient, correction->fanIn,
                                                 correction->numExcitatory);
      }
      Value updated;
      switch (training.getOptimizer()) {
      case Optimizer::Sgd:
        updated =
            SgdUpdateOp::create(builder, parameter, gradient, arguments[2]);
      }
      auto sign = slot.attributes.getAs<SignAttr>(DannDialect::kSignAttr);
      bool constrained = sign && sign.getValue() != Sign::Any;
      if (training.getProject() && constrained)
        updated = ProjectOp::create(builder, sign.getValue(), updated);
      returned.push_back(updated);
    }
    builder.setLoc(loc());
    func::ReturnOp::create(builder, returned);
    return success();
  }

  /// What is known of the training when `dann.training` is gone.
  DictionaryAttr describeTraining() {
    std::string optimizer = stringifyOptimizer(training.getOptimizer()).str();
    if (training.getCorrectInhibition())
      optimizer += ", corrected";
    if (training.getProject())
      optimizer += ", projected";
    return builder.getDictionaryAttr(
        {builder.getNamedAttr("batch_size", training.getBatchSizeAttr()),
         builder.getNamedAttr("epochs", training.getEpochsAttr()),
         builder.getNamedAttr("learning_rate", training.getLearningRateAttr()),
         builder.getNamedAttr(
             "loss", builder.getStringAttr(stringifyLoss(training.getLoss()))),
         builder.getNamedAttr("optimizer", builder.getStringAttr(optimizer))});
  }

  /// The correction that the users of a parameter ask for, if any.
  LogicalResult findCorrection(BlockArgument parameter, StringAttr name,
                               std::optional<Correction> &correction) {
    bool first = true;
    for (OpOperand &use : parameter.getUses()) {
      std::optional<Correction> wanted;
      if (isa<CallOpInterface>(use.getOwner()))
        return use.getOwner()->emitError()
               << "parameter " << name
               << " is passed to a function, which hides the layer that tells "
                  "how its gradient is corrected: inline the call first";
      if (auto layer = dyn_cast<EILayerOpInterface>(use.getOwner())) {
        std::optional<Role> role = layer.getOperandRole(use.getOperandNumber());
        if (role == Role::Wix || role == Role::Wei || role == Role::Alpha)
          wanted =
              Correction{*role, layer.getFanIn(), layer.getNumExcitatory()};
      }
      if (!first && wanted != correction)
        return use.getOwner()->emitError()
               << "parameter " << name
               << " is shared by uses that ask for different corrections of "
                  "its gradient";
      correction = wanted;
      first = false;
    }
    return success();
  }

  Location loc() { return training.getLoc(); }

  TrainingOp training;
  func::FuncOp forward;
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
