// What a value has to be to stand for a parameter.
#ifndef DANN_RUNTIME_PARAMETER_CHECK_H
#define DANN_RUNTIME_PARAMETER_CHECK_H

#include "dann/program.hpp"

#include <string>
#include <string_view>

namespace dann {

/// "0.wex[3, 17]", of an index into the elements.
std::string position_text(std::string_view name, const Shape &shape,
                          std::int64_t index);

/// `value` with the program's element type. Throws InvalidArgument unless it
/// has the parameter's shape and finite values that keep its sign contract.
Tensor checked_parameter(const Description &program, const Parameter &parameter,
                         const Tensor &value);

/// The same for all parameters, in the order of the description. Throws if one
/// is missing, or if there is a value of another name.
std::vector<Tensor> checked_parameters(const Description &program,
                                       const TensorMap &values);

/// The same for the states of the optimizer, whose values have to be finite.
std::vector<Tensor> checked_states(const Description &program,
                                   const TensorMap &values);

/// Throws InvalidArgument: there is no parameter `name`.
[[noreturn]] void fail_unknown_parameter(const Description &program,
                                         std::string_view name);

} // namespace dann

#endif // DANN_RUNTIME_PARAMETER_CHECK_H
