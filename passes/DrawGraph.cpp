//===- DrawGraph.cpp - Pictures of functions ------------------------------===//

#include "passes/LayerGroups.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/ToolOutputFile.h"

namespace mlir::dann {
#define GEN_PASS_DEF_DRAWGRAPH
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

namespace {

/// What a value or an operation is: sets of two bits.
enum Polarity : unsigned { Neither = 0, Excitatory = 1, Inhibitory = 2, Both };

Polarity join(Polarity a, Polarity b) {
  return static_cast<Polarity>(static_cast<unsigned>(a) |
                               static_cast<unsigned>(b));
}

Polarity getPolarity(Role role) {
  switch (role) {
  case Role::Wex:
  case Role::Gain:
  case Role::Bias:
  case Role::Initial:
    return Excitatory;
  case Role::Wix:
  case Role::Wei:
  case Role::Alpha:
    return Inhibitory;
  default:
    return Neither;
  }
}

StringRef getLine(Polarity polarity) {
  static constexpr StringLiteral colors[] = {"#555555", "#1f5fa8", "#b5362a",
                                             "#1f5fa8:#b5362a"};
  return colors[polarity];
}
StringRef getFill(Polarity polarity) {
  static constexpr StringLiteral colors[] = {"#f2f2f2", "#cfe2f8", "#f9d5d0",
                                             "#cfe2f8:#f9d5d0"};
  return colors[polarity];
}

/// Text between quotes. Names of a model may be anything.
std::string quote(StringRef text) {
  std::string quoted;
  for (char c : text) {
    if (c == '"' || c == '\\')
      quoted.push_back('\\');
    if (c == '\n')
      quoted.append("\\n");
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      quoted.push_back('?');
    else
      quoted.push_back(c);
  }
  return quoted;
}

std::string describeShape(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank())
    return "";
  std::string text;
  llvm::raw_string_ostream os(text);
  llvm::interleave(
      shaped.getShape(), os,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          os << "B";
        else
          os << size;
      },
      " x ");
  return text;
}

class Drawing {
public:
  Drawing(func::FuncOp function, raw_ostream &os)
      : function(function), os(os) {}

  void run() {
    std::string title = ("@" + function.getName()).str();
    if (auto module = function->getParentOfType<ModuleOp>())
      if (auto name = module.getName())
        title = (*name + " " + title).str();
    os << "digraph dann {\n  label=\"" << quote(title) << "\" labelloc=t\n"
       << "  graph [fontname=\"Helvetica,Arial,sans-serif\"]\n"
       << "  node [fontname=\"Helvetica,Arial,sans-serif\" fontsize=11 "
          "style=filled]\n"
       << "  edge [arrowsize=0.7]\n";
    tracePrepared();
    for (BlockArgument argument : function.getArguments())
      // Entry points list parameters that they need no more.
      if (!argument.use_empty())
        drawArgument(argument);
    drawBlock(function.getBody().front(), 1);
    Operation *end = function.getBody().front().getTerminator();
    for (auto [i, value] : llvm::enumerate(end->getOperands())) {
      auto name =
          function.getResultAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
      int node = addNode(1,
                         (name ? name.getValue() + "\n" : "result\n") +
                             describeShape(value.getType()),
                         find(value).polarity, "ellipse");
      connect(find(value), node);
    }
    os << "}\n";
  }

private:
  struct Source {
    int node = -1; // none: constants
    Polarity polarity = Neither;
    bool isParameter = false; // or computed of parameters alone
  };

  Source find(Value value) { return sources.lookup(getRoot(value)); }

  static Value getRoot(Value value) {
    while (Operation *op = value.getDefiningOp()) {
      if (!handlesShape(op) || op->getNumOperands() == 0)
        break;
      value = op->getOperand(0);
    }
    return value;
  }

  static bool handlesShape(Operation *op) {
    return isa<tensor::CastOp, tensor::ReshapeOp, tensor::ExpandShapeOp,
               tensor::CollapseShapeOp>(op);
  }

  static bool isDrawn(Operation &op) {
    if (isa<linalg::FillOp, tensor::EmptyOp, tensor::DimOp>(op) ||
        op.hasTrait<OpTrait::ConstantLike>() || handlesShape(&op))
      return false;
    // Sizes are computed with scalars.
    return llvm::any_of(op.getOperandTypes(), llvm::IsaPred<ShapedType>) ||
           llvm::any_of(op.getResultTypes(), llvm::IsaPred<ShapedType>);
  }

