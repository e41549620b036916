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
  std::optional<FloatElements> values = FloatElements::of(attribute);
  if (!values || (sign != Sign::Nonneg && sign != Sign::Nonpos))
    return std::nullopt;
  ArrayRef<int64_t> shape = attribute.getShapedType().getShape();
  for (int64_t i = 0; i < values->size(); ++i) {
    double value = (*values)[i];
    if (sign == Sign::Nonneg ? value >= 0 : value <= 0)
      continue;
    SmallVector<int64_t> position(shape.size());
    int64_t rest = i;
    for (size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
      position[axis] = rest % shape[axis];
    std::string text;
    llvm::raw_string_ostream os(text);
    os << llvm::format("%g", value) << " at [";
    llvm::interleaveComma(position, os);
    os << "]";
    return text;
  }
  return std::nullopt;
}
