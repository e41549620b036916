// --dann-lower-layers: the maths of E/I layers and their gradients.
// RUN: dann-opt %s -dann-lower-layers -canonicalize -cse | FileCheck %s --implicit-check-not="= dann."

// z = gain * (ze - zi . wei^T) / ((e^alpha * zi) . wei^T + epsilon) + bias
// CHECK-LABEL: func @divisive
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[ALPHA:.*]]: tensor<2xf32>, %[[G:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK: %[[EPSILON:.*]] = arith.constant 9.99999993E-9 : f32
// CHECK: %[[ZE:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[WEX]] :
// CHECK: %[[ZI:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[WIX]] :
// CHECK: %[[INHIBITION:.*]] = linalg.contract {{.*}} ins(%[[ZI]], %[[WEI]] :
// CHECK: %[[STRENGTH:.*]] = linalg.generic {{.*}} ins(%[[ALPHA]] :
// CHECK: math.exp
// No weighted copy of wei: the strength goes to the interneurons.
// CHECK: %[[ZD:.*]] = linalg.generic {{.*}} ins(%[[ZI]], %[[STRENGTH]] :
// CHECK: arith.mulf
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%[[ZD]], %[[WEI]] :
// CHECK: %[[DIVISOR:.*]] = linalg.generic {{.*}} ins(%[[SUM]] :
// CHECK: arith.addf %{{.*}}, %[[EPSILON]]
// CHECK: %[[Z:.*]] = linalg.generic {{.*}} ins(%[[ZE]], %[[INHIBITION]], %[[DIVISOR]], %[[G]], %[[B]] :
// CHECK-NEXT: ^bb0(%[[VE:[^:]*]]: f32, %[[VI:[^:]*]]: f32, %[[VC:[^:]*]]: f32, %[[VG:[^:]*]]: f32, %[[VB:[^:]*]]: f32,
// CHECK-NEXT: %[[U:.*]] = arith.subf %[[VE]], %[[VI]]
// CHECK-NEXT: %[[R:.*]] = arith.divf %[[U]], %[[VC]]
// CHECK-NEXT: %[[S:.*]] = arith.mulf %[[R]], %[[VG]]
// CHECK-NEXT: %[[T:.*]] = arith.addf %[[S]], %[[VB]]
// CHECK-NEXT: linalg.yield %[[T]]
// CHECK: return %[[Z]]
func.func @divisive(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// z = ze - zi . wei^T
// CHECK-LABEL: func @subtractive
// CHECK-COUNT-3: linalg.contract
// CHECK-NOT: linalg.contract
// CHECK: arith.subf
// CHECK-NEXT: linalg.yield
func.func @subtractive(%x: tensor<?x8xf64>, %wex: tensor<4x8xf64>, %wix: tensor<2x8xf64>, %wei: tensor<4x2xf64>) -> tensor<?x4xf64> {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) : (tensor<?x8xf64>, tensor<4x8xf64>, tensor<2x8xf64>, tensor<4x2xf64>) -> tensor<?x4xf64>
  return %0 : tensor<?x4xf64>
}

// The gradients of a subtractive layer: five products for the parameters. The
// minus of inhibition goes to zi, not to the gradient of wei, ...
// CHECK-LABEL: func @subtractive_grad
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x4xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>)
// CHECK: %[[ZI:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[WIX]] :
// CHECK: %[[NZI:.*]] = linalg.generic {{.*}} ins(%[[ZI]] :
// CHECK: arith.negf
// CHECK: %[[DWEI:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[NZI]] :
// CHECK: %[[NDZI:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[WEI]] :
// CHECK: %[[DZI:.*]] = linalg.generic {{.*}} ins(%[[NDZI]] :
// CHECK: arith.negf
// CHECK: %[[DWEX:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[X]] :
// CHECK: %[[DWIX:.*]] = linalg.contract {{.*}} ins(%[[DZI]], %[[X]] :
// CHECK-NOT: linalg.contract
// CHECK: return %[[DWEX]], %[[DWIX]], %[[DWEI]]
func.func @subtractive_grad(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) {
  %0:3 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return %0#0, %0#1, %0#2 : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>
}

// ... and for the input the sum of two more: du . wex + dzi . wix.
// CHECK-LABEL: func @input_grad
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x4xf32>, %{{.*}}: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>,
// CHECK: %[[DZI:.*]] = linalg.generic
// CHECK: %[[DXE:.*]] = linalg.contract {{.*}} ins(%[[DZ]], %[[WEX]] :
// CHECK: %[[DX:.*]] = linalg.contract {{.*}} ins(%[[DZI]], %[[WIX]] : {{.*}}) outs(%[[DXE]] :
// CHECK: return %[[DX]]
func.func @input_grad(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) -> tensor<?x8xf32> {
  %0:4 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return %0#0 : tensor<?x8xf32>
}

// With a divisor, the gradient of wei is the sum of two products, the second of
// which starts from the first one, and every product reads wei itself.
// CHECK-LABEL: func @divisive_grad
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x4xf32>, %[[X:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<4x8xf32>, %{{.*}}: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>,
// CHECK: %[[ZI:.*]] = linalg.contract {{.*}} ins(%[[X]], %{{.*}} : tensor<?x8xf32>, tensor<2x8xf32>)
// CHECK: %[[ZD:.*]] = linalg.generic {{.*}} ins(%[[ZI]], %{{.*}} : tensor<?x2xf32>, tensor<2xf32>)
// CHECK: arith.mulf
// CHECK: linalg.contract {{.*}} ins(%[[ZD]], %[[WEI]] :
// CHECK: %[[DU:.*]] = linalg.generic {{.*}} ins(%[[DZ]], %{{.*}} :
// CHECK: arith.divf
// CHECK: %[[R:.*]] = linalg.generic
// CHECK: arith.subf
// CHECK-NEXT: arith.divf
// CHECK: %[[NZI:.*]] = linalg.generic {{.*}} ins(%[[ZI]] :
// CHECK: arith.negf
// CHECK: %[[FIRST:.*]] = linalg.contract {{.*}} ins(%[[DU]], %[[NZI]] :
// CHECK: linalg.contract {{.*}} ins(%[[DU]], %[[WEI]] :
// CHECK: %[[S:.*]] = linalg.generic {{.*}} ins(%[[DU]], %[[R]] :
// CHECK: arith.mulf
// CHECK: %[[NZD:.*]] = linalg.generic {{.*}} ins(%[[ZD]] :
// CHECK: arith.negf
// CHECK: %[[DWEI:.*]] = linalg.contract {{.*}} ins(%[[S]], %[[NZD]] : {{.*}}) outs(%[[FIRST]] :
// CHECK: %[[DIVISIVE:.*]] = linalg.contract {{.*}} ins(%[[S]], %[[WEI]] :
// The gradient of alpha is a sum over the batch.
// CHECK: %[[DALPHA:.*]] = linalg.generic {{.*}}iterator_types = ["reduction", "parallel"]{{.*}} ins(%[[DIVISIVE]], %[[ZD]] :
// CHECK: arith.negf
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: arith.addf
// CHECK: return %{{.*}}, %{{.*}}, %[[DWEI]], %[[DALPHA]]
func.func @divisive_grad(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>)
    -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) {
  %0:4 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) parameters_only
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>)
  return %0#0, %0#1, %0#2, %0#3 : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>
}

