// Descriptions of programs: what the compiler writes, and whatever else lies at
// its place in a shared object.
#include "target.h"

#include "byte_mutator.h"
#include "dann/onnx.hpp"
#include "dann/session.hpp"
#include "linear_model.h"
#include "program.pb.h"
#include "temporary_directory.h"

#include <cmath>
#include <cstring>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <optional>

using namespace dann;
namespace io = google::protobuf::io;

namespace {

constexpr std::int64_t kSamples = 3;
// What a description may ask for in here, in elements or bytes.
constexpr std::int64_t kEnough = 100000;

/// Stands for all code: it is trusted, and writes what the description says.
void do_nothing(void **) {}

std::int64_t count_of(Shape shape) {
  double count = 1;
  for (std::int64_t extent : shape)
    count *= double(extent == kBatch ? kSamples : extent);
  expect(count >= 0 && count < 0x1p62,
         "the elements of a shape can be counted");
  return std::int64_t(count);
}

template <typename Tensors> std::int64_t total(const Tensors &tensors) {
  std::int64_t sum = 0;
  for (const auto &tensor : tensors) {
    std::int64_t count = count_of(tensor.shape);
    sum = count > kEnough ? kEnough + 1 : std::min(sum + count, kEnough + 1);
  }
  return sum;
}

template <typename F> void try_call(F &&f) {
  try {
    f();
  } catch (const Error &error) {
    // Inputs that do not fit, or no memory; never a defect.
    expect(error.code() != ErrorCode::Internal, error.what());
  }
}

/// Calls an entry point on zeros.
void call(Session &session, const EntryPoint &entry_point) {
  TensorMap inputs;
  for (const Argument &argument : entry_point.arguments) {
    Shape shape = argument.shape;
    if (!shape.empty() && shape[0] == kBatch)
      shape[0] = kSamples;
    if (argument.access == Access::Read &&
        !session.parameters().count(argument.name))
      inputs.emplace(argument.name, Tensor(argument.element_type, shape));
  }
  for (const DerivedTensor &tensor :
       session.program().description().derived_tensors)
    inputs.erase(tensor.name);
  try_call([&] { session.run(entry_point.name, inputs); });
}

void use(const std::shared_ptr<const Program> &program) {
  const Description &described = program->description();
  expect(described.element_type == ElementType::F32 ||
             described.element_type == ElementType::F64,
         "programs compute in floats");
  expect(described.default_schedule.is_valid(), "the schedule is valid");
  std::int64_t size = total(described.parameters) +
                      total(described.derived_tensors) +
                      total(described.state_tensors);
  count_of(described.input_shape);
  for (const EntryPoint &entry_point : described.entry_points) {
    size += total(entry_point.arguments);
    for (std::int64_t samples : {std::int64_t(1), INT64_MAX})
      expect(entry_point.scratch.bytes(samples) >= 0 &&
                 entry_point.scratch.live_bytes(samples) >= 0,
             "scratch memory can be counted");
    size += std::min(entry_point.scratch.bytes(kSamples), kEnough);
  }
  if (size > kEnough || !program->missing_cpu_features().empty())
    return;

  std::optional<Session> session;
  // Initial values may break the signs that are described.
  try_call([&] { session.emplace(program, SessionOptions{1}); });
  if (!session)
    return;
  for (const Parameter &parameter : described.parameters)
    try_call([&] {
      session->set_parameter(parameter.name,
                             Tensor(described.element_type, parameter.shape));
    });
  try_call([&] { session->initialize(1); });
  try_call([&] {
    session->parameters();
    session->set_optimizer_state(session->optimizer_state());
    for (const EntryPoint &entry_point : described.entry_points)
      call(*session, entry_point);
  });
  static const TemporaryDirectory directory;
  try_call([&] {
    export_onnx(*program, session->parameters(), directory / "model.onnx");
  });
}

/// A field of a message in protobuf's encoding.
struct Field {
  std::uint32_t tag;
  std::uint64_t number = 0; // of all types but the last
  std::string bytes;
};

/// Nothing if the bytes are no message.
std::optional<std::vector<Field>> parse(const std::string &bytes) {
  io::CodedInputStream input(
      reinterpret_cast<const std::uint8_t *>(bytes.data()), int(bytes.size()));
  std::vector<Field> fields;
  while (std::uint32_t tag = input.ReadTag()) {
    Field field{tag, 0, {}};
    std::uint32_t word = 0, length = 0;
    switch (tag & 7) {
    case 0:
      if (!input.ReadVarint64(&field.number))
        return std::nullopt;
      break;
    case 1:
      if (!input.ReadLittleEndian64(&field.number))
        return std::nullopt;
      break;
    case 2:
      if (!input.ReadVarint32(&length) || length > bytes.size() ||
          !input.ReadString(&field.bytes, int(length)))
        return std::nullopt;
      break;
    case 5:
      if (!input.ReadLittleEndian32(&word))
        return std::nullopt;
      field.number = word;
      break;
    default:
      return std::nullopt;
    }
    fields.push_back(std::move(field));
  }
  if (!input.ConsumedEntireMessage())
    return std::nullopt;
  return fields;
}

std::string serialize(const std::vector<Field> &fields) {
  std::string bytes;
  io::StringOutputStream stream(&bytes);
  io::CodedOutputStream output(&stream);
  for (const Field &field : fields) {
    output.WriteTag(field.tag);
    switch (field.tag & 7) {
    case 0:
      output.WriteVarint64(field.number);
      break;
    case 1:
      output.WriteLittleEndian64(field.number);
      break;
    case 2:
      output.WriteVarint32(std::uint32_t(field.bytes.size()));
      output.WriteString(field.bytes);
      break;
    default:
      output.WriteLittleEndian32(std::uint32_t(field.number));
    }
  }
  output.Trim();
  return bytes;
}

class MessageMutation : Choices {
public:
  using Choices::Choices;

