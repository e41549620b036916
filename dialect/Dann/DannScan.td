//===- DannScan.td - Recurrence in the dann dialect -----------------------===//
//
// Included by DannOps.td, behind the definitions that it uses.
//
//===----------------------------------------------------------------------===//

#ifndef DANN_SCAN
#define DANN_SCAN

def Dann_ScanOp : Dann_Op<"scan", [
    AttrSizedOperandSegments, IsolatedFromAbove, RecursiveMemoryEffects,
    SingleBlock, RecursivelySpeculatable]> {
  let summary = "recurrence over the steps of sequences";
  let description = [{
    Runs its body once for each step t of the sequences, whose leading dimension
    is time. The body takes the carries, the sequences' slices of the step and
    the invariants. It yields the new carries, then outputs of the step:

        carries(0) = initials
        carries(t + 1), outputs(t) = body(carries(t), sequences[t], invariants)

    The results are the last carries, then the outputs stacked along a new
    leading dimension. With `reverse` the steps run from the last to the first;
    slice t of a sequence still belongs to slice t of an output.

    Everything that the body reads is an operand, so that its derivative (BPTT,
    by `dann-autodiff`) is a scan in the other direction whose carries are the
    cotangents of the carries. The first scan saves what the gradient reads of
    each step. With `checkpoint_every` it saves the carries of every k-th step
    only, and the reverse scan computes the steps between again.

    Constraints:
    1. There is a sequence. All of them have one leading size, which is static
       and at least 1.
    2. The arguments of the body are of the types of the initial carries, of the
       sequences without their leading dimension, and of the invariants.
    3. The body yields carries of the types of the initial ones, then outputs.
    4. The results are of the types of the carries, and of the outputs with the
       leading size of the sequences.

    Example:

    ```mlir
    %last, %all = dann.scan initial(%h0) over(%xs) with(%w) {
    ^bb0(%h: tensor<?x8xf32>, %x: tensor<?x8xf32>, %v: tensor<8xf32>):
      %sum = arith.addf %h, %x : tensor<?x8xf32>
      dann.yield carries(%sum : tensor<?x8xf32>) outputs(%sum : tensor<?x8xf32>)
    } : (tensor<?x8xf32>, tensor<5x?x8xf32>, tensor<8xf32>)
     -> (tensor<?x8xf32>, tensor<5x?x8xf32>)
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$initials,
                       Variadic<AnyRankedTensor>:$sequences,
                       Variadic<AnyRankedTensor>:$invariants,
                       UnitAttr:$reverse,
                       OptionalAttr<ConfinedAttr<I64Attr, [IntPositive]>>:$checkpoint_every);
  let results = (outs Variadic<AnyRankedTensor>:$values);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = [{
    (`reverse` $reverse^)? (`checkpoint_every` $checkpoint_every^)?
    `initial` `(` $initials `)` `over` `(` $sequences `)`
    `with` `(` $invariants `)` $body attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let skipDefaultBuilders = 1;
  let builders = [
    OpBuilder<(ins "::mlir::ValueRange":$initials,
                   "::mlir::ValueRange":$sequences,
                   "::mlir::ValueRange":$invariants, "bool":$reverse,
                   "::mlir::dann::ScanBody":$body), [{
      // `body` fills the block that it is given, which has its arguments.
      build($_builder, $_state, initials, sequences, invariants, reverse,
            ::mlir::IntegerAttr(), body);
    }]>,
    OpBuilder<(ins "::mlir::ValueRange":$initials,
                   "::mlir::ValueRange":$sequences,
                   "::mlir::ValueRange":$invariants, "bool":$reverse,
                   "::mlir::IntegerAttr":$checkpointEvery,
                   "::mlir::dann::ScanBody":$body)>,
  ];
  let extraClassDeclaration = [{
    int64_t getNumSteps();
    YieldOp getYield();

    // The arguments of the body.
    ::mlir::MutableArrayRef<::mlir::BlockArgument> getCarryArguments();
    ::mlir::MutableArrayRef<::mlir::BlockArgument> getSliceArguments();
    ::mlir::MutableArrayRef<::mlir::BlockArgument> getInvariantArguments();

    // The results: the last carries and the stacked outputs.
    ::mlir::ResultRange getLastCarries();
    ::mlir::ResultRange getOutputs();
  }];
}

def Dann_YieldOp : Dann_Op<"yield", [
    Pure, Terminator, HasParent<"ScanOp">, AttrSizedOperandSegments]> {
  let summary = "what a step of `dann.scan` gives";
  let description = [{
    The carries of the next step, and the outputs of this one.

    Example:

    ```mlir
    dann.yield carries(%h : tensor<?x8xf32>) outputs(%h : tensor<?x8xf32>)
    ```
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$carries,
                       Variadic<AnyRankedTensor>:$outputs);
  let assemblyFormat = [{
    `carries` `(` ($carries^ `:` type($carries))? `)`
    `outputs` `(` ($outputs^ `:` type($outputs))? `)` attr-dict
  }];
}

def Dann_FoldInhibitionOp : Dann_Op<"fold_inhibition", [
    Pure, AllTypesMatch<["wex", "folded"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_EILayerOpInterface>]> {
  let summary = "the effective weights of a layer with subtractive inhibition";
  let description = [{
    `wex - wei . wix`: what the excitatory weights and subtractive inhibition do
    together, `x . wex^T - (x . wix^T) . wei^T = x . folded^T`. Made once where
    many steps use the same weights. Dale's law demands that wex, wix and wei
    are nonnegative; `dann.ei_dense_folded` demands it of the input.

    Constraints: wex is [ne, d], wix [ni, d], wei [ne, ni], all static and of
    one element type.

    Example:

    ```mlir
    %w = dann.fold_inhibition %wex, %wix, %wei
       : tensor<100x28xf32>, tensor<10x28xf32>, tensor<100x10xf32>
    ```
  }];
  let arguments = (ins Dann_Matrix:$wex, Dann_Matrix:$wix, Dann_Matrix:$wei);
  let results = (outs Dann_Matrix:$folded);
  let assemblyFormat = [{
    $wex `,` $wix `,` $wei attr-dict `:` type($wex) `,` type($wix) `,` type($wei)
  }];
  let hasVerifier = 1;
}

def Dann_EiDenseFoldedOp : Dann_Op<"ei_dense_folded", [
    Pure, DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_EILayerOpInterface>]> {
  let summary = "a layer with subtractive inhibition, on its effective weights";
  let description = [{
    `x . folded^T + bias`, where `folded` is made by `dann.fold_inhibition`.
    Together they compute what `dann.ei_dense` without `alpha` does. The input
    of an E/I layer must be nonnegative, which `--dann-check-dale` proves here,
    too; the folded weights have any sign.

    Constraints: x is [B, d], folded [ne, d], bias [ne], the result [B, ne], of
    one element type; d and ne are static.

    Example:

    ```mlir
    %z = dann.ei_dense_folded %x, %w bias(%b)
       : (tensor<?x28xf32>, tensor<100x28xf32>, tensor<100xf32>)
       -> tensor<?x100xf32>
    ```
  }];
  let arguments = (ins Dann_Matrix:$x, Dann_Matrix:$folded,
                       Optional<Dann_Vector>:$bias);
  let results = (outs Dann_Matrix:$z);
  let assemblyFormat = [{
    $x `,` $folded (`bias` `(` $bias^ `)`)? attr-dict `:`
    functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

#endif // DANN_SCAN
