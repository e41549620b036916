//===- ColumnEiRecurrentLayer.cpp - States of fixed polarity --------------===//

#include "frontend/Layers/Recurrence.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class ColumnEiRecurrentLayer : public Layer {
public:
  explicit ColumnEiRecurrentLayer(const model::ColumnEiRecurrent &message)
      : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    bool isSequence = recurrence.check(place, input);
    auto units = place.checkSize("units");
    auto ratio = place.checkSize("ratio", 9);
    radius = place
                 .checkNumber(
                     "spectral_radius", "a positive number",
                     [](double value) { return value > 0; }, 1.5)
                 .value_or(1);
    place.checkEnums();
    if (!isSequence || !units || !ratio)
      return std::nullopt;
    recurrence.set(message, *units);
    ofState = partitionColumns(*units, *ratio);
    ofInput = partitionColumns(recurrence.inputs, *ratio);
    if (ofState.excitatory == 0 || (!isFirst() && ofInput.excitatory == 0)) {
      place.error("ratio") << *ratio << " : 1 leaves no excitatory unit";
      return std::nullopt;
    }
    if (!checkWeights(place, "units", *units,
                      std::max(recurrence.inputs, *units)))
      return std::nullopt;
    return recurrence.getResultShape();
  }

  void addParameters(ParameterBuilder &b) const override {
    int64_t n = recurrence.units;
    Value u =
        isFirst()
            ? b.random(Distribution::Exponential,
                       std::sqrt(1 / static_cast<double>(recurrence.inputs)),
                       {n, recurrence.inputs})
            : drawBalancedColumns(b, n, ofInput);
    b.add(Role::Weight, Sign::Nonneg, u, "u");
    b.add(Role::Bias, Sign::Any, b.filled({n}, 0), "u");
    Value w = b.withDiagonal(drawBalancedColumns(b, n, ofState), 0);
    b.add(Role::Weight, Sign::Nonneg, scaleToRadius(b, w), "w");
    recurrence.addInitialState(b, Sign::Any);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    Value u = b.takeParameter(), bias = b.takeParameter(),
          w = b.takeParameter();
    // All inputs of the network are excitatory.
    if (!isFirst())
      u = b.applyColumnPolarity(u, ofInput.excitatory);
    w = b.applyColumnPolarity(w, ofState.excitatory);
    return recurrence.buildStandard(b, x, {u, bias, w}, message.activation());
  }

private:
  /// `w` times the factor that gives the signed matrix the spectral radius.
  Value scaleToRadius(ParameterBuilder &b, Value w) const;

  model::ColumnEiRecurrent message;
  Recurrence recurrence;
  ColumnPartition ofInput, ofState;
  double radius = 0;
};

/// The spectral radius is the mean growth of a vector under many products with
/// the matrix (Gelfand's formula), also where the largest eigenvalues are a
/// complex pair, under which a vector turns. The first products make the vector
/// one of theirs; over the others the mean is taken.
constexpr int64_t kSettlingProducts = 200, kMeasuredProducts = 800;

/// Multiplies `v` many times, normalised each time. Returns the vector and the
/// sum of the logarithms of its growth.
std::pair<Value, Value> multiplyManyTimes(ParameterBuilder &p, Value w, Value v,
                                          int64_t count) {
  OpBuilder &builder = p.getBuilder();
  Location loc = p.getLoc();
  Type type = p.getElementType();
  auto scan = ScanOp::create(
      builder, loc, ValueRange{v, p.filled({}, 0)}, p.filled({count}, 0), w,
      /*reverse=*/false,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        LinalgBuilder b(nested, loc);
        Value v = arguments[0], sum = arguments[1], w = arguments[3];
        auto zeros = [&](Value like) { return b.zerosLike(like); };
        Value product =
            b.generic(2, {{w, {0, 1}}, {v, {1}}}, {zeros(v), {0}},
                      [](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value term = arith::MulFOp::create(b, args[0], args[1]);
                        return arith::AddFOp::create(b, args[2], term);
                      });
        Value square =
            b.generic(1, {{product, {0}}}, {zeros(sum), {}},
                      [](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value term = arith::MulFOp::create(b, args[0], args[0]);
                        return arith::AddFOp::create(b, args[1], term);
                      });
        Value next =
            b.elementwise({{product, {0}}, {square, {}}}, v,
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            return arith::DivFOp::create(
                                b, args[0], math::SqrtOp::create(b, args[1]));
                          });
        Value half = b.constant(type, 0.5);
        Value total =
            b.elementwise({{sum, {}}, {square, {}}}, sum,
                          [&](ImplicitLocOpBuilder &b, ValueRange args) {
                            // log |product|
                            Value log = arith::MulFOp::create(
                                b, half, math::LogOp::create(b, args[1]));
                            return arith::AddFOp::create(b, args[0], log);
                          });
        YieldOp::create(nested, loc, ValueRange{next, total}, ValueRange());
      });
  return {scan.getLastCarries()[0], scan.getLastCarries()[1]};
}

} // namespace

Value ColumnEiRecurrentLayer::scaleToRadius(ParameterBuilder &b,
                                            Value w) const {
  LinalgBuilder linalg = b.getLinalg();
  Value matrix = ApplyPolarityOp::create(
      b.getBuilder(), b.getLoc(), w, /*polarity=*/Value(),
      b.getBuilder().getI64IntegerAttr(ofState.excitatory));
  int64_t n = recurrence.units;
  Value v = b.random(Distribution::Exponential, 1, {n});
  v = multiplyManyTimes(b, matrix, v, kSettlingProducts).first;
  Value logs = multiplyManyTimes(b, matrix, v, kMeasuredProducts).second;
  Type type = b.getElementType();
  Value count = linalg.constant(type, kMeasuredProducts);
  Value wanted = linalg.constant(type, radius);
  return linalg.elementwise({{w, {0, 1}}, {logs, {}}}, w,
                            [&](ImplicitLocOpBuilder &b, ValueRange args) {
                              Value mean =
                                  arith::DivFOp::create(b, args[1], count);
                              Value factor = arith::DivFOp::create(
                                  b, wanted, math::ExpOp::create(b, mean));
                              return arith::MulFOp::create(b, args[0], factor);
                            });
}

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::ColumnEiRecurrent &message) {
  return std::make_unique<ColumnEiRecurrentLayer>(message);
}
