//===- OnnxImport.cpp - ONNX models to IR ---------------------------------===//

#include "frontend/Onnx/OnnxImport.h"

#include "frontend/Onnx/DannLayers.h"
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

//===----------------------------------------------------------------------===//
// Operators
//===----------------------------------------------------------------------===//

static StringRef canonicalDomain(StringRef domain) {
  return domain == "ai.onnx" ? "" : domain;
}

const OperatorEntry *mlir::dann::onnx::findOperator(StringRef domain,
                                                    StringRef name,
                                                    int64_t opset) {
  domain = canonicalDomain(domain);
  const OperatorEntry *best = nullptr;
  for (ArrayRef<OperatorEntry> family :
       {getElementwiseOperators(),  getShapeOperators(),
        getProductOperators(),      getConvolutionOperators(),
        getPoolingOperators(),      getImageOperators(),
        getResizeOperators(),       getSamplingOperators(),
        getReductionOperators(),    getNormalizationOperators(),
        getLossOperators(),         getIndexingOperators(),
        getMaskOperators(),         getEinsumOperators(),
        getQuantizationOperators(), getSignalOperators(),
        getRecurrentOperators(),    getControlOperators(),
        getTrainingOperators(),     getDannOperators()})
    for (const OperatorEntry &entry : family)
      if (entry.name == name && entry.domain == domain &&
          entry.sinceOpset <= opset &&
          (!best || best->sinceOpset < entry.sinceOpset))
        best = &entry;
  return best;
}

//===----------------------------------------------------------------------===//
// Graphs
//===----------------------------------------------------------------------===//

Tensor GraphImporter::lookup(StringRef name) const {
  for (const GraphImporter *scope = this; scope; scope = scope->parent)
    if (auto it = scope->values.find(name); it != scope->values.end())
      return it->second;
  return {};
}

bool GraphImporter::isHidden(StringRef name) const {
  for (const GraphImporter *scope = this; scope; scope = scope->parent)
    if (auto it = scope->values.find(name); it != scope->values.end())
      return !it->second;
  return false;
}

const proto::AttributeProto *
GraphImporter::getCallAttribute(StringRef name) const {
  for (const proto::AttributeProto &attribute : call->attribute())
    if (attribute.name() == name) {
      if (!attribute.ref_attr_name().empty() && caller->isFunction())
        return caller->getCallAttribute(attribute.ref_attr_name());
      return &attribute;
    }
  return nullptr;
}

std::optional<int64_t> GraphImporter::getOpset(StringRef domain) const {
  if (function)
    for (const proto::OperatorSetIdProto &opset : function->opset_import())
      if (canonicalDomain(opset.domain()) == canonicalDomain(domain))
        return opset.version();
  return state.file->getOpset(domain);
}

/// What functions are found by. Domains contain no NUL, or find nothing.
static std::string getFunctionKey(StringRef domain, StringRef name) {
  return (canonicalDomain(domain) + Twine('\0') + name).str();
}

const proto::FunctionProto *
GraphImporter::findFunction(const proto::NodeProto &node) const {
  const auto &functions = state.file->getModel().functions();
  if (functions.empty())
    return nullptr;
  if (state.functions.empty())
    for (const proto::FunctionProto &candidate : functions)
      state.functions.try_emplace(
          getFunctionKey(candidate.domain(), candidate.name()), &candidate);
  return state.functions.lookup(getFunctionKey(node.domain(), node.op_type()));
}

LogicalResult GraphImporter::charge(int64_t numUses, Location loc) {
  state.numUses += numUses;
  if (state.numUses <= kMaxUses)
    return success();
  return emitError(loc) << "the model uses more than " << kMaxUses
                        << " names and values, those of functions counted at "
                           "each call";
}

/// What a node holds besides graphs and tensors, which are counted or kept when
/// they are read.
static int64_t countUses(const proto::NodeProto &node) {
  int64_t uses = 0;
  auto add = [&](const std::string &text) { uses += 1 + text.size() / 256; };
  add(node.name());
  for (const std::string &input : node.input())
    add(input);
  for (const std::string &output : node.output())
    add(output);
  for (const proto::AttributeProto &attribute : node.attribute()) {
    add(attribute.s());
    for (const std::string &string : attribute.strings())
      add(string);
    uses += attribute.ints_size() + attribute.floats_size();
  }
  return uses;
}

