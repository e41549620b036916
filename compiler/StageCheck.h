//===- StageCheck.h - Do stages of the compilation change results? --------===//

#ifndef DANN_COMPILER_STAGECHECK_H
#define DANN_COMPILER_STAGECHECK_H

#include "compiler/Compiler.h"

namespace mlir::dann {

/// A CompileOptions::afterStage that runs the module of each stage on sample
/// inputs and compares the results with those of the first stage that gives
/// them. If they differ, an error names the stage, the result and the numbers.
///
/// The module is compiled by the shortest way from where it stands: as plain
/// loops on one thread, by those passes behind the stage alone that no program
/// can do without (reference backend). A stage that works on tensors is thus
/// checked without all later ones but the lowering of layers and gradients to
/// linalg, and of loops to LLVM.
///
/// Inputs are five samples, uniformly distributed in the range that the model
/// declares, by a fixed generator. Parameters are the initial ones of the first
/// stage, each scaled by a number from 0.75 to 1.25, or those of an ONNX model.
/// Results may differ by getStageTolerance() of a tensor's largest entry, or of
/// a hundredth of the largest one of all results of the entry point if that is
/// more: rounding in another order gives about 1e-5 in f32. Each stage that
/// passes gets a remark with the largest difference.
std::function<LogicalResult(CompiledStage)> checkStages(Precision precision);

/// The largest relative difference that checkStages() allows: 1e-4 in f32,
/// 1e-12 in f64, and 5e-2 where products are rounded to bf16.
double getStageTolerance(Precision precision);

} // namespace mlir::dann

#endif // DANN_COMPILER_STAGECHECK_H
