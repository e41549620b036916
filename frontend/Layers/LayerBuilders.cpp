//===- LayerBuilders.cpp - What layers build with -------------------------===//

#include "frontend/Layers/LayerBuilders.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

using Loops = SmallVector<unsigned, 2>;

static const Loops kMatrix = {0, 1};
static const Loops kRows = {0};
static const Loops kColumns = {1};

void ParameterBuilder::add(Role role, Sign sign, Value initial,
                           StringRef scope) {
  std::string name = prefix + "." + (scope.empty() ? "" : scope.str() + ".") +
                     stringifyRole(role).str();
  parameters.push_back({name, role, sign,
                        cast<RankedTensorType>(initial.getType()), loc,
                        initial});
}

Value ParameterBuilder::random(Distribution distribution, double scale,
                               ArrayRef<int64_t> shape) {
  return RandomOp::create(builder, loc,
                          RankedTensorType::get(shape, elementType),
                          distribution, APFloat(scale), numStreams++, seed);
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
  return getLinalg().elementwise({{tensor, LinalgBuilder::allLoops(tensor)}},
                                 tensor,
                                 [](ImplicitLocOpBuilder &b, ValueRange args) {
                                   return arith::NegFOp::create(b, args[0]);
                                 });
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
  return b.elementwise({{z, LinalgBuilder::allLoops(z)}}, z,
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::MaximumFOp::create(b, args[0], zero);
                       });
}

Value ForwardBuilder::addBias(Value z, Value bias) {
  return getLinalg().elementwise({{z, kMatrix}, {bias, kColumns}}, z,
                                 [](ImplicitLocOpBuilder &b, ValueRange args) {
                                   return arith::AddFOp::create(b, args[0],
                                                                args[1]);
                                 });
}

RankedTensorType ForwardBuilder::getBatchType(ArrayRef<int64_t> sample) const {
  SmallVector<int64_t> shape = {ShapedType::kDynamic};
  llvm::append_range(shape, sample);
  return RankedTensorType::get(shape, elementType);
}
