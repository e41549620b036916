// What --convert-dann-to-linalg cannot lower.
// RUN: dann-opt %s -verify-diagnostics -convert-dann-to-linalg

func.func private @identity(%x: tensor<f32>) -> tensor<f32> {
  return %x : tensor<f32>
}
func.func @gradient(%x: tensor<f32>) -> tensor<f32> {
  // expected-error @below {{'dann.value_and_grad' op must be expanded by dann-autodiff before it is lowered}}
  %0:2 = dann.value_and_grad @identity(%x) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#1 : tensor<f32>
}
