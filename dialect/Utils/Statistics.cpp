//===- Statistics.cpp - Means and deviations of tensors -------------------===//

#include "Utils/Statistics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

Statistics mlir::dann::buildStatistics(LinalgBuilder &b, Value x, unsigned kept,
                                       Value count) {
  auto all = LinalgBuilder::allLoops(x);
  Type type = getElementTypeOrSelf(x.getType());
  auto zeros = [&] { return b.fill({b.size(x, kept)}, type, 0); };
  Value sum = b.generic(all.size(), {{x, all}}, {zeros(), {kept}},
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          return arith::AddFOp::create(b, args[1], args[0]);
                        });
  Value mean =
      b.elementwise({{sum, {0}}, {count, {}}}, sum,
                    [](ImplicitLocOpBuilder &b, ValueRange args) {
                      return arith::DivFOp::create(b, args[0], args[1]);
                    });
  Value squares =
      b.generic(all.size(), {{x, all}, {mean, {kept}}}, {zeros(), {kept}},
                [](ImplicitLocOpBuilder &b, ValueRange args) {
                  Value centred = arith::SubFOp::create(b, args[0], args[1]);
                  Value square = arith::MulFOp::create(b, centred, centred);
                  return arith::AddFOp::create(b, args[2], square);
                });
  return {mean, squares};
}

Value mlir::dann::buildNormalized(LinalgBuilder &b, Value x, unsigned kept,
                                  const Statistics &statistics, Value divisor,
                                  double epsilon) {
  auto all = LinalgBuilder::allLoops(x);
  Type type = getElementTypeOrSelf(x.getType());
  Value added = b.constant(type, epsilon), one = b.constant(type, 1);
  // One quotient for each deviation, not for each entry.
  Value scale = b.elementwise(
      {{statistics.squares, {0}}, {divisor, {}}}, statistics.squares,
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value variance = arith::DivFOp::create(b, args[0], args[1]);
        Value deviation =
            math::SqrtOp::create(b, arith::AddFOp::create(b, variance, added));
        return arith::DivFOp::create(b, one, deviation);
      });
  return b.elementwise({{x, all}, {statistics.mean, {kept}}, {scale, {kept}}},
                       x, [](ImplicitLocOpBuilder &b, ValueRange args) {
                         Value centred =
                             arith::SubFOp::create(b, args[0], args[1]);
                         return arith::MulFOp::create(b, centred, args[2]);
                       });
}
