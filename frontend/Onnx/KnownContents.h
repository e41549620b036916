//===- KnownContents.h - Values that are known at compile time ------------===//

#ifndef DANN_FRONTEND_ONNX_KNOWNCONTENTS_H
#define DANN_FRONTEND_ONNX_KNOWNCONTENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

#include <optional>

namespace mlir::dann::onnx {

/// Evaluates small tensors that follow from constants and shapes. ONNX models
/// compute shapes with the operators that compute numbers; this tells the
/// importer what comes out.
///
/// An element is an IntegerAttr or FloatAttr, a UnitAttr if it is the size of
/// the batch, or null if it is not known.
class KnownContents {
public:
  using Elements = SmallVector<Attribute>;
  /// Larger tensors than this have no known contents.
  static constexpr int64_t kMaxElements = 4096;
  /// Of all tensors together: more are not known either.
  static constexpr int64_t kMaxEvaluations = int64_t(1) << 23;

  /// The elements of `tensor` in row-major order; none if it is large, or
  /// nothing of it is known.
  const Elements *get(Value tensor);

  /// The elements of a tensor of integers, if all are known. The size of the
  /// batch is ShapedType::kDynamic.
  std::optional<SmallVector<int64_t>> getInts(Value tensor);
  /// The element of a tensor that has one integer or bool; none if it is not
  /// known or the size of the batch.
  std::optional<int64_t> getInt(Value tensor);
  /// The elements of a tensor of floats, if all are known.
  std::optional<SmallVector<double>> getFloats(Value tensor);

  /// Takes `number` from kMaxEvaluations; false if there are no more.
  bool charge(int64_t number);

private:
  Elements evaluate(Value tensor);
  void evaluateOperands(Value tensor);

  // Boxed, since evaluation adds to the map while it holds a reference.
  DenseMap<Value, std::unique_ptr<Elements>> contents;
  int64_t numEvaluations = 0;
  bool isEvaluating = false;
};

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_KNOWNCONTENTS_H
