#include "commands.h"
#include "elements.h"
#include "schedule_options.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace dann::cli {

namespace {

using Json = nlohmann::ordered_json;

const char *name_of(Access access) {
  switch (access) {
  case Access::Read:
    return "read";
  case Access::Write:
    return "write";
  case Access::Update:
    return "update";
  }
  return "";
}

std::int64_t element_count(const Parameter &parameter,
                           const Description &program) {
  return checked_element_count(parameter.shape, program.element_type);
}

/// Of a derived tensor or a state.
template <typename T> std::int64_t byte_count(const T &tensor) {
  return std::int64_t(byte_size_of(tensor.shape, tensor.element_type));
}

template <typename T>
std::int64_t total_byte_count(const std::vector<T> &tensors) {
  std::int64_t total = 0;
  for (const T &tensor : tensors)
    total += byte_count(tensor);
  return total;
}

/// Derived tensors or states: nothing if there are none.
template <typename T>
void print_tensors(const char *title, const std::vector<T> &tensors) {
  if (tensors.empty())
    return;
  std::size_t width = 4;
  for (const T &tensor : tensors)
    width = std::max(width, tensor.name.size());
  std::printf("\n%s\n  %-*s  %-6s  %-14s  %12s\n", title, int(width), "name",
              "type", "shape", "bytes");
  for (const T &tensor : tensors)
    std::printf("  %-*s  %-6s  %-14s  %12lld\n", int(width),
                tensor.name.c_str(), name_of(tensor.element_type),
                to_string(tensor.shape).c_str(),
                static_cast<long long>(byte_count(tensor)));
  std::printf("  %zu tensors, %lld bytes\n", tensors.size(),
              static_cast<long long>(total_byte_count(tensors)));
}

template <typename T> Json tensors_to_json(const std::vector<T> &tensors) {
  Json json = Json::array();
  for (const T &tensor : tensors)
    json.push_back({{"name", tensor.name},
                    {"element_type", name_of(tensor.element_type)},
                    {"shape", tensor.shape},
                    {"bytes", byte_count(tensor)}});
  return json;
}

/// Whether an argument is one of `tensors`: parameters, states, derived ones.
template <typename T>
bool is_one_of(const std::vector<T> &tensors, const Argument &argument) {
  return std::any_of(tensors.begin(), tensors.end(), [&](const T &tensor) {
    return tensor.name == argument.name;
  });
}

std::string shape_text(const Shape &shape) {
  std::string text = to_string(shape);
  if (!shape.empty() && shape[0] == kBatch)
    text.replace(1, 2, "batch");
  return text;
}

/// "x f32[batch, 784], parameters, derived tensors": arguments with one of two
/// kinds of access.
std::string arguments_text(const EntryPoint &entry_point,
                           const Description &program, Access access) {
  std::string text;
  bool parameters = false, states = false, derived = false;
  for (const Argument &argument : entry_point.arguments) {
    if (argument.access != access && argument.access != Access::Update)
      continue;
    if (is_one_of(program.parameters, argument)) {
      parameters = true;
      continue;
    }
    if (is_one_of(program.state_tensors, argument)) {
      states = true;
      continue;
    }
    if (is_one_of(program.derived_tensors, argument)) {
      derived = true;
      continue;
    }
    text += (text.empty() ? "" : ", ") + argument.name + " " +
            name_of(argument.element_type);
    if (!argument.shape.empty())
      text += shape_text(argument.shape);
  }
  if (parameters)
    text += (text.empty() ? "" : ", ") + std::string("parameters");
  if (states)
    text += (text.empty() ? "" : ", ") + std::string("optimizer state");
  if (derived)
    text += (text.empty() ? "" : ", ") + std::string("derived tensors");
  return text;
}

void print_text(const Description &program) {
  if (trains(program))
    std::printf("%s: %s, %s\n", program.name.c_str(), program.loss.c_str(),
                program.optimizer.c_str());
  else
    std::printf("%s: does not train\n", program.name.c_str());
  std::printf("compiled for %s, backend %s, %s, products in %s\n",
              program.target_cpu.c_str(), program.backend.c_str(),
              name_of(program.element_type), program.precision.c_str());
  if (trains(program)) {
    std::printf("input %s in [%g, %g], %lld classes\n",
                to_string(program.input_shape).c_str(), program.input_minimum,
                program.input_maximum, static_cast<long long>(program.classes));
    std::printf("defaults: batch size %lld, %lld epochs, learning rate %g\n",
                static_cast<long long>(program.default_batch_size),
                static_cast<long long>(program.default_epochs),
                program.default_learning_rate);
    if (program.default_schedule != Schedule())
      std::printf("schedule of the learning rate: %s\n",
                  to_text(program.default_schedule).c_str());
  }

  std::printf("\nentry points\n");
  for (const EntryPoint &entry_point : program.entry_points)
    std::printf("  %s: %s -> %s\n", entry_point.name.c_str(),
                arguments_text(entry_point, program, Access::Read).c_str(),
                arguments_text(entry_point, program, Access::Write).c_str());

  std::printf("\nscratch memory at batch size %lld\n  %-18s  %12s  %12s\n",
              static_cast<long long>(batch_size_of(program)), "entry point",
              "bytes", "lower bound");
  for (const EntryPoint &entry_point : program.entry_points)
    std::printf("  %-18s  %12lld  %12lld\n", entry_point.name.c_str(),
                static_cast<long long>(
                    entry_point.scratch.bytes(batch_size_of(program))),
                static_cast<long long>(
                    entry_point.scratch.live_bytes(batch_size_of(program))));

  std::size_t width = 4;
  for (const Parameter &parameter : program.parameters)
    width = std::max(width, parameter.name.size());
  std::printf("\nparameters\n  %-*s  %-6s  %-14s  %-6s  %12s\n", int(width),
              "name", "role", "shape", "sign", "bytes");
  std::int64_t total = 0;
  for (const Parameter &parameter : program.parameters) {
    std::int64_t count = element_count(parameter, program);
    total += count;
    std::printf("  %-*s  %-6s  %-14s  %-6s  %12lld\n", int(width),
                parameter.name.c_str(), parameter.role.c_str(),
                to_string(parameter.shape).c_str(), name_of(parameter.sign),
                static_cast<long long>(count) *
                    static_cast<long long>(size_of(program.element_type)));
  }
  std::printf("  %zu tensors, %lld elements, %lld bytes\n",
              program.parameters.size(), static_cast<long long>(total),
              static_cast<long long>(total) *
                  static_cast<long long>(size_of(program.element_type)));

  print_tensors("derived tensors", program.derived_tensors);
  print_tensors("optimizer state", program.state_tensors);
}

Json to_json(const Description &program) {
  Json entry_points = Json::array();
  for (const EntryPoint &entry_point : program.entry_points) {
    Json arguments = Json::array();
    for (const Argument &argument : entry_point.arguments)
      arguments.push_back({{"name", argument.name},
                           {"element_type", name_of(argument.element_type)},
                           {"shape", argument.shape},
                           {"access", name_of(argument.access)}});
    entry_points.push_back(
        {{"name", entry_point.name},
         {"arguments", arguments},
         {"scratch_bytes", entry_point.scratch.bytes(batch_size_of(program))},
         {"scratch_lower_bound",
          entry_point.scratch.live_bytes(batch_size_of(program))}});
  }
  Json parameters = Json::array();
  std::int64_t total = 0;
  for (const Parameter &parameter : program.parameters) {
    std::int64_t count = element_count(parameter, program);
    total += count;
    parameters.push_back(
        {{"name", parameter.name},
         {"role", parameter.role},
         {"shape", parameter.shape},
         {"sign", name_of(parameter.sign)},
         {"bytes", count * std::int64_t(size_of(program.element_type))}});
  }
  Json json = {{"name", program.name}, {"trains", trains(program)}};
  if (trains(program)) {
    json["loss"] = program.loss;
    json["optimizer"] = program.optimizer;
  }
  json["backend"] = program.backend;
  json["target_cpu"] = program.target_cpu;
  json["cpu_features"] = program.cpu_features;
  json["element_type"] = name_of(program.element_type);
  json["precision"] = program.precision;
  if (trains(program)) {
    json["input"] = {{"shape", program.input_shape},
                     {"minimum", program.input_minimum},
                     {"maximum", program.input_maximum}};
    json["classes"] = program.classes;
    const Schedule &schedule = program.default_schedule;
    json["schedule"] = {{"decay", name_of(schedule.decay)},
                        {"factor", schedule.factor},
                        {"steps", schedule.steps},
                        {"minimum", schedule.minimum},
                        {"warmup", schedule.warmup}};
    json["defaults"] = {{"batch_size", program.default_batch_size},
                        {"epochs", program.default_epochs},
                        {"learning_rate", program.default_learning_rate}};
  }
  json["entry_points"] = entry_points;
  json["parameters"] = parameters;
  json["parameter_elements"] = total;
  json["parameter_bytes"] = total * std::int64_t(size_of(program.element_type));
  json["derived_tensors"] = tensors_to_json(program.derived_tensors);
  json["derived_bytes"] = total_byte_count(program.derived_tensors);
  json["optimizer_state"] = tensors_to_json(program.state_tensors);
  json["optimizer_state_bytes"] = total_byte_count(program.state_tensors);
  return json;
}

} // namespace

void add_info(CLI::App &app, const ProgramPointer &program) {
  auto json = std::make_shared<bool>(false);
  CLI::App &command = *app.add_subcommand(
      "info", "Entry points, parameters and defaults of the model");
  command.add_flag("--json", *json, "Print a JSON object");
  command.callback([json, program] {
    if (*json)
      std::printf("%s\n", to_json(program->description()).dump(2).c_str());
    else
      print_text(program->description());
  });
}

} // namespace dann::cli
