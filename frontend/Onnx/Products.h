//===- Products.h - Products of matrices ----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_PRODUCTS_H
#define DANN_FRONTEND_ONNX_PRODUCTS_H

#include "frontend/Onnx/Node.h"

namespace mlir::dann::onnx {

/// numpy's matmul of numbers of one type.
FailureOr<Tensor> multiplyMatrices(Node &node, Tensor x, Tensor y);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_PRODUCTS_H
