//===- Reduction.cpp - Combining the elements along dimensions ------------===//

#include "frontend/Onnx/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using B = ImplicitLocOpBuilder;

SmallVector<unsigned, 2>
mlir::dann::onnx::getOtherLoops(int64_t rank, ArrayRef<int64_t> axes) {
  SmallVector<unsigned, 2> loops;
  for (int64_t i = 0; i < rank; ++i)
    if (!llvm::is_contained(axes, i))
      loops.push_back(i);
  return loops;
}

Indexed mlir::dann::onnx::indexWhole(Tensor tensor) {
  return {tensor.value, LinalgBuilder::allLoops(tensor.value)};
}

Indexed mlir::dann::onnx::indexReduced(Tensor reduced, int64_t rank,
                                       ArrayRef<int64_t> axes) {
  return {reduced.value, getOtherLoops(rank, axes)};
}

Tensor mlir::dann::onnx::compute(Node &node, ArrayRef<int64_t> shape,
                                 int32_t dataType, ArrayRef<Indexed> inputs,
                                 Node::Body body) {
  Value init = node.linalg().empty(node.getSizes(shape),
                                   getElementType(dataType, node.getContext()));
  return {node.linalg().generic(shape.size(), inputs,
                                {init, LinalgBuilder::allLoops(init)}, body),
          dataType};
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

/// What changes nothing when it is combined with a number of the type.
static TypedAttr getNeutral(Type type, bool isUnsigned,
                            Combination combination) {
  Builder b(type.getContext());
  if (auto floats = dyn_cast<FloatType>(type)) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    switch (combination) {
    case Combination::Sum:
      return b.getFloatAttr(floats, 0);
    case Combination::Product:
      return b.getFloatAttr(floats, 1);
    case Combination::Maximum:
      return b.getFloatAttr(floats, -infinity);
    case Combination::Minimum:
      return b.getFloatAttr(floats, infinity);
    }
  }
  unsigned width = type.getIntOrFloatBitWidth();
  APInt value(width, 0);
  switch (combination) {
  case Combination::Sum:
    break;
  case Combination::Product:
    value = APInt(width, 1);
    break;
  case Combination::Maximum:
    value = isUnsigned ? APInt::getMinValue(width)
                       : APInt::getSignedMinValue(width);
    break;
  case Combination::Minimum:
    value = isUnsigned ? APInt::getMaxValue(width)
                       : APInt::getSignedMaxValue(width);
    break;
  }
  return b.getIntegerAttr(type, value);
}

static Value combine(B &b, Combination combination, bool isUnsigned, Value x,
                     Value y) {
  switch (combination) {
  case Combination::Sum:
    return add(b, x, y);
  case Combination::Product:
    return multiply(b, x, y);
  case Combination::Maximum:
    return maximum(b, x, y, isUnsigned);
  case Combination::Minimum:
    break;
  }
  return minimum(b, x, y, isUnsigned);
}

Tensor mlir::dann::onnx::reduce(Node &node, ArrayRef<int64_t> shape,
                                ArrayRef<int64_t> axes, int32_t dataType,
                                Combination combination,
                                ArrayRef<Indexed> inputs, Node::Body body) {
  // Operations without a reduction are fused, and must not read their results.
  if (axes.empty())
    return compute(node, shape, dataType, inputs, body);
  SmallVector<unsigned, 2> loops = getOtherLoops(shape.size(), axes);
  SmallVector<int64_t> reduced;
  for (unsigned loop : loops)
    reduced.push_back(shape[loop]);
  Type type = getElementType(dataType, node.getContext());
  bool hasNoSign = isUnsigned(dataType);
  Value neutral = arith::ConstantOp::create(
      node.b(), getNeutral(type, hasNoSign, combination));
  Value init =
      linalg::FillOp::create(node.b(), neutral,
                             node.linalg().empty(node.getSizes(reduced), type))
          .getResult(0);
  return {node.linalg().generic(shape.size(), inputs, {init, loops},
                                [&](B &b, ValueRange arguments) {
                                  Value term = body(b, arguments.drop_back());
                                  return combine(b, combination, hasNoSign,
                                                 arguments.back(), term);
                                }),
          dataType};
}

Tensor mlir::dann::onnx::reduce(Node &node, Tensor x, ArrayRef<int64_t> axes,
                                Combination combination, ElementMap map) {
  return reduce(node, x.getShape(), axes, x.dataType, combination,
                indexWhole(x), [&](B &b, ValueRange arguments) {
                  return map ? map(b, arguments[0]) : arguments[0];
                });
}

Value mlir::dann::onnx::buildPosition(B &b, ArrayRef<int64_t> shape,
                                      ArrayRef<int64_t> axes) {
  Value position;
  for (int64_t axis : axes) {
    Value index = linalg::IndexOp::create(b, axis);
    // Only the first dimension may be unknown, which is no factor.
    if (position)
      index = arith::AddIOp::create(
          b, index,
          arith::MulIOp::create(
              b, position, arith::ConstantIndexOp::create(b, shape[axis])));
    position = index;
  }
  if (!position)
    position = arith::ConstantIndexOp::create(b, 0);
  return arith::IndexCastOp::create(b, b.getI64Type(), position);
}

