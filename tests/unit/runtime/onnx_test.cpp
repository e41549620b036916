#include "dann/onnx.hpp"

#include "expect_error.h"
#include "linear_model.h"
#include "program.pb.h"
#include "temporary_directory.h"

using namespace dann;
using testing::AllOf;
using testing::HasSubstr;

namespace {

constexpr const char *kModel = "\x08\x08";      // ir_version 8
constexpr const char *kGraph = "\x12\x03lin";   // name "lin"
constexpr const char *kPlain = "\x12\x05plain"; // name "plain"

proto::Program description() {
  proto::Program program = linear_description();
  program.mutable_onnx()->set_model(kModel);
  program.mutable_onnx()->set_graph(kGraph);
  program.mutable_plain_onnx()->set_model(kModel);
  program.mutable_plain_onnx()->set_graph(kPlain);
  return program;
}

TensorMap parameters() {
  TensorMap values;
  values["0.w"] = Tensor(ElementType::F32, {kClasses, kFeatures});
  values["0.b"] = Tensor(ElementType::F32, {kClasses});
  for (int i = 0; i < kClasses * kFeatures; ++i)
    values["0.w"].data<float>()[i] = float(i);
  values["0.b"].data<float>()[2] = -2.5f;
  return values;
}

std::string bytes_of(const Tensor &tensor) {
  return std::string(static_cast<const char *>(tensor.bytes()),
                     tensor.byte_size());
}

/// The model with the initializers of parameters(), byte by byte.
std::string expected(const std::string &graph) {
  TensorMap values = parameters();
  std::string w = std::string("\x08\x03\x08\x04") + // dims 3, 4
                  "\x10\x01" +                      // data_type FLOAT
                  "\x42\x03" + "0.w" +              // name
                  "\x4a\x30" + bytes_of(values["0.w"]);
  std::string b = std::string("\x08\x03") + "\x10\x01" + "\x42\x03" + "0.b" +
                  "\x4a\x0c" + bytes_of(values["0.b"]);
  std::string fields =
      graph + "\x2a" + char(w.size()) + w + "\x2a" + char(b.size()) + b;
  return kModel + std::string("\x3a") + char(fields.size()) + fields;
}

class Onnx : public testing::Test {
protected:
  TemporaryDirectory directory;
  std::string path = directory / "m.onnx";
};

TEST_F(Onnx, AddsInitializersToTheGraph) {
  LinearModel model(description());
  auto program = Program::from_model(model.abi);
  export_onnx(*program, parameters(), path);
  EXPECT_EQ(read_file(path), expected(kGraph));
  export_onnx(*program, parameters(), path, {/*plain_operators=*/true});
  EXPECT_EQ(read_file(path), expected(kPlain));
  EXPECT_EQ(directory.file_count(), 1u);
}

TEST_F(Onnx, OfPlainOperatorsIsOneModel) {
  proto::Program altered = description();
  altered.clear_plain_onnx();
  LinearModel model(altered);
  export_onnx(*Program::from_model(model.abi), parameters(), path,
              {/*plain_operators=*/true});
  EXPECT_EQ(read_file(path), expected(kGraph));
}

TEST_F(Onnx, ConvertsToTheTypeOfTheProgram) {
  LinearModel model(description());
  TensorMap values = parameters();
  Tensor &b = values["0.b"];
  b = Tensor(ElementType::F64, {kClasses});
  b.data<double>()[2] = -2.5;
  export_onnx(*Program::from_model(model.abi), values, path);
  EXPECT_EQ(read_file(path), expected(kGraph));
}

TEST_F(Onnx, RefusesWrongParameters) {
  LinearModel model(description());
  auto program = Program::from_model(model.abi);
  write_file(path, "old");
  auto expect = [&](const TensorMap &values, const char *sentence) {
    EXPECT_ERROR(export_onnx(*program, values, path), InvalidArgument,
                 HasSubstr(sentence));
  };
  TensorMap values = parameters();
  values.erase("0.b");
  expect(values, "the parameter 0.b of the model linear is missing");
  values = parameters();
  values["1.b"] = values["0.b"];
  expect(values, "the model linear has no parameter 1.b");
  values = parameters();
  values["0.b"] = Tensor(ElementType::F32, {kClasses + 1});
  expect(values, "0.b has the shape [4]");
  values = parameters();
  values["0.w"].data<float>()[6] = -1;
  expect(values, "0.w[1, 2] is -1, but must not be negative");
  EXPECT_EQ(read_file(path), "old");
}

TEST_F(Onnx, SaysWhyThereIsNoModel) {
  LinearModel without(linear_description());
  EXPECT_ERROR(
      export_onnx(*Program::from_model(without.abi), parameters(), path),
      Incompatible,
      "the model linear cannot be exported to ONNX: the program holds no ONNX "
      "model");
  proto::Program altered = linear_description();
  altered.set_onnx_obstacle("it has a loop");
  LinearModel model(altered);
  EXPECT_ERROR(export_onnx(*Program::from_model(model.abi), parameters(), path),
               Incompatible,
               "the model linear cannot be exported to ONNX: it has a loop");
  EXPECT_EQ(directory.file_count(), 0u);
}

TEST_F(Onnx, HasALimit) {
  // The sizes alone are looked at.
  proto::Program altered = description();
  altered.clear_entry_points();
  altered.clear_derived_tensors();
  altered.mutable_parameters(0)->set_shape(0, std::int64_t(1) << 29);
  altered.mutable_parameters(0)->set_shape(1, 1);
  LinearModel model(altered);
  model.abi.entry_point_count = 0;
  EXPECT_ERROR(export_onnx(*Program::from_model(model.abi), parameters(), path),
               Incompatible,
               AllOf(HasSubstr("it would have 21474837"),
                     HasSubstr("ONNX's format allows 2147483647")));
}

TEST_F(Onnx, ReportsWhatCannotBeWritten) {
  LinearModel model(description());
  EXPECT_ERROR(export_onnx(*Program::from_model(model.abi), parameters(),
                           directory / "no" + "/m.onnx"),
               InputOutput, HasSubstr("/no/m.onnx"));
}

} // namespace
