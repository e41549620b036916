//===- ReductionOperators.cpp - Reductions and what is made of them -------===//

#include "frontend/Onnx/Reduction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {

using B = ImplicitLocOpBuilder;

SmallVector<int64_t> getAllAxes(int64_t rank) {
  return llvm::to_vector(llvm::seq<int64_t>(0, rank));
}

//===----------------------------------------------------------------------===//
// Reductions
//===----------------------------------------------------------------------===//

enum class Kind {
  L1,
  L2,
  LogSum,
  LogSumExp,
  Max,
  Mean,
  Min,
  Prod,
  Sum,
  SumSquare
};

Value square(B &b, Value x) { return multiply(b, x, x); }

template <typename OpTy> Tensor map(Node &node, Tensor x) {
  return compute(
      node, x.getShape(), x.dataType, indexWhole(x),
      [](B &b, ValueRange arguments) { return OpTy::create(b, arguments[0]); });
}

/// log(sum(e^x)) of floats.
Tensor logSumExp(Node &node, Tensor x, ArrayRef<int64_t> axes) {
  int64_t rank = x.getRank();
  // Without the maximum powers would overflow. If it is infinite, they may:
  // infinity minus infinity would be no number.
  Tensor maximum = reduce(node, x, axes, Combination::Maximum);
  Tensor shift = compute(
      node, maximum.getShape(), x.dataType, indexWhole(maximum),
      [](B &b, ValueRange arguments) {
        Type type = arguments[0].getType();
        Value isFinite = arith::CmpFOp::create(
            b, arith::CmpFPredicate::OLT, math::AbsFOp::create(b, arguments[0]),
            constant(b, type, std::numeric_limits<double>::infinity()));
        return arith::SelectOp::create(b, isFinite, arguments[0],
                                       constant(b, type, 0));
      });
  Tensor sum =
      reduce(node, x.getShape(), axes, x.dataType, Combination::Sum,
             {indexWhole(x), indexReduced(shift, rank, axes)},
             [](B &b, ValueRange arguments) {
               return math::ExpOp::create(
                   b, arith::SubFOp::create(b, arguments[0], arguments[1]));
             });
  return compute(node, sum.getShape(), x.dataType,
                 {indexWhole(sum), indexWhole(shift)},
                 [](B &b, ValueRange arguments) {
                   return arith::AddFOp::create(
                       b, math::LogOp::create(b, arguments[0]), arguments[1]);
                 });
}

/// `x` reduced along `axes`, without them.
FailureOr<Tensor> reduceKind(Node &node, Tensor x, ArrayRef<int64_t> axes,
                             Kind kind) {
  // Integers are reduced in a type that holds the numbers on the way: all sums
  // wrap in the end, but a mean has to be divided before.
  int32_t wide = x.dataType;
  if (!x.isFloat()) {
    if (kind == Kind::L2 || kind == Kind::LogSum || kind == Kind::LogSumExp)
      wide = proto::TensorProto::DOUBLE;
    else if (kind == Kind::Mean)
      wide = x.isUnsigned() ? proto::TensorProto::UINT64
                            : proto::TensorProto::INT64;
  }
  FailureOr<Tensor> converted = node.convert(x, wide);
  if (failed(converted))
    return failure();
  Tensor from = *converted, result;
  switch (kind) {
  case Kind::L1:
    result =
        reduce(node, from, axes, Combination::Sum, [&](B &b, Value x) -> Value {
          if (from.isFloat())
            return math::AbsFOp::create(b, x);
          if (from.isUnsigned())
            return x;
          return math::AbsIOp::create(b, x);
        });
    break;
  case Kind::L2:
    result = map<math::SqrtOp>(
        node, reduce(node, from, axes, Combination::Sum, square));
    break;
  case Kind::LogSum:
    result = map<math::LogOp>(node, reduce(node, from, axes, Combination::Sum));
    break;
  case Kind::LogSumExp:
    result = logSumExp(node, from, axes);
    break;
  case Kind::Max:
    result = reduce(node, from, axes, Combination::Maximum);
    break;
  case Kind::Mean:
    result = divideByCount(node, reduce(node, from, axes, Combination::Sum),
                           from.getShape(), axes);
    break;
  case Kind::Min:
    result = reduce(node, from, axes, Combination::Minimum);
    break;
  case Kind::Prod:
    result = reduce(node, from, axes, Combination::Product);
    break;
  case Kind::Sum:
    result = reduce(node, from, axes, Combination::Sum);
    break;
  case Kind::SumSquare:
    result = reduce(node, from, axes, Combination::Sum, square);
    break;
  }
  return node.convert(result, x.dataType);
}

