//===- OnnxExport.h - IR to ONNX models -----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXEXPORT_H
#define DANN_FRONTEND_ONNX_ONNXEXPORT_H

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

/// A network as ONNX models.
struct OnnxModels {
  OnnxModel layers;               // E/I layers are nodes of the domain ai.dann
  std::optional<OnnxModel> plain; // without them; none if there are none
  /// Why there are no models.
  std::string obstacle;
  /// The parameters, whose initializers have these names and types.
  std::vector<std::pair<std::string, RankedTensorType>> parameters;
};

/// Builds the models of the module's `@forward`, as the frontend makes it of a
/// model file: E/I layers, products, biases, relu. For all else there is a
/// diagnostic at the operation.
FailureOr<OnnxModels> exportOnnx(ModuleOp module);

/// The same where it is no error that there are no models: the diagnostic
/// becomes the obstacle.
OnnxModels tryExportOnnx(ModuleOp module);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_ONNXEXPORT_H
