//===- RuntimeCalls.cpp - Functions of the runtime that code calls --------===//

#include "passes/RuntimeCalls.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"

using namespace mlir;

/// One runtime function serves all shapes and layouts.
static Value castToAnyLayout(ImplicitLocOpBuilder &b, Value buffer) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> dynamic(type.getRank(), ShapedType::kDynamic);
  auto layout =
      StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, dynamic);
  return b.createOrFold<memref::CastOp>(
      MemRefType::get(dynamic, type.getElementType(), layout), buffer);
}

Value mlir::dann::callRuntime(ImplicitLocOpBuilder &b, StringRef name,
                              ValueRange arguments, Type result) {
  SmallVector<Value> operands;
  bool hasMemRefs = false;
  for (Value argument : arguments) {
    bool isMemRef = isa<MemRefType>(argument.getType());
    hasMemRefs |= isMemRef;
    operands.push_back(isMemRef ? castToAnyLayout(b, argument) : argument);
  }
  auto module =
      b.getInsertionBlock()->getParentOp()->getParentOfType<ModuleOp>();
  auto function = module.lookupSymbol<func::FuncOp>(name);
  if (!function) {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(module.getBody());
    auto type = b.getFunctionType(ValueRange(operands).getTypes(),
                                  result ? TypeRange(result) : TypeRange());
    function = func::FuncOp::create(b, name, type);
    function.setPrivate();
    if (hasMemRefs)
      function->setAttr(LLVM::LLVMDialect::getEmitCWrapperAttrName(),
                        b.getUnitAttr());
  }
  auto call = func::CallOp::create(b, function, operands);
  return result ? call.getResult(0) : Value();
}