/// The shape after a reduction.
SmallVector<int64_t> reduceShape(ArrayRef<int64_t> shape,
                                 ArrayRef<int64_t> axes, bool keepsAxes) {
  SmallVector<int64_t> reduced;
  for (auto [i, extent] : llvm::enumerate(shape)) {
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      reduced.push_back(extent);
    else if (keepsAxes)
      reduced.push_back(1);
  }
  return reduced;
}

/// A set bit for each axis in a tensor of them. What is no axis has none.
Tensor buildAxisMask(Node &node, Tensor axes, int64_t rank) {
  return reduce(
      node, axes.getShape(), getAllAxes(axes.getRank()),
      proto::TensorProto::INT64, Combination::Sum, indexWhole(axes),
      [&](B &b, ValueRange arguments) {
        Type type = b.getI64Type();
        Value axis = node.convertScalar(b, arguments[0], axes.dataType,
                                        proto::TensorProto::INT64);
        Value zero = constant(b, type, 0);
        Value extent = constant(b, type, static_cast<double>(rank));
        Value isNegative =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, axis, zero);
        axis = arith::SelectOp::create(
            b, isNegative, arith::AddIOp::create(b, axis, extent), axis);
        Value isAxis =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, axis, extent);
        Value safe = arith::SelectOp::create(b, isAxis, axis, zero);
        Value bit = arith::ShLIOp::create(b, constant(b, type, 1), safe);
        return arith::SelectOp::create(b, isAxis, bit, zero);
      });
}

/// More alternatives than this are not computed to choose one of them.
constexpr size_t kMaxAlternatives = 32;

/// One of `alternatives` of one type: that with the mask which `mask` has in
/// `relevant` bits; the first if none has it.
Tensor choose(Node &node, Tensor mask, int64_t relevant,
              ArrayRef<int64_t> masks, ArrayRef<Tensor> alternatives) {
  SmallVector<Indexed> inputs = {indexWhole(mask)};
  for (Tensor tensor : alternatives)
    inputs.push_back(indexWhole(tensor));
  Tensor first = alternatives.front();
  return compute(
      node, first.getShape(), first.dataType, inputs,
      [&](B &b, ValueRange arguments) {
        Value given = arith::AndIOp::create(
            b, arguments[0],
            arith::ConstantOp::create(b, b.getI64IntegerAttr(relevant)));
        Value chosen = arguments[1];
        for (size_t i = 1; i < masks.size(); ++i) {
          Value isThis = arith::CmpIOp::create(
              b, arith::CmpIPredicate::eq, given,
              arith::ConstantOp::create(b, b.getI64IntegerAttr(masks[i])));
          chosen = arith::SelectOp::create(b, isThis, arguments[i + 1], chosen);
        }
        return chosen;
      });
}

