//===- Passes.td - The passes of dann -------------------------------------===//

#ifndef DANN_PASSES
#define DANN_PASSES

include "mlir/Pass/PassBase.td"

def RaiseEiLayers : Pass<"dann-raise-ei-layers", "::mlir::ModuleOp"> {
  let summary = "recognise E/I layers that are written in plain operations";
  let description = [{
    Replaces operations of an imported graph that compute an E/I layer by
    `dann.ei_dense` or `dann.ei_conv2d`, however they are written: batch first or
    last, weights transposed, operations reordered, e^alpha computed or folded
    into a parameter; of convolutions wei as filters, or as a matrix that is
    multiplied by pixels in any shape. The parameters are arguments with `dann.role` and
    `dann.initial`. They get their roles and sign contracts; one of another
    shape than the layer wants is changed in its place and keeps its name.

    A layer must be one by its values, too: wex, wix, wei and gain are not
    negative. Its input is not negative either: if that depends on inputs of
    the function, they get a contract (`dann.sign`) that says so. What has the
    structure of an E/I layer but is none gets a remark with the reason.

    E/I layers on arguments that are weights of no role so far
    (`#dann<role w>`) give them theirs by the same rules.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::dann::DannDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ExpandTraining : Pass<"dann-expand-training", "::mlir::ModuleOp"> {
  let summary = "make the training entry points from `dann.training`";
  let description = [{
    Replaces the module's `dann.training` by

    - `@loss_and_gradients(x, y, parameters) -> (loss, gradients)`,
    - `@train_step(x, y, learning_rate, parameters, states) -> (loss, parameters,
      states)`: gradients, correction of the inhibitory ones, clipping, optimizer
      step, projection. States are what the optimizer keeps between steps; one
      that draws labels takes a `random_key` as well,
    - `@evaluate(x, y, parameters) -> (loss, errors)`,

    and the private `@loss` that they share. Which gradients are corrected, and
    by how much, follows from the E/I layer that uses the parameter. A parameter
    used by two layers in ways that ask for different corrections is an error.

    `@evaluate` and the function that is trained become `dann.inference`.

    If the network has operations that differ in training
    (`TrainingModeOpInterface`), the gradients are those of a private clone
    `@forward_training` in which they have their training form. It takes one
    more argument, `random_key`, if one of them is random; so do `@train_step`
    and `@loss_and_gradients`. Running statistics (`#dann<role stat>`) that the
    training form updates are results of it and of `@train_step`. They and fixed
    polarities (`#dann<role polarity>`) have no gradient and no step.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::dann::DannDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FoldRecurrence : Pass<"dann-fold-recurrence", "::mlir::ModuleOp"> {
  let summary = "fold subtractive inhibition once for all steps of a scan";
  let description = [{
    A `dann.ei_dense` without `alpha` in the body of a `dann.scan`, with weights
    that are the same at every step, becomes `dann.ei_dense_folded`, on the
    result of a `dann.fold_inhibition` before the scan: a step then has one
    product instead of three. In inference that includes weights behind a
    `dann.dropout`. Both operations demand what Dale's law demands of the layer. Runs before `dann-autodiff`, which differentiates the two exactly.
  }];
  let dependentDialects = ["::mlir::dann::DannDialect"];
}

def SegmentScans : Pass<"dann-segment-scans", "::mlir::ModuleOp"> {
  let summary = "make scans of segments, so that their gradient saves less";
  let description = [{
    A `dann.scan` with `checkpoint_every = k` becomes a scan over segments of k
    steps, which is a scan of its own in the body of the outer one; steps that
    are left over follow as a scan of theirs. The outer scan has
    `checkpoint_every = 1`: its gradient saves the carries between segments, and
    computes a segment again when it gets there.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::dann::DannDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def Autodiff : Pass<"dann-autodiff", "::mlir::ModuleOp"> {
  let summary = "expand `dann.value_and_grad` by reverse-mode differentiation";
  let description = [{
    Replaces each `dann.value_and_grad` by the body of its callee and the
    reverse sweep over it. Operations take part through
    `DifferentiableOpInterface`. Calls in the callee must have been inlined.
    If operations on the way from an argument to the value have no derivative,
    one diagnostic lists them all.

    At ties `arith.maximumf(a, b)` and its kin pass the cotangent on to `b`, so
    relu written as max(x, 0) has derivative 0 at 0; abs has derivative 0 at 0.
  }];
  let dependentDialects = ["::mlir::dann::DannDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def CheckDale : Pass<"dann-check-dale", "::mlir::ModuleOp"> {
  let summary = "prove that the program keeps Dale's law";
  let description = [{
    A dataflow analysis over the signs of values, from the contracts on
    function arguments (`dann.sign`, and `dann.range` of inputs). It proves that

    - every operand of an E/I layer has the sign that the layer demands,
    - every function result with a contract (`dann.sign`) keeps it,
    - calls of public functions keep the contracts on their arguments.

    What it cannot prove is an error at the operation that breaks the law.
    Changes nothing. Runs after `dann-autodiff`, where updates are explicit.
  }];
}

def LowerLayers : Pass<"dann-lower-layers", "::mlir::ModuleOp"> {
  let summary = "lower E/I layers and their gradients to products";
  let description = [{
    `dann.ei_dense` and `dann.ei_dense_grad` become `linalg.contract` and
    elementwise `linalg.generic`; `dann.ei_conv2d` and `dann.ei_conv2d_grad`
    likewise, with convolutions of padded images for the products with x. What a layer and its gradient both need is
    built the same way in both, for CSE to make it one. Gradients of weights are
    sums of products, which `dann-fuse-updates` looks for.

    In a function with `dann.inference`, a layer whose weights are arguments is
    folded: with W = wex - wei . wix, subtractive inhibition is a part of the
    excitatory product, z = (x . W^T) / ((x . wix^T) . (wei e^alpha)^T + epsilon).
    W and wei e^alpha depend on parameters alone, so
    `dann-hoist-parameter-work` can move them out. The divisive part keeps its
    low rank. Where there is a gradient this would not pay: it needs the
    intermediate values ze and zi.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def AccumulateProducts : Pass<"dann-accumulate-products", "::mlir::ModuleOp"> {
  let summary = "let products add to what they are added to";
  let description = [{
    - `a + b . c` becomes a product that starts from a, if nobody else needs a.
    - What a carry of a `dann.scan` collects over the steps from sums over other
      dimensions, such as the gradient of a weight, becomes one sum over both,
      behind the scan: the scan gives the factors of all steps as outputs.
  }];
  let dependentDialects = ["::mlir::dann::DannDialect",
                           "::mlir::linalg::LinalgDialect"];
}

def FuseUpdates : Pass<"dann-fuse-updates", "::mlir::ModuleOp"> {
  let summary = "add SGD steps to the weights without making the gradients";
  let description = [{
    Where the gradient of a `dann.sgd_update`, corrected or not, is a sum of
    products and nothing else's, the products accumulate on the parameter
    itself: W <- W - lr c (a . b) becomes a product with W as destination, and
    the gradient is never materialised. The factor -lr c moves to the smaller of
    the two operands.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertDannToLinalg : Pass<"convert-dann-to-linalg", "::mlir::ModuleOp"> {
  let summary = "lower all dann operations to linalg on tensors";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def BatchLast : Pass<"dann-batch-last", "::mlir::ModuleOp"> {
  let summary = "make the batch the contiguous dimension of activations";
  let description = [{
    Turns tensors [batch, features], whose leading size is dynamic, into
    [features, batch], and operands of products so that the innermost loop of
    the result is contiguous in one of the factors. All products of a training
    step then have one form, in which vector code runs over contiguous memory
    and the other factor is broadcast: with x^T [K, B],

    - forward: w[N, K] . x^T, and backward: w^T . dz^T, with vectors of samples,
    - gradient of the weights: dz^T . x, with vectors of weights.

    Weights stay row-major, as they are in checkpoints, and no operand is ever
    packed; what the gradient of the weights needs batch-first is transposed,
    which is small beside the product. See docs/architecture.md for what was
    measured.

    Images [batch, channels, rows, columns] become [channels, rows, columns,
    batch] in the same way, with reshapes and slices that leave the batch alone;
    padding becomes a slice of a tensor full of its value.

    What is no `linalg.generic` keeps its form, between transposes.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"dann-fuse-elementwise", "::mlir::func::FuncOp"> {
  let summary = "fuse elementwise operations on tensors into their users";
  let description = [{
    What `linalg-fuse-elementwise-ops` does, but not into convolutions and
    pools: their windows meet an element several times, which would be computed
    as often, and kernels know convolutions of nothing but their operands.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def LowerScans : Pass<"dann-lower-scans", "::mlir::func::FuncOp"> {
  let summary = "lower recurrence to loops";
  let description = [{
    `dann.scan` becomes `scf.for` on tensors, with the carries and the stacked
    outputs as loop-carried values. Sizes that are not static are the batch.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ScheduleUpdates : Pass<"dann-schedule-updates", "::mlir::func::FuncOp"> {
  let summary = "update parameters as soon as possible";
  let description = [{
    Moves what computes the new value of an argument (`dann.updates`), and
    nothing else, right behind the last use of the old value. The activations of
    a layer are then not kept until the end of the step, and still in the cache
    when its weights are updated.
  }];
}

def ChooseDestinations
    : Pass<"dann-choose-destinations", "::mlir::func::FuncOp"> {
  let summary = "choose the tensors that operations write into";
  let description = [{
    Before bufferization, which makes destinations of tensors buffers to write:

    - An elementwise operation makes a result that replaces an argument
      (`dann.updates`) from that argument, or from what was accumulated on it:
      it gets the same destination and so overwrites the argument's buffer.
    - Destinations that are empty or filled with one value become separate
      ones: shared, all but one would be copied.
    - The new value of what a loop carries is made in the place of the old one,
      where nothing reads the old one later.
    - An argument that no result replaces is the caller's: it is not written to
      (`bufferization.writable = false`).
  }];
  let dependentDialects = ["::mlir::bufferization::BufferizationDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def FinalizeResults : Pass<"dann-finalize-results", "::mlir::func::FuncOp"> {
  let summary = "give each result of a bufferized function a buffer of its own";
  let description = [{
    Between bufferization and `buffer-results-to-out-params`:

    - drops the results that replace an argument (`dann.updates`); one that was
      computed elsewhere is copied into the argument's buffer first
      (`drop-equivalent-buffer-results` leaves public functions alone),
    - copies a buffer that is returned twice, which
      `buffer-results-to-out-params` does not expect.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def HoistParameterWork : Pass<"dann-hoist-parameter-work", "::mlir::ModuleOp"> {
  let summary = "compute what depends on parameters alone before inference";
  let description = [{
    Moves computations of the functions with `dann.inference` that depend on
    parameters (arguments with `dann.role`) and constants alone to one public
    function `@prepare`. Its results are the derived tensors, which those
    functions take as further arguments, after all others. Equal ones are shared.
    A derived tensor is named after the parameters that it depends on, e.g.
    `"derived/0.wex,0.wix,0.wei"`, at both ends.

    Only results of linalg operations, which cost time, become derived tensors;
    constants, destinations and what merely rearranges stay. Parameters stay
    arguments of the functions, also those that they read no more: the results
    still depend on them. Without such work there is no `@prepare`.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

def UseBf16 : Pass<"dann-use-bf16", "::mlir::ModuleOp"> {
  let summary = "multiply in bf16";
  let description = [{
    The factors of f32 products are rounded to bf16; sums, results and all other
    arithmetic stay f32, and so do the parameters, of which a rounded copy is
    made where they are used. Products that no sample takes part in, which are
    those of operands of static shape, stay f32: they make weights of weights,
    which would be rounded twice.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def SelectKernels : Pass<"dann-select-kernels", "::mlir::ModuleOp"> {
  let summary = "choose between the library and generated code for each product";
  let description = [{
    Sets `dann.kernel` on every `linalg.contract` and every convolution or
    derivative of one, `onednn` or `generated`. With
    `backend=auto` each product gets what was measured to be faster for its type
    and shape; products that one of the two does not have go to the other.
  }];
  let options = [
    Option<"backend", "backend", "std::string", "\"auto\"",
           "auto, onednn or generated">,
    Option<"explain", "explain", "bool", "false",
           "emit a remark with the reason for each product">];
}

def ArrangeConvolutions
    : Pass<"dann-arrange-convolutions", "::mlir::ModuleOp"> {
  let summary = "give derivatives of convolutions the form of convolutions";
  let description = [{
    For the convolutions with `dann.kernel = "generated"`, batch last. The
    derivative by images, which adds what each window gives to the pixels that
    it covers, becomes one that collects at each pixel: dz is surrounded by
    zeros, and taps run backwards,

        dx[c, h, w, b] = sum of filters[f, c, kh, kw]
                         dz[f, h + (KH - 1 - kh) dilation, ..., b],

    for the pixels that are needed alone, if dx is cut. That needs strides of 1;
    with others the form stays. The derivative by filters gets x with the
    channels last, [H, W, B, C], and gives [F, KH, KW, C], of which vectors run
    through channels; the result is transposed.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertLinalgToOneDnn
    : Pass<"convert-linalg-to-onednn", "::mlir::ModuleOp"> {
  let summary = "turn products and convolutions on buffers into library kernels";
  let description = [{
    For the `linalg.contract`, which become `onednn.matmul`, and the
    convolutions with `dann.kernel = "onednn"`. A fill with zero
    before it disappears, and a relu behind it, in the same buffer, becomes a
    post-op.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect",
                           "::mlir::onednn::OneDnnDialect"];
}

def ConvertOneDnnToRuntime
    : Pass<"convert-onednn-to-runtime", "::mlir::ModuleOp"> {
  let summary = "lower onednn operations on memrefs to calls of the runtime";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect"];
}

def FuseLoops : Pass<"dann-fuse-loops", "::mlir::func::FuncOp"> {
  let summary = "fuse elementwise operations on buffers";
  let description = [{
    Two elementwise `linalg.generic` over the same range become one with the
    results of both if they meet the same entries of a buffer and the second may
    run right behind the first. What only the second one reads is never stored.
    Unlike fusion on tensors (`linalg-fuse-elementwise-ops`, which runs before),
    this computes nothing twice where the result of the first has other uses.
  }];
}

def CollapseLoops : Pass<"dann-collapse-loops", "::mlir::func::FuncOp"> {
  let summary = "run through neighbouring dimensions in one loop";
  let description = [{
    Dimensions of buffers that all operands of an operation run through one after
    the other, such as rows, columns and samples of images, become one. Loops
    are then long enough for vectors, and products over the channels of images
    are products of matrices.
  }];
  let dependentDialects = ["::mlir::memref::MemRefDialect"];
}

def Distribute : Pass<"dann-distribute", "::mlir::ModuleOp"> {
  let summary = "share the work of an entry point among threads";
  let description = [{
    All threads run the whole function. Each linalg operation on buffers becomes
    the share of the calling thread: a range of the rows of its result, or of
    its columns where there are few rows. Operations too small to share run on
    thread 0. How rows are shared depends on their number alone, so that
    operations over the same rows follow each other without a barrier;
    `dann_barrier` is called only where a thread would read or overwrite what
    another one has written or reads. No result depends on timing.

    All threads run the iterations of a loop. Its operations are shared by
    samples, unless they read a large matrix: threads then meet nothing of each
    other, and wait for each other in no iteration. Loops with too little work
    for that, or with operations that cannot be shared, run on thread 0.

    Before each operation, `dann_begin_operation` tells the runtime which one
    begins, and `dann.operations` on the function lists them: name, kernel,
    arithmetic and bytes moved.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def SplitProducts : Pass<"dann-split-products", "::mlir::ModuleOp"> {
  let summary = "split products over many steps into products of matrices";
  let description = [{
    A `linalg.contract` on buffers with a loop over the leading dimension of
    several operands, such as time, becomes an `scf.for` over that, of products
    of slices. A `linalg.transpose` of more than two dimensions becomes one of
    transposes of matrices. For both there are kernels.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def SplitConvolutions : Pass<"dann-split-convolutions", "::mlir::ModuleOp"> {
  let summary = "split convolutions into products over their windows";
  let description = [{
    A convolution on buffers with `dann.kernel = "generated"`, or a derivative
    that `dann-arrange-convolutions` has arranged, becomes a `linalg.contract`
    for each row of the result's images (each tap of its filters), of two
    factors with three loops of summation: one is a view of the filters, the
    other a view of all windows of that row, in which pixels stand as often as
    windows cover them. Where the samples of neighbouring pixels are
    neighbours in memory, pixels and samples are one dimension.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect"];
}

def GenerateProducts : Pass<"dann-generate-products", "::mlir::ModuleOp"> {
  let summary = "lower products on buffers to calls of generated kernels";
  let description = [{
    Each `linalg.contract` of two matrices, with the fill before it and the
    elementwise operation behind it, becomes a call of a private function that
    computes it in register tiles of `rows` x 2 vectors: for each k, the rows'
    entries of one factor are broadcast and multiplied with two vectors of the
    other. One function serves all products of a form, whatever their sizes.
    Products with three loops of summation, those of convolutions, have kernels
    of their own.
  }];
  let options = [
    Option<"vectorBytes", "vector-bytes", "int64_t", "64",
           "bytes of a vector register">,
    Option<"rows", "rows", "int64_t", "12", "rows of a register tile">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def OutlineLoops : Pass<"dann-outline-loops", "::mlir::ModuleOp"> {
  let summary = "make one function of operations that compute the same";
  let description = [{
    Every `linalg.generic` on buffers becomes a call of a private function with
    buffers of any size, which operations with the same maps and body share. The
    integer constants in which they differ, such as the stream of random numbers
    for a parameter, are arguments. The code of a network then grows with the
    kinds of its layers, not with their number.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect"];
}

def VectorizeLoops : Pass<"dann-vectorize-loops", "::mlir::func::FuncOp"> {
  let summary = "lower elementwise operations and reductions to vector loops";
  let description = [{
    `linalg.generic` on buffers becomes loops; the innermost one, over
    contiguous memory, works on vectors, with a masked one for the rest.
    Operations that do not fit stay for `convert-linalg-to-loops`.
  }];
  let options = [Option<"vectorBytes", "vector-bytes", "int64_t", "64",
                        "bytes of a vector register">];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::memref::MemRefDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::vector::VectorDialect"];
}

def PlanMemory : Pass<"dann-plan-memory", "::mlir::func::FuncOp"> {
  let summary = "place all buffers of a function in one scratch memory";
  let description = [{
    Replaces every `memref.alloc` by a view of one more argument, a buffer of
    bytes. Buffers that are never alive between the same two barriers may share
    memory. Sizes that depend on the batch count in groups of 16 samples, so
    that one plan serves all batch sizes. `dann.scratch` on the function says
    how much is needed, and how much is alive at one time, which is the least
    that any plan could need.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect"];
}

def LowerEntryPoints : Pass<"dann-lower-entry-points", "::mlir::ModuleOp"> {
  let summary = "give entry points the form in which the runtime calls them";
  let description = [{
    A function with a memory plan (`dann.scratch`) gets one argument, a pointer
    to as many pointers to memref descriptors as it had buffers. A buffer's
    address, and what its type leaves open, are loaded where the buffer is first
    used. A deep network has hundreds of parameters: with the descriptors' fields
    as arguments, as `llvm.emit_c_interface` would have them, most of the code of
    an entry point would move thousands of numbers to and from the stack.
  }];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

def AllowReassociation : Pass<"dann-allow-reassociation"> {
  let summary = "let the code generator reorder and contract float arithmetic";
  let description = [{
    Sets `reassoc` and `contract` on float arithmetic, so that reductions become
    vector code and products with sums FMAs. NaN and infinities keep their
    meaning, and the result of a given program on a given CPU stays the same
    from run to run.
  }];
}

def Summarize : Pass<"dann-summary", "::mlir::ModuleOp"> {
  let summary = "print a table of the layers: sizes, E:I ratio, FLOPs, bytes";
  let description = [{
    Prints a line for each layer of an imported model, and changes nothing:

    - `output`: the shape of what it computes for one sample,
    - `parameters`: how many numbers are trained, and `bytes`: the memory of
      them, of running statistics and of polarities,
    - `activations`: the bytes of the output for a batch,
    - `E:I`: excitatory units and interneurons, or with polarities excitatory
      and inhibitory units. A recurrent layer has interneurons for its input and
      for its state: they are added up,
    - `forward`, `backward`: floating-point operations for a batch, as the
      equations of the layer say, nothing folded: a multiply-add is two, any
      other operation on numbers one. `backward` is what the gradients of all
      parameters need beside the forward pass. Without training there is none.

    Operations belong together if they use parameters of one name before the
    last dot, such as `0.wex` and `0.bias`. What uses no parameters belongs to
    the layer that its place in the model file says, elementwise operations else
    to what they work on; the rest gets a line of its own. The loss is the last.
  }];
  let options = [Option<"output", "output", "std::string", "\"-\"",
                        "file to write; - is standard output">,
                 Option<"batchSize", "batch-size", "int64_t", "1",
                        "samples in a batch">];
  let dependentDialects = ["::mlir::dann::DannDialect"];
}

def DrawGraph : Pass<"dann-draw-graph", "::mlir::ModuleOp"> {
  let summary = "draw the operations of a function: DOT, SVG or HTML";
  let description = [{
    Draws a function on tensors and changes nothing. What the file's name ends
    in says what is written: `.dot` the text of a graph for
    Graphviz; `.svg` or `.html` a picture, for which Graphviz's `dot` has to be
    installed.

    Boxes are operations, ellipses inputs, parameters and results. Excitatory
    ones are blue, inhibitory ones red, those that are both, such as
    `dann.ei_dense`, have stripes. Parameters have the colour of their role. An
    operation that reads parameters has the colour of those. Another one has
    that of the operations that it reads: red if they are all inhibitory, else
    blue if one is excitatory, since where inhibition meets excitation is an
    excitatory unit. Arrows have the colour of the value that they carry. What
    only handles shapes is left out.
  }];
  let options = [Option<"output", "output", "std::string", "\"\"",
                        "file to write: .dot, .svg or .html">,
                 Option<"function", "function", "std::string", "\"forward\"",
                        "function to draw">];
}

#endif // DANN_PASSES
