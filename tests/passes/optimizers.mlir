// What --dann-expand-training makes of optimizers: their states are arguments and
// results of the training step alone.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-expand-training | FileCheck %s

// CHECK-LABEL: func.func @evaluate(
// CHECK-NOT: role state
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[RATE:[^:]*]]: tensor<f32> {dann.name = "learning_rate"}
// CHECK-SAME: %[[W:[^:]*]]: tensor<4x16xf32> {dann.name = "0.w"
// CHECK-SAME: %[[STEP:[^:]*]]: tensor<i64> {dann.name = "step", dann.role = #dann<role state>}
// CHECK-SAME: %[[M:[^:]*]]: tensor<4x16xf32> {dann.name = "0.w/mean", dann.role = #dann<role state>}
// CHECK-SAME: %[[S:[^:]*]]: tensor<4x16xf32> {dann.name = "0.w/mean_square", dann.role = #dann<role state>}
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"}, tensor<4x16xf32> {dann.name = "0.w", dann.sign = #dann<sign nonneg>, dann.updates = 3 : i64}, tensor<i64> {dann.name = "step", dann.updates = 4 : i64}, tensor<4x16xf32> {dann.name = "0.w/mean", dann.updates = 5 : i64}, tensor<4x16xf32> {dann.name = "0.w/mean_square", dann.updates = 6 : i64})
// CHECK-SAME: optimizer = "adamw, weight decay 0.01, clipped globally, projected", schedule = #dann.schedule<decay = cosine, steps = 9>
// CHECK: %[[LOSS:.*]], %[[G:.*]] = dann.value_and_grad
// CHECK: %[[STEP1:.*]] = linalg.generic {{.*}} ins(%[[STEP]] : tensor<i64>)
// CHECK: %[[C:.*]] = dann.clip_grad_norm %[[G]] max_norm 1.000000e+00
// CHECK: %[[D:.*]], %[[M1:.*]], %[[S1:.*]] = dann.adam_direction %[[C]], %[[M]], %[[S]] step %[[STEP1]]
// CHECK: %[[WD:.*]] = dann.decay_weights %[[W]], %[[RATE]] rate 1.000000e-02
// CHECK: %[[U:.*]] = dann.sgd_update %[[WD]], %[[D]], %[[RATE]]
// CHECK: %[[P:.*]] = dann.project nonneg %[[U]]
// CHECK: return %[[LOSS]], %[[P]], %[[STEP1]], %[[M1]], %[[S1]]
func.func @forward(
    %x: tensor<?x16xf32> {dann.name = "x"},
    %w: tensor<4x16xf32> {dann.name = "0.w", dann.role = #dann<role w>, dann.sign = #dann<sign nonneg>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %b = tensor.dim %x, %c0 : tensor<?x16xf32>
  %e = tensor.empty(%b) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%x, %w : tensor<?x16xf32>, tensor<4x16xf32>) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy
  optimizer #dann.adam<weight_decay = 1.0e-02, decoupled = true>
  clip <max_norm = 1.0, scope = global> project schedule <decay = cosine, steps = 9>
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// -----

// Biases and alpha take additive steps.
// CHECK-LABEL: func.func @train_step(
// CHECK: dann.eg_update
// CHECK-NOT: dann.eg_update
// CHECK: dann.sgd_update
func.func @forward(
    %x: tensor<?x4xf32> {dann.name = "x"},
    %w: tensor<4xf32> {dann.name = "0.w", dann.role = #dann<role w>},
    %b: tensor<4xf32> {dann.name = "0.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  return %x : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy
  optimizer #dann.exponentiated_gradient
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// -----

// Labels are drawn from what the model says of the batch.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x4xf32> {dann.name = "x"}
// CHECK-SAME: %[[KEY:[^:]*]]: tensor<i64> {dann.name = "random_key"}
// CHECK: %[[LOGITS:.*]] = call @forward(%[[X]],
// CHECK: %[[Y:.*]] = dann.sample_labels %[[LOGITS]], %[[KEY]]
// CHECK: %{{.*}}, %[[SQUARES:.*]] = dann.value_and_grad @loss(%[[X]], %[[Y]], %{{.*}}) wrt [2] squared
// CHECK: %[[MEANS:.*]] = linalg.generic {{.*}} ins(%[[SQUARES]] :
// CHECK: dann.natural_direction %{{.*}}, %[[MEANS]],
func.func @forward(
    %x: tensor<?x4xf32> {dann.name = "x"},
    %w: tensor<4xf32> {dann.name = "0.w", dann.role = #dann<role w>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  return %x : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy
  optimizer #dann.natural_gradient
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// -----

// The largest mean square is a further state.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[M:[^:]*]]: tensor<4xf32> {dann.name = "0.w/mean", dann.role = #dann<role state>}
// CHECK-SAME: %[[S:[^:]*]]: tensor<4xf32> {dann.name = "0.w/mean_square", dann.role = #dann<role state>}
// CHECK-SAME: %[[X:[^:]*]]: tensor<4xf32> {dann.name = "0.w/max_mean_square", dann.role = #dann<role state>}
// CHECK-SAME: optimizer = "adam, amsgrad"
// CHECK: %[[D:[^,]*]], %[[M1:.*]], %[[S1:.*]], %[[X1:.*]] = dann.adam_direction %{{.*}}, %[[M]], %[[S]] maximum %[[X]] step
// CHECK: return %{{.*}}, %{{.*}}, %{{.*}}, %[[M1]], %[[S1]], %[[X1]]
func.func @forward(
    %x: tensor<?x4xf32> {dann.name = "x"},
    %w: tensor<4xf32> {dann.name = "0.w", dann.role = #dann<role w>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  return %x : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy
  optimizer #dann.adam<amsgrad = true>
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// -----

// All of a layer have the rate that its weights decide, a layer of a bias alone
// its own.
// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: %[[RATE:[^:]*]]: tensor<f32> {dann.name = "learning_rate"}
// CHECK-SAME: %[[F:[^:]*]]: tensor<4xf32> {dann.name = "0.b/fisher"
// CHECK-SAME: %[[G:[^:]*]]: tensor<6xf32> {dann.name = "0.w/fisher"
// CHECK-SAME: %[[H:[^:]*]]: tensor<5xf32> {dann.name = "1.b/fisher"
// CHECK: %{{.*}}, %[[G1:.*]] = dann.natural_direction %{{.*}}, %{{.*}}, %[[G]] step
// CHECK: %[[FIRST:.*]] = dann.natural_rate %[[RATE]], %[[G1]] epsilon 1.000000e-08
// CHECK: %{{.*}}, %[[H1:.*]] = dann.natural_direction %{{.*}}, %{{.*}}, %[[H]] step
// CHECK: %[[SECOND:.*]] = dann.natural_rate %[[RATE]], %[[H1]] epsilon 1.000000e-08
// CHECK: dann.sgd_update %{{.*}}, %{{.*}}, %[[FIRST]] : tensor<4xf32>
// CHECK: dann.sgd_update %{{.*}}, %{{.*}}, %[[FIRST]] : tensor<6xf32>
// CHECK: dann.sgd_update %{{.*}}, %{{.*}}, %[[SECOND]] : tensor<5xf32>
func.func @forward(
    %x: tensor<?x4xf32> {dann.name = "x"},
    %b: tensor<4xf32> {dann.name = "0.b", dann.role = #dann<role b>},
    %w: tensor<6xf32> {dann.name = "0.w", dann.role = #dann<role w>},
    %c: tensor<5xf32> {dann.name = "1.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  return %x : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy
  optimizer #dann.natural_gradient<scale_by_norm = true>
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}
