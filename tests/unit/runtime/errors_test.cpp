// What each public function says to wrong arguments; in C it is c_api_test.c.
// Longer lists of wrong files, descriptions and training states are in the
// tests of their readers.
#include "dann/dann.hpp"

#include "expect_error.h"
#include "linear_model.h"
#include "program.pb.h"
#include "temporary_directory.h"

#include <cmath>

using namespace dann;
using testing::HasSubstr;

namespace {

/// A session of the linear model with an optimizer's state.
class Errors : public testing::Test {
protected:
  static proto::Program description() {
    proto::Program program = linear_description();
    proto::StateTensor *momentum = program.add_state_tensors();
    momentum->set_name("0.b/momentum");
    momentum->set_element_type(proto::F32);
    momentum->add_shape(kClasses);
    return program;
  }

  Errors() { session.initialize(1); }

  LinearModel model{description()};
  Session session{Program::from_model(model.abi), {1}};
  Tensor x{ElementType::F32, {2, kFeatures}}, y{ElementType::I64, {2}};
  TemporaryDirectory directory;
  std::string missing = directory / "missing/file";
};

TEST_F(Errors, OfEnumerations) {
  EXPECT_ERROR(size_of(ElementType(99)), Internal, HasSubstr("99"));
  EXPECT_ERROR(name_of(ElementType(99)), Internal, HasSubstr("99"));
  EXPECT_ERROR(name_of(Sign(99)), Internal, HasSubstr("99"));
  EXPECT_STREQ(name_of(Decay(99)), "");
  EXPECT_FALSE((Schedule{Decay::Constant, 0}).is_valid());
  EXPECT_FALSE((Schedule{Decay::Constant, 1, 0}).is_valid());
  EXPECT_FALSE((Schedule{Decay::Constant, 1, 1, std::nan("")}).is_valid());
  EXPECT_FALSE((Schedule{Decay::Constant, 1, 1, 0, -1}).is_valid());
}

TEST_F(Errors, OfTensors) {
  const float element = 1;
  Tensor view = Tensor::borrow(&element, {1});
  EXPECT_ERROR(Tensor(ElementType::F32, {-1}), InvalidArgument,
               HasSubstr("cannot have the shape [-1]"));
  EXPECT_ERROR(Tensor(ElementType::F32, {1ll << 57}), OutOfMemory,
               HasSubstr("out of memory"));
  EXPECT_ERROR(Tensor::borrow(&element, {-1}), InvalidArgument,
               HasSubstr("cannot have the shape [-1]"));
  EXPECT_ERROR(Tensor::share(ElementType::F32, {-1}, nullptr), InvalidArgument,
               HasSubstr("cannot have the shape [-1]"));
  EXPECT_ERROR(view.data<const double>(), InvalidArgument, HasSubstr("f64"));
  EXPECT_ERROR(view.data<float>(), InvalidArgument, HasSubstr("read-only"));
  EXPECT_ERROR(view.mutable_bytes(), InvalidArgument, HasSubstr("read-only"));
  EXPECT_ERROR(x.as_read_only().mutable_bytes(), InvalidArgument,
               HasSubstr("read-only"));
  EXPECT_ERROR(view.reshaped({2}), InvalidArgument,
               HasSubstr("cannot be seen as [2]"));
}

TEST_F(Errors, OfFiles) {
  EXPECT_ERROR(load_tensors(missing), InputOutput, HasSubstr(missing));
  EXPECT_ERROR(save_tensors(missing, {}), InputOutput, HasSubstr(missing));
  EXPECT_ERROR(save_tensors("/dev/full", {}), InputOutput,
               HasSubstr("not a regular file"));
  write_file(directory / "f", "no tensors");
  EXPECT_ERROR(load_tensors(directory / "f"), InvalidData,
               HasSubstr("not a safetensors file"));
}

TEST_F(Errors, OfPrograms) {
  EXPECT_ERROR(Program::load(missing), InputOutput, HasSubstr(missing));
  write_file(directory / "f", "no library");
  EXPECT_ERROR(Program::load(directory / "f"), InputOutput,
               HasSubstr(directory / "f"));
  ModelAbi other = model.abi;
  ++other.version;
  EXPECT_ERROR(Program::from_model(other), Incompatible,
               HasSubstr("compile it again"));
  EXPECT_ERROR(export_onnx(session.program(), session.parameters(), missing),
               Incompatible, HasSubstr("holds no ONNX model"));
}

TEST_F(Errors, OfSessions) {
  EXPECT_ERROR(Session(nullptr), InvalidArgument, HasSubstr("program"));
  EXPECT_ERROR(Session(Program::from_model(model.abi), {1025}), InvalidArgument,
               HasSubstr("1025 threads"));
  proto::Program foreign = description();
  foreign.add_cpu_features("amx-of-tomorrow");
  LinearModel other(foreign);
  auto program = Program::from_model(other.abi);
  EXPECT_THAT(program->missing_cpu_features(),
              testing::ElementsAre("amx-of-tomorrow"));
  EXPECT_ERROR(Session(program, {1}), Incompatible,
               HasSubstr("needs amx-of-tomorrow"));
}

TEST_F(Errors, OfParameters) {
  EXPECT_ERROR(session.load_parameters(missing), InputOutput,
               HasSubstr(missing));
  EXPECT_ERROR(session.save_parameters(missing), InputOutput,
               HasSubstr(missing));
  EXPECT_ERROR(session.parameter("9.w"), InvalidArgument,
               HasSubstr("no parameter 9.w"));
  Tensor w(ElementType::F32, {kClasses, kFeatures});
  w.data<float>()[5] = -1;
  EXPECT_ERROR(session.set_parameter("0.w", w), InvalidArgument,
               "0.w[1, 1] is -1, but must not be negative");

  // All or none.
  TensorMap values = session.parameters();
  const float before = values["0.b"].data<const float>()[0];
  Tensor b(ElementType::F32, {kClasses});
  b.data<float>()[0] = before + 1;
  values["0.b"] = b;
  values["0.w"] = w;
  EXPECT_ERROR(session.set_parameters(values), InvalidArgument,
               HasSubstr("must not be negative"));
  values.erase("0.w");
  EXPECT_ERROR(session.set_parameters(values), InvalidArgument,
               HasSubstr("0.w of the model linear is missing"));
  values = session.parameters();
  values["9.w"] = w;
  EXPECT_ERROR(session.set_parameters(values), InvalidArgument,
               HasSubstr("no parameter 9.w"));
  EXPECT_EQ(session.parameter("0.b").data<const float>()[0], before);

  Session empty(Program::from_model(model.abi), {1});
  EXPECT_ERROR(empty.parameters(), InvalidArgument,
               HasSubstr("0.w has no value yet"));
  EXPECT_ERROR(empty.save_parameters(directory / "c"), InvalidArgument,
               HasSubstr("0.w has no value yet"));
}

TEST_F(Errors, OfOptimizerStates) {
  auto refuse = [&](const TensorMap &values, const char *sentence) {
    EXPECT_ERROR(session.set_optimizer_state(values), InvalidArgument,
                 HasSubstr(sentence));
  };
  const TensorMap good = session.optimizer_state();
  refuse({}, "0.b/momentum of the model linear is missing");
  refuse({{"0.b/momentum", Tensor(ElementType::F32, {9})}}, "is f32 [9]");
  refuse({{"0.b/momentum", Tensor(ElementType::F64, {kClasses})}}, "is f64");
  Tensor nan(ElementType::F32, {kClasses});
  nan.data<float>()[2] = std::nanf("");
  refuse({{"0.b/momentum", nan}}, "0.b/momentum[2] is nan");
  TensorMap more = good;
  more["1.b/momentum"] = nan;
  refuse(more, "has no state 1.b/momentum");
  session.set_optimizer_state(good);
}

TEST_F(Errors, OfCalls) {
  Tensor wide(ElementType::F32, {2, kFeatures + 1});
  EXPECT_ERROR(session.run("backward", {}), InvalidArgument,
               HasSubstr("no entry point backward"));
  EXPECT_ERROR(session.run("forward", {{"x", wide}}), InvalidArgument,
               HasSubstr("x has the shape [2, 5]"));
  EXPECT_ERROR(session.run("forward", {{"x", x}, {"0.b/momentum", y}}),
               InvalidArgument, HasSubstr("has no input 0.b/momentum"));
  EXPECT_ERROR(session.forward(wide), InvalidArgument, HasSubstr("[2, 5]"));
  EXPECT_ERROR(session.train_step(wide, y, 0.1), InvalidArgument,
               HasSubstr("[2, 5]"));
  EXPECT_ERROR(session.evaluate(wide, y), InvalidArgument, HasSubstr("[2, 5]"));
  EXPECT_ERROR(session.train_step(x, y, std::nan("")), InvalidArgument,
               HasSubstr("learning_rate is nan"));
  y.data<std::int64_t>()[1] = kClasses;
  EXPECT_ERROR(session.train_step(x, y, 0.1), InvalidArgument,
               HasSubstr("y[1] is 3"));
  EXPECT_ERROR(session.evaluate(x, y), InvalidArgument, HasSubstr("y[1] is 3"));
  x.data<float>()[0] = std::nanf("");
  EXPECT_ERROR(session.forward(x), InvalidArgument,
               HasSubstr("x[0, 0] is nan"));
}

} // namespace
