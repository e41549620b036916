//===- SquaredGradients.cpp - Gradients of single samples -----------------===//

#include "passes/SquaredGradients.h"

#include "Utils/LinalgBuilder.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace mlir::dann;

/// Whether an operation sums over a dimension of dynamic size, the batch.
static bool sumsOverSamples(linalg::LinalgOp op) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  SmallVector<unsigned> reductions;
  op.getReductionDims(reductions);
  return llvm::any_of(reductions, [&](unsigned loop) {
    return ShapedType::isDynamic(ranges[loop]);
  });
}

/// A sum over the samples and nothing else, from zero.
static bool isSumOfSamples(linalg::LinalgOp op) {
  return op->getNumResults() == 1 && op.getNumReductionLoops() == 1 &&
         sumsOverSamples(op) && isZeros(op.getDpsInits()[0]);
}

static Value squareProduct(linalg::ContractOp op) {
  OpBuilder builder(op);
  LinalgBuilder b(builder, op.getLoc());
  SmallVector<Value> operands;
  for (Value factor : op.getInputs())
    operands.push_back(
        b.elementwise({{factor, LinalgBuilder::allLoops(factor)}}, factor,
                      [](ImplicitLocOpBuilder &b, ValueRange args) {
                        return arith::MulFOp::create(b, args[0], args[0]);
                      }));
  operands.push_back(op.getOutputs()[0]);
  return mlir::clone(builder, op, op->getResultTypes(), operands)->getResult(0);
}

/// Null if the body is not `accumulator + term`.
static Value squareSum(linalg::GenericOp op) {
  OpBuilder builder(op);
  Operation *copy = builder.clone(*op);
  Block &body = copy->getRegion(0).front();
  Value accumulator = body.getArguments().back();
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || !accumulator.hasOneUse() ||
      !llvm::is_contained(sum->getOperands(), accumulator)) {
    copy->erase();
    return nullptr;
  }
  OpOperand &term = sum->getOpOperand(sum.getLhs() == accumulator ? 1 : 0);
  builder.setInsertionPoint(sum);
  term.set(arith::MulFOp::create(builder, op.getLoc(), term.get(), term.get()));
  return copy->getResult(0);
}

/// Null if the terms of a gradient are not known.
static Value squareGradient(Value gradient) {
  if (isZeros(gradient))
    return gradient;
  Operation *op = gradient.getDefiningOp();
  if (auto layer = dyn_cast_or_null<EiDenseGradOp>(op)) {
    layer.setSquared(true);
    return gradient;
  }
  if (auto polarity = dyn_cast_or_null<ApplyPolarityOp>(op)) {
    // (p g)^2 = p (p g^2).
    Value squares = squareGradient(polarity.getMagnitude());
    if (!squares)
      return nullptr;
    OpBuilder builder(polarity);
    for (int i = 0; i < 2; ++i) {
      auto copy = cast<ApplyPolarityOp>(builder.clone(*polarity));
      copy.getMagnitudeMutable().assign(squares);
      squares = copy;
    }
    return squares;
  }
  auto linalgOp = dyn_cast_or_null<linalg::LinalgOp>(op);
  if (!linalgOp || !isSumOfSamples(linalgOp))
    return nullptr;
  if (auto product = dyn_cast<linalg::ContractOp>(op))
    return squareProduct(product);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return squareSum(generic);
  return nullptr;
}

LogicalResult mlir::dann::squareTerms(ValueAndGradOp request, Block &callee,
                                      MutableArrayRef<Value> gradients) {
  for (auto op : callee.getOps<linalg::LinalgOp>())
    if (sumsOverSamples(op)) {
      InFlightDiagnostic diagnostic =
          request.emitError()
          << "cannot square the gradients of single samples of '"
          << request.getCallee() << "': it mixes samples";
      diagnostic.attachNote(op->getLoc())
          << "'" << op->getName() << "' sums over the batch";
      return diagnostic;
    }
  for (auto [position, gradient] : llvm::zip(request.getWrt(), gradients)) {
    Value squares = squareGradient(gradient);
    if (!squares) {
      InFlightDiagnostic diagnostic =
          request.emitError()
          << "cannot square the gradients of single samples of '"
          << request.getCallee()
          << "': there is no rule for the parameter at position " << position;
      diagnostic.attachNote(gradient.getLoc())
          << "its gradient is the result of '"
          << gradient.getDefiningOp()->getName() << "'";
      return diagnostic;
    }
    gradient = squares;
  }
  return success();
}