void GraphImporter::importDeclarations(const proto::GraphProto &graph) {
  for (const proto::ValueInfoProto &info : graph.value_info())
    declare(info);
  for (const proto::ValueInfoProto &info : graph.output())
    declare(info);
}

LogicalResult
GraphImporter::importInitializers(const proto::GraphProto &graph) {
  if (graph.sparse_initializer_size() > 0)
    return emitError(state.file->getLocation(
               graph.sparse_initializer(0).values().name()))
           << "is a sparse initializer, which is not supported";
  for (const proto::TensorProto &tensor : graph.initializer()) {
    if (values.contains(tensor.name()) || isHidden(tensor.name()))
      continue; // a parameter
    Location loc = state.file->getLocation(tensor.name());
    ElementsAttr elements = OnnxFile::getElements(state.file, tensor, loc);
    if (!elements) {
      if (!state.obstacles)
        return failure();
      state.obstacles->take("initializer '" + tensor.name() + "'");
      bind(tensor.name(), {});
      continue;
    }
    bind(tensor.name(), {arith::ConstantOp::create(state.builder, loc,
                                                   cast<TypedAttr>(elements)),
                         tensor.data_type()});
  }
  return success();
}

LogicalResult GraphImporter::importNodes(
    const google::protobuf::RepeatedPtrField<proto::NodeProto> &nodes) {
  bool ok = true;
  for (const proto::NodeProto &node : nodes) {
    if (state.obstacles)
      ok &= succeeded(tryNode(node));
    else if (failed(importNode(node)))
      return failure();
  }
  // What contains a graph cannot be built without all of it.
  return success(ok || !parent);
}

LogicalResult GraphImporter::tryNode(const proto::NodeProto &node) {
  StringRef name = cast<NameLoc>(state.file->getLocation(node)).getName();
  state.obstacles->find(node, name);
  bool isReachable = llvm::none_of(
      node.input(), [&](const std::string &input) { return isHidden(input); });
  if (isReachable && succeeded(importNode(node)))
    return success();
  if (!isReachable || !state.obstacles->takeNode(node, name))
    state.obstacles->skip(node);
  if (isReachable)
    bindPlaceholders(node);
  else
    for (const std::string &output : node.output())
      bind(output, {});
  return failure();
}

LogicalResult GraphImporter::importNode(const proto::NodeProto &node) {
  Location loc = state.file->getLocation(node);
  if (++state.numNodes > kMaxNodes)
    return emitError(loc) << "the model has more than " << kMaxNodes
                          << " nodes, those of functions counted at each call";
  if (node.attribute_size() > kMaxAttributes)
    return emitError(loc) << "the node has " << node.attribute_size()
                          << " attributes, more than " << kMaxAttributes;
  if (failed(charge(countUses(node), loc)))
    return failure();
  std::optional<int64_t> opset = getOpset(node.domain());
  // A layer is more than what its function computes: it has a gradient, and a
  // proof of Dale's law.
  bool isLayer = node.domain() == kDannDomain && opset &&
                 findOperator(node.domain(), node.op_type(), *opset);
  const proto::FunctionProto *callee = findFunction(node);
  if (callee && !isLayer)
    return importCall(node, *callee, loc);
  auto error = [&] { return emitError(loc) << node.op_type() << ": "; };
  if (!opset)
    return error() << "the model imports no operators of the domain '"
                   << node.domain() << "'";
  const OperatorEntry *entry =
      findOperator(node.domain(), node.op_type(), *opset);
  if (!entry) {
    InFlightDiagnostic diagnostic = error() << "this operator";
    if (!canonicalDomain(node.domain()).empty())
      diagnostic << " of the domain '" << node.domain() << "'";
    return diagnostic << " is not supported in version " << *opset;
  }
  if (node.input_size() > entry->maxInputs)
    return error() << "has " << node.input_size() << " inputs, more than "
                   << entry->maxInputs;
  if (node.output_size() > entry->maxOutputs || node.output_size() < 1)
    return error() << "has " << node.output_size()
                   << " outputs; it has to be 1 to " << entry->maxOutputs;
  for (int i = 0; i < std::max(entry->minInputs, node.input_size()); ++i) {
    bool isGiven = i < node.input_size() && !node.input(i).empty();
    if (!isGiven) {
      if (i < entry->minInputs)
        return error() << "needs input " << i;
      continue;
    }
    Tensor value = lookup(node.input(i));
    if (!value)
      return error() << "takes '" << node.input(i)
                     << "', which no input, initializer or earlier node gives";
    if (value.sequence && !entry->takesSequences)
      return error() << "takes tensors, and '" << node.input(i)
                     << "' is a sequence of them";
  }
  llvm::StringSet<> outputs;
  for (const std::string &output : node.output()) {
    if (output.empty())
      continue;
    if (values.contains(output))
      return error() << "gives '" << output << "', which there is already";
    if (node.output_size() > 1 && !outputs.insert(output).second)
      return error() << "gives '" << output << "' twice";
  }
  Node context(*this, node, *opset, state.builder, loc);
  if (failed(entry->import(context)) || context.hasFailed())
    return failure();
  if (state.operations.number > kMaxOperations)
    return error() << "the model needs more than " << kMaxOperations
                   << " operations";
  for (const std::string &output : node.output())
    if (!output.empty() && !lookup(output))
      return error() << "does not give the output '" << output << "'";
  return success();
}

