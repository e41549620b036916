// Checkpoints: the safetensors reader, and what takes them into a session.
#include "target.h"

#include "byte_mutator.h"
#include "linear_model.h"
#include "program.pb.h"
#include "temporary_directory.h"
#include "trainer.h"

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

using namespace dann;
using Json = nlohmann::json;

namespace {

constexpr std::int64_t kSamples = 22;

/// The model with two states of an optimizer.
struct Model : LinearModel {
  Model() : LinearModel(description()) {}

  static proto::Program description() {
    proto::Program program = linear_description();
    proto::StateTensor *momentum = program.add_state_tensors();
    momentum->set_name("0.w/momentum");
    momentum->set_element_type(proto::F32);
    momentum->add_shape(kClasses);
    momentum->add_shape(kFeatures);
    proto::StateTensor *step = program.add_state_tensors();
    step->set_name("step");
    step->set_element_type(proto::I64);
    return program;
  }
};

Session make_session() {
  static const Model model;
  Session session(Program::from_model(model.abi), {1});
  session.initialize(1);
  return session;
}

/// A file of those bytes, in memory.
std::string path_of(const std::string &bytes) {
  static const int file = memfd_create("input", MFD_CLOEXEC);
  bool written =
      ftruncate(file, 0) == 0 &&
      pwrite(file, bytes.data(), bytes.size(), 0) == ssize_t(bytes.size());
  expect(written, "the input can be written");
  return "/proc/self/fd/" + std::to_string(file);
}

std::string content_of(const Session &session) {
  std::string content;
  for (const TensorMap &tensors :
       {session.parameters(), session.optimizer_state()})
    for (const auto &[name, tensor] : tensors)
      content.append(static_cast<const char *>(tensor.bytes()),
                     tensor.byte_size());
  return content;
}

void expect_contracts(const Session &session) {
  for (const auto &[name, tensor] : session.parameters()) {
    auto *elements = tensor.data<const float>();
    for (std::int64_t i = 0; i < tensor.element_count(); ++i)
      expect(std::isfinite(elements[i]) && (name != "0.w" || elements[i] >= 0),
             "parameters keep their contracts");
  }
}

/// Calls `f`, which may fail as a file of that content may, and no otherwise.
template <typename F> bool succeeds(F &&f) {
  try {
    f();
    return true;
  } catch (const Error &error) {
    expect(error.code() == ErrorCode::InvalidData ||
               error.code() == ErrorCode::Incompatible ||
               error.code() == ErrorCode::OutOfMemory,
           error.what());
    expect(std::strchr(error.what(), '\n') == nullptr, "an error is one line");
    return false;
  }
}

/// Goes on where a checkpoint says.
void take_step(Session &session, const TrainingState &state) {
  Tensor x(ElementType::F32, {kSamples, kFeatures});
  Tensor y(ElementType::I64, {kSamples});
  const Description &program = session.program().description();
  Dataset data(Samples(x, program, "x"), y, program, "y");
  try {
    Trainer trainer(session, data, state);
    expect(std::isfinite(trainer.learning_rate()), "learning rates are finite");
    expect(trainer.steps_done() >= 0, "steps are counted");
    if (trainer.epoch_done())
      trainer.finish_epoch();
    trainer.step();
  } catch (const Error &error) {
    // Another number of samples, or a rate that is large and finite.
    expect(error.code() == ErrorCode::Incompatible ||
               error.code() == ErrorCode::Diverged ||
               error.code() == ErrorCode::InvalidArgument,
           error.what());
  }
}

/// The format's parts.
struct File {
  Json header;
  std::string elements;

  /// Null in `header` if the bytes are not of the format.
  static File parse(const std::string &bytes) {
    std::uint64_t length;
    if (bytes.size() < sizeof length)
      return {};
    std::memcpy(&length, bytes.data(), sizeof length);
    if (length > bytes.size() - sizeof length)
      return {};
    Json header = Json::parse(bytes.substr(sizeof length, length), nullptr,
                              /*allow_exceptions=*/false);
    if (!header.is_object())
      return {};
    return {std::move(header), bytes.substr(sizeof length + length)};
  }

  static std::string to_text(const Json &json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

  /// What the checksum says is true for these parts.
  void correct_checksum() {
    auto metadata = header.find("__metadata__");
    if (metadata == header.end() || !metadata->is_object())
      return;
    metadata->erase("dann_checksum");
    std::string covered = to_text(header) + elements;
    char text[32];
    std::snprintf(text, sizeof text, "crc32:%08lx",
                  crc32_z(0, reinterpret_cast<const Bytef *>(covered.data()),
                          covered.size()));
    (*metadata)["dann_checksum"] = text;
  }

  std::string bytes() const {
    std::string text = to_text(header);
    std::uint64_t length = text.size();
    return std::string(reinterpret_cast<const char *>(&length), sizeof length) +
           text + elements;
  }
};

class CheckpointMutation : Choices {
public:
  CheckpointMutation(File &file, std::uint64_t seed)
      : Choices(seed), file_(file) {}

