// --dann-finalize-results drops the results that replace an argument and gives
// the others a buffer each.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -pass-pipeline="builtin.module(func.func(dann-finalize-results))" | FileCheck %s

// Computed in place: nothing to copy.
// CHECK-LABEL: func @in_place
// CHECK-SAME: (%[[LOSS:.*]]: memref<f32>, %[[W:.*]]: memref<4xf32>) -> (memref<f32> {dann.name = "loss"}) {
// CHECK-NEXT: return %[[LOSS]] : memref<f32>
func.func @in_place(%loss: memref<f32>, %w: memref<4xf32>) -> (memref<f32> {dann.name = "loss"}, memref<4xf32> {dann.updates = 1 : i64}) {
  return %loss, %w : memref<f32>, memref<4xf32>
}

// Computed elsewhere.
// CHECK-LABEL: func @copied
// CHECK-SAME: (%[[W:.*]]: memref<4xf32>) {
// CHECK-NEXT: %[[NEW:.*]] = memref.alloc()
// CHECK-NEXT: memref.copy %[[NEW]], %[[W]]
// CHECK-NEXT: return
func.func @copied(%w: memref<4xf32>) -> (memref<4xf32> {dann.updates = 0 : i64}) {
  %0 = memref.alloc() : memref<4xf32>
  return %0 : memref<4xf32>
}

// Returned twice.
// CHECK-LABEL: func @twice
// CHECK-SAME: (%[[X:.*]]: memref<?x4xf32>)
// CHECK: %[[SIZE:.*]] = memref.dim %[[X]], %{{.*}}
// CHECK: %[[OTHER:.*]] = memref.alloc(%[[SIZE]]) : memref<?x4xf32>
// CHECK-NEXT: memref.copy %[[X]], %[[OTHER]]
// CHECK-NEXT: return %[[X]], %[[OTHER]]
func.func @twice(%x: memref<?x4xf32>) -> (memref<?x4xf32>, memref<?x4xf32>) {
  return %x, %x : memref<?x4xf32>, memref<?x4xf32>
}

// Buffers that are the new value of one argument and the old one of another are
// saved before either is overwritten.
// CHECK-LABEL: func @swap
// CHECK-SAME: (%[[A:.*]]: memref<4xf32>, %[[B:.*]]: memref<4xf32>)
// CHECK: memref.copy %[[B]], %[[OLD_B:.*]] :
// CHECK: memref.copy %[[A]], %[[OLD_A:.*]] :
// CHECK: memref.copy %[[OLD_B]], %[[A]]
// CHECK: memref.copy %[[OLD_A]], %[[B]]
func.func @swap(%a: memref<4xf32>, %b: memref<4xf32>) -> (memref<4xf32> {dann.updates = 0 : i64}, memref<4xf32> {dann.updates = 1 : i64}) {
  return %b, %a : memref<4xf32>, memref<4xf32>
}

// So is one that is returned with its old value.
// CHECK-LABEL: func @old_value
// CHECK-SAME: (%[[W:.*]]: memref<4xf32>, %[[NEW:.*]]: memref<4xf32>)
// CHECK: %[[OLD:.*]] = memref.alloc()
// CHECK: memref.copy %[[W]], %[[OLD]]
// CHECK: memref.copy %[[NEW]], %[[W]]
// CHECK: return %[[OLD]]
func.func @old_value(%w: memref<4xf32>, %new: memref<4xf32>) -> (memref<4xf32> {dann.updates = 0 : i64}, memref<4xf32>) {
  return %new, %w : memref<4xf32>, memref<4xf32>
}

// -----

// expected-error @below {{must be bufferized before its results can be finalized}}
func.func @tensor(%w: tensor<4xf32>) -> tensor<4xf32> {
  return %w : tensor<4xf32>
}
