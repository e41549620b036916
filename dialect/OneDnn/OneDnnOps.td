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

class OneDnn_ConvolutionBase<string mnemonic, string a, string b, string result,
                             string what, string more> : Op<OneDnn_Dialect, mnemonic, [
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = what;
  let description = more # [{
    Images are x[C, H, W, B] and z[F, OH, OW, B], the batch last, filters
    [F, C, kh, kw]; x holds its padding, if it has some. The result is
    overwritten, or added to with `accumulate`.

    Constraints: the windows fit, (OH - 1) stride + (kh - 1) dilation + 1 <= H,
    and columns likewise; strides and dilations are two numbers from 1.

    Example:

    ```mlir
    }] # "onednn." # mnemonic # " ins(%" # a # ", %" # b # " : " #
    !cond(!eq(a, "x") : "memref<3x34x34x?xf32>", true : "memref<64x32x32x?xf32>") # ", " #
    !cond(!eq(b, "x") : "memref<3x34x34x?xf32>", true : "memref<64x3x3x3xf32>") # [{)
        outs(%}] # result # " : " #
    !cond(!eq(result, "z") : "memref<64x32x32x?xf32>",
          !eq(result, "dx") : "memref<3x34x34x?xf32>",
          true : "memref<64x3x3x3xf32>") # [{)
        {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>}
    ```
  }];
  let assemblyFormat = "`ins` `(` $" # a # " `,` $" # b # " `:` type($" # a #
      ") `,` type($" # b # ") `)` `outs` `(` $" # result # " `:` type($" #
      result # ") `)` attr-dict";
  let hasVerifier = 1;
}

def OneDnn_Array4 : StridedMemRefRankOf<[F32], [4]>;

def OneDnn_ConvolutionOp : OneDnn_ConvolutionBase<"convolution",
    "x", "filters", "z", "convolution of images", [{
        z[f, oh, ow] (+)= sum of filters[f, c, kh, kw]
                          x[c, oh stride + kh dilation, ow stride + kw dilation]

}]> {
  let arguments = (ins OneDnn_Array4:$x, OneDnn_Array4:$filters,
                       OneDnn_Array4:$z, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, UnitAttr:$accumulate);
}

def OneDnn_ConvolutionBackwardDataOp : OneDnn_ConvolutionBase<
    "convolution_backward_data", "dz", "filters", "dx",
    "derivative of a convolution by its images", [{
    The cotangent of x for the cotangent dz of z: the sum of `filters . dz` over
    all windows at each pixel.

}]> {
  let arguments = (ins OneDnn_Array4:$dz, OneDnn_Array4:$filters,
                       OneDnn_Array4:$dx, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, UnitAttr:$accumulate);
}

def OneDnn_ConvolutionBackwardWeightsOp : OneDnn_ConvolutionBase<
    "convolution_backward_weights", "dz", "x", "dfilters",
    "derivative of a convolution by its filters", [{
    The cotangent of the filters for the cotangent dz of z: the sum of `dz . x`
    over samples and positions.

}]> {
  let arguments = (ins OneDnn_Array4:$dz, OneDnn_Array4:$x,
                       OneDnn_Array4:$dfilters, DenseI64ArrayAttr:$strides,
                       DenseI64ArrayAttr:$dilations, UnitAttr:$accumulate);
}

#endif // ONEDNN_OPS