  void run() {
    for (std::size_t i = 0, end = 1 + below(3); i < end; ++i)
      edit();
    if (below(4) != 0)
      file_.correct_checksum();
  }

private:
  std::string any_key(const Json &object) {
    if (!object.is_object() || object.empty())
      return "none";
    return std::next(object.begin(), std::ptrdiff_t(below(object.size())))
        .key();
  }

  Json any_value() {
    switch (below(6)) {
    case 0:
      return nullptr;
    case 1:
      return 0.5;
    case 2:
      return Json::array({number(), "a"});
    case 3:
      return Json::object({{"a", number()}});
    case 4:
      return "0x1p+3";
    default:
      return number();
    }
  }

  std::string any_text() {
    static const char *const texts[] = {
        "",         "nan",         "-inf",   "1p1023", "1p-1074", "1.8p+1",
        "0",        "-0",          "22",     "8",      "16",      "cosine",
        "stepwise", "exponential", "linear", "1",      "0x1",     "1e5"};
    return below(3) == 0 ? std::to_string(number())
                         : texts[below(std::size(texts))];
  }

  void edit() {
    Json &header = file_.header;
    std::string key = any_key(header);
    switch (below(10)) {
    case 0:
      header.erase(key);
      break;
    case 1:
      header[any_key(header)] = header[key];
      break;
    case 2:
      header[below(2) ? "two\nlines" : key] = any_value();
      break;
    case 3:
    case 4:
    case 5:
      edit_metadata(header["__metadata__"]);
      break;
    case 6:
    case 7:
      edit_tensor(header[key]);
      break;
    case 8:
      file_.elements.resize(below(2 * file_.elements.size() + 9));
      break;
    default:
      edit_element();
    }
  }

  void edit_metadata(Json &metadata) {
    std::string key = any_key(metadata);
    if (!metadata.is_object() || below(20) == 0)
      metadata = any_value();
    else if (below(8) == 0)
      metadata.erase(key);
    else if (below(12) == 0)
      metadata[key] = any_value();
    else
      metadata[key] = any_text();
  }

  void edit_tensor(Json &tensor) {
    if (!tensor.is_object())
      return;
    static const char *const types[] = {"F32", "F64",  "I64", "BOOL",
                                        "U8",  "BF16", "F8",  "I16"};
    Json &shape = tensor["shape"], &offsets = tensor["data_offsets"];
    switch (below(5)) {
    case 0:
      tensor["dtype"] = types[below(std::size(types))];
      break;
    case 1:
      if (shape.is_array())
        shape.push_back(number());
      break;
    case 2:
      if (shape.is_array() && !shape.empty())
        shape[below(shape.size())] = number();
      break;
    case 3:
      if (offsets.is_array() && !offsets.empty())
        offsets[below(offsets.size())] = number();
      break;
    default:
      tensor[any_key(tensor)] = any_value();
    }
  }

  void edit_element() {
    static const float values[] = {-1, NAN, INFINITY, -0.0f, 3e38f, 1e-45f};
    std::string &elements = file_.elements;
    if (elements.size() < sizeof(float))
      return;
    elements.replace(
        below(elements.size() / 4) * 4, 4,
        reinterpret_cast<const char *>(&values[below(std::size(values))]), 4);
  }

  File &file_;
};

} // namespace

void try_input(const std::string &bytes) {
  static Session session = make_session();
  const std::string path = path_of(bytes), before = content_of(session);

  Metadata metadata;
  if (!succeeds([&] { load_tensors(path, &metadata); })) {
    expect(!succeeds([&] { load_checkpoint(path, session); }),
           "what is no file is no checkpoint");
    return;
  }
  TrainingState state;
  if (!succeeds([&] { state = load_checkpoint(path, session); })) {
    expect(content_of(session) == before, "a failed load changes nothing");
  } else {
    expect(find_invalid(state).empty(), "a state that is read is possible");
    expect_contracts(session);
    take_step(session, state);
    session.initialize(1);
  }
  if (succeeds([&] { session.load_parameters(path); }))
    expect_contracts(session);
  session.initialize(1);
}

std::vector<std::string> make_seeds() {
  TemporaryDirectory directory;
  const std::string path = directory / "c";
  Session session = make_session();
  TrainingState state = TrainingState::defaults(session.program());
  state.sample_count = kSamples;
  state.epoch = 3;
  state.position = 16;
  state.loss_sum = 0.75;
  state.schedule = {Decay::Cosine, 0.5, 9, 0.25, 2};
  save_checkpoint(path, session, state);
  std::vector<std::string> seeds = {read_file(path)};
  // As others write it.
  File file = File::parse(seeds[0]);
  file.header["__metadata__"].erase("dann_checksum");
  seeds.push_back(file.bytes());
  file.header.erase("__metadata__");
  seeds.push_back(file.bytes());
  save_tensors(path, {{"flags", Tensor(ElementType::Bool, {3})},
                      {"rounded", Tensor(ElementType::BF16, {2, 1})},
                      {"scalar", Tensor(ElementType::F64, {})}});
  seeds.push_back(read_file(path));
  return seeds;
}

std::string mutate_input(const std::string &bytes, std::uint64_t seed) {
  File file = File::parse(bytes);
  if (file.header.is_null())
    return mutateBytes(bytes, seed);
  CheckpointMutation(file, seed).run();
  return file.bytes();
}
