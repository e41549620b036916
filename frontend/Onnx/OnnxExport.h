//===- OnnxExport.h - IR to ONNX models -----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXEXPORT_H
#define DANN_FRONTEND_ONNX_ONNXEXPORT_H

#include "Dann/Dann.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>
#include <string>
#include <vector>

namespace mlir::dann {

/// An ONNX model without the values of its parameters, serialized in parts: the
/// runtime adds the initializers to the graph. Parts that are fields of
/// messages, not messages to be merged: some readers do not merge.
struct OnnxModel {
  std::string model; // an onnx.ModelProto without its graph
  std::string graph; // its onnx.GraphProto without the parameters' initializers
};

/// A parameter of an ONNX model, as its initializer has it.
struct OnnxParameter {
  std::string name;
  RankedTensorType type;
  Role role;
  ElementsAttr initial; // null if it is not in the module
};

/// A network as ONNX models.
struct OnnxModels {
  OnnxModel layers;               // E/I layers are nodes of the domain ai.dann
  std::optional<OnnxModel> plain; // without them; none if there are none
  /// Why there are no models.
  std::string obstacle;
  std::vector<OnnxParameter> parameters;
};

/// Builds the models of the module's `@forward`, as the frontend makes it of a
/// model file: E/I layers, products, biases, relu. For all else there is a
/// diagnostic at the operation.
FailureOr<OnnxModels> exportOnnx(ModuleOp module);

/// The same where it is no error that there are no models: the diagnostic
/// becomes the obstacle.
OnnxModels tryExportOnnx(ModuleOp module);

/// Fits imported models to parameters that the raising of E/I layers has
/// changed since: nodes in front of the graph compute the initializers of the
/// file from them. What changed is seen in the initial values; if they do not
/// tell it, that is the obstacle.
void adaptToParameters(OnnxModels &models, ModuleOp module);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_ONNXEXPORT_H
