//===- Registration.h - Dialects and passes for drivers -------------------===//

#ifndef DANN_PASSES_REGISTRATION_H
#define DANN_PASSES_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace mlir::dann {

/// Adds the dialects of dann, all upstream ones, and their extensions.
void registerDialects(DialectRegistry &registry);

/// Registers the passes and pipelines of dann and all upstream passes, once a
/// process however often it is called.
void registerPasses();

} // namespace mlir::dann

#endif // DANN_PASSES_REGISTRATION_H
