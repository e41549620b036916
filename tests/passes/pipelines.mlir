// The named pipelines in their order, on a net of two E/I layers: what each
// leaves behind, and that parameters are updated in place.
// RUN: dann-opt %s -dann-graph-pipeline -o %t.graph.mlir
// RUN: FileCheck %s --check-prefix=GRAPH --implicit-check-not=dann.training --implicit-check-not=dann.value_and_grad --implicit-check-not="call @" < %t.graph.mlir
//
// RUN: dann-opt %t.graph.mlir -dann-linalg-pipeline -o %t.linalg.mlir
// RUN: FileCheck %s --check-prefix=LINALG --implicit-check-not="= dann." < %t.linalg.mlir
// RUN: FileCheck %s --check-prefix=PRODUCTS < %t.linalg.mlir
//
// RUN: dann-opt %t.linalg.mlir -pass-pipeline="builtin.module(func.func(dann-choose-destinations),dann-buffer-pipeline)" -o %t.buffers.mlir
// RUN: FileCheck %s --check-prefix=BUFFERS --implicit-check-not=tensor --implicit-check-not=.copy --implicit-check-not="memref.alloc() {{.*}} : {{memref<[0-9]+x[0-9]+x}}" < %t.buffers.mlir
// RUN: FileCheck %s --check-prefix=BARRIERS < %t.buffers.mlir
//
// RUN: dann-opt %t.linalg.mlir -dann-kernel-pipeline -o %t.kernels.mlir
// RUN: FileCheck %s --check-prefix=KERNELS --implicit-check-not="= dann." --implicit-check-not=onednn --implicit-check-not="linalg." --implicit-check-not=memref.alloc --implicit-check-not="tensor<" < %t.kernels.mlir
// RUN: dann-opt %t.kernels.mlir -dann-llvm-pipeline | FileCheck %s --check-prefixes=LLVM --implicit-check-not="builtin." --implicit-check-not="memref." --implicit-check-not="scf." --implicit-check-not=" vector."
//
// RUN: dann-opt %t.linalg.mlir -pass-pipeline="builtin.module(dann-select-kernels{backend=onednn},func.func(dann-choose-destinations),dann-buffer-pipeline,convert-linalg-to-onednn,convert-onednn-to-runtime)" | FileCheck %s --check-prefix=ONEDNN --implicit-check-not=linalg.contract --implicit-check-not=onednn.matmul

#id = affine_map<(i, j) -> (i, j)>

// GRAPH-LABEL: func.func @init
// GRAPH-LABEL: func.func @forward
// GRAPH-COUNT-2: dann.ei_dense
// GRAPH-NOT: dann.
// GRAPH-LABEL: func.func @loss_and_gradients
// GRAPH-COUNT-2: dann.ei_dense
// GRAPH: dann.softmax_cross_entropy
// GRAPH-COUNT-2: dann.ei_dense_grad
// GRAPH-LABEL: func.func @evaluate
// One forward pass serves loss and errors.
// GRAPH-COUNT-2: dann.ei_dense
// GRAPH-NOT: dann.ei_dense
// GRAPH-LABEL: func.func @train_step
// GRAPH-COUNT-12: dann.sgd_update

// Inference: a product of x with the folded weights, one for the interneurons
// and one for the divisor in each layer. Its weights are prepared.
// LINALG-LABEL: func.func @prepare
// LINALG-SAME: -> (tensor<6x8xf32> {dann.name = "derived/0.wex,0.wix,0.wei"}, tensor<6x2xf32> {dann.name = "derived/0.wei,0.alpha"}, tensor<4x6xf32> {dann.name = "derived/1.wex,1.wix,1.wei"}, tensor<4x1xf32> {dann.name = "derived/1.wei,1.alpha"})
// LINALG-COUNT-2: linalg.contract
// LINALG-NOT: linalg.contract
// LINALG-LABEL: func.func @forward
// LINALG-COUNT-6: linalg.contract
// LINALG-NOT: linalg.contract
// LINALG-LABEL: func.func @loss_and_gradients
// LINALG: math.exp
// LINALG-LABEL: func.func @evaluate
// LINALG-SAME: dann.name = "derived/1.wei,1.alpha"
// LINALG-COUNT-6: linalg.contract
// LINALG-NOT: linalg.contract

