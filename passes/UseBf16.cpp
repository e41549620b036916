//===- UseBf16.cpp - Products in bf16 -------------------------------------===//

#include "passes/Passes.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace mlir::dann {
#define GEN_PASS_DEF_USEBF16
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

Value buildRounded(OpBuilder &builder, Location loc, Value tensor) {
  LinalgBuilder b(builder, loc);
  Type bf16 = builder.getBF16Type();
  return b.elementwise(
      {{tensor, LinalgBuilder::allLoops(tensor)}}, tensor,
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        return arith::TruncFOp::create(b, bf16, args[0]);
      },
      bf16);
}

struct UseBf16Pass : dann::impl::UseBf16Base<UseBf16Pass> {
  void runOnOperation() override {
    // The rounded form of each factor, made where the factor is.
    DenseMap<Value, Value> rounded;
    SmallVector<linalg::ContractOp> products;
    getOperation().walk([&](linalg::ContractOp op) {
      if (op.hasPureTensorSemantics() &&
          llvm::all_of(
              op->getOperandTypes(),
              [](Type type) { return getElementTypeOrSelf(type).isF32(); }) &&
          // Products of weights alone make weights, in full precision.
          !llvm::all_of(op->getOperandTypes(), [](Type type) {
            return cast<ShapedType>(type).hasStaticShape();
          }))
        products.push_back(op);
    });
    for (linalg::ContractOp op : products) {
      SmallVector<Value> factors;
      for (Value factor : op.getInputs()) {
        Value &other = rounded[factor];
        if (!other) {
          OpBuilder b(&getContext());
          b.setInsertionPointAfterValue(factor);
          other = buildRounded(b, op.getLoc(), factor);
        }
        factors.push_back(other);
      }
      OpBuilder b(op);
      auto product = linalg::ContractOp::create(
          b, op.getLoc(), op->getResultTypes(), factors, op.getOutputs(),
          op.getIndexingMaps());
      op.replaceAllUsesWith(product);
      op.erase();
    }
  }
};

} // namespace
