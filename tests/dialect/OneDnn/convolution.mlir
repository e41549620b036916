// The convolutions survive a round trip through their textual form.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func @convolutions
func.func @convolutions(%x: memref<2x9x9x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x4x7x?xf32>) {
  // CHECK: onednn.convolution ins(%{{.*}}, %{{.*}} : memref<2x9x9x?xf32>, memref<4x2x3x3xf32>) outs(%{{.*}} : memref<4x4x7x?xf32>) {dilations = array<i64: 1, 1>, strides = array<i64: 2, 1>}
  onednn.convolution ins(%x, %w : memref<2x9x9x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x4x7x?xf32>)
    {strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>}
  // CHECK: onednn.convolution_backward_data ins({{.*}}) outs({{.*}}) {accumulate, dilations
  onednn.convolution_backward_data ins(%z, %w : memref<4x4x7x?xf32>, memref<4x2x3x3xf32>) outs(%x : memref<2x9x9x?xf32>)
    {strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>, accumulate}
  // CHECK: onednn.convolution_backward_weights ins({{.*}}) outs({{.*}}) {dilations
  onednn.convolution_backward_weights ins(%z, %x : memref<4x4x7x?xf32>, memref<2x9x9x?xf32>) outs(%w : memref<4x2x3x3xf32>)
    {strides = array<i64: 2, 1>, dilations = array<i64: 1, 1>}
  return
}
