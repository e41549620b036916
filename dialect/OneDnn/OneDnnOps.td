//===- OneDnnOps.td - Calls into oneDNN as operations ---------------------===//

#ifndef ONEDNN_OPS
#define ONEDNN_OPS

include "mlir/IR/EnumAttr.td"
include "mlir/IR/OpBase.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def OneDnn_Dialect : Dialect {
  let name = "onednn";
  let cppNamespace = "::mlir::onednn";
  let summary = "library kernels of oneDNN";
  let description = [{
    Destination-passing operations, on tensors before bufferization and on
    memrefs after it, that become calls into the runtime. The runtime builds
    the oneDNN primitive of a call once per shape and keeps it. Whatever a
    kernel can do on the way is an attribute: transposes, scale, accumulation
    and post-ops.
  }];
  let useDefaultAttributePrinterParser = 1;
}

def OneDnn_PostOp : I32Enum<"PostOp", "what a kernel applies to its result", [
    I32EnumCase<"Relu", 0, "relu">]> {
  let cppNamespace = "::mlir::onednn";
}
def OneDnn_PostOpAttr : EnumAttr<OneDnn_Dialect, OneDnn_PostOp, "post_op">;
def OneDnn_PostOpsAttr : TypedArrayAttrBase<OneDnn_PostOpAttr, "post-ops">;

def OneDnn_Matrix : AnyTypeOf<[2DTensorOf<[F32]>, MemRefRankOf<[F32], [2]>]>;
def OneDnn_Vector : AnyTypeOf<[1DTensorOf<[F32]>, MemRefRankOf<[F32], [1]>]>;

def OneDnn_MatmulOp : Op<OneDnn_Dialect, "matmul", [
    DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "matrix product with epilogue";
  let description = [{
        dst = post_ops(scale * op(a) . op(b) + bias + dst)

    where op transposes under `transpose_a` or `transpose_b`, `bias[N]` is added
    to each row if given, and the old `dst` only with `accumulate`; without it
    the contents of `dst` are not read.

    Constraints: op(a) is [M, K], op(b) is [K, N], dst is [M, N]; all operands
    are tensors, or all are memrefs; the scale is finite.

    Example:

    ```mlir
    %z = onednn.matmul ins(%x, %w : tensor<?x784xf32>, tensor<500x784xf32>)
                       bias(%b : tensor<500xf32>)
                       outs(%init : tensor<?x500xf32>)
                       {post_ops = [#onednn<post_op relu>], transpose_b}
       -> tensor<?x500xf32>
    ```
  }];
  let arguments = (ins OneDnn_Matrix:$a, OneDnn_Matrix:$b,
                       Optional<OneDnn_Vector>:$bias, OneDnn_Matrix:$dst,
                       UnitAttr:$transpose_a, UnitAttr:$transpose_b,
                       DefaultValuedAttr<F32Attr, "1.0f">:$scale,
                       UnitAttr:$accumulate,
                       DefaultValuedAttr<OneDnn_PostOpsAttr, "{}">:$post_ops);
  let results = (outs Optional<2DTensorOf<[F32]>>:$result);
  let assemblyFormat = [{
    `ins` `(` $a `,` $b `:` type($a) `,` type($b) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    `outs` `(` $dst `:` type($dst) `)` attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() { return getDstMutable(); }
  }];
}

#endif // ONEDNN_OPS
