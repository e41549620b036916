//===- LowerEntryPoints.cpp - Functions that the runtime calls ------------===//

#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {
#define GEN_PASS_DEF_LOWERENTRYPOINTS
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// The first operation of `block` that uses `value`, itself or in a region.
Operation *findFirstUser(Block &block, Value value) {
  Operation *first = nullptr;
  for (Operation *user : value.getUsers()) {
    Operation *op = block.findAncestorOpInBlock(*user);
    if (!first || op->isBeforeInBlock(first))
      first = op;
  }
  return first;
}

/// The buffer that number `index` of the descriptors is about. What its type
/// says is not read from there.
Value loadBuffer(ImplicitLocOpBuilder &b, const LLVMTypeConverter &converter,
                 Value descriptors, int32_t index, MemRefType type) {
  Type pointer = descriptors.getType();
  Type structType = converter.convertType(type);
  Value slot = LLVM::GEPOp::create(b, pointer, pointer, descriptors,
                                   ArrayRef<LLVM::GEPArg>{index});
  Value source = LLVM::LoadOp::create(b, pointer, slot);
  auto load = [&](Type field, ArrayRef<LLVM::GEPArg> path) -> Value {
    return LLVM::LoadOp::create(
        b, field, LLVM::GEPOp::create(b, pointer, structType, source, path));
  };
  auto [strides, offset] = type.getStridesAndOffset();
  auto buffer = MemRefDescriptor::poison(b, b.getLoc(), structType);
  Value aligned = load(pointer, {0, 1});
  // Nobody frees an argument.
  buffer.setAllocatedPtr(b, b.getLoc(), aligned);
  buffer.setAlignedPtr(b, b.getLoc(), aligned);
  buffer.setConstantOffset(b, b.getLoc(), offset);
  Type indexType = converter.getIndexType();
  for (int32_t i = 0, e = type.getRank(); i < e; ++i) {
    if (type.isDynamicDim(i))
      buffer.setSize(b, b.getLoc(), i, load(indexType, {0, 3, i}));
    else
      buffer.setConstantSize(b, b.getLoc(), i, type.getDimSize(i));
    if (ShapedType::isDynamic(strides[i]))
      buffer.setStride(b, b.getLoc(), i, load(indexType, {0, 4, i}));
    else
      buffer.setConstantStride(b, b.getLoc(), i, strides[i]);
  }
  return UnrealizedConversionCastOp::create(b, type, Value(buffer))
      .getResult(0);
}

struct LowerEntryPointsPass
    : dann::impl::LowerEntryPointsBase<LowerEntryPointsPass> {
  void runOnOperation() override {
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function->hasAttr(DannDialect::kScratchAttr) &&
          failed(lower(function)))
        return signalPassFailure();
  }

  static LogicalResult lower(func::FuncOp function) {
    for (Type type : function.getArgumentTypes())
      if (auto buffer = dyn_cast<MemRefType>(type);
          !buffer || !buffer.getLayout().isIdentity())
        return function.emitOpError("takes ")
               << type << ": arguments of entry points are contiguous buffers";
    if (function.getNumResults() != 0)
      return function.emitOpError("returns a value: results of entry points "
                                  "are buffers among the arguments");

    MLIRContext *context = function.getContext();
    LLVMTypeConverter converter(context);
    Block &body = function.getBody().front();
    unsigned numBuffers = function.getNumArguments();
    // Loading late keeps few pointers alive at one time.
    SmallVector<Operation *> users;
    for (BlockArgument argument : function.getArguments())
      users.push_back(findFirstUser(body, argument));
    (void)function.insertArgument(
        numBuffers, LLVM::LLVMPointerType::get(context), {}, function.getLoc());
    Value descriptors = function.getArgument(numBuffers);
    for (auto [i, user] : llvm::enumerate(users)) {
      if (!user)
        continue;
      ImplicitLocOpBuilder b(function.getLoc(), user);
      BlockArgument argument = function.getArgument(i);
      argument.replaceAllUsesWith(loadBuffer(
          b, converter, descriptors, i, cast<MemRefType>(argument.getType())));
    }
    BitVector erased(numBuffers, true);
    erased.push_back(false);
    return function.eraseArguments(erased);
  }
};

} // namespace
