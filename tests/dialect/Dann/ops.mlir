// Every operation and attribute of the dann dialect survives a round trip
// through its textual form.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func @ei_dense
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[ALPHA:.*]]: tensor<2xf32>, %[[G:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @ei_dense(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>,
                    %alpha: tensor<2xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) {
  // Divisive, with everything.
  // CHECK: dann.ei_dense %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) divisive(%[[ALPHA]]) gain(%[[G]]) bias(%[[B]])
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>

  // Divisive without gain and bias, with another epsilon.
  // CHECK: dann.ei_dense %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) divisive(%[[ALPHA]]) {epsilon = 5.000000e-01 : f64}
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  %1 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) {epsilon = 0.5}
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>

  // Subtractive.
  // CHECK: dann.ei_dense %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) bias(%[[B]])
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %2 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) bias(%b)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<?x4xf32>

  // Subtractive without bias.
  // CHECK: dann.ei_dense %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]])
  // CHECK-SAME: : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  %3 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// CHECK-LABEL: func @ei_dense_f64
func.func @ei_dense_f64(%x: tensor<3x8xf64>, %wex: tensor<4x8xf64>, %wix: tensor<2x8xf64>, %wei: tensor<4x2xf64>) -> tensor<3x4xf64> {
  // CHECK: -> tensor<3x4xf64>
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<3x8xf64>, tensor<4x8xf64>, tensor<2x8xf64>, tensor<4x2xf64>) -> tensor<3x4xf64>
  return %0 : tensor<3x4xf64>
}

// CHECK-LABEL: func @ei_dense_grad
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x4xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>, %[[WEI:.*]]: tensor<4x2xf32>, %[[ALPHA:.*]]: tensor<2xf32>, %[[G:.*]]: tensor<4xf32>, %[[B:.*]]: tensor<4xf32>)
func.func @ei_dense_grad(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>,
                         %alpha: tensor<2xf32>, %g: tensor<4xf32>, %b: tensor<4xf32>) {
  // CHECK: %{{.*}}:7 = dann.ei_dense_grad %[[DZ]], %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) divisive(%[[ALPHA]]) gain(%[[G]]) bias(%[[B]]) :
  // CHECK-SAME: -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>)
  %0:7 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>)
    -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>)

  // CHECK: %{{.*}}:3 = dann.ei_dense_grad %[[DZ]], %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) parameters_only {epsilon = 0.000000e+00 : f64} :
  // CHECK-SAME: -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  %1:3 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only {epsilon = 0.0}
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
    -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return
}

// CHECK-LABEL: func @losses
// CHECK-SAME: (%[[LOGITS:.*]]: tensor<?x10xf32>, %[[Y:.*]]: tensor<?xi64>)
func.func @losses(%logits: tensor<?x10xf32>, %y: tensor<?xi64>) -> (tensor<?x10xf32>, tensor<i64>) {
  // CHECK: %[[LOSS:.*]] = dann.softmax_cross_entropy %[[LOGITS]], %[[Y]] : tensor<?x10xf32>, tensor<?xi64> -> tensor<f32>
  %loss = dann.softmax_cross_entropy %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<f32>
  // CHECK: dann.softmax_cross_entropy_grad %[[LOSS]], %[[LOGITS]], %[[Y]] : tensor<f32>, tensor<?x10xf32>, tensor<?xi64>
  %grad = dann.softmax_cross_entropy_grad %loss, %logits, %y : tensor<f32>, tensor<?x10xf32>, tensor<?xi64>
  // CHECK: dann.count_errors %[[LOGITS]], %[[Y]] : tensor<?x10xf32>, tensor<?xi64> -> tensor<i64>
  %errors = dann.count_errors %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<i64>
  return %grad, %errors : tensor<?x10xf32>, tensor<i64>
}

