//===- Activations.h - Activations that attributes name -------------------===//

#ifndef DANN_FRONTEND_ONNX_ACTIVATIONS_H
#define DANN_FRONTEND_ONNX_ACTIVATIONS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann::onnx {

/// A function of floats with up to two parameters.
struct Activation {
  StringLiteral name;
  Value (*build)(ImplicitLocOpBuilder &b, Value x, double alpha, double beta);
  bool takesAlpha, takesBeta;
  double alpha, beta; // unless they are given
};

/// The activation of this name in any case; null if there is none.
const Activation *findActivation(StringRef name);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_ACTIVATIONS_H
