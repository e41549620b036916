// A standard net is differentiated by the rule for linalg alone. Its reverse
// products become calls of oneDNN like those of E/I layers: in a net of two
// layers 2 forward, 2 for the weights, 1 for the hidden layer.
// RUN: dann-opt %s -dann-graph-pipeline -o %t.graph.mlir
// RUN: dann-opt %t.graph.mlir -convert-dann-to-onednn -canonicalize -cse | FileCheck %s
// RUN: dann-opt %t.graph.mlir -dann-onednn-pipeline -dann-llvm-pipeline | FileCheck %s --check-prefix=LLVM
// RUN: dann-opt %t.graph.mlir -dann-generated-pipeline -dann-llvm-pipeline | FileCheck %s --check-prefix=LLVM

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// Forward alone, bias and relu are epilogues.
// CHECK-LABEL: func.func @forward
// CHECK: onednn.matmul {{.*}} bias({{.*}}) {{.*}} {post_ops = [#onednn<post_op relu>], transpose_b}
// CHECK: onednn.matmul {{.*}} bias({{.*}}) {{.*}} {transpose_b}
// CHECK-NOT: linalg.generic
// CHECK: return

// The weights' gradients are never materialised.
// CHECK-LABEL: func.func @train_step
// CHECK-SAME: %[[W0:[^:]*]]: tensor<6x8xf32> {dann.name = "0.w"
// CHECK-SAME: %[[W1:[^:]*]]: tensor<4x6xf32> {dann.name = "1.w"
// CHECK-COUNT-3: onednn.matmul
// CHECK-NOT: iterator_types = [{{.*}}, {{.*}}, {{.*}}]
// CHECK: onednn.matmul {{.*}} outs(%[[W0]] : tensor<6x8xf32>) {accumulate, transpose_a}
// CHECK: onednn.matmul {{.*}} outs(%[[W1]] : tensor<4x6xf32>) {accumulate, transpose_a}
// CHECK-NOT: onednn.matmul
// CHECK-NOT: iterator_types = [{{.*}}, {{.*}}, {{.*}}]
// CHECK: return

// LLVM-NOT: unrealized_conversion_cast
// LLVM: llvm.func @_mlir_ciface_train_step
// LLVM-NOT: unrealized_conversion_cast

func.func @forward(
    %x: tensor<?x8xf32> {dann.name = "x", dann.range = array<f64: -1.0, 1.0>},
    %w0: tensor<6x8xf32> {dann.name = "0.w", dann.role = #dann<role w>}, %b0: tensor<6xf32> {dann.name = "0.b", dann.role = #dann<role b>},
    %w1: tensor<4x6xf32> {dann.name = "1.w", dann.role = #dann<role w>}, %b1: tensor<4xf32> {dann.name = "1.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e0 = tensor.empty(%n) : tensor<?x6xf32>
  %zeros0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x6xf32>) -> tensor<?x6xf32>
  %p0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w0 : tensor<?x8xf32>, tensor<6x8xf32>) outs(%zeros0 : tensor<?x6xf32>) -> tensor<?x6xf32>
  %z0 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p0, %b0 : tensor<?x6xf32>, tensor<6xf32>) outs(%e0 : tensor<?x6xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %0 = arith.addf %in, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z0 : tensor<?x6xf32>) outs(%e0 : tensor<?x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  %e1 = tensor.empty(%n) : tensor<?x4xf32>
  %zeros1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p1 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%h, %w1 : tensor<?x6xf32>, tensor<4x6xf32>) outs(%zeros1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p1, %b1 : tensor<?x4xf32>, tensor<4xf32>) outs(%e1 : tensor<?x4xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %0 = arith.addf %in, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %z1 : tensor<?x4xf32>
}

dann.training @training of @forward loss softmax_cross_entropy optimizer sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
