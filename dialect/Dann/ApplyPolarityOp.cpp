//===- ApplyPolarityOp.cpp - Weights of fixed polarity --------------------===//

#include "Dann/Dann.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::dann;

bool ApplyPolarityOp::isByColumn() {
  if (!getPolarity())
    return !getAblated();
  return getPolarity().getType().getRank() !=
         getMagnitude().getType().getRank();
}

DenseElementsAttr ApplyPolarityOp::getConstantPolarity() {
  RankedTensorType type = getMagnitude().getType();
  auto excitatory = static_cast<int64_t>(*getExcitatory());
  int64_t columns = type.getDimSize(1), rows = getAblated() ? columns : 1;
  const llvm::fltSemantics &semantics =
      cast<FloatType>(type.getElementType()).getFloatSemantics();
  APFloat excites = APFloat::getOne(semantics), inhibits = -excites;
  SmallVector<APFloat> entries;
  entries.reserve(rows * columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      entries.push_back(j < excitatory   ? excites
                        : i < excitatory ? inhibits
                                         : APFloat::getZero(semantics));
  return DenseElementsAttr::get(
      getAblated() ? type
                   : RankedTensorType::get({columns}, type.getElementType()),
      entries);
}

LogicalResult ApplyPolarityOp::verify() {
  if (!!getPolarity() == getExcitatory().has_value())
    return emitOpError("must have either a polarity or a number of excitatory "
                       "columns");
  RankedTensorType type = getMagnitude().getType();
  bool hasColumns = type.getRank() >= 2 && !type.isDynamicDim(1);
  if (std::optional<int64_t> excitatory = getExcitatory()) {
    if (!hasColumns)
      return emitOpError() << "a " << type << " has no columns of known number";
    if (*excitatory < 0 || *excitatory > type.getDimSize(1))
      return emitOpError() << "excitatory must be from 0 to "
                           << type.getDimSize(1) << ", but is " << *excitatory;
    if (getAblated() && (type.getRank() != 2 || type.isDynamicDim(0) ||
                         type.getDimSize(0) != type.getDimSize(1)))
      return emitOpError() << "what is ablated must be a square matrix, but is "
                           << type;
    return success();
  }
  if (getAblated())
    return emitOpError("what is ablated needs a number of excitatory columns");
  RankedTensorType polarity = getPolarity().getType();
  if (polarity.getElementType() != type.getElementType())
    return emitOpError() << "element types differ: " << type.getElementType()
                         << " and " << polarity.getElementType();
  bool isColumns =
      hasColumns && polarity.getShape() == type.getShape().slice(1, 1);
  if (polarity.getShape() != type.getShape() && !isColumns)
    return emitOpError() << "the polarity of a " << type
                         << " must have its shape or one entry a column, but "
                            "is a "
                         << polarity;
  return success();
}

OpFoldResult ApplyPolarityOp::fold(FoldAdaptor) {
  if (getExcitatory() && getMagnitude().getType().getDimSize(1) ==
                             static_cast<int64_t>(*getExcitatory()))
    return getMagnitude();
  if (getPolarity() && matchPattern(getPolarity(), m_OneFloat()))
    return getMagnitude();
  return {};
}

void ApplyPolarityOp::buildVjp(OpBuilder &builder, ArrayRef<Value> cotangents,
                               const llvm::BitVector &active,
                               MutableArrayRef<Value> operandCotangents) {
  if (active.test(0))
    operandCotangents[0] =
        ApplyPolarityOp::create(builder, getLoc(), cotangents[0], getPolarity(),
                                getExcitatoryAttr(), getAblatedAttr());
}

void ApplyPolarityOp::inferResultSigns(ArrayRef<Sign> operands,
                                       MutableArrayRef<Sign> results) {
  Sign polarity = Sign::Any;
  if (getPolarity())
    polarity = operands[1];
  else if (*getExcitatory() == 0)
    polarity = Sign::Nonpos;
  else if (static_cast<int64_t>(*getExcitatory()) ==
           getMagnitude().getType().getDimSize(1))
    polarity = Sign::Nonneg;
  results[0] = multiplySigns(operands[0], polarity);
}
