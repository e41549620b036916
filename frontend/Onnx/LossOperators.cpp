//===- LossOperators.cpp - Losses ----------------------------------------===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getLossOperators() { return {}; }
