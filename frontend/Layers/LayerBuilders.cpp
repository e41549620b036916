//===- LayerBuilders.cpp - What layers build with -------------------------===//

#include "frontend/Layers/LayerBuilders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

using Loops = SmallVector<unsigned, 2>;

static const Loops kMatrix = {0, 1};
static const Loops kRows = {0};

void ParameterBuilder::add(Role role, Sign sign, Value initial,
                           StringRef scope) {
  std::string name = prefix + "." + (scope.empty() ? "" : scope.str() + ".") +
                     stringifyRole(role).str();
  parameters.push_back({name, role, sign,
                        cast<RankedTensorType>(initial.getType()), loc,
                        initial});
}

/// Applies a function to each entry.
static Value map(LinalgBuilder b, Value tensor, LinalgBuilder::Body body) {
  return b.elementwise({{tensor, LinalgBuilder::allLoops(tensor)}}, tensor,
                       body);
}

/// x + y, entry by entry.
static Value add(LinalgBuilder b, Value x, Value y) {
  auto loops = LinalgBuilder::allLoops(x);
  return b.elementwise({{x, loops}, {y, loops}}, x,
                       [](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::AddFOp::create(b, args[0], args[1]);
                       });
}

void ParameterBuilder::addBias(Value initial, std::optional<double> reach,
                               StringRef scope) {
  if (!splitsBiases)
    return add(Role::Bias, Sign::Any, initial, scope);
  LinalgBuilder b = getLinalg();
  ArrayRef<int64_t> shape =
      cast<RankedTensorType>(initial.getType()).getShape();
  Value zero = b.constant(elementType, 0);
  auto getDistance = [&] {
    // From 0 to sqrt(2) reach.
    double half = reach.value_or(0) / std::numbers::sqrt2;
    return reach ? random(Distribution::Uniform, half, shape, half)
                 : filled(shape, 1);
  };
  Value above = map(b, initial, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    return arith::MaximumFOp::create(b, args[0], zero);
  });
  add(Role::BiasPlus, Sign::Nonneg, ::add(b, above, getDistance()), scope);
  Value below = map(b, initial, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    return arith::MinimumFOp::create(b, args[0], zero);
  });
  add(Role::BiasMinus, Sign::Nonpos, ::add(b, below, negate(getDistance())),
      scope);
}

Value ParameterBuilder::random(Distribution distribution, double scale,
                               ArrayRef<int64_t> shape, double mean) {
  return RandomOp::create(
      builder, loc, RankedTensorType::get(shape, elementType), distribution,
      APFloat(mean), APFloat(scale), numStreams++, seed, /*count=*/Value());
}

Value ParameterBuilder::filled(ArrayRef<int64_t> shape, double value) {
  return getLinalg().fill(getAsIndexOpFoldResult(builder.getContext(), shape),
                          elementType, value);
}

Value ParameterBuilder::meanOfRows(Value tensor, int64_t rows) {
  LinalgBuilder b = getLinalg();
  auto type = cast<RankedTensorType>(tensor.getType());
  Loops all = LinalgBuilder::allLoops(tensor);
  Loops entries(llvm::drop_begin(all));
  Value sum = b.generic(type.getRank(), {{tensor, all}},
                        {filled(type.getShape().drop_front(), 0), entries},
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          return arith::AddFOp::create(b, args[1], args[0]);
                        });
  Value count =
      b.constant(elementType, static_cast<double>(type.getDimSize(0)));
  SmallVector<int64_t> shape(type.getShape());
  shape[0] = rows;
  Value result =
      b.empty(getAsIndexOpFoldResult(builder.getContext(), shape), elementType);
  return b.elementwise({{sum, entries}}, result,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::DivFOp::create(b, args[0], count);
                       });
}

Value ParameterBuilder::normalizeRows(Value matrix) {
  LinalgBuilder b = getLinalg();
  auto type = cast<RankedTensorType>(matrix.getType());
  Value sum = b.generic(2, {{matrix, kMatrix}},
                        {filled({type.getDimSize(0)}, 0), kRows},
                        [](ImplicitLocOpBuilder &b, ValueRange args) {
                          return arith::AddFOp::create(b, args[1], args[0]);
                        });
  return b.elementwise({{matrix, kMatrix}, {sum, kRows}}, matrix,
                       [](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::DivFOp::create(b, args[0], args[1]);
                       });
}

Value ParameterBuilder::negate(Value tensor) {
  return map(getLinalg(), tensor, [](ImplicitLocOpBuilder &b, ValueRange args) {
    return arith::NegFOp::create(b, args[0]);
  });
}

Value ParameterBuilder::magnitude(Value tensor) {
  return map(getLinalg(), tensor, [](ImplicitLocOpBuilder &b, ValueRange args) {
    return math::AbsFOp::create(b, args[0]);
  });
}

