//===- KnownContents.cpp - Values that are known at compile time ----------===//

#include "frontend/Onnx/KnownContents.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

using Elements = KnownContents::Elements;

/// The row-major position of `index` in `shape`; none if it lies outside.
static std::optional<int64_t> linearize(ArrayRef<int64_t> index,
                                        ArrayRef<int64_t> shape) {
  int64_t position = 0;
  for (auto [i, extent] : llvm::zip(index, shape)) {
    if (i < 0 || i >= extent)
      return std::nullopt;
    position = position * extent + i;
  }
  return position;
}

/// Moves `index` on within `shape`; false behind the last one.
static bool advance(MutableArrayRef<int64_t> index, ArrayRef<int64_t> shape) {
  for (int64_t i = shape.size() - 1; i >= 0; --i) {
    if (++index[i] < shape[i])
      return true;
    index[i] = 0;
  }
  return false;
}

/// The number of elements, if they can be known.
static std::optional<int64_t> count(Value tensor) {
  auto type = dyn_cast<RankedTensorType>(tensor.getType());
  if (!type || !type.hasStaticShape() ||
      type.getNumElements() > KnownContents::kMaxElements)
    return std::nullopt;
  return type.getNumElements();
}

static Elements getElements(ElementsAttr attribute) {
  Elements elements;
  // Of large tensors only floats are kept as resources.
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute)) {
    elements.assign(dense.value_begin<Attribute>(),
                    dense.value_end<Attribute>());
  } else if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute)) {
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob()) {
      auto copy = DenseElementsAttr::getFromRawBuffer(resource.getType(),
                                                      blob->getData());
      elements.assign(copy.value_begin<Attribute>(),
                      copy.value_end<Attribute>());
    }
  }
  return elements;
}

namespace {
/// Evaluates the body of a linalg.generic.
class BodyEvaluator {
public:
  BodyEvaluator(KnownContents &known, linalg::LinalgOp op)
      : known(known), body(op->getRegion(0).front()) {}

  /// What the body yields for the values of its arguments.
  Attribute evaluate(ArrayRef<Attribute> arguments, ArrayRef<int64_t> index) {
    values.clear();
    for (auto [argument, value] : llvm::zip(body.getArguments(), arguments))
      values[argument] = value;
    for (Operation &op : body.without_terminator())
      if (op.getNumResults() == 1)
        values[op.getResult(0)] = evaluate(op, index);
    return lookup(body.getTerminator()->getOperand(0));
  }

private:
  Attribute lookup(Value value) {
    if (auto it = values.find(value); it != values.end())
      return it->second;
    Attribute constant;
    if (matchPattern(value, m_Constant(&constant)))
      return constant;
    if (auto extract = value.getDefiningOp<tensor::ExtractOp>())
      return this->extract(extract);
    return {};
  }

  Attribute extract(tensor::ExtractOp op) {
    const Elements *elements = known.get(op.getTensor());
    if (!elements)
      return {};
    SmallVector<int64_t> index;
    for (Value value : op.getIndices()) {
      auto integer = dyn_cast_or_null<IntegerAttr>(lookup(value));
      if (!integer)
        return {};
      index.push_back(integer.getInt());
    }
    std::optional<int64_t> position =
        linearize(index, op.getTensor().getType().getShape());
    return position ? (*elements)[*position] : Attribute();
  }

  Attribute evaluate(Operation &op, ArrayRef<int64_t> index) {
    if (auto loop = dyn_cast<linalg::IndexOp>(op))
      return IntegerAttr::get(loop.getType(), index[loop.getDim()]);
    if (auto access = dyn_cast<tensor::ExtractOp>(op))
      return extract(access);
    SmallVector<Attribute> operands;
    for (Value operand : op.getOperands())
      operands.push_back(lookup(operand));
    // The size of the batch survives conversions between integers.
    if (operands.size() == 1 && isa_and_nonnull<UnitAttr>(operands[0]))
      return isa<arith::IndexCastOp, arith::ExtSIOp, arith::ExtUIOp,
                 arith::TruncIOp>(op)
                 ? operands[0]
                 : Attribute();
    for (Attribute &operand : operands)
      if (isa_and_nonnull<UnitAttr>(operand))
        operand = {};
    SmallVector<OpFoldResult> folded;
    if (failed(op.fold(operands, folded)) || folded.size() != 1)
      return {};
    if (auto attribute = dyn_cast<Attribute>(folded[0]))
      return attribute;
    return lookup(cast<Value>(folded[0]));
  }

  KnownContents &known;
  Block &body;
  DenseMap<Value, Attribute> values;
};
} // namespace

