//===- Scalars.h - Arithmetic on numbers of any type ----------------------===//

#ifndef DANN_FRONTEND_ONNX_SCALARS_H
#define DANN_FRONTEND_ONNX_SCALARS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann::onnx {

/// What bodies compute from two floats or two integers of one type. Integers
/// wrap; whether they have a sign matters to the extrema alone, of which those
/// of floats are NaN if one operand is.
Value add(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned = false);
Value multiply(ImplicitLocOpBuilder &b, Value x, Value y,
               bool isUnsigned = false);
Value maximum(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);
Value minimum(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_SCALARS_H
