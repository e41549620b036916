// The export of modules, and of models whose parameters the compiler has
// changed: there the graph computes the initializers of the file from those of
// the checkpoint.
#include "model_building.h"

#include "frontend/Onnx/OnnxExport.h"
#include "frontend/Onnx/OnnxImport.h"

#include "Dann/Dann.h"
#include "onnx.pb.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/Parser/Parser.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace mlir;
using namespace mlir::dann;

namespace {

using Floats = std::vector<float>;
using Shape = SmallVector<int64_t>;

class ChangedParameters : public testing::Test {
protected:
  ChangedParameters()
      : path(std::filesystem::temp_directory_path() /
             ("dann-changed-" + std::to_string(getpid()) + ".onnx")) {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(13);
    model.mutable_graph()->set_name("g");
    auto &output = *model.mutable_graph()->add_output();
    output.set_name("y");
  }
  ~ChangedParameters() override { std::filesystem::remove(path); }

  void addParameter(const std::string &name, const Shape &shape,
                    const Floats &values) {
    auto &graph = *model.mutable_graph();
    auto &tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    for (int64_t extent : shape)
      tensor.add_dims(extent);
    for (float value : values)
      tensor.add_float_data(value);
    // All are used.
    auto &node = *graph.add_node();
    node.set_op_type("Neg");
    node.add_input(name);
    node.add_output(name + "-");
    graph.mutable_output(0)->set_name(name + "-");
  }

  void import() {
    std::ofstream(path, std::ios::binary) << model.SerializeAsString();
    module = importOnnx(path.string(), context, &models);
    ASSERT_TRUE(module);
    forward = module->lookupSymbol<func::FuncOp>("forward");
  }

  /// Gives a parameter another role, shape and initial value.
  BlockArgument change(StringRef name, Role role, const Shape &shape,
                       const Floats &values) {
    auto type = RankedTensorType::get(shape, Float32Type::get(&context));
    for (BlockArgument argument : forward.getArguments()) {
      unsigned i = argument.getArgNumber();
      if (forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr) !=
          name)
        continue;
      argument.setType(type);
      forward.setArgAttr(i, DannDialect::kRoleAttr,
                         RoleAttr::get(&context, role));
      forward.setArgAttr(i, DannDialect::kInitialAttr,
                         DenseElementsAttr::get(type, ArrayRef(values)));
      return argument;
    }
    ADD_FAILURE() << "there is no parameter " << name.str();
    return {};
  }

  /// The nodes in front of those of the file.
  std::vector<onnx::NodeProto> adapt() {
    adaptToParameters(models, *module);
    onnx::GraphProto graph;
    EXPECT_TRUE(graph.ParseFromString(models.layers.graph));
    int added = graph.node_size() - model.graph().node_size();
    for (int i = added; i < graph.node_size(); ++i)
      inputs.push_back(graph.node(i).input(0));
    return {graph.node().begin(), graph.node().begin() + added};
  }

  MLIRContext context;
  std::filesystem::path path;
  onnx::ModelProto model;
  OnnxModels models;
  OwningOpRef<ModuleOp> module;
  func::FuncOp forward;
  std::vector<std::string> inputs; // of the nodes of the file
};

