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
    "Takes an imported model: makes its training entry points, differentiates "
    "them, and proves that Dale's law is kept.",
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
    "Takes a graph: lowers its layers and updates to linalg on tensors, the "
    "batch last, with what depends on parameters alone apart.",
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
    "Takes linalg on tensors: makes it work on buffers, parameters updated in "
    "place, and gives each thread its share. A part of the kernel pipeline.",
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
    "dann-kernel-pipeline",
    "Takes linalg on tensors: makes loops on buffers and calls of kernels, "
    "shared by threads, with all memory planned.",
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
    "dann-llvm-pipeline",
    "Takes loops on buffers: lowers them to the LLVM dialect, with entry "
    "points in the form in which the runtime calls them.",
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

static const Pipeline *const kPipelines[] = {&kGraphPipeline, &kLinalgPipeline,
                                             &kBufferPipeline, &kKernelPipeline,
                                             &kLlvmPipeline};

ArrayRef<const Pipeline *> mlir::dann::getPipelines() { return kPipelines; }

/// The parts of a list between commas, but not those in brackets.
static SmallVector<StringRef> splitList(StringRef text) {
  SmallVector<StringRef> parts;
  size_t begin = 0;
  int depth = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    char c = i < text.size() ? text[i] : ',';
    if (c == '(' || c == '{')
      ++depth;
    else if (c == ')' || c == '}')
      --depth;
    else if (c == ',' && depth == 0) {
      parts.push_back(text.slice(begin, i).trim());
      begin = i + 1;
    }
  }
  return parts;
}

static void appendStages(StringRef passes, StringRef anchor,
                         std::vector<Stage> &stages) {
  for (StringRef pass : splitList(passes)) {
    StringRef name = pass.take_until(
        [](char c) { return c == '(' || c == '{' || c == ' ' || c == '\n'; });
    const auto *found = llvm::find_if(
        kPipelines, [&](const Pipeline *known) { return name == known->name; });
    if (found != std::end(kPipelines)) {
      appendStages((*found)->passes, anchor, stages);
      continue;
    }
    StringRef nested = pass.drop_front(name.size());
    if (nested.consume_front("(") && nested.consume_back(")")) {
      appendStages(nested, name, stages);
      continue;
    }
    std::string text =
        anchor.empty() ? pass.str() : (anchor + "(" + pass + ")").str();
    bool isTidying =
        llvm::is_contained({"canonicalize", "cse", "symbol-dce", "inline",
                            "resolve-ranked-shaped-type-result-dims"},
                           name);
    if (isTidying && !stages.empty())
      stages.back().passes += "," + text;
    else
      stages.push_back({name.str(), std::move(text)});
  }
}

std::vector<Stage> mlir::dann::splitIntoStages(StringRef passes) {
  std::vector<Stage> stages;
  appendStages(passes, "", stages);
  return stages;
}

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
  for (const Pipeline *pipeline : kPipelines)
    registerPipeline(*pipeline);
}
