//===- DannConvolution.td - E/I convolution -------------------------------===//
//
// A part of DannOps.td.
//
//===----------------------------------------------------------------------===//

def Dann_Images : 4DTensorOf<[Dann_Float]>;

def Dann_EiConv2dOp : Dann_Op<"ei_conv2d", [
    Pure, AttrSizedOperandSegments,
    DeclareOpInterfaceMethods<Dann_DifferentiableOpInterface, ["buildVjp"]>,
    DeclareOpInterfaceMethods<Dann_InferSignOpInterface>,
    DeclareOpInterfaceMethods<Dann_EILayerOpInterface>]> {
  let summary = "convolution of excitatory and inhibitory units";
  let description = [{
    `dann.ei_dense` at each position of an image, with convolutions (without
    bias, of the same strides, dilations and padding) for the products with x,
    and `wei` mixing the channels of each pixel:

        ze = x * wex                            [B, ce, oh, ow]
        zi = x * wix                            [B, ci, oh, ow]
        z = ze - wei . zi + bias                without alpha
        z = gain (ze - wei . zi) / ((wei e^alpha) . zi + epsilon) + bias

    As is usual, the filters are not flipped: ze[b, f, p] is the sum over
    channels c and taps k of wex[f, c, k] x[b, c, p stride + k dilation]. The
    image is surrounded by zeros: `padding` says by how many (top, left, bottom,
    right). Dale's law demands that x, wex, wix, wei and gain are nonnegative.
    One excitatory unit has d = cin kh kw inputs. (Cornford et al., ICLR 2021,
    appendix B.)

    Constraints:
    1. x is [B, cin, h, w], wex [ce, cin, kh, kw], wix [ci, cin, kh, kw], wei
       [ce, ci], alpha [ci], gain [ce], bias [ce], the result [B, ce, oh, ow]
       with oh = (h + top + bottom - (kh - 1) dilation - 1) / stride + 1,
       rounded down, and ow likewise.
    2. All of them have one element type.
    3. All sizes but B are static and at least 1.
    4. Strides and dilations are two numbers from 1, padding four from 0.
    5. gain needs alpha.
    6. epsilon is finite and not negative.

    Example:

    ```mlir
    %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei)
           divisive(%alpha) gain(%g) bias(%b) {padding = array<i64: 1, 1, 1, 1>}
         : (tensor<?x3x32x32xf32>, tensor<64x3x3x3xf32>, tensor<10x3x3x3xf32>,
            tensor<64x10xf32>, tensor<10xf32>, tensor<64xf32>, tensor<64xf32>)
         -> tensor<?x64x32x32xf32>
    ```
  }];
  let arguments = (ins Dann_Images:$x, Dann_Images:$wex, Dann_Images:$wix,
                       Dann_Matrix:$wei, Optional<Dann_Vector>:$alpha,
                       Optional<Dann_Vector>:$gain, Optional<Dann_Vector>:$bias,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<F64Attr, "1e-8">:$epsilon);
  let results = (outs Dann_Images:$z);
  let assemblyFormat = [{
    $x `excitatory` `(` $wex `)` `inhibitory` `(` $wix `,` $wei `)`
    (`divisive` `(` $alpha^ `)`)? (`gain` `(` $gain^ `)`)?
    (`bias` `(` $bias^ `)`)? attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Dann_EiConv2dGradOp : Dann_Op<"ei_conv2d_grad", [
    Pure, AttrSizedOperandSegments]> {
  let summary = "gradients of `dann.ei_conv2d`";
  let description = [{
    The VJP of `dann.ei_conv2d` for the cotangent `dz[B, ce, oh, ow]` of its
    result: the formulas of `dann.ei_dense_grad` at each pixel, with the
    derivatives of convolutions in the place of products with x, wex and wix,
    and sums over pixels as over the batch. Results and `parameters_only` are
    as there.

    Example:

    ```mlir
    %dwex, %dwix, %dwei = dann.ei_conv2d_grad %dz, %x excitatory(%wex)
        inhibitory(%wix, %wei) parameters_only
      : (tensor<?x4x6x6xf32>, tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>,
         tensor<2x2x3x3xf32>, tensor<4x2xf32>)
      -> (tensor<4x2x3x3xf32>, tensor<2x2x3x3xf32>, tensor<4x2xf32>)
    ```
  }];
  let arguments = (ins Dann_Images:$dz, Dann_Images:$x, Dann_Images:$wex,
                       Dann_Images:$wix, Dann_Matrix:$wei,
                       Optional<Dann_Vector>:$alpha,
                       Optional<Dann_Vector>:$gain, Optional<Dann_Vector>:$bias,
                       UnitAttr:$parameters_only,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
                       DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
                       DefaultValuedAttr<F64Attr, "1e-8">:$epsilon);
  let results = (outs Variadic<Dann_Tensor>:$gradients);
  let assemblyFormat = [{
    $dz `,` $x `excitatory` `(` $wex `)` `inhibitory` `(` $wix `,` $wei `)`
    (`divisive` `(` $alpha^ `)`)? (`gain` `(` $gain^ `)`)?
    (`bias` `(` $bias^ `)`)? (`parameters_only` $parameters_only^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}
