// Every constraint of the dann dialect is enforced, with the whole text of the error.
// Longer than other files: a case is a few lines that depend on nothing else.
// RUN: dann-opt %s -split-input-file -verify-diagnostics

// Constraint 1: the shapes of dann.ei_dense.
func.func @wix_inputs(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x7xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op wix must be [2, 8], but is 'tensor<2x7xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x7xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @x_inputs(%x: tensor<?x7xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op x must be [?, 8], but is 'tensor<?x7xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x7xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @wei_inhibitory(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x3xf32>) {
  // expected-error @below {{'dann.ei_dense' op wei must be [4, 2], but is 'tensor<4x3xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x3xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @wei_transposed(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<2x4xf32>) {
  // expected-error @below {{'dann.ei_dense' op wei must be [4, 2], but is 'tensor<2x4xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<2x4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @alpha_size(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<4xf32>) {
  // expected-error @below {{'dann.ei_dense' op alpha must be [2], but is 'tensor<4xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @gain_size(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>, %gain: tensor<2xf32>) {
  // expected-error @below {{'dann.ei_dense' op gain must be [4], but is 'tensor<2xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha) gain(%gain)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @bias_size(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %bias: tensor<2xf32>) {
  // expected-error @below {{'dann.ei_dense' op bias must be [4], but is 'tensor<2xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) bias(%bias)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @z_units(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op z must be [?, 4], but is 'tensor<?x2xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x2xf32>
  return
}

// -----

func.func @z_batch(%x: tensor<3x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op z must be [3, 4], but is 'tensor<5x4xf32>'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<3x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<5x4xf32>
  return
}

// -----

// Constraint 2: one element type.
func.func @type_of_operand(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf64>) {
  // expected-error @below {{'dann.ei_dense' op element types differ: 'f32' and 'f64'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf64>) -> tensor<?x4xf32>
  return
}

// -----

func.func @type_of_result(%x: tensor<?x8xf64>, %wex: tensor<4x8xf64>, %wix: tensor<2x8xf64>, %wei: tensor<4x2xf64>) {
  // expected-error @below {{'dann.ei_dense' op element types differ: 'f64' and 'f32'}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf64>, tensor<4x8xf64>, tensor<2x8xf64>, tensor<4x2xf64>) -> tensor<?x4xf32>
  return
}

// -----

// Constraint 3: d, ne and ni are static and at least 1.
func.func @dynamic_inputs(%x: tensor<?x?xf32>, %wex: tensor<4x?xf32>, %wix: tensor<2x?xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of inputs must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x?xf32>, tensor<4x?xf32>, tensor<2x?xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @no_inputs(%x: tensor<?x0xf32>, %wex: tensor<4x0xf32>, %wix: tensor<2x0xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of inputs must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x0xf32>, tensor<4x0xf32>, tensor<2x0xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @dynamic_excitatory(%x: tensor<?x8xf32>, %wex: tensor<?x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<?x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of excitatory units must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<?x8xf32>, tensor<2x8xf32>, tensor<?x2xf32>) -> tensor<?x?xf32>
  return
}

// -----

func.func @no_excitatory(%x: tensor<?x8xf32>, %wex: tensor<0x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<0x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of excitatory units must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<0x8xf32>, tensor<2x8xf32>, tensor<0x2xf32>) -> tensor<?x0xf32>
  return
}

// -----

func.func @dynamic_inhibitory(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<?x8xf32>, %wei: tensor<4x?xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of inhibitory units must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<?x8xf32>, tensor<4x?xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @no_inhibitory(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<0x8xf32>, %wei: tensor<4x0xf32>) {
  // expected-error @below {{'dann.ei_dense' op the number of inhibitory units must be static and at least 1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<0x8xf32>, tensor<4x0xf32>) -> tensor<?x4xf32>
  return
}

// -----

// Constraint 4: gain needs alpha.
func.func @gain_alone(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %gain: tensor<4xf32>) {
  // expected-error @below {{'dann.ei_dense' op gain needs alpha}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) gain(%gain)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return
}

// -----

// Constraint 5: epsilon is finite and not negative.
func.func @epsilon_negative(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op epsilon must be finite and not negative}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) {epsilon = -1.0e-8}
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @epsilon_nan(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op epsilon must be finite and not negative}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) {epsilon = 0x7FF8000000000000 : f64}
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

