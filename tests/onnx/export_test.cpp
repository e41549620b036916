// Exported models, imported again: they compute what the program computes that
// they come from, also where functions stand in for layers.
#include "model_building.h"

#include "dann/dann.hpp"
#include "onnx.pb.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;
using dann::ElementType;
using dann::Tensor;
using namespace model_building;

class Export : public testing::Test {
protected:
  Export() {
    std::string name = fs::temp_directory_path() / "dann-export-XXXXXX";
    directory = mkdtemp(name.data());
  }
  ~Export() override { fs::remove_all(directory); }

  std::shared_ptr<const dann::Program>
  compile(const fs::path &model, const std::string &options = "") {
    fs::path object =
        directory / (std::to_string(++programs) + ".so"); // not loaded yet
    std::string command = std::string(DANN_COMPILE) + " " + model.string() +
                          " " + options + " --emit=shared -o " +
                          object.string();
    if (std::system(command.c_str()) != 0)
      throw std::runtime_error(command + " failed");
    return dann::Program::load(object);
  }

  /// Values that keep the contracts, and are not those that layers begin with.
  static dann::TensorMap random_parameters(const dann::Program &program) {
    std::mt19937 generator(1);
    std::uniform_real_distribution<double> uniform(0, 1);
    dann::TensorMap values;
    for (const dann::Parameter &parameter : program.description().parameters) {
      Tensor tensor(ElementType::F64, parameter.shape);
      double low = parameter.sign == dann::Sign::NonNegative ? 0 : -0.5;
      double high = parameter.sign == dann::Sign::NonPositive ? 0 : 1;
      // Behind relu most units shall give something.
      if (parameter.role == "b")
        low = 0, high = 3;
      for (std::int64_t i = 0; i < tensor.element_count(); ++i) {
        double value = low + (high - low) * uniform(generator);
        if (parameter.role == "polarity")
          value = value < 0 ? -1 : 1;
        tensor.data<double>()[i] = value;
      }
      values.emplace(parameter.name, std::move(tensor));
    }
    return values;
  }

  static Tensor random_input(const dann::Program &program) {
    std::mt19937 generator(2);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (const dann::EntryPoint &entry : program.description().entry_points)
      for (const dann::Argument &argument : entry.arguments)
        if (argument.name == "x") {
          dann::Shape shape = argument.shape;
          shape[0] = 5;
          Tensor x(ElementType::F64, shape);
          for (std::int64_t i = 0; i < x.element_count(); ++i)
            x.data<double>()[i] = uniform(generator);
          return x;
        }
    throw std::runtime_error("there is no input x");
  }

  /// What `forward` gives for the random input.
  static std::vector<double> forward(dann::Session &session) {
    const dann::Program &program = session.program();
    dann::TensorMap results =
        session.run("forward", {{"x", random_input(program)}});
    EXPECT_EQ(results.size(), 1u);
    const Tensor &result = results.begin()->second;
    std::vector<double> values;
    for (std::int64_t i = 0; i < result.element_count(); ++i)
      values.push_back(result.element_type() == ElementType::F32
                           ? double(result.data<const float>()[i])
                           : result.data<const double>()[i]);
    return values;
  }

  static void expect_near(const std::vector<double> &actual,
                          const std::vector<double> &expected,
                          double tolerance) {
    ASSERT_EQ(actual.size(), expected.size());
    double largest = 0;
    for (double value : expected)
      largest = std::max(largest, std::abs(value));
    ASSERT_GT(largest, 0);
    for (std::size_t i = 0; i < actual.size(); ++i)
      EXPECT_NEAR(actual[i], expected[i], tolerance * largest) << i;
  }

  static onnx::ModelProto read(const fs::path &path) {
    onnx::ModelProto model;
    std::ifstream stream(path, std::ios::binary);
    EXPECT_TRUE(model.ParseFromIstream(&stream));
    return model;
  }

  /// The model under another name of the domain, of which dann knows no
  /// operator, so that it uses the functions.
  void rename_domain(const fs::path &from, const fs::path &to) {
    onnx::ModelProto model = read(from);
    auto rename = [](auto &owner) {
      if (owner.domain() == "ai.dann")
        owner.set_domain("other");
    };
    for (auto &opset : *model.mutable_opset_import())
      rename(opset);
    for (auto &node : *model.mutable_graph()->mutable_node())
      rename(node);
    for (auto &function : *model.mutable_functions())
      rename(function);
    std::ofstream stream(to, std::ios::binary);
    EXPECT_TRUE(model.SerializeToOstream(&stream));
  }

