//===- ProgramDescription.cpp - What a program says of itself -------------===//

#include "compiler/ProgramDescription.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;
using namespace mlir::dann;

static proto::ElementType toElementType(Type type, bool isUnsigned = false) {
  if (type.isF32())
    return proto::F32;
  if (type.isF64())
    return proto::F64;
  if (type.isBF16())
    return proto::BF16;
  switch (type.getIntOrFloatBitWidth()) {
  case 1:
    return proto::BOOL;
  case 8:
    return isUnsigned ? proto::U8 : proto::I8;
  case 16:
    return isUnsigned ? proto::U16 : proto::I16;
  case 32:
    return isUnsigned ? proto::U32 : proto::I32;
  default:
    assert(type.isInteger(64) && "entry points take f32, f64, bf16, integers");
    return isUnsigned ? proto::U64 : proto::I64;
  }
}

static proto::Sign toSign(SignAttr sign) {
  if (!sign)
    return proto::ANY;
  switch (sign.getValue()) {
  case Sign::Nonneg:
    return proto::NONNEG;
  case Sign::Nonpos:
    return proto::NONPOS;
  default:
    return proto::ANY;
  }
}

/// Adds an argument or result of a function with its attributes.
static void addArgument(proto::EntryPoint &entry, Type type,
                        DictionaryAttr attributes,
                        proto::Argument::Access access) {
  auto tensor = cast<RankedTensorType>(type);
  proto::Argument &argument = *entry.add_arguments();
  bool isUnsigned = false;
  if (attributes) {
    isUnsigned = attributes.contains(DannDialect::kUnsignedAttr);
    if (auto name = attributes.getAs<StringAttr>(DannDialect::kNameAttr))
      argument.set_name(name.str());
  }
  argument.set_element_type(toElementType(tensor.getElementType(), isUnsigned));
  for (int64_t size : tensor.getShape())
    argument.add_shape(ShapedType::isDynamic(size) ? -1 : size);
  argument.set_access(access);
}

static void describeEntryPoint(func::FuncOp function,
                               proto::EntryPoint &entry) {
  entry.set_name(function.getName().str());
  llvm::SmallDenseSet<int64_t> updated;
  for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
    if (auto updates = function.getResultAttrOfType<IntegerAttr>(
            i, DannDialect::kUpdatesAttr))
      updated.insert(updates.getInt());
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes()))
    addArgument(entry, type, function.getArgAttrDict(i),
                updated.contains(int64_t(i)) ? proto::Argument::UPDATE
                                             : proto::Argument::READ);
  for (auto [i, type] : llvm::enumerate(function.getResultTypes()))
    if (!function.getResultAttr(i, DannDialect::kUpdatesAttr))
      addArgument(entry, type, function.getResultAttrDict(i),
                  proto::Argument::WRITE);
}

/// The input and the classes of a network that is trained, from the forward
/// function.
static void describeTask(func::FuncOp forward, proto::Program &program) {
  auto input = cast<RankedTensorType>(forward.getArgumentTypes()[0]);
  program.set_element_type(toElementType(input.getElementType()));
  for (int64_t size : input.getShape().drop_front())
    program.mutable_input()->add_shape(size);
  if (auto range = forward.getArgAttrOfType<DenseF64ArrayAttr>(
          0, DannDialect::kRangeAttr)) {
    program.mutable_input()->set_minimum(range[0]);
    program.mutable_input()->set_maximum(range[1]);
  }
  program.set_classes(
      cast<RankedTensorType>(forward.getResultTypes()[0]).getDimSize(1));
}

static void describeParameters(func::FuncOp forward, proto::Program &program) {
  for (unsigned i = 0, e = forward.getNumArguments(); i < e; ++i) {
    auto role = forward.getArgAttrOfType<RoleAttr>(i, DannDialect::kRoleAttr);
    if (!role)
      continue; // an input or a derived tensor
    proto::Parameter &parameter = *program.add_parameters();
    parameter.set_name(
        forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr).str());
    parameter.set_role(stringifyRole(role.getValue()).str());
    parameter.set_sign(
        toSign(forward.getArgAttrOfType<SignAttr>(i, DannDialect::kSignAttr)));
    auto type = cast<RankedTensorType>(forward.getArgumentTypes()[i]);
    for (int64_t size : type.getShape())
      parameter.add_shape(size);
  }
}

