//===- LinalgForms.cpp - What operations of linalg compute ----------------===//

#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

bool mlir::dann::isZeros(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

bool mlir::dann::isSum(linalg::LinalgOp op) {
  Block *body = op.getBlock();
  if (body->getTerminator()->getNumOperands() != 1)
    return false;
  BlockArgument accumulator = body->getArguments().back();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  return sum && accumulator.hasOneUse() &&
         llvm::is_contained(sum->getOperands(), Value(accumulator));
}

Value mlir::dann::lookThroughPadding(Value padded, double filler,
                                     SmallVectorImpl<int64_t> &padding) {
  padding.assign(4, 0);
  auto pad = padded.getDefiningOp<tensor::PadOp>();
  Value value = pad ? pad.getConstantPaddingValue() : Value();
  FloatAttr number;
  if (!value || pad.getSourceType().getRank() != 4 ||
      !matchPattern(value, m_Constant(&number)) ||
      number.getValueAsDouble() != filler)
    return padded;
  SmallVector<int64_t, 4> sizes;
  for (ArrayRef<int64_t> side : {pad.getStaticLow(), pad.getStaticHigh()}) {
    if (side[0] != 0 || side[1] != 0 || side[2] < 0 || side[3] < 0)
      return padded;
    sizes.append({side[2], side[3]});
  }
  padding.assign(sizes.begin(), sizes.end());
  return pad.getSource();
}
