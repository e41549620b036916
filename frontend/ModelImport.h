//===- ModelImport.h - Model files to IR ----------------------------------===//

#ifndef DANN_FRONTEND_MODELIMPORT_H
#define DANN_FRONTEND_MODELIMPORT_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <memory>
#include <optional>
#include <string>

namespace mlir::dann {

/// Builds the module of a model file: `@forward`, from the input and the
/// parameters to the logits, `@init`, from a seed to initial parameters, and
/// the `dann.training` that says the rest. `elementType` is f32 or f64.
///
/// Errors in the file are diagnostics at file, line and column, and give null.
class ModelFile;

/// Parses and checks a model file; null after diagnostics.
std::shared_ptr<const ModelFile>
readModelFile(StringRef text, StringRef fileName, MLIRContext *context);

/// An ONNX model that a model file names in the place of layers.
struct OnnxReference {
  std::string path;
  Location loc;
  std::string name; // of the model file
};
std::optional<OnnxReference> getOnnxReference(const ModelFile &file);

/// Builds the network of a model file that has layers.
OwningOpRef<ModuleOp> importModelFile(const ModelFile &file,
                                      FloatType elementType);

} // namespace mlir::dann

#endif // DANN_FRONTEND_MODELIMPORT_H
