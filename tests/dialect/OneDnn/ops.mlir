// onednn.matmul survives a round trip through its textual form, on tensors and
// on memrefs.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func @tensors
// CHECK-SAME: (%[[A:.*]]: tensor<?x8xf32>, %[[B:.*]]: tensor<8x4xf32>, %[[BT:.*]]: tensor<4x8xf32>, %[[BIAS:.*]]: tensor<4xf32>, %[[DST:.*]]: tensor<?x4xf32>)
func.func @tensors(%a: tensor<?x8xf32>, %b: tensor<8x4xf32>, %bt: tensor<4x8xf32>, %bias: tensor<4xf32>, %dst: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // CHECK: onednn.matmul ins(%[[A]], %[[B]] : tensor<?x8xf32>, tensor<8x4xf32>) outs(%[[DST]] : tensor<?x4xf32>) -> tensor<?x4xf32>
  %0 = onednn.matmul ins(%a, %b : tensor<?x8xf32>, tensor<8x4xf32>) outs(%dst : tensor<?x4xf32>) -> tensor<?x4xf32>
  // CHECK: onednn.matmul ins(%[[A]], %[[BT]] : tensor<?x8xf32>, tensor<4x8xf32>) bias(%[[BIAS]] : tensor<4xf32>) outs(%[[DST]] : tensor<?x4xf32>) {post_ops = [#onednn<post_op relu>], transpose_b} -> tensor<?x4xf32>
  %1 = onednn.matmul ins(%a, %bt : tensor<?x8xf32>, tensor<4x8xf32>) bias(%bias : tensor<4xf32>) outs(%dst : tensor<?x4xf32>)
         {post_ops = [#onednn<post_op relu>], transpose_b} -> tensor<?x4xf32>
  // CHECK: onednn.matmul ins(%{{.*}}, %[[A]] : tensor<?x4xf32>, tensor<?x8xf32>) outs(%[[BT]] : tensor<4x8xf32>) {accumulate, scale = -5.000000e-01 : f32, transpose_a} -> tensor<4x8xf32>
  %2 = onednn.matmul ins(%1, %a : tensor<?x4xf32>, tensor<?x8xf32>) outs(%bt : tensor<4x8xf32>)
         {accumulate, scale = -0.5 : f32, transpose_a} -> tensor<4x8xf32>
  return %0 : tensor<?x4xf32>
}

// CHECK-LABEL: func @memrefs
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32, strided<[16, 1]>>, %[[B:.*]]: memref<4x8xf32>, %[[BIAS:.*]]: memref<4xf32>, %[[DST:.*]]: memref<?x4xf32>)
func.func @memrefs(%a: memref<?x8xf32, strided<[16, 1]>>, %b: memref<4x8xf32>, %bias: memref<4xf32>, %dst: memref<?x4xf32>) {
  // CHECK: onednn.matmul ins(%[[A]], %[[B]] : memref<?x8xf32, strided<[16, 1]>>, memref<4x8xf32>) bias(%[[BIAS]] : memref<4xf32>) outs(%[[DST]] : memref<?x4xf32>) {accumulate, transpose_b}
  // CHECK-NOT: ->
  // CHECK: return
  onednn.matmul ins(%a, %b : memref<?x8xf32, strided<[16, 1]>>, memref<4x8xf32>) bias(%bias : memref<4xf32>) outs(%dst : memref<?x4xf32>)
    {accumulate, transpose_b}
  return
}