Tensor mlir::dann::onnx::findExtremum(Node &node, Tensor x,
                                      ArrayRef<int64_t> axes,
                                      Combination combination, bool takesLast) {
  Tensor extremum = reduce(node, x, axes, combination);
  return reduce(
      node, x.getShape(), axes, proto::TensorProto::INT64,
      takesLast ? Combination::Maximum : Combination::Minimum,
      {indexWhole(x), indexReduced(extremum, x.getRank(), axes)},
      [&](B &b, ValueRange arguments) {
        Value isThis;
        if (x.isFloat()) {
          Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                                arguments[0], arguments[1]);
          Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                              arguments[0], arguments[0]);
          isThis = arith::OrIOp::create(b, isEqual, isNan);
        } else {
          isThis = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                         arguments[0], arguments[1]);
        }
        Value position = buildPosition(b, x.getShape(), axes);
        Value none = arith::ConstantOp::create(
            b, b.getI64IntegerAttr(
                   takesLast ? -1 : std::numeric_limits<int64_t>::max()));
        return arith::SelectOp::create(b, isThis, position, none);
      });
}

Tensor mlir::dann::onnx::divideByCount(Node &node, Tensor sum,
                                       ArrayRef<int64_t> shape,
                                       ArrayRef<int64_t> axes) {
  int64_t known = 1; // at most kMaxElements
  bool hasBatch = false;
  for (int64_t axis : axes) {
    if (ShapedType::isDynamic(shape[axis]))
      hasBatch = true;
    else
      known *= shape[axis];
  }
  if (!hasBatch && known == 1)
    return sum;
  SmallVector<Indexed> inputs = {indexWhole(sum)};
  Type type = sum.getElementType();
  if (hasBatch) {
    Value size = cast<Value>(node.getSizes(ShapedType::kDynamic)[0]);
    size = arith::MulIOp::create(
        node.b(), size, arith::ConstantIndexOp::create(node.b(), known));
    Value count =
        arith::IndexCastOp::create(node.b(), node.b().getI64Type(), size);
    count = node.convertScalar(node.b(), count, proto::TensorProto::INT64,
                               sum.dataType);
    auto scalar = RankedTensorType::get({}, type);
    inputs.push_back(
        {tensor::FromElementsOp::create(node.b(), scalar, count), {}});
  }
  return compute(node, sum.getShape(), sum.dataType, inputs,
                 [&](B &b, ValueRange arguments) -> Value {
                   Value count =
                       hasBatch ? arguments[1]
                                : constant(b, type, static_cast<double>(known));
                   if (sum.isFloat())
                     return arith::DivFOp::create(b, arguments[0], count);
                   // Nothing at all is no reason to trap.
                   count =
                       arith::MaxUIOp::create(b, count, constant(b, type, 1));
                   if (sum.isUnsigned())
                     return arith::DivUIOp::create(b, arguments[0], count);
                   return arith::DivSIOp::create(b, arguments[0], count);
                 });
}

Moments mlir::dann::onnx::computeMoments(Node &node, Tensor x,
                                         ArrayRef<int64_t> axes) {
  Moments moments;
  moments.mean = divideByCount(node, reduce(node, x, axes, Combination::Sum),
                               x.getShape(), axes);
  // In a second pass, since the difference of the mean square and the squared
  // mean cancels.
  Tensor squares =
      reduce(node, x.getShape(), axes, x.dataType, Combination::Sum,
             {indexWhole(x), indexReduced(moments.mean, x.getRank(), axes)},
             [](B &b, ValueRange arguments) {
               Value difference =
                   arith::SubFOp::create(b, arguments[0], arguments[1]);
               return arith::MulFOp::create(b, difference, difference);
             });
  moments.variance = divideByCount(node, squares, x.getShape(), axes);
  return moments;
}

Tensor mlir::dann::onnx::invertDeviation(Node &node, Tensor variance,
                                         double epsilon) {
  return compute(
      node, variance.getShape(), variance.dataType, indexWhole(variance),
      [&](B &b, ValueRange arguments) {
        Type type = arguments[0].getType();
        Value deviation = math::SqrtOp::create(
            b,
            arith::AddFOp::create(b, arguments[0], constant(b, type, epsilon)));
        return arith::DivFOp::create(b, constant(b, type, 1), deviation);
      });
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// e^(x - max), which does not overflow.
static Value buildPower(B &b, Value x, Value maximum) {
  return math::ExpOp::create(b, arith::SubFOp::create(b, x, maximum));
}

Tensor mlir::dann::onnx::softmax(Node &node, Tensor x, ArrayRef<int64_t> axes) {
  int64_t rank = x.getRank();
  Tensor maximum = reduce(node, x, axes, Combination::Maximum);
  Tensor powers = compute(node, x.getShape(), x.dataType,
                          {indexWhole(x), indexReduced(maximum, rank, axes)},
                          [](B &b, ValueRange arguments) {
                            return buildPower(b, arguments[0], arguments[1]);
                          });
  Tensor sum = reduce(node, powers, axes, Combination::Sum);
  return compute(node, x.getShape(), x.dataType,
                 {indexWhole(powers), indexReduced(sum, rank, axes)},
                 [](B &b, ValueRange arguments) {
                   return arith::DivFOp::create(b, arguments[0], arguments[1]);
                 });
}

Tensor mlir::dann::onnx::logSoftmax(Node &node, Tensor x,
                                    ArrayRef<int64_t> axes) {
  int64_t rank = x.getRank();
  Tensor maximum = reduce(node, x, axes, Combination::Maximum);
  Tensor sum = reduce(node, x.getShape(), axes, x.dataType, Combination::Sum,
                      {indexWhole(x), indexReduced(maximum, rank, axes)},
                      [](B &b, ValueRange arguments) {
                        return buildPower(b, arguments[0], arguments[1]);
                      });
  return compute(node, x.getShape(), x.dataType,
                 {indexWhole(x), indexReduced(maximum, rank, axes),
                  indexReduced(sum, rank, axes)},
                 [](B &b, ValueRange arguments) {
                   // The difference first: both may be large.
                   Value shifted =
                       arith::SubFOp::create(b, arguments[0], arguments[1]);
                   return arith::SubFOp::create(
                       b, shifted, math::LogOp::create(b, arguments[2]));
                 });
}
