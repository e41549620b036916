//===- ReductionOperators.cpp - Reductions, softmax, and order ------------===//

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

Value square(B &b, Value x) {
  if (isa<FloatType>(x.getType()))
    return arith::MulFOp::create(b, x, x);
  return arith::MulIOp::create(b, x, x);
}

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
            createConstant(b, type, std::numeric_limits<double>::infinity()));
        return arith::SelectOp::create(b, isFinite, arguments[0],
                                       createConstant(b, type, 0));
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
        Value zero = createConstant(b, type, 0);
        Value extent = createConstant(b, type, static_cast<double>(rank));
        Value isNegative =
            arith::CmpIOp::create(b, arith::CmpIPredicate::slt, axis, zero);
        axis = arith::SelectOp::create(
            b, isNegative, arith::AddIOp::create(b, axis, extent), axis);
        Value isAxis =
            arith::CmpIOp::create(b, arith::CmpIPredicate::ult, axis, extent);
        Value safe = arith::SelectOp::create(b, isAxis, axis, zero);
        Value bit = arith::ShLIOp::create(b, createConstant(b, type, 1), safe);
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
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

//===----------------------------------------------------------------------===//
// Where the extrema are
//===----------------------------------------------------------------------===//

/// The position of the loops `axes` in row-major order of their extents.
Value buildPosition(B &b, ArrayRef<int64_t> shape, ArrayRef<int64_t> axes) {
  Value position;
  for (int64_t axis : axes) {
    Value index = linalg::IndexOp::create(b, axis);
    // Only the first dimension may be unknown, which is no factor.
    if (position)
      index = arith::AddIOp::create(
          b, index,
          arith::MulIOp::create(
              b, position, arith::ConstantIndexOp::create(b, shape[axis])));
    position = index;
  }
  if (!position)
    position = arith::ConstantIndexOp::create(b, 0);
  return arith::IndexCastOp::create(b, b.getI64Type(), position);
}

/// The position of the first or last extremum along `axes` in rising order.
/// Like numpy's, a NaN is one.
Tensor findExtremum(Node &node, Tensor x, ArrayRef<int64_t> axes,
                    Combination combination, bool takesLast) {
  Tensor extremum = reduce(node, x, axes, combination);
  return reduce(
      node, x.getShape(), axes, proto::TensorProto::INT64,
      takesLast ? Combination::Maximum : Combination::Minimum,
      {indexWhole(x), indexReduced(extremum, x.getRank(), axes)},
      [&](B &b, ValueRange arguments) {
        Value isThis;
        if (x.isFloat()) {
          Value isEqual = arith::CmpFOp::create(b, arith::CmpFPredicate::OEQ,
                                                arguments[0], arguments[1]);
          Value isNan = arith::CmpFOp::create(b, arith::CmpFPredicate::UNO,
                                              arguments[0], arguments[0]);
          isThis = arith::OrIOp::create(b, isEqual, isNan);
        } else {
          isThis = arith::CmpIOp::create(b, arith::CmpIPredicate::eq,
                                         arguments[0], arguments[1]);
        }
        Value position = buildPosition(b, x.getShape(), axes);
        Value none = arith::ConstantOp::create(
            b, b.getI64IntegerAttr(
                   takesLast ? -1 : std::numeric_limits<int64_t>::max()));
        return arith::SelectOp::create(b, isThis, position, none);
      });
}

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
  FailureOr<Tensor> result =
      node.reshape(found, reduceShape(x.getShape(), *axis, keepsAxis));
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
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
        return arith::SelectOp::create(
            b, isThis, createConstant(b, x.getElementType(), 1),
            createConstant(b, x.getElementType(), 0));
      });
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
};

} // namespace

ArrayRef<OperatorEntry> mlir::dann::onnx::getReductionOperators() {
  return kOperators;
}
