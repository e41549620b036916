//===- SignalOperators.cpp - Windows and Fourier transforms --------------===//

#include "frontend/Onnx/Node.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

ArrayRef<OperatorEntry> mlir::dann::onnx::getSignalOperators() { return {}; }