func.func @epsilon_infinite(%x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense' op epsilon must be finite and not negative}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) {epsilon = 0x7FF0000000000000 : f64}
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return
}

// -----

// dann.ei_dense_grad: one gradient for each operand, that of x only on demand.
func.func @missing_gradient(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense_grad' op must have 4 results, of the types of the operands that they are gradients of}}
  %0:3 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return
}

// -----

func.func @gradient_of_x(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense_grad' op must have 3 results, of the types of the operands that they are gradients of}}
  %0:4 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return
}

// -----

func.func @gradient_type(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense_grad' op must have 3 results, of the types of the operands that they are gradients of}}
  %0:3 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<2x4xf32>)
  return
}

// -----

// ... and the constraints of the layer itself.
func.func @grad_dz(%dz: tensor<?x3xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) {
  // expected-error @below {{'dann.ei_dense_grad' op dz must be [?, 4], but is 'tensor<?x3xf32>'}}
  %0:3 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) parameters_only
    : (tensor<?x3xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return
}

// -----

// Losses: logits [B, C] and labels [B], at least one class, one element type.
func.func @loss_labels(%logits: tensor<4x10xf32>, %y: tensor<5xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy' op labels must be [4], but is 'tensor<5xi64>'}}
  %0 = dann.softmax_cross_entropy %logits, %y : tensor<4x10xf32>, tensor<5xi64> -> tensor<f32>
  return
}

// -----

func.func @loss_classes(%logits: tensor<?x0xf32>, %y: tensor<?xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy' op logits must have at least one class}}
  %0 = dann.softmax_cross_entropy %logits, %y : tensor<?x0xf32>, tensor<?xi64> -> tensor<f32>
  return
}

// -----

func.func @loss_type(%logits: tensor<?x10xf32>, %y: tensor<?xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy' op loss and logits must have one element type}}
  %0 = dann.softmax_cross_entropy %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<f64>
  return
}

// -----

func.func @loss_grad_labels(%d: tensor<f32>, %logits: tensor<4x10xf32>, %y: tensor<5xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy_grad' op labels must be [4], but is 'tensor<5xi64>'}}
  %0 = dann.softmax_cross_entropy_grad %d, %logits, %y : tensor<f32>, tensor<4x10xf32>, tensor<5xi64>
  return
}

// -----

func.func @loss_grad_classes(%d: tensor<f32>, %logits: tensor<?x0xf32>, %y: tensor<?xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy_grad' op logits must have at least one class}}
  %0 = dann.softmax_cross_entropy_grad %d, %logits, %y : tensor<f32>, tensor<?x0xf32>, tensor<?xi64>
  return
}

// -----

func.func @loss_grad_type(%d: tensor<f64>, %logits: tensor<4x10xf32>, %y: tensor<4xi64>) {
  // expected-error @below {{'dann.softmax_cross_entropy_grad' op dloss and logits must have one element type}}
  %0 = dann.softmax_cross_entropy_grad %d, %logits, %y : tensor<f64>, tensor<4x10xf32>, tensor<4xi64>
  return
}

// -----

func.func @errors_labels(%logits: tensor<4x10xf32>, %y: tensor<5xi64>) {
  // expected-error @below {{'dann.count_errors' op labels must be [4], but is 'tensor<5xi64>'}}
  %0 = dann.count_errors %logits, %y : tensor<4x10xf32>, tensor<5xi64> -> tensor<i64>
  return
}

// -----

func.func @errors_classes(%logits: tensor<?x0xf32>, %y: tensor<?xi64>) {
  // expected-error @below {{'dann.count_errors' op logits must have at least one class}}
  %0 = dann.count_errors %logits, %y : tensor<?x0xf32>, tensor<?xi64> -> tensor<i64>
  return
}

// -----

// Training: settings in their ranges.
func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op learning_rate must be finite and not negative}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = -0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op learning_rate must be finite and not negative}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0x7FF8000000000000 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op attribute 'batch_size' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 0 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op attribute 'epochs' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = -1 : i64, learning_rate = 0.1 : f64}

// -----

