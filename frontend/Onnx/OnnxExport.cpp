//===- OnnxExport.cpp - IR to ONNX models ---------------------------------===//

#include "frontend/Onnx/OnnxExport.h"

#include "frontend/Onnx/Exporter.h"
#include "frontend/Onnx/Metadata.h"
#include "frontend/Onnx/Weightless.h"

#include "Dann/Dann.h"
#include "Utils/LinalgForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

static int32_t getDataType(Type type) {
  if (type.isF32())
    return proto::TensorProto::FLOAT;
  if (type.isF64())
    return proto::TensorProto::DOUBLE;
  return proto::TensorProto::UNDEFINED;
}

void Exporter::setType(proto::ValueInfoProto &info, RankedTensorType type) {
  proto::TypeProto::Tensor &tensor =
      *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(getDataType(type.getElementType()));
  proto::TensorShapeProto &shape = *tensor.mutable_shape();
  for (int64_t size : type.getShape()) {
    auto *dim = shape.add_dim();
    if (ShapedType::isDynamic(size))
      dim->set_dim_param("batch");
    else
      dim->set_dim_value(size);
  }
}

LogicalResult Exporter::addArguments() {
  for (auto [i, argument] : llvm::enumerate(forward.getArguments())) {
    auto name = forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!name || !type || !getDataType(type.getElementType()) ||
        !taken.insert(name).second)
      return emitError(argument.getLoc())
             << "the argument " << i
             << " cannot be exported to ONNX: it has to be a tensor of floats "
                "with a name of its own";
    names[argument] = name.str();
    dataType = getDataType(type.getElementType());
    if (auto role =
            forward.getArgAttrOfType<RoleAttr>(i, DannDialect::kRoleAttr)) {
      parameters.push_back({name.str(), type, role.getValue(), ElementsAttr()});
    } else {
      proto::ValueInfoProto &info = *model.mutable_graph()->add_input();
      info.set_name(name.str());
      setType(info, type);
    }
    writeMetadata(forward, i, model);
  }
  return success();
}

void Exporter::addTensor(Value constant, DenseElementsAttr elements) {
  auto type = dyn_cast<RankedTensorType>(elements.getType());
  if (!type || getDataType(type.getElementType()) != dataType)
    return;
  auto values = llvm::map_to_vector(
      elements.getValues<APFloat>(),
      [](const APFloat &value) { return value.convertToDouble(); });
  names[constant] = addFloats("constant", "values", type.getShape(), values);
}

/// The operands are those of the node, in their order.
proto::NodeProto &Exporter::addEiLayer(EILayerOpInterface op, StringRef type) {
  SmallVector<Value> operands;
  bool isDivisive = false, hasGain = false;
  Value bias, wex;
  for (OpOperand &operand : op->getOpOperands()) {
    std::optional<Role> role = op.getOperandRole(operand.getOperandNumber());
    isDivisive |= role == Role::Alpha;
    hasGain |= role == Role::Gain;
    if (role == Role::Wex)
      wex = operand.get();
    if (role == Role::Bias)
      bias = operand.get();
    else
      operands.push_back(operand.get());
  }
  if (bias && isDivisive && !hasGain)
    operands.push_back(Value());
  if (bias)
    operands.push_back(bias);
  proto::NodeProto &node =
      addNode(isDivisive ? (type + "Shunting").str() : type.str(), operands,
              op->getResult(0), getLayerName(names.lookup(wex)));
  node.set_domain(kDannDomain.str());
  return node;
}

LogicalResult Exporter::addDense(EiDenseOp op) {
  proto::NodeProto &node = addEiLayer(op, "EIDense");
  if (op.getAlpha())
    addFloat(node, "epsilon", op.getEpsilon().convertToDouble());
  return success();
}

