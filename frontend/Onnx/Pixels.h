//===- Pixels.h - What operators on pixels compute with -------------------===//

#ifndef DANN_FRONTEND_ONNX_PIXELS_H
#define DANN_FRONTEND_ONNX_PIXELS_H

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/Scalars.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::dann::onnx {

Value constantIndex(ImplicitLocOpBuilder &b, int64_t value);
Value select(ImplicitLocOpBuilder &b, Value condition, Value x, Value y);
Value compare(ImplicitLocOpBuilder &b, arith::CmpFPredicate predicate, Value x,
              double y);
Value compare(ImplicitLocOpBuilder &b, arith::CmpIPredicate predicate, Value x,
              int64_t y);
/// `x` in [low, high], which NaN becomes low.
Value clampFloat(ImplicitLocOpBuilder &b, Value x, double low, double high);
/// An index in [0, extent).
Value clampIndex(ImplicitLocOpBuilder &b, Value x, int64_t extent);
/// A whole float that is not too large.
Value floatToIndex(ImplicitLocOpBuilder &b, Value x);
Value toFloat(ImplicitLocOpBuilder &b, Value index, Type type);

/// An attribute that is one of some words; `result` is what the word means.
template <typename T>
LogicalResult parseWord(Node &node, StringRef attribute, StringRef otherwise,
                        ArrayRef<std::pair<StringRef, T>> words, T &result) {
  std::string given = node.getString(attribute, otherwise);
  for (auto [word, value] : words)
    if (word == given) {
      result = value;
      return success();
    }
  return node.emitError() << "there is no " << attribute << " '" << given
                          << "'";
}

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_PIXELS_H
