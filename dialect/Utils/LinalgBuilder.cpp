//===- LinalgBuilder.cpp - Short forms for linalg on tensors --------------===//

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;

Value LinalgBuilder::constant(Type type, double value) {
  TypedAttr attribute = isa<FloatType>(type)
                            ? TypedAttr(builder.getFloatAttr(type, value))
                            : TypedAttr(builder.getIntegerAttr(
                                  type, static_cast<int64_t>(value)));
  return arith::ConstantOp::create(builder, loc, attribute);
}

Value LinalgBuilder::empty(ArrayRef<OpFoldResult> sizes, Type elementType) {
  return tensor::EmptyOp::create(builder, loc, sizes, elementType);
}

Value LinalgBuilder::fill(ArrayRef<OpFoldResult> sizes, Type elementType,
                          double value) {
  return linalg::FillOp::create(builder, loc, constant(elementType, value),
                                empty(sizes, elementType))
      .getResult(0);
}

Value LinalgBuilder::zerosLike(Value tensor) {
  return fill(sizes(tensor), getElementTypeOrSelf(tensor.getType()), 0);
}

OpFoldResult LinalgBuilder::size(Value tensor, unsigned index) {
  return tensor::getMixedSize(builder, loc, tensor, index);
}

SmallVector<OpFoldResult> LinalgBuilder::sizes(Value tensor) {
  return tensor::getMixedSizes(builder, loc, tensor);
}

Value LinalgBuilder::sizeAsFloat(Value tensor, unsigned index, Type type) {
  Value size =
      getValueOrCreateConstantIndexOp(builder, loc, this->size(tensor, index));
  Value integer =
      arith::IndexCastOp::create(builder, loc, builder.getI64Type(), size);
  return arith::SIToFPOp::create(builder, loc, type, integer);
}

SmallVector<unsigned, 2> LinalgBuilder::allLoops(Value tensor) {
  return llvm::to_vector<2>(llvm::seq<unsigned>(
      0, cast<RankedTensorType>(tensor.getType()).getRank()));
}

Value LinalgBuilder::generic(unsigned numLoops, ArrayRef<Indexed> inputs,
                             Indexed init, Body body) {
  SmallVector<Value> tensors;
  SmallVector<AffineMap> maps;
  auto addMap = [&](const Indexed &indexed) {
    SmallVector<AffineExpr> expressions;
    for (unsigned loop : indexed.loops)
      expressions.push_back(builder.getAffineDimExpr(loop));
    maps.push_back(
        AffineMap::get(numLoops, 0, expressions, builder.getContext()));
  };
  for (const Indexed &input : inputs) {
    tensors.push_back(input.tensor);
    addMap(input);
  }
  addMap(init);
  SmallVector<utils::IteratorType> iterators(numLoops,
                                             utils::IteratorType::reduction);
  for (unsigned loop : init.loops)
    iterators[loop] = utils::IteratorType::parallel;
  auto op = linalg::GenericOp::create(
      builder, loc, init.tensor.getType(), tensors, init.tensor, maps,
      iterators, [&](OpBuilder &b, Location nested, ValueRange arguments) {
        ImplicitLocOpBuilder inner(nested, b);
        linalg::YieldOp::create(inner, body(inner, arguments));
      });
  return op.getResult(0);
}

Value LinalgBuilder::elementwise(ArrayRef<Indexed> inputs, Value shape,
                                 Body body, Type elementType) {
  if (!elementType)
    elementType = getElementTypeOrSelf(shape.getType());
  Value init = empty(sizes(shape), elementType);
  auto loops = allLoops(init);
  return generic(loops.size(), inputs, {init, loops}, body);
}

Value LinalgBuilder::product(Value a, bool transposeA, Value b, bool transposeB,
                             Value init) {
  if (!init)
    init = fill({size(a, transposeA ? 1 : 0), size(b, transposeB ? 0 : 1)},
                getElementTypeOrSelf(a.getType()), 0);
  AffineExpr m, n, k;
  bindDims(builder.getContext(), m, n, k);
  auto map = [&](bool transpose, AffineExpr row, AffineExpr column) {
    if (transpose)
      std::swap(row, column);
    return AffineMapAttr::get(
        AffineMap::get(3, 0, {row, column}, builder.getContext()));
  };
  ArrayAttr maps = builder.getArrayAttr(
      {map(transposeA, m, k), map(transposeB, k, n), map(false, m, n)});
  return linalg::ContractOp::create(builder, loc, init.getType(),
                                    ValueRange{a, b}, init, maps)
      .getResult(0);
}