  /// Exports with random parameters in all forms, and compares.
  void check(const std::shared_ptr<const dann::Program> &program) {
    dann::Session session(program, {1});
    session.set_parameters(random_parameters(*program));
    std::vector<double> expected = forward(session);
    // Sums in another order: the folded layers of inference and plain ones.
    double tolerance =
        program->description().element_type == ElementType::F32 ? 1e-5 : 1e-12;

    fs::path layers = directory / "layers.onnx";
    fs::path plain = directory / "plain.onnx";
    dann::export_onnx(*program, session.parameters(), layers);
    dann::export_onnx(*program, session.parameters(), plain,
                      {/*plain_operators=*/true});
    rename_domain(layers, directory / "functions.onnx");
    onnx::ModelProto expanded = read(plain);
    EXPECT_EQ(expanded.functions_size(), 0);
    for (const auto &node : expanded.graph().node())
      EXPECT_EQ(node.domain(), "");
    for (const char *name : {"layers", "plain", "functions"}) {
      SCOPED_TRACE(name);
      dann::Session again(compile(directory / (std::string(name) + ".onnx")),
                          {1});
      // Doubles are no parameters of imported models.
      if (program->description().element_type == ElementType::F32) {
        EXPECT_EQ(again.parameters().size(),
                  program->description().parameters.size());
      }
      // They begin with the values in the file.
      expect_near(forward(again), expected, tolerance);
    }
  }

  fs::path directory;
  int programs = 0;
};

TEST_F(Export, DivisiveLayers) { check(compile(DANN_GOLDEN "/dense.txtpb")); }

TEST_F(Export, SubtractiveLayers) {
  check(compile(DANN_GOLDEN "/dense_subtractive.txtpb"));
}

TEST_F(Export, AllKindsOfLayers) {
  check(compile(DANN_FRONTEND_TESTS "/layers.txtpb"));
}

TEST_F(Export, DoublePrecision) {
  check(compile(DANN_FRONTEND_TESTS "/layers.txtpb", "--precision=f64"));
}

// Normalisations and polarities are ordinary maths.
TEST_F(Export, Baselines) {
  for (const char *network : {"layer_norm", "layer_norm_as_coded", "batch_norm",
                              "column_ei", "frozen"}) {
    SCOPED_TRACE(network);
    check(compile(std::string(DANN_GOLDEN "/") + network + ".txtpb"));
  }
}

// Convolutions and recurrence have operators of their own; pooling is ONNX'.
TEST_F(Export, ImagesAndSequences) {
  for (const char *network : {"conv", "images", "rnn"}) {
    SCOPED_TRACE(network);
    check(compile(std::string(DANN_GOLDEN "/") + network + ".txtpb"));
  }
}

// All variants of recurrence.
TEST_F(Export, Sequences) {
  check(compile(DANN_ONNX_TESTS "/Inputs/sequences.txtpb"));
  check(compile(DANN_ONNX_TESTS "/Inputs/sequences.txtpb", "--precision=f64"));
}

// What was raised from plain operators goes back to them.
TEST_F(Export, RaisedConvolutions) {
  for (const char *model :
       {"paper", "flat", "pixelwise", "strength-folded", "permuted"}) {
    SCOPED_TRACE(model);
    check(compile(std::string(DANN_ONNX_TESTS "/models/ei-conv-") + model +
                  "/model.onnx"));
  }
}

// The statistics of a batch of unknown size are not.
TEST_F(Export, SaysWhyItCannot) {
  auto program = compile(DANN_GOLDEN "/batch_norm_as_coded.txtpb");
  dann::Session session(program, {1});
  session.set_parameters(random_parameters(*program));
  try {
    dann::export_onnx(*program, session.parameters(), directory / "out.onnx");
    FAIL() << "it was exported";
  } catch (const dann::Error &error) {
    EXPECT_NE(std::string(error.what()).find("batch_norm_as_coded.txtpb:4: "),
              std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("cannot be exported to ONNX"),
              std::string::npos)
        << error.what();
  }
}

// A model with each of the operators.
TEST_F(Export, LayersWithoutOptionalInputs) {
  onnx::ModelProto model;
  model.set_ir_version(7);
  add_opset(model, "", 13);
  add_opset(model, "ai.dann", 1);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("variants");
  describe(*graph.add_input(), "x", {4});
  onnx::NodeProto sum;
  sum.set_op_type("Sum");
  sum.add_output("y");
  int layers = 0;
  auto add_layer = [&](bool shunting, bool gain, bool bias, bool named) {
    std::string layer = std::to_string(layers++);
    auto &node = *graph.add_node();
    node.set_domain("ai.dann");
    std::string type = shunting ? "EIDenseShunting" : "EIDense";
    if (named && shunting && !gain)
      type += "NoGain";
    if (named && !bias)
      type += "NoBias";
    node.set_op_type(type);
    node.add_input("x");
    auto add_input = [&](const char *role, std::initializer_list<int> shape) {
      add_parameter(graph, node, layer + "." + role, shape, 0);
    };
    add_input("wex", {4, 4});
    add_input("wix", {2, 4});
    add_input("wei", {4, 2});
    if (shunting)
      add_input("alpha", {2});
    if (gain)
      add_input("gain", {4});
    else if (shunting && bias && !named)
      node.add_input("");
    if (bias)
      add_input("bias", {4});
    node.add_output(layer + ".z");
    sum.add_input(layer + ".z");
  };
  for (bool named : {false, true}) {
    add_layer(true, true, true, named);
    add_layer(true, false, true, named);
    add_layer(true, true, false, named);
    add_layer(true, false, false, named);
    add_layer(false, false, true, named);
    add_layer(false, false, false, named);
  }
  *graph.add_node() = sum;
  describe(*graph.add_output(), "y", {4});
  std::ofstream(directory / "model.onnx", std::ios::binary)
      << model.SerializeAsString();

  std::shared_ptr<const dann::Program> program =
      compile(directory / "model.onnx");
  check(program);
  onnx::ModelProto exported = read(directory / "layers.onnx");
  EXPECT_EQ(exported.functions_size(), 6);
  EXPECT_EQ(exported.ir_version(), 8);
  EXPECT_EQ(exported.graph().node_size(), 13);
}

