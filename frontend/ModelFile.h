//===- ModelFile.h - Reading model files ----------------------------------===//

#ifndef DANN_FRONTEND_MODELFILE_H
#define DANN_FRONTEND_MODELFILE_H

#include "frontend/FileMessage.h"
#include "frontend/Layers/Layer.h"
#include "frontend/ModelOptimizer.h"
#include "model.pb.h"

#include <memory>
#include <optional>
#include <string>

namespace mlir::dann {

/// A model file that has been checked: whatever it says can be built.
///
/// Guaranteed are a name, an input of at least one value, at least one layer,
/// layers that fit together and the last of which gives one number a class, a
/// loss, an optimizer, and all defaults.
class ModelFile {
public:
  /// Parses and checks `text`. Errors are diagnostics at `fileName`, line and
  /// column that name the field and its value; all are reported. Returns null
  /// if there are some.
  static std::unique_ptr<ModelFile> parse(StringRef text, StringRef fileName,
                                          MLIRContext *context);

  const ::dann::model::Model &getModel() const { return model; }
  /// The ONNX model that has the network; empty if the file has it.
  std::string getOnnxPath() const;
  /// From the input on.
  ArrayRef<std::unique_ptr<Layer>> getLayers() const { return layers; }
  /// Null if the learning rate is constant.
  ScheduleAttr getSchedule() const { return schedule; }
  const ModelOptimizer &getOptimizer() const { return optimizer; }
  /// Where the input and the optimizer stand in the file.
  Location getInputLocation() const { return getFile().getLocation("input"); }
  Location getOptimizerLocation() const {
    return getFile().getLocation("optimizer");
  }
  Location getOnnxLocation() const { return getFile().getLocation("onnx"); }

private:
  ModelFile(StringRef fileName, MLIRContext *context)
      : fileName(fileName), context(context) {}

  FileMessage getFile() const {
    return FileMessage(fileName, context, model, &tree, hasErrors);
  }
  void check();
  void checkInput(const FileMessage &input);
  void checkLayers(const FileMessage &file);
  void checkDefaults(const FileMessage &defaults);

  std::string fileName;
  MLIRContext *context;
  ::dann::model::Model model;
  google::protobuf::TextFormat::ParseInfoTree tree;
  std::vector<std::unique_ptr<Layer>> layers;
  ModelOptimizer optimizer;
  ScheduleAttr schedule;
  mutable bool hasErrors = false;
};

} // namespace mlir::dann

#endif // DANN_FRONTEND_MODELFILE_H
