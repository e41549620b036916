//===- OnnxImport.cpp - ONNX models to IR ---------------------------------===//

#include "frontend/Onnx/OnnxImport.h"

#include "frontend/Onnx/GraphImporter.h"
#include "frontend/Onnx/Metadata.h"
#include "frontend/Onnx/Weightless.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace mlir::dann;
using namespace mlir::dann::onnx;

namespace {
class ModelImporter {
public:
  ModelImporter(std::shared_ptr<const OnnxFile> file, MLIRContext &context,
                ObstacleCollector *obstacles = nullptr)
      : context(context), graph(file->getModel().graph()),
        state(file, &context, obstacles) {}

  OwningOpRef<ModuleOp> build(OnnxModels *models);

private:
  struct Argument {
    std::string name;
    RankedTensorType type;
    int32_t dataType;
    Location loc;
    ElementsAttr initial; // of parameters
  };

  LogicalResult collectInputs();
  LogicalResult collectParameters();
  /// Whether an error in `part` is no end of the import.
  bool goOnAfter(const std::string &part) {
    return state.obstacles && state.obstacles->take(part);
  }

  MLIRContext &context;
  const proto::GraphProto &graph;
  ImportState state;
  SmallVector<Argument> arguments;
  std::vector<std::string> hidden; // arguments that obstacles hide
};
} // namespace

/// The type of an input: only its first extent may be unknown, the batch.
static FailureOr<RankedTensorType>
getInputType(const proto::ValueInfoProto &info, Location loc,
             std::string &batchName) {
  if (!info.type().has_tensor_type())
    return emitError(loc) << "the input is no tensor";
  const proto::TypeProto::Tensor &tensor = info.type().tensor_type();
  Type elementType = getElementType(tensor.elem_type(), loc.getContext());
  if (!elementType)
    return emitError(loc) << "the input has elements of "
                          << getTypeName(tensor.elem_type())
                          << ", which are not supported";
  if (!tensor.has_shape())
    return emitError(loc) << "the input has no shape";
  if (tensor.shape().dim_size() > kMaxRank)
    return emitError(loc) << "the input has " << tensor.shape().dim_size()
                          << " extents, more than " << kMaxRank;
  SmallVector<int64_t> shape;
  for (const auto &dim : tensor.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      shape.push_back(dim.dim_value());
      continue;
    }
    if (dim.has_dim_value() && dim.dim_value() != -1)
      return emitError(loc) << "the input has the extent " << dim.dim_value();
    if (!shape.empty())
      return emitError(loc)
             << "extent " << shape.size()
             << " of the input is unknown; only the first one may be, which is "
                "the batch";
    if (!batchName.empty() && !dim.dim_param().empty() &&
        batchName != dim.dim_param())
      return emitError(loc)
             << "the input's first extent is '" << dim.dim_param()
             << "', that of another one '" << batchName
             << "'; only one may be unknown, the batch";
    if (batchName.empty())
      batchName = dim.dim_param();
    shape.push_back(ShapedType::kDynamic);
  }
  SmallVector<int64_t> known = shape;
  for (int64_t &extent : known)
    if (ShapedType::isDynamic(extent))
      extent = 1;
  if (!countElements(known))
    return emitError(loc) << "the input has more than "
                          << dann::onnx::kMaxElements << " elements";
  return RankedTensorType::get(shape, elementType);
}

/// Whether a program can give `what` its name.
static LogicalResult checkName(StringRef name, StringRef what, Location loc) {
  if (name.empty())
    return emitError(loc) << "there is " << what << " without a name";
  if (llvm::json::isUTF8(name) && llvm::none_of(name, [](char c) {
        return llvm::isASCII(c) && !llvm::isPrint(c);
      }))
    return success();
  return emitError(loc) << "the name of " << what
                        << " has to be UTF-8 text without control characters";
}

LogicalResult ModelImporter::collectInputs() {
  llvm::StringSet<> initialized;
  for (const proto::TensorProto &tensor : graph.initializer())
    initialized.insert(tensor.name());
  llvm::StringSet<> seen;
  for (const proto::ValueInfoProto &info : graph.input()) {
    // Models of old versions list initializers too.
    if (initialized.contains(info.name()))
      continue;
    Location loc = state.file->getLocation(info.name());
    if (failed(checkName(info.name(), "an input", loc)))
      return failure();
    if (!seen.insert(info.name()).second)
      return emitError(loc)
             << "there are two inputs named '" << info.name() << "'";
    FailureOr<RankedTensorType> type = getInputType(info, loc, state.batchName);
    if (failed(type)) {
      if (!goOnAfter("input '" + info.name() + "'"))
        return failure();
      hidden.push_back(info.name());
      continue;
    }
    arguments.push_back({info.name(), *type,
                         info.type().tensor_type().elem_type(), loc,
                         ElementsAttr()});
  }
  return success();
}

