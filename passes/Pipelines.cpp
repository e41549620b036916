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
       dann-autodiff,
       symbol-dce,
       canonicalize,
       cse,
       dann-check-dale)"};

const Pipeline mlir::dann::kOneDnnPipeline = {
    "dann-onednn-pipeline",
    "lower a graph to loops on buffers and calls of oneDNN",
    R"(convert-dann-to-onednn,
       convert-dann-to-linalg,
       dann-loops-pipeline,
       convert-onednn-to-runtime)"};

const Pipeline mlir::dann::kGeneratedPipeline = {
    "dann-generated-pipeline", "lower a graph to loops on buffers",
    R"(convert-dann-to-linalg,
       dann-loops-pipeline)"};

const Pipeline mlir::dann::kLoopsPipeline = {
    "dann-loops-pipeline",
    "lower linalg on tensors to loops on buffers, parameters updated in place",
    R"(canonicalize,
       cse,
       func.func(convert-elementwise-to-linalg,
                 linalg-fuse-elementwise-ops,
                 canonicalize,
                 cse,
                 dann-update-in-place),
       one-shot-bufferize{bufferize-function-boundaries=true
           function-boundary-type-conversion=identity-layout-map},
       func.func(dann-finalize-results),
       buffer-results-to-out-params{modify-public-functions=true
           hoist-static-allocs=true hoist-dynamic-allocs=true},
       canonicalize,
       cse,
       func.func(dann-interchange-loops,
                 convert-linalg-to-loops),
       dann-allow-reassociation)"};

const Pipeline mlir::dann::kLlvmPipeline = {
    "dann-llvm-pipeline", "lower loops on buffers to the LLVM dialect",
    R"(expand-strided-metadata,
       lower-affine,
       convert-scf-to-cf,
       canonicalize,
       cse,
       func.func(llvm-request-c-wrappers),
       convert-math-to-llvm,
       convert-math-to-libm,
       finalize-memref-to-llvm{use-generic-functions=true},
       convert-arith-to-llvm,
       convert-index-to-llvm,
       convert-cf-to-llvm,
       convert-func-to-llvm,
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
       {&kGraphPipeline, &kOneDnnPipeline, &kGeneratedPipeline, &kLoopsPipeline,
        &kLlvmPipeline})
    registerPipeline(*pipeline);
}
