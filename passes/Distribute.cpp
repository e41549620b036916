//===- Distribute.cpp - Share work among threads --------------------------===//

#include "passes/ConvolutionForm.h"
#include "passes/OperationCost.h"
#include "passes/Passes.h"
#include "passes/ProductForm.h"
#include "passes/RuntimeCalls.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "llvm/Support/SaveAndRestore.h"

namespace mlir::dann {
#define GEN_PASS_DEF_DISTRIBUTE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

// Rows are shared in multiples of this, columns in cache lines of samples.
constexpr int64_t kRowUnit = 4, kColumnUnit = 32;
// In loops small batches are shared, too: one cache line each.
constexpr int64_t kLoopColumnUnit = 16;
// A loop that reads matrices of more entries is shared by rows, so that each
// thread reads its part of them.
constexpr int64_t kLargeMatrix = 512 * 1024;
// What an iteration shared by rows has to compute to be worth its barriers, in
// executions of loop bodies.
constexpr int64_t kWorthSharing = 256 * 1024;
// With fewer rows, others than the first dimension are shared if they are
// larger.
constexpr int64_t kFewRows = 16;

/// How the threads share an operation, or the elements of one of its buffers.
struct Share {
  enum Kind { Whole, FirstThread, Rows, Columns } kind = Whole;
  int64_t extent = 0; // of the rows or columns; dynamic is the batch
  int64_t unit = 1;   // rows or columns are shared in multiples of this
  // Rows are usually the first dimension. With a few channels, those of an
  // image are the second.
  int64_t dimension = 0;
  // Columns for each sample: more than one where those of an image became one
  // dimension.
  int64_t perSample = 1;

  bool operator==(const Share &other) const = default;
  /// Whether each thread meets no elements but its own in two accesses.
  bool isDisjointFrom(const Share &other) const {
    return kind != Whole && *this == other;
  }
};

/// Whether `size` is known to be that of dimension `index` of `buffer`.
bool isDimension(OpFoldResult size, Value buffer, int64_t index) {
  auto value = dyn_cast<Value>(size);
  if (!value)
    return false;
  if (auto dim = value.getDefiningOp<memref::DimOp>())
    if (dim.getSource() == buffer && dim.getConstantIndex() == index)
      return true;
  auto alloc = buffer.getDefiningOp<memref::AllocOp>();
  return alloc && alloc.getType().isDynamicDim(index) &&
         alloc.getDynamicSizes()[alloc.getType().getDynamicDimIndex(index)] ==
             value;
}

/// What is shared where there is a choice.
enum class Policy { Rows, Samples };

/// Whether the columns of `buffer` are those of the buffer that it is a view
/// of.
bool hasColumnsOfRoot(Value buffer) {
  while (auto view = buffer.getDefiningOp<ViewLikeOpInterface>()) {
    Value source = view.getViewSource();
    auto type = dyn_cast<MemRefType>(source.getType());
    if (!type || type.getRank() == 0)
      return false;
    int64_t last = type.getRank() - 1;
    if (auto subview = dyn_cast<memref::SubViewOp>(view.getOperation())) {
      OpFoldResult size = subview.getMixedSizes()[last];
      bool isWhole = type.isDynamicDim(last)
                         ? isDimension(size, source, last)
                         : isConstantIntValue(size, type.getDimSize(last));
      if (!isWhole || !isConstantIntValue(subview.getMixedOffsets()[last], 0) ||
          !isConstantIntValue(subview.getMixedStrides()[last], 1) ||
          subview.getDroppedDims().test(last))
        return false;
    } else if (auto expand = dyn_cast<memref::ExpandShapeOp>(*view)) {
      if (expand.getReassociationIndices().back().size() != 1)
        return false;
    } else if (auto collapse = dyn_cast<memref::CollapseShapeOp>(*view)) {
      if (collapse.getReassociationIndices().back().size() != 1)
        return false;
    } else if (!isa<memref::CastOp>(view.getOperation())) {
      return false;
    }
    buffer = source;
  }
  return true;
}

struct Access {
  Value root; // null if it may be any buffer
  Share share;
  bool writes;

