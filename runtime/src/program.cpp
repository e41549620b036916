#include "dann/program.hpp"

#include "cpu_features.h"
#include "elements.h"
#include "fail.h"
#include "model_abi.h"
#include "program.pb.h"

#include <algorithm>
#include <cmath>
#include <dlfcn.h>
#include <google/protobuf/stubs/logging.h>
#include <limits>
#include <set>

namespace dann {

const char *name_of(Sign sign) {
  switch (sign) {
  case Sign::Any:
    return "any";
  case Sign::NonNegative:
    return "nonneg";
  case Sign::NonPositive:
    return "nonpos";
  }
  fail(ErrorCode::Internal, "unknown sign ", int(sign));
}

static std::int64_t bytes_of(std::int64_t samples, std::int64_t fixed,
                             std::int64_t per_group) {
  std::int64_t groups =
      samples / Scratch::kSampleGroup + (samples % Scratch::kSampleGroup != 0);
  std::int64_t bytes;
  if (__builtin_mul_overflow(groups, per_group, &bytes) ||
      __builtin_add_overflow(bytes, fixed, &bytes))
    return INT64_MAX;
  return bytes;
}

std::int64_t Scratch::bytes(std::int64_t samples) const {
  return bytes_of(samples, fixed_bytes, bytes_per_sample_group);
}

std::int64_t Scratch::live_bytes(std::int64_t samples) const {
  return bytes_of(samples, fixed_live_bytes, live_bytes_per_sample_group);
}

namespace {

/// Reads a program's description and checks all that the rest of the runtime
/// takes for granted.
class DescriptionReader {
public:
  explicit DescriptionReader(const ModelAbi &model) : model_(model) {}

  proto::Program parse() const {
    // Of strings that are not UTF-8, the library would print a line.
    google::protobuf::LogSilencer silencer;
    proto::Program program;
    if (!model_.program || model_.program_size > std::size_t(INT32_MAX) ||
        !program.ParseFromArray(model_.program, int(model_.program_size)))
      fail_description("it cannot be parsed");
    return program;
  }

  Description read(const proto::Program &program) {
    check(!program.name().empty(), "the program has no name");
    result_.name = program.name();
    result_.element_type = element_type(program.element_type(), "the program");
    check(result_.element_type == ElementType::F32 ||
              result_.element_type == ElementType::F64,
          "the program computes in ", name_of(result_.element_type));
    result_.classes = program.classes();
    check(result_.classes >= 0, "there are ", result_.classes, " classes");
    if (trains())
      read_input(program.input());
    for (const proto::Parameter &parameter : program.parameters())
      read_parameter(parameter);
    check(!trains() || !result_.parameters.empty(), "there are no parameters");
    for (const proto::DerivedTensor &tensor : program.derived_tensors())
      read_derived_tensor(tensor);
    for (const proto::StateTensor &tensor : program.state_tensors())
      read_state_tensor(tensor);
    for (const proto::EntryPoint &entry_point : program.entry_points())
      read_entry_point(entry_point);
    check(result_.derived_tensors.empty() ||
              entry_point_names_.count("prepare") != 0,
          "there are derived tensors but no entry point prepare");
    if (trains())
      read_defaults(program.defaults());
    result_.loss = program.loss();
    result_.optimizer = program.optimizer();
    result_.backend = program.backend();
    read_precision(program.precision());
    result_.target_cpu = program.target_cpu();
    result_.cpu_features.assign(program.cpu_features().begin(),
                                program.cpu_features().end());
    return std::move(result_);
  }

private:
  bool trains() const { return result_.classes > 0; }

  template <typename... Parts>
  [[noreturn]] static void fail_description(const Parts &...parts) {
    fail(ErrorCode::InvalidData,
         "the program's description is damaged: ", parts...);
  }

  template <typename... Parts>
  static void check(bool condition, const Parts &...parts) {
    if (!condition)
      fail_description(parts...);
  }

