// RUN: dann-opt %s -dann-accumulate-products -canonicalize -cse | FileCheck -enable-var-scope %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#dz = affine_map<(m, n, k) -> (k, m)>

// CHECK: #[[$DZ:.*]] = affine_map<(d0, d1, d2, d3) -> (d0, d3, d1)>
// CHECK-LABEL: func @sum_of_products(
// CHECK: %[[FIRST:.*]] = linalg.contract
// CHECK: %[[BOTH:.*]] = linalg.contract {{.*}} outs(%[[FIRST]]
// CHECK-NOT: arith.addf
// CHECK: return %[[BOTH]]
func.func @sum_of_products(%x: tensor<4x8xf32>, %y: tensor<8x4xf32>) -> tensor<4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %p = linalg.contract indexing_maps = [#a, #b, #c] ins(%x, %y : tensor<4x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
  %q = linalg.contract indexing_maps = [#dz, #b, #c] ins(%y, %y : tensor<8x4xf32>, tensor<8x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
  %sum = arith.addf %p, %q : tensor<4x4xf32>
  return %sum : tensor<4x4xf32>
}

// The gradient of a weight, of all steps at once; and that of a bias.
// CHECK-LABEL: func @gradients(
// CHECK-SAME: %[[DH:[^:]*]]: tensor<?x4xf32>, %[[XS:[^:]*]]: tensor<5x?x8xf32>, %[[W0:[^:]*]]: tensor<4x8xf32>, %[[B0:[^:]*]]: tensor<4xf32>)
// CHECK: %[[SCAN:.*]]:2 = dann.scan initial(%[[DH]])
// CHECK: %[[D:.*]] = arith.mulf
// CHECK: dann.yield carries(%[[D]] : {{.*}}) outputs(%[[D]] :
// CHECK: %[[W:.*]] = linalg.contract indexing_maps = [#[[$DZ]], {{.*}} ins(%[[SCAN]]#1, %[[XS]] : tensor<5x?x4xf32>, tensor<5x?x8xf32>) outs(%[[W0]]
// CHECK: %[[B:.*]] = linalg.generic {{.*}} iterator_types = ["reduction", "reduction", "parallel"]} ins(%[[SCAN]]#1 : tensor<5x?x4xf32>) outs(%[[B0]]
// CHECK: return %[[SCAN]]#0, %[[W]], %[[B]]
func.func @gradients(%dh: tensor<?x4xf32>, %xs: tensor<5x?x8xf32>,
                     %w0: tensor<4x8xf32>, %b0: tensor<4xf32>)
    -> (tensor<?x4xf32>, tensor<4x8xf32>, tensor<4xf32>) {
  %r:3 = dann.scan initial(%dh, %w0, %b0) over(%xs) with() {
  ^bb0(%c: tensor<?x4xf32>, %w: tensor<4x8xf32>, %b: tensor<4xf32>, %x: tensor<?x8xf32>):
    %zero = arith.constant 0.0 : f32
    %d = arith.mulf %c, %c : tensor<?x4xf32>
    %empty = tensor.empty() : tensor<4x8xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x8xf32>) -> tensor<4x8xf32>
    %p = linalg.contract indexing_maps = [#dz, #b, #c] ins(%d, %x : tensor<?x4xf32>, tensor<?x8xf32>) outs(%zeros : tensor<4x8xf32>) -> tensor<4x8xf32>
    %w1 = arith.addf %w, %p : tensor<4x8xf32>
    %emptyb = tensor.empty() : tensor<4xf32>
    %zerosb = linalg.fill ins(%zero : f32) outs(%emptyb : tensor<4xf32>) -> tensor<4xf32>
    %q = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]}
         ins(%d : tensor<?x4xf32>) outs(%zerosb : tensor<4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %s = arith.addf %out, %in : f32
      linalg.yield %s : f32
    } -> tensor<4xf32>
    %b1 = arith.addf %b, %q : tensor<4xf32>
    dann.yield carries(%d, %w1, %b1 : tensor<?x4xf32>, tensor<4x8xf32>, tensor<4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<4x8xf32>, tensor<4xf32>, tensor<5x?x8xf32>)
   -> (tensor<?x4xf32>, tensor<4x8xf32>, tensor<4xf32>)
  return %r#0, %r#1, %r#2 : tensor<?x4xf32>, tensor<4x8xf32>, tensor<4xf32>
}