/// The name, element type and shape of a tensor that sessions keep.
template <typename T>
static void describeTensor(StringAttr name, Type type, T &described) {
  auto tensor = cast<RankedTensorType>(type);
  described.set_name(name.str());
  described.set_element_type(toElementType(tensor.getElementType()));
  for (int64_t size : tensor.getShape())
    described.add_shape(size);
}

/// The derived tensors, from the function that computes them.
static void describeDerivedTensors(func::FuncOp prepare,
                                   proto::Program &program) {
  for (auto [i, type] : llvm::enumerate(prepare.getResultTypes()))
    describeTensor(
        prepare.getResultAttrOfType<StringAttr>(i, DannDialect::kNameAttr),
        type, *program.add_derived_tensors());
}

/// What the optimizer keeps, from the training step.
static void describeStates(func::FuncOp trainStep, proto::Program &program) {
  for (auto [i, type] : llvm::enumerate(trainStep.getArgumentTypes())) {
    auto role = trainStep.getArgAttrOfType<RoleAttr>(i, DannDialect::kRoleAttr);
    if (role && role.getValue() == Role::State)
      describeTensor(
          trainStep.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr),
          type, *program.add_state_tensors());
  }
}

static void describeSchedule(ScheduleAttr schedule, proto::Schedule &target) {
  static_assert(static_cast<int>(Decay::Constant) == proto::Schedule::CONSTANT);
  static_assert(static_cast<int>(Decay::Cosine) == proto::Schedule::COSINE);
  target.set_decay(static_cast<proto::Schedule::Decay>(schedule.getDecay()));
  target.set_factor(schedule.getFactor().convertToDouble());
  target.set_steps(schedule.getSteps());
  target.set_minimum(schedule.getMinimum().convertToDouble());
  target.set_warmup(schedule.getWarmup());
}

proto::Program mlir::dann::describeProgram(ModuleOp module) {
  proto::Program program;
  program.set_name(module.getName().value_or("model").str());
  program.set_element_type(proto::F32);
  bool isTrained =
      llvm::any_of(module.getOps<func::FuncOp>(), [](func::FuncOp function) {
        return function->hasAttr(DannDialect::kSettingsAttr);
      });
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.isPrivate())
      continue;
    describeEntryPoint(function, *program.add_entry_points());
    if (function.getName() == "forward") {
      if (isTrained)
        describeTask(function, program);
      describeParameters(function, program);
    }
    if (function.getName() == "prepare")
      describeDerivedTensors(function, program);
    if (function.getName() == "train_step")
      describeStates(function, program);
    if (auto settings = function->getAttrOfType<DictionaryAttr>(
            DannDialect::kSettingsAttr)) {
      proto::Defaults &target = *program.mutable_defaults();
      target.set_batch_size(settings.getAs<IntegerAttr>("batch_size").getInt());
      target.set_epochs(settings.getAs<IntegerAttr>("epochs").getInt());
      target.set_learning_rate(
          settings.getAs<FloatAttr>("learning_rate").getValueAsDouble());
      if (auto schedule = settings.getAs<ScheduleAttr>("schedule"))
        describeSchedule(schedule, *target.mutable_schedule());
      program.set_loss(settings.getAs<StringAttr>("loss").str());
      program.set_optimizer(settings.getAs<StringAttr>("optimizer").str());
    }
  }
  return program;
}

static bool isUnsigned(proto::ElementType type) {
  return type == proto::U8 || type == proto::U16 || type == proto::U32 ||
         type == proto::U64;
}