  std::string run(std::string bytes) {
    for (std::size_t i = 0, end = 1 + below(3); i < end; ++i)
      bytes = edit(bytes, 0);
    return bytes;
  }

private:
  std::string edit(const std::string &bytes, int depth) {
    std::optional<std::vector<Field>> parsed = parse(bytes);
    // A string, or packed numbers.
    if (!parsed || parsed->empty() || depth > 3)
      return edit_bytes(bytes);
    std::vector<Field> &fields = *parsed;
    std::size_t at = below(fields.size()), other = below(fields.size());
    switch (below(12)) {
    case 0:
      fields.erase(fields.begin() + std::ptrdiff_t(at));
      break;
    case 1:
      fields.insert(fields.begin() + std::ptrdiff_t(other), Field(fields[at]));
      break;
    case 2:
      std::swap(fields[at].bytes, fields[other].bytes);
      break;
    case 3:
      fields[at].tag ^= std::uint32_t(8 << below(4));
      break;
    case 4:
      std::swap(fields[at], fields[other]);
      break;
    default:
      if ((fields[at].tag & 7) == 2)
        fields[at].bytes = edit(fields[at].bytes, depth + 1);
      else
        fields[at].number = edit_number(fields[at].tag & 7);
    }
    return serialize(fields);
  }

  std::uint64_t edit_number(std::uint32_t type) {
    static const double doubles[] = {0, -1, NAN, INFINITY, 1e308, 5e-324, 0.5};
    if (type != 1)
      return std::uint64_t(number());
    std::uint64_t bits;
    std::memcpy(&bits, &doubles[below(std::size(doubles))], sizeof bits);
    return bits;
  }

  std::string edit_bytes(std::string bytes) {
    static const char *const names[] = {
        "x",       "y",    "0.w",        "0.b",     "logits",
        "loss",    "seed", "errors",     "forward", "init",
        "prepare", "",     "random_key", "bf16",    "evaluate"};
    switch (below(4)) {
    case 0:
      return names[below(std::size(names))];
    case 1: { // packed
      std::string packed;
      io::StringOutputStream stream(&packed);
      io::CodedOutputStream output(&stream);
      for (std::size_t i = 0, end = below(4); i < end; ++i)
        output.WriteVarint64(std::uint64_t(number()));
      output.Trim();
      return packed;
    }
    default:
      for (char &byte : bytes)
        if (below(bytes.size()) == 0)
          byte = char(below(256));
      return bytes;
    }
  }
};

} // namespace

void try_input(const std::string &bytes) {
  alignas(64) static const unsigned char values[1024] = {};
  proto::Program message;
  std::vector<EntryPointAbi> code;
  std::optional<google::protobuf::LogSilencer> silencer(std::in_place);
  bool parsed = message.ParseFromString(bytes);
  silencer.reset();
  if (parsed)
    for (const proto::EntryPoint &entry_point : message.entry_points())
      code.push_back({entry_point.name().c_str(), do_nothing});
  ModelAbi model{kAbiVersion,  std::uint32_t(code.size()),
                 bytes.data(), bytes.size(),
                 code.data(),  values,
                 sizeof values};
  std::shared_ptr<const Program> program;
  try {
    program = Program::from_model(model);
  } catch (const Error &error) {
    expect(error.code() == ErrorCode::InvalidData, error.what());
    return;
  }
  use(program);
}

std::vector<std::string> make_seeds() {
  proto::Program program = linear_description();
  std::vector<std::string> seeds = {program.SerializeAsString()};

  // With an optimizer's states, initial values, and an ONNX model.
  proto::StateTensor *state = program.add_state_tensors();
  state->set_name("0.w/momentum");
  state->set_element_type(proto::F32);
  state->add_shape(kClasses);
  state->add_shape(kFeatures);
  proto::Argument *argument = program.mutable_entry_points(2)->add_arguments();
  argument->set_name(state->name());
  argument->set_element_type(proto::F32);
  *argument->mutable_shape() = state->shape();
  argument->set_access(proto::Argument::UPDATE);
  program.mutable_parameters(0)->set_initial_offset(0);
  program.mutable_parameters(1)->set_initial_offset(64);
  program.mutable_onnx()->set_model("\x08\x08");
  program.mutable_onnx()->set_graph("\x12\x01g");
  proto::Schedule *schedule = program.mutable_defaults()->mutable_schedule();
  schedule->set_factor(0.5);
  schedule->set_steps(7);
  seeds.push_back(program.SerializeAsString());

  // Without training.
  program.set_classes(0);
  program.mutable_onnx()->Clear();
  for (int index : {5, 3, 2, 0}) // all but forward and prepare
    program.mutable_entry_points()->DeleteSubrange(index, 1);
  seeds.push_back(program.SerializeAsString());
  return seeds;
}

std::string mutate_input(const std::string &bytes, std::uint64_t seed) {
  return MessageMutation(seed).run(bytes);
}
