//===- OnnxFile.cpp - Reading ONNX models ---------------------------------===//

#include "frontend/Onnx/OnnxFile.h"

#include "frontend/Onnx/ExternalData.h"
#include "frontend/Onnx/TiedInitializers.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl.h>

#include <fcntl.h>
#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

// Graphs are nested in attributes of nodes: three messages a level.
static constexpr int kMaxMessageDepth = 100;
// They are copied, and a file beside the model may have more than the memory.
static constexpr int64_t kMaxBools = int64_t(1) << 28;
// What the protobuf library can read.
static constexpr uint64_t kMaxFileSize = std::numeric_limits<int>::max();
// Tensors of more bytes are kept as resources, which printing can leave out.
static constexpr size_t kMaxInlineBytes = 4096;

Type mlir::dann::onnx::getElementType(int32_t dataType, MLIRContext *context) {
  Builder b(context);
  switch (dataType) {
  case proto::TensorProto::FLOAT:
    return b.getF32Type();
  case proto::TensorProto::DOUBLE:
    return b.getF64Type();
  case proto::TensorProto::BOOL:
    return b.getI1Type();
  case proto::TensorProto::INT8:
  case proto::TensorProto::UINT8:
    return b.getI8Type();
  case proto::TensorProto::INT16:
  case proto::TensorProto::UINT16:
    return b.getI16Type();
  case proto::TensorProto::INT32:
  case proto::TensorProto::UINT32:
    return b.getI32Type();
  case proto::TensorProto::INT64:
  case proto::TensorProto::UINT64:
    return b.getI64Type();
  default:
    return {};
  }
}

std::string mlir::dann::onnx::getTypeName(int32_t dataType) {
  if (!proto::TensorProto::DataType_IsValid(dataType))
    return "type " + std::to_string(dataType);
  return StringRef(
             proto::TensorProto::DataType_Name(static_cast<DataType>(dataType)))
      .lower();
}

bool mlir::dann::onnx::isUnsigned(int32_t dataType) {
  switch (dataType) {
  case proto::TensorProto::UINT8:
  case proto::TensorProto::UINT16:
  case proto::TensorProto::UINT32:
  case proto::TensorProto::UINT64:
  case proto::TensorProto::BOOL:
    return true;
  default:
    return false;
  }
}

std::optional<int64_t> mlir::dann::onnx::countElements(ArrayRef<int64_t> dims) {
  int64_t product = 1;
  bool isEmpty = false;
  for (int64_t dim : dims) {
    if (dim < 0)
      return std::nullopt;
    if (dim == 0)
      isEmpty = true;
    else if (llvm::MulOverflow(product, dim, product) || product > kMaxElements)
      return std::nullopt;
  }
  return isEmpty ? 0 : product;
}

std::shared_ptr<OnnxFile> OnnxFile::read(StringRef path, MLIRContext *context) {
  std::shared_ptr<OnnxFile> file(new OnnxFile(path, context));
  Location loc = file->getLocation();
  int descriptor;
  // Without waiting for the other end of a pipe.
  descriptor = open(file->path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    emitError(loc) << "cannot read the file: "
                   << std::generic_category().message(errno);
    return nullptr;
  }
  google::protobuf::io::FileInputStream stream(descriptor);
  stream.SetCloseOnDelete(true);
  llvm::sys::fs::file_status status;
  if (std::error_code error = llvm::sys::fs::status(descriptor, status)) {
    emitError(loc) << "cannot read the file: " << error.message();
    return nullptr;
  }
  if (status.type() == llvm::sys::fs::file_type::directory_file) {
    emitError(loc) << "cannot read the file: it is a directory";
    return nullptr;
  }
  if (status.type() != llvm::sys::fs::file_type::regular_file) {
    emitError(loc) << "cannot read the file: it is no regular file";
    return nullptr;
  }
  if (status.getSize() > kMaxFileSize) {
    emitError(loc) << "the file has " << status.getSize()
                   << " bytes; a model has at most 2 GB, and larger weights in "
                      "files beside it";
    return nullptr;
  }
  if (failed(file->parse(stream)))
    return nullptr;
  return file;
}

