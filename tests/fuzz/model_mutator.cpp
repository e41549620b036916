//===- model_mutator.cpp - ONNX models that are slightly wrong ------------===//

#include "model_mutator.h"

#include "onnx.pb.h"

#include <array>
#include <limits>
#include <random>
#include <vector>

using namespace onnx;

namespace {

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kGreatest = std::numeric_limits<int64_t>::max();
constexpr std::array<int64_t, 24> kNumbers = {
    0,          1,         -1,        2,
    -2,         3,         4,         7,
    16,         17,        255,       4096,
    4097,       1 << 20,   kGreatest, kLeast,
    kLeast + 1, 1LL << 31, 1LL << 32, -(1LL << 31),
    1LL << 36,  5,         -3,        (1LL << 36) + 1};
constexpr std::array<const char *, 48> kOperators = {"Add",
                                                     "Reshape",
                                                     "Slice",
                                                     "Concat",
                                                     "Gather",
                                                     "Pad",
                                                     "Resize",
                                                     "Conv",
                                                     "MaxPool",
                                                     "Einsum",
                                                     "Loop",
                                                     "Scan",
                                                     "If",
                                                     "Split",
                                                     "Expand",
                                                     "Tile",
                                                     "Range",
                                                     "OneHot",
                                                     "TopK",
                                                     "GatherND",
                                                     "ScatterND",
                                                     "CumSum",
                                                     "Squeeze",
                                                     "Unsqueeze",
                                                     "Transpose",
                                                     "Flatten",
                                                     "LSTM",
                                                     "GRU",
                                                     "DFT",
                                                     "STFT",
                                                     "Det",
                                                     "Col2Im",
                                                     "GridSample",
                                                     "RoiAlign",
                                                     "Unique",
                                                     "NonZero",
                                                     "Compress",
                                                     "SplitToSequence",
                                                     "SequenceAt",
                                                     "ConvTranspose",
                                                     "ReduceSum",
                                                     "QLinearConv",
                                                     "MatMul",
                                                     "Gemm",
                                                     "CenterCropPad",
                                                     "DepthToSpace",
                                                     "LayerNormalization",
                                                     "Shape"};
constexpr std::array<const char *, 12> kLayers = {
    "EIDense",           "EIDenseShuntingNoGain",
    "EIConv2DShunting",  "EIConv2DNoBias",
    "EIRecurrent",       "EIRecurrentShuntingLastNoInitial",
    "EIRecurrentLinear", "RecurrentLinearLast",
    "Recurrent",         "RecurrentLastNoInitial",
    "ApplyPolarity",     "ApplyColumnPolarity"};
constexpr std::array<float, 6> kFloats = {
    0,
    -1,
    1e30f,
    -0.5f,
    std::numeric_limits<float>::infinity(),
    std::numeric_limits<float>::quiet_NaN()};

class Mutator {
public:
  Mutator(ModelProto &model, uint64_t seed) : model(model), random(seed) {}

  void run() {
    collect(*model.mutable_graph());
    for (FunctionProto &function : *model.mutable_functions())
      for (NodeProto &node : *function.mutable_node())
        collect(node);
    for (size_t i = 0, e = 1 + below(3); i < e; ++i)
      edit();
  }

private:
  size_t below(size_t end) { return end == 0 ? 0 : random() % end; }
  bool oneOf(size_t number) { return below(number) == 0; }
  int64_t number() {
    return oneOf(2) ? static_cast<int64_t>(below(9)) - 2
                    : kNumbers[below(kNumbers.size())];
  }
  std::string name() {
    return names.empty() || oneOf(20) ? "" : names[below(names.size())];
  }

  void collect(GraphProto &graph) {
    for (ValueInfoProto &info : *graph.mutable_input()) {
      infos.push_back(&info);
      names.push_back(info.name());
    }
    for (ValueInfoProto &info : *graph.mutable_output())
      infos.push_back(&info);
    for (TensorProto &tensor : *graph.mutable_initializer()) {
      tensors.push_back(&tensor);
      names.push_back(tensor.name());
    }
    for (NodeProto &node : *graph.mutable_node())
      collect(node);
  }

  void collect(NodeProto &node) {
    nodes.push_back(&node);
    for (const std::string &output : node.output())
      names.push_back(output);
    for (AttributeProto &attribute : *node.mutable_attribute()) {
      attributes.push_back(&attribute);
      if (attribute.has_t())
        tensors.push_back(attribute.mutable_t());
      if (attribute.has_g())
        collect(*attribute.mutable_g());
    }
  }

  void edit() {
    switch (below(10)) {
    case 0:
    case 1:
      if (!infos.empty())
        editType(*infos[below(infos.size())]);
      break;
    case 2:
      if (!tensors.empty())
        editTensor(*tensors[below(tensors.size())]);
      break;
    case 3:
    case 4:
      if (!attributes.empty())
        editAttribute(*attributes[below(attributes.size())]);
      break;
    case 5:
      if (!nodes.empty())
        editNode(*nodes[below(nodes.size())]);
      break;
    case 6:
    case 7:
    case 8:
      fixInput();
      break;
    default:
      if (model.opset_import_size() > 0)
        model.mutable_opset_import(0)->set_version(
            static_cast<int64_t>(below(24)));
    }
  }

