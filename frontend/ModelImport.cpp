//===- ModelImport.cpp - Model files to IR --------------------------------===//

#include "frontend/ModelImport.h"

#include "frontend/ModelFile.h"

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <cmath>
#include <numbers>

using namespace mlir;
using namespace mlir::dann;
namespace model = ::dann::model;

namespace {

using Loops = SmallVector<unsigned, 2>;
const Loops kMatrix = {0, 1};
const Loops kRows = {0};
const Loops kColumns = {1};

struct Parameter {
  std::string name;
  Role role;
  Sign sign;
  RankedTensorType type;
  Location loc;
  Value initial; // in @init
};

class Importer {
public:
  Importer(const ModelFile &file, FloatType elementType)
      : file(file), model(file.getModel()), elementType(elementType),
        builder(elementType.getContext()) {}

  OwningOpRef<ModuleOp> build() {
    Location loc = file.getLayerLocation(0);
    OwningOpRef<ModuleOp> module = ModuleOp::create(loc, model.name());
    buildInit(*module);
    buildForward(*module);
    builder.setInsertionPointToEnd(module->getBody());
    const model::Defaults &defaults = model.defaults();
    TrainingOp::create(builder, file.getOptimizerLocation(), "training",
                       "forward", Loss::SoftmaxCrossEntropy, Optimizer::Sgd,
                       model.optimizer().correct_inhibition(),
                       model.optimizer().projection() == model::Optimizer::ON,
                       defaults.batch_size(), defaults.epochs(),
                       APFloat(defaults.learning_rate()));
    return module;
  }

private:
  //===------------------------------------------------------------------===//
  // Initial values
  //===------------------------------------------------------------------===//

  void buildInit(ModuleOp module) {
    builder.setInsertionPointToEnd(module.getBody());
    auto seedType = RankedTensorType::get({}, builder.getI64Type());
    auto init = func::FuncOp::create(builder, module.getLoc(), "init",
                                     builder.getFunctionType(seedType, {}));
    init.setArgAttr(0, DannDialect::kNameAttr, builder.getStringAttr("seed"));
    Block *block = init.addEntryBlock();
    builder.setInsertionPointToStart(block);
    seed = block->getArgument(0);

    int64_t inputs = getNumInputs(model.input());
    for (int i = 0; i < model.layer_size(); ++i) {
      const model::Layer &layer = model.layer(i);
      inputs = layer.has_ei_dense() ? initEiDense(i, layer.ei_dense(), inputs)
                                    : initDense(i, layer.dense(), inputs);
    }

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

  void add(int layer, Role role, Sign sign, Value initial) {
    std::string name =
        model.layer(layer).name() + "." + stringifyRole(role).str();
    parameters.push_back({name, role, sign,
                          cast<RankedTensorType>(initial.getType()),
                          file.getLayerLocation(layer), initial});
  }

  /// A stream of random numbers of its own for each parameter.
  Value random(Location loc, Distribution distribution, double scale,
               ArrayRef<int64_t> shape) {
    return RandomOp::create(builder, loc,
                            RankedTensorType::get(shape, elementType),
                            distribution, APFloat(scale), numStreams++, seed);
  }

  Value filled(LinalgBuilder &b, ArrayRef<int64_t> shape, double value) {
    SmallVector<OpFoldResult> sizes =
        llvm::map_to_vector(shape, [&](int64_t size) -> OpFoldResult {
          return builder.getIndexAttr(size);
        });
    return b.fill(sizes, elementType, value);
  }

  /// `rows` copies of the mean of the rows of `matrix`.
  Value meanOfRows(LinalgBuilder &b, Value matrix, int64_t rows) {
    auto type = cast<RankedTensorType>(matrix.getType());
    Value zeros = filled(b, {type.getDimSize(1)}, 0);
    Value sum = b.generic(2, {{matrix, kMatrix}}, {zeros, kColumns},
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            return arith::AddFOp::create(b, args[1], args[0]);
                          });
    Value count =
        b.constant(elementType, static_cast<double>(type.getDimSize(0)));
    Value shape = b.empty(
        {builder.getIndexAttr(rows), builder.getIndexAttr(type.getDimSize(1))},
        elementType);
    return b.elementwise({{sum, kColumns}}, shape,
                         [&](ImplicitLocOpBuilder &b, ValueRange args) {
                           return arith::DivFOp::create(b, args[0], count);
                         });
  }

