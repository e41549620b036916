//===- Node.h - Importing one node of an ONNX graph -----------------------===//

#ifndef DANN_FRONTEND_ONNX_NODE_H
#define DANN_FRONTEND_ONNX_NODE_H

#include "frontend/Onnx/KnownContents.h"
#include "frontend/Onnx/OnnxFile.h"

#include "Utils/LinalgBuilder.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann::onnx {

class GraphImporter;

/// A value of an ONNX graph. MLIR's integers have no sign, ONNX' types do.
///
/// It may be a sequence of tensors instead, which only operators get that take
/// sequences. They are resolved while the graph is imported.
struct Tensor {
  Value value;
  int32_t dataType = proto::TensorProto::UNDEFINED;
  const std::vector<Tensor> *sequence = nullptr; // the graph's

  explicit operator bool() const { return value || sequence; }
  RankedTensorType getType() const {
    return cast<RankedTensorType>(value.getType());
  }
  Type getElementType() const { return getType().getElementType(); }
  ArrayRef<int64_t> getShape() const { return getType().getShape(); }
  int64_t getRank() const { return getType().getRank(); }
  int64_t getDim(int64_t index) const { return getShape()[index]; }

  bool isFloat() const { return isa<FloatType>(getElementType()); }
  bool isBool() const { return dataType == proto::TensorProto::BOOL; }
  bool isInteger() const { return !isFloat() && !isBool(); }
  bool isUnsigned() const { return onnx::isUnsigned(dataType); }
};

/// One node while it is imported, and the means to build what it computes.
///
/// Of shapes only one size is unknown at compile time, that of the batch
/// (ShapedType::kDynamic).
///
/// The getters of attributes cannot fail: what the file says wrongly is
/// reported, fails the node when its import returns, and reads as the default.
/// Values are unchecked otherwise.
class Node {
public:
  Node(GraphImporter &graph, const proto::NodeProto &node, int64_t opset,
       OpBuilder &builder, Location loc);

  StringRef getOpType() const { return node.op_type(); }
  /// The version of the operator's domain that the model imports.
  int64_t getOpset() const { return opset; }
  Location getLoc() const { return loc; }
  MLIRContext *getContext() const { return loc.getContext(); }

  /// An error at the node, which begins with its operator.
  InFlightDiagnostic emitError();

  //===------------------------------------------------------------------===//
  // Inputs and outputs
  //===------------------------------------------------------------------===//

  int getNumInputs() const { return node.input_size(); }
  bool hasInput(int index) const {
    return index < node.input_size() && !node.input(index).empty();
  }
  /// Input `index`; no value if it is left out.
  Tensor getInput(int index);
  /// All inputs that are not left out.
  SmallVector<Tensor> getInputs();
  /// The elements of an integer or float input that are known now.
  std::optional<SmallVector<int64_t>> getKnownInts(int index);
  std::optional<SmallVector<double>> getKnownFloats(int index);

  int getNumOutputs() const { return node.output_size(); }
  bool hasOutput(int index) const {
    return index < node.output_size() && !node.output(index).empty();
  }
  /// The shape that the model declares for an output, if it does and all of it
  /// is known; for operators whose results depend on values.
  std::optional<SmallVector<int64_t>> getDeclaredShape(int index);
  /// The shape that an input gives or, if it is not known, the declared one of
  /// output 0; reports that there is none.
  FailureOr<SmallVector<int64_t>> getShape(int input);
  void setOutput(int index, Tensor tensor);
  /// Sets output 0, unless there is none.
  LogicalResult setResult(FailureOr<Tensor> result);

  //===------------------------------------------------------------------===//
  // Attributes
  //===------------------------------------------------------------------===//

  bool hasAttribute(StringRef name) const;
  int64_t getInt(StringRef name, int64_t otherwise);
  float getFloat(StringRef name, float otherwise);
  std::string getString(StringRef name, StringRef otherwise);
  SmallVector<int64_t> getInts(StringRef name,
                               ArrayRef<int64_t> otherwise = {});
  SmallVector<float> getFloats(StringRef name, ArrayRef<float> otherwise = {});
  SmallVector<std::string> getStrings(StringRef name);
  /// Null if it is not given.
  const proto::TensorProto *getTensor(StringRef name);
  /// Fails if it is not given.
  FailureOr<const proto::GraphProto *> getGraph(StringRef name);

