//===- QuantizationOperators.cpp - Products of integers and quantisation -===//

#include "frontend/Onnx/Products.h"
#include "frontend/Onnx/Window.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
constexpr int32_t kFloat = proto::TensorProto::FLOAT;
constexpr int32_t kInt32 = proto::TensorProto::INT32;

Value makeFloat(B &b, double value) {
  return arith::ConstantOp::create(b, b.getF32FloatAttr(value));
}

//===----------------------------------------------------------------------===//
// Scales and zero points
//===----------------------------------------------------------------------===//

bool isQuantized(int32_t dataType) {
  return dataType == proto::TensorProto::UINT8 ||
         dataType == proto::TensorProto::INT8;
}

LogicalResult requireQuantized(Node &node, Tensor tensor) {
  if (isQuantized(tensor.dataType))
    return success();
  return node.emitError() << "takes uint8 or int8, not "
                          << getTypeName(tensor.dataType);
}

LogicalResult requireType(Node &node, Tensor tensor, int32_t dataType) {
  if (tensor.dataType == dataType)
    return success();
  return node.emitError() << "takes " << getTypeName(dataType) << ", not "
                          << getTypeName(tensor.dataType);
}

bool isSingle(Tensor tensor) {
  return tensor.getType().hasStaticShape() &&
         tensor.getType().getNumElements() == 1;
}

/// A scale or zero point so that it broadcasts to tensors of `rank`: one
/// number, or a vector with an element for each index of dimension `axis`.
FailureOr<Tensor> align(Node &node, Tensor parameter, int64_t axis,
                        int64_t rank) {
  if (isSingle(parameter))
    return node.reshape(parameter, {});
  if (parameter.getRank() != 1 || !parameter.getType().hasStaticShape() ||
      axis >= rank)
    return node.emitError() << "takes scales and zero points that are numbers "
                               "or vectors along a dimension, not "
                            << parameter.getType();
  SmallVector<int64_t> shape(rank - axis, 1);
  shape[0] = parameter.getDim(0);
  return node.reshape(parameter, shape);
}

/// elementwise() with parameters that must not make the result larger than the
/// first tensor.
FailureOr<Tensor> applyParameters(Node &node, ArrayRef<Tensor> tensors,
                                  int32_t dataType, Node::Body body) {
  FailureOr<SmallVector<int64_t>> shape = node.getBroadcastShape(tensors);
  if (failed(shape))
    return failure();
  if (ArrayRef(*shape) != tensors[0].getShape())
    return node.emitError() << "a scale or zero point has another shape than "
                            << tensors[0].getType() << " allows";
  return node.elementwise(tensors, dataType, body);
}

/// A rounded float as an element of the quantized type, or its nearest one; NaN
/// becomes the smallest.
Value saturate(B &b, Value rounded, int32_t dataType) {
  bool isUnsigned = dataType == proto::TensorProto::UINT8;
  Value low = makeFloat(b, isUnsigned ? 0 : -128);
  Value high = makeFloat(b, isUnsigned ? 255 : 127);
  rounded = arith::MaxNumFOp::create(b, rounded, low);
  rounded = arith::MinNumFOp::create(b, rounded, high);
  Value wide = arith::FPToSIOp::create(b, b.getI32Type(), rounded);
  return arith::TruncIOp::create(b, b.getI8Type(), wide);
}

/// round(value) + zeroPoint, of which ties round to even numbers.
Value quantize(Node &node, B &b, Value value, Value zeroPoint,
               int32_t dataType) {
  Value rounded = math::RoundEvenOp::create(b, value);
  if (zeroPoint)
    rounded = arith::AddFOp::create(
        b, rounded, node.convertScalar(b, zeroPoint, dataType, kFloat));
  return saturate(b, rounded, dataType);
}

/// Applies `body` to x, the scale and the zero point, if there is one, of
/// QuantizeLinear or DequantizeLinear.
LogicalResult importLinear(Node &node, int32_t dataType, Node::Body body) {
  Tensor x = node.getInput(0), scale = node.getInput(1);
  // Of vectors: the dimension that they belong to.
  FailureOr<int64_t> axis = 0;
  if (!isSingle(scale))
    axis = node.getAxis("axis", 1, x.getRank());
  if (failed(axis))
    return failure();
  SmallVector<Tensor> operands = {x};
  for (int i : {1, 2}) {
    if (!node.hasInput(i))
      continue;
    FailureOr<Tensor> aligned =
        align(node, node.getInput(i), *axis, x.getRank());
    if (failed(aligned))
      return failure();
    operands.push_back(*aligned);
  }
  return node.setResult(applyParameters(node, operands, dataType, body));
}

