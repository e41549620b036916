// Sums over the samples of squared gradients, and where they cannot be told apart.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-autodiff | FileCheck %s

// A product of the batch becomes that of squares, with nothing else changed.
#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
func.func private @loss(%x: tensor<?x16xf32>, %y: tensor<?xi64>, %w: tensor<4x16xf32>) -> tensor<f32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.contract indexing_maps = [#mk, #nk, #mn]
    ins(%x, %w : tensor<?x16xf32>, tensor<4x16xf32>) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  %l = dann.softmax_cross_entropy %z, %y : tensor<?x4xf32>, tensor<?xi64> -> tensor<f32>
  return %l : tensor<f32>
}
// CHECK-LABEL: func.func @squares
// CHECK: %[[DZ:.*]] = dann.softmax_cross_entropy_grad
// CHECK: %[[DZ2:.*]] = linalg.generic {{.*}} ins(%[[DZ]] :
// CHECK: arith.mulf %[[A:.*]], %[[A]]
// CHECK: %[[X2:.*]] = linalg.generic
// CHECK: arith.mulf %[[B:.*]], %[[B]]
// CHECK: %[[R:.*]] = linalg.contract {{.*}} ins(%[[DZ2]], %[[X2]] :
// CHECK: return %[[R]]
func.func @squares(%x: tensor<?x16xf32>, %y: tensor<?xi64>, %w: tensor<4x16xf32>) -> tensor<4x16xf32> {
  %l, %g = dann.value_and_grad @loss(%x, %y, %w) wrt [2] squared
    : (tensor<?x16xf32>, tensor<?xi64>, tensor<4x16xf32>) -> (tensor<f32>, tensor<4x16xf32>)
  return %g : tensor<4x16xf32>
}

// -----

// A mean over the batch mixes samples.
#b = affine_map<(b, c) -> (b, c)>
#c = affine_map<(b, c) -> (c)>
func.func private @loss(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %w: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant dense<0.0> : tensor<4xf32>
  // expected-note@below {{'linalg.generic' sums over the batch}}
  %s = linalg.generic {indexing_maps = [#b, #c], iterator_types = ["reduction", "parallel"]}
    ins(%x : tensor<?x4xf32>) outs(%zero : tensor<4xf32>) {
  ^bb0(%a: f32, %acc: f32):
    %t = arith.addf %acc, %a : f32
    linalg.yield %t : f32
  } -> tensor<4xf32>
  %z = linalg.generic {indexing_maps = [#b, #c, #c, #b], iterator_types = ["parallel", "parallel"]}
    ins(%x, %s, %w : tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>) outs(%x : tensor<?x4xf32>) {
  ^bb0(%a: f32, %m: f32, %v: f32, %out: f32):
    %d = arith.subf %a, %m : f32
    %p = arith.mulf %d, %v : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  %l = dann.softmax_cross_entropy %z, %y : tensor<?x4xf32>, tensor<?xi64> -> tensor<f32>
  return %l : tensor<f32>
}
func.func @squares(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %w: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@below {{cannot square the gradients of single samples of 'loss': it mixes samples}}
  %l, %g = dann.value_and_grad @loss(%x, %y, %w) wrt [2] squared
    : (tensor<?x4xf32>, tensor<?xi64>, tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)
  return %g : tensor<4xf32>
}

// -----

// The square of a sum is not the sum of squares.
func.func private @loss(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %w: tensor<4xf32>) -> tensor<f32> {
  // expected-note@below {{its gradient is the result of 'arith.addf'}}
  %v = arith.addf %w, %w : tensor<4xf32>
  %z = linalg.generic {indexing_maps = [affine_map<(b, c) -> (b, c)>, affine_map<(b, c) -> (c)>, affine_map<(b, c) -> (b, c)>], iterator_types = ["parallel", "parallel"]}
    ins(%x, %v : tensor<?x4xf32>, tensor<4xf32>) outs(%x : tensor<?x4xf32>) {
  ^bb0(%a: f32, %m: f32, %out: f32):
    %p = arith.mulf %a, %m : f32
    linalg.yield %p : f32
  } -> tensor<?x4xf32>
  %l = dann.softmax_cross_entropy %z, %y : tensor<?x4xf32>, tensor<?xi64> -> tensor<f32>
  return %l : tensor<f32>
}
func.func @squares(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %w: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error@below {{there is no rule for the parameter at position 2}}
  %l, %g = dann.value_and_grad @loss(%x, %y, %w) wrt [2] squared
    : (tensor<?x4xf32>, tensor<?xi64>, tensor<4xf32>) -> (tensor<f32>, tensor<4xf32>)
  return %g : tensor<4xf32>
}

// -----

// Of weights of fixed polarity the square is that of the magnitudes, but for
// those of polarity 0.
// CHECK-LABEL: func.func @polarity
// CHECK: arith.mulf
// CHECK: arith.mulf
// CHECK: %[[SQUARES:.*]] = linalg.contract
// CHECK: %[[ONCE:.*]] = dann.apply_polarity %[[SQUARES]] excitatory 3 ablated :
// CHECK: %[[TWICE:.*]] = dann.apply_polarity %[[ONCE]] excitatory 3 ablated :
// CHECK: return %[[TWICE]]
func.func private @loss(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %m: tensor<4x4xf32>) -> tensor<f32> {
  %w = dann.apply_polarity %m excitatory 3 ablated : tensor<4x4xf32>
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%x, %w : tensor<?x4xf32>, tensor<4x4xf32>) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  %l = dann.softmax_cross_entropy %z, %y : tensor<?x4xf32>, tensor<?xi64> -> tensor<f32>
  return %l : tensor<f32>
}
func.func @polarity(%x: tensor<?x4xf32>, %y: tensor<?xi64>, %m: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %l, %g = dann.value_and_grad @loss(%x, %y, %m) wrt [2] squared
    : (tensor<?x4xf32>, tensor<?xi64>, tensor<4x4xf32>) -> (tensor<f32>, tensor<4x4xf32>)
  return %g : tensor<4x4xf32>
}
