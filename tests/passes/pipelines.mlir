// The named pipelines in their order, on a net of two E/I layers: what each
// leaves behind, and that parameters are updated in place.
// RUN: dann-opt %s -dann-graph-pipeline -o %t.graph.mlir
// RUN: FileCheck %s --check-prefix=GRAPH --implicit-check-not=dann.training --implicit-check-not=dann.value_and_grad --implicit-check-not="call @" < %t.graph.mlir
// RUN: dann-opt %t.graph.mlir -convert-dann-to-onednn -canonicalize -cse | FileCheck %s --check-prefix=PRODUCTS
//
// RUN: dann-opt %t.graph.mlir -dann-onednn-pipeline -o %t.onednn.mlir
// RUN: FileCheck %s --check-prefix=LOOPS --implicit-check-not="= dann." --implicit-check-not="onednn.matmul" --implicit-check-not="linalg." --implicit-check-not="tensor<" < %t.onednn.mlir
// RUN: FileCheck %s --check-prefix=ONEDNN < %t.onednn.mlir
// RUN: dann-opt %t.onednn.mlir -dann-llvm-pipeline | FileCheck %s --check-prefixes=LLVM --implicit-check-not="builtin." --implicit-check-not="memref." --implicit-check-not="scf."
//
// RUN: dann-opt %t.graph.mlir -dann-generated-pipeline -o %t.generated.mlir
// RUN: FileCheck %s --check-prefixes=LOOPS,GENERATED --implicit-check-not="= dann." --implicit-check-not="dann_onednn" --implicit-check-not="linalg." --implicit-check-not="tensor<" < %t.generated.mlir
// RUN: dann-opt %t.generated.mlir -dann-llvm-pipeline | FileCheck %s --check-prefixes=LLVM --implicit-check-not="builtin." --implicit-check-not="memref." --implicit-check-not="scf."

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

// No product is computed twice. Of a divisive layer there are 4 forward, 6 for
// the parameters, 2 more for the input, which the first layer's gradient lacks.
// PRODUCTS-LABEL: func.func @train_step
// PRODUCTS-COUNT-22: onednn.matmul
// PRODUCTS-NOT: onednn.matmul
// PRODUCTS: return
func.func @init(%seed: tensor<i64> {dann.name = "seed"}) -> (tensor<6x8xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>}) {
  %0 = dann.random exponential scale 0.25 stream 0 seed %seed : tensor<i64> -> tensor<6x8xf32>
  return %0 : tensor<6x8xf32>
}

// Results became arguments; those that replace a parameter are gone, and the new
// values are computed in the parameters' buffers: nothing is copied into them.
// LOOPS-LABEL: func.func @init
// LOOPS-SAME: (%{{[^:]*}}: memref<i64> {dann.name = "seed"}, %{{[^:]*}}: memref<6x8xf32> {dann.name = "0.wex", dann.sign = #dann<sign nonneg>}) {
// LOOPS-LABEL: func.func @train_step
// LOOPS-SAME: %[[WEX0:[^:]*]]: memref<6x8xf32> {dann.name = "0.wex"
// LOOPS-SAME: %[[WEI0:[^:]*]]: memref<6x2xf32> {dann.name = "0.wei"
// LOOPS-SAME: %[[B1:[^:]*]]: memref<4xf32> {dann.name = "1.b", dann.role = #dann<role b>}, %[[LOSS:[^:]*]]: memref<f32> {dann.name = "loss"})
// LOOPS-SAME: attributes {dann.settings =
// LOOPS-NOT: memref.copy %{{.*}}, %arg
// GENERATED: memref.store %{{.*}}, %[[WEX0]][
// LOOPS-NOT: memref.copy %{{.*}}, %arg
// LOOPS: memref.store %{{.*}}, %[[WEI0]][
// LOOPS-NOT: memref.copy %{{.*}}, %arg
// LOOPS: memref.store %{{.*}}, %[[B1]][
// LOOPS-NOT: memref.copy %{{.*}}, %arg
// LOOPS: return

// 18 products, then an update of each wex and wix with that as destination.
// ONEDNN-LABEL: func.func @train_step
// ONEDNN-SAME: %[[WEX0:[^:]*]]: memref<6x8xf32> {dann.name = "0.wex"
// ONEDNN-SAME: %[[WIX0:[^:]*]]: memref<2x8xf32> {dann.name = "0.wix"
// ONEDNN-SAME: %[[WEX1:[^:]*]]: memref<4x6xf32> {dann.name = "1.wex"
// ONEDNN-SAME: %[[WIX1:[^:]*]]: memref<1x6xf32> {dann.name = "1.wix"
// ONEDNN-COUNT-18: call @dann_onednn_matmul
// ONEDNN: %[[DST:.*]] = memref.cast %[[WEX0]]
// ONEDNN: call @dann_onednn_matmul(%{{[^,]*}}, %{{[^,]*}}, %[[DST]], %{{[^,]*}}, %c13_i64{{[_0-9]*}})
// ONEDNN: %[[DST:.*]] = memref.cast %[[WIX0]]
// ONEDNN: call @dann_onednn_matmul(%{{[^,]*}}, %{{[^,]*}}, %[[DST]], %{{[^,]*}}, %c13_i64{{[_0-9]*}})
// ONEDNN: %[[DST:.*]] = memref.cast %[[WEX1]]
// ONEDNN: call @dann_onednn_matmul(%{{[^,]*}}, %{{[^,]*}}, %[[DST]], %{{[^,]*}}, %c13_i64{{[_0-9]*}})
// ONEDNN: %[[DST:.*]] = memref.cast %[[WIX1]]
// ONEDNN: call @dann_onednn_matmul(%{{[^,]*}}, %{{[^,]*}}, %[[DST]], %{{[^,]*}}, %c13_i64{{[_0-9]*}})
// ONEDNN-NOT: call @dann_onednn_matmul

// LLVM-DAG: llvm.func @_mlir_ciface_init
// LLVM-DAG: llvm.func @_mlir_ciface_forward
// LLVM-DAG: llvm.func @_mlir_ciface_loss_and_gradients
// LLVM-DAG: llvm.func @_mlir_ciface_evaluate
// LLVM-DAG: llvm.func @_mlir_ciface_train_step

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

dann.training @training of @forward loss softmax_cross_entropy optimizer sgd correct_inhibition project
  {batch_size = 32 : i64, epochs = 1 : i64, learning_rate = 0.1 : f64}
