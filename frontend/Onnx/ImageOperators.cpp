//===- ImageOperators.cpp - Padding, resampling, and the order of pixels -===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getImageOperators() { return {}; }
