//===- ModelFile.cpp - Reading model files --------------------------------===//

#include "frontend/ModelFile.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/Path.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;
using google::protobuf::TextFormat;

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

std::unique_ptr<ModelFile> ModelFile::parse(StringRef text, StringRef fileName,
                                            MLIRContext *context) {
  std::unique_ptr<ModelFile> file(new ModelFile(fileName, context));
  ErrorCollector errors(fileName, context);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&file->tree);
  if (text.size() > static_cast<size_t>(std::numeric_limits<int>::max())) {
    emitError(FileLineColLoc::get(context, fileName, 1, 1))
        << "the file is larger than 2 GB";
    return nullptr;
  }
  google::protobuf::io::ArrayInputStream stream(text.data(),
                                                static_cast<int>(text.size()));
  if (!parser.Parse(&stream, &file->model))
    return nullptr;
  file->check();
  if (file->hasErrors)
    return nullptr;
  return file;
}

std::string ModelFile::getOnnxPath() const {
  if (!model.has_onnx())
    return "";
  if (llvm::sys::path::is_absolute(model.onnx()))
    return model.onnx();
  llvm::SmallString<128> path(llvm::sys::path::parent_path(fileName));
  llvm::sys::path::append(path, model.onnx());
  return std::string(path);
}

std::optional<ModelOptimizer> mlir::dann::parseOptimizer(StringRef text,
                                                         StringRef source,
                                                         MLIRContext *context) {
  model::Optimizer message;
  TextFormat::ParseInfoTree tree;
  ErrorCollector errors(source, context);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.WriteLocationsTo(&tree);
  if (!parser.ParseFromString(text.str(), &message))
    return std::nullopt;
  bool hasErrors = false;
  FileMessage place(source, context, message, &tree, hasErrors);
  if (message.kind_case() == model::Optimizer::KIND_NOT_SET) {
    emitError(place.getLocation()) << "must name an optimizer, e.g. adam {}";
    return std::nullopt;
  }
  for (StringRef field : {"correct_inhibition", "projection"})
    if (message.GetReflection()->HasField(
            message, message.GetDescriptor()->FindFieldByName(field.str())))
      place.error(field)
          << "has no place here: constraints are always kept, and "
             "the correction has an option of its own";
  ModelOptimizer optimizer = readOptimizer(place, message, context);
  if (hasErrors)
    return std::nullopt;
  return optimizer;
}

/// Names become part of file names, symbols and tensor names.
static bool isName(StringRef name) {
  return !name.empty() && name.size() <= 200 && llvm::all_of(name, [](char c) {
    return llvm::isAlnum(c) || c == '_' || c == '-' || c == '.';
  });
}

static void checkName(const FileMessage &message, StringRef name) {
  if (!isName(name))
    message.error("name") << "must be letters, digits, '_', '-' and '.', but "
                             "is \""
                          << name << "\"";
}

void ModelFile::check() {
  FileMessage file = getFile();
  checkName(file, model.name());
  checkInput(file.getNested("input"));
  if (model.has_onnx()) {
    if (model.onnx().empty() || model.onnx().find('\0') != std::string::npos)
      file.error("onnx") << "must be the path of an ONNX model";
    if (model.layer_size() != 0)
      file.error("layer", 0) << "the layers are those of the ONNX model";
  } else if (model.layer_size() == 0) {
    file.error("layer") << "there must be at least one layer";
  }
  if (model.layer_size() > kMaxLayers)
    file.error("layer") << "there can be " << kMaxLayers
                        << " layers at most, but are " << model.layer_size();
  if (hasErrors)
    return;
  if (!model.has_onnx())
    checkLayers(file);

  file.checkEnums();
  if (model.loss() == model::LOSS_UNSPECIFIED)
    file.error("loss") << "must be given, e.g. SOFTMAX_CROSS_ENTROPY";
  if (!model.has_optimizer() ||
      model.optimizer().kind_case() == model::Optimizer::KIND_NOT_SET)
    file.error("optimizer") << "must be given, e.g. optimizer { sgd {} }";
  else
    optimizer =
        readOptimizer(file.getNested("optimizer"), model.optimizer(), context);
  checkDefaults(file.getNested("defaults"));
}

