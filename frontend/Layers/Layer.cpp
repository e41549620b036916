//===- Layer.cpp - One layer of a model file ------------------------------===//

#include "frontend/Layers/Layer.h"

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

std::unique_ptr<Layer> Layer::create(const model::Layer &message, int index) {
  std::unique_ptr<Layer> layer;
  switch (message.kind_case()) {
  case model::Layer::kEiDense:
    layer = createLayer(message.ei_dense());
    break;
  case model::Layer::kDense:
    layer = createLayer(message.dense());
    break;
  case model::Layer::kEiConv2D:
    layer = createLayer(message.ei_conv2d());
    break;
  case model::Layer::kConv2D:
    layer = createLayer(message.conv2d());
    break;
  case model::Layer::kMaxPool2D:
    layer = createMaximumPool(message.max_pool2d());
    break;
  case model::Layer::kAveragePool2D:
    layer = createAveragePool(message.average_pool2d());
    break;
  case model::Layer::kGlobalAveragePool:
    layer = createLayer(message.global_average_pool());
    break;
  case model::Layer::kAdaptiveAveragePool2D:
    layer = createLayer(message.adaptive_average_pool2d());
    break;
  case model::Layer::kFlatten:
    layer = createLayer(message.flatten());
    break;
  case model::Layer::kDropout:
    layer = createLayer(message.dropout());
    break;
  case model::Layer::kColumnEi:
    layer = createLayer(message.column_ei());
    break;
  case model::Layer::kEiRecurrent:
    layer = createLayer(message.ei_recurrent());
    break;
  case model::Layer::kRecurrent:
    layer = createLayer(message.recurrent());
    break;
  case model::Layer::kColumnEiRecurrent:
    layer = createLayer(message.column_ei_recurrent());
    break;
  case model::Layer::KIND_NOT_SET:
    return nullptr;
  }
  layer->name = message.has_name() ? message.name() : std::to_string(index);
  layer->index = index;
  return layer;
}

int64_t mlir::dann::getNumElements(ArrayRef<int64_t> shape) {
  int64_t product = 1;
  for (int64_t size : shape)
    product *= size;
  return product;
}

bool mlir::dann::checkWeights(const FileMessage &message, StringRef field,
                              int64_t units, int64_t inputs) {
  if (units <= kMaxWeights / inputs)
    return true;
  message.error(field) << units << " units with " << inputs
                       << " inputs each are more than " << kMaxWeights
                       << " weights";
  return false;
}

std::optional<double> mlir::dann::checkNumerator(const FileMessage &message,
                                                 double otherwise) {
  return message.checkNumber(
      "numerator", "a positive number",
      [](double numerator) { return numerator > 0; }, otherwise);
}
