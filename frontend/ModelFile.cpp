//===- ModelFile.cpp - Reading model files --------------------------------===//

#include "frontend/ModelFile.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;
using google::protobuf::TextFormat;

// Far beyond any network that a CPU can train, and small enough that no product
// of two sizes overflows.
static constexpr int64_t kMaxSize = int64_t(1) << 24;
static constexpr int64_t kMaxWeights = int64_t(1) << 31;
static constexpr int kMaxLayers = 10000;

namespace {
/// Passes errors of the text parser on as diagnostics.
class ErrorCollector : public google::protobuf::io::ErrorCollector {
public:
  ErrorCollector(StringRef fileName, MLIRContext *context)
      : fileName(fileName), context(context) {}

  void AddError(int line, int column, const std::string &message) override {
    // Errors about the file as a whole have line -1.
    emitError(FileLineColLoc::get(context, fileName, std::max(line, 0) + 1,
                                  std::max(column, 0) + 1))
        << message;
  }
  void AddWarning(int line, int column, const std::string &message) override {
    emitWarning(FileLineColLoc::get(context, fileName, std::max(line, 0) + 1,
                                    std::max(column, 0) + 1))
        << message;
  }

private:
  StringRef fileName;
  MLIRContext *context;
};
} // namespace

int64_t mlir::dann::getNumInputs(const model::Input &input) {
  int64_t product = 1;
  for (int64_t size : input.shape())
    product *= size;
  return product;
}

std::optional<ModelFile> ModelFile::parse(StringRef text, StringRef fileName,
                                          MLIRContext *context) {
  ModelFile file(fileName, context);
  file.locations = std::make_shared<TextFormat::ParseInfoTree>();
  ErrorCollector errors(fileName, context);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(file.locations.get());
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    emitError(FileLineColLoc::get(context, fileName, 1, 1))
        << "the file is larger than 2 GB";
    return std::nullopt;
  }
  google::protobuf::io::ArrayInputStream stream(text.data(),
                                                static_cast<int>(text.size()));
  if (!parser.Parse(&stream, &file.model) || !file.check())
    return std::nullopt;
  return file;
}

Location ModelFile::locate(const TextFormat::ParseInfoTree *tree,
                           const google::protobuf::Message &message,
                           StringRef field, int index,
                           Location otherwise) const {
  const auto *descriptor =
      message.GetDescriptor()->FindFieldByName(field.str());
  // The tree answers for entries that exist only; a singular field that is not
  // given has the line -1.
  if (!tree ||
      (descriptor->is_repeated() &&
       index >= message.GetReflection()->FieldSize(message, descriptor)))
    return otherwise;
  TextFormat::ParseLocation at =
      tree->GetLocation(descriptor, descriptor->is_repeated() ? index : -1);
  if (at.line < 0)
    return otherwise;
  return FileLineColLoc::get(context, fileName, at.line + 1, at.column + 1);
}

Location ModelFile::locate(StringRef field, int index) const {
  return locate(locations.get(), model, field, index,
                FileLineColLoc::get(context, fileName, 1, 1));
}

Location ModelFile::getLayerLocation(int index) const {
  // The name appears in profiles, the position in diagnostics.
  return NameLoc::get(StringAttr::get(context, "layer " + llvm::Twine(index)),
                      locate("layer", index));
}

Location ModelFile::getInputLocation() const { return locate("input"); }

Location ModelFile::getOptimizerLocation() const { return locate("optimizer"); }

/// Names become part of file names, symbols and tensor names.
static bool isName(StringRef name) {
  return !name.empty() && name.size() <= 200 && llvm::all_of(name, [](char c) {
    return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.';
  });
}

