//===- DannInterfaces.td - What passes ask of an operation ----------------===//

#ifndef DANN_INTERFACES
#define DANN_INTERFACES

include "mlir/IR/OpBase.td"

def Dann_DifferentiableOpInterface : OpInterface<"DifferentiableOpInterface"> {
  let cppNamespace = "::mlir::dann";
  let description = [{
    An operation with a vector-Jacobian product (VJP), the building block of
    reverse-mode differentiation. `dann` operations implement it; upstream
    operations get it as external models (`passes/AutodiffRules.cpp`).

    At points where an operation is not differentiable its rule decides which
    subgradient it takes, and says so.
  }];
  let methods = [
    InterfaceMethod<[{
        Whether this very operation has a derivative: a rule may cover only
        some forms of an operation.
      }],
      "bool", "isDifferentiable", (ins), [{}], [{ return true; }]>,
    InterfaceMethod<[{
        Builds the VJP. `resultCotangents` has one value per result, null where
        nothing flows back. The rule sets `operandCotangents[i]` for each
        operand `i` with `active[i]`; null stands for zero. The values of the
        operation itself are in scope and may be used as residuals.
        Only called where `isDifferentiable()` holds.
      }],
      "void", "buildVjp",
      (ins "::mlir::OpBuilder &":$builder,
           "::llvm::ArrayRef<::mlir::Value>":$resultCotangents,
           "const ::llvm::BitVector &":$active,
           "::llvm::MutableArrayRef<::mlir::Value>":$operandCotangents)>
  ];
}

def Dann_InferSignOpInterface : OpInterface<"InferSignOpInterface"> {
  let cppNamespace = "::mlir::dann";
  let description = [{
    Tells which signs the entries of the results can have, given those of the
    operands. The transfer function of the analysis behind `--dann-check-dale`;
    upstream operations have theirs in `passes/SignAnalysis.cpp`.
  }];
  let methods = [
    InterfaceMethod<"The signs of the results.",
      "void", "inferResultSigns",
      (ins "::llvm::ArrayRef<::mlir::dann::Sign>":$operandSigns,
           "::llvm::MutableArrayRef<::mlir::dann::Sign>":$resultSigns)>
  ];
}

def Dann_EILayerOpInterface : OpInterface<"EILayerOpInterface"> {
  let cppNamespace = "::mlir::dann";
  let description = [{
    A layer of excitatory units with inhibitory interneurons of its own. Tells
    what each operand is, from which follow the sign that Dale's law demands of
    it and how its gradient is corrected.
  }];
  let methods = [
    InterfaceMethod<"The role of the operand `index`, if it is a parameter.",
      "::std::optional<::mlir::dann::Role>", "getOperandRole",
      (ins "unsigned":$index)>,
    InterfaceMethod<"The sign that Dale's law demands of operand `index`.",
      "::mlir::dann::Sign", "getRequiredSign", (ins "unsigned":$index)>,
    InterfaceMethod<"The number of inputs of one excitatory unit, d.",
      "int64_t", "getFanIn">,
    InterfaceMethod<"The number of excitatory units, ne.",
      "int64_t", "getNumExcitatory">
  ];
}

def Dann_OptimizerAttrInterface : AttrInterface<"OptimizerAttrInterface"> {
  let cppNamespace = "::mlir::dann";
  let description = [{
    An optimizer with its settings: builds the step of one parameter. What
    belongs to several parameters or follows the step (correction, clipping,
    projection) is not the optimizer's.
  }];
  let methods = [
    InterfaceMethod<"What is kept for a parameter of type `type` and role `role`.",
      "::llvm::SmallVector<::mlir::dann::OptimizerState, 2>", "getStates",
      (ins "::mlir::dann::Role":$role, "::mlir::RankedTensorType":$type), [{}],
      [{ return {}; }]>,
    InterfaceMethod<"Whether the step depends on how many there have been.",
      "bool", "countsSteps", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{
        Whether the step needs the mean over the samples of the squares of their
        gradients, for labels drawn from the model.
      }],
      "bool", "needsSquaredGradients", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<"Builds the step of one parameter.",
      "::mlir::dann::OptimizerResult", "buildStep",
      (ins "const ::mlir::dann::OptimizerStep &":$step)>,
    InterfaceMethod<[{
        Builds the learning rate of a layer, in whose steps it takes the place of
        `step.learningRate`. `step` is that of the layer's excitatory weights, of
        the weights of a standard layer, or of the first parameter.
      }],
      "::mlir::Value", "buildLayerRate",
      (ins "const ::mlir::dann::OptimizerStep &":$step), [{}],
      [{ return step.learningRate; }]>,
    InterfaceMethod<[{
        Why this optimizer cannot train with the inhibitory correction; nothing
        if it can.
      }],
      "::std::optional<::std::string>", "explainNoCorrection", (ins), [{}],
      [{ return ::std::nullopt; }]>,
    InterfaceMethod<"The optimizer for readers, e.g. \"sgd, momentum 0.9\".",
      "::std::string", "describe">
  ];
}

def Dann_TrainingModeOpInterface : OpInterface<"TrainingModeOpInterface"> {
  let cppNamespace = "::mlir::dann";
  let description = [{
    An operation that does something else while the network is trained, e.g.
    dropout. `--dann-expand-training` replaces it by its training form in the
    function that is differentiated.
  }];
  let methods = [
    InterfaceMethod<"Whether the training form reads the random key.",
      "bool", "needsRandomKey", (ins), [{}], [{ return false; }]>,
    InterfaceMethod<[{
        Builds the training form. Sets `results`, one value for each result of
        the operation. `key` is a tensor<i64>, another number at each step, for
        random numbers from stream `stream`, which is the operation's own; it is
        null if `needsRandomKey()` is false.

        If the operation keeps statistics in parameters, the rule sets
        `updates[i]` to what shall be the parameter's value, given as operand
        `i`, after the step.
      }],
      "void", "buildTrainingForm",
      (ins "::mlir::OpBuilder &":$builder, "::mlir::Value":$key,
           "int64_t":$stream,
           "::llvm::MutableArrayRef<::mlir::Value>":$results,
           "::llvm::MutableArrayRef<::mlir::Value>":$updates)>
  ];
}

#endif // DANN_INTERFACES