  /// An access to `buffer` of which `share` are the elements.
  static Access create(Value buffer, Share share, bool writes) {
    Value root = getRootBuffer(buffer);
    // Rows stay rows where what is in them becomes one dimension.
    while (auto collapse = buffer.getDefiningOp<memref::CollapseShapeOp>()) {
      if (share.kind == Share::Columns || share.dimension > 0 ||
          collapse.getReassociationIndices().front().size() > 1)
        break;
      buffer = collapse.getSrc();
    }
    // Rows of a view are not those of the whole.
    bool isSharedAlike =
        root == buffer || share.kind == Share::FirstThread ||
        (share.kind == Share::Columns && hasColumnsOfRoot(buffer));
    if (!isSharedAlike)
      share = {Share::Whole};
    if (!isDistinctRoot(root))
      root = nullptr;
    return {root, share, writes};
  }
  bool meetsBufferOf(const Access &other) const {
    return !root || !other.root || root == other.root;
  }
};

/// Whether a kernel computes `op` from its operands, with the fill before it: a
/// product or a convolution.
bool isProduct(Operation *op) {
  return isa_and_nonnull<linalg::ContractOp>(op) ||
         (isa_and_nonnull<linalg::GenericOp>(op) &&
          op->hasAttr(DannDialect::kKernelAttr));
}

/// How many columns of `buffer` a sample has.
int64_t countPerSample(Value buffer) {
  auto collapse = buffer.getDefiningOp<memref::CollapseShapeOp>();
  if (!collapse)
    return 1;
  int64_t count = 1;
  SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
  for (int64_t dimension : groups.back())
    if (int64_t extent = collapse.getSrcType().getDimSize(dimension);
        !ShapedType::isDynamic(extent))
      count *= extent;
  return count;
}

/// The loop along which `op` is shared, and how.
std::pair<unsigned, Share> chooseShare(linalg::LinalgOp op, Policy policy) {
  AffineMap map = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto type = cast<MemRefType>(op.getDpsInits()[0].getType());
  auto getLoop = [&](int64_t dimension) {
    auto loop = dyn_cast<AffineDimExpr>(map.getResult(dimension));
    return loop ? std::optional(loop.getPosition()) : std::nullopt;
  };
  int64_t rank = type.getRank();
  int64_t perSample = countPerSample(op.getDpsInits()[0]);
  std::optional<unsigned> samples;
  if (rank > 0 && type.isDynamicDim(rank - 1))
    samples = getLoop(rank - 1);
  auto shareSamples = [&](int64_t unit) -> std::pair<unsigned, Share> {
    return {*samples,
            {Share::Columns, ShapedType::kDynamic, unit, 0, perSample}};
  };
  if (samples && policy == Policy::Samples)
    return shareSamples(kLoopColumnUnit);
  for (int64_t dimension : {0, 1})
    if (rank > 2 * dimension)
      if (auto loop = getLoop(dimension);
          loop && !type.isDynamicDim(dimension) &&
          type.getDimSize(dimension) >= kFewRows)
        return {*loop,
                {Share::Rows, type.getDimSize(dimension), kRowUnit, dimension}};
  if (samples)
    return shareSamples(kColumnUnit);
  return {0, {Share::FirstThread}};
}

/// Which elements of an operand a thread meets if it runs its share of `loop`.
Share getOperandShare(AffineMap map, MemRefType type, unsigned loop,
                      Share share) {
  if (share.kind == Share::FirstThread)
    return share;
  auto isAt = [&](int64_t dimension) {
    auto expression = dyn_cast<AffineDimExpr>(map.getResult(dimension));
    return expression && expression.getPosition() == loop &&
           type.getDimSize(dimension) == share.extent;
  };
  int64_t rank = type.getRank();
  if (rank > share.dimension && share.kind == Share::Rows &&
      isAt(share.dimension))
    return share;
  if (rank > 0 && share.kind == Share::Columns && isAt(rank - 1))
    return share;
  return {Share::Whole};
}

struct Distributor {
  func::FuncOp function;
  IRRewriter rewriter;
  Value threadIndex, threadCount, isFirst;
  // By the kind, extent, unit and columns per sample of a share.
  using Ranges = DenseMap<std::tuple<int64_t, int64_t, int64_t, int64_t>,
                          std::pair<Value, Value>>;
  Ranges ranges; // of the shares so far, in scope
  Policy policy = Policy::Rows;
  SmallVector<Access> sinceBarrier;
  SmallVector<Attribute> operations;
  // What the last operation has written, if it was a fill or a product.
  Value groupResult;
  bool groupIsFill = false;
  bool hasFailed = false;

