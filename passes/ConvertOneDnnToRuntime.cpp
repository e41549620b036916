//===- ConvertOneDnnToRuntime.cpp - Library kernels as runtime calls ------===//
//
// The functions called here are declared in runtime/src/model_abi.h.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/RuntimeCalls.h"

#include "OneDnn/OneDnn.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/TypeUtilities.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CONVERTONEDNNTORUNTIME
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

namespace {

// Bits of the flags argument: dann::MatmulFlags in model_abi.h.
constexpr int64_t kAccumulate = 1, kRelu = 2;

// What a convolution computes: the argument `result` there.
constexpr int64_t kZ = 0, kX = 1, kFilters = 2;

struct ConvertOneDnnToRuntimePass
    : dann::impl::ConvertOneDnnToRuntimeBase<ConvertOneDnnToRuntimePass> {
  void runOnOperation() override {
    SmallVector<onednn::MatmulOp> matmuls;
    getOperation().walk([&](onednn::MatmulOp op) { matmuls.push_back(op); });
    for (onednn::MatmulOp op : matmuls)
      if (failed(lower(op)))
        return signalPassFailure();
    getOperation().walk([&](onednn::ConvolutionOp op) {
      lower(op, op.getX(), op.getFilters(), op.getZ(), kZ);
    });
    getOperation().walk([&](onednn::ConvolutionBackwardDataOp op) {
      lower(op, op.getDx(), op.getFilters(), op.getDz(), kX);
    });
    getOperation().walk([&](onednn::ConvolutionBackwardWeightsOp op) {
      lower(op, op.getX(), op.getDfilters(), op.getDz(), kFilters);
    });
  }

  template <typename OpTy>
  static void lower(OpTy op, Value x, Value filters, Value z, int64_t result) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    SmallVector<Value> arguments = {x, filters, z};
    for (int64_t number :
         {result, op.getStrides()[0], op.getStrides()[1], op.getDilations()[0],
          op.getDilations()[1], op.getAccumulate() ? kAccumulate : 0})
      arguments.push_back(
          arith::ConstantOp::create(b, b.getI64IntegerAttr(number)));
    dann::callRuntime(b, dann::kOneDnnConvolutionF32, arguments, {});
    op.erase();
  }

  static LogicalResult lower(onednn::MatmulOp op) {
    ImplicitLocOpBuilder b(op.getLoc(), op);
    int64_t flags = op.getAccumulate() ? kAccumulate : 0;
    for (auto [i, attribute] : llvm::enumerate(op.getPostOps())) {
      if (i > 0)
        return op.emitOpError("the runtime applies one post-op at most");
      switch (cast<onednn::PostOpAttr>(attribute).getValue()) {
      case onednn::PostOp::Relu:
        flags |= kRelu;
      }
    }
    bool isBf16 = getElementTypeOrSelf(op.getA().getType()).isBF16();
    Value flagValue = arith::ConstantOp::create(b, b.getI64IntegerAttr(flags));
    dann::callRuntime(b,
                      isBf16 ? dann::kOneDnnMatmulBf16 : dann::kOneDnnMatmulF32,
                      {op.getA(), op.getB(), op.getDst(), flagValue}, {});
    op.erase();
    return success();
  }
};

} // namespace
