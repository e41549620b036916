//===- ActivationOperators.cpp - Activations ------------------------------===//

#include "frontend/Onnx/Activations.h"
#include "frontend/Onnx/Indices.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

//===----------------------------------------------------------------------===//
// Functions of a number
//===----------------------------------------------------------------------===//

/// Any number.
Value relu(B &b, Value x) {
  return maximum(b, x, constantLike(b, x, 0), /*isUnsigned=*/false);
}
/// 1 / (1 + e^-x); e^-x may overflow to infinity, of which the inverse is 0.
Value sigmoid(B &b, Value x) {
  Value one = constantLike(b, x, 1);
  Value power = math::ExpOp::create(b, arith::NegFOp::create(b, x));
  return divide(b, one, add(b, one, power));
}
/// log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), where nothing overflows.
Value softplus(B &b, Value x) {
  Value power = math::ExpOp::create(
      b, arith::NegFOp::create(b, math::AbsFOp::create(b, x)));
  return add(b, arith::MaximumFOp::create(b, x, constantLike(b, x, 0)),
             math::Log1pOp::create(b, power));
}
Value softsign(B &b, Value x) {
  return divide(b, x,
                add(b, constantLike(b, x, 1), math::AbsFOp::create(b, x)));
}
Value tanh(B &b, Value x) { return math::TanhOp::create(b, x); }

Value prelu(B &b, Value x, Value slope, bool isUnsigned) {
  Value isNegative = isLess(b, x, constantLike(b, x, 0), isUnsigned);
  return arith::SelectOp::create(b, isNegative,
                                 multiply(b, x, slope, isUnsigned), x);
}

/// `positive` where x is positive, elsewhere `negative`.
Value selectPositive(B &b, Value x, Value positive, Value negative) {
  Value isPositive = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x,
                                           constantLike(b, x, 0));
  return arith::SelectOp::create(b, isPositive, positive, negative);
}

using UnaryBody = Value (*)(B &, Value);
/// An activation with two numbers as attributes.
using ParameterBody = Value (*)(B &, Value x, double alpha, double beta);

template <UnaryBody body> Value plain(B &b, Value x, double, double) {
  return body(b, x);
}
Value affine(B &b, Value x, double alpha, double beta) {
  return add(b, multiply(b, x, constantLike(b, x, alpha)),
             constantLike(b, x, beta));
}
Value scaledTanh(B &b, Value x, double alpha, double beta) {
  Value scaled = multiply(b, x, constantLike(b, x, beta));
  return multiply(b, math::TanhOp::create(b, scaled),
                  constantLike(b, x, alpha));
}
Value leakyRelu(B &b, Value x, double alpha, double) {
  return prelu(b, x, constantLike(b, x, alpha), false);
}
Value elu(B &b, Value x, double alpha, double) {
  Value shifted =
      multiply(b, math::ExpM1Op::create(b, x), constantLike(b, x, alpha));
  return selectPositive(b, x, x, shifted);
}
Value selu(B &b, Value x, double alpha, double gamma) {
  return multiply(b, elu(b, x, alpha, 0), constantLike(b, x, gamma));
}
Value celu(B &b, Value x, double alpha, double) {
  Value scaled = divide(b, x, constantLike(b, x, alpha));
  Value shifted =
      multiply(b, math::ExpM1Op::create(b, scaled), constantLike(b, x, alpha));
  return selectPositive(b, x, x, shifted);
}
Value thresholdedRelu(B &b, Value x, double alpha, double) {
  Value isAbove = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x,
                                        constantLike(b, x, alpha));
  return arith::SelectOp::create(b, isAbove, x, constantLike(b, x, 0));
}
Value hardSigmoid(B &b, Value x, double alpha, double beta) {
  Value line = add(b, multiply(b, x, constantLike(b, x, alpha)),
                   constantLike(b, x, beta));
  line = arith::MaximumFOp::create(b, line, constantLike(b, x, 0));
  return arith::MinimumFOp::create(b, line, constantLike(b, x, 1));
}
Value hardSwish(B &b, Value x) {
  return multiply(b, x, hardSigmoid(b, x, 1.0 / 6, 0.5));
}

/// In RNN, GRU and LSTM.
constexpr Activation kActivations[] = {
    {"Affine", affine, true, true, 1, 0},
    {"Elu", elu, true, false, 1, 0},
    {"HardSigmoid", hardSigmoid, true, true, 0.2f, 0.5f},
    {"LeakyRelu", leakyRelu, true, false, 0.01f, 0},
    {"Relu", plain<relu>, false, false, 0, 0},
    {"ScaledTanh", scaledTanh, true, true, 1, 1},
    {"Sigmoid", plain<sigmoid>, false, false, 0, 0},
    {"Softplus", plain<softplus>, false, false, 0, 0},
    {"Softsign", plain<softsign>, false, false, 0, 0},
    {"Tanh", plain<tanh>, false, false, 0, 0},
    {"ThresholdedRelu", thresholdedRelu, true, false, 1, 0},
};