// Recurrent layers without an activation. Those of E/I units are in
// weightless_test.cpp: what comes of their states breaks Dale's law.
TEST_F(Export, LinearRecurrence) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  add_opset(model, "", 13);
  add_opset(model, "ai.dann", 1);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("linear");
  describe(*graph.add_input(), "x", {3, 4});
  auto add_layer = [&](const std::string &type, const std::string &x,
                       bool has_initial) {
    std::string layer = std::to_string(graph.node_size());
    auto &node = *graph.add_node();
    node.set_domain("ai.dann");
    node.set_op_type(type);
    node.set_name(layer);
    node.add_input(x);
    auto add_input = [&](const char *role, std::initializer_list<int> shape) {
      add_parameter(graph, node, layer + "." + role, shape, 0);
    };
    add_input("u.w", {4, 4});
    add_input("u.b", {4});
    add_input("w.w", {4, 4});
    if (has_initial)
      add_input("h0", {4});
    node.add_output(layer + ".states");
    return node.output(0);
  };
  std::string first = add_layer("RecurrentLinear", "x", true);
  std::string second = add_layer("RecurrentLinearNoInitial", first, false);
  std::string third = add_layer("RecurrentLinearLast", second, true);
  std::string fourth = add_layer("RecurrentLinearLastNoInitial", second, false);
  auto &difference = *graph.add_node();
  difference.set_op_type("Sub");
  difference.add_input(third);
  difference.add_input(fourth);
  difference.add_output("y");
  describe(*graph.add_output(), "y", {4});
  std::ofstream(directory / "model.onnx", std::ios::binary)
      << model.SerializeAsString();

  check(compile(directory / "model.onnx"));
  onnx::ModelProto exported = read(directory / "layers.onnx");
  EXPECT_EQ(exported.functions_size(), 4);
  onnx::ModelProto plain = read(directory / "plain.onnx");
  for (const auto &node : plain.graph().node())
    EXPECT_NE(node.op_type(), "Relu");
}

// What is no parameter stays in the model, also from files beside it.
TEST_F(Export, KeepsConstantsOfImportedModels) {
  onnx::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(13);
  onnx::GraphProto &graph = *model.mutable_graph();
  graph.set_name("constants");
  describe(*graph.add_input(), "x", {2});
  describe(*graph.add_output(), "y", {2});
  auto add_node = [&](const char *type, const char *a, const char *b,
                      const char *output) {
    auto &node = *graph.add_node();
    node.set_op_type(type);
    node.add_input(a);
    node.add_input(b);
    node.add_output(output);
  };
  add_node("MatMul", "x", "w", "p");
  add_node("Reshape", "p", "shape", "y");
  float weights[] = {1, 2, 3, 4};
  std::int64_t shape[] = {-1, 2};
  auto add_external = [&](const char *name, onnx::TensorProto::DataType type,
                          std::initializer_list<int> dims, const void *data,
                          std::size_t size) {
    auto &tensor = *graph.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type);
    for (int extent : dims)
      tensor.add_dims(extent);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    auto &location = *tensor.add_external_data();
    location.set_key("location");
    location.set_value(std::string(name) + ".bin");
    std::ofstream(directory / (std::string(name) + ".bin"), std::ios::binary)
        << std::string(static_cast<const char *>(data), size);
  };
  add_external("w", onnx::TensorProto::FLOAT, {2, 2}, weights, sizeof weights);
  add_external("shape", onnx::TensorProto::INT64, {2}, shape, sizeof shape);
  std::ofstream(directory / "model.onnx", std::ios::binary)
      << model.SerializeAsString();
  std::shared_ptr<const dann::Program> program =
      compile(directory / "model.onnx");
  fs::remove(directory / "shape.bin");
  check(program);
  onnx::ModelProto exported = read(directory / "layers.onnx");
  ASSERT_EQ(exported.graph().initializer_size(), 2);
  EXPECT_EQ(exported.graph().initializer(0).name(), "shape");
  EXPECT_EQ(exported.graph().initializer(0).raw_data(),
            std::string(reinterpret_cast<const char *>(shape), sizeof shape));
  EXPECT_FALSE(exported.graph().initializer(0).has_data_location());
  EXPECT_EQ(exported.graph().initializer(1).name(), "w");
}

} // namespace
