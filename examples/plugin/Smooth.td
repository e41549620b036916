//===- Smooth.td - An operation and two passes from outside of dann -------===//

#ifndef SMOOTH
#define SMOOTH

include "Dann/DannInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Pass/PassBase.td"

def SmoothDialect : Dialect {
  let name = "smooth";
  let cppNamespace = "::smooth";
  let summary = "activations that are smooth everywhere";
}

// [operation]
def SoftplusOp : Op<SmoothDialect, "softplus",
    [Pure, SameOperandsAndResultType,
     DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface>,
     DeclareOpInterfaceMethods<Dann_InferSignOpInterface>]> {
  let summary = "a smooth relu";
  let description = [{
    y = log(1 + e^x), for each entry. Its derivative is the logistic function,
    1 / (1 + e^-x).

    Example:

    ```mlir
    %y = smooth.softplus %x : tensor<?x100xf32>
    ```
  }];
  let arguments = (ins AnyRankedTensor:$x);
  let results = (outs AnyRankedTensor:$y);
  let assemblyFormat = "$x attr-dict `:` type($x)";
}
// [operation]

// [passes]
def SmoothRelu : Pass<"smooth-relu", "mlir::ModuleOp"> {
  let summary = "replace relu by softplus";
  let dependentDialects = ["SmoothDialect"];
}

def LowerSmooth : Pass<"lower-smooth", "mlir::ModuleOp"> {
  let summary = "lower softplus to linalg";
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::math::MathDialect",
                           "mlir::tensor::TensorDialect"];
}
// [passes]

#endif // SMOOTH