/// Towards 0 by `bias` outside of [-lambda, lambda], 0 inside.
Value shrink(B &b, Value x, double lambda, double bias) {
  Value isBelow = arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, x,
                                        constantLike(b, x, -lambda));
  Value isAbove = arith::CmpFOp::create(b, arith::CmpFPredicate::OGT, x,
                                        constantLike(b, x, lambda));
  Value shift = constantLike(b, x, bias);
  return arith::SelectOp::create(
      b, isBelow, add(b, x, shift),
      arith::SelectOp::create(b, isAbove, subtract(b, x, shift),
                              constantLike(b, x, 0)));
}

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

LogicalResult importPRelu(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<Tensor> slope = node.getInput(1);
  if (failed(node.requireNumber(x)) ||
      failed(node.requireSameType({x, *slope})))
    return failure();
  // Before opset 7 there was one slope, or one for each channel.
  if (node.getOpset() < 7 && slope->getRank() == 1 && x.getRank() > 1 &&
      slope->getDim(0) != 1) {
    SmallVector<int64_t> shape(x.getRank() - 1, 1);
    shape[0] = slope->getDim(0);
    slope = node.reshape(*slope, shape);
    if (failed(slope))
      return failure();
  }
  FailureOr<SmallVector<int64_t>> shape = node.getBroadcastShape({x, *slope});
  if (failed(shape))
    return failure();
  if (ArrayRef(*shape) != x.getShape())
    return node.emitError() << "the slopes " << slope->getType()
                            << " do not broadcast to " << x.getType();
  return node.setResult(node.elementwise(
      {x, *slope}, x.dataType, [&](B &b, ValueRange arguments) {
        return prelu(b, arguments[0], arguments[1], x.isUnsigned());
      }));
}

LogicalResult importBody(Node &node, Tensor x, ParameterBody body,
                         double alpha = 0, double beta = 0) {
  return node.setResult(
      node.elementwise(x, x.dataType, [&](B &b, ValueRange arguments) {
        return body(b, arguments[0], alpha, beta);
      }));
}
LogicalResult importRelu(Node &node) {
  Tensor x = node.getInput(0);
  return failure(failed(node.requireNumber(x)) ||
                 failed(importBody(node, x, plain<relu>)));
}

LogicalResult importActivation(Node &node, ParameterBody body, double alpha,
                               double beta) {
  Tensor x = node.getInput(0);
  return failure(failed(node.requireFloat(x)) ||
                 failed(importBody(node, x, body, alpha, beta)));
}
template <UnaryBody body> LogicalResult importPlain(Node &node) {
  return importActivation(node, plain<body>, 0, 0);
}
LogicalResult importLeakyRelu(Node &node) {
  return importActivation(node, leakyRelu, node.getFloat("alpha", 0.01f), 0);
}
LogicalResult importElu(Node &node) {
  return importActivation(node, elu, node.getFloat("alpha", 1), 0);
}
LogicalResult importSelu(Node &node) {
  // The defaults of the standard, as floats.
  return importActivation(
      node, selu,
      node.getFloat("alpha", node.getOpset() < 6 ? 1.6732f : 1.67326319f),
      node.getFloat("gamma", node.getOpset() < 6 ? 1.0507f : 1.05070102f));
}
LogicalResult importCelu(Node &node) {
  float alpha = node.getFloat("alpha", 1);
  if (alpha == 0)
    return node.emitError() << "alpha is 0, which divides the input";
  return importActivation(node, celu, alpha, 0);
}
LogicalResult importThresholdedRelu(Node &node) {
  return importActivation(node, thresholdedRelu, node.getFloat("alpha", 1), 0);
}
LogicalResult importHardSigmoid(Node &node) {
  return importActivation(node, hardSigmoid, node.getFloat("alpha", 0.2f),
                          node.getFloat("beta", 0.5f));
}
LogicalResult importShrink(Node &node) {
  return importActivation(node, shrink, node.getFloat("lambd", 0.5f),
                          node.getFloat("bias", 0));
}

constexpr OperatorEntry kOperators[] = {
    {"PRelu", 1, 2, 2, 1, importPRelu},
    {"Relu", 1, 1, 1, 1, importRelu},
    {"Tanh", 1, 1, 1, 1, importPlain<tanh>},
    {"Sigmoid", 1, 1, 1, 1, importPlain<sigmoid>},
    {"Softplus", 1, 1, 1, 1, importPlain<softplus>},
    {"Softsign", 1, 1, 1, 1, importPlain<softsign>},
    {"HardSwish", 14, 1, 1, 1, importPlain<hardSwish>},
    {"LeakyRelu", 1, 1, 1, 1, importLeakyRelu},
    {"Elu", 1, 1, 1, 1, importElu},
    {"Selu", 1, 1, 1, 1, importSelu},
    {"Celu", 12, 1, 1, 1, importCelu},
    {"ThresholdedRelu", 10, 1, 1, 1, importThresholdedRelu},
    {"HardSigmoid", 1, 1, 1, 1, importHardSigmoid},
    {"Shrink", 9, 1, 1, 1, importShrink},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getActivationOperators() {
  return kOperators;
}

const Activation *mlir::dann::onnx::findActivation(StringRef name) {
  for (const Activation &activation : kActivations)
    if (activation.name.equals_insensitive(name))
      return &activation;
  return nullptr;
}
