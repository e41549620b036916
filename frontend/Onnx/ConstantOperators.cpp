//===- ConstantOperators.cpp - Tensors that are made of numbers -----------===//

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <algorithm>
#include <cmath>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

LogicalResult importConstant(Node &node) {
  if (const proto::TensorProto *value = node.getTensor("value"))
    return node.setResult(node.load(*value));
  OpBuilder &b = node.b();
  auto shape = [](size_t size) -> SmallVector<int64_t> {
    return {static_cast<int64_t>(size)};
  };
  if (node.hasAttribute("value_int")) {
    node.setOutput(0, node.number(node.getInt("value_int", 0)));
  } else if (node.hasAttribute("value_ints")) {
    node.setOutput(0, node.constant(node.getInts("value_ints")));
  } else if (node.hasAttribute("value_float")) {
    node.setOutput(
        0, node.constant(
               DenseElementsAttr::get(RankedTensorType::get({}, b.getF32Type()),
                                      node.getFloat("value_float", 0)),
               proto::TensorProto::FLOAT));
  } else if (node.hasAttribute("value_floats")) {
    SmallVector<float> values = node.getFloats("value_floats");
    node.setOutput(
        0, node.constant(
               DenseElementsAttr::get(
                   RankedTensorType::get(shape(values.size()), b.getF32Type()),
                   ArrayRef<float>(values)),
               proto::TensorProto::FLOAT));
  } else {
    return node.emitError()
           << "needs value, value_int, value_ints, value_float or value_floats";
  }
  return success();
}

LogicalResult importConstantOfShape(Node &node) {
  FailureOr<SmallVector<int64_t>> shape = node.getShape(0);
  if (failed(shape) || failed(node.checkSize(*shape)))
    return failure();
  const proto::TensorProto *value = node.getTensor("value");
  if (!value) {
    node.setOutput(0, node.fill(*shape, proto::TensorProto::FLOAT, 0));
    return success();
  }
  FailureOr<Tensor> element = node.load(*value);
  if (failed(element))
    return failure();
  if (element->getType().getNumElements() != 1)
    return node.emitError()
           << "takes a value of one element, not " << element->getType();
  FailureOr<Tensor> scalar = node.reshape(*element, {});
  if (failed(scalar))
    return failure();
  return node.setResult(node.broadcast(*scalar, *shape));
}

LogicalResult importRange(Node &node) {
  Tensor start = node.getInput(0), limit = node.getInput(1),
         delta = node.getInput(2);
  if (failed(node.requireSameType({start, limit, delta})))
    return failure();
  for (Tensor tensor : {start, limit, delta})
    if (!tensor.getType().hasStaticShape() ||
        tensor.getType().getNumElements() != 1 || tensor.isBool())
      return node.emitError() << "takes numbers, not " << tensor.getType();
  // None unless the numbers are known.
  auto first = [](auto known) {
    return known ? std::optional((*known)[0]) : std::nullopt;
  };
  std::optional<int64_t> count;
  std::optional<double> from, to, by;
  if (start.isFloat()) {
    from = first(node.getKnownFloats(0));
    to = first(node.getKnownFloats(1));
    by = first(node.getKnownFloats(2));
  } else {
    KnownContents &known = node.getKnownContents();
    from = known.getInt(start.value);
    to = known.getInt(limit.value);
    by = known.getInt(delta.value);
    // As many as the batch has.
    std::optional<int64_t> end = first(node.getKnownInts(1));
    if (from == 0 && by == 1 && end && ShapedType::isDynamic(*end))
      count = ShapedType::kDynamic;
  }
  if (from && to && by && *by != 0) {
    double steps = std::ceil((*to - *from) / *by);
    if (!(steps < static_cast<double>(kMaxElements)))
      return node.emitError()
             << "has " << steps << " elements; there have to be less than "
             << kMaxElements;
    count = static_cast<int64_t>(std::max(0.0, steps));
  }
  if (!count) {
    auto declared = node.getDeclaredShape(0);
    if (!declared || declared->size() != 1)
      return node.emitError() << "its length is not known at compile time";
    count = (*declared)[0];
  }
  FailureOr<Tensor> begin = node.reshape(start, {});
  FailureOr<Tensor> step = node.reshape(delta, {});
  if (failed(begin) || failed(step))
    return failure();
  node.setOutput(
      0, node.generate({*count}, start.dataType, [&](B &b, ValueRange indices) {
        Value i = arith::IndexCastOp::create(b, b.getI64Type(), indices[0]);
        i = node.convertScalar(b, i, proto::TensorProto::INT64, start.dataType);
        Value from = tensor::ExtractOp::create(b, begin->value);
        Value by = tensor::ExtractOp::create(b, step->value);
        return add(b, from, multiply(b, i, by));
      }));
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"Constant", 1, 0, 0, 1, importConstant},
    {"ConstantOfShape", 9, 1, 1, 1, importConstantOfShape},
    {"Range", 11, 3, 3, 1, importRange},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getConstantOperators() {
  return kOperators;
}
