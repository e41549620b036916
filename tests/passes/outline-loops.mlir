// --dann-outline-loops makes one function of operations that compute the same.
// RUN: dann-opt %s -split-input-file -dann-outline-loops | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// Two operations that differ in their sizes alone share a function; another body
// or another map needs its own.
// CHECK-LABEL: func @shared
// CHECK-NOT: linalg.
// CHECK: %[[X:.*]] = memref.cast %{{.*}} : memref<8x?xf32> to memref<?x?xf32, strided<[?, 1], offset: ?>>
// CHECK: call @dann_loops_0(%[[X]],
// CHECK: call @dann_loops_0(
// CHECK: call @dann_loops_1(
// CHECK: call @dann_loops_2(
// CHECK-NEXT: return
// CHECK-LABEL: func private @dann_loops_0
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[B:.*]]: memref<?xf32, strided<[1], offset: ?>>, %[[Y:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>)
// CHECK-SAME: attributes {passthrough = ["noinline"]}
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[B]] : {{.*}}) outs(%[[Y]] :
// CHECK: arith.addf
// CHECK: return
// CHECK-LABEL: func private @dann_loops_1
// CHECK: arith.subf
// CHECK-LABEL: func private @dann_loops_2
// CHECK: arith.addf
// CHECK-NOT: func private
func.func @shared(%x: memref<8x?xf32>, %b: memref<8xf32>, %y: memref<8x?xf32>, %u: memref<4x4xf32>, %c: memref<4xf32>, %v: memref<4x4xf32>) {
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b : memref<8x?xf32>, memref<8xf32>) outs(%y : memref<8x?xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%u, %c : memref<4x4xf32>, memref<4xf32>) outs(%v : memref<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%u, %c : memref<4x4xf32>, memref<4xf32>) outs(%v : memref<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %0 = arith.subf %p, %q : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (j)>, #id], iterator_types = ["parallel", "parallel"]} ins(%u, %c : memref<4x4xf32>, memref<4xf32>) outs(%v : memref<4x4xf32>) {
  ^bb0(%p: f32, %q: f32, %out: f32):
    %0 = arith.addf %p, %q : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i) -> (i)>

// Values from outside become arguments; constants go along and tell functions
// apart.
// CHECK-LABEL: func @captured
// CHECK-SAME: (%[[X:.*]]: memref<?xf32>, %[[S:.*]]: f32, %[[T:.*]]: f32)
// CHECK: call @dann_loops_0({{.*}}, %[[S]])
// CHECK: call @dann_loops_0({{.*}}, %[[T]])
// CHECK: call @dann_loops_1({{.*}}, %[[S]])
// CHECK-LABEL: func private @dann_loops_0
// CHECK-SAME: %[[VALUE:[^:]*]]: f32)
// CHECK: %[[TWO:.*]] = arith.constant 2.0
// CHECK: linalg.generic
// CHECK: %[[SUM:.*]] = arith.addf %{{.*}}, %[[VALUE]]
// CHECK-NEXT: arith.mulf %[[SUM]], %[[TWO]]
// CHECK-LABEL: func private @dann_loops_1
// CHECK: arith.constant 3.0
func.func @captured(%x: memref<?xf32>, %s: f32, %t: f32) {
  %two = arith.constant 2.0 : f32
  %three = arith.constant 3.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<?xf32>) outs(%x : memref<?xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.addf %p, %s : f32
    %1 = arith.mulf %0, %two : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<?xf32>) outs(%x : memref<?xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.addf %p, %t : f32
    %1 = arith.mulf %0, %two : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]} ins(%x : memref<?xf32>) outs(%x : memref<?xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.addf %p, %s : f32
    %1 = arith.mulf %0, %three : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// Two values from outside in one body, used the other way round.
// CHECK-LABEL: func @two_captured
// CHECK-SAME: %[[S:[^:]*]]: f32, %[[T:[^:]*]]: f32)
// CHECK: call @dann_loops_{{[01]}}({{.*}}, %[[S]], %[[T]])
// CHECK: call @dann_loops_{{[01]}}({{.*}}, %[[T]], %[[S]])
func.func @two_captured(%x: memref<?xf32>, %s: f32, %t: f32) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%out: f32):
    %0 = arith.subf %s, %t : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%out: f32):
    %0 = arith.subf %t, %s : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// The same operations on other ones of the captured values: s t + s and s t + t
// are two functions.
// CHECK-LABEL: func @same_captured
// CHECK: call @dann_loops_0(
// CHECK: call @dann_loops_1(
func.func @same_captured(%x: memref<?xf32>, %s: f32, %t: f32) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%out: f32):
    %0 = arith.mulf %s, %t : f32
    %1 = arith.addf %0, %s : f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%out: f32):
    %0 = arith.mulf %s, %t : f32
    %1 = arith.addf %0, %t : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// Fills, copies and transposes are operations like others; scalars and rows that
// are not contiguous stay.
// CHECK-LABEL: func @named
// CHECK: call @dann_loops_0(
// CHECK: call @dann_loops_1(
// CHECK: call @dann_loops_2(
// CHECK: linalg.generic {{.*}} outs(%{{.*}} : memref<4x4xf32, strided<[1, 4]>>)
// CHECK: linalg.fill {{.*}} outs(%{{.*}} : memref<f32>)
func.func @named(%x: memref<4x4xf32>, %y: memref<4x4xf32>, %t: memref<4x4xf32, strided<[1, 4]>>, %s: memref<f32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%x : memref<4x4xf32>)
  linalg.copy ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>)
  linalg.transpose ins(%x : memref<4x4xf32>) outs(%y : memref<4x4xf32>) permutation = [1, 0]
  linalg.fill ins(%zero : f32) outs(%t : memref<4x4xf32, strided<[1, 4]>>)
  linalg.fill ins(%zero : f32) outs(%s : memref<f32>)
  return
}

// -----

// Integer constants in which operations differ are arguments, as the stream of
// random numbers for a parameter; those that are the same in all of them stay.
// CHECK-LABEL: func @integers
// CHECK-SAME: (%[[X:.*]]: memref<?xi32>, %[[Y:.*]]: memref<?xi32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG: %[[TWO:.*]] = arith.constant 2 : i32
// CHECK: call @dann_loops_0(%{{.*}}, %[[ONE]])
// CHECK: call @dann_loops_0(%{{.*}}, %[[TWO]])
// CHECK: func private @dann_loops_0(%{{.*}}: memref<?xi32, {{.*}}>, %[[STREAM:.*]]: i32)
// CHECK: %[[THREE:.*]] = arith.constant 3 : i32
// CHECK: %[[KEY:.*]] = arith.xori %{{.*}}, %[[STREAM]]
// CHECK: arith.muli %[[KEY]], %[[THREE]]
// CHECK-NOT: func private
func.func @integers(%x: memref<?xi32>, %y: memref<?xi32>) {
  %1 = arith.constant 1 : i32
  %2 = arith.constant 2 : i32
  %3 = arith.constant 3 : i32
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xi32>) {
  ^bb0(%out: i32):
    %a = arith.xori %out, %1 : i32
    %b = arith.muli %a, %3 : i32
    linalg.yield %b : i32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%y : memref<?xi32>) {
  ^bb0(%out: i32):
    %a = arith.xori %out, %2 : i32
    %b = arith.muli %a, %3 : i32
    linalg.yield %b : i32
  }
  return
}
