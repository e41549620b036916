#include "dann/program.hpp"

#include "dann/session.hpp"
#include "expect_error.h"
#include "linear_model.h"
#include "program.pb.h"

#include <cmath>
#include <functional>

using namespace dann;
using testing::HasSubstr;

namespace {

TEST(Program, DescribesTheModel) {
  auto program = Program::from_model(dann_model);
  const Description &description = program->description();
  EXPECT_EQ(description.name, "linear");
  EXPECT_EQ(description.element_type, ElementType::F32);
  EXPECT_EQ(description.input_shape, Shape{kFeatures});
  ASSERT_EQ(description.parameters.size(), 2u);
  EXPECT_EQ(description.parameters[0].name, "0.w");
  EXPECT_EQ(description.parameters[0].sign, Sign::NonNegative);
  EXPECT_EQ(description.parameters[1].sign, Sign::Any);
  EXPECT_EQ(description.entry_points.size(), 6u);
  ASSERT_EQ(description.derived_tensors.size(), 1u);
  EXPECT_EQ(description.derived_tensors[0].shape, (Shape{kFeatures, kClasses}));
  EXPECT_TRUE(program->missing_cpu_features().empty());
  EXPECT_EQ(description.precision, "f32");
  const EntryPoint &train_step = description.entry_points[2];
  EXPECT_EQ(train_step.scratch.fixed_bytes, 0);
  EXPECT_EQ(train_step.scratch.bytes_per_sample_group, 320);
  EXPECT_EQ(train_step.scratch.live_bytes_per_sample_group, 256);
  ASSERT_EQ(train_step.operations.size(), 4u);
  EXPECT_EQ(train_step.operations[2].name, "0.w");
  EXPECT_EQ(train_step.operations[2].kernel, "onednn");
  EXPECT_EQ(train_step.operations[2].flops_per_sample, 24);
}

// Whoever embeds the library says what is printed.
TEST(Program, ADamagedDescriptionPrintsNothing) {
  proto::Program description = linear_description();
  LinearModel model(description);
  model.serialized.replace(model.serialized.find("linear"), 2, "\xff\xfe");
  testing::internal::CaptureStderr();
  EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
               HasSubstr("it cannot be parsed"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

TEST(Program, ScratchMemoryGrowsWithGroupsOfSamples) {
  Scratch scratch{100, 1000, 10, 20};
  EXPECT_EQ(scratch.bytes(0), 100);
  EXPECT_EQ(scratch.bytes(1), 1100);
  EXPECT_EQ(scratch.bytes(16), 1100);
  EXPECT_EQ(scratch.bytes(17), 2100);
  EXPECT_EQ(scratch.live_bytes(17), 50);
  EXPECT_EQ((Scratch{0, INT64_MAX / 2, 0, 0}).bytes(48), INT64_MAX);
  EXPECT_EQ((Scratch{INT64_MAX, 1, 0, 0}).bytes(1), INT64_MAX);
}

struct Damage {
  std::function<void(proto::Program &)> inflict;
  const char *sentence;
};

class DamagedProgram : public testing::TestWithParam<Damage> {};

TEST_P(DamagedProgram, IsRefused) {
  proto::Program description = linear_description();
  GetParam().inflict(description);
  LinearModel model(description);
  EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
               HasSubstr(GetParam().sentence));
}

using P = proto::Program;
INSTANTIATE_TEST_SUITE_P(
    Descriptions, DamagedProgram,
    testing::Values(
        Damage{[](P &p) { p.clear_name(); }, "no name"},
        Damage{[](P &p) { p.clear_element_type(); }, "unknown element type"},
        Damage{[](P &p) { p.set_element_type(proto::I64); }, "computes in i64"},
        Damage{[](P &p) { p.set_classes(-1); }, "there are -1 classes"},
        Damage{[](P &p) { p.mutable_input()->set_shape(0, -4); },
               "the input has the shape [-4]"},
        Damage{[](P &p) { p.mutable_input()->set_maximum(std::nan("")); },
               "range"},
        Damage{[](P &p) { p.mutable_input()->set_minimum(1); }, "range"},
        Damage{[](P &p) { p.clear_parameters(); }, "no parameters"},
        Damage{[](P &p) { p.mutable_parameters(0)->set_shape(0, 1ll << 62); },
               "0.w has the shape"},
        Damage{[](P &p) { p.mutable_parameters(1)->set_name("0.w"); },
               "0.w occurs twice"},
        Damage{[](P &p) { p.mutable_parameters(0)->set_sign(proto::Sign(9)); },
               "unknown sign"},
        Damage{[](P &p) { p.mutable_parameters(1)->set_shape(0, 7); },
               "the argument 0.b of init is f32 [3], not f32 [7]"},
        Damage{[](P &p) { p.mutable_entry_points(1)->set_name("init"); },
               "init occurs twice"},
        Damage{[](P &p) { p.mutable_entry_points(1)->set_name("backward"); },
               "has no code for it"},
        Damage{[](P &p) { p.mutable_entry_points()->RemoveLast(); },
               "has 6 entry points but describes 5"},
        Damage{[](P &p) {
                 p.mutable_entry_points(1)->mutable_arguments(0)->set_name(
                     "input");
               },
               "forward has no argument x"},
        Damage{[](P &p) {
                 p.mutable_entry_points(1)->mutable_arguments(0)->set_shape(1,
                                                                            99);
               },
               "the argument x of forward is f32 [-1, 99]"},
        Damage{[](P &p) {
                 p.mutable_entry_points(1)->mutable_arguments(0)->set_shape(1,
                                                                            -1);
               },
               "the argument x of forward has the shape [-1, -1]"},
        Damage{
            [](P &p) {
              p.mutable_entry_points(1)->mutable_arguments(0)->clear_access();
            },
            "unknown access"},
        Damage{[](P &p) {
                 p.mutable_entry_points(0)->mutable_arguments(1)->set_name(
                     "seed");
               },
               "seed of init occurs twice"},
        Damage{[](P &p) { p.mutable_defaults()->set_learning_rate(-1); },
               "defaults"},
        Damage{[](P &p) { p.mutable_defaults()->set_batch_size(0); },
               "defaults"},
        Damage{[](P &p) { p.clear_precision(); }, "the precision ''"},
        Damage{[](P &p) { p.set_precision("f64"); }, "the precision 'f64'"},
        Damage{[](P &p) {
                 p.mutable_entry_points(2)->mutable_scratch()->set_fixed_bytes(
                     -1);
               },
               "train_step needs a negative amount"},
        Damage{[](P &p) {
                 p.mutable_entry_points(2)
                     ->mutable_scratch()
                     ->set_live_bytes_per_sample_group(-1);
               },
               "train_step needs a negative amount"},
        Damage{[](P &p) {
                 p.mutable_entry_points(2)->mutable_operations(0)->clear_name();
               },
               "an operation of train_step has no name"},
        Damage{[](P &p) {
                 p.mutable_entry_points(2)->mutable_operations(0)->set_kernel(
                     "magic");
               },
               "the operation logits of train_step has the unknown kernel"},
        Damage{[](P &p) {
                 p.mutable_entry_points(2)->mutable_operations(0)->set_flops(
                     -1);
               },
               "computes or moves a negative amount"},
        Damage{[](P &p) { p.mutable_derived_tensors(0)->clear_name(); },
               "a derived tensor has no name"},
        Damage{[](P &p) { p.mutable_derived_tensors(0)->set_name("0.w"); },
               "the derived tensor 0.w occurs twice"},
        Damage{[](P &p) { p.mutable_derived_tensors(0)->set_shape(0, -1); },
               "the derived tensor derived/0.w has the shape [-1, 3]"},
        Damage{[](P &p) { p.mutable_derived_tensors(0)->set_shape(0, 5); },
               "derived/0.w of forward is f32 [4, 3], not f32 [5, 3]"},
        Damage{[](P &p) {
                 p.mutable_derived_tensors(0)->set_element_type(proto::BF16);
               },
               "derived/0.w of forward is f32 [4, 3], not bf16 [4, 3]"},
        Damage{[](P &p) { *p.add_derived_tensors() = p.derived_tensors(0); },
               "derived/0.w occurs twice"},
        Damage{[](P &p) {
                 *p.add_derived_tensors() = p.derived_tensors(0);
                 p.mutable_derived_tensors(1)->set_name("derived/1.w");
               },
               "prepare does not write all derived tensors"},
        Damage{[](P &p) {
                 p.mutable_entry_points(4)->mutable_arguments(1)->set_access(
                     proto::Argument::READ);
               },
               "derived/0.w of prepare is neither a parameter to read"},
        Damage{[](P &p) {
                 p.mutable_entry_points(4)->mutable_arguments(0)->set_access(
                     proto::Argument::UPDATE);
               },
               "0.w of prepare is neither a parameter to read"},
        Damage{[](P &p) {
                 p.mutable_entry_points(3)->mutable_arguments(4)->set_access(
                     proto::Argument::WRITE);
               },
               "derived/0.w of evaluate is written, which prepare alone does"},
        Damage{[](P &p) { p.mutable_entry_points()->DeleteSubrange(4, 1); },
               "derived tensors but no entry point prepare"},
        Damage{[](P &p) { p.set_element_type(proto::BF16); },
               "computes in bf16"},
        Damage{[](P &p) { p.add_state_tensors(); }, "a state has no name"},
        Damage{[](P &p) {
                 p.add_state_tensors()->set_name("0.w");
                 p.mutable_state_tensors(0)->set_element_type(proto::F32);
               },
               "the state 0.w occurs twice"},
        Damage{[](P &p) {
                 p.add_state_tensors()->set_name("0.w/momentum");
                 p.mutable_state_tensors(0)->set_element_type(proto::U8);
               },
               "the state 0.w/momentum is u8"},
        Damage{[](P &p) {
                 p.add_state_tensors()->set_name("x");
                 p.mutable_state_tensors(0)->set_element_type(proto::F32);
               },
               "the argument x of forward is f32 [-1, 4], not f32 []"},
        Damage{[](P &p) {
                 p.add_state_tensors()->set_name("learning_rate");
                 p.mutable_state_tensors(0)->set_element_type(proto::F32);
               },
               "the argument learning_rate of train_step is not updated"},
        Damage{[](P &p) { p.mutable_defaults()->mutable_schedule(); },
               "a number of the schedule is out of range"},
        Damage{[](P &p) {
                 p.mutable_defaults()->mutable_schedule()->set_decay(
                     proto::Schedule::Decay(9));
               },
               "the schedule has an unknown decay"},
        Damage{
            [](P &p) {
              p.mutable_entry_points(1)->mutable_arguments(4)->set_name(
                  "scores");
              p.mutable_entry_points(1)->mutable_arguments(4)->set_element_type(
                  proto::BF16);
            },
            "scores of forward is bf16 but no derived tensor"}));

/// The linear model with values for its parameters 0.w [3, 4] and 0.b [3].
struct ValuedModel : LinearModel {
  explicit ValuedModel(const proto::Program &description)
      : LinearModel(description) {
    for (int i = 0; i < 12; ++i)
      values[i] = float(i) / 16;
    abi.values = values;
    abi.values_size = sizeof(float) * (16 + 3);
  }

  static proto::Program describe() {
    proto::Program description = linear_description();
    description.mutable_parameters(0)->set_initial_offset(0);
    description.mutable_parameters(1)->set_initial_offset(64);
    return description;
  }

  alignas(64) float values[16 + 3] = {};
};

TEST(Program, SessionsBeginWithItsValues) {
  proto::Program description = ValuedModel::describe();
  ASSERT_EQ(description.entry_points(0).name(), "init");
  ValuedModel model(description);
  model.values[16] = 0.5;
  Session session(Program::from_model(model.abi));
  auto w = session.parameter("0.w").data<const float>();
  EXPECT_EQ(w[11], 11 / 16.f);
  EXPECT_EQ(session.parameter("0.b").data<const float>()[0], 0.5);
}

TEST(Program, ChecksItsValues) {
  proto::Program description = ValuedModel::describe();
  for (std::int64_t offset : {-64, 1, 128}) {
    description.mutable_parameters(1)->set_initial_offset(offset);
    ValuedModel model(description);
    EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
                 HasSubstr("the initial value of 0.b lies at"));
  }
  description.mutable_parameters(1)->set_initial_offset(64);
  ValuedModel model(description);
  model.abi.values_size -= 1;
  EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
               HasSubstr("the initial value of 0.b lies at"));
  ValuedModel negative(description);
  negative.values[5] = -1;
  auto program = Program::from_model(negative.abi);
  EXPECT_ERROR(Session{program}, InvalidArgument,
               HasSubstr("0.w[1, 1] is -1, but must not be negative"));
}