std::shared_ptr<OnnxFile> OnnxFile::parse(llvm::MemoryBufferRef buffer,
                                          MLIRContext *context) {
  std::shared_ptr<OnnxFile> file(
      new OnnxFile(buffer.getBufferIdentifier(), context));
  if (buffer.getBufferSize() > kMaxFileSize) {
    emitError(file->getLocation()) << "the model has more than 2 GB";
    return nullptr;
  }
  google::protobuf::io::ArrayInputStream stream(
      buffer.getBufferStart(), static_cast<int>(buffer.getBufferSize()));
  if (failed(file->parse(stream)))
    return nullptr;
  return file;
}

LogicalResult
OnnxFile::parse(google::protobuf::io::ZeroCopyInputStream &stream) {
  google::protobuf::io::CodedInputStream coded(&stream);
  coded.SetRecursionLimit(kMaxMessageDepth);
  if (!model.ParseFromCodedStream(&coded) || !coded.ConsumedEntireMessage())
    return emitError(getLocation())
           << "the file is no ONNX model: it does not parse, or nests more "
              "than "
           << kMaxMessageDepth << " levels";
  if (!model.has_graph())
    return emitError(getLocation())
           << "the file is no ONNX model: it has no graph";
  if (model.opset_import_size() > kMaxOpsets)
    return emitError(getLocation())
           << "the model imports " << model.opset_import_size()
           << " sets of operators, more than " << kMaxOpsets;
  tieTransposedInitializers(*model.mutable_graph());
  return success();
}

Location OnnxFile::getLocation() const {
  return NameLoc::get(StringAttr::get(context, path));
}

Location OnnxFile::getLocation(const Twine &name) const {
  return NameLoc::get(StringAttr::get(context, name), getLocation());
}

Location OnnxFile::getLocation(const proto::NodeProto &node) const {
  if (!node.name().empty())
    return getLocation(node.name());
  if (node.output_size() > 0 && !node.output(0).empty())
    return getLocation(node.output(0));
  return getLocation("an unnamed " + node.op_type());
}

std::optional<int64_t> OnnxFile::getOpset(StringRef domain) const {
  auto isDefault = [](StringRef name) {
    return name.empty() || name == "ai.onnx";
  };
  for (const proto::OperatorSetIdProto &opset : model.opset_import())
    if (opset.domain() == domain ||
        (isDefault(opset.domain()) && isDefault(domain)))
      return opset.version();
  return std::nullopt;
}

/// The values of a field that holds elements as wider ones, as bytes.
template <typename Narrow, typename Field>
static std::vector<char> narrow(const Field &values) {
  std::vector<char> bytes(values.size() * sizeof(Narrow));
  char *next = bytes.data();
  for (auto value : values) {
    auto narrowed = static_cast<Narrow>(value);
    std::memcpy(next, &narrowed, sizeof(Narrow));
    next += sizeof(Narrow);
  }
  return bytes;
}

/// The elements of the typed fields of a tensor, as bytes.
static std::vector<char> getTypedBytes(const proto::TensorProto &tensor) {
  switch (tensor.data_type()) {
  case proto::TensorProto::FLOAT:
    return narrow<float>(tensor.float_data());
  case proto::TensorProto::DOUBLE:
    return narrow<double>(tensor.double_data());
  case proto::TensorProto::BOOL:
  case proto::TensorProto::INT8:
  case proto::TensorProto::UINT8:
    return narrow<int8_t>(tensor.int32_data());
  case proto::TensorProto::INT16:
  case proto::TensorProto::UINT16:
    return narrow<int16_t>(tensor.int32_data());
  case proto::TensorProto::INT32:
    return narrow<int32_t>(tensor.int32_data());
  case proto::TensorProto::UINT32:
    return narrow<int32_t>(tensor.uint64_data());
  case proto::TensorProto::INT64:
    return narrow<int64_t>(tensor.int64_data());
  default: // UINT64
    return narrow<int64_t>(tensor.uint64_data());
  }
}