  int addNode(unsigned depth, const Twine &label, Polarity polarity,
              StringRef shape) {
    StringRef trimmed = StringRef(text = label.str()).rtrim();
    os.indent(2 * depth) << "n" << numNodes << " [label=\"" << quote(trimmed)
                         << "\" shape=" << shape << " color=\""
                         << getLine(polarity == Both ? Excitatory : polarity)
                         << "\" fillcolor=\"" << getFill(polarity) << "\"";
    if (polarity == Both)
      os << (shape == "box" ? " style=striped" : " style=wedged");
    os << "]\n";
    return numNodes++;
  }

  void connect(Source source, int node, StringRef attributes = "") {
    if (source.node < 0)
      return;
    os << "  n" << source.node << " -> n" << node << " [color=\""
       << getLine(source.polarity) << "\"" << attributes << "]\n";
  }

  /// What the derived tensors are that `@prepare` computes of parameters.
  void tracePrepared() {
    auto module = function->getParentOfType<ModuleOp>();
    auto prepare =
        module ? module.lookupSymbol<func::FuncOp>("prepare") : func::FuncOp();
    if (!prepare || !prepare.getBody().hasOneBlock())
      return;
    DenseMap<Value, Polarity> polarities;
    for (BlockArgument argument : prepare.getArguments())
      if (auto role = prepare.getArgAttrOfType<RoleAttr>(
              argument.getArgNumber(), DannDialect::kRoleAttr))
        polarities[argument] = getPolarity(role.getValue());
    Block &body = prepare.getBody().front();
    for (Operation &op : body.without_terminator()) {
      Polarity polarity = Neither;
      for (Value value : getReadValues(op))
        polarity = join(polarity, polarities.lookup(value));
      for (Value result : op.getResults())
        polarities[result] = polarity;
    }
    for (auto [i, value] : llvm::enumerate(body.getTerminator()->getOperands()))
      if (auto name = prepare.getResultAttrOfType<StringAttr>(
              i, DannDialect::kNameAttr))
        derived[name] = polarities.lookup(value);
  }

  void drawArgument(BlockArgument argument) {
    if (!isa<ShapedType>(argument.getType()))
      return;
    unsigned index = argument.getArgNumber();
    auto role =
        function.getArgAttrOfType<RoleAttr>(index, DannDialect::kRoleAttr);
    auto name =
        function.getArgAttrOfType<StringAttr>(index, DannDialect::kNameAttr);
    auto prepared = name ? derived.find(name) : derived.end();
    Polarity polarity = role ? getPolarity(role.getValue())
                        : prepared != derived.end() ? prepared->second
                                                    : Neither;
    int node = addNode(1,
                       (name ? name.getValue() : StringRef("argument")) + "\n" +
                           describeShape(argument.getType()),
                       polarity, "ellipse");
    sources[argument] = {node, polarity,
                         role != nullptr || prepared != derived.end()};
  }

  void drawBlock(Block &block, unsigned depth) {
    for (Operation &op : block.without_terminator()) {
      if (auto scan = dyn_cast<ScanOp>(op))
        drawScan(scan, depth);
      else if (auto loop = dyn_cast<scf::ForOp>(op))
        drawLoop(loop, depth);
      else if (isDrawn(op))
        drawOperation(op, depth);
    }
  }

  void drawOperation(Operation &op, unsigned depth) {
    llvm::SetVector<Value> read;
    for (Value value : getReadValues(op)) {
      // A result that is overwritten is not read.
      auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
      if (linalgOp && llvm::is_contained(linalgOp.getDpsInits(), value) &&
          !linalgOp.payloadUsesValueFromOperand(linalgOp.getDpsInitOperand(
              llvm::find(linalgOp.getDpsInits(), value) -
              linalgOp.getDpsInits().begin())))
        continue;
      read.insert(getRoot(value));
    }
    Polarity parameters = Neither, values = Neither;
    bool readsParameter = false, readsValue = false, allInhibitory = true;
    for (Value value : read) {
      Source source = find(value);
      if (source.node < 0)
        continue;
      if (source.isParameter) {
        readsParameter = true;
        parameters = join(parameters, source.polarity);
      } else {
        readsValue = true;
        values = join(values, source.polarity);
        allInhibitory &= source.polarity == Inhibitory;
      }
    }
    Polarity polarity = parameters;
    if (!readsParameter)
      polarity = values == Neither ? Neither
                 : allInhibitory   ? Inhibitory
                                   : Excitatory;
    if (auto apply = dyn_cast<ApplyPolarityOp>(op))
      polarity = Both;

    std::string shape;
    if (op.getNumResults() != 0)
      shape = describeShape(op.getResult(0).getType());
    int node = addNode(depth, describe(op) + "\n" + shape, polarity, "box");
    for (Value value : read)
      connect(find(value), node);
    // Of a layer's units only the excitatory ones are seen from outside.
    bool isParameter = readsParameter && !readsValue;
    Source source{node,
                  polarity == Both && !isParameter ? Excitatory : polarity,
                  isParameter};
    for (Value value : op.getResults())
      sources[value] = source;
  }

