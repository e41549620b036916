//===- DannUpdateOps.td - Directions and steps of optimizers --------------===//
//
// An optimizer is a direction, computed from the gradient and the optimizer's
// state, and a step along it.
//
//===----------------------------------------------------------------------===//

#ifndef DANN_UPDATE_OPS
#define DANN_UPDATE_OPS

// A count of steps, whose type need not be written.
def Dann_StepCount
    : Type<Dann_Count.predicate, "0-d tensor of i64", "::mlir::TensorType">,
      BuildableType<
          "::mlir::RankedTensorType::get({}, $_builder.getI64Type())">;

def Dann_DecayGradientOp : Dann_Op<"decay_gradient", [
    Pure, AllTypesMatch<["gradient", "parameter", "decayed"]>]> {
  let summary = "weight decay as a part of the gradient";
  let description = [{
    `gradient + rate * parameter`, the gradient with that of
    rate / 2 * |parameter|^2; with `signed` `gradient + rate * sign(parameter)`,
    where sign(0) = 0, of rate * |parameter|.

    Example:

    ```mlir
    %d = dann.decay_gradient %g, %w rate 1.000000e-02 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$gradient, Dann_Tensor:$parameter,
                       F64Attr:$rate, UnitAttr:$is_signed);
  let results = (outs Dann_Tensor:$decayed);
  let assemblyFormat = [{
    $gradient `,` $parameter `rate` $rate (`signed` $is_signed^)? attr-dict
    `:` type($gradient)
  }];
}

def Dann_DecayWeightsOp : Dann_Op<"decay_weights", [
    Pure, AllTypesMatch<["parameter", "decayed"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "decoupled weight decay";
  let description = [{
    `parameter * max(0, 1 - learning_rate * rate)`. No entry changes its sign.

    Example:

    ```mlir
    %d = dann.decay_weights %w, %lr rate 1.000000e-02 : tensor<4x8xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$parameter, Dann_Scalar:$learning_rate,
                       F64Attr:$rate);
  let results = (outs Dann_Tensor:$decayed);
  let assemblyFormat = [{
    $parameter `,` $learning_rate `rate` $rate attr-dict `:` type($parameter)
    `,` type($learning_rate)
  }];
  let hasVerifier = 1;
}

def Dann_MomentumOp : Dann_Op<"momentum", [
    Pure,
    AllTypesMatch<["gradient", "velocity", "direction", "new_velocity"]>]> {
  let summary = "the direction of a step with momentum";
  let description = [{
        new_velocity = momentum velocity + (1 - dampening) gradient
        direction    = nesterov ? gradient + momentum new_velocity : new_velocity

    In the first step, step = 1, new_velocity = gradient. `step` is there if
    dampening is not 0: else a velocity of zero gives the same.

    Example:

    ```mlir
    %d, %v1 = dann.momentum %g, %v momentum 9.000000e-01 nesterov : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$gradient, Dann_Tensor:$velocity,
                       Optional<Dann_StepCount>:$step, F64Attr:$momentum,
                       DefaultValuedAttr<F64Attr, "0.0">:$dampening,
                       UnitAttr:$nesterov);
  let results = (outs Dann_Tensor:$direction, Dann_Tensor:$new_velocity);
  let assemblyFormat = [{
    $gradient `,` $velocity (`step` $step^)? `momentum` $momentum
    (`dampening` $dampening^)? (`nesterov` $nesterov^)? attr-dict
    `:` type($gradient)
  }];
  let hasVerifier = 1;
}

def Dann_AdamDirectionOp : Dann_Op<"adam_direction", [
    Pure,
    AllTypesMatch<["gradient", "mean", "mean_square", "direction", "new_mean",
                   "new_mean_square"]>]> {
  let summary = "the direction of a step of Adam";
  let description = [{
        new_mean        = beta1 mean + (1 - beta1) gradient
        new_mean_square = beta2 mean_square + (1 - beta2) gradient^2
        direction       = new_mean / (1 - beta1^step)
                        / (sqrt(new_mean_square) / sqrt(1 - beta2^step) + epsilon)

    `step` counts from 1. With `maximum` (AMSGrad; Reddi et al., 2018)
    new_maximum = max(maximum, new_mean_square) takes the place of
    new_mean_square in the direction.

    Constraints: there is a new maximum where there is a maximum.

    Example:

    ```mlir
    %d, %m1, %s1 = dann.adam_direction %g, %m, %s step %t beta1 9.000000e-01
        beta2 9.990000e-01 epsilon 1.000000e-08 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$gradient, Dann_Tensor:$mean,
                       Dann_Tensor:$mean_square,
                       Optional<Dann_Tensor>:$maximum, Dann_StepCount:$step,
                       F64Attr:$beta1, F64Attr:$beta2, F64Attr:$epsilon);
  let results = (outs Dann_Tensor:$direction, Dann_Tensor:$new_mean,
                      Dann_Tensor:$new_mean_square,
                      Optional<Dann_Tensor>:$new_maximum);
  let assemblyFormat = [{
    $gradient `,` $mean `,` $mean_square (`maximum` $maximum^)? `step` $step
    `beta1` $beta1 `beta2` $beta2 `epsilon` $epsilon attr-dict `:`
    custom<AdamTypes>(type($gradient), ref($maximum), type($maximum),
                      type($new_maximum))
  }];
  let hasVerifier = 1;
}

def Dann_EgUpdateOp : Dann_Op<"eg_update", [
    Pure, AllTypesMatch<["parameter", "direction", "updated"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "one step of exponentiated gradient descent";
  let description = [{
    `parameter * exp(-learning_rate * sign(parameter) * direction)`, with
    sign(0) = 0. No entry changes its sign and a zero stays zero: the signs of the
    result are those of the parameter. The exponent is limited to [-80, 80], of
    f64 to [-700, 700], so that the factor is finite and no zero becomes NaN; a
    direction that is NaN gives NaN.

    Example:

    ```mlir
    %w1 = dann.eg_update %w, %d, %lr : tensor<4x8xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$parameter, Dann_Tensor:$direction,
                       Dann_Scalar:$learning_rate);
  let results = (outs Dann_Tensor:$updated);
  let assemblyFormat = [{
    $parameter `,` $direction `,` $learning_rate attr-dict `:` type($parameter)
    `,` type($learning_rate)
  }];
  let hasVerifier = 1;
}

def Dann_MirrorUpdateOp : Dann_Op<"mirror_update", [
    Pure, AllTypesMatch<["parameter", "gradient", "updated"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "one step of mirror descent";
  let description = [{
    A gradient step on the dual variable: with f the gradient of the potential,
    taken entry by entry,

        updated = f^-1(f(parameter) - learning_rate * gradient)

    | potential | of an entry w    | f(w)               | f^-1(t) |
    | --------- | ---------------- | ------------------ | ------- |
    | quadratic | w^2 / 2          | w                  | t |
    | entropy   | \|w\| log\|w\| - \|w\| | sign(w) log\|w\|     | by the sign of w |
    | p_norm    | \|w\|^p / p        | sign(w) \|w\|^(p-1)  | sign(t) \|t\|^(1/(p-1)) |

    The entropy's step is that of `dann.eg_update`, which is how it is computed.

    Constraints: p is greater than 1.

    Example:

    ```mlir
    %w1 = dann.mirror_update p_norm %w, %g, %lr p 1.500000e+00
        : tensor<4x8xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins Dann_PotentialAttr:$potential, Dann_Tensor:$parameter,
                       Dann_Tensor:$gradient, Dann_Scalar:$learning_rate,
                       DefaultValuedAttr<F64Attr, "2.0">:$p);
  let results = (outs Dann_Tensor:$updated);
  let assemblyFormat = [{
    `` $potential $parameter `,` $gradient `,` $learning_rate (`p` $p^)? attr-dict
    `:` type($parameter) `,` type($learning_rate)
  }];
  let hasVerifier = 1;
}

def Dann_NaturalDirectionOp : Dann_Op<"natural_direction", [
    Pure,
    AllTypesMatch<["gradient", "squares", "fisher", "direction",
                   "new_fisher"]>]> {
  let summary = "the direction of a step of diagonal natural gradient descent";
  let description = [{
        new_fisher = (1 - rate) fisher + rate scale squares
        direction  = gradient / (new_fisher + epsilon)

    where squares are means over samples of squared gradients. In the first
    step, step = 1, new_fisher = scale squares.

    Example:

    ```mlir
    %d, %f1 = dann.natural_direction %g, %s, %f step %t scale 2.500000e-05
        rate 2.000000e-02 epsilon 1.000000e-08 : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$gradient, Dann_Tensor:$squares,
                       Dann_Tensor:$fisher, Dann_StepCount:$step,
                       F64Attr:$scale, F64Attr:$rate, F64Attr:$epsilon);
  let results = (outs Dann_Tensor:$direction, Dann_Tensor:$new_fisher);
  let assemblyFormat = [{
    $gradient `,` $squares `,` $fisher `step` $step `scale` $scale `rate` $rate
    `epsilon` $epsilon attr-dict `:` type($gradient)
  }];
}

def Dann_NaturalRateOp : Dann_Op<"natural_rate", [
    Pure, AllTypesMatch<["learning_rate", "rate"]>]> {
  let summary = "the learning rate of a layer by the norm of its inverse Fisher";
  let description = [{
    `learning_rate / |1 / (fisher + epsilon)|`, with the Euclidean norm over all
    entries: the inverse of the Fisher information then counts relative to that
    of the weights whose `fisher` it is. (The authors' released code.)

    Constraints: one element type.

    Example:

    ```mlir
    %rate = dann.natural_rate %lr, %f epsilon 1.000000e-08
          : tensor<f32>, tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_Scalar:$learning_rate, Dann_Tensor:$fisher,
                       F64Attr:$epsilon);
  let results = (outs Dann_Scalar:$rate);
  let assemblyFormat = [{
    $learning_rate `,` $fisher `epsilon` $epsilon attr-dict
    `:` type($learning_rate) `,` type($fisher)
  }];
  let hasVerifier = 1;
}

def Dann_ClipGradNormOp : Dann_Op<"clip_grad_norm", [Pure]> {
  let summary = "clipping of gradients by their common norm";
  let description = [{
    Multiplies all gradients by c = max_norm / (norm + 1e-6) if c < 1, where norm
    is the Euclidean norm of all of their entries. A norm that is NaN makes them
    NaN.

    Constraints: one result of each gradient's type, one element type; max_norm
    is positive.

    Example:

    ```mlir
    %c:2 = dann.clip_grad_norm %g, %h max_norm 1.000000e+00
         : (tensor<4x8xf32>, tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>)
    ```
  }];
  let arguments = (ins Variadic<Dann_Tensor>:$gradients, F64Attr:$max_norm);
  let results = (outs Variadic<Dann_Tensor>:$clipped);
  let assemblyFormat = [{
    $gradients `max_norm` $max_norm attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Dann_AngleLearningRateOp : Dann_Op<"angle_learning_rate", [
    Pure, SameVariadicOperandSize]> {
  let summary = "the largest learning rate at which a projection turns little";
  let description = [{
    For weights w and gradients g, all of them taken as one vector, and a grid of
    rates from `learning_rate` down to minimum * learning_rate in `count` equal
    steps, with cos(k) = |project(w - rate(k) g)| / |w - rate(k) g|: the cosine
    of the angle between the two, because the projection on an orthant is an
    orthogonal one. `signs` says which sign the projection of each weight keeps.

    From the rate number `index` on: while cos < 1 - epsilon, the next smaller
    rate, to the last one; if cos >= 1 - epsilon, the next larger rate as long as
    that holds. (The authors' released code, `ScaleLR`: the rule it intends.)

    Constraints: as many gradients as weights and signs, of their types; count at
    least 2; minimum in (0, 1); epsilon in [0, 1).

    Example:

    ```mlir
    %rate, %i1 = dann.angle_learning_rate %i, %lr weights(%w) gradients(%g)
        signs [1] minimum 1.000000e-02 count 20 epsilon 1.000000e-02
        : (tensor<i64>, tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>)
        -> (tensor<f32>, tensor<i64>)
    ```
  }];
  let arguments = (ins Dann_StepCount:$index, Dann_Scalar:$learning_rate,
                       Variadic<Dann_Tensor>:$weights,
                       Variadic<Dann_Tensor>:$gradients,
                       DenseI64ArrayAttr:$signs, F64Attr:$minimum,
                       I64Attr:$count, F64Attr:$epsilon);
  let results = (outs Dann_Scalar:$rate, Dann_StepCount:$new_index);
  let assemblyFormat = [{
    $index `,` $learning_rate `weights` `(` $weights `)`
    `gradients` `(` $gradients `)` `signs` $signs `minimum` $minimum
    `count` $count `epsilon` $epsilon attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Dann_SampleLabelsOp : Dann_Op<"sample_labels", [Pure]> {
  let summary = "labels drawn from the predictions of a model";
  let description = [{
    For each row of logits [B, C] a class, drawn with the probabilities
    softmax(logits): the class with the largest logit + Gumbel noise. Entry
    (b, c) of the noise is -log(-log(u)), with u drawn as `dann.random` draws it
    with the seed `key`, the stream 2^62 and the position b * C + c. A row with
    a NaN gets the label C, which is none.

    Example:

    ```mlir
    %y = dann.sample_labels %logits, %key : tensor<?x10xf32>, tensor<i64> -> tensor<?xi64>
    ```
  }];
  let arguments = (ins Dann_Matrix:$logits, Dann_Count:$key);
  let results = (outs Dann_Labels:$labels);
  let assemblyFormat = [{
    $logits `,` $key attr-dict `:` type($logits) `,` type($key) `->` type($labels)
  }];
  let hasVerifier = 1;
}

#endif // DANN_UPDATE_OPS
