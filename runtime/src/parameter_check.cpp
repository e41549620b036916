#include "parameter_check.h"

#include "elements.h"
#include "fail.h"
#include "named.h"

#include <algorithm>
#include <limits>

namespace dann {

namespace {

/// The index of the first element that is neither 1 nor -1, or -1.
std::int64_t find_no_polarity(const Tensor &value) {
  auto find = [&](const auto *elements) {
    auto *end = elements + value.element_count();
    auto *found = std::find_if(elements, end, [](auto element) {
      return element != 1 && element != -1;
    });
    return found == end ? -1 : std::int64_t(found - elements);
  };
  return value.element_type() == ElementType::F32
             ? find(value.data<const float>())
             : find(value.data<const double>());
}

/// Throws unless all values are finite and keep the parameter's contract.
void check_values(const Parameter &parameter, const Tensor &value) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  auto check = [&](std::int64_t index, const char *demand) {
    if (index >= 0)
      fail(ErrorCode::InvalidArgument,
           position_text(parameter.name, parameter.shape, index), " is ",
           element_text(value, index), ", but ", demand);
  };
  check(find_not_finite(value), "has to be finite");
  if (parameter.sign == Sign::NonNegative)
    check(find_outside(value, 0, infinity), "must not be negative");
  if (parameter.sign == Sign::NonPositive)
    check(find_outside(value, -infinity, 0), "must not be positive");
  if (parameter.role == "polarity")
    check(find_no_polarity(value), "is the sign of a weight: 1 or -1");
}

} // namespace

std::string position_text(std::string_view name, const Shape &shape,
                          std::int64_t index) {
  Shape position(shape.size());
  for (std::size_t i = shape.size(); i-- > 0; index /= shape[i])
    position[i] = index % shape[i];
  return std::string(name) + (shape.empty() ? "" : to_string(position));
}

Tensor checked_parameter(const Description &program, const Parameter &parameter,
                         const Tensor &value) {
  if (value.shape() != parameter.shape)
    fail(ErrorCode::InvalidArgument, parameter.name, " has the shape ",
         to_string(value.shape()), ", but the model ", program.name, " needs ",
         to_string(parameter.shape));
  Tensor converted = value;
  if (value.element_type() != program.element_type) {
    converted = Tensor(program.element_type, parameter.shape);
    convert_elements(value, program.element_type, converted.mutable_bytes());
  }
  check_values(parameter, converted);
  return converted;
}

std::vector<Tensor> checked_parameters(const Description &program,
                                       const TensorMap &values) {
  for (const auto &[name, value] : values)
    if (index_of(program.parameters, name) == kNone)
      fail_unknown_parameter(program, name);
  std::vector<Tensor> checked;
  for (const Parameter &parameter : program.parameters) {
    auto found = values.find(parameter.name);
    if (found == values.end())
      fail(ErrorCode::InvalidArgument, "the parameter ", parameter.name,
           " of the model ", program.name, " is missing");
    checked.push_back(checked_parameter(program, parameter, found->second));
  }
  return checked;
}

std::vector<Tensor> checked_states(const Description &program,
                                   const TensorMap &values) {
  std::vector<Tensor> checked;
  for (const StateTensor &state : program.state_tensors) {
    auto found = values.find(state.name);
    if (found == values.end())
      fail(ErrorCode::InvalidArgument, "the optimizer's state ", state.name,
           " of the model ", program.name, " is missing");
    const Tensor &value = found->second;
    if (value.shape() != state.shape ||
        value.element_type() != state.element_type)
      fail(ErrorCode::InvalidArgument, "the optimizer's state ", state.name,
           " is ", name_of(value.element_type()), " ", to_string(value.shape()),
           ", but the model ", program.name, " needs ",
           name_of(state.element_type), " ", to_string(state.shape));
    if (state.element_type != ElementType::I64)
      if (std::int64_t index = find_not_finite(value); index >= 0)
        fail(ErrorCode::InvalidArgument, "the optimizer's state ",
             position_text(state.name, state.shape, index), " is ",
             element_text(value, index), ", but has to be finite");
    checked.push_back(value);
  }
  for (const auto &[name, value] : values)
    if (index_of(program.state_tensors, name) == kNone)
      fail(ErrorCode::InvalidArgument, "the optimizer of the model ",
           program.name, " has no state ", name);
  return checked;
}

void fail_unknown_parameter(const Description &program, std::string_view name) {
  fail(ErrorCode::InvalidArgument, "the model ", program.name,
       " has no parameter ", name);
}

} // namespace dann
