//===- NormalizationOperators.cpp - Normalisation and dropout ------------===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getNormalizationOperators() {
  return {};
}
