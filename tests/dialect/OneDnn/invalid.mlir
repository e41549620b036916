// Every constraint of onednn.matmul is enforced, with the whole text of the error.
// RUN: dann-opt %s -split-input-file -verify-diagnostics

// op(a) is [M, K], op(b) is [K, N], dst is [M, N].
func.func @inner(%a: tensor<4x8xf32>, %b: tensor<7x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op inner sizes of op(a) and op(b) differ: 8 and 7}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<7x2xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @inner_transposed(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op inner sizes of op(a) and op(b) differ: 4 and 8}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {transpose_a} -> tensor<4x2xf32>
  return
}

// -----

func.func @rows(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<5x2xf32>) {
  // expected-error @below {{'onednn.matmul' op rows of op(a) and dst differ: 4 and 5}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<5x2xf32>) -> tensor<5x2xf32>
  return
}

// -----

func.func @columns(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x3xf32>) {
  // expected-error @below {{'onednn.matmul' op columns of op(b) and dst differ: 2 and 3}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x3xf32>) -> tensor<4x3xf32>
  return
}

// -----

func.func @bias(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %bias: tensor<4xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op sizes of bias and columns of op(b) differ: 4 and 2}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) bias(%bias : tensor<4xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

// All operands are tensors, or all are memrefs.
func.func @mixed(%a: tensor<4x8xf32>, %b: memref<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op operands must be all tensors or all memrefs}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, memref<8x2xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @no_result(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op must have one result of the type of dst}}
  onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>)
  return
}

// -----

func.func @result_type(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op must have one result of the type of dst}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @result_on_memrefs(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op on memrefs must have no result}}
  %0 = onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

// The scale is finite.
func.func @scale(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op scale must be finite}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {scale = 0x7FC00000 : f32} -> tensor<4x2xf32>
  return
}

// -----

// Only f32 matrices, only known post-ops.
func.func @f64(%a: tensor<4x8xf64>, %b: tensor<8x2xf64>, %dst: tensor<4x2xf64>) {
  // expected-error @below {{operand #0 must be 2D tensor of 32-bit float values or 2D memref of 32-bit float values, but got 'tensor<4x8xf64>'}}
  onednn.matmul ins(%a, %b : tensor<4x8xf64>, tensor<8x2xf64>) outs(%dst : tensor<4x2xf64>)
  return
}

// -----

func.func @post_op(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op attribute 'post_ops' failed to satisfy constraint: post-ops}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {post_ops = ["relu"]} -> tensor<4x2xf32>
  return
}
