// ONNX models, without ONNX's schema: the compiler made all of a model but the
// values of the parameters, which are added to it here.
#include "dann/onnx.hpp"

#include "elements.h"
#include "fail.h"
#include "file.h"
#include "parameter_check.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>

namespace dann {

namespace {

using google::protobuf::internal::WireFormatLite;

// Numbers of fields in onnx.proto, where they cannot change any more.
constexpr int kModelGraph = 7;       // ModelProto.graph
constexpr int kGraphInitializer = 5; // GraphProto.initializer
constexpr int kTensorDims = 1;       // TensorProto.dims, not packed
constexpr int kTensorDataType = 2;   // TensorProto.data_type
constexpr int kTensorName = 8;       // TensorProto.name
constexpr int kTensorRawData = 9;    // TensorProto.raw_data, little-endian
// TensorProto.DataType
constexpr std::uint64_t kFloat = 1, kDouble = 11;

// Protobuf's limit for a message.
constexpr std::uint64_t kMaximumSize = INT32_MAX;

/// Serialised fields of a message.
class Fields {
public:
  template <typename Write> explicit Fields(Write write) {
    google::protobuf::io::StringOutputStream stream(&bytes_);
    google::protobuf::io::CodedOutputStream coded(&stream);
    stream_ = &coded;
    write(*this);
    stream_ = nullptr;
  }

  void add_number(int field, std::uint64_t value) {
    stream_->WriteTag(
        WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_VARINT));
    stream_->WriteVarint64(value);
  }

  /// The beginning of a field of `size` bytes, which follow.
  void begin(int field, std::uint64_t size) {
    stream_->WriteTag(WireFormatLite::MakeTag(
        field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED));
    stream_->WriteVarint64(size);
  }

  void add_text(int field, const std::string &text) {
    begin(field, text.size());
    stream_->WriteString(text);
  }

  const std::string &bytes() const { return bytes_; }

private:
  std::string bytes_;
  google::protobuf::io::CodedOutputStream *stream_ = nullptr;
};

/// All of the initializer, as a field of the graph, before its elements.
std::string initializer_head(const Parameter &parameter, ElementType type,
                             std::uint64_t size) {
  Fields tensor([&](Fields &fields) {
    for (std::int64_t extent : parameter.shape)
      fields.add_number(kTensorDims, std::uint64_t(extent));
    fields.add_number(kTensorDataType,
                      type == ElementType::F32 ? kFloat : kDouble);
    fields.add_text(kTensorName, parameter.name);
    fields.begin(kTensorRawData, size);
  });
  Fields field([&](Fields &fields) {
    fields.begin(kGraphInitializer, tensor.bytes().size() + size);
  });
  return field.bytes() + tensor.bytes();
}

} // namespace

void export_onnx(const Program &program, const TensorMap &parameters,
                 const std::string &path, const OnnxOptions &options) {
  const Description &description = program.description();
  if (!program.onnx_)
    fail(ErrorCode::Incompatible, "the model ", description.name,
         " cannot be exported to ONNX: ",
         program.onnx_obstacle_.empty() ? "the program holds no ONNX model"
                                        : program.onnx_obstacle_);
  const Program::OnnxModel &model =
      options.plain_operators && program.plain_onnx_ ? *program.plain_onnx_
                                                     : *program.onnx_;

  // Sizes stand before what they are the sizes of.
  std::vector<std::string> heads;
  std::uint64_t graph_size = model.graph.size();
  for (const Parameter &parameter : description.parameters) {
    std::uint64_t size =
        byte_size_of(parameter.shape, description.element_type);
    heads.push_back(
        initializer_head(parameter, description.element_type, size));
    graph_size += heads.back().size() + size;
  }
  Fields graph([&](Fields &fields) { fields.begin(kModelGraph, graph_size); });
  std::uint64_t total = model.model.size() + graph.bytes().size() + graph_size;
  if (total > kMaximumSize)
    fail(ErrorCode::Incompatible, "the model ", description.name,
         " cannot be exported to ONNX: it would have ", total,
         " bytes, and ONNX's format allows ", kMaximumSize);
  std::vector<Tensor> values = checked_parameters(description, parameters);

  AtomicFile file(path);
  auto write = [&](const std::string &bytes) {
    file.write(bytes.data(), bytes.size());
  };
  write(model.model);
  write(graph.bytes());
  write(model.graph);
  for (std::size_t i = 0; i < values.size(); ++i) {
    write(heads[i]);
    file.write(values[i].bytes(), values[i].byte_size());
  }
  file.commit();
}

} // namespace dann
