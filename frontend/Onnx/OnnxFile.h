//===- OnnxFile.h - Reading ONNX models -----------------------------------===//

#ifndef DANN_FRONTEND_ONNX_ONNXFILE_H
#define DANN_FRONTEND_ONNX_ONNXFILE_H

#include "onnx.pb.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Location.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/MemoryBufferRef.h"

#include <memory>
#include <string>

namespace mlir::dann::onnx {

namespace proto = ::onnx;
using DataType = proto::TensorProto::DataType;

// Far beyond any network that a CPU can run, and small enough that sizes in
// bytes do not overflow.
constexpr int64_t kMaxElements = int64_t(1) << 36;
constexpr int64_t kMaxRank = 16;
constexpr int kMaxNodes = 200000;
constexpr unsigned kMaxDepth = 16; // of graphs in graphs
// What a small file can ask for again and again, with functions, loops over
// sequences and names that are looked up.
constexpr int64_t kMaxUses = int64_t(1) << 22;
constexpr int64_t kMaxOperations = int64_t(1) << 22; // of the IR
constexpr int kMaxAttributes = 256;                  // of a node
constexpr int kMaxOpsets = 256;                      // of a model or function

/// The element type of tensors of an ONNX type: f32, f64, signless integers, i1
/// for bool; null for types that are not supported.
Type getElementType(int32_t dataType, MLIRContext *context);
/// "float", "uint8", ...
std::string getTypeName(int32_t dataType);
/// Whether integers of the type have no sign.
bool isUnsigned(int32_t dataType);

/// The product of `dims`; none if one is negative or there are more than
/// kMaxElements, not counting the dimensions of size 0. So no product of some
/// of them overflows.
std::optional<int64_t> countElements(ArrayRef<int64_t> dims);

/// An ONNX model file that could be read. The contents of its graph are
/// unchecked.
class OnnxFile {
public:
  /// Reads the file. Errors are diagnostics that name it.
  static std::shared_ptr<OnnxFile> read(StringRef path, MLIRContext *context);
  /// The same for bytes in memory, as if they were in the file that the buffer
  /// is named after.
  static std::shared_ptr<OnnxFile> parse(llvm::MemoryBufferRef buffer,
                                         MLIRContext *context);

  const proto::ModelProto &getModel() const { return model; }
  StringRef getPath() const { return path; }
  /// The file.
  Location getLocation() const;
  /// A part of the file: `name` in profiles and diagnostics.
  Location getLocation(const Twine &name) const;
  /// A node: by its name, or that of its first output.
  Location getLocation(const proto::NodeProto &node) const;
  /// The imported version of the operators of `domain`, if any.
  std::optional<int64_t> getOpset(StringRef domain) const;

  /// The contents of a tensor in the file or beside it. Those of large tensors
  /// are not copied: the attribute keeps this file alive. A tensor that is read
  /// again is the same attribute. Null after a diagnostic at `loc`.
  static ElementsAttr getElements(std::shared_ptr<const OnnxFile> file,
                                  const proto::TensorProto &tensor,
                                  Location loc);

private:
  OnnxFile(StringRef path, MLIRContext *context)
      : path(path), context(context) {}

  LogicalResult parse(google::protobuf::io::ZeroCopyInputStream &stream);

  static ElementsAttr readElements(std::shared_ptr<const OnnxFile> file,
                                   const proto::TensorProto &tensor,
                                   Location loc);

  std::string path;
  MLIRContext *context;
  proto::ModelProto model;
  mutable llvm::DenseMap<const proto::TensorProto *, ElementsAttr> elements;
  mutable llvm::StringMap<int> numResources; // by name
};

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_ONNXFILE_H