/// A reduction along axes that are known at run time. Those which give the
/// declared shape are few, often one: all are computed, and one is chosen.
LogicalResult importRuntimeReduction(Node &node, Kind kind, bool keepsAxes) {
  Tensor x = node.getInput(0), axes = node.getInput(1);
  int64_t rank = x.getRank(); // at most kMaxRank
  std::optional<SmallVector<int64_t>> shape = node.getDeclaredShape(0);
  if (!shape || axes.getRank() != 1 || !axes.getType().hasStaticShape() ||
      !axes.isInteger())
    return node.emitError() << "the axes are not known at compile time, nor is "
                               "the shape of the result declared";
  // To reduce dimensions of size 1 or not makes no difference.
  int64_t relevant = 0;
  for (int64_t i = 0; i < rank; ++i)
    if (x.getDim(i) != 1)
      relevant |= int64_t(1) << i;
  SmallVector<int64_t> masks;
  SmallVector<Tensor> alternatives;
  for (int64_t set = 0; set < int64_t(1) << rank; ++set) {
    if (llvm::popcount(static_cast<uint64_t>(set)) != axes.getDim(0))
      continue;
    SmallVector<int64_t> chosen;
    for (int64_t i = 0; i < rank; ++i)
      if (set >> i & 1)
        chosen.push_back(i);
    if (reduceShape(x.getShape(), chosen, keepsAxes) != *shape ||
        llvm::is_contained(masks, set & relevant))
      continue;
    if (masks.size() == kMaxAlternatives)
      return node.emitError()
             << "the axes are not known at compile time, and more than "
             << kMaxAlternatives << " choices give the declared shape";
    FailureOr<Tensor> reduced = reduceKind(node, x, chosen, kind);
    if (failed(reduced))
      return failure();
    reduced = node.reshape(*reduced, *shape);
    if (failed(reduced))
      return failure();
    masks.push_back(set & relevant);
    alternatives.push_back(*reduced);
  }
  if (masks.empty())
    return node.emitError() << "no " << axes.getDim(0) << " axes of "
                            << x.getType() << " give the declared shape";
  if (masks.size() == 1)
    node.setOutput(0, alternatives[0]);
  else
    node.setOutput(0, choose(node, buildAxisMask(node, axes, rank), relevant,
                             masks, alternatives));
  return success();
}

/// Since `inputOpset` the axes are an input.
template <Kind kind, int64_t inputOpset>
LogicalResult importReduce(Node &node) {
  Tensor x = node.getInput(0);
  bool keepsAxes = node.getInt("keepdims", 1) != 0;
  constexpr bool isExtremum = kind == Kind::Max || kind == Kind::Min;
  if (x.isBool() ||
      (!isExtremum && x.getElementType().getIntOrFloatBitWidth() < 32))
    return node.emitError() << "takes numbers of 32 and 64 bits, not "
                            << getTypeName(x.dataType);
  if (node.getOpset() < inputOpset && node.hasInput(1))
    return node.emitError() << "has the axes as an input, which is so only "
                               "since version "
                            << inputOpset;
  if (node.getOpset() >= inputOpset && node.hasInput(1) &&
      !node.getKnownInts(1))
    return importRuntimeReduction(node, kind, keepsAxes);
  auto given = node.getAxes(inputOpset, 1, x.getRank());
  if (failed(given))
    return failure();
  SmallVector<int64_t> axes;
  if (*given)
    axes = **given;
  if (axes.empty()) {
    if (node.getOpset() >= inputOpset &&
        node.getInt("noop_with_empty_axes", 0) != 0) {
      node.setOutput(0, x);
      return success();
    }
    axes = getAllAxes(x.getRank());
  }
  FailureOr<Tensor> result = reduceKind(node, x, axes, kind);
  if (failed(result))
    return failure();
  result = node.reshape(*result, reduceShape(x.getShape(), axes, keepsAxes));
  return node.setResult(result);
}

//===----------------------------------------------------------------------===//
// Where the extrema are
//===----------------------------------------------------------------------===//