// The products of a step: 4 forward in each layer, none of them computed twice, ...
// LINALG-LABEL: func.func @train_step
// LINALG-SAME: %[[WEX0:[^:]*]]: tensor<6x8xf32> {dann.name = "0.wex"
// LINALG-SAME: %[[WIX0:[^:]*]]: tensor<2x8xf32> {dann.name = "0.wix"
// LINALG-SAME: %[[WEI0:[^:]*]]: tensor<6x2xf32> {dann.name = "0.wei"
// LINALG-SAME: %[[WEX1:[^:]*]]: tensor<4x6xf32> {dann.name = "1.wex"
// LINALG-SAME: %[[WIX1:[^:]*]]: tensor<1x6xf32> {dann.name = "1.wix"
// LINALG-SAME: %[[WEI1:[^:]*]]: tensor<4x1xf32> {dann.name = "1.wei"
// LINALG-DAG: linalg.contract {{.*}} : tensor<8x?xf32>, tensor<6x8xf32>) outs(%{{.*}} : tensor<6x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<8x?xf32>, tensor<2x8xf32>) outs(%{{.*}} : tensor<2x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<2x?xf32>, tensor<6x2xf32>) outs(%{{.*}} : tensor<6x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<2x?xf32>, tensor<6x2xf32>) outs(%{{.*}} : tensor<6x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<4x6xf32>) outs(%{{.*}} : tensor<4x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<1x6xf32>) outs(%{{.*}} : tensor<1x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<1x?xf32>, tensor<4x1xf32>) outs(%{{.*}} : tensor<4x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<1x?xf32>, tensor<4x1xf32>) outs(%{{.*}} : tensor<4x?xf32>)
// ... backward 2 for the interneurons of each and 2 for the input of the second, ...
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<4x1xf32>) outs(%{{.*}} : tensor<1x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<4x1xf32>) outs(%{{.*}} : tensor<1x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<4x6xf32>) outs(%{{.*}} : tensor<6x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<1x?xf32>, tensor<1x6xf32>) outs(%{{.*}} : tensor<6x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<6x2xf32>) outs(%{{.*}} : tensor<2x?xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<6x2xf32>) outs(%{{.*}} : tensor<2x?xf32>)
// ... and 4 for the weights of each, on which they accumulate. wei gets two.
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<?x8xf32>) outs(%[[WEX0]] : tensor<6x8xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<2x?xf32>, tensor<?x8xf32>) outs(%[[WIX0]] : tensor<2x8xf32>)
// LINALG-DAG: %[[SUM0:.*]] = linalg.contract {{.*}} : tensor<6x?xf32>, tensor<?x2xf32>) outs(%[[WEI0]] : tensor<6x2xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<6x?xf32>, tensor<?x2xf32>) outs(%[[SUM0]] : tensor<6x2xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<?x6xf32>) outs(%[[WEX1]] : tensor<4x6xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<1x?xf32>, tensor<?x6xf32>) outs(%[[WIX1]] : tensor<1x6xf32>)
// LINALG-DAG: %[[SUM1:.*]] = linalg.contract {{.*}} : tensor<4x?xf32>, tensor<?x1xf32>) outs(%[[WEI1]] : tensor<4x1xf32>)
// LINALG-DAG: linalg.contract {{.*}} : tensor<4x?xf32>, tensor<?x1xf32>) outs(%[[SUM1]] : tensor<4x1xf32>)
// LINALG: return

// PRODUCTS-LABEL: func.func @train_step
// PRODUCTS-COUNT-22: linalg.contract
// PRODUCTS-NOT: linalg.contract
// PRODUCTS: return

func.func @init(%seed: tensor<i64> {dann.name = "seed"}) -> (tensor<6x8xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>}) {
  %0 = dann.random exponential scale 0.25 stream 0 seed %seed : tensor<i64> -> tensor<6x8xf32>
  return %0 : tensor<6x8xf32>
}

// Results became arguments; those that replace a parameter are gone, and the new
// values are computed in the parameters' buffers. In the whole program nothing
// is copied, and no matrix but those of a batch is allocated: no gradient.
// BUFFERS-LABEL: func.func @init
// BUFFERS-SAME: (%{{[^:]*}}: memref<i64> {dann.name = "seed"}, %{{[^:]*}}: memref<6x8xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>})
// BUFFERS-LABEL: func.func @prepare
// BUFFERS-SAME: %[[W:[^:]*]]: memref<6x8xf32> {dann.name = "derived/0.wex,0.wix,0.wei"}
// BUFFERS: linalg.contract {{.*}} outs(%[[W]] :
// BUFFERS: linalg.generic {{.*}} outs(%[[W]] :
// BUFFERS-LABEL: func.func @train_step
// BUFFERS-SAME: %[[WEX0:[^:]*]]: memref<6x8xf32> {dann.name = "0.wex"
// BUFFERS-SAME: %[[WEI0:[^:]*]]: memref<6x2xf32> {dann.name = "0.wei"
// BUFFERS-SAME: %[[ALPHA0:[^:]*]]: memref<2xf32> {dann.name = "0.alpha"
// BUFFERS-SAME: %[[G0:[^:]*]]: memref<6xf32> {dann.name = "0.g"
// BUFFERS-SAME: %[[B1:[^:]*]]: memref<4xf32> {dann.name = "1.b", dann.role = #dann<role b>}, %{{[^:]*}}: memref<f32> {dann.name = "loss"})
// BUFFERS-SAME: attributes {dann.operations =
// BUFFERS-DAG: linalg.contract {{.*}} outs(%[[WEX0]] :
// BUFFERS-DAG: linalg.generic {{.*}} ins(%[[WEX0]] : memref<6x8xf32>) outs(%[[WEX0]] :
// BUFFERS-DAG: linalg.contract {{.*}} outs(%[[WEI0]] :
// BUFFERS-DAG: linalg.contract {{.*}} outs(%[[WEI0]] :
// BUFFERS-DAG: linalg.generic {{.*}} ins(%[[WEI0]] : memref<6x2xf32>) outs(%[[WEI0]] :
// BUFFERS-DAG: linalg.generic {{.*}} outs(%[[ALPHA0]] :
// BUFFERS-DAG: linalg.generic {{.*}} outs(%[[G0]] :
// BUFFERS-DAG: linalg.generic {{.*}} outs({{.*}}%[[B1]] :

