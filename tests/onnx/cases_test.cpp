// ONNX's own test data, and the models beside this file in the same layout:
// every case is compiled by dann-compile, run by the runtime and compared with
// the outputs that come with it. A case that is in
// expected-failures.txt has to fail, and no case may crash.
#include "dann/dann.hpp"
#include "onnx.pb.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

namespace {

namespace fs = std::filesystem;

// Those of ONNX's own runner for backends.
constexpr double kRelative = 1e-3, kAbsolute = 1e-7;

/// Why a case does not pass.
struct Failure {
  std::string reason;
};

std::string read_file(const fs::path &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A directory that goes away with the test.
class TemporaryDirectory {
public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "dann-onnx-XXXXXX");
    path_ = mkdtemp(name.data());
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  fs::path operator/(const char *name) const { return path_ / name; }

private:
  fs::path path_;
};

template <typename T, typename Field> std::string bytes_of(const Field &field) {
  std::string bytes;
  for (auto value : field) {
    T narrowed = static_cast<T>(value);
    bytes.append(reinterpret_cast<const char *>(&narrowed), sizeof(T));
  }
  return bytes;
}

dann::Tensor to_tensor(const onnx::TensorProto &proto) {
  using dann::ElementType;
  using Proto = onnx::TensorProto;
  std::string bytes = proto.raw_data();
  bool raw = proto.has_raw_data();
  auto use = [&](ElementType type, auto typed) {
    if (!raw)
      bytes = typed();
    dann::Tensor tensor(type, {proto.dims().begin(), proto.dims().end()});
    if (bytes.size() != tensor.byte_size())
      throw Failure{"the test data is damaged"};
    if (!bytes.empty())
      std::memcpy(tensor.mutable_bytes(), bytes.data(), bytes.size());
    return tensor;
  };
  switch (proto.data_type()) {
  case Proto::FLOAT:
    return use(ElementType::F32,
               [&] { return bytes_of<float>(proto.float_data()); });
  case Proto::DOUBLE:
    return use(ElementType::F64,
               [&] { return bytes_of<double>(proto.double_data()); });
  case Proto::BOOL:
    return use(ElementType::Bool,
               [&] { return bytes_of<bool>(proto.int32_data()); });
  case Proto::INT8:
    return use(ElementType::I8,
               [&] { return bytes_of<std::int8_t>(proto.int32_data()); });
  case Proto::UINT8:
    return use(ElementType::U8,
               [&] { return bytes_of<std::uint8_t>(proto.int32_data()); });
  case Proto::INT16:
    return use(ElementType::I16,
               [&] { return bytes_of<std::int16_t>(proto.int32_data()); });
  case Proto::UINT16:
    return use(ElementType::U16,
               [&] { return bytes_of<std::uint16_t>(proto.int32_data()); });
  case Proto::INT32:
    return use(ElementType::I32,
               [&] { return bytes_of<std::int32_t>(proto.int32_data()); });
  case Proto::UINT32:
    return use(ElementType::U32,
               [&] { return bytes_of<std::uint32_t>(proto.uint64_data()); });
  case Proto::INT64:
    return use(ElementType::I64,
               [&] { return bytes_of<std::int64_t>(proto.int64_data()); });
  case Proto::UINT64:
    return use(ElementType::U64,
               [&] { return bytes_of<std::uint64_t>(proto.uint64_data()); });
  default:
    throw Failure{"the test data has elements of a type that tensors of the "
                  "runtime do not have"};
  }
}

template <typename T>
void compare_elements(const std::string &name, const dann::Tensor &actual,
                      const dann::Tensor &expected) {
  const T *a = actual.data<const T>(), *e = expected.data<const T>();
  for (std::int64_t i = 0; i < actual.element_count(); ++i) {
    bool equal = a[i] == e[i];
    if constexpr (std::is_floating_point_v<T>)
      equal = equal || (std::isnan(a[i]) && std::isnan(e[i])) ||
              std::abs(double(a[i]) - double(e[i])) <=
                  kAbsolute + kRelative * std::abs(double(e[i]));
    if (!equal)
      throw Failure{"element " + std::to_string(i) + " of " + name + " is " +
                    std::to_string(a[i]) + " instead of " +
                    std::to_string(e[i])};
  }
}

void compare(const std::string &name, const dann::Tensor &actual,
             const dann::Tensor &expected) {
  using dann::ElementType;
  if (actual.element_type() != expected.element_type() ||
      actual.shape() != expected.shape())
    throw Failure{name + " is " + dann::name_of(actual.element_type()) + " " +
                  dann::to_string(actual.shape()) + " instead of " +
                  dann::name_of(expected.element_type()) + " " +
                  dann::to_string(expected.shape())};
  switch (actual.element_type()) {
  case ElementType::F32:
    return compare_elements<float>(name, actual, expected);
  case ElementType::F64:
    return compare_elements<double>(name, actual, expected);
  case ElementType::I8:
    return compare_elements<std::int8_t>(name, actual, expected);
  case ElementType::I16:
    return compare_elements<std::int16_t>(name, actual, expected);
  case ElementType::I32:
    return compare_elements<std::int32_t>(name, actual, expected);
  case ElementType::I64:
    return compare_elements<std::int64_t>(name, actual, expected);
  case ElementType::U8:
    return compare_elements<std::uint8_t>(name, actual, expected);
  case ElementType::U16:
    return compare_elements<std::uint16_t>(name, actual, expected);
  case ElementType::U32:
    return compare_elements<std::uint32_t>(name, actual, expected);
  case ElementType::U64:
    return compare_elements<std::uint64_t>(name, actual, expected);
  case ElementType::Bool:
    return compare_elements<bool>(name, actual, expected);
  default:
    throw Failure{name + " has an element type that no case expects"};
  }
}

/// Compiles a model to a shared object. Throws Failure with the compiler's
/// message if it refuses the model; a compiler that crashes fails the test.
void compile(const fs::path &model, const fs::path &output,
             const fs::path &messages) {
  std::string command = std::string(DANN_COMPILE) + " " + model.string() +
                        " --emit=shared -o " + output.string() + " > " +
                        messages.string() + " 2>&1";
  int status = std::system(command.c_str());
  if (status == 0)
    return;
  std::string text = read_file(messages);
  // The shell reports a signal as 128 + its number.
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 1)
      << "dann-compile crashed: " << text;
  std::size_t begin = text.find("error: ");
  throw Failure{text.substr(begin == std::string::npos ? 0 : begin + 7,
                            text.find('\n', begin) - begin)};
}

