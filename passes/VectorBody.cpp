//===- VectorBody.cpp - Bodies of linalg operations on vectors ------------===//

#include "passes/VectorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

static bool isOuterInteger(linalg::GenericOp op, Value value) {
  return isa<IntegerType>(value.getType()) &&
         value.getParentRegion() != &op.getRegion() &&
         matchPattern(value, m_Constant());
}

SmallVector<OpOperand *> mlir::dann::getIntegers(linalg::GenericOp op) {
  SmallVector<OpOperand *> integers;
  for (Operation &nested : *op.getBody())
    for (OpOperand &operand : nested.getOpOperands())
      if (isOuterInteger(op, operand.get()))
        integers.push_back(&operand);
  return integers;
}

std::string mlir::dann::getBodyText(linalg::GenericOp op, bool withIntegers) {
  std::string text;
  llvm::raw_string_ostream os(text);
  DenseMap<Value, unsigned> numbers, captured;
  for (AffineMap map : op.getIndexingMapsArray())
    os << map << " ";
  // The regions of its operations follow behind a block. Integers are left
  // out only of the first, of which getIntegers() knows them.
  op.getRegion().walk<WalkOrder::PreOrder>([&](Block *block) {
    os << " {";
    for (Value argument : block->getArguments())
      numbers.insert({argument, numbers.size()});
    for (Operation &nested : *block) {
      os << nested.getName() << nested.getAttrDictionary();
      for (Value operand : nested.getOperands()) {
        Attribute constant;
        if (!withIntegers && block == op.getBody() &&
            isOuterInteger(op, operand))
          os << " integer " << operand.getType();
        else if (matchPattern(operand, m_Constant(&constant)))
          os << " " << constant;
        else if (auto number = numbers.find(operand); number != numbers.end())
          os << " %" << number->second;
        else
          os << " captured"
             << captured.insert({operand, captured.size()}).first->second;
      }
      for (Value result : nested.getResults()) {
        os << " : " << result.getType();
        numbers.insert({result, numbers.size()});
      }
      os << " regions " << nested.getNumRegions();
    }
  });
  return text;
}

MemRefType mlir::dann::getGeneralType(Type type) {
  auto buffer = cast<MemRefType>(type);
  SmallVector<int64_t> shape(buffer.getRank(), ShapedType::kDynamic);
  SmallVector<int64_t> strides = shape;
  if (!strides.empty())
    strides.back() = 1;
  return MemRefType::get(
      shape, buffer.getElementType(),
      StridedLayoutAttr::get(type.getContext(), ShapedType::kDynamic, strides));
}

bool mlir::dann::hasVectorBody(linalg::GenericOp op) {
  for (Value operand : op->getOperands())
    if (getElementTypeOrSelf(operand.getType()).isInteger(1))
      return false;
  for (Operation &nested : op.getBody()->without_terminator()) {
    if (isa<linalg::IndexOp, arith::ConstantOp>(nested))
      continue;
    if (!OpTrait::hasElementwiseMappableTraits(&nested))
      return false;
  }
  return true;
}

Value mlir::dann::broadcast(ImplicitLocOpBuilder &b, Value value,
                            int64_t width) {
  if (isa<VectorType>(value.getType()))
    return value;
  return vector::BroadcastOp::create(
      b, VectorType::get({width}, value.getType()), value);
}

SmallVector<Value>
mlir::dann::buildVectorBody(ImplicitLocOpBuilder &b, linalg::GenericOp op,
                            int64_t width, ArrayRef<Value> arguments,
                            llvm::function_ref<Value(unsigned loop)> getIndex) {
  IRMapping mapping;
  for (auto [argument, value] :
       llvm::zip(op.getBody()->getArguments(), arguments))
    mapping.map(argument, value);
  auto get = [&](Value value) -> Value {
    if (Value mapped = mapping.lookupOrNull(value))
      return broadcast(b, mapped, width);
    if (matchPattern(value, m_Constant()))
      value = b.clone(*value.getDefiningOp())->getResult(0);
    return broadcast(b, value, width);
  };
  for (Operation &nested : op.getBody()->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(nested)) {
      mapping.map(index.getResult(), getIndex(index.getDim()));
      continue;
    }
    if (isa<arith::ConstantOp>(nested)) {
      b.clone(nested, mapping);
      continue;
    }
    SmallVector<Value> operands;
    for (Value operand : nested.getOperands())
      operands.push_back(get(operand));
    OperationState state(b.getLoc(), nested.getName());
    state.addOperands(operands);
    for (Type type : nested.getResultTypes())
      state.addTypes(VectorType::get({width}, type));
    state.addAttributes(nested.getAttrs());
    mapping.map(nested.getResults(), b.create(state)->getResults());
  }
  SmallVector<Value> results;
  for (Value value : op.getBody()->getTerminator()->getOperands())
    results.push_back(get(value));
  return results;
}
