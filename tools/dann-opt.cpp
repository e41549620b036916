//===- dann-opt.cpp - The pass driver -------------------------------------===//

#include "passes/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  mlir::dann::registerDialects(registry);
  mlir::dann::registerPasses();
  return mlir::asMainReturnCode(mlir::MlirOptMain(
      argc, argv, "reads, transforms and prints dann IR\n", registry));
}
