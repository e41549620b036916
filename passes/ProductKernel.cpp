//===- ProductKernel.cpp - A function that multiplies matrices ------------===//
//
// The kernels are built tile by tile instead of by tiling and vectorising each
// product: one function then serves products of all sizes, the vectors of a
// tile are registers from the start, and compile time does not grow with the
// network. docs/architecture.md compares the two ways.
//
//===----------------------------------------------------------------------===//

#include "passes/ProductKernel.h"
#include "passes/VectorBody.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::dann;

namespace {

// Along k a tile of b, 2 vectors wide, has to stay in the L2 cache.
constexpr int64_t kDepth = 1024;
// If all of b is larger than this, many rows of a pass over one part of it
// before the next part; else few rows pass over all of it, and each row of a
// and c is met once.
constexpr int64_t kLargeFactorBytes = 1024 * 1024;
constexpr int64_t kManyRows = 96;
// Rows that a product with a single column takes together.
constexpr int64_t kVectorProductRows = 8;

class KernelBuilder {
public:
  KernelBuilder(ImplicitLocOpBuilder &b, ProductKernelForm form, int64_t width,
                int64_t rows)
      : b(b), form(form), width(width), rows(rows),
        vectorType(VectorType::get({width}, form.elementType)) {}

  void build(func::FuncOp function) {
    Block *entry = function.addEntryBlock();
    b.setInsertionPointToStart(entry);
    a = entry->getArgument(0);
    factor = entry->getArgument(1);
    c = entry->getArgument(2);
    accumulates = entry->getArgument(3);
    if (form.epilogue) {
      unsigned numResults = form.epilogue.getNumDpsInits();
      auto rest = entry->getArguments().drop_front(4);
      llvm::append_range(results, rest.take_front(numResults));
      llvm::append_range(extras, rest.drop_front(numResults));
    }
    zero = index(0);
    one = index(1);
    m = memref::DimOp::create(b, c, zero);
    n = memref::DimOp::create(b, c, one);
    k = memref::DimOp::create(b, factor, zero);
    if (form.hasWindows) {
      k1 = memref::DimOp::create(b, factor, one);
      k2 = memref::DimOp::create(b, factor, index(2));
      n = memref::DimOp::create(b, c, one);
    }
    if (form.transposed || form.hasWindows) {
      buildBlocks();
    } else {
      Value isVector = isContiguousVector();
      auto branch = scf::IfOp::create(b, isVector, /*withElseRegion=*/true);
      inside(branch.thenBlock(), [&] { buildVectorProduct(); });
      inside(branch.elseBlock(), [&] { buildBlocks(); });
    }
    b.setInsertionPointToEnd(entry);
    func::ReturnOp::create(b);
  }

private:
  using Build = llvm::function_ref<void()>;

  Value index(int64_t value) {
    return arith::ConstantIndexOp::create(b, value);
  }
  Value add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(x, y); }
  Value offset(Value x, int64_t y) { return y ? add(x, index(y)) : x; }
  Value multipleBelow(Value x, int64_t unit) {
    Value rest = arith::RemUIOp::create(b, x, index(unit));
    return arith::SubIOp::create(b, x, rest);
  }

  void inside(Block *block, Build build) {
    OpBuilder::InsertionGuard guard(b);
    if (block->mightHaveTerminator())
      b.setInsertionPoint(block->getTerminator());
    else
      b.setInsertionPointToEnd(block);
    build();
  }
  void loop(Value begin, Value end, Value step,
            llvm::function_ref<void(Value)> build) {
    auto forOp = scf::ForOp::create(b, begin, end, step);
    inside(forOp.getBody(), [&] { build(forOp.getInductionVar()); });
  }

  //===------------------------------------------------------------------===//
  // Several columns: register tiles
  //===------------------------------------------------------------------===//

