// The training entry points that --dann-expand-training makes, and what it
// refuses.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-expand-training | FileCheck %s

// CHECK-LABEL: func.func @forward(
// CHECK-SAME: -> (tensor<?x4xf32> {dann.name = "logits"}) attributes {dann.inference}
func.func @forward(
    %x: tensor<?x16xf32> {dann.name = "x", dann.range = array<f64: 0.0, 1.0>},
    %wex: tensor<4x16xf32> {dann.name = "0.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
    %wix: tensor<2x16xf32> {dann.name = "0.wix", dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
    %wei: tensor<4x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
    %alpha: tensor<2xf32> {dann.name = "0.alpha", dann.role = #dann<role alpha>},
    %g: tensor<4xf32> {dann.name = "0.g", dann.role = #dann<role g>, dann.sign = #dann<sign nonneg>},
    %b: tensor<4xf32> {dann.name = "0.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x16xf32>, tensor<4x16xf32>, tensor<2x16xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// CHECK-LABEL: func.func private @loss(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x16xf32> {dann.name = "x", dann.range = array<f64: 0.000000e+00, 1.000000e+00>}
// CHECK-SAME: %[[Y:[^:]*]]: tensor<?xi64> {dann.name = "y"}
// CHECK-SAME: %[[WEX:[^:]*]]: tensor<4x16xf32> {dann.name = "0.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>}
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"})
// CHECK: %[[LOGITS:.*]] = call @forward(%[[X]], %[[WEX]],
// CHECK: %[[LOSS:.*]] = dann.softmax_cross_entropy %[[LOGITS]], %[[Y]]
// CHECK: return %[[LOSS]]

// CHECK-LABEL: func.func @loss_and_gradients(
// CHECK-SAME: {dann.name = "x"
// CHECK-SAME: {dann.name = "y"}
// CHECK-SAME: {dann.name = "0.b", dann.role = #dann<role b>})
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"}, tensor<4x16xf32> {dann.name = "grad/0.wex"}, tensor<2x16xf32> {dann.name = "grad/0.wix"}, tensor<4x2xf32> {dann.name = "grad/0.wei"}, tensor<2xf32> {dann.name = "grad/0.alpha"}, tensor<4xf32> {dann.name = "grad/0.g"}, tensor<4xf32> {dann.name = "grad/0.b"})
// CHECK: %[[VALUE:.*]], %[[GRADIENTS:.*]]:6 = dann.value_and_grad @loss({{.*}}) wrt [2, 3, 4, 5, 6, 7]
// CHECK: return %[[VALUE]], %[[GRADIENTS]]#0, %[[GRADIENTS]]#1, %[[GRADIENTS]]#2, %[[GRADIENTS]]#3, %[[GRADIENTS]]#4, %[[GRADIENTS]]#5 :

// CHECK-LABEL: func.func @evaluate(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x16xf32> {dann.name = "x"
// CHECK-SAME: %[[Y:[^:]*]]: tensor<?xi64> {dann.name = "y"}
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"}, tensor<i64> {dann.name = "errors"}) attributes {dann.inference}
// CHECK: %[[LOSS:.*]] = call @loss(%[[X]], %[[Y]],
// CHECK: %[[LOGITS:.*]] = call @forward(%[[X]],
// CHECK: %[[ERRORS:.*]] = dann.count_errors %[[LOGITS]], %[[Y]]
// CHECK: return %[[LOSS]], %[[ERRORS]]

// Inhibitory gradients are corrected, for d = 16 and ne = 4; what has a sign is
// projected.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %{{[^:]*}}: tensor<?x16xf32> {dann.name = "x"
// CHECK-SAME: %{{[^:]*}}: tensor<?xi64> {dann.name = "y"}
// CHECK-SAME: %[[RATE:[^:]*]]: tensor<f32> {dann.name = "learning_rate"}
// CHECK-SAME: %[[WEX:[^:]*]]: tensor<4x16xf32> {dann.name = "0.wex"
// CHECK-SAME: %[[WIX:[^:]*]]: tensor<2x16xf32> {dann.name = "0.wix"
// CHECK-SAME: %[[WEI:[^:]*]]: tensor<4x2xf32> {dann.name = "0.wei"
// CHECK-SAME: %[[ALPHA:[^:]*]]: tensor<2xf32> {dann.name = "0.alpha"
// CHECK-SAME: %[[G:[^:]*]]: tensor<4xf32> {dann.name = "0.g"
// CHECK-SAME: %[[B:[^:]*]]: tensor<4xf32> {dann.name = "0.b"
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"},
// CHECK-SAME: tensor<4x16xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>, dann.updates = 3 : i64},
// CHECK-SAME: tensor<2x16xf32> {dann.name = "0.wix", dann.sign = #dann<sign nonneg>, dann.updates = 4 : i64},
// CHECK-SAME: tensor<4x2xf32> {dann.name = "0.wei", dann.sign = #dann<sign nonneg>, dann.updates = 5 : i64},
// CHECK-SAME: tensor<2xf32> {dann.name = "0.alpha", dann.updates = 6 : i64},
// CHECK-SAME: tensor<4xf32> {dann.name = "0.g", dann.sign = #dann<sign nonneg>, dann.updates = 7 : i64},
// CHECK-SAME: tensor<4xf32> {dann.name = "0.b", dann.updates = 8 : i64})
// CHECK-SAME: attributes {dann.settings = {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 1.250000e-01 : f64, loss = "softmax_cross_entropy", optimizer = "sgd, corrected, projected"}}
// CHECK: %[[LOSS:.*]], %[[D:.*]]:6 = dann.value_and_grad @loss
// CHECK-NEXT: %[[DWIX:.*]] = dann.correct_inhibition wix %[[D]]#1 fan_in 16 excitatory 4
// CHECK-NEXT: %[[DWEI:.*]] = dann.correct_inhibition wei %[[D]]#2 fan_in 16 excitatory 4
// CHECK-NEXT: %[[DALPHA:.*]] = dann.correct_inhibition alpha %[[D]]#3 fan_in 16 excitatory 4
// CHECK-NEXT: %[[WEX1:.*]] = dann.sgd_update %[[WEX]], %[[D]]#0, %[[RATE]]
// CHECK-NEXT: %[[WEX2:.*]] = dann.project nonneg %[[WEX1]]
// CHECK-NEXT: %[[WIX1:.*]] = dann.sgd_update %[[WIX]], %[[DWIX]], %[[RATE]]
// CHECK-NEXT: %[[WIX2:.*]] = dann.project nonneg %[[WIX1]]
// CHECK-NEXT: %[[WEI1:.*]] = dann.sgd_update %[[WEI]], %[[DWEI]], %[[RATE]]
// CHECK-NEXT: %[[WEI2:.*]] = dann.project nonneg %[[WEI1]]
// CHECK-NEXT: %[[ALPHA1:.*]] = dann.sgd_update %[[ALPHA]], %[[DALPHA]], %[[RATE]]
// CHECK-NEXT: %[[G1:.*]] = dann.sgd_update %[[G]], %[[D]]#4, %[[RATE]]
// CHECK-NEXT: %[[G2:.*]] = dann.project nonneg %[[G1]]
// CHECK-NEXT: %[[B1:.*]] = dann.sgd_update %[[B]], %[[D]]#5, %[[RATE]]
// CHECK-NEXT: return %[[LOSS]], %[[WEX2]], %[[WIX2]], %[[WEI2]], %[[ALPHA1]], %[[G2]], %[[B1]]

// The request itself is gone.
// CHECK-NOT: dann.training

// -----

// Without correction and projection. Weights without a sign are never
// projected, nonpositive ones on their side.
func.func @forward(%x: tensor<?x16xf32>,
                   %wex: tensor<4x16xf32> {dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
                   %wix: tensor<2x16xf32> {dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
                   %wei: tensor<4x2xf32> {dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>}) -> tensor<?x4xf32> {
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x16xf32>, tensor<4x16xf32>, tensor<2x16xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// CHECK-LABEL: func.func @train_step
// CHECK-NOT: dann.correct_inhibition
// CHECK-NOT: dann.project
// CHECK-COUNT-3: dann.sgd_update
// CHECK-NOT: dann.project
// CHECK: return

// -----

func.func @forward(%x: tensor<?x4xf32>,
                   %w: tensor<?x4xf32> {dann.role = #dann<role w>, dann.sign = #dann<sign nonpos>},
                   %b: tensor<?x4xf32> {dann.role = #dann<role b>, dann.sign = #dann<sign any>}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// CHECK-LABEL: func.func @train_step
// CHECK: %[[W:.*]] = dann.sgd_update
// CHECK-NEXT: %[[P:.*]] = dann.project nonpos %[[W]]
// CHECK-NEXT: %[[B:.*]] = dann.sgd_update
// CHECK-NEXT: return %{{.*}}, %[[P]], %[[B]]

// -----

// A parameter shared by two uses that agree has one correction.
func.func @forward(%x: tensor<?x4xf32>, %wex: tensor<4x4xf32> {dann.role = #dann<role wex>},
                   %wix: tensor<2x4xf32> {dann.role = #dann<role wix>}, %wei: tensor<4x2xf32> {dann.role = #dann<role wei>}) -> tensor<?x4xf32> {
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  %1 = dann.ei_dense %0 excitatory(%wex) inhibitory(%wix, %wei) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// CHECK-LABEL: func.func @train_step
// CHECK: dann.correct_inhibition wix %{{.*}} fan_in 4 excitatory 4
// CHECK: dann.correct_inhibition wei %{{.*}} fan_in 4 excitatory 4
// CHECK-NOT: dann.correct_inhibition

// -----

// Shared by layers of different sizes: no factor is right for both.
func.func @forward(%x: tensor<?x4xf32>, %wex: tensor<4x4xf32> {dann.role = #dann<role wex>}, %last: tensor<8x4xf32> {dann.role = #dann<role wex>},
                   %wix: tensor<2x4xf32> {dann.name = "shared.wix", dann.role = #dann<role wix>},
                   %wei: tensor<4x2xf32> {dann.role = #dann<role wei>}, %lastwei: tensor<8x2xf32> {dann.role = #dann<role wei>}) -> tensor<?x8xf32> {
  // expected-error @below {{parameter "shared.wix" is shared by uses that ask for different corrections of its gradient}}
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  %1 = dann.ei_dense %0 excitatory(%last) inhibitory(%wix, %lastwei) : (tensor<?x4xf32>, tensor<8x4xf32>, tensor<2x4xf32>, tensor<8x2xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

// One training a module.
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
// expected-note @below {{the first one is here}}
dann.training @first of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
// expected-error @below {{a module can hold one dann.training only}}
dann.training @second of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

// The names of the entry points must be free.
func.func @forward(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
// expected-error @below {{the name 'train_step' is taken: dann-expand-training makes a function of that name}}
func.func private @train_step()
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(%x: tensor<?x4xf32>) -> tensor<?x4xf32>
// expected-error @below {{'forward' must be a func.func with a body}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
