//===- ModelImport.h - Model files to IR ----------------------------------===//

#ifndef DANN_FRONTEND_MODELIMPORT_H
#define DANN_FRONTEND_MODELIMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

namespace mlir::dann {

/// Builds the module of a model file: `@forward`, from the input and the
/// parameters to the logits, `@init`, from a seed to initial parameters, and
/// the `dann.training` that says the rest. `elementType` is f32 or f64.
///
/// Errors in the file are diagnostics at file, line and column, and give null.
OwningOpRef<ModuleOp> importModelFile(StringRef text, StringRef fileName,
                                      FloatType elementType);

} // namespace mlir::dann

#endif // DANN_FRONTEND_MODELIMPORT_H