template <Combination combination> LogicalResult importArg(Node &node) {
  Tensor x = node.getInput(0);
  bool keepsAxis = node.getInt("keepdims", 1) != 0;
  bool takesLast =
      node.getOpset() >= 12 && node.getInt("select_last_index", 0) != 0;
  FailureOr<int64_t> axis = node.getAxis("axis", 0, x.getRank());
  if (failed(axis))
    return failure();
  if (x.isBool() || x.getDim(*axis) == 0)
    return node.emitError()
           << "takes numbers, and at least one along the axis, not "
           << x.getType();
  Tensor found = findExtremum(node, x, *axis, combination, takesLast);
  return node.setResult(
      node.reshape(found, reduceShape(x.getShape(), *axis, keepsAxis)));
}

//===----------------------------------------------------------------------===//
// Softmax
//===----------------------------------------------------------------------===//

/// One axis since opset 13; before that the input was a matrix whose rows are
/// all dimensions from the axis on.
FailureOr<SmallVector<int64_t>> getSoftmaxAxes(Node &node, Tensor x) {
  if (failed(node.requireFloat(x)))
    return failure();
  bool isMatrix = node.getOpset() < 13;
  FailureOr<int64_t> axis =
      node.getAxis("axis", isMatrix ? 1 : -1, x.getRank());
  if (failed(axis))
    return failure();
  return llvm::to_vector(
      llvm::seq<int64_t>(*axis, isMatrix ? x.getRank() : *axis + 1));
}

template <Tensor (*build)(Node &, Tensor, ArrayRef<int64_t>)>
LogicalResult importSoftmax(Node &node) {
  Tensor x = node.getInput(0);
  FailureOr<SmallVector<int64_t>> axes = getSoftmaxAxes(node, x);
  if (failed(axes))
    return failure();
  node.setOutput(0, build(node, x, *axes));
  return success();
}

/// 1 at the first maximum, 0 elsewhere.
Tensor hardmax(Node &node, Tensor x, ArrayRef<int64_t> axes) {
  Tensor found = findExtremum(node, x, axes, Combination::Maximum, false);
  return compute(
      node, x.getShape(), x.dataType, indexReduced(found, x.getRank(), axes),
      [&](B &b, ValueRange arguments) {
        Value isThis =
            arith::CmpIOp::create(b, arith::CmpIPredicate::eq, arguments[0],
                                  buildPosition(b, x.getShape(), axes));
        return arith::SelectOp::create(b, isThis,
                                       constant(b, x.getElementType(), 1),
                                       constant(b, x.getElementType(), 0));
      });
}

//===----------------------------------------------------------------------===//
// Running sums
//===----------------------------------------------------------------------===//

/// `x` moved by `distance` along an axis, with zeros behind it.
Tensor shift(Node &node, Tensor x, int64_t axis, int64_t distance,
             bool backwards) {
  SmallVector<int64_t> zeros(x.getRank(), 0), ones(x.getRank(), 1);
  SmallVector<int64_t> offsets(zeros), sizes(x.getShape()), padding(zeros);
  sizes[axis] -= distance;
  padding[axis] = distance;
  if (backwards)
    offsets[axis] = distance;
  Tensor part = node.slice(x, offsets, sizes, ones);
  return node.pad(part, backwards ? zeros : padding,
                  backwards ? padding : zeros, node.scalar(x.dataType, 0));
}

/// The sums up to each element along an axis, or from it on. Each step adds the
/// sums of twice as many elements, in parallel.
Tensor sumUp(Node &node, Tensor x, int64_t axis, bool isExclusive,
             bool backwards) {
  int64_t extent = x.getDim(axis);
  if (isExclusive) {
    if (extent <= 1)
      return node.fill(x.getShape(), x.dataType, 0);
    x = shift(node, x, axis, 1, backwards);
  }
  for (int64_t distance = 1; distance < extent; distance *= 2)
    x = compute(
        node, x.getShape(), x.dataType,
        {indexWhole(x), indexWhole(shift(node, x, axis, distance, backwards))},
        [](B &b, ValueRange arguments) {
          return add(b, arguments[0], arguments[1]);
        });
  return x;
}

