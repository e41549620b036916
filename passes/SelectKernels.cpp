//===- SelectKernels.cpp - Library or generated code ----------------------===//

#include "passes/ConvolutionForm.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SELECTKERNELS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

constexpr StringLiteral kOneDnn = "onednn", kGenerated = "generated";

struct Choice {
  StringRef kernel, reason;
};

/// The kernel if only one can be used.
std::optional<Choice> getOnlyChoice(linalg::LinalgOp op) {
  Type factor = getElementTypeOrSelf(op->getOperand(0).getType());
  Type result = getElementTypeOrSelf(op->getOperand(2).getType());
  if (factor.isBF16())
    return Choice{kOneDnn, "generated kernels have no bf16 products"};
  if (!factor.isF32() || !result.isF32())
    return Choice{kGenerated, "oneDNN has no products of this type"};
  return std::nullopt;
}

// Entries of a matrix from which on reading it by columns is slow: 16 MB, more
// than caches and address translation hold.
constexpr int64_t kLargeMatrix = 2000 * 2000;

/// The matrix that a generated kernel would read by columns, if it is known to
/// be large: a factor [K, M] of a result [M, N].
bool readsLargeMatrixByColumns(linalg::LinalgOp op) {
  auto maps = op.getIndexingMapsArray();
  if (op.getNumLoops() != 3 || maps[2].getNumResults() != 2)
    return false;
  for (OpOperand *factor : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(factor);
    auto type = cast<ShapedType>(factor->get().getType());
    if (map.getNumResults() == 2 && map.getResult(1) == maps[2].getResult(0) &&
        type.hasStaticShape() && type.getNumElements() >= kLargeMatrix)
      return true;
  }
  return false;
}

/// Measured with AVX-512 (docs/architecture.md): generated kernels read both
/// factors as they are and win, unless one is so large that the library's
/// packing pays.
Choice chooseByShape(linalg::LinalgOp op) {
  if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation())) {
    std::optional<ConvolutionForm> form = getConvolutionForm(generic);
    if (form->result == ConvolutionForm::X &&
        (form->strides[0] != 1 || form->strides[1] != 1))
      return {kOneDnn, "no generated kernel adds to pixels in strides"};
  }
  if (readsLargeMatrixByColumns(op))
    return {kOneDnn, "it packs the large matrix that would be read by columns"};
  return {kGenerated, "generated kernels read both factors as they are"};
}

struct SelectKernelsPass : dann::impl::SelectKernelsBase<SelectKernelsPass> {
  using SelectKernelsBase::SelectKernelsBase;

  void runOnOperation() override {
    if (!llvm::is_contained({"auto", "onednn", "generated"}, backend)) {
      getOperation().emitError() << "unknown backend '" << backend
                                 << "': it has to be auto, onednn or generated";
      return signalPassFailure();
    }
    getOperation().walk([&](linalg::LinalgOp op) {
      auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
      bool isConvolution = generic && getConvolutionForm(generic);
      if (!isConvolution && !isa<linalg::ContractOp>(op.getOperation()))
        return;
      Choice choice{backend == "onednn" ? kOneDnn : kGenerated,
                    "asked for by the user"};
      if (std::optional<Choice> only = getOnlyChoice(op))
        choice = *only;
      else if (backend == "auto")
        choice = chooseByShape(op);
      op->setAttr(DannDialect::kKernelAttr,
                  StringAttr::get(&getContext(), choice.kernel));
      if (explain)
        op.emitRemark() << (isConvolution ? "convolution " : "product ")
                        << op->getOperand(0).getType() << " . "
                        << op->getOperand(1).getType() << ": " << choice.kernel
                        << ", since " << choice.reason;
    });
  }
};

} // namespace
