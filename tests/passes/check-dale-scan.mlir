// RUN: dann-opt %s -dann-check-dale -split-input-file -verify-diagnostics

// The state is nonnegative at the start and after every step.
func.func @keeps(%h: tensor<?x4xf32> {dann.sign = #dann<sign nonneg>},
                 %xs: tensor<5x?x4xf32> {dann.range = array<f64: 0.0, 1.0>},
                 %w: tensor<4x4xf32>) -> tensor<?x4xf32> {
  %r = dann.scan initial(%h) over(%xs) with(%w) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %v: tensor<4x4xf32>):
    %z = dann.ei_dense_folded %c, %v
       : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %y = dann.ei_dense_folded %x, %v
       : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %sum = arith.addf %z, %y : tensor<?x4xf32>
    %squares = arith.mulf %sum, %sum : tensor<?x4xf32>
    dann.yield carries(%squares : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

// It is not after the first step.
func.func @breaks(%h: tensor<?x4xf32> {dann.sign = #dann<sign nonneg>},
                  %xs: tensor<5x?x4xf32>, %w: tensor<4x4xf32>)
    -> tensor<?x4xf32> {
  %r = dann.scan initial(%h) over(%xs) with(%w) {
  // expected-note @+1 {{it is an argument without a contract that says so}}
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %v: tensor<4x4xf32>):
    // expected-error @+1 {{breaks Dale's law: its input must be nonneg, but may be any}}
    %z = dann.ei_dense_folded %c, %v
       : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    dann.yield carries(%z : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

func.func @fold(%wex: tensor<4x8xf32>, %wix: tensor<2x8xf32> {dann.sign = #dann<sign nonneg>},
                %wei: tensor<4x2xf32> {dann.sign = #dann<sign nonneg>}) -> tensor<4x8xf32> {
  // expected-error @+2 {{breaks Dale's law: its wex must be nonneg, but may be any}}
  // expected-note @-3 {{it is an argument without a contract that says so}}
  %w = dann.fold_inhibition %wex, %wix, %wei
     : tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>
  return %w : tensor<4x8xf32>
}
