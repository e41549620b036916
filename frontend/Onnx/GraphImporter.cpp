//===- GraphImporter.cpp - The scope of names of an ONNX graph ------------===//

#include "frontend/Onnx/GraphImporter.h"

#include "frontend/Onnx/DannLayers.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringSet.h"

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
       {getElementwiseOperators(),  getActivationOperators(),
        getShapeOperators(),        getSliceOperators(),
        getConstantOperators(),     getTopKOperators(),
        getNGramOperators(),        getSequenceOperators(),
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
  auto add = [&](const std::string &text) {
    uses += 1 + static_cast<int64_t>(text.size() / 256);
  };
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

static InFlightDiagnostic emitNodeError(const proto::NodeProto &node,
                                        Location loc) {
  return emitError(loc) << node.op_type() << ": ";
}

/// Nothing gives the input `index` of a node.
static LogicalResult failWithout(const proto::NodeProto &node, int index,
                                 Location loc) {
  return emitNodeError(node, loc)
         << "takes '" << node.input(index)
         << "', which no input, initializer or earlier node gives";
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
  auto error = [&] { return emitNodeError(node, loc); };
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
      return failWithout(node, i, loc);
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
  auto error = [&] { return emitNodeError(node, loc); };
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
                   << " outputs, and the call " << node.input_size() << " and "
                   << node.output_size();
  if (callee.opset_import_size() > kMaxOpsets)
    return error() << "the function imports " << callee.opset_import_size()
                   << " sets of operators, more than " << kMaxOpsets;
  for (int i = 0; i < node.input_size(); ++i) {
    if (node.input(i).empty())
      continue;
    Tensor value = lookup(node.input(i));
    if (!value)
      return failWithout(node, i, loc);
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
