//===- ModelFile.h - Reading model files ----------------------------------===//

#ifndef DANN_FRONTEND_MODELFILE_H
#define DANN_FRONTEND_MODELFILE_H

#include "model.pb.h"

#include "mlir/IR/Location.h"

#include <google/protobuf/text_format.h>

#include <optional>
#include <string>

namespace mlir::dann {

/// The number of inputs of the first layer.
int64_t getNumInputs(const ::dann::model::Input &input);

/// A model file that has been checked: whatever it says can be built.
///
/// Guaranteed are a name, an input of at least one value, at least one layer,
/// each of a known kind and with positive sizes, unique layer names, a loss, an
/// optimizer, and all defaults.
class ModelFile {
public:
  /// Parses and checks `text`. Errors are diagnostics at `fileName`, line and
  /// column that name the field and its value; all are reported.
  static std::optional<ModelFile> parse(StringRef text, StringRef fileName,
                                        MLIRContext *context);

  const ::dann::model::Model &getModel() const { return model; }
  /// Where layer `index` stands in the file.
  Location getLayerLocation(int index) const;
  /// Where the input and the optimizer stand in the file.
  Location getInputLocation() const;
  Location getOptimizerLocation() const;

private:
  ModelFile(StringRef fileName, MLIRContext *context)
      : fileName(fileName), context(context) {}

  bool check();
  bool checkInput();
  bool checkLayer(int index);
  /// Where a field of `message`, the entry `index` of a repeated one, stands,
  /// or `otherwise` if it is not given.
  Location locate(const google::protobuf::TextFormat::ParseInfoTree *tree,
                  const google::protobuf::Message &message, StringRef field,
                  int index, Location otherwise) const;
  /// The same for a field of the model; the start of the file if not given.
  Location locate(StringRef field, int index = 0) const;

  std::string fileName;
  MLIRContext *context;
  ::dann::model::Model model;
  // Shared because a ModelFile can be moved and the tree cannot.
  std::shared_ptr<google::protobuf::TextFormat::ParseInfoTree> locations;
};

} // namespace mlir::dann

#endif // DANN_FRONTEND_MODELFILE_H
