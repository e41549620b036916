// dann.ei_conv2d and its gradient print as they are read; defaults are left out.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func @divisive
// CHECK: dann.ei_conv2d %{{.*}} excitatory(%{{.*}}) inhibitory(%{{.*}}, %{{.*}}) divisive(%{{.*}}) gain(%{{.*}}) bias(%{{.*}}) {padding = array<i64: 1, 1, 1, 1>} : (tensor<?x2x8x8xf32>
func.func @divisive(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>,
                    %alpha: tensor<1xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<?x4x8x8xf32> {
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
      {strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>, tensor<1xf32>, tensor<4xf32>, tensor<4xf32>)
    -> tensor<?x4x8x8xf32>
  return %z : tensor<?x4x8x8xf32>
}

// 8 rows, windows of 3 rows two rows apart: 3. 8 columns and 1 + 0 of padding,
// windows that span 5: 5.
// CHECK-LABEL: func @subtractive
// CHECK: dann.ei_conv2d_grad %{{.*}}, %{{.*}} excitatory(%{{.*}}) inhibitory(%{{.*}}, %{{.*}}) parameters_only {dilations = array<i64: 1, 2>, padding = array<i64: 0, 1, 0, 0>, strides = array<i64: 2, 1>}
func.func @subtractive(%dz: tensor<?x4x3x5xf64>, %x: tensor<?x2x8x8xf64>, %wex: tensor<4x2x3x3xf64>, %wix: tensor<1x2x3x3xf64>,
                       %wei: tensor<4x1xf64>) -> tensor<4x1xf64> {
  %0:3 = dann.ei_conv2d_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only
      {strides = array<i64: 2, 1>, dilations = array<i64: 1, 2>, padding = array<i64: 0, 1, 0, 0>}
    : (tensor<?x4x3x5xf64>, tensor<?x2x8x8xf64>, tensor<4x2x3x3xf64>, tensor<1x2x3x3xf64>, tensor<4x1xf64>)
    -> (tensor<4x2x3x3xf64>, tensor<1x2x3x3xf64>, tensor<4x1xf64>)
  return %0#2 : tensor<4x1xf64>
}