bool ModelFile::check() {
  bool ok = true;
  auto error = [&](StringRef field) {
    ok = false;
    return std::move(emitError(locate(field)) << field << ": ");
  };

  if (!isName(model.name()))
    error("name") << "must be letters, digits, '_', '-' and '.', but is \""
                  << model.name() << "\"";
  ok &= checkInput();
  if (model.layer_size() == 0)
    error("layer") << "there must be at least one layer";
  if (model.layer_size() > kMaxLayers)
    error("layer") << "there can be " << kMaxLayers
                   << " layers at most, but are " << model.layer_size();
  if (!ok)
    return false;

  llvm::StringSet<> names;
  for (int i = 0; i < model.layer_size(); ++i) {
    model::Layer &layer = *model.mutable_layer(i);
    if (!layer.has_name())
      layer.set_name(std::to_string(i));
    ok &= checkLayer(i);
    if (!names.insert(layer.name()).second) {
      emitError(getLayerLocation(i))
          << "layer.name: two layers have the name \"" << layer.name() << "\"";
      ok = false;
    }
  }

  if (model.loss() == model::LOSS_UNSPECIFIED)
    error("loss") << "must be given, e.g. SOFTMAX_CROSS_ENTROPY";
  else if (!model::Loss_IsValid(model.loss()))
    error("loss") << "unknown value " << static_cast<int64_t>(model.loss());
  if (!model.has_optimizer() ||
      model.optimizer().kind_case() == model::Optimizer::KIND_NOT_SET)
    error("optimizer") << "must be given, e.g. optimizer { sgd {} }";
  else if (!model::Optimizer_Projection_IsValid(model.optimizer().projection()))
    error("optimizer") << "projection: unknown value "
                       << static_cast<int64_t>(model.optimizer().projection());

  model::Defaults &defaults = *model.mutable_defaults();
  const auto *tree = locations->GetTreeForNested(
      model.GetDescriptor()->FindFieldByName("defaults"), -1);
  auto defaultsError = [&](StringRef field) {
    ok = false;
    return std::move(
        emitError(locate(tree, defaults, field, 0, locate("defaults")))
        << "defaults." << field << ": ");
  };
  if (!defaults.has_batch_size())
    defaults.set_batch_size(32);
  if (!defaults.has_epochs())
    defaults.set_epochs(10);
  if (defaults.batch_size() < 1 || defaults.batch_size() > kMaxSize)
    defaultsError("batch_size") << "must be from 1 to " << kMaxSize
                                << ", but is " << defaults.batch_size();
  if (defaults.epochs() < 1 || defaults.epochs() > kMaxSize)
    defaultsError("epochs")
        << "must be from 1 to " << kMaxSize << ", but is " << defaults.epochs();
  if (!defaults.has_learning_rate())
    defaultsError("learning_rate") << "must be given";
  else if (!std::isfinite(defaults.learning_rate()) ||
           defaults.learning_rate() <= 0)
    defaultsError("learning_rate") << "must be a positive number, but is "
                                   << std::to_string(defaults.learning_rate());
  return ok;
}

bool ModelFile::checkInput() {
  const model::Input &input = model.input();
  const auto *tree = locations->GetTreeForNested(
      model.GetDescriptor()->FindFieldByName("input"), -1);
  bool ok = true;
  auto error = [&](StringRef field, int index = 0) {
    ok = false;
    return std::move(
        emitError(locate(tree, input, field, index, locate("input")))
        << "input." << field << ": ");
  };
  if (input.shape_size() == 0)
    error("shape") << "must be given, e.g. shape: 784";
  int64_t product = 1;
  for (int i = 0; i < input.shape_size(); ++i) {
    int64_t size = input.shape(i);
    if (size < 1 || size > kMaxSize)
      error("shape", i) << "must be from 1 to " << kMaxSize << ", but is "
                        << size;
    else if ((product *= size) > kMaxSize) {
      error("shape", i) << "there can be " << kMaxSize
                        << " values at most in one sample";
      break;
    }
  }
  if (!input.has_minimum() || !std::isfinite(input.minimum()))
    error("minimum") << "must be given as a finite number, e.g. minimum: 0";
  if (!input.has_maximum() || !std::isfinite(input.maximum()))
    error("maximum") << "must be given as a finite number, e.g. maximum: 1";
  else if (ok && input.minimum() >= input.maximum())
    error("maximum") << "must be larger than minimum, but is "
                     << std::to_string(input.maximum());
  return ok;
}

