// --dann-lower-entry-points: one argument, from which buffers are loaded.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-lower-entry-points | FileCheck %s

func.func private @use(memref<?x3xf32>, memref<4x?xf32>)

// Of a descriptor only the address is read, and what the type leaves open. An
// argument without uses is not loaded.
// CHECK-LABEL: func @entry
// CHECK-SAME: (%[[DESCRIPTORS:[^:]*]]: !llvm.ptr) attributes {dann.scratch
// CHECK: call @before
// CHECK-NEXT: %[[SLOT0:.*]] = llvm.getelementptr %[[DESCRIPTORS]][0] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK-NEXT: %[[X:.*]] = llvm.load %[[SLOT0]] : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.getelementptr %[[X]][0, 1]
// CHECK: %[[SIZE:.*]] = llvm.getelementptr %[[X]][0, 3, 0]
// CHECK-NEXT: llvm.load %[[SIZE]] : !llvm.ptr -> i64
// CHECK-NOT: llvm.load
// CHECK: %[[BUFFER0:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<?x3xf32>
// CHECK-NEXT: %[[SLOT2:.*]] = llvm.getelementptr %[[DESCRIPTORS]][2] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
// CHECK-NEXT: %[[Y:.*]] = llvm.load %[[SLOT2]] : !llvm.ptr -> !llvm.ptr
// CHECK: llvm.getelementptr %[[Y]][0, 1]
// CHECK: llvm.getelementptr %[[Y]][0, 4, 0]
// CHECK: llvm.getelementptr %[[Y]][0, 3, 1]
// CHECK-NOT: llvm.load {{.*}} -> !llvm.ptr
// CHECK: %[[BUFFER2:.*]] = builtin.unrealized_conversion_cast %{{.*}} to memref<4x?xf32>
// CHECK-NEXT: call @use(%[[BUFFER0]], %[[BUFFER2]])
func.func private @before()
func.func @entry(%x: memref<?x3xf32> {dann.name = "x"}, %unused: memref<3xf32>, %y: memref<4x?xf32>) attributes {dann.scratch = array<i64: 0, 0, 0, 0>} {
  call @before() : () -> ()
  call @use(%x, %y) : (memref<?x3xf32>, memref<4x?xf32>) -> ()
  return
}

// What has no memory plan is no entry point.
// CHECK-LABEL: func @kernel
// CHECK-SAME: memref<3xf32>
func.func @kernel(%x: memref<3xf32>) {
  return
}

// -----

// expected-error @below {{takes 'memref<3xf32, strided<[2]>>': arguments of entry points are contiguous buffers}}
func.func @strided(%x: memref<3xf32, strided<[2]>>) attributes {dann.scratch = array<i64: 0, 0, 0, 0>} {
  return
}

// -----

// expected-error @below {{returns a value: results of entry points are buffers among the arguments}}
func.func @result(%x: memref<3xf32>) -> memref<3xf32> attributes {dann.scratch = array<i64: 0, 0, 0, 0>} {
  return %x : memref<3xf32>
}
