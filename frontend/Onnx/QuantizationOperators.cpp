//===- QuantizationOperators.cpp - Products of integers and quantisation -===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getQuantizationOperators() {
  return {};
}