  void buildBlocks() {
    // A product of depth 0 is one block, too.
    Value depth = arith::MaxSIOp::create(b, k, one);
    Value block = index(kDepth);
    if (form.hasWindows)
      block = arith::MaxSIOp::create(
          b,
          arith::DivUIOp::create(
              b, block, arith::MaxSIOp::create(b, getInnerDepth(), one)),
          one);
    loop(zero, depth, block, [&](Value begin) {
      Value end = arith::MinSIOp::create(b, add(begin, block), k);
      Value isFirst =
          arith::CmpIOp::create(b, arith::CmpIPredicate::eq, begin, zero);
      Value isLast = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, end, k);
      Value adds = arith::OrIOp::create(
          b, accumulates,
          arith::XOrIOp::create(
              b, isFirst, arith::ConstantOp::create(b, b.getBoolAttr(true))));
      buildGroups({begin, end, adds, isLast});
    });
  }

  /// Terms of a sum for each k of the outermost loop.
  Value getInnerDepth() { return arith::MulIOp::create(b, k1, k2); }

  struct Depth {
    Value begin, end;
    Value adds;   // whether the tile starts from c
    Value isLast; // whether the tile is complete at the end
  };

  void buildGroups(Depth depth) {
    int64_t bytes = form.elementType.getIntOrFloatBitWidth() / 8;
    Value span = arith::SubIOp::create(b, depth.end, depth.begin);
    if (form.hasWindows)
      span = arith::MulIOp::create(b, span, getInnerDepth());
    Value isLarge = arith::CmpIOp::create(b, arith::CmpIPredicate::ugt,
                                          arith::MulIOp::create(b, span, n),
                                          index(kLargeFactorBytes / bytes));
    Value group = arith::SelectOp::create(
        b, isLarge, index(kManyRows / rows * rows), index(rows));
    loop(zero, m, group, [&](Value begin) {
      Value end = arith::MinSIOp::create(b, add(begin, group), m);
      loop(zero, n, index(2 * width), [&](Value column) {
        Value rest = arith::SubIOp::create(b, n, column);
        auto isAtLeast = [&](int64_t columns) {
          return arith::CmpIOp::create(b, arith::CmpIPredicate::sge, rest,
                                       index(columns));
        };
        auto whole = scf::IfOp::create(b, isAtLeast(2 * width), true);
        inside(whole.thenBlock(),
               [&] { buildRows(begin, end, column, 2, {}, depth); });
        inside(whole.elseBlock(), [&] {
          auto two = scf::IfOp::create(b, isAtLeast(width + 1), true);
          inside(two.thenBlock(),
                 [&] { buildRows(begin, end, column, 2, rest, depth); });
          inside(two.elseBlock(),
                 [&] { buildRows(begin, end, column, 1, rest, depth); });
        });
      });
    });
  }

  /// `rest` columns, or all of `vectors` vectors if null.
  void buildRows(Value begin, Value end, Value column, int64_t vectors,
                 Value rest, Depth depth) {
    SmallVector<Value> masks(vectors);
    if (rest)
      masks.back() = vector::CreateMaskOp::create(
          b, VectorType::get({width}, b.getI1Type()),
          ValueRange(Value(
              arith::SubIOp::create(b, rest, index((vectors - 1) * width)))));
    Value next = begin;
    // Convolutions have few rows more often, of which single ones are slow.
    SmallVector<int64_t> counts = {rows, rows / 3, 1};
    if (form.hasWindows)
      counts = {rows, rows * 2 / 3, rows / 3, 2, 1};
    counts.erase(llvm::unique(counts), counts.end());
    for (int64_t count : counts) {
      Value size = arith::SubIOp::create(b, end, next);
      Value stop = add(next, multipleBelow(size, count));
      loop(next, stop, index(count),
           [&](Value row) { buildTile(row, count, column, masks, depth); });
      next = stop;
    }
    if (!form.epilogue || isShort(form.epilogue))
      return;
    auto finish = scf::IfOp::create(b, depth.isLast, /*withElse=*/false);
    inside(finish.thenBlock(), [&] {
      loop(begin, end, one, [&](Value row) {
        for (int64_t v = 0; v < vectors; ++v) {
          Value j = offset(column, v * width);
          storeFinished(loadVector(c, {row, j}, masks[v]), row, j, masks[v]);
        }
      });
    });
  }

  Value loadVector(Value buffer, ValueRange at, Value mask) {
    if (!mask)
      return vector::LoadOp::create(b, vectorType, buffer, at);
    return vector::MaskedLoadOp::create(b, vectorType, buffer, at, mask,
                                        zeroVector());
  }
  void storeVector(Value value, Value buffer, ValueRange at, Value mask) {
    if (mask)
      vector::MaskedStoreOp::create(b, buffer, at, mask, value);
    else
      vector::StoreOp::create(b, value, buffer, at);
  }
  Value zeroVector() {
    return arith::ConstantOp::create(b, b.getZeroAttr(vectorType));
  }

  void buildTile(Value row, int64_t count, Value column, ArrayRef<Value> masks,
                 Depth depth) {
    int64_t vectors = masks.size();
    auto forEach = [&](llvm::function_ref<void(Value, Value, Value)> visit) {
      for (int64_t r = 0; r < count; ++r)
        for (int64_t v = 0; v < vectors; ++v)
          visit(offset(row, r), offset(column, v * width), masks[v]);
    };
    SmallVector<Type> types(count * vectors, vectorType);
    auto start = scf::IfOp::create(b, types, depth.adds, /*withElse=*/true);
    inside(start.thenBlock(), [&] {
      SmallVector<Value> tile;
      forEach([&](Value i, Value j, Value mask) {
        tile.push_back(loadVector(c, {i, j}, mask));
      });
      scf::YieldOp::create(b, tile);
    });
    inside(start.elseBlock(), [&] {
      scf::YieldOp::create(b,
                           SmallVector<Value>(count * vectors, zeroVector()));
    });

    auto multiply = [&](ValueRange at, ValueRange sums) {
      SmallVector<Value> columns, tile;
      for (int64_t v = 0; v < vectors; ++v) {
        SmallVector<Value> indices(at);
        indices.push_back(offset(column, v * width));
        columns.push_back(loadVector(factor, indices, masks[v]));
      }
      for (int64_t r = 0; r < count; ++r) {
        Value i = offset(row, r);
        SmallVector<Value> indices(at);
        indices.insert(form.transposed ? indices.end() : indices.begin(), i);
        Value entry = memref::LoadOp::create(b, a, indices);
        Value entries = broadcast(b, entry, width);
        for (int64_t v = 0; v < vectors; ++v)
          tile.push_back(vector::FMAOp::create(b, entries, columns[v],
                                               sums[r * vectors + v]));
      }
      return tile;
    };
    SmallVector<std::pair<Value, Value>> ranges = {{depth.begin, depth.end}};
    if (form.hasWindows)
      llvm::append_range(ranges, ArrayRef{std::pair(zero, k1), {zero, k2}});
    ResultRange sums =
        buildSums(ranges, {}, start.getResults(), multiply).getResults();

    auto store = [&](bool finishes) {
      auto tile = sums.begin();
      forEach([&](Value i, Value j, Value mask) {
        Value value = *tile++;
        if (finishes)
          storeFinished(value, i, j, mask);
        else
          storeVector(value, c, {i, j}, mask);
      });
    };
    if (!form.epilogue || !isShort(form.epilogue))
      return store(false);
    auto finish = scf::IfOp::create(b, depth.isLast, /*withElse=*/true);
    inside(finish.thenBlock(), [&] { store(true); });
    inside(finish.elseBlock(), [&] { store(false); });
  }

  /// Loops over `ranges` within those that are at `at`, which carry sums.
  scf::ForOp buildSums(
      ArrayRef<std::pair<Value, Value>> ranges, ValueRange at, ValueRange sums,
      llvm::function_ref<SmallVector<Value>(ValueRange, ValueRange)> body) {
    auto [begin, end] = ranges.front();
    auto forOp = scf::ForOp::create(b, begin, end, one, sums);
    inside(forOp.getBody(), [&] {
      SmallVector<Value> here(at);
      here.push_back(forOp.getInductionVar());
      ValueRange carried = forOp.getRegionIterArgs();
      SmallVector<Value> next =
          ranges.size() == 1 ? body(here, carried)
                             : SmallVector<Value>(buildSums(ranges.drop_front(),
                                                            here, carried, body)
                                                      .getResults());
      scf::YieldOp::create(b, next);
    });
    return forOp;
  }

  /// Applies the epilogue and stores its results.
  void storeFinished(Value product, Value i, Value j, Value mask) {
    for (auto [result, target] :
         llvm::zip(buildEpilogue(product, i, j, mask), results))
      storeVector(result, target, {i, j}, mask);
  }

  /// Whether the epilogue is short enough to be copied for each vector of a
  /// tile. Others run over the rows of finished tiles, which the cache still
  /// has.
  static bool isShort(linalg::GenericOp epilogue) {
    constexpr size_t most = 2;
    auto body = epilogue.getBody()->without_terminator();
    return static_cast<size_t>(std::distance(body.begin(), body.end())) <= most;
  }

  SmallVector<Value> buildEpilogue(Value product, Value i, Value j,
                                   Value mask) {
    int64_t lanes = cast<VectorType>(product.getType()).getNumElements();
    SmallVector<Value> arguments;
    auto extra = extras.begin();
    linalg::GenericOp op = form.epilogue;
    for (OpOperand *input : op.getDpsInputOperands()) {
      if (input->getOperandNumber() == form.productIndex) {
        arguments.push_back(product);
        continue;
      }
      Value value = *extra++;
      if (!isa<MemRefType>(value.getType())) {
        arguments.push_back(value);
        continue;
      }
      SmallVector<Value> at;
      AffineMap map = op.getMatchingIndexingMap(input);
      for (AffineExpr expression : map.getResults())
        at.push_back(cast<AffineDimExpr>(expression).getPosition() == 0 ? i
                                                                        : j);
      bool isAlongLanes = map.isFunctionOfDim(1);
      if (!isAlongLanes)
        arguments.push_back(memref::LoadOp::create(b, value, at));
      else if (lanes == width)
        arguments.push_back(loadVector(value, at, mask));
      else
        arguments.push_back(
            vector::LoadOp::create(b, product.getType(), value, at));
    }
    // The old results, which are not used.
    arguments.append(op.getNumDpsInits(), product);
    return buildVectorBody(b, op, lanes, arguments,
                           [&](unsigned) -> Value { return {}; });
  }

  //===------------------------------------------------------------------===//
  // One column: dot products
  //===------------------------------------------------------------------===//

  /// Whether b is a column whose entries are neighbours.
  Value isContiguousVector() {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, factor);
    Value isColumn = arith::CmpIOp::create(b, arith::CmpIPredicate::eq, n, one);
    Value isDense = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                          metadata.getStrides()[0], one);
    return arith::AndIOp::create(b, isColumn, isDense);
  }

  void buildVectorProduct() {
    auto metadata = memref::ExtractStridedMetadataOp::create(b, factor);
    auto type = MemRefType::get(
        {ShapedType::kDynamic}, form.elementType,
        StridedLayoutAttr::get(b.getContext(), ShapedType::kDynamic, {1}));
    Value x = memref::ReinterpretCastOp::create(
        b, type, metadata.getBaseBuffer(), OpFoldResult(metadata.getOffset()),
        ArrayRef<OpFoldResult>{k}, ArrayRef<OpFoldResult>{b.getIndexAttr(1)});
    Value stop = multipleBelow(m, kVectorProductRows);
    loop(zero, stop, index(kVectorProductRows),
         [&](Value row) { buildDotProducts(x, row, kVectorProductRows); });
    loop(stop, m, one, [&](Value row) { buildDotProducts(x, row, 1); });
  }

  void buildDotProducts(Value x, Value row, int64_t count) {
    Value whole = multipleBelow(k, width);
    Value rest = arith::SubIOp::create(b, k, whole);
    Value mask = vector::CreateMaskOp::create(
        b, VectorType::get({width}, b.getI1Type()), rest);
    auto multiply = [&](Value kk, Value laneMask, ValueRange sums) {
      SmallVector<Value> next;
      Value entries = loadVector(x, kk, laneMask);
      for (int64_t r = 0; r < count; ++r)
        next.push_back(vector::FMAOp::create(
            b, loadVector(a, {offset(row, r), kk}, laneMask), entries,
            sums[r]));
      return next;
    };
    auto forOp = scf::ForOp::create(b, zero, whole, index(width),
                                    SmallVector<Value>(count, zeroVector()));
    inside(forOp.getBody(), [&] {
      scf::YieldOp::create(
          b, multiply(forOp.getInductionVar(), {}, forOp.getRegionIterArgs()));
    });
    SmallVector<Value> sums = multiply(whole, mask, forOp.getResults());
    for (int64_t r = 0; r < count; ++r) {
      Value i = offset(row, r);
      Value sum =
          vector::ReductionOp::create(b, vector::CombiningKind::ADD, sums[r],
                                      arith::FastMathFlags::reassoc);
      auto start = scf::IfOp::create(b, form.elementType, accumulates, true);
      inside(start.thenBlock(), [&] {
        Value old = memref::LoadOp::create(b, c, ValueRange{i, zero});
        scf::YieldOp::create(b, Value(arith::AddFOp::create(b, old, sum)));
      });
      inside(start.elseBlock(), [&] { scf::YieldOp::create(b, sum); });
      Value single = broadcast(b, start.getResult(0), 1);
      if (!form.epilogue) {
        vector::StoreOp::create(b, single, c, ValueRange{i, zero});
        continue;
      }
      for (auto [result, target] :
           llvm::zip(buildEpilogue(single, i, zero, {}), results))
        vector::StoreOp::create(b, result, target, ValueRange{i, zero});
    }
  }

  ImplicitLocOpBuilder &b;
  ProductKernelForm form;
  int64_t width, rows;
  VectorType vectorType;
  Value a, factor, c, accumulates;
  SmallVector<Value> results, extras; // of the epilogue
  Value zero, one, m, n, k;
  Value k1, k2; // of windows, within k
};

} // namespace

void mlir::dann::buildProductKernel(ImplicitLocOpBuilder &b,
                                    const ProductKernelForm &form,
                                    int64_t width, int64_t rows,
                                    func::FuncOp function) {
  KernelBuilder(b, form, width, rows).build(function);
}