LogicalResult GraphImporter::importCall(const proto::NodeProto &node,
                                        const proto::FunctionProto &callee,
                                        Location loc) {
  auto error = [&] { return emitError(loc) << node.op_type() << ": "; };
  GraphImporter body(state);
  body.depth = depth + 1;
  body.call = &node;
  body.caller = this;
  body.function = &callee;
  if (body.depth > kMaxDepth)
    return error() << "functions and graphs are nested more than " << kMaxDepth
                   << " deep";
  if (node.input_size() > callee.input_size() ||
      node.output_size() > callee.output_size())
    return error() << "the function has " << callee.input_size()
                   << " inputs and " << callee.output_size()
                   << " outputs, and the call more";
  if (callee.opset_import_size() > kMaxOpsets)
    return error() << "the function imports " << callee.opset_import_size()
                   << " sets of operators, more than " << kMaxOpsets;
  for (int i = 0; i < node.input_size(); ++i) {
    if (node.input(i).empty())
      continue;
    Tensor value = lookup(node.input(i));
    if (!value)
      return error() << "takes '" << node.input(i)
                     << "', which no input, initializer or earlier node gives";
    body.bind(callee.input(i), value);
  }
  if (failed(body.importNodes(callee.node())))
    return failure();
  for (int i = 0; i < node.output_size(); ++i) {
    if (node.output(i).empty())
      continue;
    Tensor value = body.lookup(callee.output(i));
    if (!value && !body.isHidden(callee.output(i)))
      return error() << "the function does not give its output '"
                     << callee.output(i) << "'";
    bind(node.output(i), value);
  }
  return success();
}

FailureOr<SmallVector<Tensor>>
GraphImporter::importNested(const proto::GraphProto &graph,
                            ArrayRef<Tensor> inputs, OpBuilder &builder,
                            Location loc) {
  GraphImporter nested(state, this);
  nested.call = call;
  nested.caller = caller;
  nested.function = function;
  if (nested.depth > kMaxDepth)
    return emitError(loc) << "graphs are nested more than " << kMaxDepth
                          << " deep";
  if (static_cast<size_t>(graph.input_size()) != inputs.size())
    return emitError(loc) << "its graph has " << graph.input_size()
                          << " inputs instead of " << inputs.size();
  if (failed(nested.charge(graph.input_size() + graph.output_size() +
                               graph.initializer_size() +
                               graph.value_info_size(),
                           loc)))
    return failure();
  OpBuilder::InsertionGuard guard(state.builder);
  state.builder.setInsertionPoint(builder.getInsertionBlock(),
                                  builder.getInsertionPoint());
  for (auto [info, input] : llvm::zip(graph.input(), inputs))
    nested.bind(info.name(), input);
  nested.importDeclarations(graph);
  if (failed(nested.importInitializers(graph)) ||
      failed(nested.importNodes(graph.node())))
    return failure();
  SmallVector<Tensor> outputs;
  for (const proto::ValueInfoProto &info : graph.output()) {
    Tensor value = nested.lookup(info.name());
    if (!value)
      return emitError(loc)
             << "its graph does not give its output '" << info.name() << "'";
    outputs.push_back(value);
  }
  builder.setInsertionPoint(state.builder.getInsertionBlock(),
                            state.builder.getInsertionPoint());
  return outputs;
}

