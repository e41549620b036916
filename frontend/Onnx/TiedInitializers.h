//===- TiedInitializers.h - Initializers that are one parameter -----------===//

#ifndef DANN_FRONTEND_ONNX_TIEDINITIALIZERS_H
#define DANN_FRONTEND_ONNX_TIEDINITIALIZERS_H

#include "onnx.pb.h"

namespace mlir::dann::onnx {

/// Exporters that fold constants write a matrix that is used both as it is and
/// transposed as two initializers, which training would let drift apart. Makes
/// the second one a Transpose of the first, where the elements tell that it is
/// one: f32 matrices in the file itself with more than one value.
void tieTransposedInitializers(::onnx::GraphProto &graph);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_TIEDINITIALIZERS_H
