// RUN: dann-opt %s | dann-opt | FileCheck -enable-var-scope %s

// CHECK-LABEL: func @cumulative_sum(
// CHECK-SAME: %[[H:.*]]: tensor<?x8xf32>, %[[XS:.*]]: tensor<5x?x8xf32>, %[[W:.*]]: tensor<8xf32>)
// CHECK: dann.scan reverse checkpoint_every 2 initial(%[[H]]) over(%[[XS]]) with(%[[W]]) {
// CHECK: ^bb0(%[[C:.*]]: tensor<?x8xf32>, %[[X:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<8xf32>):
// CHECK: %[[SUM:.*]] = arith.addf %[[C]], %[[X]]
// CHECK: dann.yield carries(%[[SUM]] : tensor<?x8xf32>) outputs(%[[SUM]] : tensor<?x8xf32>)
func.func @cumulative_sum(%h: tensor<?x8xf32>, %xs: tensor<5x?x8xf32>,
                          %w: tensor<8xf32>)
    -> (tensor<?x8xf32>, tensor<5x?x8xf32>) {
  %r:2 = dann.scan reverse checkpoint_every 2 initial(%h) over(%xs) with(%w) {
  ^bb0(%c: tensor<?x8xf32>, %x: tensor<?x8xf32>, %v: tensor<8xf32>):
    %sum = arith.addf %c, %x : tensor<?x8xf32>
    dann.yield carries(%sum : tensor<?x8xf32>) outputs(%sum : tensor<?x8xf32>)
  } : (tensor<?x8xf32>, tensor<5x?x8xf32>, tensor<8xf32>)
   -> (tensor<?x8xf32>, tensor<5x?x8xf32>)
  return %r#0, %r#1 : tensor<?x8xf32>, tensor<5x?x8xf32>
}

// CHECK-LABEL: func @folded(
// CHECK: dann.fold_inhibition %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>
// CHECK: dann.ei_dense_folded %{{.*}}, %{{.*}} bias(%{{.*}}) : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
func.func @folded(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>,
                  %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>,
                  %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %w = dann.fold_inhibition %wex, %wix, %wei
     : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>
  %z = dann.ei_dense_folded %x, %w bias(%b)
     : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