//===----------------------------------------------------------------------===//
// Obstacles
//===----------------------------------------------------------------------===//

ObstacleCollector::ObstacleCollector(OnnxSupport &support, MLIRContext *context)
    : support(support), handler(context, [this](Diagnostic &diagnostic) {
        if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
          return failure();
        errors.push_back(diagnostic.str());
        return success();
      }) {}

bool ObstacleCollector::take(const std::string &part) {
  if (errors.empty())
    return false;
  OnnxSupport::Obstacle obstacle{part, llvm::join(errors, "; ")};
  errors.clear();
  // Bodies of loops and functions can be imported more than once.
  if (!llvm::is_contained(support.obstacles, obstacle))
    support.obstacles.push_back(std::move(obstacle));
  return true;
}

bool ObstacleCollector::takeNode(const proto::NodeProto &node, StringRef name) {
  // The part says it already.
  for (std::string &error : errors)
    if (StringRef(error).starts_with(node.op_type() + ": "))
      error.erase(0, node.op_type().size() + 2);
  if (!take(OnnxSupport::describeNode(name, node.op_type())))
    return false;
  support.numRefused += refused.insert(&node).second;
  return true;
}

void ObstacleCollector::find(const proto::NodeProto &node, StringRef name) {
  support.numNodes += found.insert(&node).second;
  support.operators.try_emplace(name, node.op_type());
}

void ObstacleCollector::skip(const proto::NodeProto &node) {
  support.numSkipped += skipped.insert(&node).second;
}

std::string OnnxSupport::describeNode(StringRef name, StringRef operatorName) {
  return ("node '" + name + "' (" + operatorName + ")").str();
}

/// The type that a model declares, if it can be known; as in inputs, only the
/// batch may be without a size.
static RankedTensorType getDeclaredType(const proto::ValueInfoProto *info,
                                        const ImportState &state) {
  if (!info || !info->type().has_tensor_type() ||
      !info->type().tensor_type().has_shape())
    return nullptr;
  const proto::TypeProto::Tensor &tensor = info->type().tensor_type();
  Type elementType =
      getElementType(tensor.elem_type(), state.builder.getContext());
  if (!elementType || tensor.shape().dim_size() > kMaxRank)
    return nullptr;
  SmallVector<int64_t> shape, known;
  for (const auto &dim : tensor.shape().dim()) {
    bool isBatch = !dim.has_dim_value() && shape.empty() && state.batchSize &&
                   dim.dim_param() == state.batchName;
    if (!dim.has_dim_value() && !isBatch)
      return nullptr;
    shape.push_back(isBatch ? ShapedType::kDynamic : dim.dim_value());
    known.push_back(isBatch ? 1 : dim.dim_value());
  }
  if (!countElements(known))
    return nullptr;
  return RankedTensorType::get(shape, elementType);
}

void GraphImporter::bindPlaceholders(const proto::NodeProto &node) {
  // Results that depend on all inputs. Twice, so that no cast can be folded.
  SmallVector<Value> inputs;
  for (const std::string &input : node.input())
    if (Tensor tensor = lookup(input); tensor.value)
      inputs.append(2, tensor.value);
  for (const std::string &output : node.output()) {
    if (output.empty())
      continue;
    const proto::ValueInfoProto *info = getDeclaration(output);
    RankedTensorType type = getDeclaredType(info, state);
    if (!type) {
      bind(output, {});
      continue;
    }
    auto cast = UnrealizedConversionCastOp::create(
        state.builder, state.file->getLocation(node), type, inputs);
    bind(output, {cast.getResult(0), info->type().tensor_type().elem_type()});
  }
}

//===----------------------------------------------------------------------===//
// Models
//===----------------------------------------------------------------------===//

namespace {
class ModelImporter {
public:
  ModelImporter(std::shared_ptr<const OnnxFile> file, MLIRContext &context,
                ObstacleCollector *obstacles = nullptr)
      : context(context),
        graph(file->getModel().graph()), state{file,
                                               OpBuilder(&context),
                                               {},
                                               {}} {
    state.obstacles = obstacles;
  }

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
