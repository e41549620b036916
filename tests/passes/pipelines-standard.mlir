// A standard net is differentiated by the rule for linalg alone. Its reverse
// products get the form of those of E/I layers: in a net of two layers 2
// forward, 1 for the hidden layer, 2 for the weights. The hidden layer is large
// enough that threads share its rows.
// RUN: dann-opt %s -dann-graph-pipeline -dann-linalg-pipeline -o %t.linalg.mlir
// RUN: FileCheck %s --check-prefix=LINALG --implicit-check-not="= dann." < %t.linalg.mlir
// RUN: FileCheck %s --check-prefix=PRODUCTS < %t.linalg.mlir
// RUN: dann-opt %t.linalg.mlir -pass-pipeline="builtin.module(func.func(dann-choose-destinations),dann-buffer-pipeline)" -o %t.buffers.mlir
// RUN: FileCheck %s --check-prefix=BUFFERS --implicit-check-not=tensor --implicit-check-not=.copy --implicit-check-not="memref.alloc() {{.*}} : {{memref<[0-9]+x[0-9]+x}}" < %t.buffers.mlir
// RUN: dann-opt %t.linalg.mlir -dann-kernel-pipeline -o %t.kernels.mlir
// RUN: FileCheck %s --check-prefix=KERNELS --implicit-check-not="= dann." --implicit-check-not="linalg." --implicit-check-not=memref.alloc < %t.kernels.mlir
// RUN: dann-opt %t.kernels.mlir -dann-llvm-pipeline | FileCheck %s --check-prefix=LLVM

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// LINALG-LABEL: func.func @train_step
// LINALG-SAME: %[[W0:[^:]*]]: tensor<32x8xf32> {dann.name = "0.w"
// LINALG-SAME: %[[W1:[^:]*]]: tensor<4x32xf32> {dann.name = "1.w"
// LINALG-DAG: linalg.contract {{.*}} : tensor<8x?xf32>, tensor<32x8xf32>) outs(%{{.*}} : tensor<32x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<32x?xf32>, tensor<4x32xf32>) outs(%{{.*}} : tensor<4x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<4x32xf32>) outs(%{{.*}} : tensor<32x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<32x?xf32>, tensor<?x8xf32>) outs(%[[W0]] : tensor<32x8xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<?x32xf32>) outs(%[[W1]] : tensor<4x32xf32>)
// LINALG: return

// PRODUCTS-LABEL: func.func @train_step
// PRODUCTS-COUNT-5: linalg.contract
// PRODUCTS-NOT: linalg.contract
// PRODUCTS: return

// The threads meet where rows are read by columns or the other way round, and
// where the first thread sums over the batch.
// BUFFERS-LABEL: func.func @train_step
// BUFFERS-SAME: %[[W0:[^:]*]]: memref<32x8xf32> {dann.name = "0.w"
// BUFFERS-SAME: %[[W1:[^:]*]]: memref<4x32xf32> {dann.name = "1.w"
// BUFFERS-COUNT-7: call @dann_barrier
// BUFFERS-NOT: call @dann_barrier
// BUFFERS: return

// Forward, bias and relu are epilogues: nothing but two products is left, and
// what turns x and the result.
// KERNELS-LABEL: func.func @forward
// KERNELS: call @dann_loops_
// KERNELS-NOT: call @dann_loops_
// KERNELS: call @dann_product_
// KERNELS-NOT: call @dann_loops_
// KERNELS: call @dann_product_
// KERNELS: call @dann_loops_
// KERNELS-NOT: {{call @dann_(product|loops)_}}
// KERNELS: return
// KERNELS-LABEL: func.func @train_step
// KERNELS-COUNT-5: call @dann_product_
// KERNELS-NOT: call @dann_product_
// KERNELS: return

// LLVM-NOT: unrealized_conversion_cast
// LLVM: llvm.func @train_step(%arg0: !llvm.ptr)
// LLVM-NOT: unrealized_conversion_cast

func.func @forward(
    %x: tensor<?x8xf32> {dann.name = "x", dann.range = array<f64: -1.0, 1.0>},
    %w0: tensor<32x8xf32> {dann.name = "0.w", dann.role = #dann<role w>}, %b0: tensor<32xf32> {dann.name = "0.b", dann.role = #dann<role b>},
    %w1: tensor<4x32xf32> {dann.name = "1.w", dann.role = #dann<role w>}, %b1: tensor<4xf32> {dann.name = "1.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e0 = tensor.empty(%n) : tensor<?x32xf32>
  %zeros0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<?x32xf32>) -> tensor<?x32xf32>
  %p0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w0 : tensor<?x8xf32>, tensor<32x8xf32>) outs(%zeros0 : tensor<?x32xf32>) -> tensor<?x32xf32>
  %z0 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p0, %b0 : tensor<?x32xf32>, tensor<32xf32>) outs(%e0 : tensor<?x32xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %0 = arith.addf %in, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<?x32xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z0 : tensor<?x32xf32>) outs(%e0 : tensor<?x32xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<?x32xf32>
  %e1 = tensor.empty(%n) : tensor<?x4xf32>
  %zeros1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %p1 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%h, %w1 : tensor<?x32xf32>, tensor<4x32xf32>) outs(%zeros1 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %z1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%p1, %b1 : tensor<?x4xf32>, tensor<4xf32>) outs(%e1 : tensor<?x4xf32>) {
  ^bb0(%in: f32, %bias: f32, %out: f32):
    %0 = arith.addf %in, %bias : f32
    linalg.yield %0 : f32
  } -> tensor<?x4xf32>
  return %z1 : tensor<?x4xf32>
}

dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
