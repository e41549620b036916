//===- AutodiffShapeRules.cpp - Derivatives of operations on shapes -------===//
//
// These operations are linear and move elements only: each derivative is the
// operation that moves them back.
//
//===----------------------------------------------------------------------===//

#include "passes/Backpropagation.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

template <typename Model, typename OpTy>
struct ShapeModel : DifferentiableOpInterface::ExternalModel<Model, OpTy> {
  bool isDifferentiable(Operation *op) const {
    return isa<FloatType>(getElementTypeOrSelf(op->getResult(0).getType()));
  }
};

struct CollapseModel : ShapeModel<CollapseModel, tensor::CollapseShapeOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::CollapseShapeOp>(operation);
    operandCotangents[0] = tensor::ExpandShapeOp::create(
        builder, op.getLoc(), op.getSrcType(), cotangents[0],
        op.getReassociationIndices(),
        tensor::getMixedSizes(builder, op.getLoc(), op.getSrc()));
  }
};

struct ExpandModel : ShapeModel<ExpandModel, tensor::ExpandShapeOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::ExpandShapeOp>(operation);
    operandCotangents[0] = tensor::CollapseShapeOp::create(
        builder, op.getLoc(), op.getSrcType(), cotangents[0],
        op.getReassociationIndices());
  }
};

struct CastModel : ShapeModel<CastModel, tensor::CastOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::CastOp>(operation);
    operandCotangents[0] = tensor::CastOp::create(
        builder, op.getLoc(), op.getSource().getType(), cotangents[0]);
  }
};

struct ExtractSliceModel
    : ShapeModel<ExtractSliceModel, tensor::ExtractSliceOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::ExtractSliceOp>(operation);
    Value zeros = LinalgBuilder(builder, op.getLoc()).zerosLike(op.getSource());
    operandCotangents[0] = tensor::InsertSliceOp::create(
        builder, op.getLoc(), cotangents[0], zeros, op.getMixedOffsets(),
        op.getMixedSizes(), op.getMixedStrides());
  }
};

struct InsertSliceModel : ShapeModel<InsertSliceModel, tensor::InsertSliceOp> {
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &active,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::InsertSliceOp>(operation);
    if (active[0])
      operandCotangents[0] = tensor::ExtractSliceOp::create(
          builder, op.getLoc(), op.getSourceType(), cotangents[0],
          op.getMixedOffsets(), op.getMixedSizes(), op.getMixedStrides());
    if (active[1]) {
      Value zeros =
          LinalgBuilder(builder, op.getLoc()).zerosLike(op.getSource());
      operandCotangents[1] = tensor::InsertSliceOp::create(
          builder, op.getLoc(), zeros, cotangents[0], op.getMixedOffsets(),
          op.getMixedSizes(), op.getMixedStrides());
    }
  }
};

/// Padding with one value from outside of the operation: nothing flows back to
/// it.
struct PadModel
    : DifferentiableOpInterface::ExternalModel<PadModel, tensor::PadOp> {
  bool isDifferentiable(Operation *operation) const {
    auto op = cast<tensor::PadOp>(operation);
    return isa<FloatType>(op.getType().getElementType()) &&
           op.getConstantPaddingValue();
  }
  void buildVjp(Operation *operation, OpBuilder &builder,
                ArrayRef<Value> cotangents, const llvm::BitVector &,
                MutableArrayRef<Value> operandCotangents) const {
    auto op = cast<tensor::PadOp>(operation);
    SmallVector<OpFoldResult> ones(op.getSourceType().getRank(),
                                   builder.getIndexAttr(1));
    operandCotangents[0] = tensor::ExtractSliceOp::create(
        builder, op.getLoc(), op.getSourceType(), cotangents[0],
        op.getMixedLowPad(),
        tensor::getMixedSizes(builder, op.getLoc(), op.getSource()), ones);
  }
};

} // namespace

void mlir::dann::registerShapeDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::CollapseShapeOp::attachInterface<CollapseModel>(*context);
    tensor::ExpandShapeOp::attachInterface<ExpandModel>(*context);
    tensor::CastOp::attachInterface<CastModel>(*context);
    tensor::ExtractSliceOp::attachInterface<ExtractSliceModel>(*context);
    tensor::InsertSliceOp::attachInterface<InsertSliceModel>(*context);
    tensor::PadOp::attachInterface<PadModel>(*context);
  });
}