bool ModelFile::checkLayer(int index) {
  const model::Layer &layer = model.layer(index);
  const auto *layerTree = locations->GetTreeForNested(
      model.GetDescriptor()->FindFieldByName("layer"), index);
  bool ok = true;
  auto layerError = [&](StringRef field) {
    ok = false;
    return std::move(
        emitError(locate(layerTree, layer, field, 0, getLayerLocation(index)))
        << "layer[" << index << "]." << field << ": ");
  };
  if (!isName(layer.name()))
    layerError("name") << "must be letters, digits, '_', '-' and '.', but is \""
                       << layer.name() << "\"";
  if (layer.kind_case() == model::Layer::KIND_NOT_SET) {
    emitError(getLayerLocation(index))
        << "layer[" << index << "]: must be one of ei_dense, dense";
    return false;
  }

  bool isEi = layer.has_ei_dense();
  StringRef kind = isEi ? "ei_dense" : "dense";
  const google::protobuf::Message &body =
      isEi ? static_cast<const google::protobuf::Message &>(layer.ei_dense())
           : layer.dense();
  const auto *tree = layerTree->GetTreeForNested(
      layer.GetDescriptor()->FindFieldByName(kind.str()), -1);
  auto error = [&](StringRef field) {
    ok = false;
    Location place =
        locate(tree, body, field, 0,
               locate(layerTree, layer, kind, 0, getLayerLocation(index)));
    return std::move(emitError(place) << "layer[" << index << "]." << kind
                                      << "." << field << ": ");
  };
  int64_t inputs = index == 0 ? getNumInputs(model.input())
                   : model.layer(index - 1).has_ei_dense()
                       ? model.layer(index - 1).ei_dense().excitatory()
                       : model.layer(index - 1).dense().units();
  auto checkSize = [&](StringRef field, bool given, int64_t size) {
    if (!given)
      error(field) << "must be given";
    else if (size < 1 || size > kMaxSize)
      error(field) << "must be from 1 to " << kMaxSize << ", but is " << size;
    else if (inputs > 0 && inputs <= kMaxSize && size * inputs > kMaxWeights)
      error(field) << size << " units with " << inputs
                   << " inputs each are more than " << kMaxWeights
                   << " weights";
  };
  if (isEi) {
    const model::EiDense &ei = layer.ei_dense();
    checkSize("excitatory", ei.has_excitatory(), ei.excitatory());
    checkSize("inhibitory", ei.has_inhibitory(), ei.inhibitory());
    if (ok && ei.excitatory() * ei.inhibitory() > kMaxWeights)
      error("inhibitory") << "excitatory times inhibitory is more than "
                          << kMaxWeights << " weights";
    if (!model::EiDense_Inhibition_IsValid(ei.inhibition()))
      error("inhibition") << "unknown value "
                          << static_cast<int64_t>(ei.inhibition());
    if (!model::EiDense_Initialization_IsValid(ei.initialization()))
      error("initialization")
          << "unknown value " << static_cast<int64_t>(ei.initialization());
    if (!model::Activation_IsValid(ei.activation()))
      error("activation") << "unknown value "
                          << static_cast<int64_t>(ei.activation());
  } else {
    const model::Dense &dense = layer.dense();
    checkSize("units", dense.has_units(), dense.units());
    if (!model::Activation_IsValid(dense.activation()))
      error("activation") << "unknown value "
                          << static_cast<int64_t>(dense.activation());
    if (!model::Dense_Sign_IsValid(dense.weight_sign()))
      error("weight_sign") << "unknown value "
                           << static_cast<int64_t>(dense.weight_sign());
  }
  return ok;
}
