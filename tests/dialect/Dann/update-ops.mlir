// The operations of optimizers, and the optimizers themselves, as they are
// written and read.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func.func @directions
func.func @directions(%g: tensor<4x8xf32>, %w: tensor<4x8xf32>, %v: tensor<4x8xf32>, %t: tensor<i64>, %lr: tensor<f32>) {
  // CHECK: dann.decay_gradient %{{.*}}, %{{.*}} rate 1.000000e-02 : tensor<4x8xf32>
  %0 = dann.decay_gradient %g, %w rate 1.0e-02 : tensor<4x8xf32>
  // CHECK: dann.decay_gradient %{{.*}}, %{{.*}} rate 1.000000e-02 signed : tensor<4x8xf32>
  %1 = dann.decay_gradient %g, %w rate 1.0e-02 signed : tensor<4x8xf32>
  // CHECK: dann.decay_weights %{{.*}}, %{{.*}} rate 1.000000e-02 : tensor<4x8xf32>, tensor<f32>
  %2 = dann.decay_weights %w, %lr rate 1.0e-02 : tensor<4x8xf32>, tensor<f32>
  // CHECK: dann.momentum %{{.*}}, %{{.*}} momentum 9.000000e-01 nesterov : tensor<4x8xf32>
  %3:2 = dann.momentum %g, %v momentum 9.0e-01 nesterov : tensor<4x8xf32>
  // CHECK: dann.momentum %{{.*}}, %{{.*}} step %{{.*}} momentum 9.000000e-01 dampening 1.000000e-01 : tensor<4x8xf32>
  %4:2 = dann.momentum %g, %v step %t momentum 9.0e-01 dampening 1.0e-01 : tensor<4x8xf32>
  // CHECK: dann.adam_direction %{{.*}}, %{{.*}}, %{{.*}} step %{{.*}} beta1 9.000000e-01 beta2 7.500000e-01 epsilon 1.000000e-08 : tensor<4x8xf32>
  %5:3 = dann.adam_direction %g, %v, %v step %t beta1 9.0e-01 beta2 7.5e-01 epsilon 1.0e-08 : tensor<4x8xf32>
  // CHECK: dann.adam_direction %{{.*}}, %{{.*}}, %{{.*}} maximum %{{.*}} step %{{.*}} beta1 9.000000e-01 beta2 7.500000e-01 epsilon 1.000000e-08 : tensor<4x8xf32>
  %7:4 = dann.adam_direction %g, %v, %v maximum %w step %t beta1 9.0e-01 beta2 7.5e-01 epsilon 1.0e-08 : tensor<4x8xf32>
  // CHECK: dann.natural_rate %{{.*}}, %{{.*}} epsilon 1.000000e-08 : tensor<f32>, tensor<4x8xf32>
  %8 = dann.natural_rate %lr, %v epsilon 1.0e-08 : tensor<f32>, tensor<4x8xf32>
  // CHECK: dann.natural_direction %{{.*}}, %{{.*}}, %{{.*}} step %{{.*}} scale 2.500000e-05 rate 2.000000e-02 epsilon 1.000000e-08 : tensor<4x8xf32>
  %6:2 = dann.natural_direction %g, %v, %v step %t scale 2.5e-05 rate 2.0e-02 epsilon 1.0e-08 : tensor<4x8xf32>
  return
}

