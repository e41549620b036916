// Every constraint of dann.ei_conv2d is enforced, with the whole text of the
// error.
// RUN: dann-opt %s -split-input-file -verify-diagnostics

// Constraint 1: the shapes.
func.func @channels(%x: tensor<?x3x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op x must be [?, 2, 8, 8], but is 'tensor<?x3x8x8xf32>'}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x3x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

func.func @filters(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x2xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op wix must be [1, 2, 3, 3], but is 'tensor<1x2x3x2xf32>'}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x2xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

func.func @result(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op z must be [?, 4, 3, 6], but is 'tensor<?x4x6x6xf32>'}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) {strides = array<i64: 2, 1>}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

func.func @window(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x1x1xf32> {
  // expected-error @below {{'dann.ei_conv2d' op a filter spans 11 columns, but the padded x has 10}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) {dilations = array<i64: 1, 5>, padding = array<i64: 0, 1, 0, 1>}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x1x1xf32>
  return %z : tensor<?x4x1x1xf32>
}

// -----

// Constraint 2: one element type.
func.func @types(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf64>, %wix: tensor<1x2x3x3xf64>, %wei: tensor<4x1xf64>) -> tensor<?x4x6x6xf64> {
  // expected-error @below {{'dann.ei_conv2d' op element types differ: 'f64' and 'f32'}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf64>, tensor<1x2x3x3xf64>, tensor<4x1xf64>) -> tensor<?x4x6x6xf64>
  return %z : tensor<?x4x6x6xf64>
}

// -----

// Constraint 3: static sizes.
func.func @sizes(%x: tensor<?x2x?x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op the number of rows of x must be static and at least 1}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x2x?x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

// Constraint 4: the numbers of a window.
func.func @strides(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op strides must be 2 numbers from 1 to 1073741824, but is [1, 0]}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) {strides = array<i64: 1, 0>}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

func.func @padding(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op padding must be 4 numbers from 0 to 1073741824, but is [1, 1]}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) {padding = array<i64: 1, 1>}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

// Constraint 5: gain needs alpha.
func.func @gain(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>, %g: tensor<4xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op gain needs alpha}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) gain(%g)
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>, tensor<4xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

// Constraint 6: epsilon.
func.func @epsilon(%x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) -> tensor<?x4x6x6xf32> {
  // expected-error @below {{'dann.ei_conv2d' op epsilon must be finite and not negative}}
  %z = dann.ei_conv2d %x excitatory(%wex) inhibitory(%wix, %wei) {epsilon = -1.0}
    : (tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>) -> tensor<?x4x6x6xf32>
  return %z : tensor<?x4x6x6xf32>
}

// -----

// The results of the gradient are those of its operands.
func.func @gradients(%dz: tensor<?x4x6x6xf32>, %x: tensor<?x2x8x8xf32>, %wex: tensor<4x2x3x3xf32>, %wix: tensor<1x2x3x3xf32>, %wei: tensor<4x1xf32>) {
  // expected-error @below {{'dann.ei_conv2d_grad' op must have 4 results, of the types of the operands that they are gradients of}}
  %0:3 = dann.ei_conv2d_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x4x6x6xf32>, tensor<?x2x8x8xf32>, tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>)
    -> (tensor<4x2x3x3xf32>, tensor<1x2x3x3xf32>, tensor<4x1xf32>)
  return
}