LogicalResult importCumSum(Node &node) {
  Tensor x = node.getInput(0), axis = node.getInput(1);
  bool isExclusive = node.getInt("exclusive", 0) != 0;
  bool backwards = node.getInt("reverse", 0) != 0;
  int64_t rank = x.getRank();
  if (x.isBool() || rank == 0)
    return node.emitError()
           << "takes numbers along an axis, not " << x.getType();
  if (!axis.isInteger() || !axis.getType().hasStaticShape() ||
      axis.getType().getNumElements() != 1)
    return node.emitError() << "takes one axis, not " << axis.getType();
  std::optional<SmallVector<int64_t>> known = node.getKnownInts(1);
  SmallVector<int64_t> axes = getAllAxes(rank);
  if (known) {
    FailureOr<int64_t> normal = node.normalizeAxis(known->front(), rank);
    if (failed(normal))
      return failure();
    axes = {*normal};
  } else if (rank == 1) {
    known.emplace();
  }
  SmallVector<int64_t> masks;
  SmallVector<Tensor> alternatives;
  for (int64_t i : axes) {
    if (ShapedType::isDynamic(x.getDim(i)))
      return node.emitError()
             << "sums up along the batch"
             << (known ? "" : ", or an axis that is not known at compile time")
             << ", which is not supported";
    masks.push_back(int64_t(1) << i);
    alternatives.push_back(sumUp(node, x, i, isExclusive, backwards));
  }
  if (axes.size() == 1)
    node.setOutput(0, alternatives[0]);
  else
    node.setOutput(0, choose(node, buildAxisMask(node, axis, rank),
                             (int64_t(1) << rank) - 1, masks, alternatives));
  return success();
}

//===----------------------------------------------------------------------===//
// Determinants
//===----------------------------------------------------------------------===//

/// Larger matrices would become too many operations.
constexpr int64_t kMaxDeterminant = 256;