  static ElementType element_type(proto::ElementType type,
                                  const std::string &owner) {
    switch (type) {
    case proto::F32:
      return ElementType::F32;
    case proto::F64:
      return ElementType::F64;
    case proto::BOOL:
      return ElementType::Bool;
    case proto::I8:
      return ElementType::I8;
    case proto::I16:
      return ElementType::I16;
    case proto::I32:
      return ElementType::I32;
    case proto::I64:
      return ElementType::I64;
    case proto::U8:
      return ElementType::U8;
    case proto::U16:
      return ElementType::U16;
    case proto::U32:
      return ElementType::U32;
    case proto::U64:
      return ElementType::U64;
    case proto::BF16:
      return ElementType::BF16;
    default:
      fail_description(owner, " has an unknown element type");
    }
  }

  /// Extents of at least 1, or 0 if the program does not train, of which the
  /// first may be kBatch if allowed.
  template <typename Extents>
  Shape shape(const Extents &extents, bool batch_allowed,
              const std::string &owner) const {
    Shape shape(extents.begin(), extents.end());
    Shape of_one_sample = shape;
    if (batch_allowed && !shape.empty() && shape[0] == kBatch)
      of_one_sample[0] = 1;
    bool positive = std::all_of(
        of_one_sample.begin(), of_one_sample.end(),
        [&](std::int64_t extent) { return extent >= (trains() ? 1 : 0); });
    check(positive && element_count_of(of_one_sample, ElementType::F64), owner,
          " has the shape ", to_string(shape));
    return shape;
  }

  void read_input(const proto::Input &input) {
    result_.input_shape = shape(input.shape(), false, "the input");
    result_.input_minimum = input.minimum();
    result_.input_maximum = input.maximum();
    check(std::isfinite(input.minimum()) && std::isfinite(input.maximum()) &&
              input.minimum() < input.maximum(),
          "the input's range is [", input.minimum(), ", ", input.maximum(),
          "]");
  }

  void read_parameter(const proto::Parameter &parameter) {
    check(!parameter.name().empty(), "a parameter has no name");
    check(parameter_names_.insert(parameter.name()).second, "the parameter ",
          parameter.name(), " occurs twice");
    check(proto::Sign_IsValid(parameter.sign()), "the parameter ",
          parameter.name(), " has an unknown sign");
    Sign sign = parameter.sign() == proto::NONNEG   ? Sign::NonNegative
                : parameter.sign() == proto::NONPOS ? Sign::NonPositive
                                                    : Sign::Any;
    result_.parameters.push_back(
        {parameter.name(), parameter.role(),
         shape(parameter.shape(), false, "the parameter " + parameter.name()),
         sign});
    if (parameter.has_initial_offset())
      result_.parameters.back().initial_value =
          initial_value(parameter.initial_offset(), result_.parameters.back());
  }

  const void *initial_value(std::int64_t offset, const Parameter &owner) {
    std::uint64_t bytes = byte_size_of(owner.shape, result_.element_type);
    check(offset >= 0 && offset % 64 == 0 &&
              std::uint64_t(offset) <= model_.values_size &&
              bytes <= model_.values_size - std::uint64_t(offset),
          "the initial value of ", owner.name, " lies at ", offset, " in ",
          model_.values_size, " bytes");
    return static_cast<const char *>(model_.values) + offset;
  }

  void read_derived_tensor(const proto::DerivedTensor &tensor) {
    std::string owner = "the derived tensor " + tensor.name();
    check(!tensor.name().empty(), "a derived tensor has no name");
    check(parameter_names_.count(tensor.name()) == 0 &&
              derived_names_.insert(tensor.name()).second,
          owner, " occurs twice");
    result_.derived_tensors.push_back(
        {tensor.name(), element_type(tensor.element_type(), owner),
         shape(tensor.shape(), false, owner)});
  }

