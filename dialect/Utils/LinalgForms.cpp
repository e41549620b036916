//===- LinalgForms.cpp - What operations of linalg compute ----------------===//

#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
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