// CHECK-LABEL: func @updates
// CHECK-SAME: (%[[W:.*]]: tensor<4x8xf32>, %[[DW:.*]]: tensor<4x8xf32>, %[[RATE:.*]]: tensor<f32>)
func.func @updates(%w: tensor<4x8xf32>, %dw: tensor<4x8xf32>, %rate: tensor<f32>) -> (tensor<4x8xf32>, tensor<4x8xf32>) {
  // CHECK: %[[WIX:.*]] = dann.correct_inhibition wix %[[DW]] fan_in 8 excitatory 4 : tensor<4x8xf32>
  %wix = dann.correct_inhibition wix %dw fan_in 8 excitatory 4 : tensor<4x8xf32>
  // CHECK: %[[WEI:.*]] = dann.correct_inhibition wei %[[WIX]] fan_in 8 excitatory 4 : tensor<4x8xf32>
  %wei = dann.correct_inhibition wei %wix fan_in 8 excitatory 4 : tensor<4x8xf32>
  // CHECK: %[[ALPHA:.*]] = dann.correct_inhibition alpha %[[WEI]] fan_in 8 excitatory 4 : tensor<4x8xf32>
  %alpha = dann.correct_inhibition alpha %wei fan_in 8 excitatory 4 : tensor<4x8xf32>
  // CHECK: %[[STEP:.*]] = dann.sgd_update %[[W]], %[[ALPHA]], %[[RATE]] : tensor<4x8xf32>, tensor<f32>
  %step = dann.sgd_update %w, %alpha, %rate : tensor<4x8xf32>, tensor<f32>
  // CHECK: dann.project nonneg %[[STEP]] : tensor<4x8xf32>
  %nonneg = dann.project nonneg %step : tensor<4x8xf32>
  // CHECK: dann.project nonpos %[[STEP]] : tensor<4x8xf32>
  %nonpos = dann.project nonpos %step : tensor<4x8xf32>
  return %nonneg, %nonpos : tensor<4x8xf32>, tensor<4x8xf32>
}

// CHECK-LABEL: func @distributions
// CHECK-SAME: (%[[SEED:.*]]: tensor<i64>, %[[N:.*]]: index)
func.func @distributions(%seed: tensor<i64>, %n: index) {
  // CHECK: dann.random uniform scale 5.000000e-01 stream 0 seed %[[SEED]] : tensor<i64> -> tensor<4xf32>
  %0 = dann.random uniform scale 0.5 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  // CHECK: dann.random lognormal mean 3.000000e-01 scale 2.000000e-01 stream 1 seed %[[SEED]] : tensor<i64> -> tensor<4xf32>
  %1 = dann.random lognormal mean 0.3 scale 0.2 stream 1 seed %seed : tensor<i64> -> tensor<4xf32>
  // CHECK: dann.random bernoulli mean 1.000000e+00 scale 2.000000e+00 stream 2 seed %[[SEED]] count %[[N]] : tensor<i64> -> tensor<?x4xf32>
  %2 = dann.random bernoulli mean 1.0 scale 2.0 stream 2 seed %seed count %n : tensor<i64> -> tensor<?x4xf32>
  return
}

// CHECK-LABEL: func @apply_polarity
// CHECK-SAME: (%[[W:.*]]: tensor<4x8xf32>, %[[MASK:.*]]: tensor<4x8xf32>, %[[COLUMNS:.*]]: tensor<8xf32>, %[[FILTERS:.*]]: tensor<4x8x3x3xf32>)
func.func @apply_polarity(%w: tensor<4x8xf32>, %mask: tensor<4x8xf32>, %columns: tensor<8xf32>, %filters: tensor<4x8x3x3xf32>) {
  // CHECK: dann.apply_polarity %[[W]] excitatory 6 : tensor<4x8xf32>
  %0 = dann.apply_polarity %w excitatory 6 : tensor<4x8xf32>
  // CHECK: dann.apply_polarity %[[W]] by %[[MASK]] : tensor<4x8xf32>, tensor<4x8xf32>
  %1 = dann.apply_polarity %w by %mask : tensor<4x8xf32>, tensor<4x8xf32>
  // CHECK: dann.apply_polarity %[[FILTERS]] by %[[COLUMNS]] : tensor<4x8x3x3xf32>, tensor<8xf32>
  %2 = dann.apply_polarity %filters by %columns : tensor<4x8x3x3xf32>, tensor<8xf32>
  return
}

