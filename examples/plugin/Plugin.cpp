//===- Plugin.cpp - What dann-opt asks of a plugin ------------------------===//

#include "Smooth.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Transforms/InliningUtils.h"

#include "SmoothDialect.cpp.inc"

#define GET_OP_CLASSES
#include "SmoothOps.cpp.inc"

namespace smooth {
#define GEN_PASS_REGISTRATION
#include "SmoothPasses.h.inc"
} // namespace smooth

// [dialect]
namespace {
/// Networks are differentiated after their functions have been inlined.
struct SmoothInliner : mlir::DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;
  bool isLegalToInline(mlir::Operation *, mlir::Region *, bool,
                       mlir::IRMapping &) const final {
    return true;
  }
};
} // namespace

void smooth::SmoothDialect::initialize() {
  addOperations<SoftplusOp>();
  addInterfaces<SmoothInliner>();
}
// [dialect]

// [plugin]
extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "smooth", "1",
          [](mlir::DialectRegistry *registry) {
            registry->insert<smooth::SmoothDialect>();
          }};
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "smooth", "1",
          [] { smooth::registerSmoothPasses(); }};
}
// [plugin]
