//===- Scalars.cpp - Arithmetic on numbers of any type --------------------===//

#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::dann;

using B = ImplicitLocOpBuilder;

Value onnx::constant(B &b, Type type, double value) {
  if (isa<FloatType>(type))
    return arith::ConstantOp::create(b, b.getFloatAttr(type, value));
  return arith::ConstantOp::create(
      b, b.getIntegerAttr(type, static_cast<int64_t>(value)));
}
Value onnx::constantLike(B &b, Value like, double value) {
  return constant(b, like.getType(), value);
}

Value onnx::add(B &b, Value x, Value y, bool) {
  if (isa<FloatType>(x.getType()))
    return arith::AddFOp::create(b, x, y);
  return arith::AddIOp::create(b, x, y);
}

Value onnx::multiply(B &b, Value x, Value y, bool) {
  if (isa<FloatType>(x.getType()))
    return arith::MulFOp::create(b, x, y);
  return arith::MulIOp::create(b, x, y);
}

Value onnx::subtract(B &b, Value x, Value y, bool) {
  if (isa<FloatType>(x.getType()))
    return arith::SubFOp::create(b, x, y);
  return arith::SubIOp::create(b, x, y);
}

Value onnx::makeDivisorSafe(B &b, Value y, bool isUnsigned) {
  Value one = constantLike(b, y, 1);
  Value isBad = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, y,
                                      constantLike(b, y, 0));
  if (!isUnsigned)
    isBad =
        arith::OrIOp::create(b, isBad,
                             arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                   y, constantLike(b, y, -1)));
  return arith::SelectOp::create(b, isBad, one, y);
}

Value onnx::divide(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::DivFOp::create(b, x, y);
  Value zero = constantLike(b, y, 0);
  Value safe = makeDivisorSafe(b, y, isUnsigned);
  Value isZero = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, y, zero);
  Value quotient = isUnsigned ? arith::DivUIOp::create(b, x, safe).getResult()
                              : arith::DivSIOp::create(b, x, safe).getResult();
  if (!isUnsigned) {
    Value isMinusOne = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, y,
                                             constantLike(b, y, -1));
    Value negated = arith::SubIOp::create(b, zero, x);
    quotient = arith::SelectOp::create(b, isMinusOne, negated, quotient);
  }
  return arith::SelectOp::create(b, isZero, zero, quotient);
}

Value onnx::maximum(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::MaximumFOp::create(b, x, y);
  if (isUnsigned)
    return arith::MaxUIOp::create(b, x, y);
  return arith::MaxSIOp::create(b, x, y);
}

Value onnx::minimum(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::MinimumFOp::create(b, x, y);
  if (isUnsigned)
    return arith::MinUIOp::create(b, x, y);
  return arith::MinSIOp::create(b, x, y);
}
