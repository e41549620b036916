//===- ExportImages.cpp - Convolutions and pooling to ONNX ----------------===//

#include "frontend/Onnx/Exporter.h"

#include "Utils/LinalgForms.h"

#include "mlir/IR/Matchers.h"

#include <limits>

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

LogicalResult Exporter::addEiConvolution(EiConv2dOp op) {
  proto::NodeProto &node = addEiLayer(op, "EIConv2D");
  addIntegers(node, "strides", op.getStrides());
  addIntegers(node, "dilations", op.getDilations());
  addIntegers(node, "pads", op.getPadding());
  if (op.getAlpha())
    addFloat(node, "epsilon", op.getEpsilon().convertToDouble());
  return success();
}

template <typename OpTy>
void Exporter::addWindows(proto::NodeProto &node, OpTy op,
                          ArrayRef<int64_t> padding) {
  addIntegers(node, "strides",
              llvm::to_vector(op.getStrides().template getValues<int64_t>()));
  // AveragePool has none.
  if (!isa<linalg::PoolingNchwSumOp>(op))
    addIntegers(
        node, "dilations",
        llvm::to_vector(op.getDilations().template getValues<int64_t>()));
  addIntegers(node, "pads", padding);
}

LogicalResult Exporter::addConvolution(linalg::Conv2DNchwFchwOp op) {
  SmallVector<int64_t> padding;
  Value x = lookThroughPadding(op.getInputs()[0], /*filler=*/0, padding);
  Value filters = op.getInputs()[1];
  if (!names.contains(x) || !names.contains(filters) ||
      !isZeros(op.getOutputs()[0]))
    return fail(op);
  SmallVector<Value> operands = {x, filters};
  Value result = takeBias(op->getResult(0), operands);
  addWindows(addNode("Conv", operands, result, getWeightsLayer(operands)), op,
             padding);
  return success();
}

/// The extents of a pooling's windows.
static ArrayRef<int64_t> getKernel(linalg::LinalgOp op) {
  return cast<RankedTensorType>(op.getDpsInputs()[1].getType()).getShape();
}

static bool isFilledWith(Value value, double number) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  FloatAttr filler;
  return fill && matchPattern(fill.getInputs()[0], m_Constant(&filler)) &&
         filler.getValueAsDouble() == number;
}

LogicalResult Exporter::addMaximum(linalg::PoolingNchwMaxOp op) {
  constexpr double least = -std::numeric_limits<double>::infinity();
  SmallVector<int64_t> padding;
  Value x = lookThroughPadding(op.getInputs()[0], least, padding);
  if (!names.contains(x) || !isFilledWith(op.getOutputs()[0], least))
    return fail(op);
  proto::NodeProto &node =
      addNode("MaxPool", x, op->getResult(0), layers.lookup(x), "maximum");
  addIntegers(node, "kernel_shape", getKernel(op));
  addWindows(node, op, padding);
  return success();
}

/// The factor by which a linalg.generic does nothing but multiply.
static std::optional<double> getFactor(Operation *op) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic.getNumResults() != 1 ||
      !llvm::all_of(generic.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }) ||
      !llvm::hasNItems(generic.getBody()->getOperations(), 2))
    return std::nullopt;
  Block &body = *generic.getBody();
  auto product = dyn_cast<arith::MulFOp>(body.front());
  FloatAttr factor;
  if (!product || body.getTerminator()->getOperand(0) != product ||
      product.getLhs() != body.getArgument(0) ||
      !matchPattern(product.getRhs(), m_Constant(&factor)))
    return std::nullopt;
  return factor.getValueAsDouble();
}

/// A sum that is divided by the size of the windows. Padding counts.
LogicalResult Exporter::addAverage(linalg::PoolingNchwSumOp op) {
  SmallVector<int64_t> padding;
  Value x = lookThroughPadding(op.getInputs()[0], /*filler=*/0, padding);
  Operation *scaling = nullptr;
  bool isUsedOnce = true;
  for (Operation *user : op->getResult(0).getUsers())
    if (!isa<tensor::DimOp>(user) && std::exchange(scaling, user))
      isUsedOnce = false;
  std::optional<double> factor =
      scaling && isUsedOnce ? getFactor(scaling) : std::nullopt;
  double size = 1;
  for (int64_t extent : getKernel(op))
    size *= static_cast<double>(extent);
  bool isAverage = factor && std::abs(*factor * size - 1) < 1e-6;
  if (!names.contains(x) || !isZeros(op.getOutputs()[0]) || !isAverage ||
      !llvm::all_of(op.getDilations().getValues<int64_t>(),
                    [](int64_t dilation) { return dilation == 1; }))
    return fail(op);
  proto::NodeProto &node = addNode("AveragePool", x, scaling->getResult(0),
                                   layers.lookup(x), "average");
  addIntegers(node, "kernel_shape", getKernel(op));
  addWindows(node, op, padding);
  setInteger(node, "count_include_pad", 1);
  return success();
}

bool Exporter::addProductAlong(linalg::GenericOp op) {
  auto maps = op.getIndexingMapsArray();
  if (op.getNumDpsInputs() != 2 || op.getNumLoops() != 5 ||
      op.getNumResults() != 1 || !isZeros(op.getDpsInits()[0]) ||
      !llvm::hasNItems(op.getBody()->getOperations(), 3) ||
      maps[2] != AffineMap::getMultiDimIdentityMap(5, op.getContext())
                     .getMajorSubMap(4))
    return false;
  // x . matrix, added to what there is.
  Block &body = *op.getBody();
  auto sum = body.getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  auto product =
      sum ? sum.getRhs().getDefiningOp<arith::MulFOp>() : arith::MulFOp();
  if (!product || sum.getLhs() != body.getArgument(2) ||
      product.getLhs() != body.getArgument(0) ||
      product.getRhs() != body.getArgument(1))
    return false;
  AffineExpr summed = getAffineDimExpr(4, op.getContext());
  for (unsigned dimension : {2u, 3u}) {
    SmallVector<AffineExpr> source(maps[2].getResults());
    AffineExpr own = std::exchange(source[dimension], summed);
    if (maps[0].getResults() != ArrayRef(source) ||
        maps[1].getResults() != ArrayRef({own, summed}))
      continue;
    Value x = op.getDpsInputs()[0], matrix = op.getDpsInputs()[1],
          result = op.getResult(0);
    std::string layer = layers.lookup(x);
    if (dimension == 2) {
      addNode("MatMul", {matrix, x}, result, layer, "average");
      return true;
    }
    // A value of its own, without one in the IR.
    proto::NodeProto &transposed = *model.mutable_graph()->add_node();
    transposed.set_op_type("Transpose");
    transposed.set_name(makeUnique(takenByNodes, layer + ".transposed"));
    transposed.add_input(names.lookup(matrix));
    transposed.add_output(makeUnique(taken, layer + ".transposed"));
    addIntegers(transposed, "perm", {1, 0});
    std::string columns = transposed.output(0);
    addNode("MatMul", x, result, layer, "average").add_input(columns);
    return true;
  }
  return false;
}