LogicalResult importQuantizeLinear(Node &node) {
  Tensor x = node.getInput(0), scale = node.getInput(1),
         zeroPoint = node.getInput(2);
  if (x.dataType != kFloat && x.dataType != kInt32)
    return node.emitError()
           << "takes float or int32, not " << getTypeName(x.dataType);
  if (failed(requireType(node, scale, kFloat)) ||
      (zeroPoint && failed(requireQuantized(node, zeroPoint))))
    return failure();
  int32_t dataType =
      zeroPoint ? zeroPoint.dataType : int32_t(proto::TensorProto::UINT8);
  return importLinear(node, dataType, [&](B &b, ValueRange arguments) {
    Value value = node.convertScalar(b, arguments[0], x.dataType, kFloat);
    value = arith::DivFOp::create(b, value, arguments[1]);
    return quantize(node, b, value, zeroPoint ? arguments[2] : Value(),
                    dataType);
  });
}

LogicalResult importDequantizeLinear(Node &node) {
  Tensor x = node.getInput(0), scale = node.getInput(1),
         zeroPoint = node.getInput(2);
  if (x.dataType != kInt32 && failed(requireQuantized(node, x)))
    return failure();
  if (failed(requireType(node, scale, kFloat)) ||
      (zeroPoint && failed(requireType(node, zeroPoint, x.dataType))))
    return failure();
  return importLinear(node, kFloat, [&](B &b, ValueRange arguments) -> Value {
    Value value = node.convertScalar(b, arguments[0], x.dataType, kInt32);
    if (zeroPoint)
      value = arith::SubIOp::create(
          b, value, node.convertScalar(b, arguments[2], x.dataType, kInt32));
    return arith::MulFOp::create(
        b, node.convertScalar(b, value, kInt32, kFloat), arguments[1]);
  });
}