Value ParameterBuilder::polarity(Value tensor) {
  LinalgBuilder b = getLinalg();
  Value zero = b.constant(elementType, 0), one = b.constant(elementType, 1);
  Value minusOne = b.constant(elementType, -1);
  return map(b, tensor, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    Value isNegative =
        arith::CmpFOp::create(b, arith::CmpFPredicate::OLT, args[0], zero);
    return arith::SelectOp::create(b, isNegative, minusOne, one);
  });
}

Value ParameterBuilder::randomSigns(Value tensor) {
  LinalgBuilder b = getLinalg();
  auto type = cast<RankedTensorType>(tensor.getType());
  // 0 or 2, each half of the time.
  Value drawn = random(Distribution::Bernoulli, 2, type.getShape(), 1);
  Value one = b.constant(elementType, 1);
  Loops all = LinalgBuilder::allLoops(tensor);
  return b.elementwise({{tensor, all}, {drawn, all}}, tensor,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         Value sign = arith::SubFOp::create(b, args[1], one);
                         return arith::MulFOp::create(b, args[0], sign);
                       });
}

Value ParameterBuilder::scaleLastColumns(Value matrix, int64_t first,
                                         double factor) {
  LinalgBuilder b = getLinalg();
  Value bound = arith::ConstantIndexOp::create(builder, loc, first);
  Value factors = b.constant(elementType, factor);
  return map(b, matrix, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    Value isBefore = arith::CmpIOp::create(
        b, arith::CmpIPredicate::ult, linalg::IndexOp::create(b, 1), bound);
    Value scaled = arith::MulFOp::create(b, args[0], factors);
    return arith::SelectOp::create(b, isBefore, args[0], scaled);
  });
}

Value ParameterBuilder::withDiagonal(Value matrix, double value) {
  LinalgBuilder b = getLinalg();
  Value entry = b.constant(elementType, value);
  return map(b, matrix, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    Value isDiagonal = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                             linalg::IndexOp::create(b, 0),
                                             linalg::IndexOp::create(b, 1));
    return arith::SelectOp::create(b, isDiagonal, entry, args[0]);
  });
}

Value ParameterBuilder::mixWithIdentity(Value matrix, double share) {
  LinalgBuilder b = getLinalg();
  Value rest = b.constant(elementType, 1 - share);
  return map(
      b, scale(matrix, share), [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value isDiagonal = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                                 linalg::IndexOp::create(b, 0),
                                                 linalg::IndexOp::create(b, 1));
        Value sum = arith::AddFOp::create(b, args[0], rest);
        return arith::SelectOp::create(b, isDiagonal, sum, args[0]);
      });
}

Value ParameterBuilder::scale(Value tensor, double factor) {
  LinalgBuilder b = getLinalg();
  Value constant = b.constant(elementType, factor);
  return map(b, tensor, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    return arith::MulFOp::create(b, args[0], constant);
  });
}

Value ForwardBuilder::takeBias() {
  Value bias = takeParameter();
  return splitsBiases ? add(getLinalg(), bias, takeParameter()) : bias;
}

Value ForwardBuilder::flatten(Value x) {
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  if (rank == 2)
    return x;
  SmallVector<ReassociationIndices> groups = {
      {0}, llvm::to_vector<2>(llvm::seq<int64_t>(1, rank))};
  return tensor::CollapseShapeOp::create(builder, loc, x, groups);
}

Value ForwardBuilder::activate(model::Activation activation, Value z) {
  if (activation != model::RELU)
    return z;
  LinalgBuilder b = getLinalg();
  Value zero = b.constant(elementType, 0);
  return map(b, z, [&](ImplicitLocOpBuilder &b, ValueRange args) {
    return arith::MaximumFOp::create(b, args[0], zero);
  });
}

Value ForwardBuilder::addBias(Value z, Value bias) {
  return getLinalg().elementwise(
      {{z, LinalgBuilder::allLoops(z)}, {bias, {1}}}, z,
      [](ImplicitLocOpBuilder &b, ValueRange args) {
        return arith::AddFOp::create(b, args[0], args[1]);
      });
}

Value ForwardBuilder::applyColumnPolarity(Value magnitude, int64_t excitatory,
                                          bool ablated) {
  return ApplyPolarityOp::create(builder, loc, magnitude, /*polarity=*/Value(),
                                 builder.getI64IntegerAttr(excitatory),
                                 ablated ? builder.getUnitAttr() : UnitAttr());
}

RankedTensorType ForwardBuilder::getBatchType(ArrayRef<int64_t> sample) const {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  llvm::append_range(shape, sample);
  return RankedTensorType::get(shape, elementType);
}
