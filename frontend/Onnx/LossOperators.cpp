//===- LossOperators.cpp - Losses -----------------------------------------===//

#include "frontend/Onnx/Indices.h"
#include "frontend/Onnx/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

enum class Reduction { None, Sum, Mean };

/// Losses of labels, given in a tensor without the dimension of the classes.
class LabelLoss {
public:
  LabelLoss(Node &node) : node(node) {}

  /// The shapes and types of scores [N, C, ...], labels [N, ...] and weights
  /// [C].
  LogicalResult check();
  /// The negative of `logarithms` at the labels, weighted and reduced.
  Tensor build(Tensor logarithms);

private:
  Value getLabel(B &b, Value label) {
    return node.convertScalar(b, label, labels.dataType,
                              proto::TensorProto::INT64);
  }
  Value isIgnored(B &b, Value label) {
    return compare(b, arith::CmpIPredicate::eq, label,
                   makeInt64(b, ignoredLabel));
  }
  /// Whether the loop over classes is at the label, and it is not ignored.
  Value isCounted(B &b, Value label) {
    Value own = arith::IndexCastOp::create(b, b.getI64Type(),
                                           linalg::IndexOp::create(b, 1));
    Value isLabel =
        arith::CmpIOp::create(b, arith::CmpIPredicate::eq, own, label);
    if (!ignores)
      return isLabel;
    Value isOther = arith::CmpIOp::create(b, arith::CmpIPredicate::ne, label,
                                          makeInt64(b, ignoredLabel));
    return arith::AndIOp::create(b, isLabel, isOther);
  }
  Tensor sumWeights();

  Node &node;
  Tensor scores, labels, weights;
  SmallVector<int64_t> shape; // of the scores
  Reduction reduction = Reduction::Mean;
  bool ignores = false;
  int64_t ignoredLabel = 0;
};

LogicalResult LabelLoss::check() {
  scores = node.getInput(0);
  labels = node.getInput(1);
  weights = node.getInput(2);
  shape.assign(scores.getShape().begin(), scores.getShape().end());
  ignores = node.hasAttribute("ignore_index");
  ignoredLabel = node.getInt("ignore_index", 0);
  std::string name = node.getString("reduction", "mean");
  if (name == "none")
    reduction = Reduction::None;
  else if (name == "sum")
    reduction = Reduction::Sum;
  else if (name != "mean")
    return node.emitError()
           << "the reduction '" << name << "' is none of none, sum and mean";
  if (failed(node.requireFloat(scores)))
    return failure();
  if (!labels.isInteger())
    return node.emitError()
           << "takes integers as labels, not " << getTypeName(labels.dataType);
  if (shape.size() < 2)
    return node.emitError()
           << "takes scores of a batch and classes, not " << scores.getType();
  SmallVector<int64_t> expected(shape);
  expected.erase(expected.begin() + 1);
  if (labels.getShape() != ArrayRef(expected))
    return node.emitError() << "the labels " << labels.getType()
                            << " do not have the shape of the scores "
                            << scores.getType() << " without their classes";
  if (!weights)
    return success();
  if (failed(node.requireSameType({scores, weights})))
    return failure();
  if (weights.getShape() != ArrayRef(shape).slice(1, 1))
    return node.emitError()
           << "the weights " << weights.getType()
           << " are not one for each of the " << shape[1] << " classes";
  return success();
}

/// The sum of the weights of all labels that are not ignored.
Tensor LabelLoss::sumWeights() {
  Type type = scores.getElementType();
  if (!weights) {
    SmallVector<int64_t> axes =
        llvm::to_vector(llvm::seq<int64_t>(0, labels.getRank()));
    return reduce(node, labels.getShape(), axes, scores.dataType,
                  Combination::Sum, indexWhole(labels),
                  [&](B &b, ValueRange arguments) {
                    return arith::SelectOp::create(
                        b, isIgnored(b, getLabel(b, arguments[0])),
                        constant(b, type, 0), constant(b, type, 1));
                  });
  }
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, shape.size()));
  return reduce(node, shape, axes, scores.dataType, Combination::Sum,
                {indexReduced(labels, shape.size(), 1), {weights.value, {1}}},
                [&](B &b, ValueRange arguments) {
                  return arith::SelectOp::create(
                      b, isCounted(b, getLabel(b, arguments[0])), arguments[1],
                      constant(b, type, 0));
                });
}

Tensor LabelLoss::build(Tensor logarithms) {
  Type type = scores.getElementType();
  int32_t dataType = scores.dataType;
  // Each class is compared with the label, which indexes nothing: a label from
  // outside cannot read what there is not, and the sum has a derivative.
  SmallVector<Indexed> inputs = {indexReduced(labels, shape.size(), 1),
                                 indexWhole(logarithms)};
  if (weights)
    inputs.push_back({weights.value, {1}});
  Tensor picked = reduce(node, shape, 1, dataType, Combination::Sum, inputs,
                         [&](B &b, ValueRange arguments) {
                           Value loss = arith::NegFOp::create(b, arguments[1]);
                           if (weights)
                             loss =
                                 arith::MulFOp::create(b, loss, arguments[2]);
                           return arith::SelectOp::create(
                               b, isCounted(b, getLabel(b, arguments[0])), loss,
                               constant(b, type, 0));
                         });
  // A label of no class has no loss: it must not pass for a good one.
  auto mark = [&](B &b, ValueRange arguments) {
    Value label = getLabel(b, arguments[1]);
    Value isKnown = arith::CmpIOp::create(b, arith::CmpIPredicate::ult, label,
                                          makeInt64(b, shape[1]));
    if (ignores)
      isKnown = arith::OrIOp::create(b, isKnown, isIgnored(b, label));
    Value none = constant(b, type, std::numeric_limits<double>::quiet_NaN());
    return arith::SelectOp::create(b, isKnown, arguments[0], none);
  };
  SmallVector<Indexed> both = {indexWhole(picked), indexWhole(labels)};
  if (reduction == Reduction::None)
    return compute(node, labels.getShape(), dataType, both, mark);
  SmallVector<int64_t> axes =
      llvm::to_vector(llvm::seq<int64_t>(0, labels.getRank()));
  Tensor sum = reduce(node, labels.getShape(), axes, dataType, Combination::Sum,
                      both, mark);
  if (reduction == Reduction::Sum)
    return sum;
  if (!weights && !ignores)
    return divideByCount(node, sum, labels.getShape(), axes);
  return compute(node, {}, dataType,
                 {indexWhole(sum), indexWhole(sumWeights())},
                 [](B &b, ValueRange arguments) {
                   return arith::DivFOp::create(b, arguments[0], arguments[1]);
                 });
}

LogicalResult importNegativeLogLikelihoodLoss(Node &node) {
  LabelLoss loss(node);
  if (failed(loss.check()))
    return failure();
  node.setOutput(0, loss.build(node.getInput(0)));
  return success();
}

LogicalResult importSoftmaxCrossEntropyLoss(Node &node) {
  LabelLoss loss(node);
  if (failed(loss.check()))
    return failure();
  Tensor logarithms = logSoftmax(node, node.getInput(0), 1);
  node.setOutput(0, loss.build(logarithms));
  node.setOutput(1, logarithms);
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"NegativeLogLikelihoodLoss", 12, 2, 3, 1, importNegativeLogLikelihoodLoss},
    {"SoftmaxCrossEntropyLoss", 12, 2, 3, 2, importSoftmaxCrossEntropyLoss},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getLossOperators() {
  return kOperators;
}
