// RUN: dann-opt %s -dann-autodiff -symbol-dce -canonicalize -cse | FileCheck -enable-var-scope %s

#id = affine_map<(i, j) -> (i, j)>

// Backpropagation through time: the scan in the other direction. The first one
// saves the state and the sum of each step, which tanh and the product read.
// CHECK-LABEL: func @gradients(
// CHECK-SAME: %[[H:[^:]*]]: tensor<?x4xf32>, %[[XS:[^:]*]]: tensor<5x?x4xf32>, %[[W:[^:]*]]: tensor<4x4xf32>)
// CHECK: %[[F:.*]]:3 = dann.scan initial(%[[H]]) over(%[[XS]]) with(%[[W]])
// CHECK: ^bb0(%[[C:[^:]*]]: tensor<?x4xf32>,
// CHECK: %[[Z:.*]] = dann.ei_dense_folded %[[C]]
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%[[Z]],
// CHECK: math.tanh
// CHECK: dann.yield carries(%[[T]] : {{.*}}) outputs(
// CHECK: %[[R:.*]]:3 = dann.scan reverse initial(
// CHECK-SAME: over(
// CHECK-SAME: with(%[[W]])
// CHECK-NOT: dann.ei_dense_folded
// CHECK: linalg.contract
// CHECK: arith.addf
// CHECK: return %{{.*}}, %[[R]]#0, %[[R]]#2, %[[R]]#1
func.func private @loss(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %w: tensor<4x4xf32>) -> tensor<f32> {
  %last = dann.scan initial(%h) over(%xs) with(%w) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %v: tensor<4x4xf32>):
    %z = dann.ei_dense_folded %c, %v : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x4xf32>
    %e = tensor.empty(%n) : tensor<?x4xf32>
    %t = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
         ins(%z, %x : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %s = arith.addf %a, %b : f32
      %y = math.tanh %s : f32
      linalg.yield %y : f32
    } -> tensor<?x4xf32>
    dann.yield carries(%t : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
         ins(%last : tensor<?x4xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.addf %out, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
func.func @gradients(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %w: tensor<4x4xf32>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) {
  %v, %dh, %dxs, %dw = dann.value_and_grad @loss(%h, %xs, %w) wrt [0, 1, 2]
    : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>)
  return %v, %dh, %dxs, %dw : tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>
}
