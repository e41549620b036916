// --dann-lower-layers: fixed polarities, and layers that differ in training as
// they are in inference.
// RUN: dann-opt %s -dann-lower-layers -canonicalize -cse | FileCheck %s --implicit-check-not="= dann."

#x = affine_map<(i, j, k) -> (i, k)>
#w = affine_map<(i, j, k) -> (j, k)>
#z = affine_map<(i, j, k) -> (i, j)>

// Polarities of columns move to the other factor: here x, with which dw
// becomes a product, and what multiplies the weights from the left.
// CHECK-LABEL: func @training
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %[[DZ:.*]]: tensor<?x3xf32>, %[[W:.*]]: tensor<3x4xf32>)
// CHECK-DAG: %[[SIGNS:.*]] = arith.constant dense<[1.000000e+00, 1.000000e+00, 1.000000e+00, -1.000000e+00]> : tensor<4xf32>
// CHECK: %[[SIGNED:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[SIGNS]] :
// CHECK: arith.mulf
// CHECK: %[[Z:.*]] = linalg.contract {{.*}} ins(%[[SIGNED]], %[[W]] :
// CHECK: %[[DX:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[W]] :
// CHECK: %[[DXSIGNED:.*]] = linalg.generic {{.*}} ins(%[[DX]], %[[SIGNS]] :
// CHECK: %[[DW:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[SIGNED]] :
// CHECK: return %[[Z]], %[[DXSIGNED]], %[[DW]]
func.func @training(%x: tensor<?x4xf32>, %dz: tensor<?x3xf32>, %w: tensor<3x4xf32>) -> (tensor<?x3xf32>, tensor<?x4xf32>, tensor<3x4xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %v = dann.apply_polarity %w excitatory 3 : tensor<3x4xf32>
  %e0 = tensor.empty(%n) : tensor<?x3xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %z = linalg.contract indexing_maps = [#x, #w, #z] ins(%x, %v : tensor<?x4xf32>, tensor<3x4xf32>) outs(%f0 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %e1 = tensor.empty(%n) : tensor<?x4xf32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %dx = linalg.contract indexing_maps = [#x, affine_map<(i, j, k) -> (k, j)>, #z] ins(%dz, %v : tensor<?x3xf32>, tensor<3x4xf32>) outs(%f1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %e2 = tensor.empty() : tensor<3x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<3x4xf32>) -> tensor<3x4xf32>
  %dv = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (k, i)>, affine_map<(i, j, k) -> (k, j)>, #z] ins(%dz, %x : tensor<?x3xf32>, tensor<?x4xf32>) outs(%f2 : tensor<3x4xf32>) -> tensor<3x4xf32>
  %dw = dann.apply_polarity %dv excitatory 3 : tensor<3x4xf32>
  return %z, %dx, %dw : tensor<?x3xf32>, tensor<?x4xf32>, tensor<3x4xf32>
}

// In inference signed weights are prepared once; one sign for each weight stays
// with the weights anyway.
// CHECK-LABEL: func @inference
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<3x4xf32>, %[[P:.*]]: tensor<4xf32>)
// CHECK: %[[SIGNED:.*]] = linalg.generic {{.*}} ins(%[[W]], %[[P]] :
// CHECK: linalg.contract {{.*}} ins(%[[X]], %[[SIGNED]] :
func.func @inference(%x: tensor<?x4xf32>, %w: tensor<3x4xf32>, %p: tensor<4xf32>) -> tensor<?x3xf32> attributes {dann.inference} {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %v = dann.apply_polarity %w by %p : tensor<3x4xf32>, tensor<4xf32>
  %e0 = tensor.empty(%n) : tensor<?x3xf32>
  %f0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x3xf32>) -> tensor<?x3xf32>
  %z = linalg.contract indexing_maps = [#x, #w, #z] ins(%x, %v : tensor<?x4xf32>, tensor<3x4xf32>) outs(%f0 : tensor<?x3xf32>) -> tensor<?x3xf32>
  return %z : tensor<?x3xf32>
}

// CHECK-LABEL: func @mask
// CHECK-SAME: (%[[W:.*]]: tensor<3x4xf32>, %[[P:.*]]: tensor<3x4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[P]] :
func.func @mask(%w: tensor<3x4xf32>, %p: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %0 = dann.apply_polarity %w by %p : tensor<3x4xf32>, tensor<3x4xf32>
  return %0 : tensor<3x4xf32>
}

// Where inhibitory units leave each other alone, the polarity is no longer one
// of columns.
// CHECK-LABEL: func @ablated
// CHECK-SAME: (%[[W:.*]]: tensor<3x3xf32>)
// CHECK: %[[SIGNS:.*]] = arith.constant dense<{{\[\[}}1.000000e+00, -1.000000e+00, -1.000000e+00], [1.000000e+00, 0.000000e+00, 0.000000e+00], [1.000000e+00, 0.000000e+00, 0.000000e+00]]> : tensor<3x3xf32>
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[SIGNS]] :
func.func @ablated(%w: tensor<3x3xf32>) -> tensor<3x3xf32> {
  %0 = dann.apply_polarity %w excitatory 1 ablated : tensor<3x3xf32>
  return %0 : tensor<3x3xf32>
}

// All excitatory: the magnitudes themselves.
// CHECK-LABEL: func @excitatory
// CHECK-SAME: (%[[W:.*]]: tensor<3x4xf32>)
// CHECK-NEXT: return %[[W]], %[[W]]
func.func @excitatory(%w: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>) {
  %0 = dann.apply_polarity %w excitatory 4 : tensor<3x4xf32>
  %ones = arith.constant dense<1.0> : tensor<3x4xf32>
  %1 = dann.apply_polarity %w by %ones : tensor<3x4xf32>, tensor<3x4xf32>
  return %0, %1 : tensor<3x4xf32>, tensor<3x4xf32>
}

// CHECK-LABEL: func @dropout
// CHECK-SAME: (%[[X:.*]]: tensor<?x4xf32>)
// CHECK-NEXT: return %[[X]]
func.func @dropout(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  %0 = dann.dropout %x rate 0.5 : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// 1 / sqrt(variance + epsilon) depends on parameters alone.
// CHECK-LABEL: func @batch_norm
// CHECK-SAME: (%[[X:.*]]: tensor<?x4x2xf32>, %[[M:.*]]: tensor<4xf32>, %[[V:.*]]: tensor<4xf32>)
// CHECK-DAG: %[[EPSILON:.*]] = arith.constant 1.250000e-01 : f32
// CHECK: %[[SCALE:.*]] = linalg.generic {{.*}} ins(%[[V]] :
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[EPSILON]]
// CHECK: %[[ROOT:.*]] = math.sqrt %[[SUM]]
// CHECK: arith.divf %{{.*}}, %[[ROOT]]
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[M]], %[[SCALE]] :
// CHECK-NEXT: ^bb0(%[[E:[^:]*]]: f32, %[[MEAN:[^:]*]]: f32, %[[S:[^:]*]]: f32,
// CHECK-NEXT: %[[CENTRED:.*]] = arith.subf %[[E]], %[[MEAN]]
// CHECK-NEXT: arith.mulf %[[CENTRED]], %[[S]]
func.func @batch_norm(%x: tensor<?x4x2xf32>, %m: tensor<4xf32>, %v: tensor<4xf32>) -> tensor<?x4x2xf32> {
  %0 = dann.batch_norm %x mean(%m) variance(%v) {epsilon = 0.125 : f64} : tensor<?x4x2xf32>, tensor<4xf32>, tensor<4xf32>
  return %0 : tensor<?x4x2xf32>
}
