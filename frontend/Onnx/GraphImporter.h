//===- GraphImporter.h - The scope of names of an ONNX graph --------------===//

#ifndef DANN_FRONTEND_ONNX_GRAPHIMPORTER_H
#define DANN_FRONTEND_ONNX_GRAPHIMPORTER_H

#include "frontend/Onnx/Node.h"
#include "frontend/Onnx/OnnxImport.h"

#include "llvm/ADT/DenseSet.h"
#include "llvm/ADT/StringMap.h"

#include <deque>

namespace mlir::dann::onnx {

/// Counts the operations that are built.
struct OperationCounter : OpBuilder::Listener {
  void notifyOperationInserted(Operation *, OpBuilder::InsertPoint) override {
    ++number;
  }

  int64_t number = 0;
};

/// Lets an import go on after errors, which it collects.
class ObstacleCollector {
public:
  ObstacleCollector(OnnxSupport &support, MLIRContext *context);

  /// Makes the errors since the last call an obstacle in `part`; returns
  /// whether there were any.
  bool take(const std::string &part);
  /// The same for a node; `name` is that of its location.
  bool takeNode(const proto::NodeProto &node, StringRef name);
  /// Counts a node, each once however often it is imported.
  void find(const proto::NodeProto &node, StringRef name);
  /// A node that is not looked at because of another one.
  void skip(const proto::NodeProto &node);
  bool haveBeenFound() const { return !support.obstacles.empty(); }

private:
  OnnxSupport &support;
  std::vector<std::string> errors; // since the last `take`
  llvm::DenseSet<const proto::NodeProto *> found, refused, skipped;
  ScopedDiagnosticHandler handler;
};

/// What all graphs of a model share while they are imported.
struct ImportState {
  ImportState(std::shared_ptr<const OnnxFile> file, MLIRContext *context,
              ObstacleCollector *obstacles)
      : file(std::move(file)), builder(context), obstacles(obstacles) {}

  std::shared_ptr<const OnnxFile> file;
  OpBuilder builder;
  KnownContents known;
  Value batchSize; // null if all sizes are known
  int numNodes = 0;
  OperationCounter operations;
  int64_t numUses = 0; // of names, and of elements of sequences
  /// By domain and name; empty until the first node.
  llvm::StringMap<const proto::FunctionProto *> functions;
  std::deque<std::vector<Tensor>> sequences; // which stay in place
  std::string batchName;
  ObstacleCollector *obstacles; // null: the first error is the end
};

/// Imports a graph: the main one, one in an attribute, which sees the values of
/// those around it, or the body of a function, which does not.
class GraphImporter {
public:
  GraphImporter(ImportState &state, const GraphImporter *parent = nullptr)
      : state(state), parent(parent), depth(parent ? parent->depth + 1 : 0) {}

  ImportState &getState() { return state; }

  void bind(StringRef name, Tensor tensor) { values[name] = tensor; }
  Tensor lookup(StringRef name) const;
  /// Names of which an obstacle hides the value are bound to none.
  bool isHidden(StringRef name) const;
  void declare(const proto::ValueInfoProto &info) {
    types[info.name()] = &info;
  }
  const proto::ValueInfoProto *getDeclaration(StringRef name) const {
    return types.lookup(name);
  }

  /// Binds what the graph holds besides nodes.
  LogicalResult importInitializers(const proto::GraphProto &graph);
  void importDeclarations(const proto::GraphProto &graph);
  LogicalResult importNodes(
      const google::protobuf::RepeatedPtrField<proto::NodeProto> &nodes);
  /// A graph of an attribute of one of this graph's nodes.
  FailureOr<SmallVector<Tensor>> importNested(const proto::GraphProto &graph,
                                              ArrayRef<Tensor> inputs,
                                              OpBuilder &builder, Location loc);

  /// In the body of a function, the attribute of the call that one of a node
  /// refers to; null if the call does not give it.
  const proto::AttributeProto *getCallAttribute(StringRef name) const;
  bool isFunction() const { return call != nullptr; }
  /// Counts what is done for a node that may be imported often; fails when the
  /// model asks for too much.
  LogicalResult charge(int64_t numUses, Location loc);

private:
  LogicalResult importNode(const proto::NodeProto &node);
  /// The same if the import goes on after errors; binds the outputs anyway.
  LogicalResult tryNode(const proto::NodeProto &node);
  void bindPlaceholders(const proto::NodeProto &node);
  LogicalResult importCall(const proto::NodeProto &node,
                           const proto::FunctionProto &function, Location loc);
  const proto::FunctionProto *findFunction(const proto::NodeProto &node) const;
  std::optional<int64_t> getOpset(StringRef domain) const;

  ImportState &state;
  const GraphImporter *parent; // null for functions too
  unsigned depth;
  const proto::NodeProto *call = nullptr; // of the function
  const GraphImporter *caller = nullptr;
  const proto::FunctionProto *function = nullptr;
  llvm::StringMap<Tensor> values;
  llvm::StringMap<const proto::ValueInfoProto *> types;
};

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_GRAPHIMPORTER_H