/// Whether the lowered function takes what the description says, and scratch
/// memory.
static bool isDescribedBy(func::FuncOp function,
                          const proto::EntryPoint &entry) {
  if (!function || function.getNumResults() != 0 ||
      static_cast<int>(function.getNumArguments()) !=
          entry.arguments_size() + 1 ||
      !function->hasAttr(DannDialect::kScratchAttr))
    return false;
  for (auto [type, argument] :
       llvm::zip_first(entry.arguments(), function.getArgumentTypes())) {
    auto buffer = dyn_cast<MemRefType>(argument);
    if (!buffer || buffer.getRank() != type.shape_size() ||
        toElementType(buffer.getElementType(),
                      isUnsigned(type.element_type())) != type.element_type() ||
        !buffer.getLayout().isIdentity())
      return false;
  }
  return true;
}

LogicalResult mlir::dann::describeLoweredProgram(ModuleOp module,
                                                 proto::Program &program) {
  for (proto::EntryPoint &entry : *program.mutable_entry_points()) {
    auto function = module.lookupSymbol<func::FuncOp>(entry.name());
    if (!isDescribedBy(function, entry))
      return module.emitError()
             << "compiler bug: the lowered entry point '" << entry.name()
             << "' does not take what the program's description says";
    auto scratch =
        function->getAttrOfType<DenseI64ArrayAttr>(DannDialect::kScratchAttr);
    proto::Scratch &described = *entry.mutable_scratch();
    described.set_fixed_bytes(scratch[0]);
    described.set_bytes_per_sample_group(scratch[1]);
    described.set_fixed_live_bytes(scratch[2]);
    described.set_live_bytes_per_sample_group(scratch[3]);
    auto operations =
        function->getAttrOfType<ArrayAttr>(DannDialect::kOperationsAttr);
    if (!operations) // not shared by threads
      continue;
    for (auto operation : operations.getAsRange<DictionaryAttr>()) {
      auto getNumber = [&](StringRef name) {
        return operation.getAs<IntegerAttr>(name).getInt();
      };
      proto::Operation &target = *entry.add_operations();
      target.set_name(operation.getAs<StringAttr>("name").str());
      target.set_kernel(operation.getAs<StringAttr>("kernel").str());
      target.set_flops(getNumber("flops"));
      target.set_flops_per_sample(getNumber("flops_per_sample"));
      target.set_bytes(getNumber("bytes"));
      target.set_bytes_per_sample(getNumber("bytes_per_sample"));
    }
  }
  return success();
}

/// What keeps the program's parameters from being the models' initializers.
static std::string findObstacle(const OnnxModels &models,
                                const proto::Program &program) {
  llvm::StringMap<RankedTensorType> initializers;
  for (const OnnxParameter &parameter : models.parameters)
    initializers[parameter.name] = parameter.type;
  for (const proto::Parameter &parameter : program.parameters()) {
    auto found = initializers.find(parameter.name());
    if (found == initializers.end())
      return "its model has no initializer " + parameter.name();
    RankedTensorType type = found->second;
    if (toElementType(type.getElementType()) != program.element_type() ||
        type.getShape() !=
            ArrayRef(parameter.shape().data(), parameter.shape_size()))
      return "the compiler changed the type of " + parameter.name();
    initializers.erase(found);
  }
  if (!initializers.empty())
    return "the compiler removed the parameter " +
           initializers.begin()->getKey().str();
  return "";
}

static void describe(const OnnxModel &model, proto::OnnxModel &described) {
  described.set_model(model.model);
  described.set_graph(model.graph);
}

void mlir::dann::describeOnnx(const OnnxModels &models,
                              proto::Program &program) {
  std::string obstacle = models.obstacle;
  if (obstacle.empty())
    obstacle = findObstacle(models, program);
  if (!obstacle.empty()) {
    program.set_onnx_obstacle(obstacle);
    return;
  }
  describe(models.layers, *program.mutable_onnx());
  if (models.plain)
    describe(*models.plain, *program.mutable_plain_onnx());
}
