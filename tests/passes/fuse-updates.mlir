// --dann-fuse-updates adds products to weights where the gradient is nothing but
// their sum.
// RUN: dann-opt %s -split-input-file -dann-fuse-updates -canonicalize | FileCheck %s

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// W <- W - rate * dz^T . x. The factor goes to the smaller operand, here x.
// CHECK-LABEL: func @plain
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x16xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<16x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: %[[FACTOR:.*]] = arith.constant -1.0
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[RATE]] :
// CHECK-NEXT: ^bb0(%[[V:[^:]*]]: f32, %[[R:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[F:.*]] = arith.mulf %[[R]], %[[FACTOR]]
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[V]], %[[F]]
// CHECK-NEXT: linalg.yield %[[P]]
// CHECK: %[[NEW:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[SCALED]] : {{.*}}) outs(%[[W]] : tensor<16x8xf32>)
// CHECK-NEXT: return %[[NEW]]
func.func @plain(%dz: tensor<?x16xf32>, %x: tensor<?x8xf32>, %w: tensor<16x8xf32>, %rate: tensor<f32>) -> tensor<16x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<16x8xf32>) -> tensor<16x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x16xf32>, tensor<?x8xf32>) outs(%zeros : tensor<16x8xf32>) -> tensor<16x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<16x8xf32>, tensor<f32>
  return %0 : tensor<16x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A corrected gradient: its factor, 1/sqrt(4), is part of the constant. What
// follows the step stays.
// CHECK-LABEL: func @corrected
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x2xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<2x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: %[[FACTOR:.*]] = arith.constant -5.000000e-01 : f32
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[DZ]], %[[RATE]] :
// CHECK: arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK: %[[STEP:.*]] = linalg.contract {{.*}} ins(%[[SCALED]], %[[X]] : {{.*}}) outs(%[[W]] : tensor<2x8xf32>)
// CHECK-NEXT: %[[NEW:.*]] = dann.project nonneg %[[STEP]]
// CHECK-NEXT: return %[[NEW]]
func.func @corrected(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %c = dann.correct_inhibition wix %g fan_in 8 excitatory 4 : tensor<2x8xf32>
  %0 = dann.sgd_update %w, %c, %rate : tensor<2x8xf32>, tensor<f32>
  %1 = dann.project nonneg %0 : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A sum of two products: both accumulate on the weights, in their order, each
// with a factor 1/d of its own.
// CHECK-LABEL: func @sum
// CHECK-SAME: (%[[A:.*]]: tensor<?x8xf64>, %[[B:.*]]: tensor<?x2xf64>, %[[C:.*]]: tensor<?x8xf64>, %[[D:.*]]: tensor<?x2xf64>, %[[W:.*]]: tensor<8x2xf64>, %[[RATE:.*]]: tensor<f64>)
// CHECK: %[[FACTOR:.*]] = arith.constant -1.250000e-01 : f64
// CHECK: %[[SB:.*]] = linalg.generic {{.*}} ins(%[[B]], %[[RATE]] :
// CHECK: arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK: %[[FIRST:.*]] = linalg.contract {{.*}} ins(%[[A]], %[[SB]] : {{.*}}) outs(%[[W]] :
// CHECK: %[[SD:.*]] = linalg.generic {{.*}} ins(%[[D]], %[[RATE]] :
// CHECK: arith.mulf %{{.*}}, %[[FACTOR]]
// CHECK: %[[NEW:.*]] = linalg.contract {{.*}} ins(%[[C]], %[[SD]] : {{.*}}) outs(%[[FIRST]] :
// CHECK-NEXT: return %[[NEW]]
func.func @sum(%a: tensor<?x8xf64>, %b: tensor<?x2xf64>, %c: tensor<?x8xf64>, %d: tensor<?x2xf64>, %w: tensor<8x2xf64>, %rate: tensor<f64>) -> tensor<8x2xf64> {
  %zero = arith.constant 0.0 : f64
  %e = tensor.empty() : tensor<8x2xf64>
  %zeros = linalg.fill ins(%zero : f64) outs(%e : tensor<8x2xf64>) -> tensor<8x2xf64>
  %g0 = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%a, %b : tensor<?x8xf64>, tensor<?x2xf64>) outs(%zeros : tensor<8x2xf64>) -> tensor<8x2xf64>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%c, %d : tensor<?x8xf64>, tensor<?x2xf64>) outs(%g0 : tensor<8x2xf64>) -> tensor<8x2xf64>
  %cg = dann.correct_inhibition wei %g fan_in 8 excitatory 8 : tensor<8x2xf64>
  %0 = dann.sgd_update %w, %cg, %rate : tensor<8x2xf64>, tensor<f64>
  return %0 : tensor<8x2xf64>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Two gradients that start from the same zeros are still two sums.
