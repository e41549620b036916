// RUN: dann-opt %s -dann-split-products | FileCheck -enable-var-scope %s

// CHECK-DAG: #[[$A:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$B:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[$C:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-LABEL: func @steps(
// CHECK-SAME: %[[D:[^:]*]]: memref<5x4x?xf32>, %[[X:[^:]*]]: memref<5x?x8xf32>, %[[W:[^:]*]]: memref<4x8xf32>)
// CHECK: scf.for %[[T:.*]] = %{{.*}} to %{{.*}} step
// CHECK: %[[DT:.*]] = memref.subview %[[D]][%[[T]], 0, 0] [1, 4, %{{.*}}] [1, 1, 1] : memref<5x4x?xf32> to memref<4x?xf32
// CHECK: %[[XT:.*]] = memref.subview %[[X]][%[[T]], 0, 0] [1, %{{.*}}, 8] [1, 1, 1] : memref<5x?x8xf32> to memref<?x8xf32
// CHECK: linalg.contract indexing_maps = [#[[$A]], #[[$B]], #[[$C]]] {dann.kernel = "generated"} ins(%[[DT]], %[[XT]] : {{.*}}) outs(%[[W]] : memref<4x8xf32>)
func.func @steps(%d: memref<5x4x?xf32>, %x: memref<5x?x8xf32>, %w: memref<4x8xf32>) {
  linalg.contract indexing_maps = [affine_map<(t, m, n, k) -> (t, m, k)>, affine_map<(t, m, n, k) -> (t, k, n)>, affine_map<(t, m, n, k) -> (m, n)>]
    {dann.kernel = "generated"}
    ins(%d, %x : memref<5x4x?xf32>, memref<5x?x8xf32>) outs(%w : memref<4x8xf32>)
  return
}
