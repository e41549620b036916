// Random layers in the body of a scan.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-expand-training | FileCheck %s -enable-var-scope

// In the body of a scan each step has a key of its own, and so have the steps of
// a scan inside of it. Connections that are dropped count in the correction.
// CHECK-LABEL: func.func private @forward_training(
// CHECK-SAME: %[[KEY:[^:]*]]: tensor<i64> {dann.name = "random_key"})
// CHECK: %[[FACTOR:.*]] = arith.constant -7046029254386353131 : i64
// CHECK: %[[KEYS:.*]] = linalg.generic {{.*}} ins(%[[KEY]] : tensor<i64>) outs(%{{.*}} : tensor<3xi64>)
// CHECK: linalg.index 0
// CHECK: arith.muli %{{.*}}, %[[FACTOR]]
// CHECK: dann.scan initial(%{{.*}}) over(%{{.*}}, %[[KEYS]]) with(
// CHECK: ^bb0(%{{.*}}: tensor<?x4xf32>, %{{.*}}: tensor<2x?x4xf32>, %[[STEP:[^:]*]]: tensor<i64>,
// CHECK: %[[INNER:.*]] = linalg.generic {{.*}} ins(%[[STEP]] : tensor<i64>) outs(%{{.*}} : tensor<2xi64>)
// CHECK: dann.scan initial(%{{.*}}) over(%{{.*}}, %[[INNER]]) with(
// CHECK: ^bb0(%{{.*}}: tensor<?x4xf32>, %{{.*}}: tensor<?x4xf32>, %[[OWN:[^:]*]]: tensor<i64>,
// CHECK: %[[MASK:.*]] = dann.random bernoulli mean 7.500000e-01 scale 1.000000e+00 stream 0 seed %[[OWN]] : tensor<i64> -> tensor<2x4xf32>
// CHECK: %[[LEFT:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %[[MASK]] :
// CHECK: dann.ei_dense %{{.*}} inhibitory(%[[LEFT]],
// CHECK-LABEL: func.func @train_step(
// CHECK: dann.correct_inhibition wix
func.func @forward(%x: tensor<?x4xf32> {dann.name = "x"},
                   %xs: tensor<3x2x?x4xf32> {dann.role = #dann<role stat>},
                   %wex: tensor<4x4xf32> {dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
                   %wix: tensor<2x4xf32> {dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
                   %wei: tensor<4x2xf32> {dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>}) -> tensor<?x4xf32> {
  %r = dann.scan initial(%x) over(%xs) with(%wex, %wix, %wei) {
  ^bb0(%c: tensor<?x4xf32>, %s: tensor<2x?x4xf32>, %e: tensor<4x4xf32>, %i: tensor<2x4xf32>, %ei: tensor<4x2xf32>):
    %q = dann.scan initial(%c) over(%s) with(%e, %i, %ei) {
    ^bb0(%h: tensor<?x4xf32>, %t: tensor<?x4xf32>, %f: tensor<4x4xf32>, %j: tensor<2x4xf32>, %fj: tensor<4x2xf32>):
      %k = dann.dropout %j rate 0.25 unscaled : tensor<2x4xf32>
      %z = dann.ei_dense %h excitatory(%f) inhibitory(%k, %fj)
         : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
      dann.yield carries(%z : tensor<?x4xf32>) outputs()
    } : (tensor<?x4xf32>, tensor<2x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
    dann.yield carries(%q : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<3x2x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

// Nothing brings a key into other regions.
func.func @forward(%x: tensor<?x4xf32> {dann.name = "x"}, %w: tensor<4xf32> {dann.role = #dann<role b>}) -> tensor<?x4xf32> {
  %true = arith.constant true
  %y = scf.if %true -> tensor<?x4xf32> {
    // expected-error @below {{'dann.dropout' op has a training form, but stands inside of 'scf.if', which keeps it from its random key}}
    %d = dann.dropout %x rate 0.5 : tensor<?x4xf32>
    scf.yield %d : tensor<?x4xf32>
  } else {
    scf.yield %x : tensor<?x4xf32>
  }
  return %y : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
