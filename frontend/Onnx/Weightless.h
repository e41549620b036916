//===- Weightless.h - ONNX models without the values of parameters --------===//

#ifndef DANN_FRONTEND_ONNX_WEIGHTLESS_H
#define DANN_FRONTEND_ONNX_WEIGHTLESS_H

#include "frontend/Onnx/OnnxExport.h"
#include "frontend/Onnx/OnnxFile.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir::dann::onnx {

/// Both forms of a model without values, whose E/I layers have elements of the
/// type `dataType`. Parameters stay empty.
OnnxModels makeForms(proto::ModelProto model, int32_t dataType);

/// The model of the file in both forms, without the initializers that became
/// parameters of `forward`. What else it keeps in files beside it is taken into
/// it.
FailureOr<OnnxModels> removeParameters(const OnnxFile &file,
                                       func::FuncOp forward);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_WEIGHTLESS_H