  static std::string describe(Operation &op) {
    std::string label = getShortName(&op).str();
    if (auto name = op.getLoc()->findInstanceOf<NameLoc>())
      label = (name.getName().getValue() + "\n" + label).str();
    if (auto layer = dyn_cast<EILayerOpInterface>(op)) {
      label += ("\n" + Twine(layer.getNumExcitatory()) + " E").str();
      for (OpOperand &operand : op.getOpOperands())
        if (layer.getOperandRole(operand.getOperandNumber()) == Role::Wix)
          label +=
              (" : " +
               Twine(cast<ShapedType>(operand.get().getType()).getDimSize(0)) +
               " I")
                  .str();
    }
    return label;
  }

  /// The state of a loop: what it begins with, and what an iteration gives the
  /// next one.
  void beginState(Value argument, Value initial, unsigned depth) {
    Source source = find(initial);
    int node = addNode(
        depth, "state\n" + describeShape(argument.getType()),
        source.polarity == Neither ? Excitatory : source.polarity, "ellipse");
    connect(source, node);
    sources[argument] = {node, Excitatory, false};
  }
  void endState(Value argument, Value next) {
    connect(find(next), sources[argument].node, " style=dashed");
  }

  void openCluster(const Twine &label, unsigned depth) {
    os.indent(2 * depth) << "subgraph cluster_" << numClusters++ << " {\n";
    os.indent(2 * depth + 2)
        << "label=\"" << quote(label.str()) << "\" color=\"#999999\"\n";
  }

  void drawScan(ScanOp scan, unsigned depth) {
    openCluster((scan.getReverse() ? "reverse scan of " : "scan of ") +
                    Twine(scan.getNumSteps()) + " steps",
                depth);
    for (auto [argument, initial] :
         llvm::zip_equal(scan.getCarryArguments(), scan.getInitials()))
      beginState(argument, initial, depth + 1);
    for (auto [argument, sequence] :
         llvm::zip_equal(scan.getSliceArguments(), scan.getSequences()))
      sources[argument] = find(sequence);
    for (auto [argument, value] :
         llvm::zip_equal(scan.getInvariantArguments(), scan.getInvariants()))
      sources[argument] = find(value);
    drawBlock(scan.getBody().front(), depth + 1);
    os.indent(2 * depth) << "}\n";
    auto yield = scan.getYield();
    for (auto [argument, next] :
         llvm::zip_equal(scan.getCarryArguments(), yield.getCarries()))
      endState(argument, next);
    for (auto [result, value] :
         llvm::zip_equal(scan.getResults(), yield->getOperands()))
      sources[result] = find(value);
  }

  void drawLoop(scf::ForOp loop, unsigned depth) {
    openCluster("loop", depth);
    for (auto [argument, initial] :
         llvm::zip_equal(loop.getRegionIterArgs(), loop.getInitArgs()))
      // Tensors to which an iteration adds a slice are no states.
      if (find(initial).node < 0)
        sources[argument] = {};
      else
        beginState(argument, initial, depth + 1);
    drawBlock(*loop.getBody(), depth + 1);
    os.indent(2 * depth) << "}\n";
    for (auto [argument, next] :
         llvm::zip_equal(loop.getRegionIterArgs(), loop.getYieldedValues()))
      if (find(argument).node >= 0)
        endState(argument, next);
    for (auto [result, value] :
         llvm::zip_equal(loop.getResults(), loop.getYieldedValues()))
      sources[result] = find(value);
  }

  func::FuncOp function;
  raw_ostream &os;
  DenseMap<Value, Source> sources;
  DenseMap<StringAttr, Polarity> derived; // tensors, by name
  std::string text;
  int numNodes = 0, numClusters = 0;
};