TEST_F(ChangedParameters, Unchanged) {
  addParameter("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  import();
  EXPECT_TRUE(adapt().empty());
  EXPECT_EQ(models.obstacle, "");
}

TEST_F(ChangedParameters, Transposed) {
  addParameter("w", {2, 3}, {1, 2, 3, 4, 5, 6});
  addParameter("ones", {2, 3}, {1, 1, 1, 1, 1, 1});
  addParameter("square", {2, 2}, {1, 2, 3, 4});
  addParameter("same", {2, 2}, {5, 6, 7, 8});
  import();
  change("w", Role::Wex, {3, 2}, {1, 4, 2, 5, 3, 6});
  change("ones", Role::Wex, {3, 2}, {1, 1, 1, 1, 1, 1});
  change("square", Role::Wex, {2, 2}, {1, 3, 2, 4});
  change("same", Role::Wex, {2, 2}, {5, 6, 7, 8});
  auto nodes = adapt();
  EXPECT_EQ(models.obstacle, "");
  ASSERT_EQ(nodes.size(), 3u);
  std::vector<std::string> names = {"w", "ones", "square"};
  for (auto [node, name] : llvm::zip(nodes, names)) {
    EXPECT_EQ(node.op_type(), "Transpose");
    EXPECT_EQ(node.input(0), name);
    EXPECT_EQ(node.output(0), name + ".transpose");
  }
  EXPECT_EQ(inputs, (std::vector<std::string>{"w.transpose", "ones.transpose",
                                              "square.transpose", "same"}));
  EXPECT_EQ(models.parameters[0].type.getDimSize(0), 3);
}

TEST_F(ChangedParameters, Ambiguous) {
  addParameter("w", {2, 2}, {1, 2, 2, 1});
  import();
  change("w", Role::Wex, {2, 2}, {1, 2, 2, 1});
  EXPECT_TRUE(adapt().empty());
  EXPECT_EQ(models.obstacle,
            "what the compiler did to the parameter w cannot be undone");
}

TEST_F(ChangedParameters, Reshaped) {
  addParameter("b", {1, 3}, {1, 2, 3});
  import();
  change("b", Role::Bias, {3}, {1, 2, 3});
  auto nodes = adapt();
  ASSERT_EQ(nodes.size(), 2u);
  EXPECT_EQ(nodes[0].attribute(0).t().int64_data(1), 3);
  EXPECT_EQ(nodes[1].op_type(), "Reshape");
  EXPECT_EQ(nodes[1].input(0), "b");
  EXPECT_EQ(nodes[1].input(1), nodes[0].output(0));
  EXPECT_EQ(inputs[0], "b.reshape");
}

TEST_F(ChangedParameters, ExponentialOfAlpha) {
  addParameter("a", {1, 2}, {0.5, 2});
  import();
  change("a", Role::Alpha, {2}, {std::log(0.5f), std::log(2.f)});
  auto nodes = adapt();
  EXPECT_EQ(models.obstacle, "");
  ASSERT_EQ(nodes.size(), 3u);
  EXPECT_EQ(nodes[0].op_type(), "Exp");
  EXPECT_EQ(nodes[0].input(0), "a");
  EXPECT_EQ(nodes[2].op_type(), "Reshape");
  EXPECT_EQ(nodes[2].input(0), "a.exp");
}

TEST_F(ChangedParameters, WeightsOfTheDivisor) {
  addParameter("wex", {3, 2}, {1, 2, 3, 4, 5, 6});
  addParameter("wix", {2, 2}, {1, 2, 3, 4});
  addParameter("wei", {2, 3}, {1, 2, 3, 4, 5, 6});
  // The transpose of wei e^alpha.
  addParameter("weighted", {2, 3}, {0.5, 1, 1.5, 8, 10, 12});
  import();
  Value wex = change("wex", Role::Wex, {3, 2}, {1, 2, 3, 4, 5, 6});
  Value wix = change("wix", Role::Wix, {2, 2}, {1, 2, 3, 4});
  Value wei = change("wei", Role::Wei, {3, 2}, {1, 4, 2, 5, 3, 6});
  Value alpha =
      change("weighted", Role::Alpha, {2}, {std::log(0.5f), std::log(2.f)});
  OpBuilder builder(&context);
  builder.setInsertionPointToStart(&forward.getBody().front());
  auto type = RankedTensorType::get({2, 3}, builder.getF32Type());
  Value x = arith::ConstantOp::create(
      builder, forward.getLoc(),
      builder.getZeroAttr(RankedTensorType::get({2, 2}, builder.getF32Type())));
  EiDenseOp::create(builder, forward.getLoc(), type, x, wex, wix, wei, alpha,
                    Value(), Value(), APFloat(1e-8));
  auto nodes = adapt();
  EXPECT_EQ(models.obstacle, "");
  ASSERT_EQ(nodes.size(), 4u);
  EXPECT_EQ(nodes[0].op_type(), "Transpose"); // of wei
  EXPECT_EQ(nodes[1].op_type(), "Exp");
  EXPECT_EQ(nodes[2].op_type(), "Mul");
  EXPECT_EQ(nodes[2].input(0), "wei");
  EXPECT_EQ(nodes[2].input(1), "weighted.exp");
  EXPECT_EQ(nodes[3].op_type(), "Transpose");
  EXPECT_EQ(inputs[3], "weighted.transpose");
}

TEST_F(ChangedParameters, Unknown) {
  addParameter("w", {2}, {1, 2});
  import();
  change("w", Role::Bias, {2}, {2, 3});
  EXPECT_TRUE(adapt().empty());
  EXPECT_NE(models.obstacle, "");
}

// What the export of a module does not know is said, at its place.
TEST(OnnxExport, RefusesWhatItDoesNotKnow) {
  MLIRContext context;
  context.loadDialect<DannDialect, func::FuncDialect, linalg::LinalgDialect,
                      math::MathDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      "func.func @forward(%x: tensor<?x2xf32> {dann.name = \"x\"})\n"
      "    -> (tensor<?x2xf32> {dann.name = \"y\"}) {\n"
      "  %y = math.exp %x : tensor<?x2xf32>\n"
      "  return %y : tensor<?x2xf32>\n"
      "}\n",
      &context, "model.mlir");
  ASSERT_TRUE(module);
  OnnxModels models = tryExportOnnx(*module);
  EXPECT_EQ(models.obstacle,
            "model.mlir:3: 'math.exp' op cannot be exported to ONNX");
  EXPECT_EQ(models.layers.graph, "");
}

