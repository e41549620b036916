// --dann-plan-memory places all buffers of a function in one.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -pass-pipeline="builtin.module(func.func(dann-plan-memory))" | FileCheck %s --implicit-check-not=memref.alloc

// Buffers share memory only if a barrier lies between all their uses: without
// one, a fast thread would overwrite what a slow one still reads. Of a, b and c,
// 256 bytes each, c takes the place of a alone.
// CHECK-LABEL: func @phases
// CHECK-SAME: %[[SCRATCH:[^:]*]]: memref<?xi8>) attributes {dann.scratch = array<i64: 512, 0, 512, 0>}
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT: %[[A:.*]] = memref.view %[[SCRATCH]][%[[C0]]][] : memref<?xi8> to memref<64xf32>
// CHECK: %[[C256:.*]] = arith.constant 256 : index
// CHECK-NEXT: %[[B:.*]] = memref.view %[[SCRATCH]][%[[C256]]][] : memref<?xi8> to memref<64xf32>
// CHECK: linalg.exp ins(%[[A]] : {{.*}}) outs(%[[B]] :
// CHECK-NEXT: call @dann_barrier
// CHECK: %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT: %[[C:.*]] = memref.view %[[SCRATCH]][%[[C0]]][] : memref<?xi8> to memref<64xf32>
// CHECK-NEXT: linalg.exp ins(%[[B]] : {{.*}}) outs(%[[C]] :
func.func private @dann_barrier()
func.func @phases() {
  %a = memref.alloc() : memref<64xf32>
  %b = memref.alloc() : memref<64xf32>
  %c = memref.alloc() : memref<64xf32>
  linalg.exp ins(%a : memref<64xf32>) outs(%b : memref<64xf32>)
  call @dann_barrier() : () -> ()
  linalg.exp ins(%b : memref<64xf32>) outs(%c : memref<64xf32>)
  return
}

// -----

// The same without a barrier: three places, though only two are ever alive.
// CHECK-LABEL: func @one_phase
// CHECK-SAME: dann.scratch = array<i64: 768, 0, 512, 0>
// CHECK-DAG: arith.constant 0 : index
// CHECK-DAG: arith.constant 256 : index
// CHECK-DAG: arith.constant 512 : index
// CHECK: return
func.func @one_phase() {
  %a = memref.alloc() : memref<64xf32>
  %b = memref.alloc() : memref<64xf32>
  %c = memref.alloc() : memref<64xf32>
  linalg.exp ins(%a : memref<64xf32>) outs(%b : memref<64xf32>)
  linalg.exp ins(%b : memref<64xf32>) outs(%c : memref<64xf32>)
  return
}

// -----

// Uses of views, and in nested regions, are uses of the buffer.
// CHECK-LABEL: func @views
// CHECK-SAME: dann.scratch = array<i64: 512, 0,
func.func private @dann_barrier()
func.func @views(%condition: i1) {
  %a = memref.alloc() : memref<64xf32>
  %b = memref.alloc() : memref<64xf32>
  %part = memref.subview %a[0] [32] [1] : memref<64xf32> to memref<32xf32, strided<[1]>>
  call @dann_barrier() : () -> ()
  linalg.exp ins(%b : memref<64xf32>) outs(%b : memref<64xf32>)
  scf.if %condition {
    linalg.exp ins(%part : memref<32xf32, strided<[1]>>) outs(%part : memref<32xf32, strided<[1]>>)
  }
  return
}

// -----

// Sizes are multiples of 64 bytes. Those that depend on the batch count in
// groups of 16 samples, n / 16 rounded up, behind the fixed ones: 4 floats are
// 64 bytes, 3 x 16 floats are 192 a group.
// CHECK-LABEL: func @batch
// CHECK-SAME: (%[[N:[^:]*]]: index, %[[SCRATCH:[^:]*]]: memref<?xi8>)
// CHECK-SAME: dann.scratch = array<i64: 64, 448, 64, 448>
// CHECK: %[[C16:.*]] = arith.constant 16 : index
// CHECK-NEXT: %[[GROUPS:.*]] = arith.ceildivui %[[N]], %[[C16]]
// CHECK: memref.view %[[SCRATCH]][%{{.*}}][] : memref<?xi8> to memref<4xf32>
// The larger one comes first.
// CHECK: %[[UNIT:.*]] = arith.constant 256 : index
// CHECK: %[[OFFSET:.*]] = arith.muli %[[GROUPS]], %[[UNIT]]
// CHECK: %[[SHIFT:.*]] = arith.addi %[[OFFSET]], %c64{{.*}} : index
// CHECK: memref.view %[[SCRATCH]][%[[SHIFT]]][%[[N]]] : memref<?xi8> to memref<3x?xf32>
// CHECK: memref.view %[[SCRATCH]][%{{.*}}][%[[N]]] : memref<?xi8> to memref<?x2xf64>
func.func @batch(%n: index) {
  %zero = arith.constant 0.0 : f32
  %zero64 = arith.constant 0.0 : f64
  %a = memref.alloc() : memref<4xf32>
  %b = memref.alloc(%n) : memref<3x?xf32>
  %c = memref.alloc(%n) : memref<?x2xf64>
  linalg.fill ins(%zero : f32) outs(%a : memref<4xf32>)
  linalg.fill ins(%zero : f32) outs(%b : memref<3x?xf32>)
  linalg.fill ins(%zero64 : f64) outs(%c : memref<?x2xf64>)
  linalg.copy ins(%a : memref<4xf32>) outs(%a : memref<4xf32>)
  linalg.copy ins(%b : memref<3x?xf32>) outs(%b : memref<3x?xf32>)
  return
}

// -----

// An entry point without buffers needs nothing but gets the argument; private
// functions stay as they are.
// CHECK-LABEL: func @empty
// CHECK-SAME: (%{{.*}}: memref<?xi8>) attributes {dann.scratch = array<i64: 0, 0, 0, 0>}
// CHECK-LABEL: func private @helper()
// CHECK-NOT: dann.scratch
// CHECK-LABEL: func @user
func.func @empty() {
  return
}
func.func private @helper() {
  return
}
func.func @user() {
  call @helper() : () -> ()
  return
}

// -----

// A buffer of a loop lives as long as the loop, and what a branch gives as long
// as that is used: none of the three shares memory with another.
// CHECK-LABEL: func @regions
// CHECK-SAME: dann.scratch = array<i64: 768, 0, 768, 0>
func.func @regions(%n: index, %condition: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.if %condition -> memref<64xf32> {
    %a = memref.alloc() : memref<64xf32>
    linalg.exp ins(%a : memref<64xf32>) outs(%a : memref<64xf32>)
    scf.yield %a : memref<64xf32>
  } else {
    %b = memref.alloc() : memref<64xf32>
    linalg.exp ins(%b : memref<64xf32>) outs(%b : memref<64xf32>)
    scf.yield %b : memref<64xf32>
  }
  scf.for %i = %c0 to %n step %c1 {
    %c = memref.alloc() : memref<64xf32>
    linalg.exp ins(%r : memref<64xf32>) outs(%c : memref<64xf32>)
  }
  return
}

// -----

func.func @two_sizes(%n: index) {
  // expected-error @below {{'memref.alloc' op of this type cannot be planned: only the batch may be dynamic}}
  %a = memref.alloc(%n, %n) : memref<?x?xf32>
  linalg.exp ins(%a : memref<?x?xf32>) outs(%a : memref<?x?xf32>)
  return
}
