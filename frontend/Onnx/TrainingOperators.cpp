//===- TrainingOperators.cpp - Optimizers and gradients ------------------===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getTrainingOperators() { return {}; }
