// --dann-batch-last turns activations [batch, features] and what products need.
// RUN: dann-opt %s -split-input-file -dann-batch-last -canonicalize | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// Two layers: x is turned once, what is between the products never. Weights stay
// as they are. z^T[n, m] = sum over k of h^T[k, m] w[n, k].
// CHECK-DAG: #[[$KM:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>
// CHECK-DAG: #[[$NK:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[$NM:.*]] = affine_map<(d0, d1, d2) -> (d1, d0)>
// CHECK-DAG: #[[$ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-LABEL: func @forward
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<6x8xf32>, %[[V:.*]]: tensor<4x6xf32>)
// CHECK: %[[XT:.*]] = linalg.transpose ins(%[[X]] : tensor<?x8xf32>) outs(%{{.*}} : tensor<8x?xf32>) permutation = [1, 0]
// CHECK-NOT: linalg.transpose
// CHECK: %[[ZEROS:.*]] = linalg.fill {{.*}} -> tensor<6x?xf32>
// CHECK: %[[Z:.*]] = linalg.contract indexing_maps = [#[[$KM]], #[[$NK]], #[[$NM]]] ins(%[[XT]], %[[W]] : tensor<8x?xf32>, tensor<6x8xf32>) outs(%[[ZEROS]] :
// CHECK-NOT: linalg.transpose
// CHECK: %[[H:.*]] = linalg.generic {indexing_maps = [#[[$ID]], #[[$ID]]], {{.*}} ins(%[[Z]] : tensor<6x?xf32>)
// CHECK-NOT: linalg.transpose
// CHECK: %[[Y:.*]] = linalg.contract indexing_maps = [#[[$KM]], #[[$NK]], #[[$NM]]] ins(%[[H]], %[[V]] : tensor<6x?xf32>, tensor<4x6xf32>) {{.*}} -> tensor<4x?xf32>
// CHECK: %[[RESULT:.*]] = linalg.transpose ins(%[[Y]] : tensor<4x?xf32>) outs(%{{.*}} : tensor<?x4xf32>) permutation = [1, 0]
// CHECK-NEXT: return %[[RESULT]]
func.func @forward(%x: tensor<?x8xf32>, %w: tensor<6x8xf32>, %v: tensor<4x6xf32>) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x6xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x6xf32>) -> tensor<?x6xf32>
  %z = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : tensor<?x8xf32>, tensor<6x8xf32>) outs(%zeros : tensor<?x6xf32>) -> tensor<?x6xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z : tensor<?x6xf32>) outs(%e : tensor<?x6xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.maximumf %in, %zero : f32
    linalg.yield %0 : f32
  } -> tensor<?x6xf32>
  %e4 = tensor.empty(%n) : tensor<?x4xf32>
  %zeros4 = linalg.fill ins(%zero : f32) outs(%e4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%h, %v : tensor<?x6xf32>, tensor<4x6xf32>) outs(%zeros4 : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// The gradient of the weights, dz^T . x: of dz[B, N] and x[B, K], which arrive
// batch-first, only dz is turned. x, turned twice, is itself.
// CHECK-DAG: #[[$MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[$MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func @weights
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x6xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<6x8xf32>)
// CHECK: %[[DZT:.*]] = linalg.transpose ins(%[[DZ]] :
// CHECK: linalg.contract indexing_maps = [#[[$MK]], #[[$KN]], #[[$MN]]] ins(%[[DZT]], %[[X]] : tensor<6x?xf32>, tensor<?x8xf32>) outs(%[[W]] :
func.func @weights(%dz: tensor<?x6xf32>, %x: tensor<?x8xf32>, %w: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %0 = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x6xf32>, tensor<?x8xf32>) outs(%w : tensor<6x8xf32>) -> tensor<6x8xf32>
  return %0 : tensor<6x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#first = affine_map<(i, j) -> (i)>
#second = affine_map<(i, j) -> (j)>

