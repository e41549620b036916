//===- RecurrentMatrices.cpp - Initial weights of a state -----------------===//

#include "frontend/Layers/RecurrentMatrices.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

/// accumulator + x * y, of all terms in the loops that `init` does not have.
Value sumProducts(LinalgBuilder &b, unsigned numLoops, LinalgBuilder::Indexed x,
                  LinalgBuilder::Indexed y, LinalgBuilder::Indexed init,
                  bool negated = false) {
  return b.generic(numLoops, {x, y}, init,
                   [&](ImplicitLocOpBuilder &b, ValueRange args) {
                     Value term = arith::MulFOp::create(b, args[0], args[1]);
                     if (negated)
                       return Value(arith::SubFOp::create(b, args[2], term));
                     return Value(arith::AddFOp::create(b, args[2], term));
                   });
}

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
        Value product =
            sumProducts(b, 2, {w, {0, 1}}, {v, {1}}, {b.zerosLike(v), {0}});
        Value square = sumProducts(b, 1, {product, {0}}, {product, {0}},
                                   {b.zerosLike(sum), {}});
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

Value mlir::dann::scaleToRadius(ParameterBuilder &b, Value w, double radius) {
  LinalgBuilder linalg = b.getLinalg();
  int64_t n = cast<RankedTensorType>(w.getType()).getDimSize(0);
  Value v = b.random(Distribution::Exponential, 1, {n});
  v = multiplyManyTimes(b, w, v, kSettlingProducts).first;
  Value logs = multiplyManyTimes(b, w, v, kMeasuredProducts).second;
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

Value mlir::dann::drawOrthogonal(ParameterBuilder &p, int64_t n) {
  Location loc = p.getLoc();
  // The vectors are rows while they are made; they and the rows of the
  // identity, which say where one goes, are the sequences.
  Value vectors = p.random(Distribution::Uniform, 0.5, {n, n}, 0.5);
  Value places = p.withDiagonal(p.filled({n, n}, 0), 1);
  auto scan = ScanOp::create(
      p.getBuilder(), loc, p.filled({n, n}, 0), ValueRange{vectors, places},
      /*invariants=*/ValueRange(), /*reverse=*/false,
      [&](OpBuilder &nested, Location, ValueRange arguments) {
        LinalgBuilder b(nested, loc);
        Value q = arguments[0], v = arguments[1], place = arguments[2];
        // Twice is enough: what rounding leaves after the first time is as
        // small as it is after any other (Giraud et al., 2005).
        for (int pass = 0; pass < 2; ++pass) {
          Value shares =
              sumProducts(b, 2, {q, {0, 1}}, {v, {1}}, {b.zerosLike(v), {0}});
          v = sumProducts(b, 2, {q, {1, 0}}, {shares, {1}}, {v, {0}},
                          /*negated=*/true);
        }
        Value zero = b.fill({}, p.getElementType(), 0);
        Value square = sumProducts(b, 1, {v, {0}}, {v, {0}}, {zero, {}});
        v = b.elementwise({{v, {0}}, {square, {}}}, v,
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            return arith::DivFOp::create(
                                b, args[0], math::SqrtOp::create(b, args[1]));
                          });
        Value next = sumProducts(b, 2, {place, {0}}, {v, {1}}, {q, {0, 1}});
        YieldOp::create(nested, loc, next, ValueRange());
      });
  LinalgBuilder b = p.getLinalg();
  return b.generic(
      2, {{scan.getLastCarries()[0], {1, 0}}}, {vectors, {0, 1}},
      [](ImplicitLocOpBuilder &, ValueRange args) { return args[0]; });
}
