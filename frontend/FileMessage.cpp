//===- FileMessage.cpp - A message of a model file and its place ----------===//

#include "frontend/FileMessage.h"

#include <cmath>

using namespace mlir;
using namespace mlir::dann;
using google::protobuf::FieldDescriptor;

FileMessage::FileMessage(StringRef fileName, MLIRContext *context,
                         const google::protobuf::Message &message,
                         const Tree *tree, bool &hasErrors)
    : fileName(fileName), message(&message), tree(tree),
      location(FileLineColLoc::get(context, fileName, 1, 1)),
      errors(&hasErrors) {}

const FieldDescriptor *FileMessage::getField(StringRef field) const {
  const FieldDescriptor *descriptor =
      message->GetDescriptor()->FindFieldByName(field.str());
  assert(descriptor && "no field of this message");
  return descriptor;
}

Location FileMessage::getLocation(StringRef field, int index) const {
  const FieldDescriptor *descriptor = getField(field);
  // The tree answers for entries that exist only; a singular field that is not
  // given has the line -1.
  if (!tree ||
      (descriptor->is_repeated() &&
       index >= message->GetReflection()->FieldSize(*message, descriptor)))
    return location;
  google::protobuf::TextFormat::ParseLocation at =
      tree->GetLocation(descriptor, descriptor->is_repeated() ? index : -1);
  if (at.line < 0)
    return location;
  return FileLineColLoc::get(location.getContext(), fileName, at.line + 1,
                             at.column + 1);
}

FileMessage FileMessage::getNested(StringRef field, int index) const {
  const FieldDescriptor *descriptor = getField(field);
  const google::protobuf::Reflection &reflection = *message->GetReflection();
  bool isRepeated = descriptor->is_repeated();
  std::string nestedPath =
      (llvm::Twine(path) + (path.empty() ? "" : ".") + field).str();
  if (isRepeated)
    nestedPath += ("[" + llvm::Twine(index) + "]").str();
  return FileMessage(
      *this,
      isRepeated ? reflection.GetRepeatedMessage(*message, descriptor, index)
                 : reflection.GetMessage(*message, descriptor),
      tree ? tree->GetTreeForNested(descriptor, isRepeated ? index : -1)
           : nullptr,
      nestedPath, getLocation(field, index));
}

InFlightDiagnostic FileMessage::error(StringRef field, int index) const {
  *errors = true;
  return std::move(emitError(getLocation(field, index))
                   << path << (path.empty() ? "" : ".") << field << ": ");
}

InFlightDiagnostic FileMessage::error() const {
  *errors = true;
  return std::move(emitError(location) << path << ": ");
}

void FileMessage::checkEnums() const {
  const google::protobuf::Reflection &reflection = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor *field = message->GetDescriptor()->field(i);
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_ENUM ||
        field->is_repeated())
      continue;
    int value = reflection.GetEnumValue(*message, field);
    if (!field->enum_type()->FindValueByNumber(value))
      error(field->name()) << "unknown value " << static_cast<int64_t>(value);
  }
}

bool FileMessage::isGiven(const FieldDescriptor *field, bool isRequired) const {
  bool given = message->GetReflection()->HasField(*message, field);
  if (!given && isRequired)
    error(field->name()) << "must be given";
  return given;
}

std::optional<int64_t>
FileMessage::checkSize(StringRef field,
                       std::optional<int64_t> otherwise) const {
  const FieldDescriptor *descriptor = getField(field);
  if (!isGiven(descriptor, /*isRequired=*/!otherwise))
    return otherwise;
  int64_t size = message->GetReflection()->GetInt64(*message, descriptor);
  if (size >= 1 && size <= kMaxSize)
    return size;
  error(field) << "must be from 1 to " << kMaxSize << ", but is " << size;
  return std::nullopt;
}

std::optional<double>
FileMessage::checkNumber(StringRef field, StringRef interval,
                         llvm::function_ref<bool(double)> isInside,
                         std::optional<double> otherwise) const {
  const FieldDescriptor *descriptor = getField(field);
  if (!isGiven(descriptor, /*isRequired=*/!otherwise))
    return otherwise;
  double value = message->GetReflection()->GetDouble(*message, descriptor);
  if (std::isfinite(value) && isInside(value))
    return value;
  error(field) << "must be " << interval << ", but is "
               << std::to_string(value);
  return std::nullopt;
}
