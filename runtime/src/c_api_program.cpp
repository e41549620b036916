// The C interface of programs: what they say of themselves.
#include "c_api.h"

using namespace dann;

namespace {

// The values of the enumerations are part of the interface.
static_assert(int(Sign::Any) == DANN_ANY &&
              int(Sign::NonNegative) == DANN_NON_NEGATIVE &&
              int(Sign::NonPositive) == DANN_NON_POSITIVE);
static_assert(int(Access::Read) == DANN_READ &&
              int(Access::Write) == DANN_WRITE &&
              int(Access::Update) == DANN_UPDATE);
static_assert(kBatch == DANN_BATCH);

const Description &description_of(const dann_program *program) {
  return checked(program, "program").program->description();
}

} // namespace

extern "C" {

dann_error *dann_program_load(const char *path, dann_program **program) {
  if (program)
    *program = nullptr;
  return guarded([&] {
    checked(program, "program");
    *program = new dann_program{Program::load(&checked(path, "path"))};
  });
}

void dann_program_destroy(dann_program *program) { delete program; }

dann_error *dann_program_get_info(const dann_program *program,
                                  dann_program_info *info) {
  return guarded([&] {
    const Description &from = description_of(program);
    write_info({0, from.name.c_str(), dann_element_type(from.element_type),
                from.input_shape.size(), from.input_shape.data(),
                from.input_minimum, from.input_maximum, from.classes,
                from.default_batch_size, from.default_epochs,
                from.default_learning_rate, from.target_cpu.c_str(),
                from.parameters.size(), from.entry_points.size()},
               info);
  });
}

dann_error *dann_program_get_parameter(const dann_program *program,
                                       size_t parameter,
                                       dann_parameter_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).parameters;
    check_index(parameter, all.size(), "parameter");
    const Parameter &from = all[parameter];
    write_info({0, from.name.c_str(), from.role.c_str(), dann_sign(from.sign),
                from.shape.size(), from.shape.data()},
               info);
  });
}

dann_error *dann_program_get_entry_point(const dann_program *program,
                                         size_t entry_point,
                                         dann_entry_point_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).entry_points;
    check_index(entry_point, all.size(), "entry point");
    const EntryPoint &from = all[entry_point];
    write_info({0, from.name.c_str(), from.arguments.size()}, info);
  });
}

dann_error *dann_program_get_argument(const dann_program *program,
                                      size_t entry_point, size_t argument,
                                      dann_argument_info *info) {
  return guarded([&] {
    const auto &all = description_of(program).entry_points;
    check_index(entry_point, all.size(), "entry point");
    const auto &arguments = all[entry_point].arguments;
    check_index(argument, arguments.size(), "argument");
    const Argument &from = arguments[argument];
    write_info({0, from.name.c_str(), dann_element_type(from.element_type),
                dann_access(from.access), from.shape.size(), from.shape.data()},
               info);
  });
}

} // extern "C"
