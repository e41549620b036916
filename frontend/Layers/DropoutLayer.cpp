//===- DropoutLayer.cpp - Dropout -----------------------------------------===//

#include "frontend/Layers/Layer.h"

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class DropoutLayer : public Layer {
public:
  explicit DropoutLayer(const model::Dropout &message) : message(message) {}

  std::optional<SampleShape> check(const FileMessage &place,
                                   ArrayRef<int64_t> input) override {
    place.checkNumber("rate", "[0, 1)",
                      [](double rate) { return rate >= 0 && rate < 1; });
    return SampleShape(input);
  }

  Value buildForward(ForwardBuilder &b, Value x) const override {
    return DropoutOp::create(b.getBuilder(), b.getLoc(), x,
                             APFloat(message.rate()));
  }

private:
  model::Dropout message;
};

} // namespace

std::unique_ptr<Layer> mlir::dann::createLayer(const model::Dropout &message) {
  return std::make_unique<DropoutLayer>(message);
}
