//===- GenerateProducts.cpp - Calls of kernels for matrix products --------===//

#include "passes/Passes.h"
#include "passes/ProductForm.h"
#include "passes/ProductKernel.h"
#include "passes/VectorBody.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

namespace mlir::dann {
#define GEN_PASS_DEF_GENERATEPRODUCTS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

struct GenerateProductsPass
    : dann::impl::GenerateProductsBase<GenerateProductsPass> {
  using GenerateProductsBase::GenerateProductsBase;

  llvm::StringMap<func::FuncOp> kernels;

  void runOnOperation() override {
    kernels.clear();
    SmallVector<linalg::ContractOp> products;
    getOperation().walk([&](linalg::ContractOp op) { products.push_back(op); });
    for (linalg::ContractOp op : products)
      if (std::optional<ProductForm> form = getProductForm(op))
        lower(op, *form, /*hasWindows=*/false);
      else if (std::optional<ProductForm> form = getWindowProductForm(op))
        lower(op, *form, /*hasWindows=*/true);
  }

  void lower(linalg::ContractOp op, ProductForm product, bool hasWindows) {
    auto [a, b, c, transposed] = product;
    auto type = cast<MemRefType>(c.getType());
    if (!isa<Float32Type, Float64Type>(type.getElementType()) ||
        getElementTypeOrSelf(a.getType()) != type.getElementType() ||
        getElementTypeOrSelf(b.getType()) != type.getElementType())
      return;

    ImplicitLocOpBuilder builder(op.getLoc(), op);
    bool accumulates = !eraseZeroFill(op, c);
    ProductKernelForm form{
        type.getElementType(), transposed, hasWindows, {}, {}, 0, {}};
    if (auto next = dyn_cast_or_null<linalg::GenericOp>(getNextWithEffect(op));
        next && isEpilogue(next, op, c)) {
      form.epilogue = next;
      for (OpOperand *input : next.getDpsInputOperands())
        if (input->get() == c)
          form.productIndex = input->getOperandNumber();
      form.epilogueText = getBodyText(next);
      builder.setInsertionPoint(next);
    }
    SmallVector<Value> arguments;
    auto pass = [&](Value value) {
      if (isa<MemRefType>(value.getType()))
        value = builder.createOrFold<memref::CastOp>(
            getGeneralType(value.getType()), value);
      arguments.push_back(value);
    };
    if (hasWindows) {
      form.windowsType = getWindowsType(cast<MemRefType>(a.getType()));
      arguments.push_back(
          builder.createOrFold<memref::CastOp>(form.windowsType, a));
    } else {
      pass(a);
    }
    pass(b);
    pass(c);
    pass(arith::ConstantOp::create(builder, builder.getBoolAttr(accumulates)));
    if (form.epilogue) {
      llvm::for_each(form.epilogue.getDpsInits(), pass);
      for (OpOperand *input : form.epilogue.getDpsInputOperands())
        if (input->getOperandNumber() != form.productIndex)
          pass(input->get());
    }
    func::CallOp::create(builder, getKernel(form, arguments), arguments);
    if (form.epilogue)
      form.epilogue.erase();
    op.erase();
  }

  /// The type of factors whose entries may be anywhere. What is known of the
  /// innermost ones is kept: addresses are cheaper then.
  static MemRefType getWindowsType(MemRefType type) {
    SmallVector<int64_t> strides;
    int64_t offset;
    (void)type.getStridesAndOffset(strides, offset);
    bool areNeighbours = std::abs(strides.back()) == 1;
    SmallVector<int64_t> general(strides.size(), ShapedType::kDynamic);
    SmallVector<int64_t> shape = general;
    if (areNeighbours)
      general.back() = strides.back();
    return MemRefType::get(shape, type.getElementType(),
                           StridedLayoutAttr::get(type.getContext(),
                                                  ShapedType::kDynamic,
                                                  general));
  }

  /// Whether `next` can be applied to the entries of the product on their way
  /// to memory, and the product itself is needed nowhere else.
  static bool isEpilogue(linalg::GenericOp next, Operation *product, Value c) {
    if (next.getNumLoops() != 2 || next.getNumParallelLoops() != 2 ||
        llvm::count(next.getDpsInputs(), c) != 1 || !hasVectorBody(next))
      return false;
    Type element = getElementTypeOrSelf(c.getType());
    for (OpOperand &operand : next->getOpOperands()) {
      AffineMap map = next.getMatchingIndexingMap(&operand);
      bool isResult = next.isDpsInit(&operand);
      if (isResult &&
          (next.payloadUsesValueFromOperand(&operand) ||
           getElementTypeOrSelf(operand.get().getType()) != element))
        return false;
      // Transposed operands are not contiguous along the vectors.
      bool mustBeIdentity =
          isResult || operand.get() == c || map.getNumResults() == 2;
      if (mustBeIdentity ? !map.isIdentity() : !map.isProjectedPermutation())
        return false;
      if (isa<MemRefType>(operand.get().getType()) &&
          !hasContiguousRows(operand.get()))
        return false;
    }
    for (Operation &nested : *next.getBody())
      if (isa<linalg::IndexOp>(nested) ||
          !llvm::all_of(nested.getOperands(), [&](Value operand) {
            return operand.getParentRegion() == &next.getRegion() ||
                   matchPattern(operand, m_Constant());
          }))
        return false;
    return llvm::is_contained(next.getDpsInits(), c) ||
           isUsedOnlyBy(c, {product, next});
  }

  func::FuncOp getKernel(const ProductKernelForm &form, ValueRange arguments) {
    func::FuncOp &kernel = kernels[form.getKey()];
    if (kernel)
      return kernel;
    ModuleOp module = getOperation();
    auto b =
        ImplicitLocOpBuilder::atBlockEnd(module.getLoc(), module.getBody());
    std::string name = "dann_product_" + std::to_string(kernels.size() - 1);
    kernel = func::FuncOp::create(b, name,
                                  b.getFunctionType(arguments.getTypes(), {}));
    kernel.setPrivate();
    // Shared for the sake of its size, so LLVM must not copy it into callers.
    kernel->setAttr("passthrough", b.getStrArrayAttr({"noinline"}));
    int64_t width = vectorBytes * 8 / form.elementType.getIntOrFloatBitWidth();
    buildProductKernel(b, form, width, rows, kernel);
    return kernel;
  }
};

} // namespace
