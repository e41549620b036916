// The passes of examples/plugin: relu becomes softplus, and the whole training
// program is made of it. Nothing else knows the operation: the compiler
// differentiates it, and proves Dale's law, by its interfaces.
// DEFINE: %{plugin} = --load-dialect-plugin=%build/lib/smooth-plugin.so --load-pass-plugin=%build/lib/smooth-plugin.so
// RUN: dann-opt %{plugin} --pass-pipeline='builtin.module(smooth-relu)' %s | FileCheck %s
// RUN: dann-opt %{plugin} --pass-pipeline='builtin.module(smooth-relu,dann-graph-pipeline)' %s | FileCheck %s --check-prefix=GRAPH
// RUN: dann-opt %{plugin} --pass-pipeline='builtin.module(smooth-relu,dann-graph-pipeline,lower-smooth,dann-linalg-pipeline,dann-kernel-pipeline,dann-llvm-pipeline)' %s \
// RUN: | FileCheck %s --check-prefix=LLVM

#matrix = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j, i)>

// GRAPH-LABEL: func.func @train_step
// GRAPH: smooth.softplus
// GRAPH: dann.ei_dense_grad

// LLVM-NOT: smooth
// LLVM: llvm.func @train_step

// CHECK-LABEL: func.func @forward
// CHECK: %[[Z:.*]] = dann.ei_dense
// CHECK: %[[Y:.*]] = smooth.softplus %[[Z]] : tensor<?x3xf32>
// CHECK: dann.ei_dense %[[Y]]
func.func @forward(
    %x: tensor<?x4xf32> {dann.name = "x", dann.range = array<f64: 0.0, 1.0>},
    %wex0: tensor<3x4xf32> {dann.name = "0.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
    %wix0: tensor<2x4xf32> {dann.name = "0.wix", dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
    %wei0: tensor<3x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
    %wex1: tensor<2x3xf32> {dann.name = "1.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
    %wix1: tensor<1x3xf32> {dann.name = "1.wix", dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
    %wei1: tensor<2x1xf32> {dann.name = "1.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>}
) -> (tensor<?x2xf32> {dann.name = "logits"}) {
  %z = dann.ei_dense %x excitatory(%wex0) inhibitory(%wix0, %wei0) : (tensor<?x4xf32>, tensor<3x4xf32>, tensor<2x4xf32>, tensor<3x2xf32>) -> tensor<?x3xf32>
  %cst = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %dim = tensor.dim %z, %c0 : tensor<?x3xf32>
  %empty = tensor.empty(%dim) : tensor<?x3xf32>
  %y = linalg.generic {indexing_maps = [#matrix, #matrix], iterator_types = ["parallel", "parallel"]}
      ins(%z : tensor<?x3xf32>) outs(%empty : tensor<?x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %max = arith.maximumf %in, %cst : f32
    linalg.yield %max : f32
  } -> tensor<?x3xf32>
  %logits = dann.ei_dense %y excitatory(%wex1) inhibitory(%wix1, %wei1) : (tensor<?x3xf32>, tensor<2x3xf32>, tensor<1x3xf32>, tensor<2x1xf32>) -> tensor<?x2xf32>
  return %logits : tensor<?x2xf32>
}

dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project {batch_size = 32 : i64, epochs = 10 : i64, learning_rate = 1.0e-01 : f64}

// A maximum with another number, one of a transposed input, and a minimum stay.
// CHECK-LABEL: func.func @others
// CHECK-NOT: smooth.softplus
func.func @others(%x: tensor<3x3xf32>) -> (tensor<3x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %empty = tensor.empty() : tensor<3x3xf32>
  %above1 = linalg.generic {indexing_maps = [#matrix, #matrix], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<3x3xf32>) outs(%empty : tensor<3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %max = arith.maximumf %in, %one : f32
    linalg.yield %max : f32
  } -> tensor<3x3xf32>
  %transposed = linalg.generic {indexing_maps = [#row, #matrix], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<3x3xf32>) outs(%empty : tensor<3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %max = arith.maximumf %in, %zero : f32
    linalg.yield %max : f32
  } -> tensor<3x3xf32>
  %below0 = linalg.generic {indexing_maps = [#matrix, #matrix], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<3x3xf32>) outs(%empty : tensor<3x3xf32>) {
  ^bb0(%in: f32, %out: f32):
    %min = arith.minimumf %in, %zero : f32
    linalg.yield %min : f32
  } -> tensor<3x3xf32>
  return %above1, %transposed, %below0 : tensor<3x3xf32>, tensor<3x3xf32>, tensor<3x3xf32>
}
