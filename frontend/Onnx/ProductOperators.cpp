//===- ProductOperators.cpp - Products of matrices ------------------------===//

#include "frontend/Onnx/Products.h"

#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;

/// A tensor and the loop of each of its dimensions.
using Indexed = LinalgBuilder::Indexed;

/// The sum of products over the loops that the result does not have.
static Value contract(Node &node, int64_t numLoops, Indexed x, Indexed y,
                      ArrayRef<int64_t> shape, Indexed result) {
  result.tensor = node.linalg().fill(
      node.getSizes(shape), getElementTypeOrSelf(x.tensor.getType()), 0);
  return node.linalg().generic(
      numLoops, {x, y}, result, [](B &b, ValueRange arguments) {
        return add(b, arguments[2], multiply(b, arguments[0], arguments[1]));
      });
}

FailureOr<Tensor> mlir::dann::onnx::multiplyMatrices(Node &node, Tensor x,
                                                     Tensor y) {
  if (x.getRank() == 0 || y.getRank() == 0)
    return node.emitError()
           << "cannot multiply " << x.getType() << " and " << y.getType();
  int64_t inner = x.getDim(x.getRank() - 1);
  if (inner != y.getDim(std::max<int64_t>(0, y.getRank() - 2)))
    return node.emitError() << "cannot multiply " << x.getType() << " and "
                            << y.getType() << ": the inner extents differ";
  bool xIsVector = x.getRank() == 1, yIsVector = y.getRank() == 1;
  // Two matrices are what kernels know.
  if (x.getRank() == 2 && y.getRank() == 2 && x.isFloat())
    return Tensor{node.linalg().product(x.value, false, y.value, false),
                  x.dataType};
  ArrayRef<int64_t> xBatch =
      xIsVector ? ArrayRef<int64_t>() : x.getShape().drop_back(2);
  ArrayRef<int64_t> yBatch =
      yIsVector ? ArrayRef<int64_t>() : y.getShape().drop_back(2);
  // The leading dimensions broadcast.
  auto shaped = [&](ArrayRef<int64_t> shape) {
    return Tensor{node.linalg().empty(node.getSizes(shape), x.getElementType()),
                  x.dataType};
  };
  FailureOr<SmallVector<int64_t>> batch =
      node.getBroadcastShape({shaped(xBatch), shaped(yBatch)});
  if (failed(batch))
    return failure();
  int64_t numBatch = batch->size();
  SmallVector<int64_t> shape(*batch);
  unsigned m = numBatch, n = numBatch + !xIsVector;
  unsigned k = n + !yIsVector;
  SmallVector<unsigned> xLoops, yLoops;
  Indexed result;
  for (int64_t i = 0; i < numBatch; ++i)
    result.loops.push_back(i);
  if (!xIsVector) {
    xLoops.push_back(m);
    result.loops.push_back(m);
    shape.push_back(x.getDim(x.getRank() - 2));
  }
  xLoops.push_back(k);
  yLoops.push_back(k);
  if (!yIsVector) {
    yLoops.push_back(n);
    result.loops.push_back(n);
    shape.push_back(y.getDim(y.getRank() - 1));
  }
  if (failed(node.checkSize(shape)))
    return failure();
  return Tensor{contract(node, k + 1, node.indexBroadcast(x, *batch, xLoops),
                         node.indexBroadcast(y, *batch, yLoops), shape, result),
                x.dataType};
}

namespace {

LogicalResult importMatMul(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  if (failed(node.requireSameType({x, y})) || failed(node.requireNumber(x)))
    return failure();
  return node.setResult(multiplyMatrices(node, x, y));
}

LogicalResult importGemm(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1), c = node.getInput(2);
  SmallVector<Tensor> operands = {x, y};
  if (c)
    operands.push_back(c);
  if (failed(node.requireSameType(operands)) ||
      failed(node.requireRank(x, 2)) || failed(node.requireRank(y, 2)))
    return failure();
  if (failed(node.requireNumber(x)))
    return failure();
  bool transposeX = node.getInt("transA", 0) != 0;
  bool transposeY = node.getInt("transB", 0) != 0;
  double alpha = node.getFloat("alpha", 1), beta = node.getFloat("beta", 1);
  if (x.getDim(transposeX ? 0 : 1) != y.getDim(transposeY ? 1 : 0))
    return node.emitError() << "cannot multiply " << x.getType() << " and "
                            << y.getType() << ": the inner extents differ";
  Tensor product{nullptr, x.dataType};
  SmallVector<int64_t> shape = {x.getDim(transposeX ? 1 : 0),
                                y.getDim(transposeY ? 0 : 1)};
  if (x.isFloat()) {
    product.value =
        node.linalg().product(x.value, transposeX, y.value, transposeY);
  } else {
    Indexed a{x.value, {0, 2}}, b{y.value, {2, 1}}, result{nullptr, {0, 1}};
    if (transposeX)
      a.loops = {2, 0};
    if (transposeY)
      b.loops = {1, 2};
    product.value = contract(node, 3, a, b, shape, result);
  }
  if ((!c || beta == 0) && alpha == 1) {
    node.setOutput(0, product);
    return success();
  }
  auto scale = [](B &b, Value value, double factor) {
    return factor == 1 ? value
                       : multiply(b, value, constantLike(b, value, factor));
  };
  SmallVector<Tensor> terms = {product};
  if (c && beta != 0)
    terms.push_back(c);
  FailureOr<SmallVector<int64_t>> whole = node.getBroadcastShape(terms);
  if (failed(whole))
    return failure();
  if (*whole != shape)
    return node.emitError()
           << "the summand " << c.getType()
           << " does not broadcast to the product " << product.getType();
  return node.setResult(
      node.elementwise(terms, x.dataType, [&](B &b, ValueRange arguments) {
        Value value = scale(b, arguments[0], alpha);
        if (terms.size() > 1)
          value = add(b, value, scale(b, arguments[1], beta));
        return value;
      }));
}

constexpr OperatorEntry kOperators[] = {
    {"MatMul", 1, 2, 2, 1, importMatMul},
    {"Gemm", 1, 2, 3, 1, importGemm},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getProductOperators() {
  return kOperators;
}