// Loops run in the order of the turned result; vectors and reductions over the
// features keep what they index.
// CHECK-DAG: #[[$ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$FEATURE:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-DAG: #[[$SAMPLE:.*]] = affine_map<(d0, d1) -> (d1)>
// CHECK-LABEL: func @vectors
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %[[BIAS:.*]]: tensor<8xf32>, %[[S:.*]]: tensor<?xf32>)
// CHECK: %[[XT:.*]] = linalg.transpose ins(%[[X]] :
// CHECK: linalg.generic {indexing_maps = [#[[$ID]], #[[$FEATURE]], #[[$SAMPLE]], #[[$ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[XT]], %[[BIAS]], %[[S]] : tensor<8x?xf32>, tensor<8xf32>, tensor<?xf32>)
func.func @vectors(%x: tensor<?x8xf32>, %bias: tensor<8xf32>, %s: tensor<?xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %z = linalg.generic {indexing_maps = [#id, #second, #first, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %bias, %s : tensor<?x8xf32>, tensor<8xf32>, tensor<?xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %b: f32, %f: f32, %out: f32):
    %0 = arith.mulf %in, %f : f32
    %1 = arith.addf %0, %b : f32
    linalg.yield %1 : f32
  } -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}

// -----

// What has another name than generic is made one.
// CHECK-LABEL: func @named
// CHECK: linalg.transpose
// CHECK: linalg.generic {{.*}} ins(%{{.*}} : tensor<8x?xf32>)
// CHECK: math.exp
// CHECK: linalg.transpose
func.func @named(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %0 = linalg.exp ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// -----

// Transposed twice is not transposed: nothing of a round trip is left.
// CHECK-LABEL: func @twice
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>)
// CHECK-NEXT: return %[[X]]
func.func @twice(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<8x?xf32>
  %xt = linalg.transpose ins(%x : tensor<?x8xf32>) outs(%e : tensor<8x?xf32>) permutation = [1, 0]
  %f = tensor.empty(%n) : tensor<?x8xf32>
  %0 = linalg.transpose ins(%xt : tensor<8x?xf32>) outs(%f : tensor<?x8xf32>) permutation = [1, 0]
  return %0 : tensor<?x8xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// What no pattern knows stays batch-first, between transposes.
// CHECK-LABEL: func @foreign
// CHECK: linalg.transpose
// CHECK: %[[H:.*]] = linalg.generic {{.*}} ins(%{{.*}} : tensor<8x?xf32>)
// CHECK: %[[FIRST:.*]] = linalg.transpose ins(%[[H]] : tensor<8x?xf32>) outs(%{{.*}} : tensor<?x8xf32>)
// CHECK: %[[R:.*]] = call @other(%[[FIRST]])
// CHECK: return %[[R]] : tensor<?x2x4xf32>
func.func private @other(tensor<?x8xf32>) -> tensor<?x2x4xf32>
func.func @foreign(%x: tensor<?x8xf32>) -> tensor<?x2x4xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x8xf32>
  %h = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : tensor<?x8xf32>) outs(%e : tensor<?x8xf32>) {
  ^bb0(%in: f32, %out: f32):
    %0 = arith.negf %in : f32
    linalg.yield %0 : f32
  } -> tensor<?x8xf32>
  %r = call @other(%h) : (tensor<?x8xf32>) -> tensor<?x2x4xf32>
  return %r : tensor<?x2x4xf32>
}

// -----

// Without a batch nothing is turned, nor are vectors over the batch.
// CHECK-LABEL: func @no_batch
// CHECK-NOT: linalg.transpose
// CHECK: return
func.func @no_batch(%x: tensor<4x8xf32>, %s: tensor<?xf32>) -> (tensor<4x8xf32>, tensor<?xf32>) {
  %e = tensor.empty() : tensor<4x8xf32>
  %0 = linalg.exp ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %1 = linalg.exp ins(%s : tensor<?xf32>) outs(%s : tensor<?xf32>) -> tensor<?xf32>
  return %0, %1 : tensor<4x8xf32>, tensor<?xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Reshapes turn with the rest, if they leave the batch alone, and so do scans,
// with their bodies: of samples [steps, inputs] steps become the leading
// dimension by the one transpose of the input.
// CHECK-LABEL: func @recurrence
// CHECK-SAME: (%[[X:.*]]: tensor<?x10xf32>, %[[H:.*]]: tensor<?x2xf32>)
// CHECK-DAG: %[[XT:.*]] = linalg.transpose ins(%[[X]] : tensor<?x10xf32>) outs(%{{.*}} : tensor<10x?xf32>)
// CHECK-DAG: %[[XS:.*]] = tensor.expand_shape %[[XT]] {{\[}}[0, 1], [2]] {{.*}} into tensor<5x2x?xf32>
// CHECK-DAG: %[[HT:.*]] = linalg.transpose ins(%[[H]] : tensor<?x2xf32>) outs(%{{.*}} : tensor<2x?xf32>)
// CHECK: %[[SCAN:.*]] = dann.scan initial(%[[HT]]) over(%[[XS]])
// CHECK-NOT: linalg.transpose
// CHECK: linalg.generic {{.*}} ins(%{{.*}}, %{{.*}} : tensor<2x?xf32>, tensor<2x?xf32>)
// CHECK-NOT: linalg.transpose
// CHECK: dann.yield carries(%{{.*}} : tensor<2x?xf32>)
// CHECK: %[[R:.*]] = linalg.transpose ins(%[[SCAN]]
// CHECK: return %[[R]] : tensor<?x2xf32>
func.func @recurrence(%x: tensor<?x10xf32>, %h: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x10xf32>
  %r = tensor.expand_shape %x [[0], [1, 2]] output_shape [%n, 5, 2] : tensor<?x10xf32> into tensor<?x5x2xf32>
  %e = tensor.empty(%n) : tensor<5x?x2xf32>
  %xs = linalg.transpose ins(%r : tensor<?x5x2xf32>) outs(%e : tensor<5x?x2xf32>) permutation = [1, 0, 2]
  %last = dann.scan initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<?x2xf32>, %s: tensor<?x2xf32>):
    %d0 = arith.constant 0 : index
    %m = tensor.dim %s, %d0 : tensor<?x2xf32>
    %f = tensor.empty(%m) : tensor<?x2xf32>
    %sum = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %s : tensor<?x2xf32>, tensor<?x2xf32>) outs(%f : tensor<?x2xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %0 = arith.addf %a, %b : f32
      linalg.yield %0 : f32
    } -> tensor<?x2xf32>
    dann.yield carries(%sum : tensor<?x2xf32>) outputs()
  } : (tensor<?x2xf32>, tensor<5x?x2xf32>) -> tensor<?x2xf32>
  return %last : tensor<?x2xf32>
}