static Elements evaluateLinalg(KnownContents &known, linalg::LinalgOp op) {
  auto resultType =
      cast<RankedTensorType>(op.getDpsInitOperand(0)->get().getType());
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  std::optional<int64_t> iterations = 1;
  for (int64_t extent : ranges) {
    if (ShapedType::isDynamic(extent) || extent == 0)
      return {};
    if (*iterations > KnownContents::kMaxElements / extent)
      return {};
    *iterations *= extent;
  }
  SmallVector<const Elements *> operands;
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<RankedTensorType>(operand.get().getType()) &&
        !isa<linalg::FillOp>(op.getOperation()))
      return {};
    operands.push_back(known.get(operand.get()));
  }
  int64_t numOperations = llvm::range_size(op->getRegion(0).front());
  if (!known.charge(*iterations * (1 + numOperations)))
    return {};
  OpOperand *init = op.getDpsInitOperand(0);
  Elements result = operands[init->getOperandNumber()]
                        ? *operands[init->getOperandNumber()]
                        : Elements(resultType.getNumElements());
  BodyEvaluator evaluator(known, op);
  SmallVector<int64_t> index(ranges.size(), 0);
  do {
    SmallVector<Attribute> arguments;
    std::optional<int64_t> target;
    for (OpOperand &operand : op->getOpOperands()) {
      if (!isa<RankedTensorType>(operand.get().getType())) {
        Attribute scalar;
        matchPattern(operand.get(), m_Constant(&scalar));
        arguments.push_back(scalar);
        continue;
      }
      std::optional<int64_t> position =
          linearize(op.getMatchingIndexingMap(&operand).compose(index),
                    cast<RankedTensorType>(operand.get().getType()).getShape());
      const Elements *from = operands[operand.getOperandNumber()];
      if (&operand == init) {
        target = position;
        arguments.push_back(position ? result[*position] : Attribute());
      } else {
        arguments.push_back(from && position ? (*from)[*position]
                                             : Attribute());
      }
    }
    if (!target)
      return {};
    result[*target] = evaluator.evaluate(arguments, index);
  } while (advance(index, ranges));
  return result;
}

Elements KnownContents::evaluate(Value tensor) {
  std::optional<int64_t> size = count(tensor);
  if (!size || *size == 0)
    return {};
  if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    auto function = dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp());
    if (!function)
      return {};
    auto initial = function.getArgAttrOfType<ElementsAttr>(
        argument.getArgNumber(), DannDialect::kInitialAttr);
    return initial ? ::getElements(initial) : Elements();
  }
  Operation *op = tensor.getDefiningOp();
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    auto elements = dyn_cast<ElementsAttr>(constant.getValue());
    return elements ? ::getElements(elements) : Elements();
  }
  if (isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp>(op)) {
    const Elements *source = get(op->getOperand(0));
    return source ? *source : Elements();
  }
  if (auto from = dyn_cast<tensor::FromElementsOp>(op)) {
    Elements elements;
    for (Value value : from.getElements()) {
      Attribute constant;
      // The one size that is not known is that of the batch.
      Value origin = value;
      while (auto cast = origin.getDefiningOp<arith::IndexCastOp>())
        origin = cast.getIn();
      if (origin.getDefiningOp<tensor::DimOp>())
        constant = UnitAttr::get(op->getContext());
      else
        matchPattern(value, m_Constant(&constant));
      elements.push_back(constant);
    }
    return elements;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op)) {
    const Elements *source = get(slice.getSource());
    if (!source || ShapedType::isDynamicShape(slice.getStaticOffsets()) ||
        ShapedType::isDynamicShape(slice.getStaticSizes()) ||
        ShapedType::isDynamicShape(slice.getStaticStrides()))
      return {};
    Elements elements;
    SmallVector<int64_t> index(slice.getStaticSizes().size(), 0);
    do {
      SmallVector<int64_t> from;
      for (auto [i, offset, stride] :
           llvm::zip(index, slice.getStaticOffsets(), slice.getStaticStrides()))
        from.push_back(offset + i * stride);
      std::optional<int64_t> position =
          linearize(from, slice.getSourceType().getShape());
      elements.push_back(position ? (*source)[*position] : Attribute());
    } while (advance(index, slice.getStaticSizes()));
    return elements;
  }
  if (auto insert = dyn_cast<tensor::InsertSliceOp>(op)) {
    const Elements *source = get(insert.getSource());
    const Elements *destination = get(insert.getDest());
    if (!source || ShapedType::isDynamicShape(insert.getStaticOffsets()) ||
        ShapedType::isDynamicShape(insert.getStaticSizes()) ||
        ShapedType::isDynamicShape(insert.getStaticStrides()))
      return {};
    Elements elements = destination ? *destination : Elements(*size);
    SmallVector<int64_t> index(insert.getStaticSizes().size(), 0);
    size_t next = 0;
    do {
      SmallVector<int64_t> to;
      for (auto [i, offset, stride] : llvm::zip(
               index, insert.getStaticOffsets(), insert.getStaticStrides()))
        to.push_back(offset + i * stride);
      std::optional<int64_t> position =
          linearize(to, insert.getDestType().getShape());
      if (!position || next >= source->size())
        return {};
      elements[*position] = (*source)[next++];
    } while (advance(index, insert.getStaticSizes()));
    return elements;
  }
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      linalgOp && linalgOp.getNumDpsInits() == 1)
    return evaluateLinalg(*this, linalgOp);
  return {};
}

