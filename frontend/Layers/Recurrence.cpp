//===- Recurrence.cpp - What layers with a state share --------------------===//

#include "frontend/Layers/Recurrence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;

bool Recurrence::check(const FileMessage &message, ArrayRef<int64_t> input) {
  if (input.size() == 2) {
    steps = input[0];
    inputs = input[1];
  } else {
    message.error() << "needs sequences, samples of shape steps x inputs, but "
                       "gets samples of "
                    << input.size()
                    << (input.size() == 1 ? " dimension" : " dimensions");
  }
  auto every = message.checkSize("checkpoint_every", 0);
  checkpointEvery = every.value_or(0);
  return input.size() == 2;
}

SampleShape Recurrence::getResultShape() const {
  return givesAllStates ? SampleShape{steps, units} : SampleShape{units};
}

void Recurrence::addInitialState(ParameterBuilder &b, Sign sign) const {
  if (hasInitialState)
    b.add(Role::Initial, sign, b.filled({units}, 0));
}

/// x with its first two dimensions in the other order.
static Value swapBatchAndTime(LinalgBuilder b, OpBuilder &builder, Location loc,
                              Value x) {
  SmallVector<OpFoldResult> sizes = b.sizes(x);
  std::swap(sizes[0], sizes[1]);
  Value init = b.empty(sizes, getElementTypeOrSelf(x.getType()));
  return linalg::TransposeOp::create(builder, loc, x, init,
                                     ArrayRef<int64_t>{1, 0, 2})
      ->getResult(0);
}

Value Recurrence::build(ForwardBuilder &b, Value x, ValueRange parameters,
                        Step step) const {
  OpBuilder &builder = b.getBuilder();
  LinalgBuilder linalg = b.getLinalg();
  Location loc = b.getLoc();
  SmallVector<OpFoldResult> sizes = {linalg.size(x, 0),
                                     builder.getIndexAttr(units)};
  Value state;
  if (hasInitialState) {
    Value initial = b.takeParameter();
    Value shape = linalg.empty(sizes, b.getElementType());
    state = linalg.elementwise(
        {{initial, {1}}}, shape,
        [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
  } else {
    state = linalg.fill(sizes, b.getElementType(), 0);
  }
  Value sequence = swapBatchAndTime(linalg, builder, loc, x);
  IntegerAttr checkpoint = checkpointEvery
                               ? builder.getI64IntegerAttr(checkpointEvery)
                               : IntegerAttr();
  auto scan = ScanOp::create(
      builder, loc, state, sequence, parameters, /*reverse=*/false, checkpoint,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        ForwardBuilder inner(nested, b.getElementType(), /*parameters=*/{},
                             /*splitsBiases=*/false);
        inner.startLayer(loc);
        Value next =
            step(inner, arguments[1], arguments[0], arguments.drop_front(2));
        YieldOp::create(nested, loc, next,
                        givesAllStates ? ValueRange(next) : ValueRange());
      });
  if (!givesAllStates)
    return scan.getLastCarries()[0];
  return swapBatchAndTime(linalg, builder, loc, scan.getOutputs()[0]);
}

Value Recurrence::buildStandard(ForwardBuilder &b, Value x,
                                ValueRange parameters,
                                ::dann::model::Activation activation) const {
  return build(
      b, x, parameters,
      [&](ForwardBuilder &b, Value x, Value state, ValueRange parameters) {
        LinalgBuilder linalg = b.getLinalg();
        Value z = b.addBias(linalg.product(x, false, parameters[0], true),
                            parameters[1]);
        z = linalg.product(state, false, parameters[2], true, z);
        return b.activate(activation, z);
      });
}

Value Recurrence::buildEi(ForwardBuilder &b, Value x, ValueRange parameters,
                          bool isDivisive, const APFloat &epsilon,
                          ::dann::model::Activation activation,
                          double inputDropconnect, double dropconnect) const {
  unsigned half = isDivisive ? 5 : 3;
  auto buildHalf = [&](ForwardBuilder &b, Value x, ValueRange parameters,
                       Value bias, double rate) -> Value {
    auto drop = [&](Value weights) -> Value {
      if (rate == 0)
        return weights;
      return DropoutOp::create(b.getBuilder(), b.getLoc(), weights,
                               APFloat(rate), /*unscaled=*/true);
    };
    Value wex = drop(parameters[0]), wix = drop(parameters[1]);
    Value alpha = isDivisive ? parameters[3] : Value();
    Value gain = isDivisive ? parameters[4] : Value();
    return EiDenseOp::create(b.getBuilder(), b.getLoc(),
                             b.getBatchType({units}), x, wex, wix,
                             parameters[2], alpha, gain, bias, epsilon);
  };
  return build(
      b, x, parameters,
      [&](ForwardBuilder &b, Value x, Value state, ValueRange parameters) {
        Value fromInput =
            buildHalf(b, x, parameters.take_front(half),
                      /*bias=*/parameters[half], inputDropconnect);
        Value fromState = buildHalf(b, state, parameters.drop_front(half + 1),
                                    /*bias=*/{}, dropconnect);
        Value z = arith::AddFOp::create(b.getBuilder(), b.getLoc(), fromInput,
                                        fromState);
        return b.activate(activation, z);
      });
}

double mlir::dann::checkDrawnShare(const FileMessage &message, bool isGiven,
                                   bool isHybrid) {
  constexpr double otherwise = 0.25;
  if (isGiven && !isHybrid)
    message.error("drawn_share") << "is for initialization: HYBRID";
  return message
      .checkNumber(
          "drawn_share", "from 0 to 1",
          [](double share) { return share >= 0 && share <= 1; }, otherwise)
      .value_or(otherwise);
}
