//===- dann-opt.cpp - The pass driver -------------------------------------===//

#include "passes/Pipelines.h"
#include "passes/Registration.h"
#include "tools/Version.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace mlir::dann;

/// What --help begins with, in front of some hundred passes.
static std::string describeTool() {
  std::string text =
      "reads IR, runs passes on it, and prints it\n\n"
      "These pipelines lead from a model, as `dann-compile --emit=mlir` prints "
      "it, to\ncode:\n";
  for (const Pipeline *pipeline : getPipelines())
    text += std::string("\n  --") + pipeline->name + "\n    " +
            pipeline->summary + "\n";
  text += "\n"
          "For example:\n\n"
          "  dann-compile model.txtpb --emit=mlir -o model.mlir\n"
          "  dann-opt --dann-graph-pipeline model.mlir -o graph.mlir\n"
          "  dann-opt --dann-linalg-pipeline graph.mlir -o linalg.mlir\n\n"
          "The passes that they are made of, and all others, can be given one "
          "by one, or as\ntext with --pass-pipeline. Two look at a model "
          "without changing it:\n\n"
          "  dann-opt --dann-summary model.mlir -o /dev/null\n"
          "  dann-opt --dann-draw-graph=output=model.svg model.mlir -o "
          "/dev/null\n";
  return text;
}

/// LLVM's options, for code generation that dann-opt does not do, would bury
/// those of MLIR, which are registered later.
static void hideOptionsOfLlvm() {
  for (auto &option : llvm::cl::getRegisteredOptions())
    if (llvm::is_contained(option.second->Categories,
                           &llvm::cl::getGeneralCategory()) ||
        option.first.starts_with("polly") || option.first.contains("ir2vec") ||
        option.first.contains("mir2vec"))
      option.second->setHiddenFlag(llvm::cl::ReallyHidden);
}

int main(int argc, char **argv) {
  llvm::cl::SetVersionPrinter(printVersion);
  hideOptionsOfLlvm();
  mlir::DialectRegistry registry;
  registerDialects(registry);
  registerPasses();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, describeTool(), registry));
}
