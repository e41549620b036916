//===- Pipelines.h - The passes in their order ----------------------------===//

#ifndef DANN_PASSES_PIPELINES_H
#define DANN_PASSES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

namespace mlir::dann {

/// A pipeline with its name in dann-opt and its passes as text, in which other
/// pipelines can appear by name.
struct Pipeline {
  const char *name;
  const char *summary;
  const char *passes;
};

/// From a model to explicit, checked training entry points.
extern const Pipeline kGraphPipeline;
/// From there to loops on buffers and calls of oneDNN, ...
extern const Pipeline kOneDnnPipeline;
/// ... or to loops on buffers alone.
extern const Pipeline kGeneratedPipeline;
/// What both have in common, from linalg on tensors on.
extern const Pipeline kLoopsPipeline;
/// From loops on buffers to the LLVM dialect.
extern const Pipeline kLlvmPipeline;

void registerPipelines();

} // namespace mlir::dann

#endif // DANN_PASSES_PIPELINES_H
