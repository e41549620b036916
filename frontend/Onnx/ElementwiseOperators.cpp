//===- ElementwiseOperators.cpp - Arithmetic, comparisons and logic -------===//

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// Two operands and more
//===----------------------------------------------------------------------===//

/// The elements of two operands, and whether their integers have no sign.
using BinaryBody = Value (*)(B &, Value, Value, bool);

Value logicalAnd(B &b, Value x, Value y, bool) {
  return arith::AndIOp::create(b, x, y);
}
Value logicalOr(B &b, Value x, Value y, bool) {
  return arith::OrIOp::create(b, x, y);
}
Value logicalXor(B &b, Value x, Value y, bool) {
  return arith::XOrIOp::create(b, x, y);
}
/// Before opset 7 the second operand was broadcast if asked to, at an axis that
/// need not be the last. One element is broadcast wherever the axis is.
FailureOr<Tensor> alignOldBroadcast(Node &node, Tensor x, Tensor y) {
  if (node.getOpset() >= 7 || !node.getInt("broadcast", 0))
    return y;
  if (y.getType().hasStaticShape() && y.getType().getNumElements() == 1 &&
      y.getRank() <= x.getRank())
    return node.reshape(y, {});
  int64_t last = x.getRank() - y.getRank();
  int64_t axis = node.getInt("axis", last);
  if (axis < 0 && axis >= -x.getRank())
    axis += x.getRank();
  if (axis < 0 || axis > last)
    return node.emitError()
           << "cannot broadcast " << y.getType() << " to dimensions " << axis
           << " on of " << x.getType();
  SmallVector<int64_t> shape(y.getShape());
  shape.append(last - axis, 1);
  return node.reshape(y, shape);
}

/// A check of a node, as Node::requireNumber.
using Check = LogicalResult (Node::*)(Tensor);

template <BinaryBody body, Check check = &Node::requireNumber>
LogicalResult importBinary(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  if (failed((node.*check)(x)) || failed(node.requireSameType({x, y})))
    return failure();
  FailureOr<Tensor> aligned = alignOldBroadcast(node, x, y);
  if (failed(aligned))
    return failure();
  return node.setResult(node.elementwise(
      {x, *aligned}, x.dataType, [&](B &b, ValueRange arguments) {
        return body(b, arguments[0], arguments[1], x.isUnsigned());
      }));
}

/// One operand or more, combined one after the other.
template <BinaryBody body> FailureOr<Tensor> combine(Node &node) {
  SmallVector<Tensor> inputs = node.getInputs();
  Tensor first = inputs[0];
  if (failed(node.requireNumber(first)) || failed(node.requireSameType(inputs)))
    return failure();
  return node.elementwise(
      inputs, first.dataType, [&](B &b, ValueRange arguments) {
        Value value = arguments[0];
        for (size_t i = 1; i < inputs.size(); ++i)
          value = body(b, value, arguments[i], first.isUnsigned());
        return value;
      });
}

template <BinaryBody body> LogicalResult importVariadic(Node &node) {
  return node.setResult(combine<body>(node));
}

LogicalResult importMean(Node &node) {
  FailureOr<Tensor> sum = combine<add>(node);
  if (failed(sum) || failed(node.requireFloat(*sum)))
    return failure();
  auto count = static_cast<double>(node.getInputs().size());
  return node.setResult(
      node.elementwise(*sum, sum->dataType, [&](B &b, ValueRange arguments) {
        return arith::DivFOp::create(b, arguments[0],
                                     constantLike(b, arguments[0], count));
      }));
}

LogicalResult importPow(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  if (failed(node.requireNumber(x)) || failed(node.requireNumber(y)))
    return failure();
  // Integers are raised as doubles, which are exact up to 2^53.
  int32_t wide = proto::TensorProto::DOUBLE;
  bool isExact = x.isFloat() && x.dataType == y.dataType;
  std::optional<SmallVector<double>> known = node.getKnownFloats(1);
  FailureOr<Tensor> aligned = alignOldBroadcast(node, x, y);
  if (failed(aligned))
    return failure();
  return node.setResult(node.elementwise(
      {x, *aligned}, x.dataType, [&](B &b, ValueRange arguments) -> Value {
        if (isExact && known && known->size() == 1 && (*known)[0] == 2)
          return arith::MulFOp::create(b, arguments[0], arguments[0]);
        if (isExact)
          return math::PowFOp::create(b, arguments[0], arguments[1]);
        Value base = node.convertScalar(b, arguments[0], x.dataType, wide);
        Value exponent = node.convertScalar(b, arguments[1], y.dataType, wide);
        return node.convertScalar(b, math::PowFOp::create(b, base, exponent),
                                  wide, x.dataType);
      }));
}

