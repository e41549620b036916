//===- ConvertOneDnnToRuntime.cpp - Library kernels as runtime calls ------===//
//
// The functions called here are declared in runtime/src/model_abi.h.
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "OneDnn/OneDnn.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CONVERTONEDNNTORUNTIME
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

namespace {

// Bits of the flags argument: dann::MatmulFlags in model_abi.h.
constexpr int64_t kTransposeA = 1, kTransposeB = 2, kAccumulate = 4, kRelu = 8;

struct ConvertOneDnnToRuntimePass
    : dann::impl::ConvertOneDnnToRuntimeBase<ConvertOneDnnToRuntimePass> {
  void runOnOperation() override {
    SmallVector<onednn::MatmulOp> matmuls;
    getOperation().walk([&](onednn::MatmulOp op) { matmuls.push_back(op); });
    for (onednn::MatmulOp op : matmuls)
      if (failed(lower(op)))
        return signalPassFailure();
  }

  LogicalResult lower(onednn::MatmulOp op) {
    if (!isa<MemRefType>(op.getDst().getType()))
      return op.emitOpError("must be bufferized before its conversion");
    ImplicitLocOpBuilder b(op.getLoc(), op);
    int64_t flags = (op.getTransposeA() ? kTransposeA : 0) |
                    (op.getTransposeB() ? kTransposeB : 0) |
                    (op.getAccumulate() ? kAccumulate : 0);
    for (auto [i, attribute] : llvm::enumerate(op.getPostOps())) {
      if (i > 0)
        return op.emitOpError("the runtime applies one post-op at most");
      switch (cast<onednn::PostOpAttr>(attribute).getValue()) {
      case onednn::PostOp::Relu:
        flags |= kRelu;
      }
    }
    SmallVector<Value> operands;
    for (Value operand : op.getOperands())
      operands.push_back(castToAnyLayout(b, operand));
    operands.push_back(arith::ConstantOp::create(b, op.getScaleAttr()));
    operands.push_back(
        arith::ConstantOp::create(b, b.getI64IntegerAttr(flags)));
    StringRef name =
        op.getBias() ? "dann_onednn_matmul_bias" : "dann_onednn_matmul";
    func::CallOp::create(b, declare(name, operands), operands);
    op.erase();
    return success();
  }

  /// One runtime function serves all shapes and layouts.
  static Value castToAnyLayout(ImplicitLocOpBuilder &b, Value buffer) {
    auto type = cast<MemRefType>(buffer.getType());
    SmallVector<int64_t> dynamic(type.getRank(), ShapedType::kDynamic);
    auto layout =
        StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, dynamic);
    return b.createOrFold<memref::CastOp>(
        MemRefType::get(dynamic, type.getElementType(), layout), buffer);
  }

  func::FuncOp declare(StringRef name, ArrayRef<Value> operands) {
    if (auto declared = getOperation().lookupSymbol<func::FuncOp>(name))
      return declared;
    OpBuilder b(getOperation().getBodyRegion());
    auto type = b.getFunctionType(ValueRange(operands).getTypes(), {});
    auto function = func::FuncOp::create(b, b.getUnknownLoc(), name, type);
    function.setPrivate();
    function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                      b.getUnitAttr());
    return function;
  }
};

} // namespace
