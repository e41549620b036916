//===- DannOptimizers.td - Optimizers with their settings -----------------===//

#ifndef DANN_OPTIMIZERS
#define DANN_OPTIMIZERS

include "Dann/DannDialect.td"
include "Dann/DannInterfaces.td"
include "mlir/IR/AttrTypeBase.td"

/// A number, written as a float literal and left out where it is the default.
class Dann_Number<string default>
    : AttrOrTypeParameter<"::llvm::APFloat", "a number"> {
  let comparator = "$_lhs.bitwiseIsEqual($_rhs)";
  let defaultValue = "::llvm::APFloat(" # default # ")";
  let parser = "parseNumber($_parser)";
  let printer = "$_printer.printFloat($_self)";
}
def Dann_Flag : DefaultValuedParameter<"bool", "false">;

/// An optimizer: implements `buildStep` and `describe`, checks its settings.
class Dann_OptimizerAttr<string name, string attrMnemonic,
                         list<string> declared = []>
    : AttrDef<Dann_Dialect, name, [
        DeclareAttrInterfaceMethods<Dann_OptimizerAttrInterface, declared>]> {
  let mnemonic = attrMnemonic;
  let assemblyFormat = "(`<` struct(params)^ `>`)?";
  let genVerifyDecl = 1;
}

def Dann_SgdAttr : Dann_OptimizerAttr<"Sgd", "sgd",
                                      ["getStates", "countsSteps"]> {
  let summary = "stochastic gradient descent";
  let description = [{
    With g the gradient, plus `weight_decay` times the parameter w:

        v <- momentum v + (1 - dampening) g     (v <- g in the first step)
        d  = nesterov ? g + momentum v : v      (g without momentum)
        w <- w - learning_rate d

    as in PyTorch's `SGD`. State: `momentum` (v), unless momentum is 0.
  }];
  let parameters = (ins Dann_Number<"0.0">:$momentum,
                        Dann_Number<"0.0">:$dampening, Dann_Flag:$nesterov,
                        Dann_Number<"0.0">:$weight_decay);
}

def Dann_AdamAttr : Dann_OptimizerAttr<"Adam", "adam",
                                       ["getStates", "countsSteps"]> {
  let summary = "Adam, or AdamW with decoupled weight decay";
  let description = [{
    In step t, counted from 1, with g the gradient:

        m <- beta1 m + (1 - beta1) g
        v <- beta2 v + (1 - beta2) g^2
        d  = m / (1 - beta1^t) / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
        w <- w - learning_rate d

    Weight decay adds weight_decay w to g or, `decoupled`, multiplies w by
    max(0, 1 - learning_rate weight_decay) before the step. With `amsgrad` the
    largest v of all steps takes the place of v in d. (Kingma and Ba, 2015;
    Loshchilov and Hutter, 2019; Reddi et al., 2018; as in PyTorch's `Adam` and
    `AdamW`.) State: `mean` (m), `mean_square` (v), and `max_mean_square` with
    `amsgrad`.
  }];
  let parameters = (ins Dann_Number<"0.9">:$beta1, Dann_Number<"0.999">:$beta2,
                        Dann_Number<"1e-8">:$epsilon,
                        Dann_Number<"0.0">:$weight_decay, Dann_Flag:$decoupled,
                        Dann_Flag:$amsgrad);
}

def Dann_ExponentiatedGradientAttr
    : Dann_OptimizerAttr<"ExponentiatedGradient", "exponentiated_gradient",
                         ["getStates", "countsSteps"]> {
  let summary = "exponentiated gradient descent";
  let description = [{
    The direction d is that of `#dann.sgd`, where weight decay adds
    weight_decay sign(w) to the gradient. The step is `dann.eg_update`,

        w <- w exp(-learning_rate sign(w) d),

    which changes no sign and leaves zeros where they are. Parameters that start
    at zero and have no sign to keep, biases and initial states, and the alpha of
    divisive inhibition, which is the logarithm of a weight, take additive steps
    instead, w - additive_rate learning_rate d, without weight decay.
  }];
  let parameters = (ins Dann_Number<"0.0">:$momentum,
                        Dann_Number<"0.0">:$dampening, Dann_Flag:$nesterov,
                        Dann_Number<"0.0">:$weight_decay,
                        Dann_Number<"0.1">:$additive_rate);
}

def Dann_AdamExponentiatedGradientAttr
    : Dann_OptimizerAttr<"AdamExponentiatedGradient",
                         "adam_exponentiated_gradient",
                         ["getStates", "countsSteps"]> {
  let summary = "exponentiated gradient descent along Adam's direction";
  let description = [{
    The direction d is that of `#dann.adam`; weight decay is decoupled. The step
    is `dann.eg_update`, with the exceptions of `#dann.exponentiated_gradient`.
  }];
  let parameters = (ins Dann_Number<"0.9">:$beta1, Dann_Number<"0.999">:$beta2,
                        Dann_Number<"1e-8">:$epsilon,
                        Dann_Number<"0.01">:$weight_decay,
                        Dann_Number<"0.1">:$additive_rate, Dann_Flag:$amsgrad);
}

