//===- Indices.h - What operators on indices compute with -----------------===//

#ifndef DANN_FRONTEND_ONNX_INDICES_H
#define DANN_FRONTEND_ONNX_INDICES_H

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::dann::onnx {

Value makeIndex(ImplicitLocOpBuilder &b, int64_t value);
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value x,
              Value y);
Value toIndex(ImplicitLocOpBuilder &b, Value integer);
Value toInt64(ImplicitLocOpBuilder &b, Value index);
Value makeZero(ImplicitLocOpBuilder &b, Type type);
Value makeInt64(ImplicitLocOpBuilder &b, int64_t value);
Value isLess(ImplicitLocOpBuilder &b, Value x, Value y, bool isUnsigned);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_INDICES_H