  explicit Distributor(func::FuncOp function)
      : function(function), rewriter(function.getContext()) {}

  void run() {
    Block &body = function.getBody().front();
    rewriter.setInsertionPointToStart(&body);
    ImplicitLocOpBuilder b(function.getLoc(), rewriter);
    threadIndex = callRuntime(b, kThreadIndex, {}, b.getI64Type());
    threadIndex = arith::IndexCastOp::create(b, b.getIndexType(), threadIndex);
    threadCount = callRuntime(b, kThreadCount, {}, b.getI64Type());
    threadCount = arith::IndexCastOp::create(b, b.getIndexType(), threadCount);
    isFirst = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, threadIndex,
                                    arith::ConstantIndexOp::create(b, 0));
    distributeFrom(&*rewriter.getInsertionPoint());
    rewriter.setInsertionPoint(body.getTerminator());
    ImplicitLocOpBuilder end(function.getLoc(), rewriter);
    beginOperation(end, -1);
    function->setAttr(DannDialect::kOperationsAttr,
                      rewriter.getArrayAttr(operations));
  }

  /// The operations of a block from `first` on.
  void distributeFrom(Operation *first) {
    SmallVector<Operation *> all;
    for (Operation *op = first; op; op = op->getNextNode())
      all.push_back(op);
    for (Operation *op : all) {
      rewriter.setInsertionPoint(op);
      if (auto copy = dyn_cast<memref::CopyOp>(op)) {
        distribute(makeLinalg(copy));
      } else if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
        distribute(linalgOp);
      } else if (auto load = dyn_cast<memref::LoadOp>(op)) {
        // All threads need what it gives.
        ImplicitLocOpBuilder at(op->getLoc(), rewriter);
        synchronize(at, Access::create(load.getMemRef(), {Share::Whole},
                                       /*writes=*/false));
      } else if (auto loop = dyn_cast<scf::ForOp>(op);
                 loop && isWorthSharing(loop)) {
        distributeLoop(loop);
      } else if (!isMemoryEffectFree(op) && !isa<memref::AllocOp>(op) &&
                 !op->hasTrait<OpTrait::IsTerminator>()) {
        runOnFirstThread(op);
      }
    }
  }

  /// How the operations of a loop are shared; none if all its iterations are to
  /// run on the first thread.
  static std::optional<Policy> choosePolicy(scf::ForOp loop) {
    int64_t largest = 0, work = 0;
    bool hasUnknown = false, hasSamples = false;
    loop->walk([&](Operation *op) {
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op)) {
        int64_t executions = 1;
        for (int64_t extent : linalgOp.getStaticLoopRanges())
          executions *= ShapedType::isDynamic(extent) ? 1 : extent;
        work += executions;
        for (OpOperand *input : linalgOp.getDpsInputOperands())
          if (auto type = dyn_cast<MemRefType>(input->get().getType());
              type && type.hasStaticShape())
            largest = std::max(largest, type.getNumElements());
        hasSamples |= chooseShare(linalgOp, Policy::Samples).second.kind ==
                      Share::Columns;
        return WalkResult::skip();
      }
      hasUnknown |=
          !isa<scf::ForOp, memref::AllocOp, memref::CopyOp, memref::LoadOp>(
              op) &&
          !op->hasTrait<OpTrait::IsTerminator>() && !isMemoryEffectFree(op);
      return WalkResult::advance();
    });
    if (hasUnknown)
      return std::nullopt;
    if (hasSamples && largest <= kLargeMatrix)
      return Policy::Samples;
    return work >= kWorthSharing ? std::optional(Policy::Rows) : std::nullopt;
  }
  static bool isWorthSharing(scf::ForOp loop) {
    return choosePolicy(loop).has_value();
  }

  /// All threads run all iterations, and share the operations of each.
  void distributeLoop(scf::ForOp loop) {
    llvm::SaveAndRestore<Policy> inLoop(policy, *choosePolicy(loop));
    Ranges outside = ranges;
    loop->walk([&](memref::CopyOp copy) { makeLinalg(copy); });
    // An iteration follows the one before, of which anything may be underway.
    SmallVector<Access> accesses;
    loop->walk([&](Operation *op) {
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
        collectAccesses(linalgOp, accesses);
      else if (auto load = dyn_cast<memref::LoadOp>(op))
        accesses.push_back(Access::create(load.getMemRef(), {Share::Whole},
                                          /*writes=*/false));
    });
    // What came before the loop is waited for once, not in each iteration.
    ImplicitLocOpBuilder b(loop.getLoc(), rewriter);
    synchronize(b, accesses);
    auto before =
        llvm::to_vector(ArrayRef(sinceBarrier).drop_back(accesses.size()));
    groupResult = nullptr;
    distributeFrom(&loop.getBody()->front());
    groupResult = nullptr;
    // There may have been no iteration, and so no barrier.
    llvm::append_range(sinceBarrier, before);
    ranges = outside;
  }

  void collectAccesses(linalg::LinalgOp op, SmallVectorImpl<Access> &accesses) {
    auto [loop, share] = chooseShare(op, policy);
    for (OpOperand &operand : op->getOpOperands())
      if (auto type = dyn_cast<MemRefType>(operand.get().getType()))
        accesses.push_back(
            Access::create(operand.get(),
                           getOperandShare(op.getMatchingIndexingMap(&operand),
                                           type, loop, share),
                           op.isDpsInit(&operand)));
    for (Value buffer : getBuffersReadInBody(op))
      accesses.push_back(
          Access::create(buffer, {Share::Whole}, /*writes=*/false));
  }

  void distribute(linalg::LinalgOp op) {
    auto [loop, share] = chooseShare(op, policy);
    SmallVector<Access> accesses;
    collectAccesses(op, accesses);
    // A product and the fill of its result become one kernel: what the product
    // waits for must not come between them.
    if (isa<linalg::FillOp>(op.getOperation()))
      if (Operation *next = getNextWithEffect(op); isProduct(next)) {
        auto product = cast<linalg::LinalgOp>(next);
        if (product.getDpsInits()[0] == op.getDpsInits()[0])
          collectAccesses(product, accesses);
      }
    rewriter.setInsertionPoint(op);
    ImplicitLocOpBuilder b(op.getLoc(), rewriter);
    synchronize(b, accesses);
    announce(b, op);
    if (share.kind == Share::FirstThread)
      return guard(op);

    auto [begin, size] = getRange(b, op, share, loop);
    // Windows that run backwards are not known to tiling.
    if (auto generic = dyn_cast<linalg::GenericOp>(op.getOperation());
        generic && isGeneratedConvolution(generic)) {
      OpFoldResult extent = op.createLoopRanges(b, b.getLoc())[loop].size;
      sliceConvolution(rewriter, generic, loop, begin, size, extent);
      return rewriter.eraseOp(op);
    }
    SmallVector<OpFoldResult> offsets(op.getNumLoops(), b.getIndexAttr(0));
    SmallVector<OpFoldResult> sizes;
    for (Range range :
         cast<TilingInterface>(op.getOperation()).getIterationDomain(rewriter))
      sizes.push_back(range.size);
    offsets[loop] = begin;
    sizes[loop] = size;
    FailureOr<TilingResult> tiled =
        cast<TilingInterface>(op.getOperation())
            .getTiledImplementation(rewriter, offsets, sizes);
    if (failed(tiled)) {
      op->emitOpError("cannot be shared among threads");
      hasFailed = true;
      return;
    }
    for (Operation *part : tiled->tiledOps)
      part->setDiscardableAttrs(op->getDiscardableAttrDictionary());
    rewriter.eraseOp(op);
  }

  /// What copies as a loop: LLVM would need a function of MLIR's runtime.
  linalg::CopyOp makeLinalg(memref::CopyOp copy) {
    OpBuilder::InsertionGuard guard(rewriter);
    rewriter.setInsertionPoint(copy);
    return rewriter.replaceOpWithNewOp<linalg::CopyOp>(copy, copy.getSource(),
                                                       copy.getTarget());
  }

  /// For operations that this pass knows nothing about.
  void runOnFirstThread(Operation *op) {
    op->walk([&](memref::CopyOp copy) { makeLinalg(copy); });
    SmallVector<Access> accesses;
    op->walk([&](Operation *nested) {
      for (Value operand : nested->getOperands())
        if (isa<BaseMemRefType>(operand.getType()))
          accesses.push_back(
              Access::create(operand, {Share::FirstThread}, true));
    });
    rewriter.setInsertionPoint(op);
    ImplicitLocOpBuilder b(op->getLoc(), rewriter);
    synchronize(b, accesses);
    groupResult = nullptr;
    if (!op->use_empty()) {
      op->emitOpError("gives something that only one thread would have");
      hasFailed = true;
      return;
    }
    guard(op);
  }

  void guard(Operation *op) {
    rewriter.setInsertionPoint(op);
    auto branch = scf::IfOp::create(rewriter, op->getLoc(), isFirst,
                                    /*withElseRegion=*/false);
    op->moveBefore(branch.thenBlock()->getTerminator());
  }

  /// A barrier, if one of the accesses has to wait for an earlier one.
  void synchronize(ImplicitLocOpBuilder &b, ArrayRef<Access> accesses) {
    bool mustWait = llvm::any_of(accesses, [&](const Access &access) {
      return llvm::any_of(sinceBarrier, [&](const Access &earlier) {
        return earlier.meetsBufferOf(access) &&
               (earlier.writes || access.writes) &&
               !earlier.share.isDisjointFrom(access.share);
      });
    });
    if (mustWait) {
      callRuntime(b, kBarrier, {}, {});
      sinceBarrier.clear();
      groupResult = nullptr;
    }
    llvm::append_range(sinceBarrier, accesses);
  }

  /// The rows or columns of this thread: [begin, begin + size).
  std::pair<Value, Value> getRange(ImplicitLocOpBuilder &b, linalg::LinalgOp op,
                                   Share share, unsigned loop) {
    auto &range =
        ranges[{share.kind, share.extent, share.unit, share.perSample}];
    if (range.first)
      return range;
    OpFoldResult extent = op.createLoopRanges(b, b.getLoc())[loop].size;
    Value size = getValueOrCreateConstantIndexOp(b, b.getLoc(), extent);
    Value unit = arith::ConstantIndexOp::create(b, share.unit);
    Value units = arith::CeilDivSIOp::create(b, size, unit);
    Value chunk = arith::MulIOp::create(
        b, arith::CeilDivSIOp::create(b, units, threadCount), unit);
    Value begin = arith::MinSIOp::create(
        b, arith::MulIOp::create(b, threadIndex, chunk), size);
    Value rest = arith::SubIOp::create(b, size, begin);
    range = {begin, arith::MinSIOp::create(b, chunk, rest)};
    return range;
  }

  void beginOperation(ImplicitLocOpBuilder &b, int64_t index) {
    Value number = arith::ConstantOp::create(b, b.getI64IntegerAttr(index));
    callRuntime(b, kBeginOperation, number, {});
  }

  /// Tells the runtime which operation begins. A product, the fill before it
  /// and the elementwise operation behind it are one: they become one kernel.
  void announce(ImplicitLocOpBuilder &b, linalg::LinalgOp op) {
    bool computesProduct = isProduct(op);
    bool isFill = isa<linalg::FillOp>(op.getOperation());
    bool followsFill = groupIsFill;
    bool continues =
        groupResult && llvm::is_contained(op->getOperands(), groupResult) &&
        (followsFill ||
         (!computesProduct && op.getNumLoops() == op.getNumParallelLoops()));
    groupIsFill = isFill;
    groupResult = computesProduct || isFill ? op.getDpsInits()[0] : Value();

    // The operation that this one is a part of; null if it is one of its own.
    auto old = continues ? cast<DictionaryAttr>(operations.back()) : nullptr;
    auto kernel = op->getAttrOfType<StringAttr>(DannDialect::kKernelAttr);
    if (!kernel)
      kernel = b.getStringAttr(computesProduct ? "generated" : "loops");
    StringAttr name = b.getStringAttr(describe(op));
    // What follows a product goes by the product's name.
    if (old && !followsFill) {
      name = old.getAs<StringAttr>("name");
      kernel = old.getAs<StringAttr>("kernel");
    }
    Cost flops, bytes;
    countCost(op, flops, bytes);
    auto sum = [&](StringRef what, int64_t more) {
      int64_t before = old ? old.getAs<IntegerAttr>(what).getInt() : 0;
      return b.getNamedAttr(what, b.getI64IntegerAttr(before + more));
    };
    Attribute entry = b.getDictionaryAttr(
        {b.getNamedAttr("name", name), b.getNamedAttr("kernel", kernel),
         sum("flops", flops.fixed), sum("flops_per_sample", flops.perSample),
         sum("bytes", bytes.fixed), sum("bytes_per_sample", bytes.perSample)});
    if (old) {
      operations.back() = entry;
      return;
    }
    beginOperation(b, operations.size());
    operations.push_back(entry);
  }

  /// Arithmetic and memory traffic.
  static void countCost(linalg::LinalgOp op, Cost &flops, Cost &bytes) {
    flops = countFlops(op);
    for (OpOperand &operand : op->getOpOperands()) {
      auto type = dyn_cast<MemRefType>(operand.get().getType());
      if (!type)
        continue;
      int64_t size = (type.getElementTypeBitWidth() + 7) / 8;
      for (int64_t extent : type.getShape())
        size *= ShapedType::isDynamic(extent) ? 1 : extent;
      bool isReadToo =
          op.isDpsInit(&operand) && op.payloadUsesValueFromOperand(&operand);
      bytes.add(!type.hasStaticShape(), size * (isReadToo ? 2 : 1));
    }
  }

  static std::string describe(linalg::LinalgOp op) {
    std::string text;
    llvm::raw_string_ostream os(text);
    // The layer that the operation belongs to, if the frontend named it.
    if (auto name = op.getLoc()->findInstanceOf<NameLoc>())
      os << name.getName().getValue() << " ";
    if (isProduct(op)) {
      os << (isa<linalg::ContractOp>(op.getOperation()) ? "product "
                                                        : "convolution ");
      auto print = [&](Value value) {
        auto type = cast<MemRefType>(value.getType());
        llvm::interleave(
            type.getShape(), os,
            [&](int64_t extent) {
              if (ShapedType::isDynamic(extent))
                os << "B";
              else
                os << extent;
            },
            "x");
      };
      print(op->getOperand(0));
      os << " . ";
      print(op->getOperand(1));
      return text;
    }
    if (isa<linalg::GenericOp>(op.getOperation()))
      os << (op.getNumReductionLoops() ? "reduction" : "elementwise");
    else
      os << op->getName().stripDialect();
    return text;
  }
};

struct DistributePass : dann::impl::DistributeBase<DistributePass> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (!function.isPrivate() && function.getBody().hasOneBlock()) {
        Distributor distributor(function);
        distributor.run();
        if (distributor.hasFailed)
          return signalPassFailure();
      }
  }
};

} // namespace
