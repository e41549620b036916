//===- OnnxTraining.h - Training of ONNX models ---------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXTRAINING_H
#define DANN_FRONTEND_ONNX_ONNXTRAINING_H

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace mlir::dann {

/// What an ONNX model does not say of its training, as a model file would.
struct OnnxTraining {
  double learningRate = 0;
  int64_t batchSize = 32;
  int64_t epochs = 10;
  /// Values of the input lie in [minimum, maximum].
  double minimum = 0, maximum = 1;
  bool correctInhibition = true;
  /// As in the block `optimizer` of a model file, without correction and
  /// projection.
  std::string optimizer = "sgd {}";
};

/// Fails with a diagnostic unless an imported ONNX model is a classifier, which
/// can be trained: from one input [batch, ...] to one output [batch, classes].
LogicalResult checkClassifier(ModuleOp module);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_ONNXTRAINING_H
