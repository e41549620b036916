//===- ConvolutionBuilder.cpp - Convolution, pooling and derivatives ------===//

#include "Utils/ConvolutionBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;

Value ConvolutionBuilder::pad(Value x, ArrayRef<int64_t> padding,
                              double value) {
  if (llvm::all_of(padding, [](int64_t size) { return size == 0; }))
    return x;
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<OpFoldResult> low(4, builder.getIndexAttr(0)), high(low);
  SmallVector<int64_t> shape(type.getShape());
  for (unsigned i : {0, 1}) {
    low[2 + i] = builder.getIndexAttr(padding[i]);
    high[2 + i] = builder.getIndexAttr(padding[2 + i]);
    shape[2 + i] += padding[i] + padding[2 + i];
  }
  Value element =
      LinalgBuilder(builder, loc).constant(type.getElementType(), value);
  return tensor::PadOp::create(builder, loc, type.clone(shape), x, low, high,
                               element);
}

SmallVector<OpFoldResult>
ConvolutionBuilder::getResultSizes(Value x, OpFoldResult channels,
                                   ArrayRef<int64_t> size) {
  LinalgBuilder b(builder, loc);
  auto type = cast<RankedTensorType>(x.getType());
  SmallVector<OpFoldResult> sizes = {b.size(x, 0), channels};
  for (unsigned i : {0, 1}) {
    int64_t span = (size[i] - 1) * dilations[i] + 1;
    sizes.push_back(
        builder.getIndexAttr((type.getDimSize(2 + i) - span) / strides[i] + 1));
  }
  return sizes;
}

Value ConvolutionBuilder::convolve(Value x, Value filters) {
  auto type = cast<RankedTensorType>(filters.getType());
  LinalgBuilder b(builder, loc);
  Value init = b.fill(
      getResultSizes(x, b.size(filters, 0), type.getShape().drop_front(2)),
      type.getElementType(), 0);
  return linalg::Conv2DNchwFchwOp::create(builder, loc, init.getType(),
                                          ValueRange{x, filters}, init,
                                          builder.getI64VectorAttr(strides),
                                          builder.getI64VectorAttr(dilations))
      .getResult(0);
}

ConvolutionBuilder::Maps ConvolutionBuilder::getMaps() {
  AffineExpr b, f, oh, ow, c, kh, kw;
  bindDims(builder.getContext(), b, f, oh, ow, c, kh, kw);
  auto map = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(7, 0, results, builder.getContext());
  };
  return {map({b, c, oh * strides[0] + kh * dilations[0],
               ow * strides[1] + kw * dilations[1]}),
          map({f, c, kh, kw}), map({b, f, oh, ow})};
}

Value ConvolutionBuilder::sum(Value a, AffineMap aMap, Value b, AffineMap bMap,
                              Value init, AffineMap initMap) {
  SmallVector<utils::IteratorType> iterators(7, utils::IteratorType::reduction);
  for (AffineExpr expression : initMap.getResults())
    if (auto loop = dyn_cast<AffineDimExpr>(expression))
      iterators[loop.getPosition()] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
             builder, loc, init.getType(), ValueRange{a, b}, init,
             ArrayRef{aMap, bMap, initMap}, iterators,
             [](OpBuilder &nested, Location loc, ValueRange args) {
               Value term =
                   arith::MulFOp::create(nested, loc, args[0], args[1]);
               linalg::YieldOp::create(
                   nested, loc,
                   arith::AddFOp::create(nested, loc, args[2], term)
                       .getResult());
             })
      .getResult(0);
}

Value ConvolutionBuilder::differentiateByInput(Value dz, Value filters, Value x,
                                               Value init) {
  Maps maps = getMaps();
  if (!init)
    init = LinalgBuilder(builder, loc).zerosLike(x);
  return sum(dz, maps.z, filters, maps.filters, init, maps.x);
}

Value ConvolutionBuilder::differentiateByFilters(Value dz, Value x,
                                                 Value filters) {
  Maps maps = getMaps();
  return sum(dz, maps.z, x, maps.x,
             LinalgBuilder(builder, loc).zerosLike(filters), maps.filters);
}

template <typename OpTy>
Value ConvolutionBuilder::pool(Value x, ArrayRef<int64_t> size,
                               double initial) {
  LinalgBuilder b(builder, loc);
  Type element = getElementTypeOrSelf(x.getType());
  Value init = b.fill(getResultSizes(x, b.size(x, 1), size), element, initial);
  // Without contents: it tells how far the loops over a window go.
  Value window = b.empty(
      {builder.getIndexAttr(size[0]), builder.getIndexAttr(size[1])}, element);
  return OpTy::create(builder, loc, init.getType(), ValueRange{x, window}, init,
                      builder.getI64VectorAttr(strides),
                      builder.getI64VectorAttr(dilations))
      .getResult(0);
}

Value ConvolutionBuilder::poolMaximum(Value x, ArrayRef<int64_t> size,
                                      double initial) {
  return pool<linalg::PoolingNchwMaxOp>(x, size, initial);
}

Value ConvolutionBuilder::poolSum(Value x, ArrayRef<int64_t> size) {
  return pool<linalg::PoolingNchwSumOp>(x, size, 0);
}