// CHECK-LABEL: func @shared_zeros
// CHECK-SAME: %[[W:[^:]*]]: tensor<8x8xf32>, %[[V:[^:]*]]: tensor<8x8xf32>,
// CHECK-NOT: linalg.fill
// CHECK-NOT: dann.sgd_update
// CHECK: linalg.contract {{.*}} outs(%[[W]] :
// CHECK-NOT: linalg.fill
// CHECK-NOT: dann.sgd_update
// CHECK: linalg.contract {{.*}} outs(%[[V]] :
// CHECK-NOT: linalg.fill
// CHECK-NOT: dann.sgd_update
// CHECK: return
func.func @shared_zeros(%a: tensor<?x8xf32>, %b: tensor<?x8xf32>, %w: tensor<8x8xf32>, %v: tensor<8x8xf32>, %rate: tensor<f32>) -> (tensor<8x8xf32>, tensor<8x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %g0 = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%a, %b : tensor<?x8xf32>, tensor<?x8xf32>) outs(%zeros : tensor<8x8xf32>) -> tensor<8x8xf32>
  %g1 = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%b, %a : tensor<?x8xf32>, tensor<?x8xf32>) outs(%zeros : tensor<8x8xf32>) -> tensor<8x8xf32>
  %0 = dann.sgd_update %w, %g0, %rate : tensor<8x8xf32>, tensor<f32>
  %1 = dann.sgd_update %v, %g1, %rate : tensor<8x8xf32>, tensor<f32>
  return %0, %1 : tensor<8x8xf32>, tensor<8x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A gradient that is returned as well has to be there, ...
// CHECK-LABEL: func @gradient_used_twice
// CHECK-SAME: (%{{.*}}: tensor<?x2xf32>, %{{.*}}: tensor<?x8xf32>, %[[W:.*]]: tensor<2x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: %[[G:.*]] = linalg.contract
// CHECK-NEXT: %[[NEW:.*]] = dann.sgd_update %[[W]], %[[G]], %[[RATE]]
// CHECK-NEXT: return %[[NEW]], %[[G]]
func.func @gradient_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0, %g : tensor<2x8xf32>, tensor<2x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// ... and so has a corrected one, ...
// CHECK-LABEL: func @correction_used_twice
// CHECK: %[[C:.*]] = dann.correct_inhibition
// CHECK-NEXT: dann.sgd_update %{{.*}}, %[[C]],
func.func @correction_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %c = dann.correct_inhibition wix %g fan_in 8 excitatory 4 : tensor<2x8xf32>
  %0 = dann.sgd_update %w, %c, %rate : tensor<2x8xf32>, tensor<f32>
  return %0, %c : tensor<2x8xf32>, tensor<2x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// ... and the first part of a sum.
// CHECK-LABEL: func @part_used_twice
// CHECK: %[[G0:.*]] = linalg.contract
// CHECK-NEXT: %[[G:.*]] = linalg.contract {{.*}} outs(%[[G0]] :
// CHECK-NEXT: %[[NEW:.*]] = dann.sgd_update %{{.*}}, %[[G]],
// CHECK-NEXT: return %[[NEW]], %[[G0]]
func.func @part_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g0 = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%g0 : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0, %g0 : tensor<2x8xf32>, tensor<2x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// A sum that starts from something else than zeros is more than products.
// CHECK-LABEL: func @other_start
// CHECK: %[[G:.*]] = linalg.contract
// CHECK-NEXT: dann.sgd_update %{{.*}}, %[[G]],
func.func @other_start(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %first: tensor<2x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%first : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0 : tensor<2x8xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: func @ones
// CHECK: %[[G:.*]] = linalg.contract
// CHECK-NEXT: dann.sgd_update %{{.*}}, %[[G]],
func.func @ones(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %ones = linalg.fill ins(%one : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%ones : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0 : tensor<2x8xf32>
}

// -----

// The gradient of a bias is a reduction, no product.
// CHECK-LABEL: func @bias
// CHECK: %[[G:.*]] = linalg.generic
// CHECK: dann.sgd_update %{{.*}}, %[[G]],
func.func @bias(%dz: tensor<?x2xf32>, %b: tensor<2xf32>, %rate: tensor<f32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]} ins(%dz : tensor<?x2xf32>) outs(%zeros : tensor<2xf32>) {
  ^bb0(%x: f32, %sum: f32):
    %s = arith.addf %sum, %x : f32
    linalg.yield %s : f32
  } -> tensor<2xf32>
  %0 = dann.sgd_update %b, %g, %rate : tensor<2xf32>, tensor<f32>
  return %0 : tensor<2xf32>
}

// -----

#row = affine_map<(m, k) -> (m, k)>
#vector = affine_map<(m, k) -> (k)>
#result = affine_map<(m, k) -> (m)>

// A product with a vector is one, too.
// CHECK-LABEL: func @vector
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<8xf32>)
// CHECK: linalg.contract {{.*}} ins(%{{.*}}, %[[SCALED]] : {{.*}}) outs(%{{.*}} : tensor<2xf32>)
// CHECK-NOT: dann.sgd_update
func.func @vector(%a: tensor<2x8xf32>, %x: tensor<8xf32>, %w: tensor<2xf32>, %rate: tensor<f32>) -> tensor<2xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<2xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%empty : tensor<2xf32>) -> tensor<2xf32>
  %g = linalg.contract indexing_maps = [#row, #vector, #result] ins(%a, %x : tensor<2x8xf32>, tensor<8xf32>) outs(%zeros : tensor<2xf32>) -> tensor<2xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2xf32>, tensor<f32>
  return %0 : tensor<2xf32>
}