// CHECK-LABEL: func @ablated
func.func @ablated(%w: tensor<8x8xf32>) {
  // CHECK: dann.apply_polarity %{{.*}} excitatory 6 ablated : tensor<8x8xf32>
  %0 = dann.apply_polarity %w excitatory 6 ablated : tensor<8x8xf32>
  // CHECK: dann.dropout %{{.*}} rate 2.500000e-01 unscaled : tensor<8x8xf32>
  %1 = dann.dropout %w rate 0.25 unscaled : tensor<8x8xf32>
  return
}

// CHECK-LABEL: func @training_mode
// CHECK-SAME: (%[[X:.*]]: tensor<?x8x3x3xf32>, %[[M:.*]]: tensor<8xf32>, %[[V:.*]]: tensor<8xf32>)
func.func @training_mode(%x: tensor<?x8x3x3xf32>, %m: tensor<8xf32>, %v: tensor<8xf32>) {
  // CHECK: dann.dropout %[[X]] rate 2.500000e-01 : tensor<?x8x3x3xf32>
  %0 = dann.dropout %x rate 0.25 : tensor<?x8x3x3xf32>
  // CHECK: dann.batch_norm %[[X]] mean(%[[M]]) variance(%[[V]]) : tensor<?x8x3x3xf32>, tensor<8xf32>, tensor<8xf32>
  %1 = dann.batch_norm %x mean(%m) variance(%v) : tensor<?x8x3x3xf32>, tensor<8xf32>, tensor<8xf32>
  // CHECK: dann.batch_norm %[[X]] mean(%[[M]]) variance(%[[V]]) {epsilon = 0.000000e+00 : f64, momentum = 1.000000e+00 : f64}
  %2 = dann.batch_norm %x mean(%m) variance(%v) {epsilon = 0.0 : f64, momentum = 1.0 : f64} : tensor<?x8x3x3xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

func.func private @loss_and_count(tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<f32>, tensor<i64>, tensor<8xf32>)

// CHECK-LABEL: func @auxiliary
func.func @auxiliary(%x: tensor<?x8xf32>, %w: tensor<4x8xf32>) {
  // CHECK: dann.value_and_grad @loss_and_count(%{{.*}}, %{{.*}}) wrt [1] : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<i64>, tensor<8xf32>)
  %0:4 = dann.value_and_grad @loss_and_count(%x, %w) wrt [1]
    : (tensor<?x8xf32>, tensor<4x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<i64>, tensor<8xf32>)
  return
}

// CHECK-LABEL: func @random
// CHECK-SAME: (%[[SEED:.*]]: tensor<i64>)
func.func @random(%seed: tensor<i64>) -> (tensor<4x8xf32>, tensor<8xf64>) {
  // CHECK: dann.random exponential scale 2.500000e-02 stream 3 seed %[[SEED]] : tensor<i64> -> tensor<4x8xf32>
  %0 = dann.random exponential scale 0.025 stream 3 seed %seed : tensor<i64> -> tensor<4x8xf32>
  // CHECK: dann.random normal scale 1.000000e+00 stream 0 seed %[[SEED]] : tensor<i64> -> tensor<8xf64>
  %1 = dann.random normal scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<8xf64>
  return %0, %1 : tensor<4x8xf32>, tensor<8xf64>
}

// The attributes of signatures: names, ranges, the seven roles, the four signs.
// CHECK-LABEL: func @forward
// CHECK-SAME: %{{.*}}: tensor<?x8xf32> {dann.name = "x", dann.range = array<f64: 0.000000e+00, 1.000000e+00>}
// CHECK-SAME: {dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>}
// CHECK-SAME: {dann.role = #dann<role wix>, dann.sign = #dann<sign nonpos>}
// CHECK-SAME: {dann.role = #dann<role wei>, dann.sign = #dann<sign zero>}
// CHECK-SAME: {dann.role = #dann<role alpha>, dann.sign = #dann<sign any>}
// CHECK-SAME: {dann.role = #dann<role g>}
// CHECK-SAME: {dann.role = #dann<role b>}
// CHECK-SAME: {dann.role = #dann<role w>}
// CHECK-SAME: -> (tensor<?x8xf32> {dann.name = "logits", dann.sign = #dann<sign any>})
func.func @forward(%x: tensor<?x8xf32> {dann.name = "x", dann.range = array<f64: 0.0, 1.0>},
                   %wex: tensor<4x8xf32> {dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
                   %wix: tensor<4x8xf32> {dann.role = #dann<role wix>, dann.sign = #dann<sign nonpos>},
                   %wei: tensor<4x8xf32> {dann.role = #dann<role wei>, dann.sign = #dann<sign zero>},
                   %alpha: tensor<4x8xf32> {dann.role = #dann<role alpha>, dann.sign = #dann<sign any>},
                   %g: tensor<4x8xf32> {dann.role = #dann<role g>},
                   %b: tensor<4x8xf32> {dann.role = #dann<role b>},
                   %w: tensor<4x8xf32> {dann.role = #dann<role w>})
    -> (tensor<?x8xf32> {dann.name = "logits", dann.sign = #dann<sign any>}) {
  return %x : tensor<?x8xf32>
}

// CHECK-LABEL: func @step
// CHECK-SAME: -> (tensor<f32>, tensor<4xf32> {dann.updates = 1 : i64})
// CHECK-SAME: attributes {dann.settings = {batch_size = 32 : i64, epochs = 10 : i64, learning_rate = 1.000000e-01 : f64, loss = "softmax_cross_entropy", optimizer = "sgd"}}
func.func @step(%rate: tensor<f32>, %w: tensor<4xf32>) -> (tensor<f32>, tensor<4xf32> {dann.updates = 1 : i64})
    attributes {dann.settings = {batch_size = 32 : i64, epochs = 10 : i64, learning_rate = 0.1 : f64, loss = "softmax_cross_entropy", optimizer = "sgd"}} {
  return %rate, %w : tensor<f32>, tensor<4xf32>
}

// CHECK: dann.training @plain of @forward loss softmax_cross_entropy optimizer #dann.sgd
// CHECK-SAME: {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 1.107000e-01 : f64}
dann.training @plain of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.1107 : f64}
// CHECK: dann.training @dale of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project {
dann.training @dale of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project
  {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.0 : f64}

func.func private @loss(tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>) -> tensor<f32>

// CHECK-LABEL: func @value_and_grad
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[Y:.*]]: tensor<?xi64>, %[[W:.*]]: tensor<4x8xf32>)
func.func @value_and_grad(%x: tensor<?x8xf32>, %y: tensor<?xi64>, %w: tensor<4x8xf32>) {
  // CHECK: dann.value_and_grad @loss(%[[X]], %[[Y]], %[[W]]) wrt [2, 0] : (tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<?x8xf32>)
  %0:3 = dann.value_and_grad @loss(%x, %y, %w) wrt [2, 0]
    : (tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>) -> (tensor<f32>, tensor<4x8xf32>, tensor<?x8xf32>)
  // CHECK: dann.value_and_grad @loss(%[[X]], %[[Y]], %[[W]]) wrt [] : (tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>) -> tensor<f32>
  %1 = dann.value_and_grad @loss(%x, %y, %w) wrt []
    : (tensor<?x8xf32>, tensor<?xi64>, tensor<4x8xf32>) -> tensor<f32>
  return
}
