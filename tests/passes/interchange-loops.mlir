// --dann-interchange-loops moves the loop along which most operands of a
// product are contiguous to the innermost place.
// RUN: dann-opt %s -pass-pipeline="builtin.module(func.func(dann-interchange-loops))" | FileCheck %s

// CHECK-DAG: #[[$MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$NK:.*]] = affine_map<(d0, d1, d2) -> (d1, d2)>
// CHECK-DAG: #[[$MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$KM:.*]] = affine_map<(d0, d1, d2) -> (d1, d0)>

#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// x . w^T: two of three are contiguous along k, a dot product.
// CHECK-LABEL: func @forward
// CHECK: linalg.generic {indexing_maps = [#[[$MK]], #[[$NK]], #[[$MN]]], iterator_types = ["parallel", "parallel", "reduction"]}
func.func @forward(%x: memref<?x8xf32>, %w: memref<4x8xf32>, %z: memref<?x4xf32>) {
  linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : memref<?x8xf32>, memref<4x8xf32>) outs(%z : memref<?x4xf32>)
  return
}

// dz . w: two of three along n, a sum of rows: (m, k, n).
// CHECK-LABEL: func @input_gradient
// CHECK: linalg.generic {indexing_maps = [#[[$MN]], #[[$NK]], #[[$MK]]], iterator_types = ["parallel", "reduction", "parallel"]}
func.func @input_gradient(%dz: memref<?x4xf32>, %w: memref<4x8xf32>, %dx: memref<?x8xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%dz, %w : memref<?x4xf32>, memref<4x8xf32>) outs(%dx : memref<?x8xf32>)
  return
}

// dz^T . x: along n again.
// CHECK-LABEL: func @weight_gradient
// CHECK: linalg.generic {indexing_maps = [#[[$KM]], #[[$NK]], #[[$MK]]], iterator_types = ["parallel", "reduction", "parallel"]}
func.func @weight_gradient(%dz: memref<?x4xf32>, %x: memref<?x8xf32>, %dw: memref<4x8xf32>) {
  linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : memref<?x4xf32>, memref<?x8xf32>) outs(%dw : memref<4x8xf32>)
  return
}

// What is no product stays as it is.
// CHECK-LABEL: func @elementwise
// CHECK: linalg.exp
func.func @elementwise(%x: memref<4xf32>, %y: memref<4xf32>) {
  linalg.exp ins(%x : memref<4xf32>) outs(%y : memref<4xf32>)
  return
}