Elementwise mlir::dann::onnx::classify(linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  Block &body = *op.getBody();
  if (op.getNumResults() != 1 || op.getNumParallelLoops() != op.getNumLoops() ||
      !maps.back().isIdentity() || !maps.front().isIdentity() ||
      !body.getArguments().back().use_empty() ||
      !llvm::hasNItems(body.getOperations(), 2))
    return Elementwise::None;
  Operation &first = body.front();
  if (body.getTerminator()->getOperand(0) != first.getResult(0))
    return Elementwise::None;
  Value x = body.getArgument(0);
  auto operandsAre = [&](auto matches) {
    Value a = first.getOperand(0), b = first.getOperand(1);
    return (a == x && matches(b)) || (b == x && matches(a));
  };
  if (isa<arith::MaximumFOp>(first) && op.getNumDpsInputs() == 1 &&
      operandsAre(
          [](Value other) { return matchPattern(other, m_AnyZeroFloat()); }))
    return Elementwise::Relu;
  if (isa<arith::AddFOp>(first) && op.getNumDpsInputs() == 2 &&
      op.getNumLoops() >= 2 && maps[1].getNumResults() == 1 &&
      maps[1].getResult(0) == getAffineDimExpr(1, op.getContext()) &&
      operandsAre([&](Value other) { return other == body.getArgument(1); }))
    return Elementwise::AddBias;
  return Elementwise::None;
}

Value Exporter::takeBias(Value product, SmallVectorImpl<Value> &operands) {
  linalg::GenericOp bias;
  bool isUsedOnce = true;
  for (Operation *user : product.getUsers()) {
    if (isa<tensor::DimOp>(user))
      continue;
    auto generic = dyn_cast<linalg::GenericOp>(user);
    isUsedOnce &= !bias && generic &&
                  classify(generic) == Elementwise::AddBias &&
                  generic.getDpsInputs()[0] == product &&
                  generic.getDpsInputs()[1] != product;
    bias = generic;
  }
  if (!bias || !isUsedOnce || !names.contains(bias.getDpsInputs()[1]))
    return product;
  operands.push_back(bias.getDpsInputs()[1]);
  return bias.getResult(0);
}

std::string Exporter::getWeightsLayer(ValueRange operands) const {
  std::string layer;
  for (Value operand : operands) {
    if (auto polarity = operand.getDefiningOp<ApplyPolarityOp>())
      operand = polarity.getMagnitude();
    if (isa<BlockArgument>(operand) &&
        StringRef(names.lookup(operand)).contains('.'))
      layer = getLayerName(names.lookup(operand));
  }
  return layer;
}

LogicalResult Exporter::addProduct(linalg::ContractOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (op.getInputs().size() != 2 || op.getNumLoops() != 3 ||
      op->getNumResults() != 1 || !isZeros(op.getOutputs()[0]) ||
      llvm::any_of(maps, [](AffineMap map) {
        return map.getNumResults() != 2 || !map.isProjectedPermutation();
      }))
    return fail(op);
  AffineExpr row = maps[2].getResult(0), column = maps[2].getResult(1);
  auto contains = [](AffineMap map, AffineExpr dim) {
    return llvm::is_contained(map.getResults(), dim);
  };
  // Each result dimension comes from one factor, in their order.
  if (!contains(maps[0], row) || contains(maps[0], column) ||
      !contains(maps[1], column) || contains(maps[1], row))
    return fail(op);

  SmallVector<Value> operands = op.getInputs();
  Value result = takeBias(op->getResult(0), operands);
  std::string weights = getWeightsLayer(operands);
  proto::NodeProto &node = addNode("Gemm", operands, result, weights);
  if (maps[0].getResult(0) != row)
    setInteger(node, "transA", 1);
  if (maps[1].getResult(1) != column)
    setInteger(node, "transB", 1);
  return success();
}

static StringRef getScalarOperator(Operation &op) {
  return TypeSwitch<Operation *, StringRef>(&op)
      .Case([](arith::AddFOp) { return "Add"; })
      .Case([](arith::SubFOp) { return "Sub"; })
      .Case([](arith::MulFOp) { return "Mul"; })
      .Case([](arith::DivFOp) { return "Div"; })
      .Case([](arith::MaximumFOp) { return "Max"; })
      .Case([](math::SqrtOp) { return "Sqrt"; })
      .Default(StringRef());
}

static bool isFloatConstant(Value value) {
  FloatAttr constant;
  return matchPattern(value, m_Constant(&constant));
}

