// --dann-distribute in loops over steps, and of images.
// RUN: dann-opt %s -split-input-file -dann-distribute -canonicalize -cse | FileCheck %s -enable-var-scope

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// A recurrence: each thread goes through all steps with samples of its own. What
// a step gives the next one stays with its thread, so that no barrier stands in
// the loop.
// CHECK-LABEL: func @steps
// CHECK-SAME: (%[[W:.*]]: memref<100x100xf32>, %[[H:.*]]: memref<100x?xf32>, %[[Z:.*]]: memref<100x?xf32>, %[[ALL:.*]]: memref<28x100x?xf32>)
// CHECK: call @dann_thread_index
// CHECK: scf.for %[[T:.*]] = %c0 to %c28 step %c1 {
// CHECK-NOT: dann_barrier
// CHECK-NOT: scf.if
// CHECK: %[[UNITS:.*]] = arith.ceildivsi %{{.*}}, %c16
// CHECK: %[[BEGIN:.*]] = arith.minsi
// CHECK: %[[SIZE:.*]] = arith.minsi
// CHECK: memref.subview %[[Z]][0, %[[BEGIN]]] [100, %[[SIZE]]] [1, 1]
// CHECK: linalg.fill
// CHECK: memref.subview %[[H]][0, %[[BEGIN]]] [100, %[[SIZE]]] [1, 1]
// CHECK: linalg.contract {{.*}} ins(%[[W]], %{{.*}} : memref<100x100xf32>,
// CHECK: linalg.generic
// CHECK: arith.maximumf
// CHECK: linalg.copy
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @steps(%w: memref<100x100xf32>, %h: memref<100x?xf32>, %z: memref<100x?xf32>, %all: memref<28x100x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c28 = arith.constant 28 : index
  %zero = arith.constant 0.0 : f32
  %n = memref.dim %all, %c1 : memref<28x100x?xf32>
  scf.for %t = %c0 to %c28 step %c1 {
    linalg.fill ins(%zero : f32) outs(%z : memref<100x?xf32>)
    linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%w, %h : memref<100x100xf32>, memref<100x?xf32>) outs(%z : memref<100x?xf32>)
    linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%z : memref<100x?xf32>) outs(%z : memref<100x?xf32>) {
    ^bb0(%x: f32, %out: f32):
      %0 = arith.maximumf %x, %zero : f32
      linalg.yield %0 : f32
    }
    linalg.copy ins(%z : memref<100x?xf32>) outs(%h : memref<100x?xf32>)
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// What sums over samples reads those of all threads: a barrier before it, and one
// before the next step changes what it reads.
// CHECK-LABEL: func @gradient
// CHECK: scf.for
// CHECK-NEXT: call @dann_barrier
// CHECK-NOT: dann_barrier
// CHECK: linalg.copy
// CHECK-NEXT: call @dann_barrier
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @gradient(%x: memref<100x?xf32>, %h: memref<100x?xf32>, %t: memref<?x100xf32>, %dw: memref<100x100xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c28 = arith.constant 28 : index
  scf.for %i = %c0 to %c28 step %c1 {
    linalg.copy ins(%x : memref<100x?xf32>) outs(%h : memref<100x?xf32>)
    linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%h, %t : memref<100x?xf32>, memref<?x100xf32>) outs(%dw : memref<100x100xf32>)
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Weights that no cache holds twice are shared by rows, with a barrier where a
// step reads the last one's result.
// CHECK-LABEL: func @large
// CHECK-SAME: (%[[W:.*]]: memref<1024x1024xf32>,
// CHECK: scf.for
// CHECK-NEXT: call @dann_barrier
// CHECK: memref.subview %[[W]][%{{.*}}, 0] [%{{.*}}, 1024] [1, 1]
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK-NEXT: call @dann_barrier
// CHECK-NOT: dann_barrier
// CHECK: linalg.copy
// CHECK: return
func.func @large(%w: memref<1024x1024xf32>, %h: memref<1024x?xf32>, %z: memref<1024x?xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c28 = arith.constant 28 : index
  scf.for %i = %c0 to %c28 step %c1 {
    linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%w, %h : memref<1024x1024xf32>, memref<1024x?xf32>) outs(%z : memref<1024x?xf32>)
    linalg.copy ins(%z : memref<1024x?xf32>) outs(%h : memref<1024x?xf32>)
  }
  return
}

// -----

// Small work without samples stays on one thread, the loop and all.
// CHECK-LABEL: func @small
// CHECK: scf.if
// CHECK-NEXT: scf.for
func.func @small(%v: memref<8xf32>, %w: memref<8xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c28 = arith.constant 28 : index
  scf.for %i = %c0 to %c28 step %c1 {
    linalg.exp ins(%v : memref<8xf32>) outs(%w : memref<8xf32>)
    linalg.exp ins(%w : memref<8xf32>) outs(%v : memref<8xf32>)
  }
  return
}

// -----

#id = affine_map<(c, i, j, b) -> (c, i, j, b)>

// Images of few channels are shared by their rows, those of many by channels.
// CHECK-LABEL: func @images
// CHECK-SAME: (%[[FEW:.*]]: memref<3x32x32x?xf32>, %[[MANY:.*]]: memref<64x8x8x?xf32>)
// CHECK: memref.subview %[[FEW]][0, %[[ROW:.*]], 0, 0] [3, %{{.*}}, 32, %{{.*}}] [1, 1, 1, 1]
// CHECK: linalg.generic
// CHECK-NOT: dann_barrier
// CHECK: memref.subview %[[MANY]][%{{.*}}, 0, 0, 0] [%{{.*}}, 8, 8, %{{.*}}] [1, 1, 1, 1]
// CHECK: linalg.generic
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @images(%few: memref<3x32x32x?xf32>, %many: memref<64x8x8x?xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%few : memref<3x32x32x?xf32>) outs(%few : memref<3x32x32x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%many : memref<64x8x8x?xf32>) outs(%many : memref<64x8x8x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  }
  return
}
