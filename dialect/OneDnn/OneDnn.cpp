//===- OneDnn.cpp - The onednn dialect ------------------------------------===//

#include "OneDnn/OneDnn.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::onednn;

#include "OneDnn/OneDnnEnums.cpp.inc"

#include "OneDnn/OneDnnDialect.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "OneDnn/OneDnnAttributes.cpp.inc"

#define GET_OP_CLASSES
#include "OneDnn/OneDnnOps.cpp.inc"

void OneDnnDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "OneDnn/OneDnnAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "OneDnn/OneDnnOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// MatmulOp
//===----------------------------------------------------------------------===//

LogicalResult MatmulOp::verify() {
  auto aType = cast<MemRefType>(getA().getType());
  auto bType = cast<MemRefType>(getB().getType());
  auto dstType = cast<MemRefType>(getDst().getType());
  if (aType.getElementType() != bType.getElementType())
    return emitOpError("element types of a and b differ: ")
           << aType.getElementType() << " and " << bType.getElementType();
  for (MemRefType type : {aType, bType, dstType})
    if (!type.isStrided())
      return emitOpError("operands must have strides, but one is ") << type;
  auto agree = [&](int64_t lhs, int64_t rhs, StringRef what) -> LogicalResult {
    if (ShapedType::isDynamic(lhs) || ShapedType::isDynamic(rhs) || lhs == rhs)
      return success();
    return emitOpError() << what << " differ: " << lhs << " and " << rhs;
  };
  if (failed(agree(aType.getDimSize(1), bType.getDimSize(0),
                   "columns of a and rows of b")) ||
      failed(agree(aType.getDimSize(0), dstType.getDimSize(0),
                   "rows of a and dst")))
    return failure();
  return agree(bType.getDimSize(1), dstType.getDimSize(1),
               "columns of b and dst");
}

void MatmulOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  auto *resource = SideEffects::DefaultResource::get();
  effects.emplace_back(MemoryEffects::Read::get(), &getAMutable(), resource);
  effects.emplace_back(MemoryEffects::Read::get(), &getBMutable(), resource);
  if (getAccumulate())
    effects.emplace_back(MemoryEffects::Read::get(), &getDstMutable(),
                         resource);
  effects.emplace_back(MemoryEffects::Write::get(), &getDstMutable(), resource);
}
