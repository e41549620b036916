//===- Weightless.cpp - ONNX models without the values of parameters ------===//

#include "frontend/Onnx/Weightless.h"

#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/ExternalData.h"

#include "Dann/Dann.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

static OnnxModel split(proto::ModelProto model) {
  OnnxModel parts;
  parts.graph = model.graph().SerializeAsString();
  model.clear_graph();
  parts.model = model.SerializeAsString();
  return parts;
}

OnnxModels mlir::dann::onnx::makeForms(proto::ModelProto model,
                                       int32_t dataType) {
  OnnxModels forms;
  if (hasLayers(model)) {
    proto::ModelProto plain = model;
    expandLayers(plain, dataType);
    forms.plain = split(std::move(plain));
    addLayerFunctions(model, dataType);
  }
  forms.layers = split(std::move(model));
  return forms;
}

/// Replaces a reference to a file beside the model by what is there.
static LogicalResult takeIn(proto::TensorProto &tensor, const OnnxFile &file) {
  if (tensor.data_location() != proto::TensorProto::EXTERNAL)
    return success();
  Location loc = file.getLocation(tensor.name());
  SmallVector<int64_t> dims(tensor.dims().begin(), tensor.dims().end());
  std::optional<int64_t> count = countElements(dims);
  Type type = dann::onnx::getElementType(tensor.data_type(), loc.getContext());
  if (!count || !type)
    return emitError(loc) << "cannot be taken into the model";
  std::shared_ptr<llvm::MemoryBuffer> data = readExternalData(
      tensor, file.getPath(),
      *count * (std::max(8u, type.getIntOrFloatBitWidth()) / 8), loc);
  if (!data)
    return failure();
  tensor.set_raw_data(data->getBufferStart(), data->getBufferSize());
  tensor.clear_data_location();
  tensor.clear_external_data();
  return success();
}

static LogicalResult takeIn(proto::GraphProto &graph, const OnnxFile &file) {
  for (proto::TensorProto &tensor : *graph.mutable_initializer())
    if (failed(takeIn(tensor, file)))
      return failure();
  for (proto::NodeProto &node : *graph.mutable_node())
    for (proto::AttributeProto &attribute : *node.mutable_attribute()) {
      if ((attribute.has_t() && failed(takeIn(*attribute.mutable_t(), file))) ||
          (attribute.has_g() && failed(takeIn(*attribute.mutable_g(), file))))
        return failure();
    }
  return success();
}

FailureOr<OnnxModels> mlir::dann::onnx::removeParameters(const OnnxFile &file,
                                                         func::FuncOp forward) {
  std::vector<OnnxParameter> parameters;
  llvm::StringSet<> names;
  for (auto [i, type] : llvm::enumerate(forward.getArgumentTypes())) {
    auto role = forward.getArgAttrOfType<RoleAttr>(i, DannDialect::kRoleAttr);
    if (!role)
      continue;
    auto name = forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
    parameters.push_back(
        {name.str(), cast<RankedTensorType>(type), role.getValue(),
         forward.getArgAttrOfType<ElementsAttr>(i, DannDialect::kInitialAttr)});
    names.insert(name);
  }

  // Field by field: a copy of all would hold all values twice.
  const proto::ModelProto &from = file.getModel();
  proto::ModelProto model;
  if (from.has_ir_version())
    model.set_ir_version(from.ir_version());
  *model.mutable_opset_import() = from.opset_import();
  if (from.has_producer_name())
    model.set_producer_name(from.producer_name());
  if (from.has_producer_version())
    model.set_producer_version(from.producer_version());
  if (from.has_domain())
    model.set_domain(from.domain());
  if (from.has_model_version())
    model.set_model_version(from.model_version());
  if (from.has_doc_string())
    model.set_doc_string(from.doc_string());
  *model.mutable_metadata_props() = from.metadata_props();
  *model.mutable_training_info() = from.training_info();
  *model.mutable_functions() = from.functions();
  proto::GraphProto &graph = *model.mutable_graph();
  *graph.mutable_node() = from.graph().node();
  if (from.graph().has_name())
    graph.set_name(from.graph().name());
  for (const proto::TensorProto &tensor : from.graph().initializer())
    if (!names.contains(tensor.name()))
      *graph.add_initializer() = tensor;
  if (from.graph().has_doc_string())
    graph.set_doc_string(from.graph().doc_string());
  *graph.mutable_input() = from.graph().input();
  *graph.mutable_output() = from.graph().output();
  *graph.mutable_value_info() = from.graph().value_info();
  *graph.mutable_quantization_annotation() =
      from.graph().quantization_annotation();
  if (failed(takeIn(graph, file)))
    return failure();
  int32_t dataType = proto::TensorProto::FLOAT;
  forward.walk([&](EiDenseOp layer) {
    if (getElementTypeOrSelf(layer.getZ().getType()).isF64())
      dataType = proto::TensorProto::DOUBLE;
  });
  OnnxModels forms = makeForms(std::move(model), dataType);
  forms.parameters = std::move(parameters);
  return forms;
}
