// One-shot bufferization computes onednn.matmul into its destination's buffer:
// only with `accumulate` is the old content read and has to survive.
// RUN: dann-opt %s -one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" | FileCheck %s

// CHECK-LABEL: func @in_place
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32>, %[[B:.*]]: memref<4x8xf32>, %[[BIAS:.*]]: memref<4xf32>, %[[DST:.*]]: memref<?x4xf32>)
// CHECK-NOT: memref.
// CHECK: onednn.matmul ins(%[[A]], %[[B]] : memref<?x8xf32>, memref<4x8xf32>) bias(%[[BIAS]] : memref<4xf32>) outs(%[[DST]] : memref<?x4xf32>)
// CHECK-SAME: {accumulate, post_ops = [#onednn<post_op relu>], scale = 5.000000e-01 : f32, transpose_b}
// CHECK-NOT: memref.
// CHECK: return %[[DST]]
func.func @in_place(%a: tensor<?x8xf32>, %b: tensor<4x8xf32>, %bias: tensor<4xf32>, %dst: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = onednn.matmul ins(%a, %b : tensor<?x8xf32>, tensor<4x8xf32>) bias(%bias : tensor<4xf32>) outs(%dst : tensor<?x4xf32>)
         {accumulate, post_ops = [#onednn<post_op relu>], scale = 0.5 : f32, transpose_b} -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Both results start from the same destination, which only the second one
// reads: the first one gets a buffer whose contents are not copied.
// CHECK-LABEL: func @not_read
// CHECK-SAME: (%{{.*}}: memref<4x8xf32>, %{{.*}}: memref<8x2xf32>, %[[DST:.*]]: memref<4x2xf32>)
// CHECK: %[[NEW:.*]] = memref.alloc() {{.*}}: memref<4x2xf32>
// CHECK-NOT: memref.copy
// CHECK: onednn.matmul {{.*}} outs(%[[NEW]] : memref<4x2xf32>)
// CHECK-NOT: memref.copy
// CHECK: onednn.matmul {{.*}} outs(%[[DST]] : memref<4x2xf32>) {accumulate}
// CHECK: return %[[NEW]], %[[DST]]
func.func @not_read(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<4x2xf32>
  %1 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {accumulate} -> tensor<4x2xf32>
  return %0, %1 : tensor<4x2xf32>, tensor<4x2xf32>
}

// With `accumulate` in both, one has to work on a copy.
// CHECK-LABEL: func @read
// CHECK-SAME: (%{{.*}}: memref<4x8xf32>, %{{.*}}: memref<8x2xf32>, %[[DST:.*]]: memref<4x2xf32>)
// CHECK: %[[NEW:.*]] = memref.alloc() {{.*}}: memref<4x2xf32>
// CHECK: memref.copy %[[DST]], %[[NEW]]
// CHECK: onednn.matmul {{.*}} outs(%[[NEW]] : memref<4x2xf32>) {accumulate}
// CHECK: onednn.matmul {{.*}} outs(%[[DST]] : memref<4x2xf32>) {accumulate}
func.func @read(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) -> (tensor<4x2xf32>, tensor<4x2xf32>) {
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {accumulate} -> tensor<4x2xf32>
  %1 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) {accumulate} -> tensor<4x2xf32>
  return %0, %1 : tensor<4x2xf32>, tensor<4x2xf32>
}

// A product cannot overwrite what it multiplies.
// CHECK-LABEL: func @operand_as_destination
// CHECK-SAME: (%[[A:.*]]: memref<4x4xf32>, %[[B:.*]]: memref<4x4xf32>)
// CHECK: %[[NEW:.*]] = memref.alloc() {{.*}}: memref<4x4xf32>
// CHECK: onednn.matmul ins(%[[A]], %[[B]] : {{.*}}) outs(%[[NEW]] : memref<4x4xf32>)
// CHECK: return %[[NEW]]
func.func @operand_as_destination(%a: tensor<4x4xf32>, %b: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = onednn.matmul ins(%a, %b : tensor<4x4xf32>, tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