LogicalResult importDynamicQuantizeLinear(Node &node) {
  Tensor x = node.getInput(0);
  constexpr int32_t kUInt8 = proto::TensorProto::UINT8;
  if (failed(requireType(node, x, kFloat)))
    return failure();
  // The range of the data and 0.
  LinalgBuilder::Indexed all = {x.value, LinalgBuilder::allLoops(x.value)};
  auto reduce = [&](bool isMaximum) {
    return Tensor{
        node.linalg().generic(
            x.getRank(), {all}, {node.fill({}, kFloat, 0).value, {}},
            [&](B &b, ValueRange arguments) -> Value {
              if (isMaximum)
                return arith::MaximumFOp::create(b, arguments[0], arguments[1]);
              return arith::MinimumFOp::create(b, arguments[0], arguments[1]);
            }),
        kFloat};
  };
  Tensor low = reduce(false), high = reduce(true);
  FailureOr<Tensor> scale = node.elementwise(
      {low, high}, kFloat, [](B &b, ValueRange arguments) -> Value {
        Value range = arith::SubFOp::create(b, arguments[1], arguments[0]);
        // Of zeros alone: any scale gives the same, but 0 none.
        Value isEmpty = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                              range, makeFloat(b, 0));
        return arith::SelectOp::create(
            b, isEmpty, makeFloat(b, 1),
            arith::DivFOp::create(b, range, makeFloat(b, 255)));
      });
  if (failed(scale))
    return failure();
  FailureOr<Tensor> zeroPoint =
      node.elementwise({low, *scale}, kUInt8, [&](B &b, ValueRange arguments) {
        Value place = arith::DivFOp::create(
            b, arith::SubFOp::create(b, makeFloat(b, 0), arguments[0]),
            arguments[1]);
        return quantize(node, b, place, {}, kUInt8);
      });
  if (failed(zeroPoint))
    return failure();
  FailureOr<Tensor> result = node.elementwise(
      {x, *scale, *zeroPoint}, kUInt8, [&](B &b, ValueRange arguments) {
        Value value = arith::DivFOp::create(b, arguments[0], arguments[1]);
        return quantize(node, b, value, arguments[2], kUInt8);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  node.setOutput(1, *scale);
  node.setOutput(2, *zeroPoint);
  return success();
}

/// `x` less its zero point, which is aligned, as int32.
FailureOr<Tensor> center(Node &node, Tensor x, Tensor zeroPoint) {
  if (failed(requireQuantized(node, x)))
    return failure();
  if (!zeroPoint)
    return node.convert(x, kInt32);
  if (failed(requireType(node, zeroPoint, x.dataType)))
    return failure();
  return applyParameters(
      node, {x, zeroPoint}, kInt32, [&](B &b, ValueRange arguments) -> Value {
        return arith::SubIOp::create(
            b, node.convertScalar(b, arguments[0], x.dataType, kInt32),
            node.convertScalar(b, arguments[1], x.dataType, kInt32));
      });
}

/// A sum of products, scaled and quantized. The parameters are aligned.
FailureOr<Tensor> requantize(Node &node, Tensor sum, Tensor xScale,
                             Tensor yScale, Tensor scale, Tensor zeroPoint) {
  for (Tensor parameter : {xScale, yScale, scale})
    if (failed(requireType(node, parameter, kFloat)))
      return failure();
  if (failed(requireQuantized(node, zeroPoint)))
    return failure();
  return applyParameters(
      node, {sum, xScale, yScale, scale, zeroPoint}, zeroPoint.dataType,
      [&](B &b, ValueRange arguments) {
        Value factor = arith::DivFOp::create(
            b, arith::MulFOp::create(b, arguments[1], arguments[2]),
            arguments[3]);
        Value value = arith::MulFOp::create(
            b, node.convertScalar(b, arguments[0], kInt32, kFloat), factor);
        return quantize(node, b, value, arguments[4], zeroPoint.dataType);
      });
}

//===----------------------------------------------------------------------===//
// Matrices
//===----------------------------------------------------------------------===//

/// The operands of a product of matrices. Vectors have become matrices of one
/// row or column, which the result does not have.
struct MatrixOperands {
  Tensor x, y;
  bool xIsVector, yIsVector;
};

FailureOr<MatrixOperands> getOperands(Node &node, Tensor x, Tensor y) {
  for (Tensor tensor : {x, y})
    if (tensor.getRank() == 0 ||
        (tensor.getRank() == 1 && !tensor.getType().hasStaticShape()))
      return node.emitError()
             << "cannot multiply " << x.getType() << " and " << y.getType();
  MatrixOperands operands = {x, y, x.getRank() == 1, y.getRank() == 1};
  if (operands.xIsVector) {
    FailureOr<Tensor> row = node.reshape(x, {1, x.getDim(0)});
    if (failed(row))
      return failure();
    operands.x = *row;
  }
  if (operands.yIsVector) {
    FailureOr<Tensor> column = node.reshape(y, {y.getDim(0), 1});
    if (failed(column))
      return failure();
    operands.y = *column;
  }
  return operands;
}

/// A parameter of the left operand is one for each row if it is a vector.
FailureOr<Tensor> alignRows(Node &node, Tensor parameter) {
  if (parameter && isSingle(parameter))
    return node.reshape(parameter, {});
  if (!parameter || parameter.getRank() != 1 ||
      !parameter.getType().hasStaticShape())
    return parameter;
  return node.reshape(parameter, {parameter.getDim(0), 1});
}
FailureOr<Tensor> alignColumns(Node &node, Tensor parameter) {
  if (parameter && isSingle(parameter))
    return node.reshape(parameter, {});
  return parameter;
}

Tensor dropVectors(Node &node, Tensor result, const MatrixOperands &operands) {
  SmallVector<int64_t> dropped;
  if (operands.xIsVector)
    dropped.push_back(result.getRank() - 2);
  if (operands.yIsVector)
    dropped.push_back(result.getRank() - 1);
  return node.squeeze(result, dropped);
}

/// The product of quantized matrices, less their zero points.
FailureOr<Tensor> multiplyQuantized(Node &node, const MatrixOperands &operands,
                                    Tensor xZeroPoint, Tensor yZeroPoint) {
  FailureOr<Tensor> xZero = alignRows(node, xZeroPoint);
  FailureOr<Tensor> yZero = alignColumns(node, yZeroPoint);
  if (failed(xZero) || failed(yZero))
    return failure();
  FailureOr<Tensor> x = center(node, operands.x, *xZero);
  FailureOr<Tensor> y = center(node, operands.y, *yZero);
  if (failed(x) || failed(y))
    return failure();
  return multiplyMatrices(node, *x, *y);
}

LogicalResult importMatMulInteger(Node &node) {
  FailureOr<MatrixOperands> operands =
      getOperands(node, node.getInput(0), node.getInput(1));
  if (failed(operands))
    return failure();
  FailureOr<Tensor> result =
      multiplyQuantized(node, *operands, node.getInput(2), node.getInput(3));
  if (failed(result))
    return failure();
  node.setOutput(0, dropVectors(node, *result, *operands));
  return success();
}

LogicalResult importQLinearMatMul(Node &node) {
  FailureOr<MatrixOperands> operands =
      getOperands(node, node.getInput(0), node.getInput(3));
  if (failed(operands))
    return failure();
  FailureOr<Tensor> sum =
      multiplyQuantized(node, *operands, node.getInput(2), node.getInput(5));
  FailureOr<Tensor> xScale = alignRows(node, node.getInput(1));
  FailureOr<Tensor> yScale = alignColumns(node, node.getInput(4));
  // The result's parameters are for each row if they are vectors.
  FailureOr<Tensor> scale = alignRows(node, node.getInput(6));
  FailureOr<Tensor> zeroPoint = alignRows(node, node.getInput(7));
  if (failed(sum) || failed(xScale) || failed(yScale) || failed(scale) ||
      failed(zeroPoint))
    return failure();
  FailureOr<Tensor> result =
      requantize(node, *sum, *xScale, *yScale, *scale, *zeroPoint);
  if (failed(result))
    return failure();
  node.setOutput(0, dropVectors(node, *result, *operands));
  return success();
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

/// The convolution of quantized tensors, less their zero points.
FailureOr<Tensor> convolveQuantized(Node &node, Tensor x, Tensor xZeroPoint,
                                    Tensor w, Tensor wZeroPoint) {
  if (w.getRank() == 0)
    return node.emitError() << "the weights are a scalar";
  FailureOr<Tensor> xZero = xZeroPoint, wZero = wZeroPoint;
  if (xZeroPoint) {
    if (!isSingle(xZeroPoint))
      return node.emitError() << "the zero point of the input has to be one "
                                 "number, not "
                              << xZeroPoint.getType();
    xZero = node.reshape(xZeroPoint, {});
  }
  // One for each output.
  if (wZeroPoint)
    wZero = align(node, wZeroPoint, 0, w.getRank());
  if (failed(xZero) || failed(wZero))
    return failure();
  FailureOr<Tensor> input = center(node, x, *xZero);
  FailureOr<Tensor> weights = center(node, w, *wZero);
  if (failed(input) || failed(weights))
    return failure();
  return convolve(node, *input, *weights);
}

LogicalResult importConvInteger(Node &node) {
  return node.setResult(convolveQuantized(node, node.getInput(0),
                                          node.getInput(2), node.getInput(1),
                                          node.getInput(3)));
}

LogicalResult importQLinearConv(Node &node) {
  Tensor bias = node.getInput(8);
  FailureOr<Tensor> sum =
      convolveQuantized(node, node.getInput(0), node.getInput(2),
                        node.getInput(3), node.getInput(5));
  if (failed(sum))
    return failure();
  int64_t rank = sum->getRank();
  if (bias) {
    FailureOr<Tensor> aligned = align(node, bias, 1, rank);
    if (failed(aligned) || failed(requireType(node, bias, kInt32)))
      return failure();
    sum = applyParameters(node, {*sum, *aligned}, kInt32,
                          [](B &b, ValueRange arguments) -> Value {
                            return arith::AddIOp::create(b, arguments[0],
                                                         arguments[1]);
                          });
    if (failed(sum))
      return failure();
  }
  FailureOr<Tensor> xScale = align(node, node.getInput(1), 1, rank);
  FailureOr<Tensor> wScale = align(node, node.getInput(4), 1, rank);
  FailureOr<Tensor> scale = align(node, node.getInput(6), 1, rank);
  FailureOr<Tensor> zeroPoint = align(node, node.getInput(7), 1, rank);
  if (failed(xScale) || failed(wScale) || failed(scale) || failed(zeroPoint))
    return failure();
  return node.setResult(
      requantize(node, *sum, *xScale, *wScale, *scale, *zeroPoint));
}

constexpr OperatorEntry kOperators[] = {
    {"QuantizeLinear", 10, 2, 3, 1, importQuantizeLinear},
    {"DequantizeLinear", 10, 2, 3, 1, importDequantizeLinear},
    {"DynamicQuantizeLinear", 11, 1, 1, 3, importDynamicQuantizeLinear},
    {"MatMulInteger", 10, 2, 4, 1, importMatMulInteger},
    {"QLinearMatMul", 10, 8, 8, 1, importQLinearMatMul},
    {"ConvInteger", 10, 2, 4, 1, importConvInteger},
    {"QLinearConv", 10, 8, 9, 1, importQLinearConv},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getQuantizationOperators() {
  return kOperators;
}
