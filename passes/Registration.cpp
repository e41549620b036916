//===- Registration.cpp - Dialects and passes for drivers -----------------===//

#include "passes/Registration.h"

#include "passes/Backpropagation.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"

#include "Dann/Dann.h"
#include "OneDnn/OneDnn.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

void mlir::dann::registerDialects(DialectRegistry &registry) {
  registerAllDialects(registry);
  registerAllExtensions(registry);
  registry.insert<DannDialect, onednn::OneDnnDialect>();
  registerDifferentiableOpInterfaceExternalModels(registry);
  registerShapeDerivatives(registry);
  registerScanDerivatives(registry);
}

void mlir::dann::registerPasses() {
  static bool once = [] {
    registerAllPasses();
    registerDannPasses();
    registerPipelines();
    return true;
  }();
  (void)once;
}
