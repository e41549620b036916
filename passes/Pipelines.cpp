//===- Pipelines.cpp - The passes in their order --------------------------===//
//
// Pipelines are text: what is written here can be given to dann-opt, whole or
// in parts.
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"

#include "mlir/Pass/PassManager.h"

using namespace mlir;
using namespace mlir::dann;

const Pipeline mlir::dann::kGraphPipeline = {
    "dann-graph-pipeline",
    "expand training, differentiate, and prove that Dale's law is kept",
    R"(dann-expand-training,
       inline,
       dann-fold-recurrence,
       dann-segment-scans,
       dann-autodiff,
       symbol-dce,
       canonicalize,
       cse,
       dann-check-dale)"};

const Pipeline mlir::dann::kLinalgPipeline = {
    "dann-linalg-pipeline",
    "lower a graph to linalg on tensors, batch last, and prepare inference",
    R"(dann-lower-layers,
       canonicalize,
       cse,
       dann-accumulate-products,
       dann-fuse-updates,
       convert-dann-to-linalg,
       convert-elementwise-to-linalg,
       canonicalize,
       cse,
       resolve-ranked-shaped-type-result-dims,
       dann-batch-last,
       canonicalize,
       cse,
       func.func(dann-fuse-elementwise,
                 canonicalize,
                 cse,
                 dann-lower-scans,
                 canonicalize,
                 cse,
                 dann-schedule-updates),
       dann-hoist-parameter-work)"};

const Pipeline mlir::dann::kBufferPipeline = {
    "dann-buffer-pipeline",
    "lower linalg to buffers, parameters updated in place, shared by threads",
    R"(one-shot-bufferize{bufferize-function-boundaries=true
           function-boundary-type-conversion=identity-layout-map},
       func.func(dann-finalize-results),
       buffer-results-to-out-params{modify-public-functions=true
           hoist-static-allocs=true hoist-dynamic-allocs=true},
       canonicalize,
       cse,
       func.func(dann-fuse-loops,
                 dann-collapse-loops),
       dann-distribute,
       canonicalize,
       cse)"};

const Pipeline mlir::dann::kKernelPipeline = {
    "dann-kernel-pipeline", "lower linalg on tensors to loops and kernels",
    R"(dann-select-kernels,
       dann-arrange-convolutions,
       canonicalize,
       func.func(dann-choose-destinations),
       dann-buffer-pipeline,
       dann-split-products,
       dann-split-convolutions,
       convert-linalg-to-onednn,
       dann-generate-products,
       dann-outline-loops,
       func.func(dann-vectorize-loops,
                 convert-linalg-to-loops,
                 dann-plan-memory),
       convert-onednn-to-runtime,
       dann-allow-reassociation)"};

StringRef mlir::dann::stringifyBackend(Backend backend) {
  switch (backend) {
  case Backend::Auto:
    return "auto";
  case Backend::OneDnn:
    return "onednn";
  case Backend::Generated:
    return "generated";
  }
  llvm_unreachable("unknown backend");
}

std::string mlir::dann::buildLinalgPipeline(bool useBf16) {
  std::string pipeline = kLinalgPipeline.passes;
  // Rounded weights depend on parameters alone, too.
  if (useBf16)
    pipeline.insert(pipeline.find("dann-hoist-parameter-work"),
                    "dann-use-bf16,");
  return pipeline;
}

std::string mlir::dann::buildKernelPipeline(const KernelOptions &options) {
  std::string pipeline = kKernelPipeline.passes;
  auto give = [&](StringRef pass, const llvm::Twine &passOptions) {
    pipeline.insert(pipeline.find(pass) + pass.size(),
                    ("{" + passOptions + "}").str());
  };
  give("dann-select-kernels", "backend=" + stringifyBackend(options.backend) +
                                  (options.explain ? " explain" : ""));
  give("dann-generate-products",
       "vector-bytes=" + llvm::Twine(options.vectorBytes) +
           " rows=" + llvm::Twine(options.rows));
  give("dann-vectorize-loops",
       "vector-bytes=" + llvm::Twine(options.vectorBytes));
  return pipeline;
}

const Pipeline mlir::dann::kLlvmPipeline = {
    "dann-llvm-pipeline", "lower loops on buffers to the LLVM dialect",
    R"(dann-lower-entry-points,
       expand-strided-metadata,
       lower-affine,
       convert-scf-to-cf,
       canonicalize,
       cse,
       convert-math-to-llvm,
       convert-math-to-libm,
       arith-expand,
       convert-vector-to-llvm,
       convert-to-llvm,
       reconcile-unrealized-casts,
       canonicalize,
       cse)"};

static void registerPipeline(const Pipeline &pipeline) {
  // By value: the registry outlives this call.
  PassPipelineRegistration<>(pipeline.name, pipeline.summary,
                             [passes = pipeline.passes](OpPassManager &pm) {
                               if (failed(parsePassPipeline(passes, pm)))
                                 llvm::report_fatal_error(
                                     "a pipeline of dann does not parse");
                             });
}

void mlir::dann::registerPipelines() {
  for (const Pipeline *pipeline :
       {&kGraphPipeline, &kLinalgPipeline, &kBufferPipeline, &kKernelPipeline,
        &kLlvmPipeline})
    registerPipeline(*pipeline);
}
