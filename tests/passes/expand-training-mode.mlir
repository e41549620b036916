// Layers that differ in training: --dann-expand-training differentiates a clone
// of the network in which they have their training form.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-expand-training | FileCheck %s
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-graph-pipeline -o /dev/null

// Inference is left as it is.
// CHECK-LABEL: func.func @forward(
// CHECK: dann.dropout
// CHECK: dann.batch_norm
func.func @forward(
    %x: tensor<?x8xf32> {dann.name = "x"},
    %w: tensor<4x8xf32> {dann.name = "0.w", dann.role = #dann<role w>, dann.sign = #dann<sign nonneg>},
    %p: tensor<4x8xf32> {dann.name = "0.polarity", dann.role = #dann<role polarity>},
    %m: tensor<4xf32> {dann.name = "0.mean.stat", dann.role = #dann<role stat>},
    %v: tensor<4xf32> {dann.name = "0.variance.stat", dann.role = #dann<role stat>, dann.sign = #dann<sign nonneg>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %weights = dann.apply_polarity %w by %p : tensor<4x8xf32>, tensor<4x8xf32>
  %d = dann.dropout %x rate 0.5 : tensor<?x8xf32>
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z = linalg.contract indexing_maps = [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>]
    ins(%d, %weights : tensor<?x8xf32>, tensor<4x8xf32>) outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = dann.batch_norm %z mean(%m) variance(%v) : tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>
  %again = dann.dropout %y rate 0.25 : tensor<?x4xf32>
  return %again : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd project
  {batch_size = 32 : i64, epochs = 50 : i64, learning_rate = 0.125 : f64}

// Each mask comes from a stream of its own.
// CHECK-LABEL: func.func private @forward_training(
// CHECK-SAME: %[[X:[^:]*]]: tensor<?x8xf32> {dann.name = "x"}
// CHECK-SAME: %[[M:[^:]*]]: tensor<4xf32> {dann.name = "0.mean.stat"
// CHECK-SAME: %[[V:[^:]*]]: tensor<4xf32> {dann.name = "0.variance.stat"
// CHECK-SAME: %[[KEY:[^:]*]]: tensor<i64> {dann.name = "random_key"})
// CHECK-SAME: -> (tensor<?x4xf32> {dann.name = "logits"}, tensor<4xf32>, tensor<4xf32>)
// CHECK: %[[MASK:.*]] = dann.random bernoulli mean 1.000000e+00 scale 2.000000e+00 stream 0 seed %[[KEY]] count %{{.*}} : tensor<i64> -> tensor<?x8xf32>
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[MASK]] :
// CHECK: math.sqrt
// CHECK: %[[MEAN:.*]] = linalg.generic {{.*}} ins(%[[M]],
// CHECK: %[[VARIANCE:.*]] = linalg.generic {{.*}} ins(%[[V]],
// CHECK: dann.random bernoulli mean 1.000000e+00 scale 1.3333333333333333 stream 2 seed %[[KEY]] count %{{.*}} : tensor<i64> -> tensor<?x4xf32>
// CHECK: %[[LOGITS:.*]] = linalg.generic
// CHECK: return %[[LOGITS]], %[[MEAN]], %[[VARIANCE]]

// CHECK-LABEL: func.func private @loss(
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"})
// CHECK: call @forward(

// CHECK-LABEL: func.func private @loss_training(
// CHECK-SAME: %[[KEY:[^:]*]]: tensor<i64> {dann.name = "random_key"}) -> (tensor<f32> {dann.name = "loss"}, tensor<4xf32>, tensor<4xf32>)
// CHECK: %[[RESULTS:.*]]:3 = call @forward_training({{.*}}, %[[KEY]])
// CHECK: %[[LOSS:.*]] = dann.softmax_cross_entropy %[[RESULTS]]#0,
// CHECK: return %[[LOSS]], %[[RESULTS]]#1, %[[RESULTS]]#2

// Neither statistics nor polarities have gradients.
// CHECK-LABEL: func.func @loss_and_gradients(
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"}, tensor<4x8xf32> {dann.name = "grad/0.w"})
// CHECK: %[[VALUE:.*]], %[[OTHERS:.*]]:3 = dann.value_and_grad @loss_training({{.*}}) wrt [2]
// CHECK: return %[[VALUE]], %[[OTHERS]]#0 :

// CHECK-LABEL: func.func @evaluate(
// CHECK-NOT: random_key
// CHECK: call @loss(

// CHECK-LABEL: func.func @train_step(
// CHECK-SAME: tensor<i64> {dann.name = "random_key"})
// CHECK-SAME: -> (tensor<f32> {dann.name = "loss"},
// CHECK-SAME: tensor<4x8xf32> {dann.name = "0.w", dann.sign = #dann<sign nonneg>, dann.updates = 3 : i64},
// CHECK-SAME: tensor<4xf32> {dann.name = "0.mean.stat", dann.updates = 5 : i64},
// CHECK-SAME: tensor<4xf32> {dann.name = "0.variance.stat", dann.sign = #dann<sign nonneg>, dann.updates = 6 : i64})
// CHECK: %[[VALUE:.*]], %[[OTHERS:.*]]:3 = dann.value_and_grad @loss_training({{.*}}) wrt [2]
// CHECK-NEXT: %[[UPDATED:.*]] = dann.sgd_update %{{.*}}, %[[OTHERS]]#0,
// CHECK-NEXT: %[[PROJECTED:.*]] = dann.project nonneg %[[UPDATED]]
// CHECK-NEXT: return %[[VALUE]], %[[PROJECTED]], %[[OTHERS]]#1, %[[OTHERS]]#2

// -----

// Without a random layer there is no key.
func.func @forward(%x: tensor<?x4xf32>, %m: tensor<4xf32> {dann.role = #dann<role stat>},
                   %v: tensor<4xf32> {dann.role = #dann<role stat>}) -> tensor<?x4xf32> {
  %d = dann.dropout %x rate 0.0 : tensor<?x4xf32>
  %y = dann.batch_norm %d mean(%m) variance(%v) : tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>
  return %y : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// CHECK-LABEL: func.func private @forward_training
// CHECK-NOT: random_key
// CHECK: return

// -----

// Statistics must be parameters that nothing else changes.
func.func @forward(%x: tensor<?x4xf32>, %w: tensor<4xf32> {dann.role = #dann<role b>},
                   %v: tensor<4xf32> {dann.role = #dann<role stat>}) -> tensor<?x4xf32> {
  // expected-error @below {{'dann.batch_norm' op updates its operand #1 in training, which must be a parameter of the role stat}}
  %y = dann.batch_norm %x mean(%w) variance(%v) : tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>
  return %y : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func @forward(%x: tensor<?x4xf32>, %s: tensor<4xf32> {dann.role = #dann<role stat>}) -> tensor<?x4xf32> {
  // expected-error @below {{'dann.batch_norm' op updates a parameter that another operation updates, too}}
  %y = dann.batch_norm %x mean(%s) variance(%s) : tensor<?x4xf32>, tensor<4xf32>, tensor<4xf32>
  return %y : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

// expected-error @below {{the name 'forward_training' is taken: dann-expand-training makes a function of that name}}
func.func private @forward_training()
func.func @forward(%x: tensor<?x4xf32>, %w: tensor<4xf32> {dann.role = #dann<role b>}) -> tensor<?x4xf32> {
  %y = dann.dropout %x rate 0.5 : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
