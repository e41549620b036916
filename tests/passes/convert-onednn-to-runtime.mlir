// --convert-onednn-to-runtime turns kernels into calls with flags: 1 transposes
// a, 2 transposes b, 4 accumulates, 8 applies relu (dann::MatmulFlags).
// RUN: dann-opt %s -split-input-file -verify-diagnostics -convert-onednn-to-runtime | FileCheck %s

// One declaration serves all shapes and layouts.
// CHECK-DAG: func.func private @dann_onednn_matmul(memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, f32, i64) attributes {llvm.emit_c_interface}
// CHECK-DAG: func.func private @dann_onednn_matmul_bias(memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?xf32, strided<[?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, f32, i64) attributes {llvm.emit_c_interface}
// CHECK-NOT: func.func private

// CHECK-LABEL: func @plain
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32>, %[[B:.*]]: memref<8x4xf32>, %[[DST:.*]]: memref<?x4xf32>)
// CHECK-DAG: %[[PA:.*]] = memref.cast %[[A]] : memref<?x8xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[PB:.*]] = memref.cast %[[B]] : memref<8x4xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[PDST:.*]] = memref.cast %[[DST]] : memref<?x4xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[SCALE:.*]] = arith.constant 1.0
// CHECK-DAG: %[[FLAGS:.*]] = arith.constant 0 : i64
// CHECK: call @dann_onednn_matmul(%[[PA]], %[[PB]], %[[PDST]], %[[SCALE]], %[[FLAGS]])
// CHECK-NOT: onednn.
func.func @plain(%a: memref<?x8xf32>, %b: memref<8x4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32>, memref<8x4xf32>) outs(%dst : memref<?x4xf32>)
  return
}

// CHECK-LABEL: func @transposes
// CHECK: %[[FLAGS:.*]] = arith.constant 3 : i64
// CHECK: call @dann_onednn_matmul({{.*}}, %[[FLAGS]])
func.func @transposes(%a: memref<8x?xf32>, %b: memref<4x8xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<8x?xf32>, memref<4x8xf32>) outs(%dst : memref<?x4xf32>) {transpose_a, transpose_b}
  return
}

// CHECK-LABEL: func @everything
// CHECK-SAME: %[[BIAS:[^:]*]]: memref<4xf32>
// CHECK-DAG: %[[PBIAS:.*]] = memref.cast %[[BIAS]] : memref<4xf32> to memref<?xf32, strided<[?], offset: ?>>
// CHECK-DAG: %[[SCALE:.*]] = arith.constant -5.000000e-01 : f32
// CHECK-DAG: %[[FLAGS:.*]] = arith.constant 14 : i64
// CHECK: call @dann_onednn_matmul_bias(%{{.*}}, %{{.*}}, %[[PBIAS]], %{{.*}}, %[[SCALE]], %[[FLAGS]])
func.func @everything(%a: memref<?x8xf32>, %b: memref<4x8xf32>, %bias: memref<4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32>, memref<4x8xf32>) bias(%bias : memref<4xf32>) outs(%dst : memref<?x4xf32>)
    {accumulate, post_ops = [#onednn<post_op relu>], scale = -0.5 : f32, transpose_b}
  return
}

// -----

func.func @tensors(%a: tensor<4x8xf32>, %b: tensor<8x2xf32>, %dst: tensor<4x2xf32>) -> tensor<4x2xf32> {
  // expected-error @below {{'onednn.matmul' op must be bufferized before its conversion}}
  %0 = onednn.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x2xf32>) outs(%dst : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %0 : tensor<4x2xf32>
}

// -----

func.func @two_post_ops(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op the runtime applies one post-op at most}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<4x2xf32>) {post_ops = [#onednn<post_op relu>, #onednn<post_op relu>]}
  return
}