/// The initializers that batch normalisation takes for the statistics of
/// another training: none are to be trained. The metadata tell those that are.
static llvm::StringSet<> findStatistics(const proto::ModelProto &model) {
  llvm::StringSet<> names;
  for (const proto::NodeProto &node : model.graph().node())
    if (node.op_type() == "BatchNormalization")
      for (int i = 3; i < node.input_size(); ++i)
        names.insert(node.input(i));
  for (const proto::StringStringEntryProto &entry : model.metadata_props())
    if (StringRef name = entry.key();
        name.consume_front((DannDialect::kRoleAttr + ":").str()) &&
        entry.value() == stringifyRole(Role::Stat))
      names.erase(name);
  return names;
}

LogicalResult ModelImporter::collectParameters() {
  llvm::StringSet<> statistics = findStatistics(state.file->getModel());
  llvm::StringSet<> seen;
  for (const proto::TensorProto &tensor : graph.initializer()) {
    Location loc = state.file->getLocation(tensor.name());
    if (failed(checkName(tensor.name(), "an initializer", loc)))
      return failure();
    if (!seen.insert(tensor.name()).second)
      return emitError(loc)
             << "there are two initializers named '" << tensor.name() << "'";
    // Programs have parameters of one type.
    if (tensor.data_type() != proto::TensorProto::FLOAT ||
        statistics.contains(tensor.name()))
      continue;
    ElementsAttr elements = OnnxFile::getElements(state.file, tensor, loc);
    if (!elements) {
      if (!goOnAfter("initializer '" + tensor.name() + "'"))
        return failure();
      hidden.push_back(tensor.name());
      continue;
    }
    arguments.push_back({tensor.name(),
                         cast<RankedTensorType>(elements.getType()),
                         tensor.data_type(), loc, elements});
  }
  return success();
}

/// Arguments that nothing uses are no parameters: their values were constants.
static void eraseUnusedParameters(func::FuncOp function) {
  llvm::BitVector unused(function.getNumArguments());
  for (BlockArgument argument : function.getArguments())
    if (argument.use_empty() &&
        function.getArgAttr(argument.getArgNumber(), DannDialect::kRoleAttr))
      unused.set(argument.getArgNumber());
  // Cannot fail: results of the function stay as they are.
  (void)function.eraseArguments(unused);
}