void run_data_set(dann::Session &session, const onnx::GraphProto &graph,
                  const fs::path &data) {
  auto read = [&](const char *kind, int index) {
    onnx::TensorProto proto;
    std::string name = std::string(kind) + "_" + std::to_string(index) + ".pb";
    if (!proto.ParseFromString(read_file(data / name)))
      throw Failure{"the test data holds no tensors"};
    return to_tensor(proto);
  };
  std::map<std::string, dann::Tensor, std::less<>> inputs;
  std::vector<std::string> initializers;
  for (const auto &initializer : graph.initializer())
    initializers.push_back(initializer.name());
  for (int i = 0; i < graph.input_size(); ++i)
    if (std::find(initializers.begin(), initializers.end(),
                  graph.input(i).name()) == initializers.end() &&
        fs::exists(data / ("input_" + std::to_string(i) + ".pb")))
      inputs.emplace(graph.input(i).name(), read("input", i));
  dann::TensorMap outputs = session.run("forward", inputs);
  for (int i = 0; i < graph.input_size(); ++i) {
    // They are the caller's: nothing is computed in their memory.
    auto given = inputs.find(graph.input(i).name());
    if (given != inputs.end())
      compare("input " + given->first, given->second, read("input", i));
  }
  for (int i = 0; i < graph.output_size(); ++i) {
    const std::string &name = graph.output(i).name();
    auto found = outputs.find(name);
    if (found == outputs.end())
      throw Failure{"there is no output " + name};
    compare(name, found->second, read("output", i));
  }
}

void run_case(const fs::path &directory) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(read_file(directory / "model.onnx")));
  TemporaryDirectory temporary;
  compile(directory / "model.onnx", temporary / "model.so",
          temporary / "messages");
  if (testing::Test::HasFatalFailure())
    return;
  auto program = dann::Program::load(temporary / "model.so");
  // More threads than one, for what they share.
  dann::SessionOptions options;
  options.threads = 2;
  dann::Session session(program, options);
  int sets = 0;
  for (const auto &entry : fs::directory_iterator(directory))
    if (entry.is_directory()) {
      run_data_set(session, model.graph(), entry.path());
      ++sets;
    }
  ASSERT_GT(sets, 0) << "the case has no data";
}