// An argument that is returned, and a product without a bias.
TEST(OnnxExport, NamesResults) {
  MLIRContext context;
  context.loadDialect<DannDialect, func::FuncDialect, linalg::LinalgDialect,
                      tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(R"(
    func.func @forward(%x: tensor<3x2xf32> {dann.name = "x"},
                       %w: tensor<2x4xf32> {dann.name = "first.w",
                                            dann.role = #dann<role w>})
        -> (tensor<3x2xf32> {dann.name = "copy"},
            tensor<3x4xf32> {dann.name = "y"}) {
      %zero = arith.constant 0.0 : f32
      %empty = tensor.empty() : tensor<3x4xf32>
      %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x4xf32>)
        -> tensor<3x4xf32>
      %y = linalg.contract
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                         affine_map<(m, n, k) -> (k, n)>,
                         affine_map<(m, n, k) -> (m, n)>]
        ins(%x, %w : tensor<3x2xf32>, tensor<2x4xf32>)
        outs(%zeros : tensor<3x4xf32>) -> tensor<3x4xf32>
      return %x, %y : tensor<3x2xf32>, tensor<3x4xf32>
    })",
                                                             &context);
  ASSERT_TRUE(module);
  FailureOr<OnnxModels> models = exportOnnx(*module);
  ASSERT_TRUE(succeeded(models));
  onnx::GraphProto graph;
  ASSERT_TRUE(graph.ParseFromString(models->layers.graph));
  ASSERT_EQ(graph.node_size(), 2);
  EXPECT_EQ(graph.node(0).op_type(), "Gemm");
  EXPECT_EQ(graph.node(0).name(), "first");
  EXPECT_EQ(graph.node(0).attribute_size(), 0);
  EXPECT_EQ(graph.node(0).output(0), "y");
  EXPECT_EQ(graph.node(1).op_type(), "Identity");
  EXPECT_EQ(graph.node(1).input(0), "x");
  EXPECT_EQ(graph.node(1).output(0), "copy");
  EXPECT_FALSE(models->plain);
}

