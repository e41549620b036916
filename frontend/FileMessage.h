//===- FileMessage.h - A message of a model file and its place ------------===//

#ifndef DANN_FRONTEND_FILEMESSAGE_H
#define DANN_FRONTEND_FILEMESSAGE_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Location.h"

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <optional>
#include <string>

namespace mlir::dann {

// Far beyond any network that a CPU can train, and small enough that no product
// of two sizes overflows.
inline constexpr int64_t kMaxSize = int64_t(1) << 24;
inline constexpr int64_t kMaxWeights = int64_t(1) << 31;

/// A message of a model file, with what errors in it need: where it and its
/// fields stand, and what it is called. A view: the message, the tree of places
/// and the flag outlive it.
class FileMessage {
public:
  using Tree = google::protobuf::TextFormat::ParseInfoTree;

  /// The whole file. Errors set `hasErrors`.
  FileMessage(StringRef fileName, MLIRContext *context,
              const google::protobuf::Message &message, const Tree *tree,
              bool &hasErrors);

  /// The message in the field `field`, the entry `index` of a repeated one. One
  /// that is not given stands where this one does.
  FileMessage getNested(StringRef field, int index = 0) const;

  Location getLocation() const { return location; }
  /// Where a field stands, the entry `index` of a repeated one: where the
  /// message does if the field is not given.
  Location getLocation(StringRef field, int index = 0) const;

  /// Starts an error in a field: "layer[0].dense.units: ". It stands at entry
  /// `index` of a repeated field.
  InFlightDiagnostic error(StringRef field, int index = 0) const;
  /// Starts an error in the message: "layer[0]: ".
  InFlightDiagnostic error() const;
  bool hasErrors() const { return *errors; }

  /// Errors for fields that hold no value of their enumeration.
  void checkEnums() const;
  /// The value of an `int64` field that must be a size: given, unless there is
  /// an `otherwise`, and from 1 to kMaxSize.
  std::optional<int64_t> checkSize(StringRef field,
                                   std::optional<int64_t> otherwise = {}) const;
  /// The value of a `double` field that must be finite and lie in the interval
  /// with the given text, which `isInside` decides.
  std::optional<double> checkNumber(StringRef field, StringRef interval,
                                    llvm::function_ref<bool(double)> isInside,
                                    std::optional<double> otherwise = {}) const;

private:
  FileMessage(const FileMessage &parent,
              const google::protobuf::Message &message, const Tree *tree,
              const std::string &path, Location location)
      : fileName(parent.fileName), message(&message), tree(tree), path(path),
        location(location), errors(parent.errors) {}

  const google::protobuf::FieldDescriptor *getField(StringRef field) const;
  /// Whether a field is given; an error if it must be and is not.
  bool isGiven(const google::protobuf::FieldDescriptor *field,
               bool isRequired) const;

  std::string fileName;
  const google::protobuf::Message *message;
  const Tree *tree; // null for a message that is not in the file
  std::string path; // empty, or e.g. "layer[0].dense"
  Location location;
  bool *errors;
};

} // namespace mlir::dann

#endif // DANN_FRONTEND_FILEMESSAGE_H