void ModelFile::checkInput(const FileMessage &place) {
  const model::Input &input = model.input();
  if (model.has_onnx() && input.shape_size() != 0)
    place.error("shape", 0) << "is that of the ONNX model's input";
  if (!model.has_onnx() && input.shape_size() == 0)
    place.error("shape") << "must be given, e.g. shape: 784";
  bool ok = true;
  int64_t product = 1;
  for (int i = 0; i < input.shape_size() && ok; ++i) {
    int64_t size = input.shape(i);
    ok = size >= 1 && size <= kMaxSize;
    if (!ok) {
      place.error("shape", i)
          << "must be from 1 to " << kMaxSize << ", but is " << size;
    } else if ((product *= size) > kMaxSize) {
      place.error("shape", i)
          << "there can be " << kMaxSize << " values at most in one sample";
      ok = false;
    }
  }
  bool hasMinimum = input.has_minimum() && std::isfinite(input.minimum());
  if (!hasMinimum)
    place.error("minimum")
        << "must be given as a finite number, e.g. minimum: 0";
  if (!input.has_maximum() || !std::isfinite(input.maximum()))
    place.error("maximum")
        << "must be given as a finite number, e.g. maximum: 1";
  else if (hasMinimum && input.minimum() >= input.maximum())
    place.error("maximum") << "must be larger than minimum, but is "
                           << std::to_string(input.maximum());
}

void ModelFile::checkLayers(const FileMessage &file) {
  llvm::StringSet<> names;
  // Unknown behind a layer with errors.
  std::optional<SampleShape> shape =
      SampleShape(model.input().shape().begin(), model.input().shape().end());
  for (int i = 0; i < model.layer_size(); ++i) {
    const model::Layer &message = model.layer(i);
    FileMessage place = file.getNested("layer", i);
    std::unique_ptr<Layer> layer = Layer::create(message, i);
    if (!layer) {
      std::vector<std::string> kinds;
      const auto *oneof = message.GetDescriptor()->FindOneofByName("kind");
      for (int k = 0; k < oneof->field_count(); ++k)
        kinds.push_back(oneof->field(k)->name());
      place.error() << "must be one of " << llvm::join(kinds, ", ");
      shape = std::nullopt;
      continue;
    }
    if (message.has_name())
      checkName(place, message.name());
    if (!names.insert(layer->getName()).second) {
      emitError(place.getLocation())
          << "layer.name: two layers have the name \"" << layer->getName()
          << "\"";
      hasErrors = true;
    }
    StringRef kind =
        message.GetReflection()
            ->GetOneofFieldDescriptor(
                message, message.GetDescriptor()->FindOneofByName("kind"))
            ->name();
    if (shape)
      shape = layer->check(place.getNested(kind), *shape);
    // The name appears in profiles, the position in diagnostics.
    layer->setLocation(
        NameLoc::get(StringAttr::get(context, "layer " + llvm::Twine(i)),
                     place.getLocation()));
    layers.push_back(std::move(layer));
  }
  if (shape && shape->size() != 1)
    file.error("layer", model.layer_size() - 1)
        << "the last layer must give one number a class, but gives samples of "
           "shape "
        << llvm::join(
               llvm::map_range(
                   *shape, [](int64_t size) { return std::to_string(size); }),
               " x ");
}

void ModelFile::checkDefaults(const FileMessage &place) {
  model::Defaults &defaults = *model.mutable_defaults();
  defaults.set_batch_size(place.checkSize("batch_size", 32).value_or(1));
  defaults.set_epochs(place.checkSize("epochs", 10).value_or(1));
  place.checkNumber("learning_rate", "a positive number",
                    [](double rate) { return rate > 0; });
  if (defaults.has_schedule())
    schedule =
        readSchedule(place.getNested("schedule"), defaults.schedule(), context);
}