  void read_state_tensor(const proto::StateTensor &tensor) {
    std::string owner = "the state " + tensor.name();
    check(!tensor.name().empty(), "a state has no name");
    check(parameter_names_.count(tensor.name()) == 0 &&
              derived_names_.count(tensor.name()) == 0 &&
              state_names_.insert(tensor.name()).second,
          owner, " occurs twice");
    ElementType type = element_type(tensor.element_type(), owner);
    check(type == result_.element_type || type == ElementType::I64, owner,
          " is ", name_of(type));
    result_.state_tensors.push_back(
        {tensor.name(), type, shape(tensor.shape(), false, owner)});
  }

  static Access access(proto::Argument::Access access,
                       const std::string &owner) {
    switch (access) {
    case proto::Argument::READ:
      return Access::Read;
    case proto::Argument::WRITE:
      return Access::Write;
    case proto::Argument::UPDATE:
      return Access::Update;
    default:
      fail_description(owner, " has an unknown access");
    }
  }

  void read_entry_point(const proto::EntryPoint &entry_point) {
    check(!entry_point.name().empty(), "an entry point has no name");
    check(entry_point_names_.insert(entry_point.name()).second,
          "the entry point ", entry_point.name(), " occurs twice");
    EntryPoint read;
    read.name = entry_point.name();
    std::set<std::string> names;
    for (const proto::Argument &argument : entry_point.arguments()) {
      std::string owner =
          "the argument " + argument.name() + " of " + entry_point.name();
      check(names.insert(argument.name()).second, owner, " occurs twice");
      read.arguments.push_back({argument.name(),
                                element_type(argument.element_type(), owner),
                                shape(argument.shape(), true, owner),
                                access(argument.access(), owner)});
      check_argument(read.arguments.back(), owner);
      check(read.name == "prepare" ||
                read.arguments.back().access == Access::Read ||
                derived_names_.count(argument.name()) == 0,
            owner, " is written, which prepare alone does");
    }
    if (trains())
      check_signature(read);
    else
      check(read.name == "forward" || read.name == "prepare",
            "there is an entry point ", read.name,
            ", but there are no classes");
    if (read.name == "prepare")
      check_prepare(read);
    read_scratch(entry_point.scratch(), read);
    for (const proto::Operation &operation : entry_point.operations())
      read_operation(operation, read);
    result_.entry_points.push_back(std::move(read));
  }

  static void read_scratch(const proto::Scratch &scratch, EntryPoint &owner) {
    owner.scratch = {scratch.fixed_bytes(), scratch.bytes_per_sample_group(),
                     scratch.fixed_live_bytes(),
                     scratch.live_bytes_per_sample_group()};
    check(scratch.fixed_bytes() >= 0 && scratch.bytes_per_sample_group() >= 0 &&
              scratch.fixed_live_bytes() >= 0 &&
              scratch.live_bytes_per_sample_group() >= 0,
          "the entry point ", owner.name,
          " needs a negative amount of scratch memory");
  }

  static void read_operation(const proto::Operation &operation,
                             EntryPoint &owner) {
    std::string name =
        "the operation " + operation.name() + " of " + owner.name;
    check(!operation.name().empty(), "an operation of ", owner.name,
          " has no name");
    check(operation.kernel() == "generated" || operation.kernel() == "onednn" ||
              operation.kernel() == "loops",
          name, " has the unknown kernel ", operation.kernel());
    check(operation.flops() >= 0 && operation.flops_per_sample() >= 0 &&
              operation.bytes() >= 0 && operation.bytes_per_sample() >= 0,
          name, " computes or moves a negative amount");
    owner.operations.push_back({operation.name(), operation.kernel(),
                                operation.flops(), operation.flops_per_sample(),
                                operation.bytes(),
                                operation.bytes_per_sample()});
  }

  void read_precision(const std::string &precision) {
    bool is_double = result_.element_type == ElementType::F64;
    check(is_double ? precision == "f64"
                    : precision == "f32" || precision == "bf16",
          "a program on ", name_of(result_.element_type),
          " has the precision '", precision, "'");
    result_.precision = precision;
  }

