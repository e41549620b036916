// --convert-onednn-to-runtime turns kernels into calls with flags: 1
// accumulates, 2 applies relu (dann::MatmulFlags).
// RUN: dann-opt %s -split-input-file -verify-diagnostics -convert-onednn-to-runtime | FileCheck %s --implicit-check-not="onednn.matmul"

// One declaration for each type of factors serves all shapes and layouts.
// CHECK-DAG: func.func private @dann_onednn_matmul_f32(memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, i64) attributes {llvm.emit_c_interface}
// CHECK-DAG: func.func private @dann_onednn_matmul_bf16(memref<?x?xbf16, strided<[?, ?], offset: ?>>, memref<?x?xbf16, strided<[?, ?], offset: ?>>, memref<?x?xf32, strided<[?, ?], offset: ?>>, i64) attributes {llvm.emit_c_interface}
// CHECK-NOT: func.func private

// CHECK-LABEL: func @plain
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32>, %[[B:.*]]: memref<8x4xf32>, %[[DST:.*]]: memref<?x4xf32>)
// CHECK-DAG: %[[PA:.*]] = memref.cast %[[A]] : memref<?x8xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[PB:.*]] = memref.cast %[[B]] : memref<8x4xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[PDST:.*]] = memref.cast %[[DST]] : memref<?x4xf32> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[FLAGS:.*]] = arith.constant 0 : i64
// CHECK: call @dann_onednn_matmul_f32(%[[PA]], %[[PB]], %[[PDST]], %[[FLAGS]])
// CHECK-NEXT: return
func.func @plain(%a: memref<?x8xf32>, %b: memref<8x4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32>, memref<8x4xf32>) outs(%dst : memref<?x4xf32>)
  return
}

// CHECK-LABEL: func @accumulates
// CHECK: %[[FLAGS:.*]] = arith.constant 1 : i64
// CHECK: call @dann_onednn_matmul_f32({{.*}}, %[[FLAGS]])
func.func @accumulates(%a: memref<?x8xf32>, %b: memref<8x4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32>, memref<8x4xf32>) outs(%dst : memref<?x4xf32>) {accumulate}
  return
}

// CHECK-LABEL: func @relu
// CHECK: %[[FLAGS:.*]] = arith.constant 2 : i64
// CHECK: call @dann_onednn_matmul_f32({{.*}}, %[[FLAGS]])
func.func @relu(%a: memref<?x8xf32>, %b: memref<8x4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32>, memref<8x4xf32>) outs(%dst : memref<?x4xf32>) {post_ops = [#onednn<post_op relu>]}
  return
}

// Transposed operands are strides like any others.
// CHECK-LABEL: func @everything
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32, strided<[1, ?], offset: ?>>,
// CHECK-DAG: %[[PA:.*]] = memref.cast %[[A]] : memref<?x8xf32, strided<[1, ?], offset: ?>> to memref<?x?xf32, strided<[?, ?], offset: ?>>
// CHECK-DAG: %[[FLAGS:.*]] = arith.constant 3 : i64
// CHECK: call @dann_onednn_matmul_f32(%[[PA]], %{{.*}}, %{{.*}}, %[[FLAGS]])
func.func @everything(%a: memref<?x8xf32, strided<[1, ?], offset: ?>>, %b: memref<8x4xf32>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xf32, strided<[1, ?], offset: ?>>, memref<8x4xf32>) outs(%dst : memref<?x4xf32>)
    {accumulate, post_ops = [#onednn<post_op relu>]}
  return
}

// CHECK-LABEL: func @bf16
// CHECK: %[[FLAGS:.*]] = arith.constant 1 : i64
// CHECK: call @dann_onednn_matmul_bf16({{.*}}, %[[FLAGS]])
func.func @bf16(%a: memref<?x8xbf16>, %b: memref<8x4xbf16>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xbf16>, memref<8x4xbf16>) outs(%dst : memref<?x4xf32>) {accumulate}
  return
}

// -----

func.func @two_post_ops(%a: memref<4x8xf32>, %b: memref<8x2xf32>, %dst: memref<4x2xf32>) {
  // expected-error @below {{'onednn.matmul' op the runtime applies one post-op at most}}
  onednn.matmul ins(%a, %b : memref<4x8xf32>, memref<8x2xf32>) outs(%dst : memref<4x2xf32>) {post_ops = [#onednn<post_op relu>, #onednn<post_op relu>]}
  return
}

// -----

// Of a convolution and its derivatives: x, filters, z, which of them is
// computed, strides, dilations, flags.
// CHECK-LABEL: func @convolution
// CHECK: call @dann_onednn_convolution_f32(%[[X:.*]], %[[W:.*]], %[[Z:[^,]*]], %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}})
// CHECK-NOT: onednn.
func.func @convolution(%x: memref<2x9x9x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x4x7x?xf32>) {
  onednn.convolution_backward_weights ins(%z, %x : memref<4x4x7x?xf32>, memref<2x9x9x?xf32>) outs(%w : memref<4x2x3x3xf32>)
    {strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>, accumulate}
  return
}
