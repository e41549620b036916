//===- Exporter.h - Builds an ONNX model of a network ---------------------===//

#ifndef DANN_FRONTEND_ONNX_EXPORTER_H
#define DANN_FRONTEND_ONNX_EXPORTER_H

#include "frontend/Onnx/DannLayers.h"
#include "frontend/Onnx/OnnxExport.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/StringSet.h"

namespace mlir::dann::onnx {

/// What a linalg.generic does to the elements of its inputs. The bias has the
/// units, which are dimension 1.
enum class Elementwise { None, Relu, AddBias };
Elementwise classify(linalg::GenericOp op);

/// Makes a node, or a few, of each operation of `@forward`.
class Exporter {
public:
  explicit Exporter(func::FuncOp forward) : forward(forward) {}

  LogicalResult run();
  FailureOr<OnnxModels> finish();

private:
  LogicalResult addArguments();
  void setType(proto::ValueInfoProto &info, RankedTensorType type);
  LogicalResult addOperation(Operation *op);
  LogicalResult addDense(EiDenseOp op);
  LogicalResult addProduct(linalg::ContractOp op);
  LogicalResult addGeneric(linalg::GenericOp op);
  LogicalResult addFlatten(tensor::CollapseShapeOp op);
  LogicalResult addPolarity(ApplyPolarityOp op);
  LogicalResult addBatchNorm(BatchNormOp op);
  LogicalResult addDropout(DropoutOp op);
  /// A node that makes a tensor of floats.
  void addTensor(Value constant, DenseElementsAttr elements);

  // ExportImages.cpp
  LogicalResult addEiConvolution(EiConv2dOp op);
  LogicalResult addConvolution(linalg::Conv2DNchwFchwOp op);
  LogicalResult addMaximum(linalg::PoolingNchwMaxOp op);
  LogicalResult addAverage(linalg::PoolingNchwSumOp op);
  /// Adds nodes for a product of images with a constant matrix along one of
  /// their dimensions; returns whether it is one.
  bool addProductAlong(linalg::GenericOp op);
  /// The strides, dilations and pads of a node.
  template <typename OpTy>
  void addWindows(proto::NodeProto &node, OpTy op, ArrayRef<int64_t> padding);

  // ExportRecurrence.cpp
  LogicalResult addScan(ScanOp op);
  /// Whether an operation only prepares the operands of scans.
  bool isPartOfScan(Operation *op);

  // ExportNodes.cpp
  /// The name of the scalar that a node makes of a float constant.
  std::string addScalar(Value constant, StringRef layer);
  /// The name of the tensor that a node makes of its elements.
  std::string addConstant(StringRef layer, StringRef suffix, int32_t type,
                          ArrayRef<int64_t> shape, StringRef rawData);
  std::string addFloats(StringRef layer, StringRef suffix,
                        ArrayRef<int64_t> shape, ArrayRef<double> values);
  std::string addAxes(StringRef layer, ArrayRef<int64_t> axes);
  static void setInteger(proto::NodeProto &node, StringRef name, int64_t value);
  static void addIntegers(proto::NodeProto &node, StringRef name,
                          ArrayRef<int64_t> values);
  static void addFloat(proto::NodeProto &node, StringRef name, double value);

  /// Adds a node that computes `result`: the layer `name`, or with a `suffix`
  /// what belongs to it.
  proto::NodeProto &addNode(StringRef type, ValueRange operands, Value result,
                            StringRef name, StringRef suffix = "");
  /// The node of an E/I layer with the inputs x and its parameters.
  proto::NodeProto &addEiLayer(EILayerOpInterface op, StringRef type);
  /// If nothing but the sum with a bias uses `product`, that sum; the bias
  /// becomes an operand. Otherwise the product.
  Value takeBias(Value product, SmallVectorImpl<Value> &operands);
  /// The layer that one of the operands is a parameter of.
  std::string getWeightsLayer(ValueRange operands) const;
  /// The name of the layer that a parameter belongs to: "0" of "0.wex".
  static std::string getLayerName(StringRef parameter) {
    return parameter.rsplit('.').first.str();
  }
  /// Adds `name` to the taken ones, or one like it.
  static std::string makeUnique(llvm::StringSet<> &taken, const Twine &name);
  LogicalResult fail(Operation *op) {
    return op->emitOpError("cannot be exported to ONNX");
  }

  func::FuncOp forward;
  proto::ModelProto model;
  llvm::StringSet<> taken, takenByNodes;
  DenseMap<Value, std::string> names;
  /// The layer of a value, for the names of what is computed of it.
  DenseMap<Value, std::string> layers;
  std::vector<OnnxParameter> parameters;
  int32_t dataType = proto::TensorProto::FLOAT;
};

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_EXPORTER_H
