//===- OnnxImport.h - ONNX models to IR -----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXIMPORT_H
#define DANN_FRONTEND_ONNX_ONNXIMPORT_H

#include "frontend/Onnx/OnnxExport.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <string>
#include <vector>

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

/// What of an ONNX model cannot be imported.
struct OnnxSupport {
  /// In the order of the model: "node 'conv1' (Conv)" and why.
  struct Obstacle {
    std::string part, reason;
    bool operator==(const Obstacle &) const = default;
  };
  std::vector<Obstacle> obstacles;
  int64_t numNodes = 0;   // all that were found
  int64_t numRefused = 0; // those among `obstacles`
  int64_t numSkipped = 0; // those not looked at because of obstacles
  /// Operators by the names of nodes, those that locations have.
  llvm::StringMap<std::string> operators;

  /// "node 'conv1' (Conv)".
  static std::string describeNode(StringRef name, StringRef operatorName);
};

/// Imports what it can of a model, and says in `support` what it cannot. In the
/// place of a node that is refused there is a
/// builtin.unrealized_conversion_cast of the type that the model declares.
/// Where it declares none, what depends on the node is left out, outputs too:
/// the module is for analyses, and to be compiled only without obstacles. Null
/// after diagnostics if the file cannot be read.
OwningOpRef<ModuleOp> checkOnnxSupport(StringRef path, MLIRContext &context,
                                       OnnxSupport &support);

} // namespace mlir::dann

#endif // DANN_FRONTEND_ONNX_ONNXIMPORT_H
