// A function cannot hold its own derivative, which would expand for ever.
// RUN: timeout 5 dann-opt %s -verify-diagnostics -dann-autodiff

func.func @recursive(%x: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  // expected-error @below {{cannot differentiate 'recursive' inside of itself}}
  %0:2 = dann.value_and_grad @recursive(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %x : tensor<f32>
}
