//===- ModelImport.cpp - Model files to IR --------------------------------===//

#include "frontend/ModelImport.h"

#include "frontend/ModelFile.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

class Importer {
public:
  Importer(const ModelFile &file, FloatType elementType)
      : file(file), model(file.getModel()), elementType(elementType),
        builder(elementType.getContext()) {}

  OwningOpRef<ModuleOp> build() {
    OwningOpRef<ModuleOp> module =
        ModuleOp::create(file.getLayers().front()->getLocation(), model.name());
    buildInit(*module);
    buildForward(*module);
    builder.setInsertionPointToEnd(module->getBody());
    const model::Defaults &defaults = model.defaults();
    TrainingOp::create(
        builder, file.getOptimizerLocation(), "training", "forward",
        Loss::SoftmaxCrossEntropy, file.getOptimizer().optimizer,
        model.optimizer().correct_inhibition(),
        model.optimizer().projection() == model::Optimizer::ON,
        defaults.batch_size(), defaults.epochs(),
        APFloat(defaults.learning_rate()), file.getOptimizer().clip,
        file.getOptimizer().cosineAngle, file.getSchedule());
    return module;
  }

private:
  void buildInit(ModuleOp module) {
    builder.setInsertionPointToEnd(module.getBody());
    auto seedType = RankedTensorType::get({}, builder.getI64Type());
    auto init = func::FuncOp::create(builder, module.getLoc(), "init",
                                     builder.getFunctionType(seedType, {}));
    init.setArgAttr(0, DannDialect::kNameAttr, builder.getStringAttr("seed"));
    Block *block = init.addEntryBlock();
    builder.setInsertionPointToStart(block);
    ParameterBuilder layers(builder, elementType, block->getArgument(0),
                            file.getOptimizer().splitsBiases);
    for (const std::unique_ptr<Layer> &layer : file.getLayers()) {
      layers.startLayer(layer->getName(), layer->getLocation());
      layer->addParameters(layers);
    }
    llvm::append_range(parameters, layers.getParameters());

    SmallVector<Value> results;
    for (const Parameter &parameter : parameters)
      results.push_back(parameter.initial);
    func::ReturnOp::create(builder, module.getLoc(), results);
    init.setFunctionType(
        builder.getFunctionType(seedType, ValueRange(results).getTypes()));
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      init.setResultAttr(i, DannDialect::kNameAttr,
                         builder.getStringAttr(parameter.name));
      if (parameter.sign != Sign::Any)
        init.setResultAttr(i, DannDialect::kSignAttr,
                           SignAttr::get(builder.getContext(), parameter.sign));
    }
  }

  void buildForward(ModuleOp module) {
    builder.setInsertionPointToEnd(module.getBody());
    SmallVector<int64_t> inputShape = {ShapedType::kDynamic};
    llvm::append_range(inputShape, model.input().shape());
    SmallVector<Type> types = {RankedTensorType::get(inputShape, elementType)};
    for (const Parameter &parameter : parameters)
      types.push_back(parameter.type);
    auto forward = func::FuncOp::create(builder, module.getLoc(), "forward",
                                        builder.getFunctionType(types, {}));
    Block *block = forward.addEntryBlock();
    auto setAttribute = [&](unsigned argument, StringRef name,
                            Attribute value) {
      forward.setArgAttr(argument, name, value);
    };
    block->getArgument(0).setLoc(file.getInputLocation());
    setAttribute(0, DannDialect::kNameAttr, builder.getStringAttr("x"));
    setAttribute(0, DannDialect::kRangeAttr,
                 builder.getDenseF64ArrayAttr(
                     {model.input().minimum(), model.input().maximum()}));
    for (auto [i, parameter] : llvm::enumerate(parameters)) {
      block->getArgument(i + 1).setLoc(parameter.loc);
      setAttribute(i + 1, DannDialect::kNameAttr,
                   builder.getStringAttr(parameter.name));
      setAttribute(i + 1, DannDialect::kRoleAttr,
                   RoleAttr::get(builder.getContext(), parameter.role));
      if (parameter.sign != Sign::Any)
        setAttribute(i + 1, DannDialect::kSignAttr,
                     SignAttr::get(builder.getContext(), parameter.sign));
    }

    builder.setInsertionPointToStart(block);
    Value value = block->getArgument(0);
    ForwardBuilder layers(builder, elementType,
                          block->getArguments().drop_front(),
                          file.getOptimizer().splitsBiases);
    for (const std::unique_ptr<Layer> &layer : file.getLayers()) {
      layers.startLayer(layer->getLocation());
      value = layer->buildForward(layers, value);
    }
    func::ReturnOp::create(builder, module.getLoc(), value);
    forward.setFunctionType(builder.getFunctionType(types, value.getType()));
    forward.setResultAttr(0, DannDialect::kNameAttr,
                          builder.getStringAttr("logits"));
  }

  const ModelFile &file;
  const model::Model &model;
  FloatType elementType;
  OpBuilder builder;
  SmallVector<Parameter> parameters;
};

} // namespace

std::shared_ptr<const ModelFile>
mlir::dann::readModelFile(StringRef text, StringRef fileName,
                          MLIRContext *context) {
  context->loadDialect<DannDialect>(); // of the optimizer's attributes
  return ModelFile::parse(text, fileName, context);
}

std::optional<OnnxReference>
mlir::dann::getOnnxReference(const ModelFile &file) {
  std::string path = file.getOnnxPath();
  if (path.empty())
    return std::nullopt;
  return OnnxReference{path, file.getOnnxLocation(), file.getModel().name()};
}

OwningOpRef<ModuleOp> mlir::dann::importModelFile(const ModelFile &file,
                                                  FloatType elementType) {
  MLIRContext *context = elementType.getContext();
  context->loadDialect<arith::ArithDialect, DannDialect, func::FuncDialect,
                       linalg::LinalgDialect, math::MathDialect,
                       tensor::TensorDialect>();
  return Importer(file, elementType).build();
}