  void editType(ValueInfoProto &info) {
    auto *tensor = info.mutable_type()->mutable_tensor_type();
    auto *shape = tensor->mutable_shape();
    size_t at = below(shape->dim_size());
    switch (below(6)) {
    case 0:
      tensor->set_elem_type(static_cast<int32_t>(below(20)));
      break;
    case 1:
      shape->add_dim()->set_dim_value(number());
      break;
    case 2:
      if (shape->dim_size() > 0)
        shape->mutable_dim()->RemoveLast();
      break;
    case 3:
      if (shape->dim_size() > 0)
        shape->mutable_dim(0)->set_dim_param("n");
      break;
    default:
      if (shape->dim_size() > 0)
        shape->mutable_dim(static_cast<int>(at))->set_dim_value(number());
    }
  }

  void editTensor(TensorProto &tensor) {
    switch (below(5)) {
    case 0:
      tensor.set_data_type(static_cast<int32_t>(below(20)));
      break;
    case 1:
      tensor.add_dims(number());
      break;
    case 2:
      tensor.mutable_raw_data()->resize(below(64), '\1');
      break;
    case 3:
      if (tensor.int64_data_size() > 0) {
        tensor.set_int64_data(static_cast<int>(below(tensor.int64_data_size())),
                              number());
      } else if (tensor.float_data_size() > 0) {
        tensor.set_float_data(static_cast<int>(below(tensor.float_data_size())),
                              kFloats[below(kFloats.size())]);
      } else if (tensor.raw_data().size() >= 8) {
        int64_t value = number();
        tensor.mutable_raw_data()->replace(
            below(tensor.raw_data().size() / 8) * 8, 8,
            reinterpret_cast<const char *>(&value), 8);
      }
      break;
    default:
      if (tensor.dims_size() > 0)
        tensor.set_dims(static_cast<int>(below(tensor.dims_size())), number());
    }
  }

  void editAttribute(AttributeProto &attribute) {
    if (oneOf(16)) {
      attribute.set_type(static_cast<AttributeProto::AttributeType>(below(9)));
    } else if (attribute.ints_size() > 0) {
      if (oneOf(4))
        attribute.add_ints(number());
      else
        attribute.set_ints(static_cast<int>(below(attribute.ints_size())),
                           number());
    } else if (attribute.floats_size() > 0) {
      attribute.set_floats(static_cast<int>(below(attribute.floats_size())),
                           kFloats[below(kFloats.size())]);
    } else if (attribute.has_i()) {
      attribute.set_i(number());
    } else if (attribute.has_f()) {
      attribute.set_f(kFloats[below(kFloats.size())]);
    } else if (attribute.has_s()) {
      attribute.mutable_s()->append(1, static_cast<char>(below(256)));
    } else {
      attribute.mutable_name()->append("s");
    }
  }

  void editNode(NodeProto &node) {
    switch (below(6)) {
    case 0:
      node.add_input(name());
      break;
    case 1:
      if (node.input_size() > 0)
        node.mutable_input()->RemoveLast();
      break;
    case 2:
      if (node.domain() == "ai.dann")
        node.set_op_type(kLayers[below(kLayers.size())]);
      else
        node.set_op_type(oneOf(2) ? nodes[below(nodes.size())]->op_type()
                                  : kOperators[below(kOperators.size())]);
      break;
    case 3:
      node.add_output("more" + std::to_string(below(4)));
      break;
    case 4:
      if (node.attribute_size() > 0)
        node.mutable_attribute()->RemoveLast();
      break;
    default:
      if (node.input_size() > 0)
        node.set_input(static_cast<int>(below(node.input_size())), name());
    }
  }

  /// Makes an input a constant, so that what depends on it is known.
  void fixInput() {
    GraphProto &graph = *model.mutable_graph();
    if (graph.input_size() == 0)
      return;
    auto index = static_cast<int>(below(graph.input_size()));
    const ValueInfoProto &info = graph.input(index);
    const auto &type = info.type().tensor_type();
    TensorProto tensor;
    tensor.set_name(info.name());
    tensor.set_data_type(type.elem_type());
    int64_t count = 1;
    for (const auto &dim : type.shape().dim()) {
      tensor.add_dims(dim.dim_value());
      if (dim.dim_value() < 0 || dim.dim_value() > 64 || count > 256)
        return;
      count *= dim.dim_value();
    }
    for (int64_t i = 0; i < count; ++i) {
      int64_t value = oneOf(4) ? number() : static_cast<int64_t>(below(4));
      switch (type.elem_type()) {
      case TensorProto::INT64:
        tensor.add_int64_data(value);
        break;
      case TensorProto::FLOAT:
        tensor.add_float_data(static_cast<float>(value));
        break;
      case TensorProto::DOUBLE:
        tensor.add_double_data(static_cast<double>(value));
        break;
      default:
        tensor.add_int32_data(static_cast<int32_t>(value));
      }
    }
    graph.mutable_input()->DeleteSubrange(index, 1);
    *graph.add_initializer() = tensor;
    infos.clear();
    tensors.clear();
  }

  ModelProto &model;
  std::mt19937_64 random;
  std::vector<ValueInfoProto *> infos;
  std::vector<TensorProto *> tensors;
  std::vector<AttributeProto *> attributes;
  std::vector<NodeProto *> nodes;
  std::vector<std::string> names;
};

} // namespace

std::string mutateModel(const std::string &bytes, uint64_t seed) {
  ModelProto model;
  if (!model.ParseFromString(bytes))
    return bytes;
  Mutator(model, seed).run();
  return model.SerializeAsString();
}
