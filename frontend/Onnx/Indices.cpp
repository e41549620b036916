//===- Indices.cpp - What operators on indices compute with ---------------===//

#include "frontend/Onnx/Indices.h"

using namespace mlir;
using namespace mlir::dann;

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;

Value onnx::makeIndex(B &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value onnx::compare(B &b, IntPredicate predicate, Value x, Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}

Value onnx::toIndex(B &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getIndexType(), integer);
}

Value onnx::toInt64(B &b, Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}

Value onnx::makeZero(B &b, Type type) {
  return arith::ConstantOp::create(b, b.getZeroAttr(type));
}

Value onnx::makeInt64(B &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
}

Value onnx::isLess(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  return compare(b, isUnsigned ? IntPredicate::ult : IntPredicate::slt, x, y);
}
