// What --dann-check-dale refuses, at the operation that breaks Dale's law.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-check-dale

// expected-note @below {{it is an argument without a contract that says so}}
func.func @signed_input(%x: tensor<?x4xf32> {dann.range = array<f64: -1.0, 1.0>}, %w: tensor<4x4xf32> {dann.sign = #dann<sign nonneg>}) -> tensor<?x4xf32> {
  // expected-error @below {{'dann.ei_dense' op breaks Dale's law: its input must be nonneg, but may be any}}
  %0 = dann.ei_dense %x excitatory(%w) inhibitory(%w, %w) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// A nonpositive input is no better.
// expected-note @below {{it is an argument without a contract that says so}}
func.func @negative_input(%x: tensor<?x4xf32> {dann.range = array<f64: -1.0, 0.0>}, %w: tensor<4x4xf32> {dann.sign = #dann<sign nonneg>}) -> tensor<?x4xf32> {
  // expected-error @below {{'dann.ei_dense' op breaks Dale's law: its input must be nonneg, but may be nonpos}}
  %0 = dann.ei_dense %x excitatory(%w) inhibitory(%w, %w) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// Every operand that breaks the law is named. Of alpha and bias none is asked.
func.func @signed_weights(%x: tensor<?x4xf32> {dann.sign = #dann<sign nonneg>}, %w: tensor<4x4xf32> {dann.sign = #dann<sign nonneg>},
                          // expected-note @below {{it is an argument without a contract that says so}}
                          %wei: tensor<4x4xf32>,
                          // expected-note @below {{it is an argument without a contract that says so}}
                          %free: tensor<4xf32> {dann.sign = #dann<sign nonpos>}) -> tensor<?x4xf32> {
  // expected-error @below {{'dann.ei_dense' op breaks Dale's law: its wei must be nonneg, but may be any}}
  // expected-error @below {{'dann.ei_dense' op breaks Dale's law: its g must be nonneg, but may be nonpos}}
  %0 = dann.ei_dense %x excitatory(%w) inhibitory(%w, %wei) divisive(%free) gain(%free) bias(%free)
    : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// No relu between the layers.
func.func @no_relu(%x: tensor<?x4xf32> {dann.sign = #dann<sign nonneg>}, %w: tensor<4x4xf32> {dann.sign = #dann<sign nonneg>}) -> tensor<?x4xf32> {
  // expected-note @below {{it is the result of 'dann.ei_dense'}}
  %0 = dann.ei_dense %x excitatory(%w) inhibitory(%w, %w) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  // expected-error @below {{'dann.ei_dense' op breaks Dale's law: its input must be nonneg, but may be any}}
  %1 = dann.ei_dense %0 excitatory(%w) inhibitory(%w, %w) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// -----

// An update without projection; the result is called by its name.
func.func @unprojected(%w: tensor<4xf32> {dann.sign = #dann<sign nonneg>}, %g: tensor<4xf32>, %rate: tensor<f32>)
    -> (tensor<4xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.sgd_update' op breaks Dale's law: result "0.wex" of 'unprojected' must be nonneg, but may be any}}
  %0 = dann.sgd_update %w, %g, %rate : tensor<4xf32>, tensor<f32>
  return %0 : tensor<4xf32>
}

// -----

// Projected on the wrong side; without a name, by its number.
func.func @wrong_side(%w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.project' op breaks Dale's law: result #1 of 'wrong_side' must be nonneg, but may be nonpos}}
  %0 = dann.project nonpos %w : tensor<4xf32>
  return %w, %0 : tensor<4xf32>, tensor<4xf32>
}

// -----

// An argument that is returned as it came.
func.func @returned(%w: tensor<4xf32>) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'func.return' op breaks Dale's law: result #0 of 'returned' must be nonneg, but may be any}}
  return %w : tensor<4xf32>
}

// -----

// A draw from a normal distribution.
func.func @normal(%seed: tensor<i64>) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.random' op breaks Dale's law: result #0 of 'normal' must be nonneg, but may be any}}
  %0 = dann.random normal scale 0.1 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A sum that starts at a negative value may stay there.
func.func @reduction(%x: tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}, %init: tensor<8xf32> {dann.sign = #dann<sign nonpos>})
    -> (tensor<8xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'linalg.generic' op breaks Dale's law: result #0 of 'reduction' must be nonneg, but may be any}}
  %0 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]}
      ins(%x : tensor<4x8xf32>) outs(%init : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %1 = arith.addf %out, %in : f32
    linalg.yield %1 : f32
  } -> tensor<8xf32>
  return %0 : tensor<8xf32>
}

// -----

// x / 0 is infinite, not zero.
func.func @division_by_zero(%x: f32 {dann.sign = #dann<sign nonneg>}) -> (f32 {dann.sign = #dann<sign nonpos>}) {
  %zero = arith.constant 0.0 : f32
  // expected-error @below {{'arith.divf' op breaks Dale's law: result #0 of 'division_by_zero' must be nonpos, but may be any}}
  %0 = arith.divf %x, %zero : f32
  return %0 : f32
}

// -----

// maxnum(NaN, -1) is -1: one nonnegative operand, which may be NaN, is not enough.
func.func @maxnum(%x: f32 {dann.sign = #dann<sign nonneg>}, %y: f32) -> (f32 {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'arith.maxnumf' op breaks Dale's law: result #0 of 'maxnum' must be nonneg, but may be any}}
  %0 = arith.maxnumf %x, %y : f32
  return %0 : f32
}

// -----

// A private function is judged by its callers, not by its own contracts.
func.func private @callee(%x: tensor<4xf32> {dann.sign = #dann<sign nonneg>}) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @caller(%x: tensor<4xf32>) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'func.call' op breaks Dale's law: result #0 of 'caller' must be nonneg, but may be any}}
  %0 = call @callee(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// A call inside the program must keep the contract that a public function
// assumes of its argument.
func.func @callee(%x: tensor<4xf32> {dann.name = "x", dann.sign = #dann<sign nonneg>}) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
func.func @caller(%x: tensor<4xf32>) -> tensor<4xf32> {
  // expected-error @below {{'func.call' op breaks Dale's law: argument "x" of 'callee' must be nonneg, but may be any}}
  %0 = call @callee(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// -----

// Columns of both polarities, polarities that are not known, and a uniform
// distribution around 0.
func.func @both(%m: tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}) -> (tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.apply_polarity' op breaks Dale's law: result #0 of 'both' must be nonneg, but may be any}}
  %w = dann.apply_polarity %m excitatory 7 : tensor<4x8xf32>
  return %w : tensor<4x8xf32>
}
func.func @unknown(%m: tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}, %p: tensor<8xf32>) -> (tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.apply_polarity' op breaks Dale's law: result #0 of 'unknown' must be nonneg, but may be any}}
  %w = dann.apply_polarity %m by %p : tensor<4x8xf32>, tensor<8xf32>
  return %w : tensor<4x8xf32>
}
func.func @uniform(%seed: tensor<i64>) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  // expected-error @below {{'dann.random' op breaks Dale's law: result #0 of 'uniform' must be nonneg, but may be any}}
  %w = dann.random uniform mean 0.5 scale 0.75 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return %w : tensor<4xf32>
}

// -----

// The last window of rows has nothing but the padding, ...
func.func @outside(%x: tensor<?x2x5x4xf32> {dann.range = array<f64: 0.0, 1.0>}, %init: tensor<?x2x4x5xf32>)
    -> (tensor<?x2x4x5xf32> {dann.sign = #dann<sign nonneg>}) {
  %least = arith.constant 0xFF800000 : f32
  %padded = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 2, 1] {
  ^bb0(%b: index, %c: index, %h: index, %w: index):
    tensor.yield %least : f32
  } : tensor<?x2x5x4xf32> to tensor<?x2x8x6xf32>
  %starts = linalg.fill ins(%least : f32) outs(%init : tensor<?x2x4x5xf32>) -> tensor<?x2x4x5xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  // expected-error @below {{result #0 of 'outside' must be nonneg, but may be any}}
  %0 = linalg.pooling_nchw_max {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%padded, %window : tensor<?x2x8x6xf32>, tensor<2x2xf32>) outs(%starts : tensor<?x2x4x5xf32>) -> tensor<?x2x4x5xf32>
  return %0 : tensor<?x2x4x5xf32>
}

// -----

// ... and between the taps of another one lie all columns.
func.func @dilated(%x: tensor<?x2x5x4xf32> {dann.range = array<f64: 0.0, 1.0>}, %init: tensor<?x2x4x1xf32>)
    -> (tensor<?x2x4x1xf32> {dann.sign = #dann<sign nonneg>}) {
  %least = arith.constant 0xFF800000 : f32
  %padded = tensor.pad %x low[0, 0, 0, 1] high[0, 0, 0, 1] {
  ^bb0(%b: index, %c: index, %h: index, %w: index):
    tensor.yield %least : f32
  } : tensor<?x2x5x4xf32> to tensor<?x2x5x6xf32>
  %starts = linalg.fill ins(%least : f32) outs(%init : tensor<?x2x4x1xf32>) -> tensor<?x2x4x1xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  // expected-error @below {{result #0 of 'dilated' must be nonneg, but may be any}}
  %0 = linalg.pooling_nchw_max {strides = dense<1> : tensor<2xi64>, dilations = dense<[1, 5]> : tensor<2xi64>}
      ins(%padded, %window : tensor<?x2x5x6xf32>, tensor<2x2xf32>) outs(%starts : tensor<?x2x4x1xf32>) -> tensor<?x2x4x1xf32>
  return %0 : tensor<?x2x4x1xf32>
}