/// Gauss' elimination: each step takes the row with the largest element of the
/// first column and that column away, and leaves a smaller matrix.
LogicalResult importDet(Node &node) {
  Tensor x = node.getInput(0);
  int64_t rank = x.getRank();
  if (failed(node.requireFloat(x)))
    return failure();
  if (rank < 2 || x.getDim(rank - 1) != x.getDim(rank - 2) ||
      ShapedType::isDynamic(x.getDim(rank - 1)))
    return node.emitError() << "takes square matrices, not " << x.getType();
  if (x.getDim(rank - 1) > kMaxDeterminant)
    return node.emitError() << "takes matrices of up to " << kMaxDeterminant
                            << " rows, not " << x.getType();
  int64_t rowAxis = rank - 2, columnAxis = rank - 1;
  Type type = x.getElementType();
  Tensor product = node.fill(x.getShape().drop_back(2), x.dataType, 1);
  Tensor matrix = x;
  for (int64_t extent = x.getDim(rowAxis); extent > 0; --extent) {
    SmallVector<int64_t> shape(matrix.getShape()), zeros(rank, 0),
        ones(rank, 1);
    shape[columnAxis] = 1;
    Tensor column =
        node.squeeze(node.slice(matrix, zeros, shape, ones), columnAxis);
    Tensor pivots = findExtremum(node, map<math::AbsFOp>(node, column), rowAxis,
                                 Combination::Maximum, false);
    // A row by construction, whatever the matrix holds.
    auto getRow = [&](B &b, Value pivot) -> Value {
      Value row = arith::IndexCastOp::create(b, b.getIndexType(), pivot);
      return arith::MinUIOp::create(
          b, row, arith::ConstantIndexOp::create(b, extent - 1));
    };
    auto get = [&](B &b, Value row, Value column) -> Value {
      SmallVector<Value> indices;
      for (int64_t i = 0; i < rowAxis; ++i)
        indices.push_back(linalg::IndexOp::create(b, i));
      indices.append({row, column});
      return tensor::ExtractOp::create(b, matrix.value, indices);
    };
    // To move the pivot's row to the top takes as many exchanges as there are
    // rows above it, each of which changes the sign.
    product = compute(node, product.getShape(), x.dataType,
                      {indexWhole(product), indexWhole(pivots)},
                      [&](B &b, ValueRange arguments) {
                        Value zero = arith::ConstantIndexOp::create(b, 0);
                        Value one = arith::ConstantIndexOp::create(b, 1);
                        Value row = getRow(b, arguments[1]);
                        Value pivot = get(b, row, zero);
                        Value isEven = arith::CmpIOp::create(
                            b, arith::CmpIPredicate::eq,
                            arith::AndIOp::create(b, row, one), zero);
                        pivot = arith::SelectOp::create(
                            b, isEven, pivot, arith::NegFOp::create(b, pivot));
                        return arith::MulFOp::create(b, arguments[0], pivot);
                      });
    if (extent == 1)
      break;
    shape[rowAxis] = shape[columnAxis] = extent - 1;
    matrix = compute(
        node, shape, x.dataType,
        indexReduced(pivots, rank, {rowAxis, columnAxis}),
        [&](B &b, ValueRange arguments) {
          Value zero = arith::ConstantIndexOp::create(b, 0);
          Value one = arith::ConstantIndexOp::create(b, 1);
          Value pivotRow = getRow(b, arguments[0]);
          Value row = linalg::IndexOp::create(b, rowAxis);
          Value below = arith::AddIOp::create(b, row, one);
          Value isAbove = arith::CmpIOp::create(b, arith::CmpIPredicate::ult,
                                                row, pivotRow);
          row = arith::SelectOp::create(b, isAbove, row, below);
          Value column = arith::AddIOp::create(
              b, linalg::IndexOp::create(b, columnAxis), one);
          Value pivot = get(b, pivotRow, zero);
          Value factor = arith::DivFOp::create(b, get(b, row, zero), pivot);
          // If the pivot is zero, so is all of the column.
          Value none = constant(b, type, 0);
          Value isZero =
              arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ, pivot, none);
          factor = arith::SelectOp::create(b, isZero, none, factor);
          return arith::SubFOp::create(
              b, get(b, row, column),
              arith::MulFOp::create(b, factor, get(b, pivotRow, column)));
        });
  }
  node.setOutput(0, product);
  return success();
}

constexpr OperatorEntry kOperators[] = {
    {"ReduceL1", 1, 1, 2, 1, importReduce<Kind::L1, 18>},
    {"ReduceL2", 1, 1, 2, 1, importReduce<Kind::L2, 18>},
    {"ReduceLogSum", 1, 1, 2, 1, importReduce<Kind::LogSum, 18>},
    {"ReduceLogSumExp", 1, 1, 2, 1, importReduce<Kind::LogSumExp, 18>},
    {"ReduceMax", 1, 1, 2, 1, importReduce<Kind::Max, 18>},
    {"ReduceMean", 1, 1, 2, 1, importReduce<Kind::Mean, 18>},
    {"ReduceMin", 1, 1, 2, 1, importReduce<Kind::Min, 18>},
    {"ReduceProd", 1, 1, 2, 1, importReduce<Kind::Prod, 18>},
    {"ReduceSum", 1, 1, 2, 1, importReduce<Kind::Sum, 13>},
    {"ReduceSumSquare", 1, 1, 2, 1, importReduce<Kind::SumSquare, 18>},
    {"ArgMax", 1, 1, 1, 1, importArg<Combination::Maximum>},
    {"ArgMin", 1, 1, 1, 1, importArg<Combination::Minimum>},
    {"Softmax", 1, 1, 1, 1, importSoftmax<softmax>},
    {"LogSoftmax", 1, 1, 1, 1, importSoftmax<logSoftmax>},
    {"Hardmax", 1, 1, 1, 1, importSoftmax<hardmax>},
    {"CumSum", 11, 2, 2, 1, importCumSum},
    {"Det", 11, 1, 1, 1, importDet},
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getReductionOperators() {
  return kOperators;
}
