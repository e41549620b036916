// What the verifiers of optimizers and their operations refuse.
// RUN: dann-opt %s -split-input-file -verify-diagnostics

func.func @dampening(%g: tensor<4xf32>, %v: tensor<4xf32>) {
  // expected-error@below {{dampening needs step}}
  %0:2 = dann.momentum %g, %v momentum 9.0e-01 dampening 1.0e-01 : tensor<4xf32>
  return
}

// -----

func.func @rate(%w: tensor<4xf32>, %lr: tensor<f64>) {
  // expected-error@below {{learning_rate and parameter must have one element type}}
  %0 = dann.eg_update %w, %w, %lr : tensor<4xf32>, tensor<f64>
  return
}

// -----

func.func @natural_rate(%f: tensor<4xf32>, %lr: tensor<f64>) {
  // expected-error@below {{element types differ: 'f64' and 'f32'}}
  %0 = dann.natural_rate %lr, %f epsilon 0.0 : tensor<f64>, tensor<4xf32>
  return
}

// -----

func.func @p(%w: tensor<4xf32>, %lr: tensor<f32>) {
  // expected-error@below {{p must be finite and greater than 1}}
  %0 = dann.mirror_update p_norm %w, %w, %lr p 1.0 : tensor<4xf32>, tensor<f32>
  return
}

// -----

func.func @clip(%g: tensor<4xf32>) {
  // expected-error@below {{max_norm must be finite and positive}}
  %0 = dann.clip_grad_norm %g max_norm 0.0 : (tensor<4xf32>) -> tensor<4xf32>
  return
}

// -----

func.func @clip(%g: tensor<4xf32>, %h: tensor<4xf64>) {
  // expected-error@below {{must have gradients, of one element type}}
  %0:2 = dann.clip_grad_norm %g, %h max_norm 1.0 : (tensor<4xf32>, tensor<4xf64>) -> (tensor<4xf32>, tensor<4xf64>)
  return
}

// -----

func.func @angle(%w: tensor<4xf32>, %lr: tensor<f32>, %k: tensor<i64>) {
  // expected-error@below {{must have gradients and signs for all weights}}
  %0:2 = dann.angle_learning_rate %k, %lr weights(%w) gradients(%w) signs [1, 1] minimum 1.0e-02 count 20 epsilon 1.0e-02
    : (tensor<i64>, tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<i64>)
  return
}

// -----

func.func @angle(%w: tensor<4xf32>, %lr: tensor<f32>, %k: tensor<i64>) {
  // expected-error@below {{count must be at least 2}}
  %0:2 = dann.angle_learning_rate %k, %lr weights(%w) gradients(%w) signs [1] minimum 1.0e-02 count 1 epsilon 1.0e-02
    : (tensor<i64>, tensor<f32>, tensor<4xf32>, tensor<4xf32>) -> (tensor<f32>, tensor<i64>)
  return
}

// -----

// expected-error@below {{momentum must be from 0 to less than 1, but is 1.000000}}
func.func private @f() attributes {a = #dann.sgd<momentum = 1.0>}

// -----

// expected-error@below {{nesterov needs momentum}}
func.func private @f() attributes {a = #dann.sgd<nesterov = true>}

// -----

// expected-error@below {{epsilon must be finite and at least 0, but is -1.000000}}
func.func private @f() attributes {a = #dann.adam<epsilon = -1.0>}

// -----

// expected-error@below {{factor must be above 0 and at most 1, but is 2.000000}}
func.func private @f() attributes {a = #dann.schedule<decay = stepwise, factor = 2.0>}

// -----

// expected-error@below {{count must be from 2 to 1000, but is 1}}
func.func private @f() attributes {a = #dann.cosine_angle<count = 1>}

// -----

// Generic: in the short form all types are the gradient's.
func.func private @f(%g: tensor<3xf32>, %t: tensor<i64>) {
  // expected-error@below {{'dann.adam_direction' op must have a new maximum if, and only if, it has a maximum}}
  %0:3 = "dann.adam_direction"(%g, %g, %g, %g, %t) <{beta1 = 0.9, beta2 = 0.99, epsilon = 1.0e-8}>
    : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<i64>)
   -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}

// -----

// Generic: in the short form all types are the gradient's.
func.func private @f(%g: tensor<3xf32>, %m: tensor<4xf32>, %t: tensor<i64>) {
  // expected-error@below {{'dann.adam_direction' op a maximum must be 'tensor<3xf32>', as the gradient is, but is 'tensor<4xf32>'}}
  %0:4 = "dann.adam_direction"(%g, %g, %g, %m, %t) <{beta1 = 0.9, beta2 = 0.99, epsilon = 1.0e-8}>
    : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<4xf32>, tensor<i64>)
   -> (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>, tensor<3xf32>)
  return
}
