//===- SupportReport.cpp - What of an ONNX model can be compiled ----------===//

#include "compiler/Compiler.h"
#include "frontend/Onnx/OnnxImport.h"
#include "passes/Backpropagation.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::dann;

/// The nodes between parameters and floating-point outputs that have no
/// gradient, by name.
static llvm::SetVector<StringRef> findWithoutGradient(func::FuncOp forward) {
  SmallVector<Value> parameters;
  for (BlockArgument argument : forward.getArguments())
    if (forward.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr))
      parameters.push_back(argument);
  Block &body = forward.getBody().front();
  llvm::SetVector<StringRef> names;
  for (Value output : body.getTerminator()->getOperands())
    for (Operation *op : findNonDifferentiable(body, parameters, output)) {
      // Stands for a node that is refused.
      if (isa<UnrealizedConversionCastOp>(op))
        continue;
      if (auto name = op->getLoc()->findInstanceOf<NameLoc>())
        names.insert(name.getName());
    }
  return names;
}

/// Why a program cannot train the model, apart from gradients; empty if it can.
static std::string findTrainingObstacle(ModuleOp module) {
  std::string reason;
  ScopedDiagnosticHandler handler(module.getContext(), [&](Diagnostic &error) {
    reason = error.str();
    return success();
  });
  return succeeded(checkClassifier(module)) ? "" : reason;
}

LogicalResult mlir::dann::reportOnnxSupport(StringRef path, bool training,
                                            raw_ostream &os,
                                            MLIRContext &context) {
  OnnxSupport support;
  OwningOpRef<ModuleOp> module = checkOnnxSupport(path, context, support);
  if (!module)
    return failure();
  for (const OnnxSupport::Obstacle &obstacle : support.obstacles)
    os << obstacle.part << ": " << obstacle.reason << "\n";
  llvm::SetVector<StringRef> withoutGradient =
      findWithoutGradient(module->lookupSymbol<func::FuncOp>("forward"));
  for (StringRef name : withoutGradient)
    os << OnnxSupport::describeNode(name, support.operators.lookup(name))
       << ": has no gradient\n";
  // What is left of a model may well be no classifier.
  std::string obstacle;
  if (training && support.obstacles.empty())
    obstacle = findTrainingObstacle(*module);
  if (!obstacle.empty())
    os << "model: " << obstacle << "\n";

  os << support.numNodes << (support.numNodes == 1 ? " node: " : " nodes: ")
     << support.numRefused << " cannot be imported, " << support.numSkipped
     << " not looked at because of that, " << withoutGradient.size()
     << " without a gradient\n";
  return success(
      support.obstacles.empty() &&
      !(training && (!withoutGradient.empty() || !obstacle.empty())));
}