def Dann_MirrorDescentAttr
    : Dann_OptimizerAttr<"MirrorDescent", "mirror_descent"> {
  let summary = "mirror descent";
  let description = [{
    The step is `dann.mirror_update` with a potential; `p` is that of `p_norm`.
    With the potential `entropy`, biases, initial states and alpha take additive
    steps as with `#dann.exponentiated_gradient`.
  }];
  let parameters = (ins EnumParameter<Dann_Potential>:$potential,
                        Dann_Number<"2.0">:$p,
                        Dann_Number<"0.1">:$additive_rate);
  let assemblyFormat = "`<` struct(params) `>`";
}

def Dann_NaturalGradientAttr
    : Dann_OptimizerAttr<"NaturalGradient", "natural_gradient",
                         ["getStates", "countsSteps", "needsSquaredGradients",
                          "buildLayerRate", "explainNoCorrection"]> {
  let summary = "diagonal natural gradient descent";
  let description = [{
    With g the gradient and f the mean over the samples of their squared
    gradients, for labels drawn from the model's own predictions:

        F <- (1 - rate) F + rate scale f      (F <- scale f in the first step)
        w <- w - learning_rate g / (F + epsilon)

    F estimates the diagonal of the Fisher information, which the inhibitory
    correction approximates by counting terms. With `scale_by_norm` the learning
    rate of a layer is divided by the norm of 1 / (F + epsilon) of its excitatory
    weights, or of the weights of a standard layer (`dann.natural_rate`). State:
    `fisher` (F).
  }];
  let parameters = (ins Dann_Number<"2.5e-5">:$scale, Dann_Number<"0.02">:$rate,
                        Dann_Number<"1e-8">:$epsilon, Dann_Flag:$scale_by_norm);
}

//===----------------------------------------------------------------------===//
// What belongs to several parameters
//===----------------------------------------------------------------------===//

def Dann_ClipAttr : AttrDef<Dann_Dialect, "Clip"> {
  let summary = "how gradients are clipped";
  let description = [{
    The gradients of a scope, corrected, are multiplied by
    max_norm / (norm + 1e-6), where norm is that of all of them together, if that
    is less than 1. A `layer` are parameters whose names agree up to the last
    dot; `global` are all.
  }];
  let mnemonic = "clip";
  let parameters = (ins Dann_Number<"1.0">:$max_norm,
                        EnumParameter<Dann_ClipScope>:$scope);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Dann_CosineAngleAttr : AttrDef<Dann_Dialect, "CosineAngle"> {
  let summary = "learning rates of layers by the angle of their projection";
  let description = [{
    Each layer, parameters whose names agree up to the last dot, has the largest
    rate of a grid for which the projection on the sign contracts turns its
    weights little: cos >= 1 - epsilon for the angle between the weights after
    the step with and without the projection. The grid has `count` rates with
    equal distances, from the learning rate down to `minimum` times it. State:
    `rate_index`, where the layer stands in the grid.
  }];
  let mnemonic = "cosine_angle";
  let parameters = (ins Dann_Number<"0.01">:$minimum, "int64_t":$count,
                        Dann_Number<"0.01">:$epsilon);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

def Dann_ScheduleAttr : AttrDef<Dann_Dialect, "Schedule"> {
  let summary = "the course of the learning rate";
  let description = [{
    The learning rate of step s, counted from 0, is the given one times
    (s + 1) / warmup in the first `warmup` steps, and times a factor of the
    t = s - warmup following ones:

    | decay         | factor |
    | ------------- | ------ |
    | `constant`    | 1 |
    | `exponential` | factor^(t / steps) |
    | `stepwise`    | factor^floor(t / steps) |
    | `cosine`      | minimum + (1 - minimum) (1 + cos(pi min(t / steps, 1))) / 2 |

    Compiled programs take the learning rate as an input of each step: the
    schedule is the runtime's.
  }];
  let mnemonic = "schedule";
  let parameters = (ins EnumParameter<Dann_Decay>:$decay,
                        Dann_Number<"1.0">:$factor,
                        DefaultValuedParameter<"int64_t", "1">:$steps,
                        Dann_Number<"0.0">:$minimum,
                        DefaultValuedParameter<"int64_t", "0">:$warmup);
  let assemblyFormat = "`<` struct(params) `>`";
  let genVerifyDecl = 1;
}

#endif // DANN_OPTIMIZERS
