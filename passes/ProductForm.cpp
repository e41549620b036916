//===- ProductForm.cpp - Products of two matrices on buffers --------------===//

#include "passes/ProductForm.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace mlir::dann;

Value mlir::dann::getRootBuffer(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>())
    buffer = view.getViewSource();
  return buffer;
}

bool mlir::dann::isDistinctRoot(Value buffer) {
  if (auto argument = dyn_cast<BlockArgument>(buffer))
    return isa<FunctionOpInterface>(argument.getOwner()->getParentOp());
  // Globals are constants, which nothing writes.
  return isa<memref::AllocOp, memref::GetGlobalOp>(buffer.getDefiningOp());
}

bool mlir::dann::mayShareMemory(Value a, Value b) {
  a = getRootBuffer(a);
  b = getRootBuffer(b);
  return a == b || !isDistinctRoot(a) || !isDistinctRoot(b);
}

SmallVector<Value> mlir::dann::getBuffersReadInBody(linalg::LinalgOp op) {
  SmallVector<Value> buffers;
  for (Region &region : op->getRegions())
    region.walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (isa<BaseMemRefType>(operand.getType()) &&
            !region.isAncestor(operand.getParentRegion()))
          buffers.push_back(operand);
    });
  return buffers;
}

bool mlir::dann::isUsedOnlyBy(Value buffer, ArrayRef<Operation *> operations) {
  Value root = getRootBuffer(buffer);
  if (!root.getDefiningOp<memref::AllocOp>())
    return false;
  SmallVector<Value> values = {root};
  while (!values.empty())
    for (Operation *user : values.pop_back_val().getUsers()) {
      if (isa<ViewLikeOpInterface>(user))
        llvm::append_range(values, user->getResults());
      else if (!isa<memref::DimOp>(user) &&
               !llvm::is_contained(operations, user))
        return false;
    }
  return true;
}

bool mlir::dann::hasContiguousRows(Value buffer) {
  SmallVector<int64_t> strides;
  int64_t offset;
  auto type = dyn_cast<MemRefType>(buffer.getType());
  return type && succeeded(type.getStridesAndOffset(strides, offset)) &&
         (strides.empty() || strides.back() == 1);
}

std::optional<ProductForm> mlir::dann::getProductForm(linalg::ContractOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumLoops() != 3 ||
      !llvm::all_of(op->getOperands(), hasContiguousRows))
    return std::nullopt;
  auto maps = op.getIndexingMapsArray();
  for (AffineMap map : maps)
    if (map.getNumResults() != 2)
      return std::nullopt;
  AffineExpr m = maps[2].getResult(0), n = maps[2].getResult(1);
  ProductForm form{op->getOperand(0), op->getOperand(1), op->getOperand(2),
                   false};
  if (maps[0].getResult(1) == n) {
    std::swap(form.a, form.b);
    std::swap(maps[0], maps[1]);
  }
  AffineExpr k = maps[1].getResult(0);
  if (maps[1].getResult(1) != n || k == m || k == n)
    return std::nullopt;
  form.transposed = maps[0].getResult(0) == k;
  if (maps[0].getResult(form.transposed ? 1 : 0) != m ||
      maps[0].getResult(form.transposed ? 0 : 1) != k)
    return std::nullopt;
  return form;
}

std::optional<ProductForm>
mlir::dann::getWindowProductForm(linalg::ContractOp op) {
  if (!op.hasPureBufferSemantics() || op.getNumLoops() != 5 ||
      !hasContiguousRows(op->getOperand(1)) ||
      !hasContiguousRows(op->getOperand(2)))
    return std::nullopt;
  AffineExpr m, n, k0, k1, k2;
  bindDims(op.getContext(), m, n, k0, k1, k2);
  auto maps = op.getIndexingMapsArray();
  if (maps[0].getResults() != ArrayRef{m, k0, k1, k2} ||
      maps[1].getResults() != ArrayRef{k0, k1, k2, n} ||
      maps[2].getResults() != ArrayRef{m, n})
    return std::nullopt;
  return ProductForm{op->getOperand(0), op->getOperand(1), op->getOperand(2),
                     false};
}

template <typename Step> static Operation *walk(Operation *op, Step step) {
  do
    op = step(op);
  while (op && isMemoryEffectFree(op) &&
         !op->hasTrait<OpTrait::IsTerminator>());
  return op;
}

Operation *mlir::dann::getPreviousWithEffect(Operation *op) {
  return walk(op, [](Operation *op) { return op->getPrevNode(); });
}

Operation *mlir::dann::getNextWithEffect(Operation *op) {
  return walk(op, [](Operation *op) { return op->getNextNode(); });
}

bool mlir::dann::eraseZeroFill(Operation *op, Value buffer) {
  auto fill = dyn_cast_or_null<linalg::FillOp>(getPreviousWithEffect(op));
  if (!fill || fill.getOutputs()[0] != buffer ||
      !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
    return false;
  fill.erase();
  return true;
}
