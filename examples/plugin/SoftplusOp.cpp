//===- SoftplusOp.cpp - What passes ask of softplus -----------------------===//

#include "Smooth.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;
using namespace smooth;

// [vjp]
/// The cotangent times the derivative, 1 / (1 + e^-x).
void SoftplusOp::buildVjp(OpBuilder &builder, ArrayRef<Value> cotangents,
                          const llvm::BitVector &active,
                          MutableArrayRef<Value> operandCotangents) {
  if (!active.test(0))
    return;
  Value x = getX(), cotangent = cotangents[0];
  SmallVector<unsigned, 2> all = LinalgBuilder::allLoops(x);
  LinalgBuilder linalg(builder, getLoc());
  operandCotangents[0] = linalg.elementwise(
      {{x, all}, {cotangent, all}}, x,
      [](ImplicitLocOpBuilder &b, ValueRange entries) -> Value {
        Value minusX = arith::NegFOp::create(b, entries[0]);
        Value exp = math::ExpOp::create(b, minusX);
        Value one =
            arith::ConstantOp::create(b, b.getFloatAttr(exp.getType(), 1.0));
        Value divisor = arith::AddFOp::create(b, exp, one);
        return arith::DivFOp::create(b, entries[1], divisor);
      });
}
// [vjp]

// [signs]
void SoftplusOp::inferResultSigns(ArrayRef<Sign>,
                                  MutableArrayRef<Sign> results) {
  results[0] = Sign::Nonneg;
}
// [signs]
