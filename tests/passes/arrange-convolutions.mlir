// --dann-arrange-convolutions: derivatives of convolutions for generated kernels.
// RUN: dann-opt %s -dann-arrange-convolutions | FileCheck -enable-var-scope %s

// CHECK-DAG: #[[$WINDOWS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d2 - d5 + 2, d3 - d6 * 2 + 2, d0)>
// CHECK-DAG: #[[$FILTERS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d4, d5, d6)>
// CHECK-DAG: #[[$PIXELS:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d2, d3, d0)>
// CHECK-DAG: #[[$Z:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d2, d3, d0)>
// CHECK-DAG: #[[$X_LAST:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d2 + d5, d3 + d6 * 2, d0, d4)>
// CHECK-DAG: #[[$W_LAST:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d1, d5, d6, d4)>
// CHECK-DAG: #[[$STRIDED:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d2 * 2 + d5, d3 + d6 * 2, d0)>
// CHECK-DAG: #[[$X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5, d6) -> (d4, d2 + d5, d3 + d6 * 2, d0)>

#z = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, oh, ow, b)>
#w = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, c, kh, kw)>
#x = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh + kh, ow + kw * 2, b)>
#x_strided = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh * 2 + kh, ow + kw * 2, b)>

// The sum of two derivatives by images, without the border that is cut off: both
// dz get a border of zeros, here one pixel, since windows reach two pixels back
// and one is cut.
// CHECK-LABEL: func @by_images(
// CHECK-SAME: %[[DU:[^:]*]]: tensor<4x6x5x?xf32>, %[[WEX:[^:]*]]: tensor<4x3x3x2xf32>, %[[DZI:[^:]*]]: tensor<2x6x5x?xf32>, %[[WIX:[^:]*]]: tensor<2x3x3x2xf32>
// CHECK: %[[SUM0:.*]] = linalg.fill {{.*}} -> tensor<3x6x6x?xf32>
// CHECK: %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<4x8x8x?xf32>
// CHECK: %[[PADDED:.*]] = tensor.insert_slice %[[DU]] into %[[ZEROS]][0, 1, 1, 0] [4, 6, 5, %{{.*}}] [1, 1, 1, 1]
// CHECK: %[[SUM1:.*]] = linalg.generic {indexing_maps = [#[[$WINDOWS]], #[[$FILTERS]], #[[$PIXELS]]], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%[[PADDED]], %[[WEX]] : {{.*}}) outs(%[[SUM0]] : {{.*}}) attrs = {dann.kernel = "generated"}
// CHECK: %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<2x8x8x?xf32>
// CHECK: %[[PADDED:.*]] = tensor.insert_slice %[[DZI]] into %[[ZEROS]][0, 1, 1, 0]
// CHECK: %[[SUM2:.*]] = linalg.generic {{.*}} ins(%[[PADDED]], %[[WIX]] : {{.*}}) outs(%[[SUM1]] :
// CHECK-NOT: extract_slice
// CHECK: return %[[SUM2]]
func.func @by_images(%du: tensor<4x6x5x?xf32>, %wex: tensor<4x3x3x2xf32>, %dzi: tensor<2x6x5x?xf32>, %wix: tensor<2x3x3x2xf32>, %b: index) -> tensor<3x6x6x?xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%b) : tensor<3x8x7x?xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<3x8x7x?xf32>) -> tensor<3x8x7x?xf32>
  %0 = linalg.generic {indexing_maps = [#z, #w, #x], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%du, %wex : tensor<4x6x5x?xf32>, tensor<4x3x3x2xf32>) outs(%zeros : tensor<3x8x7x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x8x7x?xf32>
  %1 = linalg.generic {indexing_maps = [#z, #w, #x], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%dzi, %wix : tensor<2x6x5x?xf32>, tensor<2x3x3x2xf32>) outs(%0 : tensor<3x8x7x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x8x7x?xf32>
  %cut = tensor.extract_slice %1[0, 1, 1, 0] [3, 6, 6, %b] [1, 1, 1, 1] : tensor<3x8x7x?xf32> to tensor<3x6x6x?xf32>
  return %cut : tensor<3x6x6x?xf32>
}

// All of dx, added to something: the border is as wide as windows reach.
// CHECK-LABEL: func @whole(
// CHECK-SAME: %[[DZ:[^:]*]]: tensor<4x6x5x?xf32>, %[[W:[^:]*]]: tensor<4x3x3x2xf32>, %[[INIT:[^:]*]]:
// CHECK: %[[PADDED:.*]] = tensor.insert_slice %[[DZ]] into %{{.*}}[0, 2, 2, 0] {{.*}} into tensor<4x10x9x?xf32>
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[PADDED]], %[[W]] : {{.*}}) outs(%[[INIT]] :
// CHECK: return %[[DX]]
func.func @whole(%dz: tensor<4x6x5x?xf32>, %w: tensor<4x3x3x2xf32>, %init: tensor<3x8x7x?xf32>) -> tensor<3x8x7x?xf32> {
  %0 = linalg.generic {indexing_maps = [#z, #w, #x], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%dz, %w : tensor<4x6x5x?xf32>, tensor<4x3x3x2xf32>) outs(%init : tensor<3x8x7x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x8x7x?xf32>
  return %0 : tensor<3x8x7x?xf32>
}

// CHECK-LABEL: func @by_filters(
// CHECK-SAME: %[[DZ:[^:]*]]: tensor<4x6x5x?xf32>, %[[X:[^:]*]]: tensor<3x8x7x?xf32>)
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[}}[0], [1, 2], [3]]
// CHECK: %[[TURNED:.*]] = linalg.transpose ins(%[[FLAT]] : {{.*}}) outs({{.*}} : tensor<56x?x3xf32>) permutation = [1, 2, 0]
// CHECK: %[[LAST:.*]] = tensor.expand_shape %[[TURNED]] {{\[}}[0, 1], [2], [3]] output_shape [8, 7, %{{.*}}, 3]
// CHECK: %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<4x3x2x3xf32>
// CHECK: %[[DW:.*]] = linalg.generic {indexing_maps = [#[[$Z]], #[[$X_LAST]], #[[$W_LAST]]], {{.*}} ins(%[[DZ]], %[[LAST]] : {{.*}}) outs(%[[ZEROS]] : {{.*}}) attrs = {dann.kernel = "generated"}
// CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[DW]] {{\[}}[0], [1, 2], [3]]
// CHECK: %[[TURNED:.*]] = linalg.transpose ins(%[[FLAT]] : {{.*}}) outs({{.*}} : tensor<4x3x6xf32>) permutation = [0, 2, 1]
// CHECK: %[[RESULT:.*]] = tensor.expand_shape %[[TURNED]] {{\[}}[0], [1], [2, 3]]
// CHECK: return %[[RESULT]]
func.func @by_filters(%dz: tensor<4x6x5x?xf32>, %x: tensor<3x8x7x?xf32>) -> tensor<4x3x3x2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x3x3x2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x3x3x2xf32>) -> tensor<4x3x3x2xf32>
  %0 = linalg.generic {indexing_maps = [#z, #x, #w], iterator_types = ["reduction", "parallel", "reduction", "reduction", "parallel", "parallel", "parallel"]}
      ins(%dz, %x : tensor<4x6x5x?xf32>, tensor<3x8x7x?xf32>) outs(%zeros : tensor<4x3x3x2xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<4x3x3x2xf32>
  return %0 : tensor<4x3x3x2xf32>
}

// The derivative of a convolution with strides, and what the library computes.
// CHECK-LABEL: func @others(
// CHECK: linalg.generic {indexing_maps = [#[[$Z]], #[[$FILTERS]], #[[$STRIDED]]]
// CHECK: linalg.generic {indexing_maps = [#[[$Z]], #[[$FILTERS]], #[[$X]]]
func.func @others(%dz: tensor<4x3x5x?xf32>, %w: tensor<4x3x3x2xf32>, %init: tensor<3x7x7x?xf32>, %dz1: tensor<4x6x5x?xf32>, %init1: tensor<3x8x7x?xf32>) -> (tensor<3x7x7x?xf32>, tensor<3x8x7x?xf32>) {
  %0 = linalg.generic {indexing_maps = [#z, #w, #x_strided], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%dz, %w : tensor<4x3x5x?xf32>, tensor<4x3x3x2xf32>) outs(%init : tensor<3x7x7x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x7x7x?xf32>
  %1 = linalg.generic {indexing_maps = [#z, #w, #x], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%dz1, %w : tensor<4x6x5x?xf32>, tensor<4x3x3x2xf32>) outs(%init1 : tensor<3x8x7x?xf32>) attrs = {dann.kernel = "onednn"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x8x7x?xf32>
  return %0, %1 : tensor<3x7x7x?xf32>, tensor<3x8x7x?xf32>
}
