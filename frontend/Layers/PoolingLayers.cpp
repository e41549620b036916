//===- PoolingLayers.cpp - Layers that change the size of images ----------===//

#include "frontend/Layers/ImageWindow.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

/// `x` times a number.
Value scale(ForwardBuilder &b, Value x, double factor) {
  LinalgBuilder linalg = b.getLinalg();
  Value constant = linalg.constant(b.getElementType(), factor);
  return linalg.elementwise({{x, LinalgBuilder::allLoops(x)}}, x,
                            [&](ImplicitLocOpBuilder &b, ValueRange args) {
                              return arith::MulFOp::create(b, args[0],
                                                           constant);
                            });
}

class Pool2dLayer : public Layer {
public:
  Pool2dLayer(const model::Pool2d &message, bool isMaximum)
      : message(message), isMaximum(isMaximum) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    auto checked = checkWindow(
        place,
        {message.kernel(), message.stride(), message.padding(), nullptr, true},
        input);
    if (!checked)
      return std::nullopt;
    window = *checked;
    return SampleShape{input[0], window.output[0], window.output[1]};
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    ConvolutionBuilder windows = window.getBuilder(b);
    if (isMaximum) {
      double least = -std::numeric_limits<double>::infinity();
      return windows.poolMaximum(windows.pad(x, window.padding, least),
                                 window.kernel, least);
    }
    Value sum =
        windows.poolSum(windows.pad(x, window.padding, 0), window.kernel);
    return scale(b, sum,
                 1 / static_cast<double>(window.kernel[0] * window.kernel[1]));
  }

private:
  model::Pool2d message;
  bool isMaximum;
  ImageWindow window;
};

class GlobalAveragePoolLayer : public Layer {
public:
  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    if (!checkImage(place, input))
      return std::nullopt;
    channels = input[0];
    pixels = input[1] * input[2];
    return SampleShape{channels};
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    LinalgBuilder linalg = b.getLinalg();
    Value zeros =
        linalg.fill({linalg.size(x, 0), b.getBuilder().getIndexAttr(channels)},
                    b.getElementType(), 0);
    Value sum =
        linalg.generic(4, {{x, LinalgBuilder::allLoops(x)}}, {zeros, {0, 1}},
                       [](ImplicitLocOpBuilder &b, ValueRange args) {
                         return arith::AddFOp::create(b, args[1], args[0]);
                       });
    return scale(b, sum, 1 / static_cast<double>(pixels));
  }

private:
  int64_t channels = 0, pixels = 0;
};

/// Means over parts of rows and columns: products with matrices of weights,
/// which are known here.
class AdaptiveAveragePool2dLayer : public Layer {
public:
  explicit AdaptiveAveragePool2dLayer(
      const model::AdaptiveAveragePool2d &message)
      : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    auto checked = checkPair(place, "size", message.size(), {});
    if (!checkImage(place, input) || !checked)
      return std::nullopt;
    size = *checked;
    from.assign(input.begin() + 1, input.end());
    SampleShape result = {input[0], size[0], size[1]};
    // What is between the two steps, and the matrices, too.
    if (!checkImageSize(place, "size", result) ||
        !checkImageSize(place, "size", {input[0], size[0], from[1]}) ||
        !checkImageSize(place, "size", {size[0], from[0]}) ||
        !checkImageSize(place, "size", {size[1], from[1]}))
      return std::nullopt;
    return result;
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    for (unsigned i : {0, 1})
      x = averageAlong(b, x, 2 + i, from[i], size[i]);
    return x;
  }

private:
  /// `x` with `n` means in the place of the `m` entries of `dimension`.
  static Value averageAlong(ForwardBuilder &b, Value x, unsigned dimension,
                            int64_t m, int64_t n) {
    if (m == n)
      return x;
    SmallVector<APFloat> weights(
        n * m, APFloat::getZero(b.getElementType().getFloatSemantics()));
    for (int64_t i = 0; i < n; ++i) {
      int64_t begin = i * m / n, end = llvm::divideCeil((i + 1) * m, n);
      APFloat weight(1 / static_cast<double>(end - begin));
      bool losesInfo;
      weight.convert(b.getElementType().getFloatSemantics(),
                     APFloat::rmNearestTiesToEven, &losesInfo);
      for (int64_t j = begin; j < end; ++j)
        weights[i * m + j] = weight;
    }
    Value matrix = arith::ConstantOp::create(
        b.getBuilder(), b.getLoc(),
        DenseElementsAttr::get(
            RankedTensorType::get({n, m}, b.getElementType()), weights));
    LinalgBuilder linalg = b.getLinalg();
    SmallVector<OpFoldResult> sizes = linalg.sizes(x);
    sizes[dimension] = b.getBuilder().getIndexAttr(n);
    Value zeros = linalg.fill(sizes, b.getElementType(), 0);
    auto result = LinalgBuilder::allLoops(x), source = result;
    source[dimension] = 4;
    return linalg.generic(
        5, {{x, source}, {matrix, {dimension, 4}}}, {zeros, result},
        [](ImplicitLocOpBuilder &b, ValueRange args) {
          Value term = arith::MulFOp::create(b, args[0], args[1]);
          return arith::AddFOp::create(b, args[2], term);
        });
  }

  model::AdaptiveAveragePool2d message;
  SmallVector<int64_t, 2> size, from;
};

class FlattenLayer : public Layer {
public:
  std::optional<SampleShape> check(const FileMessage &,
                                   ArrayRef<int64_t> input) override {
    return SampleShape{getNumElements(input)};
  }
  Value buildForward(ForwardBuilder &b, Value x) const override {
    return b.flatten(x);
  }
};

} // namespace

std::unique_ptr<Layer>
mlir::dann::createMaximumPool(const model::Pool2d &message) {
  return std::make_unique<Pool2dLayer>(message, /*isMaximum=*/true);
}

std::unique_ptr<Layer>
mlir::dann::createAveragePool(const model::Pool2d &message) {
  return std::make_unique<Pool2dLayer>(message, /*isMaximum=*/false);
}

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::GlobalAveragePool &) {
  return std::make_unique<GlobalAveragePoolLayer>();
}

std::unique_ptr<Layer>
mlir::dann::createLayer(const model::AdaptiveAveragePool2d &message) {
  return std::make_unique<AdaptiveAveragePool2dLayer>(message);
}

std::unique_ptr<Layer> mlir::dann::createLayer(const model::Flatten &) {
  return std::make_unique<FlattenLayer>();
}
