//===- ParameterValues.h - Checks of initial values -----------------------===//

#ifndef DANN_FRONTEND_ONNX_PARAMETERVALUES_H
#define DANN_FRONTEND_ONNX_PARAMETERVALUES_H

#include "Dann/Dann.h"

#include "mlir/IR/BuiltinAttributes.h"

#include <optional>
#include <string>

namespace mlir::dann::onnx {

/// The first of the floats that breaks the contract, as "-0.5 at [1, 2]".
std::optional<std::string> findViolation(ElementsAttr values, Sign sign);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_PARAMETERVALUES_H