/// A model of one recurrent layer with all inputs that its operator has.
::onnx::ModelProto makeRecurrence(const std::string &op) {
  ::onnx::ModelProto model;
  model.set_ir_version(8);
  model_building::add_opset(model, "", 13);
  model_building::add_opset(model, "ai.dann", 1);
  ::onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("recurrence");
  graph.add_output()->set_name("y");
  model_building::describe(*graph.add_input(), "x", {3, 4});
  ::onnx::NodeProto &node = *graph.add_node();
  node.set_domain("ai.dann");
  node.set_op_type(op);
  node.set_name("layer");
  node.add_input("x");
  node.add_output("y");
  auto addInput = [&](const std::string &name,
                      std::initializer_list<int> shape) {
    model_building::add_parameter(graph, node, "layer." + name, shape, 0.5F);
  };
  bool isDivisive = StringRef(op).contains("Shunting");
  if (StringRef(op).starts_with("EI")) {
    for (auto [half, inputs] : {std::pair("u.", 4), std::pair("w.", 2)}) {
      std::string prefix = half;
      addInput(prefix + "wex", {2, inputs});
      addInput(prefix + "wix", {1, inputs});
      addInput(prefix + "wei", {2, 1});
      if (isDivisive) {
        addInput(prefix + "alpha", {1});
        addInput(prefix + "g", {2});
      }
      if (prefix == "u.")
        addInput(prefix + "b", {2});
    }
  } else {
    addInput("u.w", {2, 4});
    addInput("u.b", {2});
    addInput("w.w", {2, 2});
  }
  if (!StringRef(op).ends_with("NoInitial"))
    addInput("h0", {2});
  return model;
}

/// What the import of a model is exported as.
OnnxModels exportAgain(const ::onnx::ModelProto &model) {
  MLIRContext context;
  std::string bytes = model.SerializeAsString();
  OwningOpRef<ModuleOp> module =
      importOnnx(llvm::MemoryBufferRef(bytes, "model.onnx"), context);
  FailureOr<OnnxModels> exported = failure();
  if (module)
    exported = exportOnnx(*module);
  EXPECT_TRUE(succeeded(exported));
  return failed(exported) ? OnnxModels() : std::move(*exported);
}

::onnx::GraphProto readGraph(const OnnxModel &model) {
  ::onnx::GraphProto graph;
  EXPECT_TRUE(graph.ParseFromString(model.graph));
  return graph;
}

/// Takes the relus of a graph and of those in its nodes away.
void dropRelus(::onnx::GraphProto &graph) {
  auto &nodes = *graph.mutable_node();
  for (int i = nodes.size(); i-- > 0;) {
    for (::onnx::AttributeProto &attribute : *nodes[i].mutable_attribute())
      if (attribute.has_g())
        dropRelus(*attribute.mutable_g());
    if (nodes[i].op_type() != "Relu")
      continue;
    const std::string from = nodes[i].output(0), to = nodes[i].input(0);
    nodes.DeleteSubrange(i, 1);
    for (::onnx::NodeProto &node : nodes)
      for (std::string &input : *node.mutable_input())
        if (input == from)
          input = to;
  }
}

// The layers that have no activation too, which no model file can have behind
// which Dale's law is proven: they come back as what they were, and are those
// with a relu but for it. That those compute what they shall is tested with
// numbers.
TEST(Recurrence, OfAllOperators) {
  for (const char *kind : {"EIRecurrent", "EIRecurrentShunting", "Recurrent"})
    for (const char *last : {"", "Last"})
      for (const char *initial : {"", "NoInitial"}) {
        std::string withRelu = std::string(kind) + last + initial;
        std::string linear = std::string(kind) + "Linear" + last + initial;
        SCOPED_TRACE(linear);
        ::onnx::GraphProto plain[2];
        for (int i : {0, 1}) {
          ::onnx::ModelProto model = makeRecurrence(i == 0 ? withRelu : linear);
          OnnxModels models = exportAgain(model);
          ::onnx::GraphProto graph = readGraph(models.layers);
          ASSERT_EQ(graph.node_size(), 1);
          EXPECT_EQ(graph.node(0).op_type(), model.graph().node(0).op_type());
          EXPECT_EQ(
              std::vector<std::string>(graph.node(0).input().begin(),
                                       graph.node(0).input().end()),
              std::vector<std::string>(model.graph().node(0).input().begin(),
                                       model.graph().node(0).input().end()));
          ASSERT_TRUE(models.plain);
          plain[i] = readGraph(*models.plain);
        }
        EXPECT_NE(plain[0].SerializeAsString(), plain[1].SerializeAsString());
        dropRelus(plain[0]);
        EXPECT_EQ(plain[0].SerializeAsString(), plain[1].SerializeAsString());
      }
}

} // namespace
