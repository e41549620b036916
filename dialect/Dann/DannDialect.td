//===- DannDialect.td - The dann dialect and its attributes ---------------===//

#ifndef DANN_DIALECT
#define DANN_DIALECT

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"

def Dann_Dialect : Dialect {
  let name = "dann";
  let cppNamespace = "::mlir::dann";
  let summary = "Dale's ANNs: excitatory/inhibitory layers and their training";
  let description = [{
    What upstream dialects lack for networks that obey Dale's law: layers of
    excitatory and inhibitory units, the training of such a network as one
    symbol, the correction of inhibitory gradients, and projections on sign
    constraints. All other maths stays in `linalg`, `tensor`, `arith` and
    `math`, on tensors with value semantics.

    Weights are post x pre: `wex[ne, d]`, `wix[ni, d]`, `wei[ne, ni]`, for d
    inputs, ne excitatory and ni inhibitory units. B stands for the batch size,
    a dynamic dimension.

    Arguments and results of functions carry discardable attributes:

    | attribute        | on                | meaning |
    | ---------------- | ----------------- | ------- |
    | `dann.name`      | argument, result  | the name that users see, e.g. `"0.wex"` |
    | `dann.role`      | argument          | what a parameter is, e.g. `#dann<role wex>`; marks it as a parameter, or with `state` as a state of the optimizer |
    | `dann.sign`      | argument, result  | the sign contract: assumed of an argument, proven of a result |
    | `dann.range`     | argument          | `[minimum, maximum]` of the values of an input, as `f64`s |
    | `dann.updates`   | result            | the index of the argument that it replaces |
    | `dann.initial`   | argument          | the initial value of a parameter, an elements attribute |
    | `dann.unsigned`  | argument, result  | its integers have no sign |
    | `dann.inference` | function          | unit: marks an entry point that trains nothing; what depends on parameters alone is prepared before its calls |
    | `dann.settings`  | function          | what remains of `dann.training`: `batch_size`, `epochs`, `learning_rate`, `loss`, `optimizer` and, if there is one, `schedule` |
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    static constexpr llvm::StringLiteral kNameAttr = "dann.name";
    static constexpr llvm::StringLiteral kRoleAttr = "dann.role";
    static constexpr llvm::StringLiteral kSignAttr = "dann.sign";
    static constexpr llvm::StringLiteral kRangeAttr = "dann.range";
    static constexpr llvm::StringLiteral kUpdatesAttr = "dann.updates";
    static constexpr llvm::StringLiteral kInitialAttr = "dann.initial";
    static constexpr llvm::StringLiteral kUnsignedAttr = "dann.unsigned";
    static constexpr llvm::StringLiteral kInferenceAttr = "dann.inference";
    static constexpr llvm::StringLiteral kSettingsAttr = "dann.settings";
    // Which kernel computes a product, the operations of a lowered entry point,
    // and its scratch memory.
    static constexpr llvm::StringLiteral kKernelAttr = "dann.kernel";
    static constexpr llvm::StringLiteral kOperationsAttr = "dann.operations";
    static constexpr llvm::StringLiteral kScratchAttr = "dann.scratch";

  private:
    llvm::LogicalResult verifySignatureAttribute(Operation *op, Type type,
                                                 NamedAttribute attribute,
                                                 bool isResult);

  public:
  }];
}


def Dann_Sign : I32Enum<"Sign", "the signs that the entries of a value may have", [
    I32EnumCase<"Zero", 0, "zero">, I32EnumCase<"Nonneg", 1, "nonneg">,
    I32EnumCase<"Nonpos", 2, "nonpos">, I32EnumCase<"Any", 3, "any">]> {
  let cppNamespace = "::mlir::dann";
}
def Dann_SignAttr : EnumAttr<Dann_Dialect, Dann_Sign, "sign">;

def Dann_Role : I32Enum<"Role", "what a parameter is in its layer", [
    I32EnumCase<"Wex", 0, "wex">,      // excitatory weights
    I32EnumCase<"Wix", 1, "wix">,      // weights onto the interneurons
    I32EnumCase<"Wei", 2, "wei">,      // weights of the interneurons
    I32EnumCase<"Alpha", 3, "alpha">,  // log strength of divisive inhibition
    I32EnumCase<"Gain", 4, "g">,
    I32EnumCase<"Bias", 5, "b">,
    I32EnumCase<"Weight", 6, "w">,     // weights of a standard layer
    I32EnumCase<"Stat", 7, "stat">,    // running statistics, not trained
    // Signs of weights, 1 and -1, not trained.
    I32EnumCase<"Polarity", 8, "polarity">,
    I32EnumCase<"Initial", 9, "h0">,   // state before the first step
    // A bias as the sum of two parameters of fixed signs.
    I32EnumCase<"BiasPlus", 10, "b_plus">,
    I32EnumCase<"BiasMinus", 11, "b_minus">,
    I32EnumCase<"State", 16, "state">]> {  // of the optimizer: no parameter
  let cppNamespace = "::mlir::dann";
}
def Dann_RoleAttr : EnumAttr<Dann_Dialect, Dann_Role, "role">;

def Dann_Distribution : I32Enum<"Distribution", "a distribution of initial values", [
    I32EnumCase<"Exponential", 0, "exponential">,  // mean = std = scale
    I32EnumCase<"Normal", 1, "normal">,            // std = scale
    I32EnumCase<"Uniform", 2, "uniform">,          // mean - scale to mean + scale
    I32EnumCase<"Lognormal", 3, "lognormal">,      // std = scale
    I32EnumCase<"Bernoulli", 4, "bernoulli">]> {   // 0 or scale
  let cppNamespace = "::mlir::dann";
}
def Dann_DistributionAttr
    : EnumAttr<Dann_Dialect, Dann_Distribution, "distribution">;

def Dann_Loss : I32Enum<"Loss", "a training loss", [
    I32EnumCase<"SoftmaxCrossEntropy", 0, "softmax_cross_entropy">]> {
  let cppNamespace = "::mlir::dann";
}
def Dann_LossAttr : EnumAttr<Dann_Dialect, Dann_Loss, "loss">;

def Dann_Potential : I32Enum<"Potential", "the potential of a mirror descent", [
    I32EnumCase<"Quadratic", 0, "quadratic">,  // sum of w^2 / 2
    I32EnumCase<"Entropy", 1, "entropy">,      // sum of |w| log |w| - |w|
    I32EnumCase<"PNorm", 2, "p_norm">]> {      // sum of |w|^p / p
  let cppNamespace = "::mlir::dann";
}
def Dann_PotentialAttr : EnumAttr<Dann_Dialect, Dann_Potential, "potential">;

def Dann_Decay : I32Enum<"Decay", "how a learning rate falls", [
    I32EnumCase<"Constant", 0, "constant">,
    I32EnumCase<"Exponential", 1, "exponential">,  // a little in each step
    I32EnumCase<"Stepwise", 2, "stepwise">,        // every so many steps
    I32EnumCase<"Cosine", 3, "cosine">]> {
  let cppNamespace = "::mlir::dann";
}

def Dann_ClipScope : I32Enum<"ClipScope", "whose gradients are clipped together", [
    I32EnumCase<"Layer", 0, "layer">, I32EnumCase<"Global", 1, "global">]> {
  let cppNamespace = "::mlir::dann";
}

#endif // DANN_DIALECT