  /// Arguments whose names have a meaning have the type that belongs to it.
  void check_argument(const Argument &argument, const std::string &owner) {
    auto expect = [&](ElementType type, const Shape &shape) {
      check(argument.element_type == type && argument.shape == shape, owner,
            " is ", name_of(argument.element_type), " ",
            to_string(argument.shape), ", not ", name_of(type), " ",
            to_string(shape));
    };
    auto parameter = std::find_if(
        result_.parameters.begin(), result_.parameters.end(),
        [&](const Parameter &known) { return known.name == argument.name; });
    bool is_parameter = parameter != result_.parameters.end();
    if (is_parameter)
      expect(result_.element_type, parameter->shape);
    auto state = std::find_if(
        result_.state_tensors.begin(), result_.state_tensors.end(),
        [&](const StateTensor &known) { return known.name == argument.name; });
    if (state != result_.state_tensors.end()) {
      expect(state->element_type, state->shape);
      check(argument.access == Access::Update, owner, " is not updated");
    } else if (!is_parameter) {
      check(argument.access != Access::Update, owner,
            " is updated but is no parameter");
    }

    auto derived = std::find_if(result_.derived_tensors.begin(),
                                result_.derived_tensors.end(),
                                [&](const DerivedTensor &known) {
                                  return known.name == argument.name;
                                });
    if (derived != result_.derived_tensors.end())
      expect(derived->element_type, derived->shape);
    else
      check(argument.element_type != ElementType::BF16, owner,
            " is bf16 but no derived tensor");

    if (!trains())
      return;
    const std::string &name = argument.name;
    if (name == "x") {
      Shape shape = result_.input_shape;
      shape.insert(shape.begin(), kBatch);
      expect(result_.element_type, shape);
    } else if (name == "y") {
      expect(ElementType::I64, {kBatch});
    } else if (name == "logits") {
      expect(result_.element_type, {kBatch, result_.classes});
    } else if (name == "seed" || name == "errors" || name == "random_key") {
      expect(ElementType::I64, {});
    } else if (name == "learning_rate" || name == "loss") {
      expect(result_.element_type, {});
    }
  }

  /// The entry points that the session itself calls take and give what it
  /// relies on.
  static void check_signature(const EntryPoint &entry_point) {
    struct Required {
      const char *entry_point, *argument;
      Access access;
    };
    static constexpr Required required[] = {
        {"init", "seed", Access::Read},
        {"forward", "x", Access::Read},
        {"forward", "logits", Access::Write},
        {"train_step", "x", Access::Read},
        {"train_step", "y", Access::Read},
        {"train_step", "learning_rate", Access::Read},
        {"train_step", "loss", Access::Write},
        {"evaluate", "x", Access::Read},
        {"evaluate", "y", Access::Read},
        {"evaluate", "loss", Access::Write},
        {"evaluate", "errors", Access::Write},
    };
    for (const Required &need : required) {
      if (entry_point.name != need.entry_point)
        continue;
      bool found = std::any_of(entry_point.arguments.begin(),
                               entry_point.arguments.end(),
                               [&](const Argument &argument) {
                                 return argument.name == need.argument &&
                                        argument.access == need.access;
                               });
      check(found, "the entry point ", need.entry_point, " has no argument ",
            need.argument);
    }
  }

  /// The session calls `prepare` on parameters alone, and relies on it for all
  /// derived tensors.
  void check_prepare(const EntryPoint &prepare) const {
    std::size_t written = 0;
    for (const Argument &argument : prepare.arguments) {
      bool is_derived = derived_names_.count(argument.name) != 0;
      bool is_parameter = parameter_names_.count(argument.name) != 0;
      check((is_derived && argument.access == Access::Write) ||
                (is_parameter && argument.access == Access::Read),
            "the argument ", argument.name,
            " of prepare is neither a parameter to read nor a derived tensor "
            "to write");
      written += is_derived;
    }
    check(written == derived_names_.size(),
          "prepare does not write all derived tensors");
  }