/// Cases that have to fail, with the reason.
const std::map<std::string, std::string> &expected_failures() {
  static const std::map<std::string, std::string> failures = [] {
    std::map<std::string, std::string> read;
    std::ifstream stream(DANN_EXPECTED_FAILURES);
    for (std::string line; std::getline(stream, line);) {
      std::size_t colon = line.find(": ");
      if (!line.empty() && line[0] != '#' && colon != std::string::npos)
        read[line.substr(0, colon)] = line.substr(colon + 2);
    }
    return read;
  }();
  return failures;
}

/// Where the cases of a group are.
fs::path directory_of(const std::string &group) {
  return fs::path(group == "models" ? DANN_ONNX_MODELS : DANN_ONNX_DATA) /
         group;
}

std::vector<std::string> all_cases() {
  std::vector<std::string> cases;
  for (const char *group :
       {"node", "simple", "pytorch-converted", "pytorch-operator", "models"})
    for (const auto &entry : fs::directory_iterator(directory_of(group)))
      if (fs::exists(entry.path() / "model.onnx"))
        cases.push_back(std::string(group) + "/" +
                        entry.path().filename().string());
  std::sort(cases.begin(), cases.end());
  return cases;
}

class OnnxCase : public testing::TestWithParam<std::string> {};

TEST_P(OnnxCase, Outputs) {
  auto expected = expected_failures().find(GetParam());
  std::string failure;
  try {
    fs::path name = GetParam();
    run_case(directory_of(name.parent_path()) / name.filename());
  } catch (const Failure &error) {
    failure = error.reason;
  } catch (const dann::Error &error) {
    failure = error.what();
  }
  if (HasFatalFailure())
    return;
  if (expected == expected_failures().end())
    EXPECT_EQ(failure, "");
  else
    EXPECT_NE(failure, "") << "passes, though it is expected to fail: "
                           << expected->second;
  RecordProperty("result", failure.empty() ? "passed" : failure);
}

INSTANTIATE_TEST_SUITE_P(Data, OnnxCase, testing::ValuesIn(all_cases()),
                         [](const testing::TestParamInfo<std::string> &info) {
                           std::string name = info.param;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](char c) { return !std::isalnum(c); }, '_');
                           return name;
                         });

/// A session on the program of a case.
std::unique_ptr<dann::Session> make_session(const char *name) {
  TemporaryDirectory temporary;
  compile(fs::path(DANN_ONNX_DATA) / name / "model.onnx",
          temporary / "model.so", temporary / "messages");
  return std::make_unique<dann::Session>(
      dann::Program::load(temporary / "model.so"));
}

/// What the error of a call says.
template <typename Call> std::string error_of(Call call) {
  try {
    call();
  } catch (const dann::Error &error) {
    return error.what();
  }
  return "no error";
}

TEST(OnnxPrograms, CheckTheirInputs) {
  auto session = make_session("node/test_and2d");
  dann::Tensor x(dann::ElementType::Bool, {3, 4}),
      y(dann::ElementType::Bool, {3, 4});
  EXPECT_EQ(error_of([&] {
              session->run("forward", {{"x", x}, {"y", y}});
            }),
            "no error");
  static_cast<unsigned char *>(y.mutable_bytes())[7] = 2;
  EXPECT_EQ(error_of([&] {
              session->run("forward", {{"x", x}, {"y", y}});
            }),
            "y: element 7 is 2, which is not a bool");
  EXPECT_EQ(error_of([&] {
              session->run("forward", {{"x", x}});
            }),
            "the entry point forward needs the input y");
  dann::Tensor floats(dann::ElementType::F32, {3, 4});
  EXPECT_EQ(error_of([&] {
              session->run("forward", {{"x", x}, {"y", floats}});
            }),
            "y is f32, but the model model needs bool");
  EXPECT_THAT(error_of([&] { session->forward(floats); }),
              testing::HasSubstr("was not compiled for training"));
  EXPECT_THAT(error_of([&] { session->evaluate(floats, floats); }),
              testing::HasSubstr("has no entry point evaluate"));
}

TEST(OnnxCases, ExpectedFailuresAreCases) {
  std::vector<std::string> cases = all_cases();
  for (const auto &[name, reason] : expected_failures()) {
    EXPECT_TRUE(std::binary_search(cases.begin(), cases.end(), name)) << name;
    EXPECT_FALSE(reason.empty()) << name;
  }
}

} // namespace