// Training: one input, then parameters; logits as the result.
// expected-error @below {{'dann.training' op 'nothing' is not a function}}
dann.training @training of @nothing loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward() -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op 'forward' must take one input, then parameters (with 'dann.role')}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32>) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op 'forward' must take one input, then parameters (with 'dann.role')}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<4x8xf32> {dann.role = #dann<role w>}, tensor<?x8xf32>) -> tensor<?x4xf32>
// expected-error @below {{'dann.training' op 'forward' must take one input, then parameters (with 'dann.role')}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>})
// expected-error @below {{'dann.training' op 'forward' must return logits, a matrix of floats}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?xf32>
// expected-error @below {{'dann.training' op 'forward' must return logits, a matrix of floats}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

func.func private @forward(tensor<?x8xf32>, tensor<4x8xf32> {dann.role = #dann<role w>}) -> tensor<?x4xi64>
// expected-error @below {{'dann.training' op 'forward' must return logits, a matrix of floats}}
dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}

// -----

// dann.value_and_grad: positions of arguments, each once, and as many gradients of their types.
func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_count(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op has 1 gradients for 2 positions in wrt}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [0, 1] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_position(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op wrt names argument 2 of 2}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [2] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_negative(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op wrt names argument -1 of 2}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [-1] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_twice(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op wrt names argument 0 twice}}
  %0:3 = dann.value_and_grad @loss(%x, %y) wrt [0, 0] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_wrong(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op the gradient of argument 0 must be a 'tensor<8xf32>', but is a 'tensor<4xf32>'}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [0] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<4xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @grad_of_integer(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op the gradient of argument 1 must be a 'tensor<i64>', but is a 'tensor<f32>'}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [1] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<f32>)
  return
}

// -----

// dann.value_and_grad: what it calls.
func.func @callee_missing(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op 'nothing' is not a function}}
  %0:2 = dann.value_and_grad @nothing(%x, %y) wrt [0] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f32>
func.func @callee_arguments(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op arguments do not fit 'loss'}}
  %0:2 = dann.value_and_grad @loss(%x) wrt [0] : (tensor<8xf32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> tensor<f64>
func.func @callee_result(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op 'loss' must return one 'tensor<f32>'}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [0] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

func.func private @loss(tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<f32>)
func.func @callee_results(%x: tensor<8xf32>, %y: tensor<i64>) {
  // expected-error @below {{'dann.value_and_grad' op 'loss' must return one 'tensor<f32>'}}
  %0:2 = dann.value_and_grad @loss(%x, %y) wrt [0] : (tensor<8xf32>, tensor<i64>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

// Only gradients of inhibitory parameters are corrected.
func.func @correct_wex(%g: tensor<4x8xf32>) {
  // expected-error @below {{'dann.correct_inhibition' op role must be wix, wei or alpha, but is wex}}
  %0 = dann.correct_inhibition wex %g fan_in 8 excitatory 4 : tensor<4x8xf32>
  return
}

// -----

func.func @correct_gain(%g: tensor<4xf32>) {
  // expected-error @below {{'dann.correct_inhibition' op role must be wix, wei or alpha, but is g}}
  %0 = dann.correct_inhibition g %g fan_in 8 excitatory 4 : tensor<4xf32>
  return
}

// -----

func.func @correct_fan_in(%g: tensor<4xf32>) {
  // expected-error @below {{'dann.correct_inhibition' op attribute 'fan_in' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %0 = dann.correct_inhibition wei %g fan_in 0 excitatory 4 : tensor<4xf32>
  return
}

// -----

func.func @correct_excitatory(%g: tensor<4xf32>) {
  // expected-error @below {{'dann.correct_inhibition' op attribute 'num_excitatory' failed to satisfy constraint: 64-bit signless integer attribute whose value is positive}}
  %0 = dann.correct_inhibition wei %g fan_in 8 excitatory 0 : tensor<4xf32>
  return
}

// -----

// dann.sgd_update: one element type.
func.func @update_type(%w: tensor<4xf32>, %rate: tensor<f64>) {
  // expected-error @below {{'dann.sgd_update' op learning_rate and parameter must have one element type}}
  %0 = dann.sgd_update %w, %w, %rate : tensor<4xf32>, tensor<f64>
  return
}

// -----

// Projections are on nonneg or nonpos.
func.func @project_any(%w: tensor<4xf32>) {
  // expected-error @below {{'dann.project' op sign must be nonneg or nonpos, but is any}}
  %0 = dann.project any %w : tensor<4xf32>
  return
}

// -----

func.func @project_zero(%w: tensor<4xf32>) {
  // expected-error @below {{'dann.project' op sign must be nonneg or nonpos, but is zero}}
  %0 = dann.project zero %w : tensor<4xf32>
  return
}

// -----

// dann.random: a static shape; a scale that is finite and not negative.
func.func @random_shape(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op the shape must be static}}
  %0 = dann.random normal scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<?xf32>
  return
}

// -----

func.func @random_negative(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op scale must be finite and not negative}}
  %0 = dann.random normal scale -1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @random_nan(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op scale must be finite and not negative}}
  %0 = dann.random normal scale 0x7FF8000000000000 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @random_stream(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op attribute 'stream' failed to satisfy constraint: 64-bit signless integer attribute whose value is non-negative}}
  %0 = dann.random normal scale 1.0 stream -1 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @random_inner_shape(%seed: tensor<i64>, %n: index) {
  // expected-error @below {{'dann.random' op the shape must be static, but for a first dimension given as count}}
  %0 = dann.random normal scale 1.0 stream 0 seed %seed count %n : tensor<i64> -> tensor<4x?xf32>
  return
}

