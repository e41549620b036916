//===- OnnxTraining.cpp - Training of ONNX models -------------------------===//

#include "frontend/Onnx/TrainingSettings.h"

#include "frontend/ModelFile.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;

static LogicalResult checkSettings(const OnnxTraining &training, Location loc) {
  if (!(std::isfinite(training.learningRate) && training.learningRate > 0))
    return emitError(loc) << "the learning rate must be a positive number, but "
                             "is "
                          << std::to_string(training.learningRate);
  if (training.batchSize < 1 || training.epochs < 1)
    return emitError(loc) << "batch size and epochs must be at least 1, but "
                             "are "
                          << training.batchSize << " and " << training.epochs;
  if (!(std::isfinite(training.minimum) && std::isfinite(training.maximum) &&
        training.minimum < training.maximum))
    return emitError(loc) << "the input's range must be two finite numbers, "
                             "the smaller first, but is ["
                          << std::to_string(training.minimum) << ", "
                          << std::to_string(training.maximum) << "]";
  return success();
}

LogicalResult mlir::dann::checkClassifier(ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  Location loc = forward.getLoc();
  unsigned numInputs = 0, numParameters = 0;
  for (unsigned i = 0, e = forward.getNumArguments(); i < e; ++i)
    ++(forward.getArgAttr(i, DannDialect::kRoleAttr) ? numParameters
                                                     : numInputs);
  if (numInputs != 1 || forward.getNumResults() != 1)
    return emitError(loc) << "training needs a model with one input and one "
                             "output, but it has "
                          << numInputs << " and " << forward.getNumResults();
  if (numParameters == 0)
    return emitError(loc) << "the model has no parameters to train: no float "
                             "initializer is used";
  auto input = cast<RankedTensorType>(forward.getArgumentTypes()[0]);
  auto output = cast<RankedTensorType>(forward.getResultTypes()[0]);
  if (!input.getElementType().isF32() || input.getRank() < 2 ||
      !input.isDynamicDim(0))
    return emitError(forward.getArgument(0).getLoc())
           << "training needs an input of floats [batch, ...] of which the "
              "batch is not fixed, but it is "
           << input;
  if (!output.getElementType().isF32() || output.getRank() != 2 ||
      !output.isDynamicDim(0) || output.getDimSize(1) < 1)
    return emitError(loc) << "training needs an output of floats [batch, "
                             "classes], but it is "
                          << output;
  for (unsigned i = 1, e = forward.getNumArguments(); i < e; ++i) {
    StringRef name =
        forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr)
            .getValue();
    if (llvm::is_contained({"x", "y", "seed", "learning_rate", "random_key",
                            "logits", "loss", "errors"},
                           name))
      return emitError(forward.getArgument(i).getLoc())
             << "a parameter cannot have this name, which means something else "
                "to programs that train";
  }
  return success();
}

std::optional<TrainingSettings>
mlir::dann::readSettings(const OnnxTraining &training, Location loc) {
  if (failed(checkSettings(training, loc)))
    return std::nullopt;
  loc.getContext()->loadDialect<DannDialect>(); // of its attributes
  std::optional<ModelOptimizer> optimizer =
      parseOptimizer(training.optimizer, "--optimizer", loc.getContext());
  if (!optimizer)
    return std::nullopt;
  return TrainingSettings{
      training.learningRate, training.batchSize, training.epochs,
      training.minimum,      training.maximum,   training.correctInhibition,
      /*project=*/true,      *optimizer,         ScheduleAttr()};
}

TrainingSettings mlir::dann::readSettings(const ModelFile &file) {
  const ::dann::model::Model &model = file.getModel();
  return {model.defaults().learning_rate(),
          model.defaults().batch_size(),
          model.defaults().epochs(),
          model.input().minimum(),
          model.input().maximum(),
          model.optimizer().correct_inhibition(),
          model.optimizer().projection() == ::dann::model::Optimizer::ON,
          file.getOptimizer(),
          file.getSchedule()};
}

LogicalResult mlir::dann::addTraining(ModuleOp module,
                                      const TrainingSettings &training) {
  if (failed(checkClassifier(module)))
    return failure();
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  auto builder = OpBuilder::atBlockEnd(module.getBody());
  forward.setArgAttr(0, DannDialect::kNameAttr, builder.getStringAttr("x"));
  forward.setArgAttr(
      0, DannDialect::kRangeAttr,
      builder.getDenseF64ArrayAttr({training.minimum, training.maximum}));
  // What layers have taken the input's sign to be is now proven or refused.
  forward.removeArgAttr(0, builder.getStringAttr(DannDialect::kSignAttr));
  forward.setResultAttr(0, DannDialect::kNameAttr,
                        builder.getStringAttr("logits"));
  TrainingOp::create(builder, module.getLoc(), "training", "forward",
                     Loss::SoftmaxCrossEntropy, training.optimizer.optimizer,
                     training.correctInhibition, training.project,
                     training.batchSize, training.epochs,
                     APFloat(training.learningRate), training.optimizer.clip,
                     training.optimizer.cosineAngle, training.schedule);
  return success();
}
