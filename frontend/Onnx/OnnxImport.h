//===- OnnxImport.h - ONNX models to IR -----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXIMPORT_H
#define DANN_FRONTEND_ONNX_ONNXIMPORT_H

#include "frontend/Onnx/OnnxExport.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/MemoryBufferRef.h"

namespace mlir::dann {

/// Builds the module of the ONNX model in the file `path`: `@forward`, from
/// inputs and parameters to outputs. Float initializers are parameters, whose
/// values are the attribute `dann.initial`. Null after diagnostics, whose
/// locations name the node. `models`, if given, becomes the model in the file
/// without the values of the parameters.
OwningOpRef<ModuleOp> importOnnx(StringRef path, MLIRContext &context,
                                 OnnxModels *models = nullptr);
/// The same for a model in memory. Tensors outside of it are searched where the
/// file would be that the buffer is named after.
OwningOpRef<ModuleOp> importOnnx(llvm::MemoryBufferRef model,
                                 MLIRContext &context);

/// Lists the operators of the model that cannot be imported, as one remark a
/// node; fails if there are any.
LogicalResult checkOnnxSupport(StringRef path, MLIRContext &context);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_ONNXIMPORT_H