// A layer and its gradient share ze, zi, the inhibition and the divisor: of the
// 4 products forward and 4 + 6 backward, 4 are merged.
// CHECK-LABEL: func @shared
// CHECK-COUNT-10: linalg.contract
// CHECK-NOT: linalg.contract
// CHECK: return
func.func @shared(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>)
    -> (tensor<?x4xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) {
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  %0:4 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) parameters_only
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>)
  return %z, %0#0, %0#1, %0#2, %0#3 : tensor<?x4xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>
}

// Inference: inhibition is a part of the weights, the divisor reads weighted
// ones, and x meets weights alone.
// z = gain * (x . (wex - wei . wix)^T) / ((x . wix^T) . (wei e^alpha)^T + epsilon) + bias
// CHECK-LABEL: func @folded
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[ALPHA:.*]]: tensor<2xf32>, %[[G:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK: %[[PRODUCT:.*]] = linalg.contract {{.*}} ins(%[[WEI]], %[[WIX]] : tensor<4x2xf32>, tensor<2x8xf32>)
// CHECK: %[[W:.*]] = linalg.generic {{.*}} ins(%[[WEX]] : {{.*}}) outs(%[[PRODUCT]] :
// CHECK-NEXT: ^bb0(%[[EX:.*]]: f32, %[[IN:.*]]: f32):
// CHECK-NEXT: arith.subf %[[EX]], %[[IN]]
// CHECK: %[[NUMERATOR:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[W]] :
// CHECK: %[[ZI:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[WIX]] :
// CHECK: %[[STRENGTH:.*]] = linalg.generic {{.*}} ins(%[[ALPHA]] :
// CHECK: math.exp
// CHECK: %[[WEIGHTED:.*]] = linalg.generic {{.*}} ins(%[[WEI]], %[[STRENGTH]] :
// CHECK: arith.mulf
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} ins(%[[ZI]], %[[WEIGHTED]] :
// CHECK: %[[DIVISOR:.*]] = linalg.generic {{.*}} ins(%[[SUM]] :
// CHECK: arith.addf
// CHECK: %[[Z:.*]] = linalg.generic {{.*}} ins(%[[NUMERATOR]], %[[DIVISOR]], %[[G]], %[[B]] :
// CHECK-NEXT: ^bb0
// CHECK-NEXT: arith.divf
// CHECK-NEXT: arith.mulf
// CHECK-NEXT: arith.addf
// CHECK-NEXT: linalg.yield
// CHECK: return %[[Z]]
func.func @folded(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Of a subtractive layer nothing but one product with x remains.
// CHECK-LABEL: func @folded_subtractive
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>,
// CHECK: %[[W:.*]] = linalg.generic
// CHECK: arith.subf
// CHECK: %[[Z:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[W]] :
// CHECK-NEXT: return %[[Z]]
func.func @folded_subtractive(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// Weights that are computed may depend on the input: no folding.
// CHECK-LABEL: func @computed_weights
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>,
// CHECK: linalg.contract {{.*}} ins(%[[X]], %[[WEX]] :
// CHECK: linalg.contract {{.*}} ins(%[[X]],
// CHECK: arith.subf
func.func @computed_weights(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %w = math.absf %wix : tensor<2x8xf32>
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%w, %wei) : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// Effective weights, and a layer on them.
// CHECK-LABEL: func @folded_once
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[B:.*]]: tensor<4xf32>)
// CHECK: %[[WW:.*]] = linalg.contract {{.*}} ins(%[[WEI]], %[[WIX]] :
// CHECK: %[[W:.*]] = linalg.generic {{.*}} ins(%[[WEX]] : {{.*}}) outs(%[[WW]] :
// CHECK: arith.subf
// CHECK: %[[Z:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[W]] :
// CHECK: linalg.generic {{.*}} ins(%[[Z]], %[[B]] :
func.func @folded_once(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %w = dann.fold_inhibition %wex, %wix, %wei : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>
  %z = dann.ei_dense_folded %x, %w bias(%b) : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
