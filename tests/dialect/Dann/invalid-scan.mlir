// RUN: dann-opt %s -split-input-file -verify-diagnostics

func.func @no_sequence(%h: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{'dann.scan' op must have a sequence, which says how many steps it has}}
  %r = dann.scan initial(%h) over() with() {
  ^bb0(%c: tensor<2xf32>):
    dann.yield carries(%c : tensor<2xf32>) outputs()
  } : (tensor<2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @dynamic_steps(%h: tensor<2xf32>, %xs: tensor<?x2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{sequence 0 must have a static leading size of at least 1, but is 'tensor<?x2xf32>'}}
  %r = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<2xf32>, %x: tensor<2xf32>):
    dann.yield carries(%c : tensor<2xf32>) outputs()
  } : (tensor<2xf32>, tensor<?x2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @different_steps(%h: tensor<2xf32>, %xs: tensor<3x2xf32>, %ys: tensor<4x2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{sequence 1 has 4 steps, but sequence 0 has 3}}
  %r = dann.scan initial(%h) over(%xs, %ys) with() {
  ^bb0(%c: tensor<2xf32>, %x: tensor<2xf32>, %y: tensor<2xf32>):
    dann.yield carries(%c : tensor<2xf32>) outputs()
  } : (tensor<2xf32>, tensor<3x2xf32>, tensor<4x2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @body_arguments(%h: tensor<2xf32>, %xs: tensor<3x2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{the body must have 2 arguments, but has 1}}
  %r = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<2xf32>):
    dann.yield carries(%c : tensor<2xf32>) outputs()
  } : (tensor<2xf32>, tensor<3x2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @slice_type(%h: tensor<2xf32>, %xs: tensor<3x2xf32>) -> tensor<2xf32> {
  // expected-error @+1 {{argument 1 of the body must be a 'tensor<2xf32>', but is a 'tensor<3x2xf32>'}}
  %r = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<2xf32>, %x: tensor<3x2xf32>):
    dann.yield carries(%c : tensor<2xf32>) outputs()
  } : (tensor<2xf32>, tensor<3x2xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @carry_type(%h: tensor<2xf32>, %xs: tensor<3x4xf32>) -> tensor<2xf32> {
  %r = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<2xf32>, %x: tensor<4xf32>):
    // expected-error @+1 {{carries must be of the types of the initial carries}}
    dann.yield carries(%x : tensor<4xf32>) outputs()
  } : (tensor<2xf32>, tensor<3x4xf32>) -> tensor<2xf32>
  return %r : tensor<2xf32>
}

// -----

func.func @output_type(%h: tensor<2xf32>, %xs: tensor<3x2xf32>) -> tensor<4x2xf32> {
  // expected-error @+1 {{result 1 must be a 'tensor<3x2xf32>', but is a 'tensor<4x2xf32>'}}
  %r:2 = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<2xf32>, %x: tensor<2xf32>):
    dann.yield carries(%x : tensor<2xf32>) outputs(%c : tensor<2xf32>)
  } : (tensor<2xf32>, tensor<3x2xf32>) -> (tensor<2xf32>, tensor<4x2xf32>)
  return %r#1 : tensor<4x2xf32>
}

// -----

func.func @fold_shapes(%wex: tensor<4x8xf32>, %wix: tensor<2x7xf32>, %wei: tensor<4x2xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{wix must be [2, 8], but is 'tensor<2x7xf32>'}}
  %w = dann.fold_inhibition %wex, %wix, %wei
     : tensor<4x8xf32>, tensor<2x7xf32>, tensor<4x2xf32>
  return %w : tensor<4x8xf32>
}

// -----

func.func @folded_shapes(%x: tensor<?x7xf32>, %w: tensor<4x8xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{x must be [?, 8], but is 'tensor<?x7xf32>'}}
  %z = dann.ei_dense_folded %x, %w
     : (tensor<?x7xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}
