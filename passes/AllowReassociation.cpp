//===- AllowReassociation.cpp - Relax the order of float arithmetic -------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

namespace mlir::dann {
#define GEN_PASS_DEF_ALLOWREASSOCIATION
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;

namespace {
struct AllowReassociationPass
    : dann::impl::AllowReassociationBase<AllowReassociationPass> {
  void runOnOperation() override {
    auto relaxed = arith::FastMathFlagsAttr::get(
        &getContext(),
        arith::FastMathFlags::reassoc | arith::FastMathFlags::contract);
    getOperation()->walk([&](arith::ArithFastMathInterface op) {
      op->setAttr(op.getFastMathAttrName(), relaxed);
    });
  }
};
} // namespace
