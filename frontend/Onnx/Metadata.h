//===- Metadata.h - What ONNX models say to dann besides their graph ------===//

#ifndef DANN_FRONTEND_ONNX_METADATA_H
#define DANN_FRONTEND_ONNX_METADATA_H

#include "onnx.pb.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::dann::onnx {

// Properties of the model, whose keys are "dann." with "range", "role" or
// "sign", a colon, and the name of an input or parameter. docs/onnx.md lists
// their values.

/// Adds what the attributes of an argument say to the model's metadata.
void writeMetadata(func::FuncOp function, unsigned index,
                   ::onnx::ModelProto &model);

/// Sets the attributes of arguments that the metadata name. Values that make no
/// sense are errors at `loc`, as are initial values that break a sign contract.
LogicalResult readMetadata(const ::onnx::ModelProto &model,
                           func::FuncOp function, Location loc);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_METADATA_H
