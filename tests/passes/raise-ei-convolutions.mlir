// E/I convolutions in plain operations become dann.ei_conv2d, whichever way
// pixels are written.
// RUN: dann-opt %s -dann-raise-ei-layers -split-input-file -verify-diagnostics | FileCheck %s

// 7 images of 2 channels, 2 interneurons, 3 units. The wei of a convolution of
// pixels are filters; strides and padding belong to the convolutions of x.
// CHECK-LABEL: func.func @pixels(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: tensor<7x2x4x4xf32> {dann.name = "x", dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WEX:[a-z0-9]+]]: tensor<3x2x3x3xf32> {{{.*}}dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WIX:[a-z0-9]+]]: tensor<2x2x3x3xf32> {{{.*}}dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WEI:[a-z0-9]+]]: tensor<3x2xf32> {dann.initial = dense<{{\[\[}}1.000000e+00, 2.000000e+00], [3.000000e+00, 4.000000e+00], [5.000000e+00, 6.000000e+00]]>{{.*}}dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>})
// CHECK-NEXT:    %[[Z:.*]] = dann.ei_conv2d %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) {padding = array<i64: 1, 1, 0, 0>, strides = array<i64: 2, 2>} :
// CHECK-NEXT:    return %[[Z]]
func.func @pixels(%x: tensor<7x2x4x4xf32> {dann.name = "x"},
    %wex: tensor<3x2x3x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2x3x3xf32>},
    %wix: tensor<2x2x3x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<2x2x3x3xf32>},
    %wei: tensor<3x2x1x1xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[[[1.0]], [[2.0]]], [[[3.0]], [[4.0]]], [[[5.0]], [[6.0]]]]> : tensor<3x2x1x1xf32>}) -> tensor<7x3x2x2xf32> {
  %zero = arith.constant 0.0 : f32
  %z0 = arith.constant dense<0.0> : tensor<7x3x2x2xf32>
  %i0 = arith.constant dense<0.0> : tensor<7x2x2x2xf32>
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<7x2x4x4xf32> to tensor<7x2x5x5xf32>
  %ze = linalg.conv_2d_nchw_fchw {strides = dense<2> : vector<2xi64>} ins(%p, %wex : tensor<7x2x5x5xf32>, tensor<3x2x3x3xf32>) outs(%z0 : tensor<7x3x2x2xf32>) -> tensor<7x3x2x2xf32>
  %zi = linalg.conv_2d_nchw_fchw {strides = dense<2> : vector<2xi64>} ins(%p, %wix : tensor<7x2x5x5xf32>, tensor<2x2x3x3xf32>) outs(%i0 : tensor<7x2x2x2xf32>) -> tensor<7x2x2x2xf32>
  %s = linalg.conv_2d_nchw_fchw ins(%zi, %wei : tensor<7x2x2x2xf32>, tensor<3x2x1x1xf32>) outs(%z0 : tensor<7x3x2x2xf32>) -> tensor<7x3x2x2xf32>
  %z = linalg.sub ins(%ze, %s : tensor<7x3x2x2xf32>, tensor<7x3x2x2xf32>) outs(%z0 : tensor<7x3x2x2xf32>) -> tensor<7x3x2x2xf32>
  return %z : tensor<7x3x2x2xf32>
}

// -----

