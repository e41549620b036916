//===- Indices.cpp - What operators on indices compute with ---------------===//

#include "frontend/Onnx/Indices.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;

Value mlir::dann::onnx::makeIndex(B &b, int64_t value) {
  return arith::ConstantIndexOp::create(b, value);
}

Value mlir::dann::onnx::compare(B &b, IntPredicate predicate, Value x,
                                Value y) {
  return arith::CmpIOp::create(b, predicate, x, y);
}

Value mlir::dann::onnx::toIndex(B &b, Value integer) {
  return arith::IndexCastOp::create(b, b.getIndexType(), integer);
}

Value mlir::dann::onnx::toInt64(B &b, Value index) {
  return arith::IndexCastOp::create(b, b.getI64Type(), index);
}

Value mlir::dann::onnx::makeZero(B &b, Type type) {
  return arith::ConstantOp::create(b, b.getZeroAttr(type));
}

Value mlir::dann::onnx::makeInt64(B &b, int64_t value) {
  return arith::ConstantOp::create(b, b.getI64IntegerAttr(value));
}

Value mlir::dann::onnx::isLess(B &b, Value x, Value y, bool isUnsigned) {
  if (isa<FloatType>(x.getType()))
    return arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, y);
  return compare(b, isUnsigned ? IntPredicate::ult : IntPredicate::slt, x, y);
}

LogicalResult mlir::dann::onnx::checkResult(Node &node,
                                            ArrayRef<int64_t> shape) {
  if (failed(node.checkSize(shape)))
    return failure();
  for (auto [i, extent] : llvm::enumerate(shape))
    if (i > 0 && ShapedType::isDynamic(extent))
      return node.emitError() << "the batch would become dimension " << i
                              << ", which is not supported";
  return success();
}

Value mlir::dann::onnx::wrap(B &b, Value element, int64_t extent) {
  Value index = toIndex(b, element);
  Value isNegative = compare(b, IntPredicate::slt, index, makeIndex(b, 0));
  Value fromBehind = arith::AddIOp::create(b, index, makeIndex(b, extent));
  return arith::SelectOp::create(b, isNegative, fromBehind, index);
}

Value mlir::dann::onnx::clamp(B &b, Value index, int64_t extent) {
  Value notAbove =
      arith::MinSIOp::create(b, index, makeIndex(b, extent - 1)).getResult();
  return arith::MaxSIOp::create(b, notAbove, makeIndex(b, 0));
}

LogicalResult mlir::dann::onnx::requireIndices(Node &node, Tensor tensor) {
  if (tensor.dataType == proto::TensorProto::INT32 ||
      tensor.dataType == proto::TensorProto::INT64)
    return success();
  return node.emitError() << "takes indices of int32 or int64, not "
                          << getTypeName(tensor.dataType);
}

LogicalResult mlir::dann::onnx::checkPicked(Node &node, Tensor data,
                                            int64_t axis,
                                            ArrayRef<int64_t> shape) {
  int64_t extent = data.getDim(axis);
  if (ShapedType::isDynamic(extent))
    return node.emitError() << "picks from the batch, which is not supported";
  if (extent == 0 && !llvm::is_contained(shape, 0))
    return node.emitError() << "picks from dimension " << axis << " of "
                            << data.getType() << ", which is empty";
  return success();
}

LogicalResult mlir::dann::onnx::checkKnownIndices(Node &node, int input,
                                                  int64_t extent) {
  if (auto known = node.getKnownInts(input))
    for (int64_t at : *known)
      if (at < -extent || at >= extent)
        return node.emitError() << "the index " << at << " is not in ["
                                << -extent << ", " << extent - 1 << "]";
  return success();
}

Tensor mlir::dann::onnx::gather(Node &node, Tensor x, Tensor indices,
                                int64_t axis, ArrayRef<int64_t> shape) {
  int64_t numOwn = indices.getRank(), extent = x.getDim(axis);
  SmallVector<unsigned, 2> loops =
      llvm::to_vector<2>(llvm::seq<unsigned>(axis, axis + numOwn));
  Value init = node.linalg().empty(node.getSizes(shape), x.getElementType());
  return {node.linalg().generic(
              shape.size(), {{indices.value, loops}},
              {init, LinalgBuilder::allLoops(init)},
              [&](B &b, ValueRange arguments) {
                SmallVector<Value> places;
                for (int64_t i = 0; i < x.getRank(); ++i) {
                  if (i == axis)
                    places.push_back(
                        clamp(b, wrap(b, arguments[0], extent), extent));
                  else
                    places.push_back(linalg::IndexOp::create(
                        b, i < axis ? i : i + numOwn - 1));
                }
                return tensor::ExtractOp::create(b, x.value, places);
              }),
          x.dataType};
}