  void read_defaults(const proto::Defaults &defaults) {
    check(defaults.batch_size() > 0 && defaults.epochs() > 0 &&
              std::isfinite(defaults.learning_rate()) &&
              defaults.learning_rate() > 0,
          "the defaults are not positive");
    result_.default_batch_size = defaults.batch_size();
    result_.default_epochs = defaults.epochs();
    result_.default_learning_rate = defaults.learning_rate();
    if (!defaults.has_schedule())
      return;
    const proto::Schedule &schedule = defaults.schedule();
    check(proto::Schedule::Decay_IsValid(schedule.decay()),
          "the schedule has an unknown decay");
    // The enumerators agree.
    result_.default_schedule = {Decay(schedule.decay()), schedule.factor(),
                                schedule.steps(), schedule.minimum(),
                                schedule.warmup()};
    check(result_.default_schedule.is_valid(),
          "a number of the schedule is out of range");
  }

  const ModelAbi &model_;
  Description result_;
  std::set<std::string> parameter_names_, derived_names_, state_names_,
      entry_point_names_;
};

} // namespace

Program::Program(const ModelAbi &model, std::shared_ptr<void> library)
    : library_(std::move(library)) {
  if (model.version != kAbiVersion)
    fail(ErrorCode::Incompatible, "the program was compiled for version ",
         model.version, " of the runtime's interface, and this is version ",
         kAbiVersion, "; compile it again");
  DescriptionReader reader(model);
  proto::Program program = reader.parse();
  description_ = reader.read(program);
  auto take = [](proto::OnnxModel &parts) {
    return OnnxModel{std::move(*parts.mutable_model()),
                     std::move(*parts.mutable_graph())};
  };
  if (program.has_onnx())
    onnx_ = take(*program.mutable_onnx());
  if (program.has_plain_onnx())
    plain_onnx_ = take(*program.mutable_plain_onnx());
  onnx_obstacle_ = program.onnx_obstacle();

  if (model.entry_point_count != description_.entry_points.size())
    fail(ErrorCode::InvalidData, "the program has ", model.entry_point_count,
         " entry points but describes ", description_.entry_points.size());
  for (const EntryPoint &entry_point : description_.entry_points) {
    auto *end = model.entry_points + model.entry_point_count;
    auto *found = std::find_if(
        model.entry_points, end, [&](const EntryPointAbi &candidate) {
          return candidate.name && candidate.name == entry_point.name;
        });
    if (found == end || !found->invoke)
      fail(ErrorCode::InvalidData, "the program describes the entry point ",
           entry_point.name, " but has no code for it");
    invoke_.push_back(found->invoke);
  }
}

Program::~Program() = default;

std::shared_ptr<const Program>
Program::from_model(const ModelAbi &model, std::shared_ptr<void> owner) {
  return std::shared_ptr<const Program>(new Program(model, std::move(owner)));
}

std::shared_ptr<const Program> Program::load(const std::string &path) {
  // Without a slash, dlopen would search the system's libraries.
  std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  std::shared_ptr<void> library(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL),
                                [](void *handle) {
                                  if (handle)
                                    dlclose(handle);
                                });
  if (!library)
    fail(ErrorCode::InputOutput, "cannot load ", path, ": ", dlerror());
  auto *model =
      static_cast<const ModelAbi *>(dlsym(library.get(), "dann_model"));
  if (!model)
    fail(ErrorCode::InvalidData, path,
         " is not a dann program: it does not define dann_model");
  try {
    return std::shared_ptr<const Program>(new Program(*model, library));
  } catch (const Error &error) {
    fail(error.code(), path, ": ", error.what());
  }
}

std::vector<std::string> Program::missing_cpu_features() const {
  return missing_features(description_.cpu_features);
}

} // namespace dann
