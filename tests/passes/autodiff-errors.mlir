// What --dann-autodiff cannot differentiate: one diagnostic lists all of it.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-autodiff

func.func private @obstacles(%x: tensor<4xf32>, %y: tensor<f32>) -> tensor<f32> {
  // Has no rule, but no part in the derivative either.
  %0 = math.erf %y : tensor<f32>
  // expected-note @below {{'math.sin' has no derivative}}
  %1 = math.sin %x : tensor<4xf32>
  %c0 = arith.constant 0 : index
  // expected-note @below {{'tensor.extract' has no derivative}}
  %2 = tensor.extract %1[%c0] : tensor<4xf32>
  // expected-note @below {{'tensor.from_elements' has no derivative}}
  %3 = tensor.from_elements %2 : tensor<f32>
  // expected-note @below {{'func.call' has no derivative}}
  %4 = call @callee(%3, %0) : (tensor<f32>, tensor<f32>) -> tensor<f32>
  return %4 : tensor<f32>
}
func.func private @callee(%x: tensor<f32>, %y: tensor<f32>) -> tensor<f32>
func.func @grad(%x: tensor<4xf32>, %y: tensor<f32>) -> tensor<4xf32> {
  // expected-error @below {{cannot differentiate 'obstacles': 4 operations have no derivative}}
  %0:2 = dann.value_and_grad @obstacles(%x, %y) wrt [0] : (tensor<4xf32>, tensor<f32>) -> (tensor<f32>, tensor<4xf32>)
  return %0#1 : tensor<4xf32>
}

// -----

// A reduction other than a sum.
func.func private @maximum(%x: tensor<4xf32>, %init: tensor<f32>) -> tensor<f32> {
  // expected-note @below {{'linalg.generic' has no derivative}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>], iterator_types = ["reduction"]} ins(%x : tensor<4xf32>) outs(%init : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.maximumf %out, %in : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
func.func @grad(%x: tensor<4xf32>, %init: tensor<f32>) -> tensor<4xf32> {
  // expected-error @below {{cannot differentiate 'maximum': 1 operation has no derivative}}
  %0:2 = dann.value_and_grad @maximum(%x, %init) wrt [0] : (tensor<4xf32>, tensor<f32>) -> (tensor<f32>, tensor<4xf32>)
  return %0#1 : tensor<4xf32>
}

// -----

// A body that holds an operation without a rule.
func.func private @body(%x: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  // expected-note @below {{'linalg.generic' has no derivative}}
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%x : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = math.tan %in : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
func.func @grad(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'body': 1 operation has no derivative}}
  %0:2 = dann.value_and_grad @body(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}

// -----

// A value that a body takes from outside is a dependence like any other: its
// derivative is not silently zero.
func.func private @captured(%x: tensor<f32>) -> tensor<f32> {
  // expected-note @below {{'tensor.extract' has no derivative}}
  %s = tensor.extract %x[] : tensor<f32>
  %e = tensor.empty() : tensor<f32>
  // expected-note @below {{'linalg.generic' has no derivative}}
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%e : tensor<f32>) {
  ^bb0(%out: f32):
    %1 = arith.mulf %s, %s : f32
    linalg.yield %1 : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
func.func @grad(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'captured': 2 operations have no derivative}}
  %0:2 = dann.value_and_grad @captured(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}

// -----

func.func private @choose(%x: tensor<f32>) -> tensor<f32> {
  %true = arith.constant true
  // expected-note @below {{'scf.if' has no derivative}}
  %0 = scf.if %true -> tensor<f32> {
    scf.yield %x : tensor<f32>
  } else {
    %1 = math.exp %x : tensor<f32>
    scf.yield %1 : tensor<f32>
  }
  return %0 : tensor<f32>
}
func.func @grad(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'choose': 1 operation has no derivative}}
  %0:2 = dann.value_and_grad @choose(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}

// -----

func.func private @declared(tensor<f32>) -> tensor<f32>
func.func @grad(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'declared': its body must be one block}}
  %0:2 = dann.value_and_grad @declared(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}

// -----

// Neither can two functions hold each other's.
func.func @ping(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'pong' inside of itself}}
  %0:2 = dann.value_and_grad @pong(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}
func.func @pong(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{cannot differentiate 'ping' inside of itself}}
  %0:2 = dann.value_and_grad @ping(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}