LogicalResult importMod(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  bool isC = node.getInt("fmod", 0) != 0;
  if (failed(node.requireNumber(x)) || failed(node.requireSameType({x, y})))
    return failure();
  if (x.isFloat() && !isC)
    return node.emitError()
           << "takes integers without fmod, not " << getTypeName(x.dataType);
  return node.setResult(node.elementwise(
      {x, y}, x.dataType, [&](B &b, ValueRange arguments) -> Value {
        Value a = arguments[0], m = arguments[1];
        if (x.isFloat())
          return arith::RemFOp::create(b, a, m);
        Value safe = makeDivisorSafe(b, m, x.isUnsigned());
        if (x.isUnsigned())
          return arith::RemUIOp::create(b, a, safe);
        Value rest = arith::RemSIOp::create(b, a, safe);
        if (isC)
          return rest;
        // The rest has the sign of the divisor, as in Python.
        Value zero = constantLike(b, rest, 0);
        Value differs =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt,
                                  arith::XOrIOp::create(b, rest, m), zero);
        Value isNonzero =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ne, rest, zero);
        Value shifted = arith::AddIOp::create(b, rest, m);
        return arith::SelectOp::create(
            b, arith::AndIOp::create(b, differs, isNonzero), shifted, rest);
      }));
}

LogicalResult importBitShift(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  std::string direction = node.getString("direction", "");
  if (!x.isInteger() || !x.isUnsigned())
    return node.emitError()
           << "takes unsigned integers, not " << getTypeName(x.dataType);
  if (failed(node.requireSameType({x, y})))
    return failure();
  if (direction != "LEFT" && direction != "RIGHT")
    return node.emitError()
           << "the direction '" << direction << "' is neither LEFT nor RIGHT";
  return node.setResult(node.elementwise(
      {x, y}, x.dataType, [&](B &b, ValueRange arguments) -> Value {
        Value width = constantLike(b, arguments[1],
                                   x.getElementType().getIntOrFloatBitWidth());
        Value zero = constantLike(b, arguments[0], 0);
        Value isAll = arith::CmpIOp::create(b, arith::CmpIPredicate::uge,
                                            arguments[1], width);
        Value by = arith::SelectOp::create(b, isAll, zero, arguments[1]);
        Value shifted =
            direction == "LEFT"
                ? arith::ShLIOp::create(b, arguments[0], by).getResult()
                : arith::ShRUIOp::create(b, arguments[0], by).getResult();
        return arith::SelectOp::create(b, isAll, zero, shifted);
      }));
}

template <arith::CmpFPredicate floats, arith::CmpIPredicate ints,
          arith::CmpIPredicate unsignedInts>
LogicalResult importComparison(Node &node) {
  Tensor x = node.getInput(0), y = node.getInput(1);
  if (failed(node.requireSameType({x, y})))
    return failure();
  FailureOr<Tensor> aligned = alignOldBroadcast(node, x, y);
  if (failed(aligned))
    return failure();
  return node.setResult(node.elementwise(
      {x, *aligned}, proto::TensorProto::BOOL,
      [&](B &b, ValueRange arguments) -> Value {
        if (x.isFloat())
          return arith::CmpFOp::create(b, floats, arguments[0], arguments[1]);
        return arith::CmpIOp::create(b, x.isUnsigned() ? unsignedInts : ints,
                                     arguments[0], arguments[1]);
      }));
}

LogicalResult importWhere(Node &node) {
  Tensor condition = node.getInput(0), x = node.getInput(1),
         y = node.getInput(2);
  if (failed(node.requireBool(condition)) ||
      failed(node.requireSameType({x, y})))
    return failure();
  return node.setResult(node.elementwise(
      {condition, x, y}, x.dataType, [](B &b, ValueRange arguments) {
        return arith::SelectOp::create(b, arguments[0], arguments[1],
                                       arguments[2]);
      }));
}

LogicalResult importClip(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireNumber(x)))
    return failure();
  SmallVector<Tensor> operands = {x};
  std::optional<size_t> low, high;
  if (node.getOpset() < 11) {
    for (StringRef name : {"min", "max"})
      if (node.hasAttribute(name)) {
        (name == "min" ? low : high) = operands.size();
        operands.push_back(node.fill({}, x.dataType, node.getFloat(name, 0)));
      }
  } else {
    for (int i : {1, 2})
      if (node.hasInput(i)) {
        (i == 1 ? low : high) = operands.size();
        operands.push_back(node.getInput(i));
      }
  }
  if (failed(node.requireSameType(operands)))
    return failure();
  return node.setResult(
      node.elementwise(operands, x.dataType, [&](B &b, ValueRange arguments) {
        Value value = arguments[0];
        if (low)
          value = maximum(b, value, arguments[*low], x.isUnsigned());
        if (high)
          value = minimum(b, value, arguments[*high], x.isUnsigned());
        return value;
      }));
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