// -----

func.func @random_count(%seed: tensor<i64>, %n: index) {
  // expected-error @below {{'dann.random' op the shape must be static, but for a first dimension given as count}}
  %0 = dann.random normal scale 1.0 stream 0 seed %seed count %n : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @random_mean(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op mean must be finite}}
  %0 = dann.random normal mean 0x7FF0000000000000 scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @exponential_mean(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op the mean of an exponential distribution is its scale}}
  %0 = dann.random exponential mean 0.5 scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @lognormal_mean(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op the mean of a lognormal distribution must be positive}}
  %0 = dann.random lognormal scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

func.func @bernoulli_mean(%seed: tensor<i64>) {
  // expected-error @below {{'dann.random' op the mean of a bernoulli distribution must be from 0 to scale, which is positive}}
  %0 = dann.random bernoulli mean 1.5 scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  return
}

// -----

// dann.apply_polarity: one kind of polarity, of a fitting shape.
func.func @polarity_absent(%w: tensor<4x8xf32>) {
  // expected-error @below {{'dann.apply_polarity' op must have either a polarity or a number of excitatory columns}}
  %0 = dann.apply_polarity %w : tensor<4x8xf32>
  return
}

// -----

func.func @polarity_twice(%w: tensor<4x8xf32>, %p: tensor<8xf32>) {
  // expected-error @below {{'dann.apply_polarity' op must have either a polarity or a number of excitatory columns}}
  %0 = dann.apply_polarity %w by %p excitatory 3 : tensor<4x8xf32>, tensor<8xf32>
  return
}

// -----

func.func @polarity_of_vector(%b: tensor<4xf32>) {
  // expected-error @below {{'dann.apply_polarity' op a 'tensor<4xf32>' has no columns of known number}}
  %0 = dann.apply_polarity %b excitatory 3 : tensor<4xf32>
  return
}

// -----

func.func @polarity_too_many(%w: tensor<4x8xf32>) {
  // expected-error @below {{'dann.apply_polarity' op excitatory must be from 0 to 8, but is 9}}
  %0 = dann.apply_polarity %w excitatory 9 : tensor<4x8xf32>
  return
}

// -----

func.func @ablated_rectangle(%w: tensor<4x8xf32>) {
  // expected-error @below {{'dann.apply_polarity' op what is ablated must be a square matrix, but is 'tensor<4x8xf32>'}}
  %0 = dann.apply_polarity %w excitatory 3 ablated : tensor<4x8xf32>
  return
}

// -----

func.func @ablated_mask(%w: tensor<4x4xf32>, %p: tensor<4x4xf32>) {
  // expected-error @below {{'dann.apply_polarity' op what is ablated needs a number of excitatory columns}}
  %0 = dann.apply_polarity %w by %p ablated : tensor<4x4xf32>, tensor<4x4xf32>
  return
}

// -----

func.func @polarity_of_rows(%w: tensor<4x8xf32>, %p: tensor<4xf32>) {
  // expected-error @below {{'dann.apply_polarity' op the polarity of a 'tensor<4x8xf32>' must have its shape or one entry a column, but is a 'tensor<4xf32>'}}
  %0 = dann.apply_polarity %w by %p : tensor<4x8xf32>, tensor<4xf32>
  return
}