// Padding with other numbers than 0 is another layer, whose input is padded.
// CHECK-LABEL: func.func @ones(
// CHECK:    %[[PADDED:.*]] = tensor.pad
// CHECK:    dann.ei_conv2d %[[PADDED]] excitatory(%{{.*}}) inhibitory(%{{.*}}, %{{[^ ]*}}) :
func.func @ones(%x: tensor<7x2x3x3xf32> {dann.name = "x"},
    %wex: tensor<3x2x3x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2x3x3xf32>},
    %wix: tensor<2x2x3x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<2x2x3x3xf32>},
    %wei: tensor<3x2x1x1xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<3x2x1x1xf32>}) -> tensor<7x3x3x3xf32> {
  %one = arith.constant 1.0 : f32
  %z0 = arith.constant dense<0.0> : tensor<7x3x3x3xf32>
  %i0 = arith.constant dense<0.0> : tensor<7x2x3x3xf32>
  %p = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %one : f32
  } : tensor<7x2x3x3xf32> to tensor<7x2x5x5xf32>
  %ze = linalg.conv_2d_nchw_fchw ins(%p, %wex : tensor<7x2x5x5xf32>, tensor<3x2x3x3xf32>) outs(%z0 : tensor<7x3x3x3xf32>) -> tensor<7x3x3x3xf32>
  %zi = linalg.conv_2d_nchw_fchw ins(%p, %wix : tensor<7x2x5x5xf32>, tensor<2x2x3x3xf32>) outs(%i0 : tensor<7x2x3x3xf32>) -> tensor<7x2x3x3xf32>
  %s = linalg.conv_2d_nchw_fchw ins(%zi, %wei : tensor<7x2x3x3xf32>, tensor<3x2x1x1xf32>) outs(%z0 : tensor<7x3x3x3xf32>) -> tensor<7x3x3x3xf32>
  %z = linalg.sub ins(%ze, %s : tensor<7x3x3x3xf32>, tensor<7x3x3x3xf32>) outs(%z0 : tensor<7x3x3x3xf32>) -> tensor<7x3x3x3xf32>
  return %z : tensor<7x3x3x3xf32>
}

// -----

// A reshape that tears rows apart is no reshape of pixels: channels are mixed
// after 2 x 3 positions have become 3 x 2.
// CHECK-LABEL: func.func @torn(
// CHECK-NOT:     dann.ei_conv2d
// CHECK-COUNT-2: linalg.conv_2d_nchw_fchw
func.func @torn(%x: tensor<7x2x2x3xf32> {dann.name = "x"},
    %wex: tensor<3x2x1x1xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2x1x1xf32>},
    %wix: tensor<2x2x1x1xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<2x2x1x1xf32>},
    %wei: tensor<3x2x1x1xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<3x2x1x1xf32>}) -> tensor<7x3x3x2xf32> {
  %z0 = arith.constant dense<0.0> : tensor<7x3x2x3xf32>
  %s0 = arith.constant dense<0.0> : tensor<7x3x3x2xf32>
  %i0 = arith.constant dense<0.0> : tensor<7x2x2x3xf32>
  %ze = linalg.conv_2d_nchw_fchw ins(%x, %wex : tensor<7x2x2x3xf32>, tensor<3x2x1x1xf32>) outs(%z0 : tensor<7x3x2x3xf32>) -> tensor<7x3x2x3xf32>
  %zi = linalg.conv_2d_nchw_fchw ins(%x, %wix : tensor<7x2x2x3xf32>, tensor<2x2x1x1xf32>) outs(%i0 : tensor<7x2x2x3xf32>) -> tensor<7x2x2x3xf32>
  %flat = tensor.collapse_shape %zi [[0], [1], [2, 3]] : tensor<7x2x2x3xf32> into tensor<7x2x6xf32>
  %turned = tensor.expand_shape %flat [[0], [1], [2, 3]] output_shape [7, 2, 3, 2] : tensor<7x2x6xf32> into tensor<7x2x3x2xf32>
  %s = linalg.conv_2d_nchw_fchw ins(%turned, %wei : tensor<7x2x3x2xf32>, tensor<3x2x1x1xf32>) outs(%s0 : tensor<7x3x3x2xf32>) -> tensor<7x3x3x2xf32>
  %eflat = tensor.collapse_shape %ze [[0], [1], [2, 3]] : tensor<7x3x2x3xf32> into tensor<7x3x6xf32>
  %eturned = tensor.expand_shape %eflat [[0], [1], [2, 3]] output_shape [7, 3, 3, 2] : tensor<7x3x6xf32> into tensor<7x3x3x2xf32>
  %z = linalg.sub ins(%eturned, %s : tensor<7x3x3x2xf32>, tensor<7x3x3x2xf32>) outs(%s0 : tensor<7x3x3x2xf32>) -> tensor<7x3x3x2xf32>
  return %z : tensor<7x3x3x2xf32>
}
