//===- DannLayers.h - Layers of dann as ONNX nodes ------------------------===//

#ifndef DANN_FRONTEND_ONNX_DANNLAYERS_H
#define DANN_FRONTEND_ONNX_DANNLAYERS_H

#include "onnx.pb.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace mlir::dann::onnx {

namespace proto = ::onnx;

/// The domain of operators that ONNX lacks. docs/onnx.md defines them.
inline constexpr llvm::StringLiteral kDannDomain = "ai.dann";
inline constexpr int64_t kDannVersion = 1;
inline constexpr float kDefaultEpsilon = 1e-8F;

/// The shortest decimal number that is rounded to `value`: an attribute holds
/// 1e-8 as the float next to it.
double toDecimal(float value);

/// What a layer is called: "EIDense", and what it has or lacks behind that.
/// Functions have no optional inputs, so a layer without one has an operator
/// of its own.
struct LayerOperator {
  enum class Kind {
    EiDense,
    EiConv2d,
    EiRecurrent,
    Recurrent,
    ApplyPolarity,
    ApplyColumnPolarity
  };
  Kind kind;
  bool isDivisive = false, isLinear = false, givesLast = false;
  bool hasGain = true, hasBias = true, hasInitial = true;

  /// None for other operators.
  static std::optional<LayerOperator> parse(StringRef opType);
  static std::vector<LayerOperator> getAll();
  std::string getName() const;
  SmallVector<StringRef, 14> getInputs() const;
  /// How many of them may not be left out; they come first.
  int getNumRequired() const;
  StringRef getOutput() const;
  /// The attributes, with the values of those that are left out.
  std::vector<proto::AttributeProto> getAttributes() const;
};

/// A node that is a layer.
class Layer {
public:
  static bool is(const proto::NodeProto &node) {
    return node.domain() == kDannDomain &&
           LayerOperator::parse(node.op_type()).has_value();
  }
  explicit Layer(const proto::NodeProto &node)
      : node(node), op(*LayerOperator::parse(node.op_type())),
        inputs(op.getInputs()) {}

  /// The operator for the inputs that the node has.
  LayerOperator getOperator() const;
  /// The name of an input of the node; empty if it is left out.
  std::string getInput(StringRef name) const;
  bool isInput(StringRef name) const {
    return llvm::is_contained(inputs, name);
  }
  bool isOutput(StringRef name) const { return name == op.getOutput(); }
  /// Null if it is not given.
  const proto::AttributeProto *getAttribute(StringRef name) const;

private:
  const proto::NodeProto &node;
  LayerOperator op;
  SmallVector<StringRef, 14> inputs;
};

using Nodes = google::protobuf::RepeatedPtrField<proto::NodeProto>;

/// Where the nodes that compute a layer go.
struct LayerBody {
  Nodes &nodes;
  int32_t dataType;
  /// The layer that is replaced; null in a function, where attributes are
  /// references to those of the function.
  const Layer *layer;
  /// The name for a value of the layer in its place.
  llvm::function_ref<std::string(StringRef)> translate;
};

/// Appends the nodes that compute a layer.
void buildLayerBody(const LayerOperator &op, const LayerBody &body);

/// Gives each layer of the model that has none a function, so that runtimes
/// that do not know the domain can execute it. Elements are of the type
/// `dataType`. Layers without all optional inputs are renamed.
void addLayerFunctions(proto::ModelProto &model, int32_t dataType);

/// Replaces layers by operators of ONNX.
void expandLayers(proto::ModelProto &model, int32_t dataType);

/// Whether the model has layers.
bool hasLayers(const proto::ModelProto &model);

/// The first version of ONNX's operators that functions and expansions use in
/// this form.
inline constexpr int64_t kLayerOpset = 13;

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_DANNLAYERS_H
