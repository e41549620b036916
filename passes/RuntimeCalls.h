//===- RuntimeCalls.h - Functions of the runtime that code calls ----------===//

#ifndef DANN_PASSES_RUNTIMECALLS_H
#define DANN_PASSES_RUNTIMECALLS_H

#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {

// Declared in runtime/src/model_abi.h.
inline constexpr char kThreadIndex[] = "dann_thread_index";
inline constexpr char kThreadCount[] = "dann_thread_count";
inline constexpr char kBarrier[] = "dann_barrier";
inline constexpr char kBeginOperation[] = "dann_begin_operation";
inline constexpr char kOneDnnMatmulF32[] = "dann_onednn_matmul_f32";
inline constexpr char kOneDnnMatmulBf16[] = "dann_onednn_matmul_bf16";
inline constexpr char kOneDnnConvolutionF32[] = "dann_onednn_convolution_f32";

/// Calls a function of the runtime, which is declared if it was not. Memrefs
/// are passed as pointers to descriptors, whatever their layout. Returns its
/// result, if it has one.
Value callRuntime(ImplicitLocOpBuilder &b, StringRef name, ValueRange arguments,
                  Type result);

} // namespace mlir::dann

#endif // DANN_PASSES_RUNTIMECALLS_H