bool KnownContents::charge(int64_t number) {
  numEvaluations = std::min(numEvaluations + number, kMaxEvaluations + 1);
  return numEvaluations <= kMaxEvaluations;
}

/// Whether nothing is known of a value before anything is evaluated. Arguments
/// of loops are not kept as such: they go while the graph is imported.
static bool isUnknown(Value tensor) {
  std::optional<int64_t> size = count(tensor);
  if (!size || *size == 0)
    return true;
  auto argument = dyn_cast<BlockArgument>(tensor);
  return argument &&
         !isa_and_nonnull<func::FuncOp>(argument.getOwner()->getParentOp());
}

/// Calls `visit` with what the evaluation of a tensor would ask for.
static void visitOperands(Value tensor, function_ref<void(Value)> visit) {
  Operation *op = tensor.getDefiningOp();
  if (isa_and_nonnull<tensor::CollapseShapeOp, tensor::ExpandShapeOp,
                      tensor::CastOp, tensor::ExtractSliceOp,
                      tensor::InsertSliceOp, linalg::LinalgOp>(op)) {
    for (Value operand : op->getOperands())
      visit(operand);
    for (Region &region : op->getRegions())
      for (auto extract : region.getOps<tensor::ExtractOp>())
        visit(extract.getTensor());
  }
  if (isa_and_nonnull<linalg::LinalgOp>(op))
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps())
        for (Value operand : inner.getOperands())
          if (auto extract = operand.getDefiningOp<tensor::ExtractOp>())
            visit(extract.getTensor());
}

/// Evaluates what `tensor` follows from, the first ones first: a model may have
/// longer chains than there is room for on the stack.
void KnownContents::evaluateOperands(Value tensor) {
  SmallVector<std::pair<Value, bool>> pending = {{tensor, false}};
  DenseSet<Value> visited;
  while (!pending.empty()) {
    auto [value, isReady] = pending.pop_back_val();
    if (isReady) {
      if (value != tensor)
        get(value);
      continue;
    }
    if (isUnknown(value) || contents.contains(value) ||
        !visited.insert(value).second)
      continue;
    pending.push_back({value, true});
    visitOperands(value, [&](Value operand) {
      pending.push_back({operand, false});
    });
  }
}

const Elements *KnownContents::get(Value tensor) {
  if (isUnknown(tensor))
    return nullptr;
  if (auto it = contents.find(tensor); it != contents.end())
    return it->second->empty() ? nullptr : it->second.get();
  bool isOutermost = !isEvaluating;
  if (isOutermost) {
    isEvaluating = true;
    evaluateOperands(tensor);
  }
  auto elements = std::make_unique<Elements>();
  if (charge(*count(tensor)))
    *elements = evaluate(tensor);
  if (isOutermost)
    isEvaluating = false;
  if (llvm::none_of(*elements, [](Attribute element) { return element; }))
    elements->clear();
  auto &kept = contents[tensor] = std::move(elements);
  return kept->empty() ? nullptr : kept.get();
}

std::optional<SmallVector<int64_t>> KnownContents::getInts(Value tensor) {
  if (count(tensor) == 0)
    return SmallVector<int64_t>();
  const Elements *elements = get(tensor);
  if (!elements)
    return std::nullopt;
  SmallVector<int64_t> ints;
  for (Attribute element : *elements) {
    if (auto integer = dyn_cast_or_null<IntegerAttr>(element))
      // The least number stands for the batch; the next one is as far away.
      ints.push_back(std::max(integer.getValue().getSExtValue(),
                              ShapedType::kDynamic + 1));
    else if (isa_and_nonnull<UnitAttr>(element))
      ints.push_back(ShapedType::kDynamic);
    else
      return std::nullopt;
  }
  return ints;
}

std::optional<int64_t> KnownContents::getInt(Value tensor) {
  auto known = getInts(tensor);
  if (!known || known->size() != 1 || ShapedType::isDynamic(known->front()))
    return std::nullopt;
  return known->front();
}

std::optional<SmallVector<double>> KnownContents::getFloats(Value tensor) {
  if (count(tensor) == 0)
    return SmallVector<double>();
  const Elements *elements = get(tensor);
  if (!elements)
    return std::nullopt;
  SmallVector<double> floats;
  for (Attribute element : *elements) {
    auto value = dyn_cast_or_null<FloatAttr>(element);
    if (!value)
      return std::nullopt;
    floats.push_back(value.getValueAsDouble());
  }
  return floats;
}
