//===- OneDnn.cpp - The onednn dialect ------------------------------------===//

#include "OneDnn/OneDnn.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::onednn;

#include "OneDnn/OneDnnEnums.cpp.inc"

#include "OneDnn/OneDnnDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "OneDnn/OneDnnAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "OneDnn/OneDnnOps.cpp.inc"

void OneDnnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "OneDnn/OneDnnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "OneDnn/OneDnnOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// MatmulOp
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  bool onTensors = isa<RankedTensorType>(getDst().getType());
  for (Value operand : getOperands())
    if (isa<RankedTensorType>(operand.getType()) != onTensors)
      return emitOpError("operands must be all tensors or all memrefs");
  if (onTensors &&
      (!getResult() || getResult().getType() != getDst().getType()))
    return emitOpError("must have one result of the type of dst");
  if (!onTensors && getResult())
    return emitOpError("on memrefs must have no result");
  if (!getScale().isFinite())
    return emitOpError("scale must be finite");

  auto a = cast<ShapedType>(getA().getType()).getShape();
  auto b = cast<ShapedType>(getB().getType()).getShape();
  auto dst = cast<ShapedType>(getDst().getType()).getShape();
  int64_t m = a[getTransposeA() ? 1 : 0], ka = a[getTransposeA() ? 0 : 1];
  int64_t kb = b[getTransposeB() ? 1 : 0], n = b[getTransposeB() ? 0 : 1];
  auto agree = [&](int64_t lhs, int64_t rhs, StringRef what) -> LogicalResult {
    if (ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs) || lhs == rhs)
      return success();
    return emitOpError() << what << " differ: " << lhs << " and " << rhs;
  };
  if (failed(agree(ka, kb, "inner sizes of op(a) and op(b)")) ||
      failed(agree(m, dst[0], "rows of op(a) and dst")) ||
      failed(agree(n, dst[1], "columns of op(b) and dst")))
    return failure();
  if (getBias())
    return agree(cast<ShapedType>(getBias().getType()).getShape()[0], n,
                 "sizes of bias and columns of op(b)");
  return success();
}

void MatmulOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  if (isa<RankedTensorType>(getDst().getType()))
    return;
  auto *resource = SideEffects::DefaultResource::get();
  for (OpOperand &operand : getOperation()->getOpOperands()) {
    bool isDst = isDpsInit(&operand);
    if (!isDst || getAccumulate())
      effects.emplace_back(MemoryEffects::Read::get(), &operand, resource);
    if (isDst)
      effects.emplace_back(MemoryEffects::Write::get(), &operand, resource);
  }
}

//===----------------------------------------------------------------------===//
// Bufferization
//===----------------------------------------------------------------------===//

namespace {
struct MatmulBufferization
    : public bufferization::DstBufferizableOpInterfaceExternalModel<
          MatmulBufferization, MatmulOp> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const bufferization::AnalysisState &) const {
    auto matmul = cast<MatmulOp>(op);
    return !matmul.isDpsInit(&operand) || matmul.getAccumulate();
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const bufferization::BufferizationOptions &options,
                          bufferization::BufferizationState &state) const {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(op);
    SmallVector<Value> buffers;
    for (Value operand : op->getOperands()) {
      FailureOr<Value> buffer =
          bufferization::getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      buffers.push_back(*buffer);
    }
    MatmulOp::create(rewriter, op->getLoc(), TypeRange(), buffers,
                     op->getAttrs());
    bufferization::replaceOpWithBufferizedValues(rewriter, op, buffers.back());
    return success();
  }
};
} // namespace

void mlir::onednn::registerBufferizableOpInterfaceExternalModels(
    DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, OneDnnDialect *) {
    MatmulOp::attachInterface<MatmulBufferization>(*context);
  });
}
