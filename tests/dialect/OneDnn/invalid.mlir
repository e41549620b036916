// Every constraint of onednn.matmul is enforced, with the whole text of the error.
// RUN: dann-opt %s -split-input-file -verify-diagnostics

// a is [M, K], b is [K, N], dst is [M, N].
func.func @inner(%a: memref<4x8xf32>, %b: memref<7x2xf32>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op columns of a and rows of b differ: 8 and 7}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<7x2xf32>) outs(%dst : memref<4x2xf32>)
  return
}

// -----

func.func @rows(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<5x2xf32>) {
  // expected-error @below {{'onednn.matmul' op rows of a and dst differ: 4 and 5}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<5x2xf32>)
  return
}

// -----

func.func @columns(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<4x3xf32>) {
  // expected-error @below {{'onednn.matmul' op columns of b and dst differ: 2 and 3}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<4x3xf32>)
  return
}

// -----

// The factors have one type, f32 or bf16; the result is always f32.
func.func @types(%a: memref<4x8xf32>, %b: memref<8x2xbf16>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op element types of a and b differ: 'f32' and 'bf16'}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xbf16>) outs(%dst : memref<4x2xf32>)
  return
}

// -----

func.func @f64(%a: memref<4x8xf64>, %b: memref<8x2xf64>, %dst: memref<4x2xf64>) {
  // expected-error @below {{'onednn.matmul' op operand #0 must be 2D memref of 32-bit float or bfloat16 type values, but got 'memref<4x8xf64>'}}
  onednn.matmul ins(%a, %b : memref<4x8xf64>, memref<8x2xf64>) outs(%dst : memref<4x2xf64>)
  return
}

// -----

func.func @bf16_result(%a: memref<4x8xbf16>, %b: memref<8x2xbf16>, %dst: memref<4x2xbf16>) {
  // expected-error @below {{'onednn.matmul' op operand #2 must be 2D memref of 32-bit float values, but got 'memref<4x2xbf16>'}}
  onednn.matmul ins(%a, %b : memref<4x8xbf16>, memref<8x2xbf16>) outs(%dst : memref<4x2xbf16>)
  return
}

// -----

// Matrices with strides only: no vectors, no tensors.
func.func @vector(%a: memref<4x8xf32>, %b: memref<8xf32>, %dst: memref<4x1xf32>) {
  // expected-error @below {{'onednn.matmul' op operand #1 must be 2D memref of 32-bit float or bfloat16 type values, but got 'memref<8xf32>'}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8xf32>) outs(%dst : memref<4x1xf32>)
  return
}

// -----

func.func @tensors(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{invalid kind of type specified: expected builtin.memref, but found 'tensor<4x8xf32>'}}
  onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>)
  return
}

// -----

// Only known post-ops.
func.func @post_op(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op attribute 'post_ops' failed to satisfy constraint: post-ops}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<4x2xf32>) {post_ops = ["relu"]}
  return
}

// -----

func.func @not_strided(%a: memref<4x8xf32, affine_map<(i, j) -> (i floordiv 2, j, i mod 2)>>, %b: memref<8x4xf32>, %dst: memref<4x4xf32>) {
  // expected-error@+1 {{operands must have strides, but one is 'memref<4x8xf32, affine_map<(d0, d1) -> (d0 floordiv 2, d1, d0 mod 2)>>'}}
  onednn.matmul ins(%a, %b : memref<4x8xf32, affine_map<(i, j) -> (i floordiv 2, j, i mod 2)>>, memref<8x4xf32>) outs(%dst : memref<4x4xf32>)
  return
}

// -----

// Convolutions and their derivatives: channels, maps, samples and windows fit.
func.func @channels(%x: memref<3x8x8x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x6x6x?xf32>) {
  // expected-error @below {{'onednn.convolution' op channels of images and filters differ: 3 and 2}}
  onednn.convolution ins(%x, %w : memref<3x8x8x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x6x6x?xf32>)
    {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>}
  return
}

// -----

func.func @maps(%dz: memref<5x6x6x?xf32>, %w: memref<4x2x3x3xf32>, %dx: memref<2x8x8x?xf32>) {
  // expected-error @below {{'onednn.convolution_backward_data' op maps and filters differ: 5 and 4}}
  onednn.convolution_backward_data ins(%dz, %w : memref<5x6x6x?xf32>, memref<4x2x3x3xf32>) outs(%dx : memref<2x8x8x?xf32>)
    {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>}
  return
}

// -----

func.func @samples(%dz: memref<4x6x6x16xf32>, %x: memref<2x8x8x32xf32>, %dw: memref<4x2x3x3xf32>) {
  // expected-error @below {{'onednn.convolution_backward_weights' op numbers of samples differ: 32 and 16}}
  onednn.convolution_backward_weights ins(%dz, %x : memref<4x6x6x16xf32>, memref<2x8x8x32xf32>) outs(%dw : memref<4x2x3x3xf32>)
    {strides = array<i64: 1, 1>, dilations = array<i64: 1, 1>}
  return
}

// -----

func.func @windows(%x: memref<2x8x8x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x6x6x?xf32>) {
  // expected-error @below {{'onednn.convolution' op windows cover 13 rows of images with 8}}
  onednn.convolution ins(%x, %w : memref<2x8x8x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x6x6x?xf32>)
    {strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>}
  return
}

// -----

func.func @strides(%x: memref<2x8x8x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x6x6x?xf32>) {
  // expected-error @below {{'onednn.convolution' op strides must be two numbers from 1}}
  onednn.convolution ins(%x, %w : memref<2x8x8x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x6x6x?xf32>)
    {strides = array<i64: 1>, dilations = array<i64: 1, 1>}
  return
}