// Each thread has samples of its own. In inference the first one waits for the
// others where it turns the result, and nobody waits where weights are prepared.
// In a step the threads wait for the first one where it has computed the
// strength of inhibition (2), and it waits for them where it
// sums over the batch: the loss, the gradients of the last bias, of alpha (2),
// and of wex, wei and wix of the first layer, which are updated as soon as they
// can be.
// BARRIERS-LABEL: func.func @prepare
// BARRIERS-NOT: call @dann_barrier
// BARRIERS-LABEL: func.func @forward
// BARRIERS-COUNT-1: call @dann_barrier
// BARRIERS-NOT: call @dann_barrier
// BARRIERS-LABEL: func.func @loss_and_gradients
// BARRIERS-LABEL: func.func @train_step
// BARRIERS-COUNT-9: call @dann_barrier
// BARRIERS-NOT: call @dann_barrier
// BARRIERS: return

// A few kernels serve all products: plain ones for both orders of the first
// factor, and one for each kind of elementwise operation behind a product.
// KERNELS-LABEL: func.func @train_step
// KERNELS-SAME: memref<?xi8>) attributes {dann.operations =
// KERNELS-SAME: dann.scratch = array<i64:
// KERNELS-COUNT-22: call @dann_product_
// KERNELS-NOT: call @dann_product_
// KERNELS: return
// KERNELS-COUNT-7: func.func private @dann_product_
// KERNELS-NOT: func.func private @dann_product_

// ONEDNN-LABEL: func.func @train_step
// ONEDNN-COUNT-22: call @dann_onednn_matmul_f32
// ONEDNN-NOT: call @dann_onednn_matmul
// ONEDNN: return

// LLVM-DAG: llvm.func @init(%arg0: !llvm.ptr)
// LLVM-DAG: llvm.func @forward(%arg0: !llvm.ptr)
// LLVM-DAG: llvm.func @loss_and_gradients(%arg0: !llvm.ptr)
// LLVM-DAG: llvm.func @evaluate(%arg0: !llvm.ptr)
// LLVM-DAG: llvm.func @train_step(%arg0: !llvm.ptr)

func.func @forward(
    %x: tensor<?x8xf32> {dann.name = "x", dann.range = array<f64: 0.0, 1.0>},
    %wex0: tensor<6x8xf32> {dann.name = "0.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
    %wix0: tensor<2x8xf32> {dann.name = "0.wix", dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
    %wei0: tensor<6x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
    %alpha0: tensor<2xf32> {dann.name = "0.alpha", dann.role = #dann<role alpha>},
    %g0: tensor<6xf32> {dann.name = "0.g", dann.role = #dann<role g>, dann.sign = #dann<sign nonneg>},
    %b0: tensor<6xf32> {dann.name = "0.b", dann.role = #dann<role b>},
    %wex1: tensor<4x6xf32> {dann.name = "1.wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
    %wix1: tensor<1x6xf32> {dann.name = "1.wix", dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
    %wei1: tensor<4x1xf32> {dann.name = "1.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
    %alpha1: tensor<1xf32> {dann.name = "1.alpha", dann.role = #dann<role alpha>},
    %g1: tensor<4xf32> {dann.name = "1.g", dann.role = #dann<role g>, dann.sign = #dann<sign nonneg>},
    %b1: tensor<4xf32> {dann.name = "1.b", dann.role = #dann<role b>})
    -> (tensor<?x4xf32> {dann.name = "logits"}) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %z = dann.ei_dense %x excitatory(%wex0) inhibitory(%wix0, %wei0) divisive(%alpha0) gain(%g0) bias(%b0)
    : (tensor<?x8xf32>, tensor<6x8xf32>, tensor<2x8xf32>, tensor<6x2xf32>, tensor<2xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<?x6xf32>
  %n = tensor.dim %z, %c0 : tensor<?x6xf32>
  %e = tensor.empty(%n) : tensor<?x6xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z : tensor<?x6xf32>) outs(%e : tensor<?x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  %logits = dann.ei_dense %h excitatory(%wex1) inhibitory(%wix1, %wei1) divisive(%alpha1) gain(%g1) bias(%b1)
    : (tensor<?x6xf32>, tensor<4x6xf32>, tensor<1x6xf32>, tensor<4x1xf32>, tensor<1xf32>, tensor<4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
  return %logits : tensor<?x4xf32>
}

dann.training @training of @forward loss softmax_cross_entropy optimizer #dann.sgd correct_inhibition project
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