  /// Each row of a nonnegative matrix divided by its sum.
  Value normalizeRows(LinalgBuilder &b, Value matrix) {
    auto type = cast<RankedTensorType>(matrix.getType());
    Value zeros = filled(b, {type.getDimSize(0)}, 0);
    Value sum = b.generic(2, {{matrix, kMatrix}}, {zeros, kRows},
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            return arith::AddFOp::create(b, args[1], args[0]);
                          });
    return b.elementwise({{matrix, kMatrix}, {sum, kRows}}, matrix,
                         [](ImplicitLocOpBuilder &b, ValueRange args) {
                           return arith::DivFOp::create(b, args[0], args[1]);
                         });
  }

  int64_t initEiDense(int index, const model::EiDense &layer, int64_t d) {
    int64_t ne = layer.excitatory(), ni = layer.inhibitory();
    bool divisive = layer.inhibition() == model::EiDense::DIVISIVE;
    auto rule = layer.initialization();
    if (rule == model::EiDense::DEFAULT)
      rule = divisive ? model::EiDense::EXPONENTIAL
                      : model::EiDense::MEAN_EXCITATION;
    Location loc = file.getLayerLocation(index);
    LinalgBuilder b(builder, loc);

    // The authors' scales: inputs of hidden layers are taken to have
    // E[x^2] = 1 and E[x]^2 = 1 / (2 pi). docs/model.md derives them.
    const double twoPi = 2 * std::numbers::pi;
    auto inputs = static_cast<double>(d);
    double sigma = index == 0 ? std::sqrt(1 / (2 * inputs))
                              : std::sqrt(twoPi / (inputs * (twoPi - 1)));
    if (rule == model::EiDense::MEAN_EXCITATION)
      sigma = ne == 1 ? std::sqrt(2 / inputs)
                      : std::sqrt(2 * static_cast<double>(ne) /
                                  (inputs * static_cast<double>(ne - 1)));
    auto exponential = [&](double scale, ArrayRef<int64_t> shape) {
      return random(loc, Distribution::Exponential, scale, shape);
    };

    Value wex = exponential(sigma, {ne, d}), wix, wei;
    switch (rule) {
    case model::EiDense::IID_INHIBITION: {
      double scale = std::sqrt(sigma / static_cast<double>(ni));
      wix = exponential(scale, {ni, d});
      wei = exponential(scale, {ne, ni});
      break;
    }
    case model::EiDense::MEAN_EXCITATION:
      wix = meanOfRows(b, wex, ni);
      wei = normalizeRows(b, exponential(sigma, {ne, ni}));
      break;
    default:
      wix = ni == 1 ? meanOfRows(b, wex, 1) : exponential(sigma, {ni, d});
      wei = filled(b, {ne, ni}, 1 / static_cast<double>(ni));
    }
    add(index, Role::Wex, Sign::Nonneg, wex);
    add(index, Role::Wix, Sign::Nonneg, wix);
    add(index, Role::Wei, Sign::Nonneg, wei);
    if (divisive) {
      double alpha = std::log(std::sqrt((twoPi - 1) / inputs));
      add(index, Role::Alpha, Sign::Any, filled(b, {ni}, alpha));
      add(index, Role::Gain, Sign::Nonneg, filled(b, {ne}, 1));
    }
    add(index, Role::Bias, Sign::Any, filled(b, {ne}, 0));
    return ne;
  }

  int64_t initDense(int index, const model::Dense &layer, int64_t d) {
    Location loc = file.getLayerLocation(index);
    LinalgBuilder b(builder, loc);
    // He initialisation; nothing rectifies the input of the first layer.
    double gain = index == 0 ? 1 : 2;
    double scale = std::sqrt(gain / static_cast<double>(d));
    SmallVector<int64_t> shape = {layer.units(), d};
    if (layer.weight_sign() == model::Dense::ANY) {
      add(index, Role::Weight, Sign::Any,
          random(loc, Distribution::Normal, scale, shape));
    } else {
      // Weights of one sign have the same second moment and are not centred.
      Value w = random(loc, Distribution::Exponential,
                       scale / std::numbers::sqrt2, shape);
      if (layer.weight_sign() == model::Dense::NONPOSITIVE)
        w = b.elementwise({{w, kMatrix}}, w,
                          [](ImplicitLocOpBuilder &b, ValueRange args) {
                            return arith::NegFOp::create(b, args[0]);
                          });
      add(index, Role::Weight,
          layer.weight_sign() == model::Dense::NONNEGATIVE ? Sign::Nonneg
                                                           : Sign::Nonpos,
          w);
    }
    add(index, Role::Bias, Sign::Any, filled(b, {layer.units()}, 0));
    return layer.units();
  }

