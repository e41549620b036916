// The export of modules, and of models whose parameters the compiler has
// changed: there the graph computes the initializers of the file from those of
// the checkpoint.
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

} // namespace