TEST(Program, RefusesWhatIsNoDescription) {
  LinearModel model(linear_description());
  model.abi.program_size -= 3;
  EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
               HasSubstr("cannot be parsed"));
  model.abi.program = nullptr;
  EXPECT_ERROR(Program::from_model(model.abi), InvalidData,
               HasSubstr("cannot be parsed"));
}

TEST(Program, RefusesAnotherVersion) {
  LinearModel model(linear_description());
  model.abi.version = 99;
  EXPECT_ERROR(Program::from_model(model.abi), Incompatible,
               HasSubstr("compile it again"));
}

TEST(Program, LoadNamesTheFile) {
  EXPECT_ERROR(Program::load("/missing.so"), InputOutput,
               HasSubstr("cannot load /missing.so"));
  EXPECT_ERROR(Program::load("libm.so.6"), InputOutput,
               HasSubstr("cannot load libm.so.6"));
  EXPECT_ERROR(Program::load("/lib/x86_64-linux-gnu/libm.so.6"), InvalidData,
               HasSubstr("is not a dann program"));
}

TEST(Program, ASessionNeedsTheCpuCompiledFor) {
  proto::Program description = linear_description();
  description.set_target_cpu("future");
  description.add_cpu_features("avx2048");
  LinearModel model(description);
  auto program = Program::from_model(model.abi);
  EXPECT_ERROR(Session{program}, Incompatible,
               "this program was compiled for future and needs avx2048, which "
               "this CPU lacks; recompile it with --target-cpu");
}

} // namespace
