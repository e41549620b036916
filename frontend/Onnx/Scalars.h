//===- Scalars.h - Arithmetic on numbers of any type ----------------------===//

#ifndef DANN_FRONTEND_ONNX_SCALARS_H
#define DANN_FRONTEND_ONNX_SCALARS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann::onnx {

/// What bodies compute from two floats or two integers of one type. Integers
/// wrap; whether they have a sign matters to the extrema alone, of which those
/// of floats are NaN if one operand is.
Value constant(ImplicitLocOpBuilder &b, Type type, double value);
Value constantLike(ImplicitLocOpBuilder &b, Value like, double value);

Value add(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned = false);
Value subtract(ImplicitLocOpBuilder &b, Value x, Value y,
               bool isUnsigned = false);
Value multiply(ImplicitLocOpBuilder &b, Value x, Value y,
               bool isUnsigned = false);
/// Integer division by 0 gives 0.
Value divide(ImplicitLocOpBuilder &b, Value x, Value y,
             bool isUnsigned = false);
/// `y`, with a 1 in place of what must not divide `x`: 0, and -1, of which the
/// quotient may overflow.
Value makeDivisorSafe(ImplicitLocOpBuilder &b, Value y, bool isUnsigned);
Value maximum(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);
Value minimum(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_SCALARS_H
