// Pieces of ONNX models that tests make themselves.
#ifndef DANN_TESTS_ONNX_MODEL_BUILDING_H
#define DANN_TESTS_ONNX_MODEL_BUILDING_H

#include "onnx.pb.h"

#include <initializer_list>
#include <string>

namespace model_building {

inline void add_opset(onnx::ModelProto &model, const char *domain,
                      int version) {
  auto &opset = *model.add_opset_import();
  opset.set_domain(domain);
  opset.set_version(version);
}

/// A float tensor [batch, extents...].
inline void describe(onnx::ValueInfoProto &info, const char *name,
                     std::initializer_list<int> extents) {
  info.set_name(name);
  auto &type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  for (int extent : extents)
    type.mutable_shape()->add_dim()->set_dim_value(extent);
}

/// Makes a float initializer whose elements are all `value` the next input of
/// `node`.
inline void add_parameter(onnx::GraphProto &graph, onnx::NodeProto &node,
                          const std::string &name,
                          std::initializer_list<int> shape, float value) {
  auto &tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  int count = 1;
  for (int extent : shape) {
    tensor.add_dims(extent);
    count *= extent;
  }
  for (int i = 0; i < count; ++i)
    tensor.add_float_data(value);
  node.add_input(name);
}

} // namespace model_building

#endif // DANN_TESTS_ONNX_MODEL_BUILDING_H
