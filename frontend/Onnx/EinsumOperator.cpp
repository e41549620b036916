//===- EinsumOperator.cpp - Einsum ----------------------------------------===//

#include "frontend/Onnx/Indices.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <map>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;
using IntPredicate = arith::CmpIPredicate;

//===----------------------------------------------------------------------===//
// Einsum
//===----------------------------------------------------------------------===//

/// The dimensions of an operand or of the result: letters, and from kEllipsis
/// on those that three dots stand for, counted from behind.
using Labels = SmallVector<int>;
constexpr int kEllipsis = 256;

/// A term of the equation, as it is written: three dots are kEllipsis.
FailureOr<Labels> parseTerm(Node &node, StringRef text) {
  Labels labels;
  for (StringRef rest = text; !rest.empty();) {
    if (rest.consume_front("...")) {
      if (llvm::is_contained(labels, kEllipsis))
        return node.emitError() << "the term '" << text << "' has two ellipses";
      labels.push_back(kEllipsis);
      continue;
    }
    if (!llvm::isAlpha(rest[0]))
      return node.emitError()
             << "the term '" << text << "' has other characters than letters";
    labels.push_back(static_cast<unsigned char>(rest[0]));
    rest = rest.drop_front();
  }
  return labels;
}

/// The dimensions of `term`, with `count` for its ellipsis.
Labels expandEllipsis(ArrayRef<int> term, int64_t count) {
  Labels labels;
  for (int label : term) {
    if (label != kEllipsis) {
      labels.push_back(label);
      continue;
    }
    for (int64_t i = count; i > 0; --i)
      labels.push_back(kEllipsis + static_cast<int>(i) - 1);
  }
  return labels;
}

/// The diagonal of `x` where it has a label twice, so that it has each once.
FailureOr<Tensor> takeDiagonal(Node &node, Tensor x, Labels &labels) {
  Labels own;
  SmallVector<int64_t> shape;
  SmallVector<size_t> loops;
  for (auto [label, extent] : llvm::zip(labels, x.getShape())) {
    size_t loop = llvm::find(own, label) - own.begin();
    loops.push_back(loop);
    if (loop == own.size()) {
      own.push_back(label);
      shape.push_back(extent);
    } else if (shape[loop] != extent) {
      return node.emitError() << "two dimensions of " << x.getType()
                              << " have one letter, and the extents "
                              << shape[loop] << " and " << extent;
    }
  }
  if (own.size() == labels.size())
    return x;
  labels = own;
  return node.generate(shape, x.dataType, [&](B &b, ValueRange indices) {
    SmallVector<Value> places;
    for (size_t loop : loops)
      places.push_back(indices[loop]);
    return tensor::ExtractOp::create(b, x.value, places);
  });
}

