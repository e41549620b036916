// Reverse-mode differentiation of linalg and dann operations by
// --dann-autodiff. The rules for scalars are in autodiff-scalars.mlir.
// RUN: dann-opt %s -dann-autodiff -symbol-dce -canonicalize -cse | FileCheck %s

// CHECK-DAG: #[[$MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[$MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-DAG: #[[$ID2:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$SCALAR2:.*]] = affine_map<(d0, d1) -> ()>

#matrix = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#scalar = affine_map<(i, j) -> ()>

// sum(x . w): the reverse of a reduction is a broadcast, the reverse of a
// product two products that reduce over the loops that the operand lacks.
func.func private @contraction(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e0 = tensor.empty() : tensor<f32>
  %zero0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#matrix, #scalar], iterator_types = ["reduction", "reduction"]} ins(%z : tensor<?x4xf32>) outs(%zero0 : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
// CHECK-LABEL: func @contraction_grad
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<8x4xf32>)
// CHECK: %[[Z:.*]] = linalg.matmul ins(%[[X]], %[[W]]
// CHECK: %[[SUM:.*]] = linalg.generic {indexing_maps = [#[[$ID2]], #[[$SCALAR2]]], iterator_types = ["reduction", "reduction"]} ins(%[[Z]] : tensor<?x4xf32>)
// CHECK: %[[ONE:.*]] = linalg.fill ins(%{{.*}} : f32) outs(%{{.*}} : tensor<f32>)
// CHECK: %[[DZ:.*]] = linalg.generic {indexing_maps = [#[[$SCALAR2]], #[[$ID2]]], iterator_types = ["parallel", "parallel"]} ins(%[[ONE]] : tensor<f32>)
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[$KN]], #[[$MN]], #[[$MK]]], iterator_types = ["parallel", "reduction", "parallel"]} ins(%[[W]], %[[DZ]] : tensor<8x4xf32>, tensor<?x4xf32>)
// CHECK: ^bb0(%[[WV:[^:]*]]: f32, %[[DV:[^:]*]]: f32, %[[ACC:[^:]*]]: f32):
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[DV]], %[[WV]]
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[ACC]], %[[P]]
// CHECK-NEXT: linalg.yield %[[S]]
// CHECK: %[[DW:.*]] = linalg.generic {indexing_maps = [#[[$MK]], #[[$MN]], #[[$KN]]], iterator_types = ["reduction", "parallel", "parallel"]} ins(%[[X]], %[[DZ]] : tensor<?x8xf32>, tensor<?x4xf32>)
// CHECK: return %[[SUM]], %[[DX]], %[[DW]]
func.func @contraction_grad(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>) -> (tensor<f32>, tensor<?x8xf32>, tensor<8x4xf32>) {
  %0:3 = dann.value_and_grad @contraction(%x, %w) wrt [0, 1] : (tensor<?x8xf32>, tensor<8x4xf32>) -> (tensor<f32>, tensor<?x8xf32>, tensor<8x4xf32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<?x8xf32>, tensor<8x4xf32>
}

// sum(x * b) with b broadcast to the rows of x: the gradient of b sums over
// them. An elementwise reverse starts from undefined contents, a reduction from
// zeros.
func.func private @broadcast(%x: tensor<3x4xf32>, %b: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x4xf32>
  %z = linalg.generic {indexing_maps = [#matrix, #row, #matrix], iterator_types = ["parallel", "parallel"]} ins(%x, %b : tensor<3x4xf32>, tensor<4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %0 = arith.mulf %in, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<3x4xf32>
  %e0 = tensor.empty() : tensor<f32>
  %zero0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#matrix, #scalar], iterator_types = ["reduction", "reduction"]} ins(%z : tensor<3x4xf32>) outs(%zero0 : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
// CHECK-LABEL: func @broadcast_grad
// CHECK-SAME: (%[[X:.*]]: tensor<3x4xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0
// CHECK-DAG: %[[EMPTY:.*]] = tensor.empty() : tensor<3x4xf32>
// CHECK: %[[DZ:.*]] = linalg.generic {indexing_maps = [#[[$SCALAR2]], #[[$ID2]]]
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[$ROW]], #[[$ID2]], #[[$ID2]]], iterator_types = ["parallel", "parallel"]} ins(%[[B]], %[[DZ]] : {{.*}}) outs(%[[EMPTY]] :
// CHECK: %[[ZEROS:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<4xf32>)
// CHECK: %[[DB:.*]] = linalg.generic {indexing_maps = [#[[$ID2]], #[[$ID2]], #[[$ROW]]], iterator_types = ["reduction", "parallel"]} ins(%[[X]], %[[DZ]] : {{.*}}) outs(%[[ZEROS]] :
// CHECK: return %{{.*}}, %[[DX]], %[[DB]]
func.func @broadcast_grad(%x: tensor<3x4xf32>, %b: tensor<4xf32>) -> (tensor<f32>, tensor<3x4xf32>, tensor<4xf32>) {
  %0:3 = dann.value_and_grad @broadcast(%x, %b) wrt [0, 1] : (tensor<3x4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<3x4xf32>, tensor<4xf32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<3x4xf32>, tensor<4xf32>
}

// An argument that the value does not depend on has a gradient of zeros.
func.func private @unused(%x: tensor<f32>, %w: tensor<?x8xf32>) -> tensor<f32> {
  return %x : tensor<f32>
}
// CHECK-LABEL: func @unused_grad
// CHECK-SAME: (%[[X:.*]]: tensor<f32>, %[[W:.*]]: tensor<?x8xf32>)
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: %[[SIZE:.*]] = tensor.dim %[[W]], %{{.*}} : tensor<?x8xf32>
// CHECK: %[[EMPTY:.*]] = tensor.empty(%[[SIZE]]) : tensor<?x8xf32>
// CHECK: %[[DW:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%[[EMPTY]]
// CHECK: return %[[X]], %[[DW]]
func.func @unused_grad(%x: tensor<f32>, %w: tensor<?x8xf32>) -> (tensor<f32>, tensor<?x8xf32>) {
  %0:2 = dann.value_and_grad @unused(%x, %w) wrt [1] : (tensor<f32>, tensor<?x8xf32>) -> (tensor<f32>, tensor<?x8xf32>)
  return %0#0, %0#1 : tensor<f32>, tensor<?x8xf32>
}

// The value itself as an argument: the gradient is one.
// CHECK-LABEL: func @identity_grad
// CHECK-SAME: (%[[X:.*]]: tensor<f32>, %{{.*}})
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: %[[DX:.*]] = linalg.fill ins(%[[ONE]]
// CHECK: return %[[X]], %[[DX]]
func.func @identity_grad(%x: tensor<f32>, %w: tensor<?x8xf32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @unused(%x, %w) wrt [0] : (tensor<f32>, tensor<?x8xf32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// Two uses of one value: their cotangents are added. What the value depends on
// without being differentiated (the operands that are constants of this
// derivative) gets none.
func.func private @two_uses(%x: tensor<4xf32>, %w: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %0 = linalg.dot ins(%x, %w : tensor<4xf32>, tensor<4xf32>) outs(%zeros : tensor<f32>) -> tensor<f32>
  %1 = linalg.dot ins(%w, %w : tensor<4xf32>, tensor<4xf32>) outs(%0 : tensor<f32>) -> tensor<f32>
  return %1 : tensor<f32>
}
// CHECK-LABEL: func @two_uses_grad
// CHECK-SAME: (%[[X:.*]]: tensor<4xf32>, %[[W:.*]]: tensor<4xf32>)
// CHECK-COUNT-2: linalg.dot
// CHECK: %[[ONE:.*]] = linalg.fill
// The two uses in w . w:
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[W]], %[[ONE]] : tensor<4xf32>, tensor<f32>)
// CHECK: %[[SUM:.*]] = arith.addf %[[A]], %[[A]] : tensor<4xf32>
// ... and the one in x . w; the accumulator passes the cotangent on unchanged.
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[ONE]] : tensor<4xf32>, tensor<f32>)
// CHECK: %[[DW:.*]] = arith.addf %[[SUM]], %[[B]] : tensor<4xf32>
// CHECK-NOT: linalg
// CHECK: return %{{.*}}, %[[DW]]
func.func @two_uses_grad(%x: tensor<4xf32>, %w: tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>) {
  %0:2 = dann.value_and_grad @two_uses(%x, %w) wrt [1] : (tensor<4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)
  return %0#0, %0#1 : tensor<f32>, tensor<4xf32>
}

// Layer and loss have gradient operations. That of the input is left out if
// nothing asks for it.
func.func private @layers(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>) -> tensor<f32> {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) {epsilon = 0.5} : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  %1 = dann.ei_dense %0 excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  %loss = dann.softmax_cross_entropy %1, %y : tensor<?x4xf32>, tensor<?xi64> -> tensor<f32>
  return %loss : tensor<f32>
}
// CHECK-LABEL: func @layers_grad
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %[[Y:.*]]: tensor<?xi64>, %[[WEX:.*]]: tensor<4x4xf32>, %[[WIX:.*]]: tensor<2x4xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[ALPHA:.*]]: tensor<2xf32>)
// CHECK: %[[Z0:.*]] = dann.ei_dense %[[X]]
// CHECK: %[[Z1:.*]] = dann.ei_dense %[[Z0]]
// CHECK: %[[LOSS:.*]] = dann.softmax_cross_entropy %[[Z1]], %[[Y]]
// CHECK: %[[DZ1:.*]] = dann.softmax_cross_entropy_grad %{{.*}}, %[[Z1]], %[[Y]]
// CHECK: %[[D1:.*]]:5 = dann.ei_dense_grad %[[DZ1]], %[[Z0]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) divisive(%[[ALPHA]]) :
// CHECK: %[[D0:.*]]:3 = dann.ei_dense_grad %[[D1]]#0, %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) parameters_only {epsilon = 5.000000e-01 : f64} :
// CHECK: %[[DWEX:.*]] = arith.addf %[[D1]]#1, %[[D0]]#0 : tensor<4x4xf32>
// CHECK: return %[[LOSS]], %[[DWEX]], %[[D1]]#4
func.func @layers_grad(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>)
    -> (tensor<f32>, tensor<4x4xf32>, tensor<2xf32>) {
  %0:3 = dann.value_and_grad @layers(%x, %y, %wex, %wix, %wei, %alpha) wrt [2, 5]
    : (tensor<?x4xf32>, tensor<?xi64>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, tensor<2xf32>) -> (tensor<f32>, tensor<4x4xf32>, tensor<2xf32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<4x4xf32>, tensor<2xf32>
}

// A derivative of a derivative, wherever in the module the functions stand.
// CHECK-LABEL: func @second_derivative
// CHECK-NOT: dann.value_and_grad
// CHECK: return
func.func @second_derivative(%x: tensor<f32>) -> tensor<f32> {
  %0:2 = dann.value_and_grad @first_derivative(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}
func.func private @first_derivative(%x: tensor<f32>) -> tensor<f32> {
  %0:2 = dann.value_and_grad @identity(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}
func.func private @identity(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}