// CHECK-LABEL: func.func @steps
func.func @steps(%g: tensor<4x8xf32>, %h: tensor<4xf32>, %w: tensor<4x8xf32>, %k: tensor<i64>, %lr: tensor<f32>) {
  // CHECK: dann.eg_update %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<f32>
  %0 = dann.eg_update %w, %g, %lr : tensor<4x8xf32>, tensor<f32>
  // CHECK: dann.mirror_update entropy %{{.*}}, %{{.*}}, %{{.*}} : tensor<4x8xf32>, tensor<f32>
  %1 = dann.mirror_update entropy %w, %g, %lr : tensor<4x8xf32>, tensor<f32>
  // CHECK: dann.mirror_update p_norm %{{.*}}, %{{.*}}, %{{.*}} p 1.500000e+00 : tensor<4x8xf32>, tensor<f32>
  %2 = dann.mirror_update p_norm %w, %g, %lr p 1.5 : tensor<4x8xf32>, tensor<f32>
  // CHECK: dann.clip_grad_norm %{{.*}}, %{{.*}} max_norm 1.000000e+00 : (tensor<4x8xf32>, tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>)
  %3:2 = dann.clip_grad_norm %g, %h max_norm 1.0 : (tensor<4x8xf32>, tensor<4xf32>) -> (tensor<4x8xf32>, tensor<4xf32>)
  // CHECK: dann.angle_learning_rate %{{.*}}, %{{.*}} weights(%{{.*}}) gradients(%{{.*}}) signs [1] minimum 1.000000e-02 count 20 epsilon 1.000000e-02 : (tensor<i64>, tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>) -> (tensor<f32>, tensor<i64>)
  %4:2 = dann.angle_learning_rate %k, %lr weights(%w) gradients(%g) signs [1] minimum 1.0e-02 count 20 epsilon 1.0e-02
    : (tensor<i64>, tensor<f32>, tensor<4x8xf32>, tensor<4x8xf32>) -> (tensor<f32>, tensor<i64>)
  return
}

// CHECK-LABEL: func.func @labels
func.func @labels(%z: tensor<?x10xf32>, %k: tensor<i64>) -> tensor<?xi64> {
  // CHECK: dann.sample_labels %{{.*}}, %{{.*}} : tensor<?x10xf32>, tensor<i64> -> tensor<?xi64>
  %y = dann.sample_labels %z, %k : tensor<?x10xf32>, tensor<i64> -> tensor<?xi64>
  return %y : tensor<?xi64>
}

// CHECK-LABEL: func.func private @optimizers
func.func private @optimizers() attributes {
  // CHECK-DAG: #dann.sgd{{[,}]}}
  dann.kernel = "none", a = #dann.sgd,
  // CHECK-DAG: #dann.sgd<momentum = 9.000000e-01, nesterov = true>
  b = #dann.sgd<momentum = 9.0e-01, nesterov = true>,
  // CHECK-DAG: #dann.adam<beta1 = 8.000000e-01, weight_decay = 1.000000e-01, decoupled = true>
  c = #dann.adam<beta1 = 8.0e-01, weight_decay = 1.0e-01, decoupled = true>,
  // CHECK-DAG: #dann.exponentiated_gradient<additive_rate = 5.000000e-01>
  d = #dann.exponentiated_gradient<additive_rate = 5.0e-01>,
  // CHECK-DAG: #dann.adam_exponentiated_gradient{{[,}]}}
  e = #dann.adam_exponentiated_gradient,
  // CHECK-DAG: #dann.adam<amsgrad = true>
  k = #dann.adam<amsgrad = true>,
  // CHECK-DAG: #dann.adam_exponentiated_gradient<amsgrad = true>
  l = #dann.adam_exponentiated_gradient<amsgrad = true>,
  // CHECK-DAG: #dann.mirror_descent<potential = p_norm, p = 1.500000e+00>
  f = #dann.mirror_descent<potential = p_norm, p = 1.5>,
  // CHECK-DAG: #dann.natural_gradient<rate = 5.000000e-01, scale_by_norm = true>
  g = #dann.natural_gradient<rate = 5.0e-01, scale_by_norm = true>,
  // CHECK-DAG: #dann.clip<max_norm = 2.000000e+00, scope = global>
  h = #dann.clip<max_norm = 2.0, scope = global>,
  // CHECK-DAG: #dann.cosine_angle<count = 20>
  i = #dann.cosine_angle<count = 20>,
  // CHECK-DAG: #dann.schedule<decay = stepwise, factor = 7.500000e-01, steps = 20>
  j = #dann.schedule<decay = stepwise, factor = 7.5e-01, steps = 20>
}
