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

//===----------------------------------------------------------------------===//
// ConvolutionOp and its derivatives
//===----------------------------------------------------------------------===//

/// The constraints of a convolution and its derivatives, on the types of their
/// images and filters.
template <typename OpTy>
static LogicalResult verifyConvolution(OpTy op, Value x, Value filters,
                                       Value z) {
  for (auto [values, name] : {std::pair(op.getStrides(), "strides"),
                              std::pair(op.getDilations(), "dilations")})
    if (values.size() != 2 || values[0] < 1 || values[1] < 1)
      return op.emitOpError() << name << " must be two numbers from 1";
  auto xType = cast<MemRefType>(x.getType());
  auto filterType = cast<MemRefType>(filters.getType());
  auto zType = cast<MemRefType>(z.getType());
  auto differ = [](int64_t a, int64_t b) {
    return !ShapedType::isDynamic(a) && !ShapedType::isDynamic(b) && a != b;
  };
  auto report = [&](StringRef what, int64_t a, int64_t b) {
    return op.emitOpError() << what << " differ: " << a << " and " << b;
  };
  for (auto [aType, a, bType, b, what] :
       {std::tuple(xType, 0, filterType, 1, "channels of images and filters"),
        std::tuple(zType, 0, filterType, 0, "maps and filters"),
        std::tuple(xType, 3, zType, 3, "numbers of samples")})
    if (differ(aType.getDimSize(a), bType.getDimSize(b)))
      return report(what, aType.getDimSize(a), bType.getDimSize(b));
  for (int i : {0, 1}) {
    int64_t extent = xType.getDimSize(1 + i),
            positions = zType.getDimSize(1 + i),
            taps = filterType.getDimSize(2 + i);
    if (ShapedType::isDynamic(extent) || ShapedType::isDynamic(positions) ||
        ShapedType::isDynamic(taps))
      continue;
    int64_t covered = (positions - 1) * op.getStrides()[i] +
                      (taps - 1) * op.getDilations()[i] + 1;
    if (covered > extent)
      return op.emitOpError()
             << "windows cover " << covered << (i == 0 ? " rows" : " columns")
             << " of images with " << extent;
  }
  return success();
}

template <typename OpTy>
static void getConvolutionEffects(
    OpTy op, OpOperand &a, OpOperand &b, OpOperand &result,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  auto *resource = SideEffects::DefaultResource::get();
  effects.emplace_back(MemoryEffects::Read::get(), &a, resource);
  effects.emplace_back(MemoryEffects::Read::get(), &b, resource);
  if (op.getAccumulate())
    effects.emplace_back(MemoryEffects::Read::get(), &result, resource);
  effects.emplace_back(MemoryEffects::Write::get(), &result, resource);
}

LogicalResult ConvolutionOp::verify() {
  return verifyConvolution(*this, getX(), getFilters(), getZ());
}
LogicalResult ConvolutionBackwardDataOp::verify() {
  return verifyConvolution(*this, getDx(), getFilters(), getDz());
}
LogicalResult ConvolutionBackwardWeightsOp::verify() {
  return verifyConvolution(*this, getX(), getDfilters(), getDz());
}

void ConvolutionOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getConvolutionEffects(*this, getXMutable(), getFiltersMutable(),
                        getZMutable(), effects);
}
void ConvolutionBackwardDataOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getConvolutionEffects(*this, getDzMutable(), getFiltersMutable(),
                        getDxMutable(), effects);
}
void ConvolutionBackwardWeightsOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getConvolutionEffects(*this, getDzMutable(), getXMutable(),
                        getDfiltersMutable(), effects);
}