/// The picture that Graphviz makes of `graph`, without the declarations before
/// it, or none after an error at `loc`.
std::optional<std::string> renderSvg(StringRef graph, Location loc) {
  auto dot = llvm::sys::findProgramByName("dot");
  if (!dot) {
    emitError(loc) << "drawing SVG needs the program dot of Graphviz, which "
                      "is not installed: install it, or write a .dot file";
    return std::nullopt;
  }
  llvm::SmallString<128> files[3];
  llvm::FileRemover removers[3];
  static constexpr const char *kSuffixes[] = {"dot", "svg", "log"};
  for (auto [file, remover, suffix] :
       llvm::zip_equal(files, removers, kSuffixes)) {
    if (std::error_code error =
            llvm::sys::fs::createTemporaryFile("dann-graph", suffix, file)) {
      emitError(loc) << "cannot create a temporary file: " << error.message();
      return std::nullopt;
    }
    remover.setFile(file);
  }
  {
    std::error_code error;
    llvm::raw_fd_ostream os(files[0], error);
    os << graph;
    os.close();
    if (error || os.has_error()) {
      emitError(loc) << "cannot write '" << files[0] << "'";
      os.clear_error();
      return std::nullopt;
    }
  }
  std::optional<StringRef> redirects[] = {files[0].str(), files[1].str(),
                                          files[2].str()};
  std::string message;
  int status = llvm::sys::ExecuteAndWait(*dot, {*dot, "-Tsvg"}, std::nullopt,
                                         redirects, 0, 0, &message);
  auto svg = llvm::MemoryBuffer::getFile(files[1], /*IsText=*/true);
  size_t begin = svg ? (*svg)->getBuffer().find("<svg") : StringRef::npos;
  if (status != 0 || begin == StringRef::npos) {
    if (auto log = llvm::MemoryBuffer::getFile(files[2], /*IsText=*/true))
      message += (*log)->getBuffer().trim().str();
    emitError(loc) << *dot << " failed: " << message;
    return std::nullopt;
  }
  return (*svg)->getBuffer().substr(begin).str();
}

struct DrawGraphPass : dann::impl::DrawGraphBase<DrawGraphPass> {
  using DrawGraphBase::DrawGraphBase;

  void runOnOperation() override {
    if (failed(draw()))
      signalPassFailure();
    markAllAnalysesPreserved();
  }

  LogicalResult draw() {
    ModuleOp module = getOperation();
    // What is wrong with the options or the output, not with the model.
    Location loc = UnknownLoc::get(&getContext());
    StringRef extension = llvm::sys::path::extension(output);
    if (extension != ".dot" && extension != ".svg" && extension != ".html")
      return emitError(loc) << "output is '" << output.getValue()
                            << "', but has to end in .dot, .svg or .html";
    auto drawn = module.lookupSymbol<func::FuncOp>(function);
    if (!drawn || !drawn.getBody().hasOneBlock())
      return module.emitError() << "has no function '" << function.getValue()
                                << "' of one block to draw";
    if (llvm::any_of(drawn.getArgumentTypes(), llvm::IsaPred<BaseMemRefType>))
      return drawn.emitError("works on buffers: what is drawn are tensors");
    std::string text;
    llvm::raw_string_ostream os(text);
    Drawing(drawn, os).run();
    if (extension != ".dot") {
      std::optional<std::string> svg = renderSvg(text, loc);
      if (!svg)
        return failure();
      text.clear();
      if (extension == ".svg")
        os << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" << *svg;
      else
        wrapInHtml(*svg, os);
    }
    std::string message;
    auto file = openOutputFile(output, &message);
    if (!file)
      return emitError(loc) << message;
    file->os() << text;
    file->keep();
    return success();
  }

  static void wrapInHtml(StringRef svg, raw_ostream &os) {
    os << "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
          "<meta charset=\"utf-8\">\n<title>dann</title>\n<style>\n"
          "body { font-family: Helvetica, Arial, sans-serif; }\n"
          "span { padding: 0.2em 0.6em; border: 1px solid; }\n"
          "</style>\n</head>\n<body>\n<p>\n";
    for (auto [polarity, name] :
         {std::pair(Excitatory, "excitatory"), {Inhibitory, "inhibitory"}})
      os << "<span style=\"background: " << getFill(polarity)
         << "; border-color: " << getLine(polarity) << "\">" << name
         << "</span>\n";
    os << "</p>\n" << svg << "</body>\n</html>\n";
  }
};

} // namespace
