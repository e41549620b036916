//===- PlanMemory.cpp - One scratch memory for all buffers ----------------===//

#include "passes/Passes.h"
#include "passes/RuntimeCalls.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::dann {
#define GEN_PASS_DEF_PLANMEMORY
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

constexpr int64_t kAlignment = 64;
constexpr int64_t kGroup = 16; // samples that sizes are counted in

struct Buffer {
  memref::AllocOp alloc;
  bool isPerGroup;
  int64_t bytes;                  // of the whole, or for each group of samples
  int64_t offset = 0;             // in the same unit
  Operation *firstUser;           // null if there is none
  unsigned begin, end;            // first and last operation that meets it
  unsigned firstPhase, lastPhase; // the same in numbers of barriers passed
};

bool areAliveTogether(const Buffer &a, const Buffer &b) {
  return a.firstPhase <= b.lastPhase && b.firstPhase <= a.lastPhase;
}

struct PlanMemoryPass : dann::impl::PlanMemoryBase<PlanMemoryPass> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isPrivate() || !function.getBody().hasOneBlock())
      return;
    SmallVector<Buffer> buffers;
    if (failed(collect(function, buffers)))
      return signalPassFailure();

    int64_t fixed = place(buffers, /*perGroup=*/false);
    int64_t perGroup = place(buffers, /*perGroup=*/true);
    replace(function, buffers, fixed);
    function->setAttr(
        DannDialect::kScratchAttr,
        DenseI64ArrayAttr::get(
            &getContext(), {fixed, perGroup, getAliveTogether(buffers, false),
                            getAliveTogether(buffers, true)}));
  }

  static LogicalResult collect(func::FuncOp function,
                               SmallVectorImpl<Buffer> &buffers) {
    Block &body = function.getBody().front();
    // Where each operation of the body stands, and how many barriers before it.
    DenseMap<Operation *, std::pair<unsigned, unsigned>> positions;
    unsigned position = 0, phase = 0;
    for (Operation &op : body) {
      positions[&op] = {position++, phase};
      if (auto call = dyn_cast<func::CallOp>(op);
          call && call.getCallee() == kBarrier)
        ++phase;
    }
    WalkResult result = function.walk([&](memref::AllocOp alloc) {
      MemRefType type = alloc.getType();
      if (type.getNumDynamicDims() > 1 || !type.getLayout().isIdentity()) {
        alloc.emitOpError("of this type cannot be planned: only the batch may "
                          "be dynamic");
        return WalkResult::interrupt();
      }
      Buffer buffer{
          alloc, type.getNumDynamicDims() == 1, 0, 0, nullptr, ~0u, 0, ~0u, 0};
      int64_t bytes = llvm::divideCeil(type.getElementTypeBitWidth(), 8);
      for (int64_t extent : type.getShape())
        bytes *= ShapedType::isDynamic(extent) ? kGroup : extent;
      buffer.bytes = llvm::alignTo(bytes, kAlignment);
      SmallVector<Value> values = {alloc.getResult()};
      while (!values.empty())
        for (Operation *user : values.pop_back_val().getUsers()) {
          // An operation with regions may give what its regions yield, or what
          // it starts from.
          if (isa<ViewLikeOpInterface>(user) || user->getNumRegions() > 0)
            llvm::append_range(values, user->getResults());
          else if (user->hasTrait<OpTrait::IsTerminator>() &&
                   user->getParentOp() != function)
            llvm::append_range(values, user->getParentOp()->getResults());
          Operation *ancestor = body.findAncestorOpInBlock(*user);
          auto [at, inPhase] = positions.lookup(ancestor);
          if (at < buffer.begin)
            buffer.firstUser = ancestor;
          buffer.begin = std::min(buffer.begin, at);
          buffer.end = std::max(buffer.end, at);
          buffer.firstPhase = std::min(buffer.firstPhase, inPhase);
          buffer.lastPhase = std::max(buffer.lastPhase, inPhase);
        }
      buffers.push_back(buffer);
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }

  /// Puts the largest buffers first, each at the lowest place that is free
  /// while it is alive. Returns the size of the whole.
  static int64_t place(MutableArrayRef<Buffer> buffers, bool perGroup) {
    SmallVector<Buffer *> order;
    for (Buffer &buffer : buffers)
      if (buffer.isPerGroup == perGroup)
        order.push_back(&buffer);
    llvm::stable_sort(order,
                      [](Buffer *a, Buffer *b) { return a->bytes > b->bytes; });
    int64_t size = 0;
    SmallVector<Buffer *> placed; // by offset
    for (Buffer *buffer : order) {
      int64_t offset = 0;
      for (Buffer *other : placed)
        if (areAliveTogether(*buffer, *other)) {
          if (offset + buffer->bytes <= other->offset)
            break;
          offset = std::max(offset, other->offset + other->bytes);
        }
      buffer->offset = offset;
      size = std::max(size, offset + buffer->bytes);
      placed.insert(llvm::upper_bound(placed, buffer,
                                      [](Buffer *a, Buffer *b) {
                                        return a->offset < b->offset;
                                      }),
                    buffer);
    }
    return size;
  }

  static int64_t getAliveTogether(ArrayRef<Buffer> buffers, bool perGroup) {
    int64_t most = 0;
    for (const Buffer &at : buffers) {
      int64_t sum = 0;
      for (const Buffer &other : buffers)
        if (other.isPerGroup == perGroup && other.begin <= at.begin &&
            at.begin <= other.end)
          sum += other.bytes;
      most = std::max(most, sum);
    }
    return most;
  }

  static void replace(func::FuncOp function, ArrayRef<Buffer> buffers,
                      int64_t fixed) {
    OpBuilder builder(function.getContext());
    auto scratchType =
        MemRefType::get({ShapedType::kDynamic}, builder.getI8Type());
    unsigned index = function.getNumArguments();
    (void)function.insertArgument(index, scratchType, {}, function.getLoc());
    Value scratch = function.getArgument(index);
    DenseMap<Value, Value> groupsOf;
    auto getGroups = [&](Value samples) {
      Value &groups = groupsOf[samples];
      if (!groups) {
        ImplicitLocOpBuilder b(samples.getLoc(), builder);
        b.setInsertionPointAfterValue(samples);
        groups = arith::CeilDivUIOp::create(
            b, samples, arith::ConstantIndexOp::create(b, kGroup));
      }
      return groups;
    };
    for (const Buffer &buffer : buffers) {
      memref::AllocOp alloc = buffer.alloc;
      if (!buffer.firstUser) {
        alloc.erase();
        continue;
      }
      // Where it is first used: few addresses are then alive at one time. In a
      // region its size may be known only there.
      bool isNested = alloc->getBlock() != &function.getBody().front();
      ImplicitLocOpBuilder b(alloc.getLoc(), isNested ? alloc.getOperation()
                                                      : buffer.firstUser);
      Value shift = arith::ConstantIndexOp::create(b, buffer.offset);
      if (buffer.isPerGroup) {
        Value groups = getGroups(alloc.getDynamicSizes()[0]);
        shift =
            arith::AddIOp::create(b, arith::MulIOp::create(b, groups, shift),
                                  arith::ConstantIndexOp::create(b, fixed));
      }
      auto view = memref::ViewOp::create(b, alloc.getType(), scratch, shift,
                                         alloc.getDynamicSizes());
      alloc.replaceAllUsesWith(view.getResult());
      alloc.erase();
    }
  }
};

} // namespace
