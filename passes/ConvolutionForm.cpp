//===- ConvolutionForm.cpp - Convolutions and their derivatives -----------===//

#include "passes/ConvolutionForm.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::dann;

bool mlir::dann::isSumOfProducts(linalg::GenericOp op) {
  Block *body = op.getBody();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || !sum)
    return false;
  auto isProduct = [&](Value value) {
    auto product = value.getDefiningOp<arith::MulFOp>();
    Value a = body->getArgument(0), b = body->getArgument(1);
    return product && ((product.getLhs() == a && product.getRhs() == b) ||
                       (product.getLhs() == b && product.getRhs() == a));
  };
  Value old = body->getArgument(2);
  return (sum.getLhs() == old && isProduct(sum.getRhs())) ||
         (sum.getRhs() == old && isProduct(sum.getLhs()));
}

std::optional<SmallVector<unsigned>> mlir::dann::getLoops(AffineMap map) {
  SmallVector<unsigned> loops;
  for (AffineExpr expression : map.getResults()) {
    auto loop = dyn_cast<AffineDimExpr>(expression);
    if (!loop)
      return std::nullopt;
    loops.push_back(loop.getPosition());
  }
  return loops;
}

/// position * stride + tap * dilation.
static bool matchWindow(AffineExpr expression, unsigned position, unsigned tap,
                        int64_t &stride, int64_t &dilation) {
  MLIRContext *context = expression.getContext();
  auto sum = dyn_cast<AffineBinaryOpExpr>(expression);
  if (!sum || sum.getKind() != AffineExprKind::Add)
    return false;
  auto getFactor = [&](unsigned loop) -> int64_t {
    for (AffineExpr term : {sum.getLHS(), sum.getRHS()}) {
      if (term == getAffineDimExpr(loop, context))
        return 1;
      auto product = dyn_cast<AffineBinaryOpExpr>(term);
      if (product && product.getKind() == AffineExprKind::Mul &&
          product.getLHS() == getAffineDimExpr(loop, context))
        if (auto factor = dyn_cast<AffineConstantExpr>(product.getRHS()))
          return factor.getValue();
    }
    return 0;
  };
  stride = getFactor(position);
  dilation = getFactor(tap);
  return stride > 0 && dilation > 0;
}

std::optional<ConvolutionForm>
mlir::dann::getConvolutionForm(linalg::GenericOp op) {
  if (op.getNumLoops() != 7 || op->getNumOperands() != 3 ||
      !isSumOfProducts(op))
    return std::nullopt;
  // x is the one with windows, z the other one with the batch.
  auto maps = op.getIndexingMapsArray();
  int xIndex = -1, zIndex = -1, filterIndex = -1;
  SmallVector<unsigned> loops[3];
  for (int i = 0; i < 3; ++i) {
    if (maps[i].getNumResults() != 4)
      return std::nullopt;
    if (auto found = getLoops(maps[i]))
      loops[i] = *found;
    else if (xIndex < 0)
      xIndex = i;
    else
      return std::nullopt;
  }
  if (xIndex < 0)
    return std::nullopt;
  auto batch = dyn_cast<AffineDimExpr>(maps[xIndex].getResult(3));
  auto channel = dyn_cast<AffineDimExpr>(maps[xIndex].getResult(0));
  if (!batch || !channel)
    return std::nullopt;
  for (int i = 0; i < 3; ++i)
    if (i != xIndex) {
      bool isZ = loops[i][3] == batch.getPosition();
      (isZ ? zIndex : filterIndex) = i;
    }
  if (zIndex < 0 || filterIndex < 0)
    return std::nullopt;
  ArrayRef<unsigned> z = loops[zIndex], filters = loops[filterIndex];
  ConvolutionForm form{};
  if (z[0] != filters[0] || filters[1] != channel.getPosition())
    return std::nullopt;
  for (int i : {0, 1})
    if (!matchWindow(maps[xIndex].getResult(1 + i), z[1 + i], filters[2 + i],
                     form.strides[i], form.dilations[i]))
      return std::nullopt;
  form.result = zIndex == 2   ? ConvolutionForm::Z
                : xIndex == 2 ? ConvolutionForm::X
                              : ConvolutionForm::Filters;
  form.x = op->getOperand(xIndex);
  form.filters = op->getOperand(filterIndex);
  form.z = op->getOperand(zIndex);
  return form;
}

bool mlir::dann::isGeneratedConvolution(linalg::GenericOp op) {
  auto kernel = op->getAttrOfType<StringAttr>(DannDialect::kKernelAttr);
  return kernel && kernel.getValue() == "generated" && op.getNumLoops() == 7 &&
         isSumOfProducts(op);
}

int64_t mlir::dann::getStep(AffineExpr expression, unsigned loop,
                            unsigned numLoops) {
  MLIRContext *context = expression.getContext();
  auto evaluate = [&](int64_t at) {
    SmallVector<AffineExpr> loops(numLoops, getAffineConstantExpr(0, context));
    loops[loop] = getAffineConstantExpr(at, context);
    return cast<AffineConstantExpr>(expression.replaceDims(loops)).getValue();
  };
  return evaluate(1) - evaluate(0);
}

linalg::GenericOp
mlir::dann::sliceConvolution(RewriterBase &rewriter, linalg::GenericOp op,
                             unsigned loop, OpFoldResult begin,
                             OpFoldResult size, OpFoldResult extent) {
  Location loc = op.getLoc();
  MLIRContext *context = op.getContext();
  AffineExpr d0, d1, d2;
  bindDims(context, d0, d1, d2);
  SmallVector<Value> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    Value buffer = operand.get();
    SmallVector<OpFoldResult> sizes =
        memref::getMixedSizes(rewriter, loc, buffer);
    SmallVector<OpFoldResult> offsets(sizes.size(), rewriter.getIndexAttr(0));
    SmallVector<OpFoldResult> ones(sizes.size(), rewriter.getIndexAttr(1));
    bool isWhole = true;
    for (auto [i, expression] :
         llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
      // Other loops reach as far around the first iteration as around the last.
      int64_t step = getStep(expression, loop, op.getNumLoops());
      if (step == 0)
        continue;
      isWhole = false;
      offsets[i] = affine::makeComposedFoldedAffineApply(rewriter, loc,
                                                         d0 * step, {begin});
      sizes[i] = affine::makeComposedFoldedAffineApply(
          rewriter, loc, d0 - (d1 - d2) * step, {sizes[i], extent, size});
    }
    operands.push_back(isWhole
                           ? buffer
                           : memref::SubViewOp::create(rewriter, loc, buffer,
                                                       offsets, sizes, ones));
  }
  return cast<linalg::GenericOp>(
      mlir::clone(rewriter, op.getOperation(), TypeRange(), operands));
}
