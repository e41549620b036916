//===- DannOps.td - The operations of the dann dialect --------------------===//

#ifndef DANN_OPS
#define DANN_OPS

include "Dann/DannDialect.td"
include "Dann/DannInterfaces.td"
include "Dann/DannOptimizers.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class Dann_Op<string mnemonic, list<Trait> traits = []>
    : Op<Dann_Dialect, mnemonic, traits>;

def Dann_Float : AnyTypeOf<[F32, F64]>;
def Dann_Tensor : RankedTensorOf<[Dann_Float]>;
def Dann_Scalar : 0DTensorOf<[Dann_Float]>;
def Dann_Vector : 1DTensorOf<[Dann_Float]>;
def Dann_Matrix : 2DTensorOf<[Dann_Float]>;
def Dann_Labels : 1DTensorOf<[I64]>;
def Dann_Count : 0DTensorOf<[I64]>;

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

def Dann_EiDenseOp : Dann_Op<"ei_dense", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface, ["buildVjp"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_EILayerOpInterface>]> {
  let summary = "fully connected layer of excitatory and inhibitory units";
  let description = [{
    Excitatory units receive the input `x[B, d]` directly and through linear
    interneurons:

        ze = x . wex^T                          [B, ne]
        zi = x . wix^T                          [B, ni]

    Inhibition is subtractive without `alpha`,

        z = ze - zi . wei^T + bias              [B, ne]

    and divisive (shunting) as well with it:

        z = gain * (ze - zi . wei^T) / (zi . (wei * exp(alpha))^T + epsilon) + bias

    with `alpha[ni]` along the columns of `wei`, `gain[ne]` and `bias[ne]` along
    the units. Without `gain` or `bias` their term is absent. Dale's law demands
    that x, wex, wix, wei and gain are nonnegative, which `--dann-check-dale`
    proves. (Cornford et al., ICLR 2021, section 2.)

    Constraints:
    1. x is [B, d], wex [ne, d], wix [ni, d], wei [ne, ni], alpha [ni],
       gain [ne], bias [ne], the result [B, ne].
    2. All of them have one element type.
    3. d, ne and ni are static and at least 1.
    4. gain needs alpha.
    5. epsilon is finite and not negative.

    Example:

    ```mlir
    %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
           divisive(%alpha) gain(%g) bias(%b)
         : (tensor<?x784xf32>, tensor<500x784xf32>, tensor<50x784xf32>,
            tensor<500x50xf32>, tensor<50xf32>, tensor<500xf32>,
            tensor<500xf32>) -> tensor<?x500xf32>
    ```
  }];
  let arguments = (ins Dann_Matrix:$x, Dann_Matrix:$wex, Dann_Matrix:$wix,
                       Dann_Matrix:$wei, Optional<Dann_Vector>:$alpha,
                       Optional<Dann_Vector>:$gain, Optional<Dann_Vector>:$bias,
                       DefaultValuedAttr<F64Attr, "1e-8">:$epsilon);
  let results = (outs Dann_Matrix:$z);
  let assemblyFormat = [{
    $x `excitatory` `(` $wex `)` `inhibitory` `(` $wix `,` $wei `)`
    (`divisive` `(` $alpha^ `)`)? (`gain` `(` $gain^ `)`)?
    (`bias` `(` $bias^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Dann_EiDenseGradOp : Dann_Op<"ei_dense_grad", [
    Pure, AttrSizedOperandSegments]> {
  let summary = "gradients of `dann.ei_dense`";
  let description = [{
    The VJP of `dann.ei_dense` for the cotangent `dz[B, ne]` of its result, as
    fused maths. With u = ze - zi . wei^T and c the divisor,

        du  = dz * gain / c,    dc = -du * u / c
        dzi = dc . (wei * exp(alpha)) - du . wei
        [dwex; dwix] = [du | dzi]^T . x,    dx = [du | dzi] . [wex; wix]
        dwei   = -du^T . zi + (dc^T . zi) * exp(alpha)
        dalpha = exp(alpha) * sum over ne of (dc^T . zi) * wei
        dgain  = sum over B of dz * u / c,    dbias = sum over B of dz

    The results are the gradients of the operands of `dann.ei_dense` in their
    order; absent operands have none. `parameters_only` leaves out that of x.
    With `squared`, those of the parameters are sums over B of squares of the
    terms: of the gradients of single samples.

    The operation computes ze, zi and c again. It is lowered through the same
    code as `dann.ei_dense`, so that CSE merges the two: a compiled step
    computes them once.

    Example:

    ```mlir
    %dwex, %dwix, %dwei = dann.ei_dense_grad %dz, %x excitatory(%wex)
        inhibitory(%wix, %wei) parameters_only
      : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>,
         tensor<4x2xf32>)
      -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
    ```
  }];
  let arguments = (ins Dann_Matrix:$dz, Dann_Matrix:$x, Dann_Matrix:$wex,
                       Dann_Matrix:$wix, Dann_Matrix:$wei,
                       Optional<Dann_Vector>:$alpha,
                       Optional<Dann_Vector>:$gain, Optional<Dann_Vector>:$bias,
                       UnitAttr:$parameters_only,
                       DefaultValuedAttr<F64Attr, "1e-8">:$epsilon,
                       UnitAttr:$squared);
  let results = (outs Variadic<Dann_Tensor>:$gradients);
  let assemblyFormat = [{
    $dz `,` $x `excitatory` `(` $wex `)` `inhibitory` `(` $wix `,` $wei `)`
    (`divisive` `(` $alpha^ `)`)? (`gain` `(` $gain^ `)`)?
    (`bias` `(` $bias^ `)`)? (`parameters_only` $parameters_only^)?
    (`squared` $squared^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

include "Dann/DannConvolution.td"

//===----------------------------------------------------------------------===//
// Weights of fixed polarity
//===----------------------------------------------------------------------===//

def Dann_ApplyPolarityOp : Dann_Op<"apply_polarity", [
    Pure, AllTypesMatch<["magnitude", "weights"]>,
    DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface, ["buildVjp"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "weights of fixed signs from their magnitudes";
  let description = [{
    Multiplies each magnitude by its polarity, 1 (excitatory) or -1
    (inhibitory). The magnitude is what is trained, under the contract that it
    is nonnegative; so no weight ever changes its sign. The polarity is one of

    - a number: the first `excitatory` columns (dimension 1, the presynaptic
      units) are excitatory, all others inhibitory (ColumnEI). With `ablated`
      the rows are the same units, and no inhibitory one inhibits another: the
      polarity of entries in rows and columns from `excitatory` on is 0;
    - a vector `[d]` over the columns;
    - a tensor of the magnitude's shape, one sign for each weight.

    The cotangent of the magnitude is that of the weights times the polarity; a
    polarity has none.

    Constraints:
    1. There is either `excitatory` or a polarity.
    2. Columns need a magnitude of rank 2 at least; their number d is static,
       and `excitatory` is from 0 to d.
    3. A polarity is `[d]` or has the shape of the magnitude, and its element
       type. Its values are 1 and -1, which whoever stores them checks.
    4. What is `ablated` is a square matrix with `excitatory`.

    Example:

    ```mlir
    %w = dann.apply_polarity %m excitatory 500 : tensor<10x550xf32>
    %v = dann.apply_polarity %n by %p : tensor<10x550xf32>, tensor<10x550xf32>
    %u = dann.apply_polarity %o excitatory 90 ablated : tensor<100x100xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$magnitude, Optional<Dann_Tensor>:$polarity,
                       OptionalAttr<I64Attr>:$excitatory, UnitAttr:$ablated);
  let results = (outs Dann_Tensor:$weights);
  let assemblyFormat = [{
    $magnitude (`by` $polarity^)? (`excitatory` $excitatory^)?
    (`ablated` $ablated^)? attr-dict `:` type($magnitude) (`,` type($polarity)^)?
  }];
  let hasVerifier = 1;
  let hasFolder = 1;
  let extraClassDeclaration = [{
    /// Whether there is one polarity for each column.
    bool isByColumn();
    /// The polarities that `excitatory` stands for, of the magnitude's shape
    /// where they are `ablated`, else one for each column.
    ::mlir::DenseElementsAttr getConstantPolarity();
  }];
}

//===----------------------------------------------------------------------===//
// Layers that differ in training
//===----------------------------------------------------------------------===//

def Dann_DropoutOp : Dann_Op<"dropout", [
    Pure, AllTypesMatch<["x", "y"]>,
    DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface, ["buildVjp"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_TrainingModeOpInterface,
                              ["needsRandomKey"]>]> {
  let summary = "inverted dropout";
  let description = [{
    The identity. In training each entry becomes 0 with probability `rate`, and
    is divided by 1 - rate otherwise, so that the mean stays. (Srivastava et
    al., JMLR 2014, in the inverted form.) With `unscaled` the others stay as
    they are, which is how DANN-RNNs drop connections.

    In the body of a `dann.scan` each step has a mask of its own.

    Constraints: rate is at least 0 and less than 1.

    Example:

    ```mlir
    %y = dann.dropout %x rate 0.5 : tensor<?x500xf32>
    %v = dann.dropout %w rate 0.1 unscaled : tensor<100x28xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$x, F64Attr:$rate, UnitAttr:$unscaled);
  let results = (outs Dann_Tensor:$y);
  let assemblyFormat = [{
    $x `rate` $rate (`unscaled` $unscaled^)? attr-dict `:` type($x)
  }];
  let hasVerifier = 1;
}

def Dann_BatchNormOp : Dann_Op<"batch_norm", [
    Pure, AllTypesMatch<["x", "y"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_TrainingModeOpInterface>]> {
  let summary = "normalisation of each unit over the batch";
  let description = [{
    `(x - mean) / sqrt(variance + epsilon)`, for x of [B, units, ...] with one
    running mean and variance for each unit.

    In training the mean m and the variance v are those of the n entries that
    the unit has in the batch, v with the divisor n, and the running ones become

        mean     <- (1 - momentum) * mean     + momentum * m
        variance <- (1 - momentum) * variance + momentum * v * n / (n - 1)

    (n - 1 counts as 1 where n is 1, so that the factor is defined). That is
    batch normalisation (Ioffe and Szegedy, 2015) with the statistics of
    PyTorch, without gain and bias.

    Constraints:
    1. x has rank 2 at least; mean and variance are [units], which is static.
    2. All have one element type.
    3. epsilon is finite and not negative, momentum from 0 to 1.

    Example:

    ```mlir
    %y = dann.batch_norm %x mean(%m) variance(%v)
       : tensor<?x500xf32>, tensor<500xf32>, tensor<500xf32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$x, Dann_Vector:$mean, Dann_Vector:$variance,
                       DefaultValuedAttr<F64Attr, "1e-5">:$epsilon,
                       DefaultValuedAttr<F64Attr, "0.1">:$momentum);
  let results = (outs Dann_Tensor:$y);
  let assemblyFormat = [{
    $x `mean` `(` $mean `)` `variance` `(` $variance `)` attr-dict `:`
    type($x) `,` type($mean) `,` type($variance)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Losses
//===----------------------------------------------------------------------===//

def Dann_SoftmaxCrossEntropyOp : Dann_Op<"softmax_cross_entropy", [
    Pure,
    DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface, ["buildVjp"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "mean softmax cross-entropy";
  let description = [{
    The mean over the batch of `log(sum_c exp(logits[b, c])) - logits[b, labels[b]]`,
    computed with the largest logit of each row subtracted first. A label
    outside of [0, C) reads nothing out of bounds: its logit counts as 0.

    Constraints: logits is [B, C], labels [B].

    Example:

    ```mlir
    %loss = dann.softmax_cross_entropy %logits, %labels
          : tensor<?x10xf32>, tensor<?xi64> -> tensor<f32>
    ```
  }];
  let arguments = (ins Dann_Matrix:$logits, Dann_Labels:$labels);
  let results = (outs Dann_Scalar:$loss);
  let assemblyFormat = [{
    $logits `,` $labels attr-dict `:` type($logits) `,` type($labels) `->` type($loss)
  }];
  let hasVerifier = 1;
}

def Dann_SoftmaxCrossEntropyGradOp : Dann_Op<"softmax_cross_entropy_grad", [
    Pure, AllTypesMatch<["logits", "dlogits"]>]> {
  let summary = "gradient of `dann.softmax_cross_entropy`";
  let description = [{
    `dloss * (softmax(logits[b])[c] - (labels[b] == c)) / B`.

    Example:

    ```mlir
    %dlogits = dann.softmax_cross_entropy_grad %dloss, %logits, %labels
             : tensor<f32>, tensor<?x10xf32>, tensor<?xi64>
    ```
  }];
  let arguments = (ins Dann_Scalar:$dloss, Dann_Matrix:$logits,
                       Dann_Labels:$labels);
  let results = (outs Dann_Matrix:$dlogits);
  let assemblyFormat = [{
    $dloss `,` $logits `,` $labels attr-dict `:` type($dloss) `,` type($logits)
    `,` type($labels)
  }];
  let hasVerifier = 1;
}

def Dann_CountErrorsOp : Dann_Op<"count_errors", [Pure]> {
  let summary = "how many rows have their largest logit elsewhere than the label";
  let description = [{
    Counts the rows whose prediction differs from the label. The prediction is
    the first of the largest logits; a row with a NaN is an error.

    Example:

    ```mlir
    %errors = dann.count_errors %logits, %labels
            : tensor<?x10xf32>, tensor<?xi64> -> tensor<i64>
    ```
  }];
  let arguments = (ins Dann_Matrix:$logits, Dann_Labels:$labels);
  let results = (outs Dann_Count:$errors);
  let assemblyFormat = [{
    $logits `,` $labels attr-dict `:` type($logits) `,` type($labels) `->` type($errors)
  }];
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Training
//===----------------------------------------------------------------------===//

def Dann_TrainingOp : Dann_Op<"training", [
    Symbol, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "how a network is trained";
  let description = [{
    Says which function is trained, on which loss, by which optimizer. The
    function takes one input and the parameters (arguments with `dann.role`)
    and returns the logits. `--dann-expand-training` replaces this operation by
    the functions `@loss_and_gradients`, `@train_step` and `@evaluate`.

    The optimizer is an attribute with `OptimizerAttrInterface`.
    `correct_inhibition` corrects the gradients of inhibitory parameters,
    `clip` clips the corrected gradients by their norm, `cosine_angle` chooses the
    learning rate of each layer, and `project` projects each parameter with a sign
    contract back on it after the update. Batch size, epochs and learning rate are defaults of the compiled
    program: they are inputs at run time.

    Example:

    ```mlir
    dann.training @training of @forward loss softmax_cross_entropy
      optimizer #dann.sgd<momentum = 9.000000e-01>
      correct_inhibition project
      {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.1107 : f64}
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, FlatSymbolRefAttr:$function,
                       Dann_LossAttr:$loss,
                       Dann_OptimizerAttrInterface:$optimizer,
                       UnitAttr:$correct_inhibition, UnitAttr:$project,
                       ConfinedAttr<I64Attr, [IntPositive]>:$batch_size,
                       ConfinedAttr<I64Attr, [IntPositive]>:$epochs,
                       F64Attr:$learning_rate,
                       OptionalAttr<Dann_ClipAttr>:$clip,
                       OptionalAttr<Dann_CosineAngleAttr>:$cosine_angle,
                       OptionalAttr<Dann_ScheduleAttr>:$schedule);
  let assemblyFormat = [{
    $sym_name `of` $function `loss` `` $loss
    `optimizer` $optimizer
    (`correct_inhibition` $correct_inhibition^)? (`clip` $clip^)?
    (`cosine_angle` $cosine_angle^)? (`project` $project^)?
    (`schedule` $schedule^)? attr-dict
  }];
  let hasVerifier = 1;
}

def Dann_ValueAndGradOp : Dann_Op<"value_and_grad", [
    DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a function and its gradients";
  let description = [{
    Calls `callee`, which returns one floating-point scalar (a 0-d tensor), and
    returns that and its gradients with respect to the arguments at the
    positions `wrt`, in their order. `--dann-autodiff` replaces the operation by
    the function's body and its reverse sweep. If the function has more results,
    they are auxiliary: they come behind the gradients, and nothing flows back
    from them.

    A gradient is a sum over the samples of the batch. With `squared` the results
    are the sums of the squares of its terms instead.

    Example:

    ```mlir
    %loss, %dw = dann.value_and_grad @loss(%x, %y, %w) wrt [2]
               : (tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>)
               -> (tensor<f32>, tensor<4x8xf32>)
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyRankedTensor>:$args,
                       DenseI64ArrayAttr:$wrt, UnitAttr:$squared);
  let results = (outs Dann_Scalar:$value, Variadic<AnyRankedTensor>:$others);
  let assemblyFormat = [{
    $callee `(` $args `)` `wrt` $wrt (`squared` $squared^)? attr-dict `:` functional-type($args, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::ResultRange getGradients() {
      return getOthers().take_front(getWrt().size());
    }
    ::mlir::ResultRange getAuxiliary() {
      return getOthers().drop_front(getWrt().size());
    }
  }];
}

def Dann_CorrectInhibitionOp : Dann_Op<"correct_inhibition", [
    Pure, SameOperandsAndResultType]> {
  let summary = "Fisher-based correction of the gradient of an inhibitory parameter";
  let description = [{
    Scales a gradient so that one step changes the network's output by as much
    as a step of an excitatory weight would: by 1/sqrt(ne) for `wix`, 1/d for
    `wei` and 1/(sqrt(ne) d) for `alpha`, for fan-in d and ne excitatory units.
    (The authors' released code; `docs/model.md` derives the factors.)

    Constraints: the role is wix, wei or alpha.

    Example:

    ```mlir
    %c = dann.correct_inhibition wix %g fan_in 784 excitatory 500 : tensor<50x784xf32>
    ```
  }];
  let arguments = (ins Dann_RoleAttr:$role, Dann_Tensor:$gradient,
                       ConfinedAttr<I64Attr, [IntPositive]>:$fan_in,
                       ConfinedAttr<I64Attr, [IntPositive]>:$num_excitatory);
  let results = (outs Dann_Tensor:$corrected);
  let assemblyFormat = [{
    `` $role $gradient `fan_in` $fan_in
    `excitatory` $num_excitatory attr-dict `:` type($gradient)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// The factor by which the gradient is multiplied.
    double getFactor();
  }];
}

def Dann_SgdUpdateOp : Dann_Op<"sgd_update", [
    Pure, AllTypesMatch<["parameter", "gradient", "updated"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "one step of stochastic gradient descent";
  let description = [{
    `parameter - learning_rate * gradient`.

    Constraints: the learning rate has the element type of the parameter.

    Example:

    ```mlir
    %w1 = dann.sgd_update %w, %dw, %lr : tensor<4x8xf32>, tensor<f32>
    ```
  }];
  let arguments = (ins Dann_Tensor:$parameter, Dann_Tensor:$gradient,
                       Dann_Scalar:$learning_rate);
  let results = (outs Dann_Tensor:$updated);
  let assemblyFormat = [{
    $parameter `,` $gradient `,` $learning_rate attr-dict `:` type($parameter)
    `,` type($learning_rate)
  }];
  let hasVerifier = 1;
}

def Dann_ProjectOp : Dann_Op<"project", [
    Pure, SameOperandsAndResultType,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "projection on a sign constraint";
  let description = [{
    The nearest point that obeys the constraint: max(0, w) for `nonneg`,
    min(0, w) for `nonpos`. NaN stays NaN.

    Example:

    ```mlir
    %p = dann.project nonneg %w : tensor<4x8xf32>
    ```
  }];
  let arguments = (ins Dann_SignAttr:$sign, Dann_Tensor:$parameter);
  let results = (outs Dann_Tensor:$projected);
  let assemblyFormat = "`` $sign $parameter attr-dict `:` type($parameter)";
  let hasVerifier = 1;
  let hasFolder = 1;
}

def Dann_RandomOp : Dann_Op<"random", [
    Pure, DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "independent random numbers from a counter-based generator";
  let description = [{
    Entry i of the flattened result is drawn from Philox4x32-10 (Salmon et al.,
    SC 2011) with the 64-bit seed as key and the 64-bit numbers i and stream as
    counter, low words first, so it depends on nothing but seed, stream and i. The words v0..v3 give
    u = ((v0 << 32 | v1) >> 11) 2^-53 + 2^-54 and likewise u' from v2, v3, and
    n = sqrt(-2 log(u)) cos(2 pi u'), from which the distributions return, in
    f64:

    | distribution  | value | mean and deviation |
    | ------------- | ----- | ------------------ |
    | `exponential` | -scale log(u) | both scale |
    | `normal`      | mean + scale n | mean, scale |
    | `uniform`     | mean + scale (2 u - 1) | mean, scale / sqrt(3) |
    | `lognormal`   | exp(log(mean^2 / sqrt(mean^2 + scale^2)) + sqrt(log(1 + scale^2 / mean^2)) n) | mean, scale |
    | `bernoulli`   | scale if v0 < 2^32 mean / scale, else 0 | scale with probability mean / scale |

    Constraints:
    1. Every dimension but the first is static, and the first one, if it is not,
       is given as `count`.
    2. scale is finite and not negative, mean is finite.
    3. An exponential distribution has no mean of its own (0). The mean of a
       lognormal one is positive, that of a bernoulli one from 0 to scale, where
       scale is positive.

    Example:

    ```mlir
    %w = dann.random exponential scale 0.025 stream 3 seed %seed
       : tensor<i64> -> tensor<500x784xf32>
    %mask = dann.random bernoulli mean 1.0 scale 2.0 stream 4 seed %key count %b
          : tensor<i64> -> tensor<?x500xf32>
    ```
  }];
  let arguments = (ins Dann_DistributionAttr:$distribution,
                       DefaultValuedAttr<F64Attr, "0.0">:$mean, F64Attr:$scale,
                       ConfinedAttr<I64Attr, [IntNonNegative]>:$stream,
                       Dann_Count:$seed, Optional<Index>:$count);
  let results = (outs Dann_Tensor:$values);
  let assemblyFormat = [{
    `` $distribution (`mean` $mean^)? `scale` $scale
    `stream` $stream `seed` $seed (`count` $count^)? attr-dict `:`
    type($seed) `->` type($values)
  }];
  let builders = [
    /// Of mean 0, or the mean of an exponential distribution.
    OpBuilder<(ins "::mlir::Type":$type,
                   "::mlir::dann::Distribution":$distribution,
                   "::llvm::APFloat":$scale, "int64_t":$stream,
                   "::mlir::Value":$seed), [{
      build($_builder, $_state, type, distribution, ::llvm::APFloat(0.0), scale,
            static_cast<uint64_t>(stream), seed, ::mlir::Value());
    }]>
  ];
  let hasVerifier = 1;
}

include "Dann/DannUpdateOps.td"
include "Dann/DannScan.td"

#endif // DANN_OPS
