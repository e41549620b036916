// What --dann-check-dale proves: programs that keep Dale's law pass unchanged.
// RUN: dann-opt %s -dann-check-dale | FileCheck %s

// Inputs in a nonnegative range, relu between the layers.
// CHECK-LABEL: func @relu_chain
func.func @relu_chain(%x: tensor<?x4xf32> {dann.range = array<f64: 0.0, 1.0>}, %wex: tensor<4x4xf32> {dann.sign = #dann<sign nonneg>},
                      %wix: tensor<2x4xf32> {dann.sign = #dann<sign nonneg>}, %wei: tensor<4x2xf32> {dann.sign = #dann<sign nonneg>},
                      %alpha: tensor<2xf32>, %g: tensor<4xf32> {dann.sign = #dann<sign nonneg>}, %b: tensor<4xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %0 = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%g) bias(%b)
    : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  %n = tensor.dim %0, %c0 : tensor<?x4xf32>
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%0 : tensor<?x4xf32>) outs(%empty : tensor<?x4xf32>) {
  ^bb0(%in: f32, %out: f32):
    %relu = arith.maximumf %in, %zero : f32
    linalg.yield %relu : f32
  } -> tensor<?x4xf32>
  // CHECK-COUNT-2: dann.ei_dense
  %2 = dann.ei_dense %1 excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %2 : tensor<?x4xf32>
}

// An update that is projected, on either side.
// CHECK-LABEL: func @projected
func.func @projected(%w: tensor<4xf32> {dann.sign = #dann<sign nonneg>}, %g: tensor<4xf32>, %rate: tensor<f32>)
    -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}, tensor<4xf32> {dann.sign = #dann<sign nonpos>}, tensor<4xf32> {dann.sign = #dann<sign any>}) {
  %0 = dann.sgd_update %w, %g, %rate : tensor<4xf32>, tensor<f32>
  %1 = dann.project nonneg %0 : tensor<4xf32>
  %2 = dann.project nonpos %0 : tensor<4xf32>
  return %1, %2, %0 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// A step against gradients of the other sign needs no projection.
// CHECK-LABEL: func @monotone
func.func @monotone(%w: tensor<4xf32> {dann.sign = #dann<sign nonneg>}, %g: tensor<4xf32> {dann.sign = #dann<sign nonpos>},
                    %rate: tensor<f32> {dann.sign = #dann<sign nonneg>}) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  %0 = dann.sgd_update %w, %g, %rate : tensor<4xf32>, tensor<f32>
  return %0 : tensor<4xf32>
}

// Initial values: exponential draws, fills, and the mean of nonnegative rows:
// a sum from zero, divided by a positive constant.
// CHECK-LABEL: func @init
func.func @init(%seed: tensor<i64>) -> (tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}, tensor<8xf32> {dann.sign = #dann<sign nonneg>},
                                        tensor<4x2xf32> {dann.sign = #dann<sign nonneg>}) {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant 0.5 : f32
  %four = arith.constant 4.0 : f32
  %wex = dann.random exponential scale 0.1 stream 0 seed %seed : tensor<i64> -> tensor<4x8xf32>
  %e0 = tensor.empty() : tensor<8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e0 : tensor<8xf32>) -> tensor<8xf32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>], iterator_types = ["reduction", "parallel"]}
      ins(%wex : tensor<4x8xf32>) outs(%zeros : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  %mean = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
      ins(%sum : tensor<8xf32>) outs(%e0 : tensor<8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.divf %in, %four : f32
    linalg.yield %0 : f32
  } -> tensor<8xf32>
  %e1 = tensor.empty() : tensor<4x2xf32>
  %wei = linalg.fill ins(%half : f32) outs(%e1 : tensor<4x2xf32>) -> tensor<4x2xf32>
  return %wex, %mean, %wei : tensor<4x8xf32>, tensor<8xf32>, tensor<4x2xf32>
}

// Signs through arithmetic on scalars, as contracts on what it returns.
// CHECK-LABEL: func @arithmetic
func.func @arithmetic(%p: f32 {dann.sign = #dann<sign nonneg>}, %n: f32 {dann.sign = #dann<sign nonpos>}, %a: f32, %c: i1)
    -> (f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign nonpos>},
        f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign nonpos>},
        f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign nonneg>}, f32 {dann.sign = #dann<sign zero>}, f32 {dann.sign = #dann<sign nonneg>}) {
  %difference = arith.subf %p, %n : f32
  %negated = arith.negf %n : f32
  %product = arith.mulf %p, %n : f32
  %square = arith.mulf %a, %a : f32
  %exp = math.exp %a : f32
  %minimum = arith.minimumf %n, %a : f32
  %abs = math.absf %a : f32
  %select = arith.select %c, %p, %abs : f32
  %zero = arith.constant 0.0 : f32
  %clamped = arith.maximumf %n, %zero : f32
  %quotient = arith.divf %p, %exp : f32
  return %difference, %negated, %product, %square, %exp, %minimum, %abs, %select, %clamped, %quotient
    : f32, f32, f32, f32, f32, f32, f32, f32, f32, f32
}

// Through calls of private functions.
// CHECK-LABEL: func private @callee
func.func private @callee(%x: tensor<4xf32>) -> tensor<4xf32> {
  return %x : tensor<4xf32>
}
// CHECK-LABEL: func @caller
func.func @caller(%x: tensor<4xf32> {dann.sign = #dann<sign nonneg>}) -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  %0 = call @callee(%x) : (tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// Magnitudes of one polarity have its sign; dropout and random numbers of one
// sign keep theirs.
// CHECK-LABEL: func @polarities
func.func @polarities(%m: tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}, %seed: tensor<i64>)
    -> (tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}, tensor<4x8xf32> {dann.sign = #dann<sign nonpos>},
        tensor<4x8xf32> {dann.sign = #dann<sign nonpos>}, tensor<4x8xf32> {dann.sign = #dann<sign nonneg>}) {
  %excitatory = dann.apply_polarity %m excitatory 8 : tensor<4x8xf32>
  %inhibitory = dann.apply_polarity %m excitatory 0 : tensor<4x8xf32>
  %signs = arith.constant dense<-1.0> : tensor<8xf32>
  %constant = dann.apply_polarity %m by %signs : tensor<4x8xf32>, tensor<8xf32>
  %dropped = dann.dropout %m rate 0.5 : tensor<4x8xf32>
  return %excitatory, %inhibitory, %constant, %dropped : tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>, tensor<4x8xf32>
}

// CHECK-LABEL: func @draws
func.func @draws(%seed: tensor<i64>)
    -> (tensor<4xf32> {dann.sign = #dann<sign nonneg>}, tensor<4xf32> {dann.sign = #dann<sign nonpos>},
        tensor<4xf32> {dann.sign = #dann<sign nonneg>}, tensor<4xf32> {dann.sign = #dann<sign nonneg>}) {
  %above = dann.random uniform mean 0.5 scale 0.5 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  %below = dann.random uniform mean -0.5 scale 0.25 stream 1 seed %seed : tensor<i64> -> tensor<4xf32>
  %lognormal = dann.random lognormal mean 0.5 scale 0.5 stream 2 seed %seed : tensor<i64> -> tensor<4xf32>
  %bernoulli = dann.random bernoulli mean 0.5 scale 1.0 stream 3 seed %seed : tensor<i64> -> tensor<4xf32>
  return %above, %below, %lognormal, %bernoulli : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// A maximum over windows of nonnegative images: -inf around them is in no window
// alone. Strides and dilations leave no window without a pixel.
// CHECK-LABEL: func @padded_maximum
func.func @padded_maximum(%x: tensor<?x2x5x4xf32> {dann.range = array<f64: 0.0, 1.0>}, %init: tensor<?x2x3x3xf32>)
    -> (tensor<?x2x3x3xf32> {dann.sign = #dann<sign nonneg>}) {
  %least = arith.constant 0xFF800000 : f32
  %padded = tensor.pad %x low[0, 0, 1, 1] high[0, 0, 1, 1] {
  ^bb0(%b: index, %c: index, %h: index, %w: index):
    tensor.yield %least : f32
  } : tensor<?x2x5x4xf32> to tensor<?x2x7x6xf32>
  %starts = linalg.fill ins(%least : f32) outs(%init : tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %window = tensor.empty() : tensor<2x2xf32>
  %0 = linalg.pooling_nchw_max {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<[1, 3]> : tensor<2xi64>}
      ins(%padded, %window : tensor<?x2x7x6xf32>, tensor<2x2xf32>) outs(%starts : tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  return %0 : tensor<?x2x3x3xf32>
}
