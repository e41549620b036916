//===- Pipelines.h - The passes in their order ----------------------------===//

#ifndef DANN_PASSES_PIPELINES_H
#define DANN_PASSES_PIPELINES_H

#include "mlir/Pass/PassOptions.h"
#include "mlir/Pass/PassRegistry.h"

#include <string>
#include <vector>

namespace mlir::dann {

/// A pipeline with its name in dann-opt and its passes as text, in which other
/// pipelines can appear by name.
struct Pipeline {
  const char *name;
  const char *summary; // a sentence
  const char *passes;
};

/// From a model to explicit, checked training entry points.
extern const Pipeline kGraphPipeline;
/// From there to linalg on tensors, in the form that kernels want, with what
/// depends on parameters alone in a function of its own, ...
extern const Pipeline kLinalgPipeline;
/// ... to linalg on buffers, of which each thread has its share, ...
extern const Pipeline kBufferPipeline;
/// ... and to loops and kernels, with the default KernelOptions.
extern const Pipeline kKernelPipeline;
/// From loops on buffers to the LLVM dialect.
extern const Pipeline kLlvmPipeline;

/// What computes products: oneDNN, generated code, or what suits each of them.
enum class Backend { Auto, OneDnn, Generated };
StringRef stringifyBackend(Backend backend);

/// kLinalgPipeline, with the factors of products rounded to bf16 if asked to.
std::string buildLinalgPipeline(bool useBf16);

/// What kKernelPipeline depends on beside the program.
struct KernelOptions {
  Backend backend = Backend::Auto;
  bool explain = false;     // remarks say what was chosen, and why
  int64_t vectorBytes = 64; // of a vector register
  int64_t rows = 12;        // of a register tile of 2 vectors each
};
std::string buildKernelPipeline(const KernelOptions &options);

/// A step of a pipeline that can be looked at by itself: a pass, and the passes
/// behind it that only tidy up.
struct Stage {
  std::string name;   // the pass's, without options
  std::string passes; // as text
};

/// The stages of a pipeline. Pipelines of dann that it names are taken apart.
std::vector<Stage> splitIntoStages(StringRef passes);

/// All of the above, from the model to LLVM.
ArrayRef<const Pipeline *> getPipelines();

void registerPipelines();

} // namespace mlir::dann

#endif // DANN_PASSES_PIPELINES_H
