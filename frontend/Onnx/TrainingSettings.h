//===- TrainingSettings.h - How an ONNX model is trained ------------------===//

#ifndef DANN_FRONTEND_ONNX_TRAININGSETTINGS_H
#define DANN_FRONTEND_ONNX_TRAININGSETTINGS_H

#include "frontend/ModelOptimizer.h"
#include "frontend/Onnx/OnnxTraining.h"

namespace mlir::dann {

class ModelFile;

/// What options or a model file say, checked.
struct TrainingSettings {
  double learningRate = 0;
  int64_t batchSize = 0, epochs = 0;
  double minimum = 0, maximum = 0; // of the input
  bool correctInhibition = true, project = true;
  ModelOptimizer optimizer;
  ScheduleAttr schedule; // null if the learning rate is constant
};

/// Checks what the options say; none after a diagnostic.
std::optional<TrainingSettings> readSettings(const OnnxTraining &training,
                                             Location loc);
TrainingSettings readSettings(const ModelFile &file);

/// Adds a `dann.training` to an imported ONNX model: softmax cross-entropy on
/// its one output [batch, classes]. Its input and output get the
/// names that training programs give them, x and logits. Fails with a
/// diagnostic if the model is no classifier.
LogicalResult addTraining(ModuleOp module, const TrainingSettings &training);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_TRAININGSETTINGS_H