  //===------------------------------------------------------------------===//
  // Forward
  //===------------------------------------------------------------------===//

  void buildForward(ModuleOp module) {
    builder.setInsertionPointToEnd(module.getBody());
    SmallVector<Type> types = {RankedTensorType::get(
        {ShapedType::kDynamic, getNumInputs(model.input())}, elementType)};
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
    auto next = block->args_begin();
    Value value = *next++;
    for (int i = 0; i < model.layer_size(); ++i) {
      const model::Layer &layer = model.layer(i);
      value = layer.has_ei_dense()
                  ? buildEiDense(i, layer.ei_dense(), value, next)
                  : buildDense(i, layer.dense(), value, next);
    }
    func::ReturnOp::create(builder, module.getLoc(), value);
    forward.setFunctionType(builder.getFunctionType(types, value.getType()));
    forward.setResultAttr(0, DannDialect::kNameAttr,
                          builder.getStringAttr("logits"));
  }

  /// Takes the layer's parameters from `next`, in the order of their roles.
  Value buildEiDense(int index, const model::EiDense &layer, Value x,
                     Block::args_iterator &next) {
    bool divisive = layer.inhibition() == model::EiDense::DIVISIVE;
    Value wex = *next++, wix = *next++, wei = *next++;
    Value alpha = divisive ? Value(*next++) : Value();
    Value gain = divisive ? Value(*next++) : Value();
    Value bias = *next++;
    auto type = RankedTensorType::get(
        {ShapedType::kDynamic, layer.excitatory()}, elementType);
    Location loc = file.getLayerLocation(index);
    // Added to the divisor, for inputs without any excitation (the authors'
    // released code).
    APFloat epsilon(1e-8);
    Value z = EiDenseOp::create(builder, loc, type, x, wex, wix, wei, alpha,
                                gain, bias, epsilon);
    return activate(index, layer.activation(), z);
  }

  Value buildDense(int index, const model::Dense &layer, Value x,
                   Block::args_iterator &next) {
    LinalgBuilder b(builder, file.getLayerLocation(index));
    Value w = *next++, bias = *next++;
    Value product = b.product(x, false, w, true);
    Value z = b.elementwise({{product, kMatrix}, {bias, kColumns}}, product,
                            [](ImplicitLocOpBuilder &b, ValueRange args) {
                              return arith::AddFOp::create(b, args[0], args[1]);
                            });
    return activate(index, layer.activation(), z);
  }

  Value activate(int index, model::Activation activation, Value z) {
    if (activation != model::RELU)
      return z;
    LinalgBuilder b(builder, file.getLayerLocation(index));
    Value zero = b.constant(elementType, 0);
    return b.elementwise({{z, kMatrix}}, z,
                         [&](ImplicitLocOpBuilder &b, ValueRange args) {
                           return arith::MaximumFOp::create(b, args[0], zero);
                         });
  }

  const ModelFile &file;
  const model::Model &model;
  FloatType elementType;
  OpBuilder builder;
  Value seed;
  int64_t numStreams = 0;
  SmallVector<Parameter> parameters;
};

} // namespace

OwningOpRef<ModuleOp> mlir::dann::importModelFile(StringRef text,
                                                  StringRef fileName,
                                                  FloatType elementType) {
  MLIRContext *context = elementType.getContext();
  context->loadDialect<arith::ArithDialect, DannDialect, func::FuncDialect,
                       linalg::LinalgDialect, tensor::TensorDialect>();
  std::optional<ModelFile> file = ModelFile::parse(text, fileName, context);
  if (!file)
    return nullptr;
  return Importer(*file, elementType).build();
}