ElementsAttr OnnxFile::getElements(std::shared_ptr<const OnnxFile> file,
                                   const proto::TensorProto &tensor,
                                   Location loc) {
  // The bodies of functions and loops are imported more than once.
  ElementsAttr &known = file->elements[&tensor];
  if (!known)
    known = readElements(file, tensor, loc);
  return known;
}

ElementsAttr OnnxFile::readElements(std::shared_ptr<const OnnxFile> file,
                                    const proto::TensorProto &tensor,
                                    Location loc) {
  static_assert(llvm::endianness::native == llvm::endianness::little,
                "raw data is little-endian");
  Type elementType = onnx::getElementType(tensor.data_type(), file->context);
  if (!elementType) {
    emitError(loc) << "has elements of " << getTypeName(tensor.data_type())
                   << ", which are not supported";
    return {};
  }
  if (tensor.has_segment()) {
    emitError(loc) << "is a segment of a tensor, which is not supported";
    return {};
  }
  SmallVector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  std::optional<int64_t> count = countElements(dims);
  if (!count || static_cast<int64_t>(dims.size()) > kMaxRank) {
    InFlightDiagnostic error = emitError(loc) << "has the shape [";
    llvm::interleaveComma(dims, error);
    error << "]: it may have up to " << kMaxRank
          << " extents, none negative, and up to " << kMaxElements
          << " elements";
    return {};
  }
  size_t bytesPerElement =
      std::max(8u, elementType.getIntOrFloatBitWidth()) / 8;
  size_t expected = *count * bytesPerElement;

  ArrayRef<char> bytes;
  AsmResourceBlob::DeleterFn deleter;
  std::vector<char> typed;
  if (tensor.data_location() == proto::TensorProto::EXTERNAL) {
    std::shared_ptr<llvm::MemoryBuffer> data =
        readExternalData(tensor, file->path, expected, loc);
    if (!data)
      return {};
    bytes = {data->getBufferStart(), data->getBufferSize()};
    deleter = [data](void *, size_t, size_t) {};
  } else if (tensor.has_raw_data()) {
    bytes = {tensor.raw_data().data(), tensor.raw_data().size()};
    deleter = [file](void *, size_t, size_t) {};
  } else {
    auto owned = std::make_shared<std::vector<char>>(getTypedBytes(tensor));
    bytes = *owned;
    deleter = [owned](void *, size_t, size_t) {};
  }
  if (bytes.size() != expected) {
    InFlightDiagnostic error = emitError(loc) << "has the shape [";
    llvm::interleaveComma(dims, error);
    if (bytes.size() % bytesPerElement == 0)
      error << "] and " << bytes.size() / bytesPerElement
            << " elements instead of " << *count;
    else
      error << "] and " << bytes.size() << " bytes instead of " << expected;
    return {};
  }

  auto type = RankedTensorType::get(dims, elementType);
  if (elementType.isInteger(1)) {
    if (*count > kMaxBools) {
      emitError(loc) << "has " << *count << " bools, more than " << kMaxBools;
      return {};
    }
    // Any byte but 0 is true.
    SmallVector<bool> values = llvm::map_to_vector(
        bytes, [](char value) -> bool { return value != 0; });
    return DenseElementsAttr::get(type, values);
  }
  if (bytes.size() <= kMaxInlineBytes || *count == 0)
    return DenseElementsAttr::getFromRawBuffer(type, bytes);
  std::string name = tensor.name().empty() ? "tensor" : tensor.name();
  // The context would try all the names that it gave before.
  if (int number = file->numResources[name]++)
    name += "_" + std::to_string(number);
  return DenseResourceElementsAttr::get(
      type, name,
      UnmanagedAsmResourceBlob::allocateWithAlign(
          bytes, bytesPerElement, std::move(deleter), /*dataIsMutable=*/false));
}