// -----

func.func @polarity_type(%w: tensor<4x8xf32>, %p: tensor<8xf64>) {
  // expected-error @below {{'dann.apply_polarity' op element types differ: 'f32' and 'f64'}}
  %0 = dann.apply_polarity %w by %p : tensor<4x8xf32>, tensor<8xf64>
  return
}

// -----

// dann.dropout: a rate in [0, 1).
func.func @dropout_rate(%x: tensor<?x8xf32>) {
  // expected-error @below {{'dann.dropout' op rate must be at least 0 and less than 1}}
  %0 = dann.dropout %x rate 1.0 : tensor<?x8xf32>
  return
}

// -----

func.func @dropout_shape(%x: tensor<8x?xf32>) {
  // expected-error @below {{'dann.dropout' op the shape must be static but for its first dimension}}
  %0 = dann.dropout %x rate 0.5 : tensor<8x?xf32>
  return
}

// -----

// dann.batch_norm: one statistic for each unit.
func.func @batch_norm_units(%x: tensor<8x?xf32>, %s: tensor<8xf32>) {
  // expected-error @below {{'dann.batch_norm' op x must be [B, units, ...], where units is static, but is 'tensor<8x?xf32>'}}
  %0 = dann.batch_norm %x mean(%s) variance(%s) : tensor<8x?xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @batch_norm_variance(%x: tensor<?x8xf32>, %m: tensor<8xf32>, %v: tensor<4xf32>) {
  // expected-error @below {{'dann.batch_norm' op variance must be [8], but is 'tensor<4xf32>'}}
  %0 = dann.batch_norm %x mean(%m) variance(%v) : tensor<?x8xf32>, tensor<8xf32>, tensor<4xf32>
  return
}

// -----

func.func @batch_norm_type(%x: tensor<?x8xf32>, %s: tensor<8xf64>) {
  // expected-error @below {{'dann.batch_norm' op element types differ: 'f32' and 'f64'}}
  %0 = dann.batch_norm %x mean(%s) variance(%s) : tensor<?x8xf32>, tensor<8xf64>, tensor<8xf64>
  return
}

// -----

func.func @batch_norm_epsilon(%x: tensor<?x8xf32>, %s: tensor<8xf32>) {
  // expected-error @below {{'dann.batch_norm' op epsilon must be finite and not negative}}
  %0 = dann.batch_norm %x mean(%s) variance(%s) {epsilon = -1.0 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func @batch_norm_momentum(%x: tensor<?x8xf32>, %s: tensor<8xf32>) {
  // expected-error @below {{'dann.batch_norm' op momentum must be from 0 to 1}}
  %0 = dann.batch_norm %x mean(%s) variance(%s) {momentum = 1.5 : f64} : tensor<?x8xf32>, tensor<8xf32>, tensor<8xf32>
  return
}

// -----

func.func private @with_auxiliary(tensor<8xf32>) -> (tensor<f32>, tensor<i64>)

func.func @auxiliary_missing(%w: tensor<8xf32>) {
  // expected-error @below {{'dann.value_and_grad' op 'with_auxiliary' must return one 'tensor<f32>'}}
  %0:2 = dann.value_and_grad @with_auxiliary(%w) wrt [0] : (tensor<8xf32>) -> (tensor<f32>, tensor<8xf32>)
  return
}

// -----

// Attributes of signatures: their kinds of value.
// expected-error @below {{'dann.name' must be a string}}
func.func private @name(tensor<4xf32> {dann.name = 1 : i64})

// -----

// expected-error @below {{'dann.name' must be a string}}
func.func private @result_name() -> (tensor<4xf32> {dann.name})

// -----

// expected-error @below {{'dann.sign' must be a sign}}
func.func private @sign(tensor<4xf32> {dann.sign = "nonneg"})

// -----

// expected-error @below {{'dann.sign' must be a sign}}
func.func private @result_sign() -> (tensor<4xf32> {dann.sign = 1 : i64})

// -----

// expected-error @below {{'dann.role' must be a role}}
func.func private @role(tensor<4xf32> {dann.role = "wex"})

// -----

// expected-error @below {{'dann.range' must be an array of two f64s, the smaller first}}
func.func private @range(tensor<4xf32> {dann.range = 1.0 : f64})

// -----

// expected-error @below {{'dann.range' must be an array of two f64s, the smaller first}}
func.func private @range(tensor<4xf32> {dann.range = array<f64: 0.0>})

// -----

// expected-error @below {{'dann.range' must be an array of two f64s, the smaller first}}
func.func private @range(tensor<4xf32> {dann.range = array<f64: 1.0, 0.0>})

// -----

// expected-error @below {{'dann.range' must be an array of two f64s, the smaller first}}
func.func private @range(tensor<4xf32> {dann.range = array<f64: 0.0, 0x7FF8000000000000>})

// -----

// expected-error @below {{'dann.range' must be an array of two f64s, the smaller first}}
func.func private @range(tensor<4xf32> {dann.range = array<f32: 0.0, 1.0>})

// -----

// dann.updates: an argument that exists and fits.
// expected-error @below {{'dann.updates' must be the index of an argument of the same type}}
func.func private @updates(tensor<4xf32>) -> (tensor<4xf32> {dann.updates = "w"})

// -----

// expected-error @below {{'dann.updates' must be the index of an argument of the same type}}
func.func private @updates(tensor<4xf32>) -> (tensor<4xf32> {dann.updates = 1 : i64})

// -----

// expected-error @below {{'dann.updates' must be the index of an argument of the same type}}
func.func private @updates(tensor<4xf32>) -> (tensor<4xf32> {dann.updates = -1 : i64})

// -----

// expected-error @below {{'dann.updates' must be the index of an argument of the same type}}
func.func private @updates(tensor<4xf32>) -> (tensor<8xf32> {dann.updates = 0 : i64})

// -----

// Attributes in the wrong place, and unknown ones.
// expected-error @below {{'dann.role' is not an attribute of results}}
func.func private @result_role() -> (tensor<4xf32> {dann.role = #dann<role w>})

// -----

// expected-error @below {{'dann.range' is not an attribute of results}}
func.func private @result_range() -> (tensor<4xf32> {dann.range = array<f64: 0.0, 1.0>})

// -----

// expected-error @below {{'dann.updates' is not an attribute of arguments}}
func.func private @argument_updates(tensor<4xf32> {dann.updates = 0 : i64})

// -----

// expected-error @below {{'dann.nmae' is not an attribute of arguments}}
func.func private @misspelt(tensor<4xf32> {dann.nmae = "w"})

// -----

// expected-error @below {{'dann.sign' is not an attribute of operations}}
func.func private @sign_of_function() attributes {dann.sign = #dann<sign nonneg>}

// -----

// dann.inference: a unit attribute of functions.
// expected-error @below {{'dann.inference' must be a unit attribute of a function}}
func.func private @inference() attributes {dann.inference = true}

// -----

// expected-error @below {{'dann.inference' must be a unit attribute of a function}}
module attributes {dann.inference} {}

// -----

// dann.settings: all of its entries.
// expected-error @below {{'dann.settings' must hold the integers batch_size and epochs, the float learning_rate, and the strings loss and optimizer}}
func.func private @defaults() attributes {dann.settings = 1 : i64}

// -----

// expected-error @below {{'dann.settings' must hold the integers batch_size and epochs, the float learning_rate, and the strings loss and optimizer}}
func.func private @defaults() attributes {dann.settings = {}}

// -----

// expected-error @below {{'dann.settings' must hold the integers batch_size and epochs, the float learning_rate, and the strings loss and optimizer}}
func.func private @defaults() attributes {dann.settings = {batch_size = 1 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}}

// -----

// expected-error @below {{'dann.settings' must hold the integers batch_size and epochs, the float learning_rate, and the strings loss and optimizer}}
func.func private @defaults() attributes {dann.settings = {batch_size = 1 : i64, epochs = 1.0 : f64, learning_rate = 0.1 : f64, loss = "softmax_cross_entropy", optimizer = "sgd"}}

// -----

// expected-error @below {{'dann.updates' must be another argument for each result}}
func.func private @updated_twice(tensor<4xf32>) -> (tensor<4xf32> {dann.updates = 0 : i64}, tensor<4xf32> {dann.updates = 0 : i64})