OwningOpRef<ModuleOp> ModelImporter::build(OnnxModels *models) {
  if ((failed(collectInputs()) || failed(collectParameters())) &&
      !goOnAfter("model"))
    return nullptr;
  Location loc = state.file->getLocation();
  OpBuilder &builder = state.builder;
  builder.setListener(&state.operations);
  OwningOpRef<ModuleOp> module =
      ModuleOp::create(loc, llvm::sys::path::stem(state.file->getPath()));
  builder.setInsertionPointToEnd(module->getBody());
  SmallVector<Type> types = llvm::map_to_vector(
      arguments, [](const Argument &a) -> Type { return a.type; });
  auto forward = func::FuncOp::create(builder, loc, "forward",
                                      builder.getFunctionType(types, {}));
  Block *entry = forward.addEntryBlock();
  builder.setInsertionPointToStart(entry);
  GraphImporter importer(state);
  auto describe = [&](StringRef name, int32_t dataType) {
    NamedAttrList attributes;
    attributes.set(DannDialect::kNameAttr, builder.getStringAttr(name));
    if (dann::onnx::isUnsigned(dataType) &&
        dataType != proto::TensorProto::BOOL)
      attributes.set(DannDialect::kUnsignedAttr, builder.getUnitAttr());
    return attributes;
  };
  // Set together: each change makes new attributes of all arguments.
  SmallVector<DictionaryAttr> descriptions;
  for (auto [i, argument] : llvm::enumerate(arguments)) {
    BlockArgument value = entry->getArgument(i);
    value.setLoc(argument.loc);
    NamedAttrList attributes = describe(argument.name, argument.dataType);
    if (argument.initial) {
      attributes.set(DannDialect::kRoleAttr,
                     RoleAttr::get(&context, Role::Weight));
      attributes.set(DannDialect::kInitialAttr, argument.initial);
    } else if (!state.batchSize && argument.type.getRank() > 0 &&
               argument.type.isDynamicDim(0)) {
      state.batchSize = tensor::DimOp::create(builder, loc, value, 0);
    }
    descriptions.push_back(attributes.getDictionary(&context));
    importer.bind(argument.name, {value, argument.dataType});
  }
  forward.setAllArgAttrs(descriptions);
  for (const std::string &name : hidden)
    importer.bind(name, {});
  importer.importDeclarations(graph);
  if ((failed(readMetadata(state.file->getModel(), forward, loc)) ||
       failed(importer.importInitializers(graph))) &&
      !goOnAfter("model"))
    return nullptr;
  if (failed(importer.importNodes(graph.node())))
    return nullptr;

  SmallVector<Value> results;
  SmallVector<int32_t> resultTypes;
  llvm::StringSet<> names;
  SmallVector<StringRef> resultNames;
  for (const proto::ValueInfoProto &info : graph.output()) {
    Location at = state.file->getLocation(info.name());
    bool isNamed = succeeded(checkName(info.name(), "an output", at));
    if (isNamed && !names.insert(info.name()).second) {
      emitError(at) << "there are two outputs named '" << info.name() << "'";
      isNamed = false;
    }
    if (!isNamed) {
      if (!goOnAfter("model"))
        return nullptr;
      continue;
    }
    Tensor value = importer.lookup(info.name());
    if (!value && importer.isHidden(info.name()))
      continue;
    if (!value || value.sequence) {
      emitError(at)
          << (value ? "the output is a sequence of tensors, which is not "
                      "supported"
                    : "no node gives this output of the model");
      if (!goOnAfter("output '" + info.name() + "'"))
        return nullptr;
      continue;
    }
    results.push_back(value.value);
    resultTypes.push_back(value.dataType);
    resultNames.push_back(info.name());
  }
  func::ReturnOp::create(builder, loc, results);
  forward.setFunctionType(
      builder.getFunctionType(types, ValueRange(results).getTypes()));
  descriptions.clear();
  for (auto [name, dataType] : llvm::zip(resultNames, resultTypes))
    descriptions.push_back(describe(name, dataType).getDictionary(&context));
  forward.setAllResultAttrs(descriptions);
  // What is left of a node that was refused need not be valid.
  if (!(state.obstacles && state.obstacles->haveBeenFound()) &&
      failed(mlir::verify(*module)) && !goOnAfter("model"))
    return nullptr;
  eraseUnusedParameters(forward);
  if (models) {
    FailureOr<OnnxModels> weightless = removeParameters(*state.file, forward);
    if (failed(weightless))
      return nullptr;
    *models = std::move(*weightless);
  }
  return module;
}

static void loadDialects(MLIRContext &context) {
  context
      .loadDialect<arith::ArithDialect, bufferization::BufferizationDialect,
                   DannDialect, func::FuncDialect, linalg::LinalgDialect,
                   math::MathDialect, scf::SCFDialect, tensor::TensorDialect>();
}

OwningOpRef<ModuleOp> mlir::dann::importOnnx(StringRef path,
                                             MLIRContext &context,
                                             OnnxModels *models) {
  loadDialects(context);
  std::shared_ptr<const OnnxFile> file = OnnxFile::read(path, &context);
  return file ? ModelImporter(file, context).build(models) : nullptr;
}

OwningOpRef<ModuleOp> mlir::dann::importOnnx(llvm::MemoryBufferRef model,
                                             MLIRContext &context) {
  loadDialects(context);
  std::shared_ptr<const OnnxFile> file = OnnxFile::parse(model, &context);
  return file ? ModelImporter(file, context).build(nullptr) : nullptr;
}

OwningOpRef<ModuleOp> mlir::dann::checkOnnxSupport(StringRef path,
                                                   MLIRContext &context,
                                                   OnnxSupport &support) {
  loadDialects(context);
  std::shared_ptr<const OnnxFile> file = OnnxFile::read(path, &context);
  if (!file)
    return nullptr;
  ObstacleCollector obstacles(support, &context);
  return ModelImporter(file, context, &obstacles).build(nullptr);
}
