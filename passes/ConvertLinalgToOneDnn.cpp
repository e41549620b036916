//===- ConvertLinalgToOneDnn.cpp - Products, convolutions for the library -===//

#include "passes/ConvolutionForm.h"
#include "passes/Passes.h"
#include "passes/ProductForm.h"

#include "Dann/Dann.h"
#include "OneDnn/OneDnn.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"

namespace mlir::dann {
#define GEN_PASS_DEF_CONVERTLINALGTOONEDNN
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// Whether `op` replaces the entries of `buffer` by max(entry, 0).
bool isRelu(Operation *op, Value buffer) {
  auto generic = dyn_cast_or_null<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic.getNumDpsInits() != 1 || generic.getDpsInputs()[0] != buffer ||
      generic.getDpsInits()[0] != buffer ||
      generic.getNumParallelLoops() != generic.getNumLoops() ||
      !llvm::all_of(generic.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return false;
  Block *body = generic.getBody();
  auto maximum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::MaximumFOp>();
  return maximum && maximum.getLhs() == body->getArgument(0) &&
         matchPattern(maximum.getRhs(), m_AnyZeroFloat());
}

struct ConvertLinalgToOneDnnPass
    : dann::impl::ConvertLinalgToOneDnnBase<ConvertLinalgToOneDnnPass> {
  void runOnOperation() override {
    SmallVector<Operation *> operations;
    getOperation().walk([&](linalg::LinalgOp op) {
      auto kernel = op->getAttrOfType<StringAttr>(DannDialect::kKernelAttr);
      if (kernel && kernel.getValue() == "onednn")
        operations.push_back(op);
    });
    for (Operation *op : operations) {
      if (auto product = dyn_cast<linalg::ContractOp>(op)) {
        if (std::optional<ProductForm> form = getProductForm(product))
          lower(product, *form);
      } else if (auto generic = dyn_cast<linalg::GenericOp>(op)) {
        if (std::optional<ConvolutionForm> form = getConvolutionForm(generic))
          lower(generic, *form);
      }
    }
  }

  void lower(linalg::ContractOp op, ProductForm form) {
    OpBuilder b(op);
    Value a = form.a;
    if (form.transposed)
      a = memref::TransposeOp::create(
          b, op.getLoc(), a,
          AffineMapAttr::get(AffineMap::getPermutationMap(
              ArrayRef<unsigned>{1, 0}, &getContext())));
    bool accumulates = !eraseZeroFill(op, form.c);
    SmallVector<Attribute> postOps;
    if (Operation *next = getNextWithEffect(op); isRelu(next, form.c)) {
      postOps.push_back(
          onednn::PostOpAttr::get(&getContext(), onednn::PostOp::Relu));
      next->erase();
    }
    onednn::MatmulOp::create(b, op.getLoc(), a, form.b, form.c, accumulates,
                             b.getArrayAttr(postOps));
    op.erase();
  }

  static void lower(linalg::GenericOp op, const ConvolutionForm &form) {
    OpBuilder b(op);
    bool accumulates = !eraseZeroFill(op, form.getResult());
    auto build = [&]<typename OpTy>(OpTy, Value a, Value factor) {
      OpTy::create(b, op.getLoc(), a, factor, form.getResult(), form.strides,
                   form.dilations, accumulates);
    };
    switch (form.result) {
    case ConvolutionForm::Z:
      build(onednn::ConvolutionOp(), form.x, form.filters);
      break;
    case ConvolutionForm::X:
      build(onednn::ConvolutionBackwardDataOp(), form.z, form.filters);
      break;
    case ConvolutionForm::Filters:
      build(onednn::ConvolutionBackwardWeightsOp(), form.z, form.x);
      break;
    }
    op.erase();
  }
};

} // namespace