  /// An attribute `name` that counts dimensions of a tensor of `rank` from 0,
  /// or from behind with negative numbers.
  FailureOr<int64_t> getAxis(StringRef name, int64_t otherwise, int64_t rank);
  /// The same for a value that is no attribute.
  FailureOr<int64_t> normalizeAxis(int64_t axis, int64_t rank);
  /// Axes without a repetition, normalized. They are those of the attribute or,
  /// from `inputOpset` on, of input `inputIndex`; none if they are not given.
  FailureOr<std::optional<SmallVector<int64_t>>>
  getAxes(int64_t inputOpset, int inputIndex, int64_t rank);

  //===------------------------------------------------------------------===//
  // Checks, which report what they refuse
  //===------------------------------------------------------------------===//

  LogicalResult requireFloat(Tensor tensor);
  LogicalResult requireNumber(Tensor tensor);
  LogicalResult requireBool(Tensor tensor);
  LogicalResult requireRank(Tensor tensor, int64_t rank);
  LogicalResult requireSameType(ArrayRef<Tensor> tensors);
  /// Whether a tensor may have this shape.
  LogicalResult checkSize(ArrayRef<int64_t> shape);
  /// Counts work, or memory, that does not follow from the size of the file.
  LogicalResult charge(int64_t numUses);

  //===------------------------------------------------------------------===//
  // Building
  //===------------------------------------------------------------------===//

  ImplicitLocOpBuilder &b() { return builder; }
  LinalgBuilder &linalg() { return linalgBuilder; }

  /// What a body computes from the elements of its inputs.
  using Body = LinalgBuilder::Body;

  /// The shape that the tensors have by numpy's rules of broadcasting.
  FailureOr<SmallVector<int64_t>> getBroadcastShape(ArrayRef<Tensor> tensors);
  /// Applies `body` to each element of the broadcast tensors.
  FailureOr<Tensor> elementwise(ArrayRef<Tensor> tensors, int32_t dataType,
                                Body body);
  /// `tensor` in a larger shape, by numpy's rules.
  FailureOr<Tensor> broadcast(Tensor tensor, ArrayRef<int64_t> shape);
  /// `tensor` in loops over a shape that it broadcasts to, without the
  /// dimensions that are repeated. Its last dimensions may be no part of that,
  /// and have the loops `inner`.
  LinalgBuilder::Indexed indexBroadcast(Tensor tensor, ArrayRef<int64_t> shape,
                                        ArrayRef<unsigned> inner = {});
  /// The sizes of a shape: constants, and the size of the batch.
  SmallVector<OpFoldResult> getSizes(ArrayRef<int64_t> shape);
  /// A tensor of which each element is computed from its index.
  Tensor generate(ArrayRef<int64_t> shape, int32_t dataType, Body body);

  /// The same elements in another shape of as many.
  FailureOr<Tensor> reshape(Tensor tensor, ArrayRef<int64_t> shape);
  /// Without the dimensions `axes`, whose sizes are 1.
  Tensor squeeze(Tensor tensor, ArrayRef<int64_t> axes);
  Tensor transpose(Tensor tensor, ArrayRef<int64_t> permutation);
  /// A part of a tensor; `offsets` and `strides` are not negative.
  Tensor slice(Tensor tensor, ArrayRef<int64_t> offsets,
               ArrayRef<int64_t> sizes, ArrayRef<int64_t> strides);
  /// `tensor` with more elements around it.
  Tensor pad(Tensor tensor, ArrayRef<int64_t> low, ArrayRef<int64_t> high,
             Value padding);
  /// Parts of the given sizes along an axis, which together are all of it.
  FailureOr<SmallVector<Tensor>> split(Tensor tensor, int64_t axis,
                                       ArrayRef<int64_t> sizes);
  /// Reports tensors that do not fit.
  FailureOr<Tensor> concatenate(ArrayRef<Tensor> tensors, int64_t axis);
  /// ONNX' Cast.
  FailureOr<Tensor> convert(Tensor tensor, int32_t dataType);
  Value convertScalar(ImplicitLocOpBuilder &b, Value value, int32_t from,
                      int32_t to);

