//===- Passes.td - The passes of dann -------------------------------------===//

#ifndef DANN_PASSES
#define DANN_PASSES

include "mlir/Pass/PassBase.td"

def ExpandTraining : Pass<"dann-expand-training", "::mlir::ModuleOp"> {
  let summary = "make the training entry points from `dann.training`";
  let description = [{
    Replaces the module's `dann.training` by

    - `@loss_and_gradients(x, y, parameters) -> (loss, gradients)`,
    - `@train_step(x, y, learning_rate, parameters) -> (loss, parameters)`:
      gradients, correction of the inhibitory ones, optimizer step, projection,
    - `@evaluate(x, y, parameters) -> (loss, errors)`,

    and the private `@loss` that they share. Which gradients are corrected, and
    by how much, follows from the E/I layer that uses the parameter. A parameter
    used by two layers in ways that ask for different corrections is an error.
  }];
  let dependentDialects = ["::mlir::dann::DannDialect",
                           "::mlir::func::FuncDialect"];
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

def ConvertDannToLinalg : Pass<"convert-dann-to-linalg", "::mlir::ModuleOp"> {
  let summary = "lower all dann operations to linalg on tensors";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::tensor::TensorDialect"];
}

def ConvertDannToOneDnn : Pass<"convert-dann-to-onednn", "::mlir::ModuleOp"> {
  let summary = "turn matrix products into calls of oneDNN";
  let description = [{
    Lowers E/I layers to products and elementwise maths, turns every product of
    two f32 matrices (those of `linalg` as well) into `onednn.matmul`, and moves
    what follows into it:

    - a sum of two products becomes accumulation,
    - addition of a bias row and relu become its epilogue,
    - an SGD step, corrected and projected or not, whose gradient is a product
      and nothing else's: W <- max(0, W - lr c (a . b)) becomes one product with
      W as destination, and the gradient is never materialised. The factor
      lr c moves to the smaller of the two operands.

    Operations that are no products stay for `convert-dann-to-linalg`.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::onednn::OneDnnDialect",
                           "::mlir::tensor::TensorDialect"];
}

def UpdateInPlace : Pass<"dann-update-in-place", "::mlir::func::FuncOp"> {
  let summary = "compute updated parameters into the parameters' own tensors";
  let description = [{
    Where an elementwise operation makes a result that replaces an argument
    (`dann.updates`), uses that argument as its destination, so that
    bufferization overwrites the argument's buffer.
  }];
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

def ConvertOneDnnToRuntime
    : Pass<"convert-onednn-to-runtime", "::mlir::ModuleOp"> {
  let summary = "lower onednn operations on memrefs to calls of the runtime";
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::func::FuncDialect",
                           "::mlir::memref::MemRefDialect"];
}

def InterchangeLoops : Pass<"dann-interchange-loops", "::mlir::func::FuncOp"> {
  let summary = "order the loops of products for contiguous access";
  let description = [{
    Makes the loop along which most operands of a contraction are contiguous its
    innermost one: a dot product for x . w^T, and sums of scaled rows for the
    products of the backward pass. Both vectorise as they are.
  }];
  let dependentDialects = ["::mlir::linalg::LinalgDialect"];
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

#endif // DANN_PASSES
