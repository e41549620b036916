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

class OneDnn_Matrix<list<Type> types>
    : StridedMemRefRankOf<types, [2]>;

def OneDnn_MatmulOp : Op<OneDnn_Dialect, "matmul", [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "matrix product with epilogue";
  let description = [{
        dst = post_ops(a . b + dst)

    where the old `dst` is added only with `accumulate`; without it the contents
    of `dst` are not read. Transposed operands are memrefs with such strides.

    Constraints: a is [M, K], b is [K, N], dst is [M, N]; a and b have one
    element type.

    Example:

    ```mlir
    onednn.matmul ins(%w, %x : memref<500x784xf32>, memref<784x?xf32>)
                  outs(%z : memref<500x?xf32>)
                  {post_ops = [#onednn<post_op relu>]}
    ```
  }];
  let arguments = (ins OneDnn_Matrix<[F32, BF16]>:$a,
                       OneDnn_Matrix<[F32, BF16]>:$b,
                       OneDnn_Matrix<[F32]>:$dst, UnitAttr:$accumulate,
                       DefaultValuedAttr<OneDnn_PostOpsAttr, "{}">:$post_ops);
  let assemblyFormat = [{
    `ins` `(` $a `,` $b `:` type($a) `,` type($b) `)`
    `outs` `(` $dst `:` type($dst) `)` attr-dict
  }];
  let hasVerifier = 1;
}

#endif // ONEDNN_OPS
