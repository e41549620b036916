// --dann-use-bf16 rounds the factors of f32 products.
// RUN: dann-opt %s -split-input-file -dann-use-bf16 | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Sums and results stay f32. A factor of two products is rounded once, where it
// is made.
// CHECK-LABEL: func @products
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<4x8xf32>, %[[V:.*]]: tensor<4x8xf32>, %[[INIT:.*]]: tensor<?x4xf32>)
// CHECK-DAG: %[[X16:.*]] = linalg.generic {{.*}} ins(%[[X]] : tensor<?x8xf32>) outs(%{{.*}} : tensor<?x8xbf16>)
// CHECK-DAG: %[[W16:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xbf16>)
// CHECK-DAG: %[[V16:.*]] = linalg.generic {{.*}} ins(%[[V]] : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xbf16>)
// CHECK-NOT: linalg.generic
// CHECK: %[[A:.*]] = linalg.contract {{.*}} ins(%[[X16]], %[[W16]] : tensor<?x8xbf16>, tensor<4x8xbf16>) outs(%[[INIT]] : tensor<?x4xf32>)
// CHECK-NOT: linalg.generic
// CHECK: linalg.contract {{.*}} ins(%[[X16]], %[[V16]] : tensor<?x8xbf16>, tensor<4x8xbf16>) outs(%[[A]] : tensor<?x4xf32>)
func.func @products(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>, %v: tensor<4x8xf32>, %init: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : tensor<?x8xf32>, tensor<4x8xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %v : tensor<?x8xf32>, tensor<4x8xf32>) outs(%0 : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// One matrix is both factors.
// CHECK-LABEL: func @rounding
// CHECK: arith.truncf %{{.*}} : f32 to bf16
// CHECK: linalg.contract {{.*}} -> tensor<?x?xf32>
// Elementwise operations and products in f64 stay as they are.
// CHECK: linalg.exp ins(%{{.*}} : tensor<?x?xf32>)
// CHECK: linalg.contract {{.*}} : tensor<?x8xf64>, tensor<?x8xf64>)
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @rounding(%x: tensor<?x8xf32>, %d: tensor<?x8xf64>, %init: tensor<?x?xf32>, %init64: tensor<?x?xf64>) -> (tensor<?x?xf32>, tensor<?x?xf64>) {
  %0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %x : tensor<?x8xf32>, tensor<?x8xf32>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %1 = linalg.exp ins(%0 : tensor<?x?xf32>) outs(%init : tensor<?x?xf32>) -> tensor<?x?xf32>
  %2 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%d, %d : tensor<?x8xf64>, tensor<?x8xf64>) outs(%init64 : tensor<?x?xf64>) -> tensor<?x?xf64>
  return %1, %2 : tensor<?x?xf32>, tensor<?x?xf64>
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A product of weights alone stays f32; what it makes is rounded once, as a
// factor of the samples. Sums over the samples are products of samples, too.
// CHECK-LABEL: func @weights
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[WIX:.*]]: tensor<8x2xf32>,
// CHECK: %[[X16:.*]] = linalg.generic {{.*}} ins(%[[X]] :
// CHECK: %[[W:.*]] = linalg.contract {{.*}} ins(%[[WEI]], %[[WIX]] : tensor<4x2xf32>, tensor<8x2xf32>)
// CHECK: %[[W16:.*]] = linalg.generic {{.*}} ins(%[[W]] : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xbf16>)
// CHECK: linalg.contract {{.*}} ins(%[[X16]], %[[W16]] :
// CHECK: linalg.contract {{.*}} ins(%[[X16]], %[[X16]] : tensor<?x8xbf16>, tensor<?x8xbf16>) outs(%{{.*}} : tensor<8x8xf32>)
func.func @weights(%x: tensor<?x8xf32>, %wei: tensor<4x2xf32>, %wix: tensor<8x2xf32>, %init: tensor<4x8xf32>, %zinit: tensor<?x4xf32>, %sums: tensor<8x8xf32>) -> (tensor<?x4xf32>, tensor<8x8xf32>) {
  %w = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%wei, %wix : tensor<4x2xf32>, tensor<8x2xf32>) outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : tensor<?x8xf32>, tensor<4x8xf32>) outs(%zinit : tensor<?x4xf32>) -> tensor<?x4xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%x, %x : tensor<?x8xf32>, tensor<?x8xf32>) outs(%sums : tensor<8x8xf32>) -> tensor<8x8xf32>
  return %z, %g : tensor<?x4xf32>, tensor<8x8xf32>
}
