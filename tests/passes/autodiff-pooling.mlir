// What --dann-autodiff makes of pools, whole: which entry of a window gets the
// cotangent, and where the windows of an entry are.
// RUN: dann-opt %s -dann-autodiff -symbol-dce -canonicalize -cse | FileCheck -enable-var-scope %s

// CHECK-DAG: #[[$X:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2 * 2 + d4, d3 + d5)>
// CHECK-DAG: #[[$WINDOW:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d4, d5)>
// CHECK-DAG: #[[$Z:.*]] = affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>

func.func private @maximum(%x: tensor<?x2x5x4xf32>) -> tensor<f32> {
  %least = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x2x5x4xf32>
  %empty = tensor.empty(%b) : tensor<?x2x2x3xf32>
  %init = linalg.fill ins(%least : f32) outs(%empty : tensor<?x2x2x3xf32>) -> tensor<?x2x2x3xf32>
  %window = tensor.empty() : tensor<3x2xf32>
  %z = linalg.pooling_nchw_max {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%x, %window : tensor<?x2x5x4xf32>, tensor<3x2xf32>) outs(%init : tensor<?x2x2x3xf32>) -> tensor<?x2x2x3xf32>
  %e0 = tensor.empty() : tensor<f32>
  %zero0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j, k, l) -> (i, j, k, l)>, affine_map<(i, j, k, l) -> ()>], iterator_types = ["reduction", "reduction", "reduction", "reduction"]}
      ins(%z : tensor<?x2x2x3xf32>) outs(%zero0 : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
// First the place in its window, in the order of rows, of the first entry that is
// the maximum (a NaN counts as one): the least of the places of all such entries,
// infinity for the others. Then each entry collects the cotangents of the windows
// in which it has that place.
// CHECK-LABEL: func @maximum_grad(
// CHECK-SAME: %[[X:.*]]: tensor<?x2x5x4xf32>)
// CHECK-DAG: %[[INF:.*]] = arith.constant 0x7F800000 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK-DAG: %[[COLUMNS:.*]] = arith.constant 2 : index
// CHECK: %[[Z:.*]] = linalg.pooling_nchw_max {{.*}} ins(%[[X]], %[[WINDOW:[^ ]*]] :
// CHECK: %[[DZ:.*]] = linalg.generic
// CHECK: %[[FAR:.*]] = linalg.fill ins(%[[INF]] : f32)
// CHECK: %[[PLACE:.*]] = linalg.generic {indexing_maps = [#[[$X]], #[[$WINDOW]], #[[$Z]], #[[$Z]]], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]} ins(%[[X]], %[[WINDOW]], %[[Z]] : {{.*}}) outs(%[[FAR]] :
// CHECK-NEXT: ^bb0(%[[IN:.*]]: f32, %{{.*}}: f32, %[[MAXIMUM:.*]]: f32, %[[LEAST:.*]]: f32):
// CHECK-NEXT: %[[IS_MAXIMUM:.*]] = arith.cmpf ueq, %[[IN]], %[[MAXIMUM]]
// CHECK-NEXT: %[[ROW:.*]] = linalg.index 4
// CHECK-NEXT: %[[COLUMN:.*]] = linalg.index 5
// CHECK-NEXT: %[[BEGIN:.*]] = arith.muli %[[ROW]], %[[COLUMNS]]
// CHECK-NEXT: %[[NUMBER:.*]] = arith.addi %[[BEGIN]], %[[COLUMN]]
// CHECK-NEXT: %[[INTEGER:.*]] = arith.index_cast %[[NUMBER]]
// CHECK-NEXT: %[[HERE:.*]] = arith.sitofp %[[INTEGER]]
// CHECK-NEXT: %[[CANDIDATE:.*]] = arith.select %[[IS_MAXIMUM]], %[[HERE]], %[[INF]]
// CHECK-NEXT: %[[NEXT:.*]] = arith.minimumf %[[LEAST]], %[[CANDIDATE]]
// CHECK-NEXT: linalg.yield %[[NEXT]]
// CHECK: %[[ZEROS:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<?x2x5x4xf32>)
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[$WINDOW]], #[[$Z]], #[[$Z]], #[[$X]]], iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction", "reduction"]} ins(%[[WINDOW]], %[[PLACE]], %[[DZ]] : {{.*}}) outs(%[[ZEROS]] :
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %[[CHOSEN:.*]]: f32, %[[COTANGENT:.*]]: f32, %[[SUM:.*]]: f32):
// CHECK-NEXT: %[[ROW:.*]] = linalg.index 4
// CHECK-NEXT: %[[COLUMN:.*]] = linalg.index 5
// CHECK-NEXT: %[[BEGIN:.*]] = arith.muli %[[ROW]], %[[COLUMNS]]
// CHECK-NEXT: %[[NUMBER:.*]] = arith.addi %[[BEGIN]], %[[COLUMN]]
// CHECK-NEXT: %[[INTEGER:.*]] = arith.index_cast %[[NUMBER]]
// CHECK-NEXT: %[[HERE:.*]] = arith.sitofp %[[INTEGER]]
// CHECK-NEXT: %[[IS_CHOSEN:.*]] = arith.cmpf oeq, %[[CHOSEN]], %[[HERE]]
// CHECK-NEXT: %[[TERM:.*]] = arith.select %[[IS_CHOSEN]], %[[COTANGENT]], %[[ZERO]]
// CHECK-NEXT: %[[NEXT:.*]] = arith.addf %[[SUM]], %[[TERM]]
// CHECK-NEXT: linalg.yield %[[NEXT]]
// CHECK: return %[[DX]]
func.func @maximum_grad(%x: tensor<?x2x5x4xf32>) -> tensor<?x2x5x4xf32> {
  %0:2 = dann.value_and_grad @maximum(%x) wrt [0] : (tensor<?x2x5x4xf32>) -> (tensor<f32>, tensor<?x2x5x4xf32>)
  return %0#1 : tensor<?x2x5x4xf32>
}
func.func private @sum(%x: tensor<?x2x5x4xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %b = tensor.dim %x, %c0 : tensor<?x2x5x4xf32>
  %padded = tensor.pad %x low[0, 0, 1, 0] high[0, 0, 1, 0] {
  ^bb0(%b0: index, %c: index, %h: index, %w: index):
    tensor.yield %zero : f32
  } : tensor<?x2x5x4xf32> to tensor<?x2x7x4xf32>
  %empty = tensor.empty(%b) : tensor<?x2x3x3xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %window = tensor.empty() : tensor<3x2xf32>
  %z = linalg.pooling_nchw_sum {strides = dense<[2, 1]> : tensor<2xi64>, dilations = dense<1> : tensor<2xi64>}
      ins(%padded, %window : tensor<?x2x7x4xf32>, tensor<3x2xf32>) outs(%init : tensor<?x2x3x3xf32>) -> tensor<?x2x3x3xf32>
  %e0 = tensor.empty() : tensor<f32>
  %zero0 = linalg.fill ins(%zero : f32) outs(%e0 : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j, k, l) -> (i, j, k, l)>, affine_map<(i, j, k, l) -> ()>], iterator_types = ["reduction", "reduction", "reduction", "reduction"]}
      ins(%z : tensor<?x2x3x3xf32>) outs(%zero0 : tensor<f32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.addf %out, %in : f32
    linalg.yield %0 : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
// Each entry collects the cotangents of its windows; those of the padding are
// cut off. Neither the sums nor their entries are needed.
// CHECK-LABEL: func @sum_grad(
// CHECK-NOT: linalg.pooling
// CHECK: %[[WINDOW:.*]] = tensor.empty() : tensor<3x2xf32>
// CHECK: %[[DZ:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<?x2x3x3xf32>)
// CHECK: %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<?x2x7x4xf32>
// CHECK: %[[DX:.*]] = linalg.generic {indexing_maps = [#[[$WINDOW]], #[[$Z]], #[[$X]]], iterator_types = ["parallel", "parallel", "reduction", "reduction", "reduction", "reduction"]} ins(%[[WINDOW]], %[[DZ]] : {{.*}}) outs(%[[ZEROS]] :
// CHECK-NEXT: ^bb0(%{{.*}}: f32, %[[COTANGENT:.*]]: f32, %[[SUM:.*]]: f32):
// CHECK-NEXT: %[[NEXT:.*]] = arith.addf %[[SUM]], %[[COTANGENT]]
// CHECK-NEXT: linalg.yield %[[NEXT]]
// CHECK: %[[CUT:.*]] = tensor.extract_slice %[[DX]][0, 0, 1, 0] [%{{.*}}, 2, 5, 4] [1, 1, 1, 1]
// CHECK: return %[[CUT]]
func.func @sum_grad(%x: tensor<?x2x5x4xf32>) -> tensor<?x2x5x4xf32> {
  %0:2 = dann.value_and_grad @sum(%x) wrt [0] : (tensor<?x2x5x4xf32>) -> (tensor<f32>, tensor<?x2x5x4xf32>)
  return %0#1 : tensor<?x2x5x4xf32>
}
