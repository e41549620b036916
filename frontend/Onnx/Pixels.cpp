//===- Pixels.cpp - What operators on pixels compute with -----------------===//

#include "frontend/Onnx/Pixels.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;
using FloatPredicate = arith::CmpFPredicate;
using IntPredicate = arith::CmpIPredicate;

Value mlir::dann::onnx::constantIndex(B &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value mlir::dann::onnx::select(B &b, Value condition, Value x, Value y) {
  return arith::SelectOp::create(b, condition, x, y);
}

Value mlir::dann::onnx::compare(B &b, FloatPredicate predicate, Value x,
                                double y) {
  return arith::CmpFOp::create(b, predicate, x, constantLike(b, x, y));
}

Value mlir::dann::onnx::compare(B &b, IntPredicate predicate, Value x,
                                int64_t y) {
  return arith::CmpIOp::create(b, predicate, x, constantIndex(b, y));
}

Value mlir::dann::onnx::clampFloat(B &b, Value x, double low, double high) {
  x = arith::MaxNumFOp::create(b, x, constantLike(b, x, low));
  return arith::MinNumFOp::create(b, x, constantLike(b, x, high));
}

Value mlir::dann::onnx::clampIndex(B &b, Value x, int64_t extent) {
  x = arith::MaxSIOp::create(b, x, constantIndex(b, 0));
  return arith::MinSIOp::create(b, x, constantIndex(b, extent - 1));
}

Value mlir::dann::onnx::floatToIndex(B &b, Value x) {
  return arith::IndexCastOp::create(
      b, b.getIndexType(), arith::FPToSIOp::create(b, b.getI64Type(), x));
}

Value mlir::dann::onnx::toFloat(B &b, Value index, Type type) {
  return arith::SIToFPOp::create(
      b, type, arith::IndexCastOp::create(b, b.getI64Type(), index));
}