using UnaryBody = Value (*)(B &, Value);

template <UnaryBody body, Check check = &Node::requireFloat>
LogicalResult importUnary(Node &node) {
  Tensor x = node.getInput(0);
  if (failed((node.*check)(x)))
    return failure();
  return node.setResult(
      node.elementwise(x, x.dataType, [](B &b, ValueRange arguments) {
        return body(b, arguments[0]);
      }));
}

template <typename OpTy> Value build(B &b, Value x) {
  return OpTy::create(b, x);
}

Value absolute(B &b, Value x) {
  if (isa<FloatType>(x.getType()))
    return math::AbsFOp::create(b, x);
  return math::AbsIOp::create(b, x);
}
Value negate(B &b, Value x) {
  if (isa<FloatType>(x.getType()))
    return arith::NegFOp::create(b, x);
  return arith::SubIOp::create(b, constantLike(b, x, 0), x);
}
/// 1, -1, 0 or NaN.
Value sign(B &b, Value x) {
  Value zero = constantLike(b, x, 0), one = constantLike(b, x, 1),
        minusOne = constantLike(b, x, -1);
  Value isPositive, isNegative;
  if (isa<FloatType>(x.getType())) {
    isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x, zero);
    isNegative = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x, zero);
  } else {
    isPositive = arith::CmpIOp::create(b, arith::CmpIPredicate::sgt, x, zero);
    isNegative = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, x, zero);
  }
  Value rest = isa<FloatType>(x.getType()) ? x : zero;
  return arith::SelectOp::create(
      b, isPositive, one,
      arith::SelectOp::create(b, isNegative, minusOne, rest));
}
Value logicalNot(B &b, Value x) {
  return arith::XOrIOp::create(b, x, constantLike(b, x, 1));
}
Value reciprocal(B &b, Value x) {
  return arith::DivFOp::create(b, constantLike(b, x, 1), x);
}
Value roundEven(B &b, Value x) { return math::RoundEvenOp::create(b, x); }

LogicalResult importIsNaN(Node &node) {
  Tensor x = node.getInput(0);
  if (failed(node.requireFloat(x)))
    return failure();
  return node.setResult(node.elementwise(
      x, proto::TensorProto::BOOL, [](B &b, ValueRange arguments) {
        return arith::CmpFOp::create(b, arith::CmpFPredicate::UNO, arguments[0],
                                     arguments[0]);
      }));
}

LogicalResult importIsInf(Node &node) {
  Tensor x = node.getInput(0);
  bool negative = node.getInt("detect_negative", 1) != 0;
  bool positive = node.getInt("detect_positive", 1) != 0;
  if (failed(node.requireFloat(x)))
    return failure();
  return node.setResult(node.elementwise(
      x, proto::TensorProto::BOOL, [&](B &b, ValueRange arguments) -> Value {
        Value value = arguments[0];
        Value found = constant(b, b.getI1Type(), 0);
        double infinity = std::numeric_limits<double>::infinity();
        auto test = [&](double number) {
          Value is = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, value,
                                           constantLike(b, value, number));
          found = arith::OrIOp::create(b, found, is);
        };
        if (negative)
          test(-infinity);
        if (positive)
          test(infinity);
        return found;
      }));
}

LogicalResult importCast(Node &node) {
  int64_t to = node.getInt("to", 0);
  // Before opset 6 the type was a word.
  if (node.getOpset() < 6) {
    DataType parsed;
    std::string name = node.getString("to", "");
    if (!proto::TensorProto::DataType_Parse(name, &parsed))
      return node.emitError()
             << "converts to the unknown type '" << name << "'";
    to = parsed;
  }
  if (to < 0 || to > 1000)
    return node.emitError()
           << "converts to type " << to << ", which there is not";
  return node.setResult(
      node.convert(node.getInput(0), static_cast<int32_t>(to)));
}

LogicalResult importCastLike(Node &node) {
  return node.setResult(
      node.convert(node.getInput(0), node.getInput(1).dataType));
}

LogicalResult importIdentity(Node &node) {
  node.setOutput(0, node.getInput(0));
  return success();
}

using FloatPredicate = arith::CmpFPredicate;
using IntPredicate = arith::CmpIPredicate;