/// Elementwise maths and sums of it: a node for each operation of the body, on
/// whole tensors.
LogicalResult Exporter::addGeneric(linalg::GenericOp op) {
  if (op.getNumDpsInputs() == 0)
    return fail(op);
  if (addProductAlong(op))
    return success();
  Elementwise kind = classify(op);
  std::string layer = layers.lookup(op.getDpsInputs()[0]);
  bool isRelu = kind == Elementwise::Relu;
  // Behind the channels of images a bias has no dimensions.
  if (isRelu || (kind == Elementwise::AddBias && op.getNumLoops() == 2)) {
    addNode(isRelu ? "Relu" : "Add", op.getDpsInputs(), op.getResult(0), layer,
            isRelu ? "relu" : "bias");
    return success();
  }

  // The result has the parallel loops in their order, and an input all loops,
  // so that broadcasting gives the shape of the loops.
  auto maps = op.getIndexingMapsArray();
  SmallVector<int64_t> kept, reduced;
  for (auto [loop, type] : llvm::enumerate(op.getIteratorTypesArray()))
    (type == utils::IteratorType::parallel ? kept : reduced).push_back(loop);
  auto getLoops = [](AffineMap map) {
    return llvm::map_to_vector(map.getResults(), [](AffineExpr loop) {
      return static_cast<int64_t>(cast<AffineDimExpr>(loop).getPosition());
    });
  };
  if (op.getNumResults() != 1 ||
      !llvm::all_of(
          maps, [](AffineMap map) { return map.isProjectedPermutation(); }) ||
      !llvm::all_of(
          maps,
          [&](AffineMap map) { return llvm::is_sorted(getLoops(map)); }) ||
      getLoops(maps.back()) != kept ||
      !llvm::any_of(ArrayRef(maps).drop_back(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return fail(op);
  Block &body = *op.getBody();
  Value yielded = body.getTerminator()->getOperand(0), term = yielded;
  BlockArgument accumulator = body.getArguments().back();
  if (reduced.empty()) {
    if (!accumulator.use_empty())
      return fail(op);
  } else {
    auto sum = yielded.getDefiningOp<arith::AddFOp>();
    if (!sum || !accumulator.hasOneUse() || !isZeros(op.getDpsInits()[0]) ||
        (sum.getLhs() != accumulator && sum.getRhs() != accumulator))
      return fail(op);
    term = sum.getLhs() == accumulator ? sum.getRhs() : sum.getLhs();
  }

  for (auto [operand, argument, map] :
       llvm::zip(op.getDpsInputs(), body.getArguments(), maps)) {
    if (!names.contains(operand)) {
      if (!isFloatConstant(operand))
        return fail(op);
      names[argument] = addScalar(operand, layer);
      continue;
    }
    names[argument] = names.lookup(operand);
    // Loops in front of the first one need no extent of 1.
    SmallVector<int64_t> loops = getLoops(map), missing;
    for (int64_t i = loops.empty() ? op.getNumLoops() : loops[0],
                 e = op.getNumLoops();
         i < e; ++i)
      if (!llvm::is_contained(loops, i))
        missing.push_back(i - loops[0]);
    if (missing.empty())
      continue;
    std::string axes = addAxes(layer, missing);
    names.erase(argument);
    addNode("Unsqueeze", operand, argument, layer, "unsqueezed")
        .add_input(axes);
  }
  for (Operation &inner : body.without_terminator()) {
    if (!reduced.empty() && inner.getResult(0) == yielded)
      continue;
    if (isFloatConstant(inner.getResult(0)))
      continue; // for its users
    StringRef type = getScalarOperator(inner);
    if (type.empty())
      return fail(op);
    for (Value operand : inner.getOperands())
      if (!names.contains(operand)) {
        if (!isFloatConstant(operand))
          return fail(op);
        names[operand] = addScalar(operand, layer);
      }
    bool isResult = inner.getResult(0) == yielded;
    addNode(type, inner.getOperands(),
            isResult ? op.getResult(0) : inner.getResult(0), layer,
            type.lower());
  }
  if (!reduced.empty()) {
    std::string axes = addAxes(layer, reduced);
    proto::NodeProto &node =
        addNode("ReduceSum", term, op.getResult(0), layer, "sum");
    node.add_input(axes);
    setInteger(node, "keepdims", 0);
  } else if (!yielded.getDefiningOp() || yielded.getParentBlock() != &body) {
    return fail(op);
  }
  return success();
}

LogicalResult Exporter::addPolarity(ApplyPolarityOp op) {
  if (op.getAblated())
    return fail(op);
  std::string layer = getLayerName(names.lookup(op.getMagnitude()));
  SmallVector<Value> operands = {op.getMagnitude()};
  if (op.getPolarity())
    operands.push_back(op.getPolarity());
  else if (op.getMagnitude().getType().getRank() != 2)
    return fail(op); // a vector belongs to the last dimension
  proto::NodeProto &node =
      addNode(op.getPolarity() ? "ApplyPolarity" : "ApplyColumnPolarity",
              operands, op.getWeights(), layer, "weights");
  node.set_domain(kDannDomain.str());
  if (op.getExcitatory())
    setInteger(node, "excitatory", static_cast<int64_t>(*op.getExcitatory()));
  return success();
}

LogicalResult Exporter::addBatchNorm(BatchNormOp op) {
  std::string layer = layers.lookup(op.getX());
  int64_t units = op.getMean().getType().getDimSize(0);
  std::string scale =
      addFloats(layer, "scale", units, SmallVector<double>(units, 1));
  std::string shift =
      addFloats(layer, "shift", units, SmallVector<double>(units, 0));
  proto::NodeProto &node =
      addNode("BatchNormalization", op.getX(), op.getY(), layer, "norm");
  for (const std::string &input : {scale, shift, names.lookup(op.getMean()),
                                   names.lookup(op.getVariance())})
    node.add_input(input);
  addFloat(node, "epsilon", op.getEpsilon().convertToDouble());
  // ONNX counts what stays of the old statistics.
  addFloat(node, "momentum", 1 - op.getMomentum().convertToDouble());
  return success();
}

/// Of inference, where it changes nothing; the ratio is for training.
LogicalResult Exporter::addDropout(DropoutOp op) {
  if (op.getUnscaled())
    return fail(op); // outside of the layers that have it
  std::string layer = layers.lookup(op.getX());
  std::string ratio =
      addFloats(layer, "ratio", {}, op.getRate().convertToDouble());
  addNode("Dropout", op.getX(), op.getY(), layer, "dropout").add_input(ratio);
  return success();
}

/// Of samples in a row each, ONNX has a Flatten.
LogicalResult Exporter::addFlatten(tensor::CollapseShapeOp op) {
  SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
  if (groups.size() != 2 || groups[0].size() != 1)
    return fail(op);
  addNode("Flatten", op.getSrc(), op.getResult(), layers.lookup(op.getSrc()),
          "flatten");
  return success();
}

LogicalResult Exporter::addOperation(Operation *op) {
  auto isComputed = [&](Value value) { return names.contains(value); };
  // Operands of those that become nodes, which say what they stand for; they
  // cannot be results.
  if (isa<arith::ConstantOp, tensor::EmptyOp, tensor::DimOp, linalg::FillOp>(
          op))
    return llvm::none_of(op->getResults(), isComputed) ? success() : fail(op);
  if (auto structured = dyn_cast<linalg::LinalgOp>(op)) {
    // Of a Gemm, to which a bias belongs, the node is there already.
    if (layers.contains(op->getResult(0)))
      return success();
    for (Value input : structured.getDpsInputs())
      if (DenseElementsAttr elements;
          !isComputed(input) && isa<linalg::GenericOp>(op) &&
          matchPattern(input, m_Constant(&elements)))
        addTensor(input, elements);
    if (isPartOfScan(op))
      return success();
    if (!isa<linalg::PoolingNchwMaxOp, linalg::PoolingNchwSumOp,
             linalg::Conv2DNchwFchwOp>(op) &&
        !llvm::all_of(structured.getDpsInputs(), [&](Value input) {
          return isComputed(input) || isFloatConstant(input);
        }))
      return fail(op);
  } else if (isa<tensor::PadOp>(op)) {
    return success(); // for its users
  } else if (!isa<ScanOp>(op) && !llvm::all_of(op->getOperands(), isComputed)) {
    return fail(op);
  }
  return TypeSwitch<Operation *, LogicalResult>(op)
      .Case([&](EiDenseOp layer) { return addDense(layer); })
      .Case([&](EiConv2dOp layer) { return addEiConvolution(layer); })
      .Case([&](ScanOp scan) { return addScan(scan); })
      .Case([&](linalg::Conv2DNchwFchwOp convolution) {
        return addConvolution(convolution);
      })
      .Case([&](linalg::PoolingNchwMaxOp pool) { return addMaximum(pool); })
      .Case([&](linalg::PoolingNchwSumOp pool) { return addAverage(pool); })
      .Case([&](linalg::ContractOp product) { return addProduct(product); })
      .Case([&](linalg::GenericOp generic) { return addGeneric(generic); })
      .Case([&](ApplyPolarityOp polarity) { return addPolarity(polarity); })
      .Case([&](BatchNormOp norm) { return addBatchNorm(norm); })
      .Case([&](DropoutOp dropout) { return addDropout(dropout); })
      .Case(
          [&](tensor::CollapseShapeOp flatten) { return addFlatten(flatten); })
      .Default([&](Operation *other) { return fail(other); });
}

LogicalResult Exporter::run() {
  proto::GraphProto &graph = *model.mutable_graph();
  auto module = forward->getParentOfType<ModuleOp>();
  graph.set_name(module.getName().value_or("model").str());
  model.set_ir_version(8);
  model.set_producer_name("dann");
  auto addDomain = [&](StringRef domain, int64_t version) {
    proto::OperatorSetIdProto &opset = *model.add_opset_import();
    opset.set_domain(domain.str());
    opset.set_version(version);
  };
  addDomain("", kLayerOpset);
  if (failed(addArguments()))
    return failure();

  Block &body = forward.getBody().front();
  Operation *terminator = body.getTerminator();
  SmallVector<std::pair<Value, std::string>> copies;
  for (auto [i, value] : llvm::enumerate(terminator->getOperands())) {
    auto name =
        forward.getResultAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!name || !type || !getDataType(type.getElementType()) ||
        !taken.insert(name).second)
      return terminator->emitOpError("cannot be exported to ONNX: its operands "
                                     "have to be tensors of floats, with names "
                                     "of their own");
    proto::ValueInfoProto &info = *graph.add_output();
    info.set_name(name.str());
    setType(info, type);
    // An argument, or a value that is returned twice.
    if (!names.try_emplace(value, name.str()).second)
      copies.emplace_back(value, name.str());
  }
  for (Operation &op : body.without_terminator())
    if (failed(addOperation(&op)))
      return failure();
  for (auto &[value, name] : copies) {
    proto::NodeProto &node = *graph.add_node();
    node.set_op_type("Identity");
    node.set_name(name);
    node.add_input(names.lookup(value));
    node.add_output(name);
  }
  return success();
}

FailureOr<OnnxModels> Exporter::finish() {
  if (hasLayers(model)) {
    proto::OperatorSetIdProto &opset = *model.add_opset_import();
    opset.set_domain(kDannDomain.str());
    opset.set_version(kDannVersion);
  }
  OnnxModels models = makeForms(std::move(model), dataType);
  models.parameters = std::move(parameters);
  return models;
}

FailureOr<OnnxModels> mlir::dann::exportOnnx(ModuleOp module) {
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  if (!forward || !forward.getBody().hasOneBlock())
    return module.emitError("cannot be exported to ONNX: it has no function "
                            "'forward' of one block");
  Exporter exporter(forward);
  if (failed(exporter.run()))
    return failure();
  return exporter.finish();
}

OnnxModels mlir::dann::tryExportOnnx(ModuleOp module) {
  OnnxModels models;
  ScopedDiagnosticHandler handler(
      module.getContext(), [&](Diagnostic &diagnostic) {
        llvm::raw_string_ostream os(models.obstacle);
        if (auto place =
                diagnostic.getLocation()->findInstanceOf<FileLineColLoc>())
          os << place.getFilename().getValue() << ":" << place.getLine()
             << ": ";
        os << diagnostic.str();
        return success();
      });
  FailureOr<OnnxModels> exported = exportOnnx(module);
  return failed(exported) ? models : std::move(*exported);
}
