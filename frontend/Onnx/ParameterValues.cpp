//===- ParameterValues.cpp - Checks of initial values ---------------------===//

#include "frontend/Onnx/ParameterValues.h"

#include "Utils/FloatElements.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

std::optional<std::string>
mlir::dann::onnx::findViolation(ElementsAttr attribute, Sign sign) {
  if (sign != Sign::Nonneg && sign != Sign::Nonpos)
    return std::nullopt;
  std::optional<WrongSigns> wrong =
      findWrongSigns(attribute, sign == Sign::Nonneg);
  if (!wrong || wrong->count == 0)
    return std::nullopt;
  std::string text;
  llvm::raw_string_ostream os(text);
  os << llvm::format("%g", wrong->value) << " at [";
  llvm::interleaveComma(wrong->first, os);
  os << "]";
  return text;
}