constexpr OperatorEntry kOperators[] = {
    {"Add", 1, 2, 2, 1, importBinary<add>},
    {"Sub", 1, 2, 2, 1, importBinary<subtract>},
    {"Mul", 1, 2, 2, 1, importBinary<multiply>},
    {"Div", 1, 2, 2, 1, importBinary<divide>},
    {"Pow", 1, 2, 2, 1, importPow},
    {"Mod", 10, 2, 2, 1, importMod},
    {"BitShift", 11, 2, 2, 1, importBitShift},
    {"And", 1, 2, 2, 1, importBinary<logicalAnd, &Node::requireBool>},
    {"Or", 1, 2, 2, 1, importBinary<logicalOr, &Node::requireBool>},
    {"Xor", 1, 2, 2, 1, importBinary<logicalXor, &Node::requireBool>},
    {"Max", 1, 1, kAnyNumber, 1, importVariadic<maximum>},
    {"Min", 1, 1, kAnyNumber, 1, importVariadic<minimum>},
    {"Sum", 1, 1, kAnyNumber, 1, importVariadic<add>},
    {"Mean", 1, 1, kAnyNumber, 1, importMean},
    {"Equal", 1, 2, 2, 1,
     importComparison<FloatPredicate::OEQ, IntPredicate::eq, IntPredicate::eq>},
    {"Less", 1, 2, 2, 1,
     importComparison<FloatPredicate::OLT, IntPredicate::slt,
                      IntPredicate::ult>},
    {"LessOrEqual", 12, 2, 2, 1,
     importComparison<FloatPredicate::OLE, IntPredicate::sle,
                      IntPredicate::ule>},
    {"Greater", 1, 2, 2, 1,
     importComparison<FloatPredicate::OGT, IntPredicate::sgt,
                      IntPredicate::ugt>},
    {"GreaterOrEqual", 12, 2, 2, 1,
     importComparison<FloatPredicate::OGE, IntPredicate::sge,
                      IntPredicate::uge>},
    {"Where", 9, 3, 3, 1, importWhere},
    {"Clip", 1, 1, 3, 1, importClip},
    {"Identity", 1, 1, 1, 1, importIdentity, "", /*takesSequences=*/true},
    {"Cast", 1, 1, 1, 1, importCast},
    {"CastLike", 15, 2, 2, 1, importCastLike},
    {"Not", 1, 1, 1, 1, importUnary<logicalNot, &Node::requireBool>},
    {"Abs", 1, 1, 1, 1, importUnary<absolute, &Node::requireNumber>},
    {"Neg", 1, 1, 1, 1, importUnary<negate, &Node::requireNumber>},
    {"Sign", 9, 1, 1, 1, importUnary<sign, &Node::requireNumber>},
    {"Reciprocal", 1, 1, 1, 1, importUnary<reciprocal>},
    {"Ceil", 1, 1, 1, 1, importUnary<build<math::CeilOp>>},
    {"Floor", 1, 1, 1, 1, importUnary<build<math::FloorOp>>},
    {"Round", 11, 1, 1, 1, importUnary<roundEven>},
    {"Exp", 1, 1, 1, 1, importUnary<build<math::ExpOp>>},
    {"Log", 1, 1, 1, 1, importUnary<build<math::LogOp>>},
    {"Sqrt", 1, 1, 1, 1, importUnary<build<math::SqrtOp>>},
    {"Erf", 9, 1, 1, 1, importUnary<build<math::ErfOp>>},
    {"Sin", 7, 1, 1, 1, importUnary<build<math::SinOp>>},
    {"Cos", 7, 1, 1, 1, importUnary<build<math::CosOp>>},
    {"Tan", 7, 1, 1, 1, importUnary<build<math::TanOp>>},
    {"Asin", 7, 1, 1, 1, importUnary<build<math::AsinOp>>},
    {"Acos", 7, 1, 1, 1, importUnary<build<math::AcosOp>>},
    {"Atan", 7, 1, 1, 1, importUnary<build<math::AtanOp>>},
    {"Sinh", 9, 1, 1, 1, importUnary<build<math::SinhOp>>},
    {"Cosh", 9, 1, 1, 1, importUnary<build<math::CoshOp>>},
    {"Asinh", 9, 1, 1, 1, importUnary<build<math::AsinhOp>>},
    {"Acosh", 9, 1, 1, 1, importUnary<build<math::AcoshOp>>},
    {"Atanh", 9, 1, 1, 1, importUnary<build<math::AtanhOp>>},
    {"IsNaN", 9, 1, 1, 1, importIsNaN},
    {"IsInf", 10, 1, 1, 1, importIsInf},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getElementwiseOperators() {
  return kOperators;
}