LogicalResult importEinsum(Node &node) {
  std::string equation = node.getString("equation", "");
  llvm::erase(equation, ' ');
  SmallVector<Tensor> operands = node.getInputs();
  if (failed(node.requireSameType(operands)))
    return failure();
  if (failed(node.requireNumber(operands[0])))
    return failure();
  auto [left, right] = StringRef(equation).split("->");
  bool isExplicit = StringRef(equation).contains("->");
  SmallVector<StringRef> texts;
  left.split(texts, ',');
  if (texts.size() != operands.size())
    return node.emitError()
           << "the equation '" << equation << "' has " << texts.size()
           << " terms for " << operands.size() << " operands";

  // The labels of each dimension, and their extents.
  SmallVector<Labels> terms;
  std::map<int, int64_t> extents;
  std::map<int, int> occurrences;
  int64_t maxEllipsis = 0;
  for (auto [text, operand] : llvm::zip(texts, operands)) {
    FailureOr<Labels> term = parseTerm(node, text);
    if (failed(term))
      return failure();
    bool hasEllipsis = llvm::is_contained(*term, kEllipsis);
    int64_t ellipsis = operand.getRank() - (static_cast<int64_t>(term->size()) -
                                            (hasEllipsis ? 1 : 0));
    if (ellipsis < 0 || (ellipsis > 0 && !hasEllipsis))
      return node.emitError()
             << "the term '" << text << "' does not name the "
             << operand.getRank() << " dimensions of " << operand.getType();
    maxEllipsis = std::max(maxEllipsis, ellipsis);
    Labels labels = expandEllipsis(*term, ellipsis);
    for (int label : labels)
      ++occurrences[label];
    FailureOr<Tensor> diagonal = takeDiagonal(node, operand, labels);
    if (failed(diagonal))
      return failure();
    operand = *diagonal;
    for (auto [label, extent] : llvm::zip(labels, operand.getShape())) {
      int64_t &known = extents.try_emplace(label, 1).first->second;
      if (known == 1)
        known = extent;
      else if (extent != 1 && extent != known)
        return node.emitError()
               << "the extents of one dimension of '" << equation
               << "' do not broadcast: " << known << " and " << extent;
    }
    terms.push_back(labels);
  }

  Labels result;
  if (isExplicit) {
    FailureOr<Labels> term = parseTerm(node, right);
    if (failed(term))
      return failure();
    result = expandEllipsis(*term, maxEllipsis);
  } else {
    // Letters in their order, which the map has; capitals come first.
    result = expandEllipsis({kEllipsis}, maxEllipsis);
    for (auto [label, count] : occurrences)
      if (label < kEllipsis && count == 1)
        result.push_back(label);
  }

  // A loop for each label, those of the result first.
  std::map<int, unsigned> loops;
  SmallVector<int64_t> shape;
  for (int label : result) {
    auto extent = extents.find(label);
    if (extent == extents.end())
      return node.emitError() << "the result of '" << equation
                              << "' has a dimension that no operand has";
    if (!loops.try_emplace(label, loops.size()).second)
      return node.emitError()
             << "the result of '" << equation << "' has a dimension twice";
    shape.push_back(extent->second);
  }
  for (auto [label, extent] : extents)
    loops.try_emplace(label, loops.size());
  if (failed(checkResult(node, shape)))
    return failure();
  SmallVector<LinalgBuilder::Indexed> inputs;
  for (auto [labels, operand] : llvm::zip(terms, operands)) {
    LinalgBuilder::Indexed input;
    SmallVector<int64_t> repeated;
    for (auto [i, label] : llvm::enumerate(labels)) {
      if (operand.getDim(i) == 1 && extents[label] != 1)
        repeated.push_back(i);
      else
        input.loops.push_back(loops[label]);
    }
    input.tensor = node.squeeze(operand, repeated).value;
    inputs.push_back(input);
  }
  int32_t dataType = operands[0].dataType;

  // Two matrices are what kernels know.
  auto isMatrix = [&](size_t i, unsigned row, unsigned column) {
    SmallVector<unsigned, 2> loops(inputs[i].loops);
    llvm::sort(loops);
    return loops == SmallVector<unsigned, 2>{row, column};
  };
  if (operands[0].isFloat() && inputs.size() == 2 && loops.size() == 3 &&
      shape.size() == 2) {
    for (size_t first : {0, 1})
      if (isMatrix(first, 0, 2) && isMatrix(1 - first, 1, 2)) {
        const LinalgBuilder::Indexed &x = inputs[first];
        const LinalgBuilder::Indexed &y = inputs[1 - first];
        node.setOutput(0, {node.linalg().product(x.tensor, x.loops[0] == 2,
                                                 y.tensor, y.loops[0] == 1),
                           dataType});
        return success();
      }
  }
  bool isSum = loops.size() > shape.size();
  Value init = isSum ? node.fill(shape, dataType, 0).value
                     : node.linalg().empty(node.getSizes(shape),
                                           operands[0].getElementType());
  Value sum = node.linalg().generic(
      loops.size(), inputs, {init, LinalgBuilder::allLoops(init)},
      [&](B &b, ValueRange arguments) {
        Value product = arguments[0];
        for (size_t i = 1; i < inputs.size(); ++i)
          product = multiply(b, product, arguments[i]);
        return isSum ? add(b, arguments.back(), product) : product;
      });
  node.setOutput(0, {sum, dataType});
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"Einsum", 12, 1, kAnyNumber, 1, importEinsum},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getEinsumOperators() {
  return kOperators;
}