  Tensor constant(ElementsAttr elements, int32_t dataType);
  Tensor constant(ArrayRef<int64_t> ints);
  /// An int64 of rank 0.
  Tensor number(int64_t value);
  /// One value everywhere.
  Tensor fill(ArrayRef<int64_t> shape, int32_t dataType, double value);
  Value scalar(int32_t dataType, double value);
  /// The elements of a tensor in the file.
  FailureOr<Tensor> load(const proto::TensorProto &tensor);

  /// Imports a graph of an attribute into a block whose arguments are
  /// `inputs`; returns its outputs.
  FailureOr<SmallVector<Tensor>> importGraph(const proto::GraphProto &graph,
                                             ArrayRef<Tensor> inputs);
  Tensor makeSequence(std::vector<Tensor> elements, int32_t dataType);
  /// What the graph knows by a name; no value if nothing.
  Tensor lookup(StringRef name) const;
  KnownContents &getKnownContents();
  bool hasFailed() const { return failed; }

private:
  const proto::AttributeProto *find(StringRef name,
                                    proto::AttributeProto::AttributeType type);

  GraphImporter &graph;
  const proto::NodeProto &node;
  int64_t opset;
  Location loc;
  ImplicitLocOpBuilder builder;
  LinalgBuilder linalgBuilder;
  bool failed = false;
};

/// Gives the node its outputs, or reports why it cannot.
using NodeImporter = LogicalResult (*)(Node &node);

/// How the nodes of an operator are imported.
struct OperatorEntry {
  StringRef name;
  /// The first version of the domain that has this meaning.
  int64_t sinceOpset;
  /// Inputs before `minInputs` may not be left out.
  int minInputs, maxInputs;
  int maxOutputs;
  NodeImporter import;
  StringRef domain = "";
  /// Whether inputs may be sequences.
  bool takesSequences = false;
};
constexpr int kAnyNumber = 1 << 20;

/// The entry of an operator for a version of its domain, null if there is none.
const OperatorEntry *findOperator(StringRef domain, StringRef name,
                                  int64_t opset);

// Operators by families, each in the file of its name.
ArrayRef<OperatorEntry> getElementwiseOperators();
ArrayRef<OperatorEntry> getActivationOperators();
ArrayRef<OperatorEntry> getShapeOperators();
ArrayRef<OperatorEntry> getSliceOperators();
ArrayRef<OperatorEntry> getConstantOperators();
ArrayRef<OperatorEntry> getProductOperators();
ArrayRef<OperatorEntry> getConvolutionOperators();
ArrayRef<OperatorEntry> getPoolingOperators();
ArrayRef<OperatorEntry> getImageOperators();
ArrayRef<OperatorEntry> getResizeOperators();
ArrayRef<OperatorEntry> getSamplingOperators();
ArrayRef<OperatorEntry> getReductionOperators();
ArrayRef<OperatorEntry> getTopKOperators();
ArrayRef<OperatorEntry> getNormalizationOperators();
ArrayRef<OperatorEntry> getLossOperators();
ArrayRef<OperatorEntry> getIndexingOperators();
ArrayRef<OperatorEntry> getMaskOperators();
ArrayRef<OperatorEntry> getEinsumOperators();
ArrayRef<OperatorEntry> getQuantizationOperators();
ArrayRef<OperatorEntry> getSignalOperators();
ArrayRef<OperatorEntry> getNGramOperators();
ArrayRef<OperatorEntry> getRecurrentOperators();
ArrayRef<OperatorEntry> getControlOperators();
ArrayRef<OperatorEntry> getSequenceOperators();
ArrayRef<OperatorEntry> getTrainingOperators();
ArrayRef<OperatorEntry> getDannOperators();

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_NODE_H
