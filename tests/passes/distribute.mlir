// --dann-distribute gives each thread its share of every operation.
// RUN: dann-opt %s -split-input-file -dann-distribute -canonicalize -cse | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// 32 rows: each thread has a range of them, in units of 4, the same for all
// operations on 32 rows, which follow each other without a barrier. A product
// and what belongs to it are one operation to the runtime.
// CHECK-LABEL: func @rows
// CHECK-SAME: (%[[A:.*]]: memref<32x8xf32>, %[[B:.*]]: memref<8x?xf32>, %[[C:.*]]: memref<32x?xf32>, %[[D:.*]]: memref<32x?xf32>)
// CHECK-SAME: dann.operations = [
// CHECK-SAME: {bytes = 1024 : i64, bytes_per_sample = 672 : i64, flops = 0 : i64, flops_per_sample = 544 : i64, kernel = "generated", name = "product 32x8 . 8xB"},
// CHECK-SAME: {bytes = 0 : i64, bytes_per_sample = 256 : i64, flops = 0 : i64, flops_per_sample = 32 : i64, kernel = "loops", name = "elementwise"}]
// CHECK: %[[INDEX:.*]] = call @dann_thread_index
// CHECK: %[[COUNT:.*]] = call @dann_thread_count
// CHECK: call @dann_begin_operation(%c0_i64)
// CHECK: %[[UNITS:.*]] = arith.ceildivsi %c8, %{{.*}} : index
// CHECK: arith.muli %[[UNITS]], %c4
// CHECK: %[[BEGIN:.*]] = arith.minsi %{{.*}}, %c32
// CHECK: %[[SIZE:.*]] = arith.minsi
// CHECK-NOT: dann_barrier
// CHECK-NOT: scf.if
// CHECK: memref.subview %[[C]][%[[BEGIN]], 0] [%[[SIZE]], %{{.*}}] [1, 1]
// CHECK: linalg.fill
// CHECK: memref.subview %[[A]][%[[BEGIN]], 0] [%[[SIZE]], 8] [1, 1]
// CHECK: linalg.contract {{.*}} {dann.kernel = "generated"} ins(
// CHECK-NOT: dann_b
// CHECK: linalg.generic
// CHECK-NOT: dann_barrier
// CHECK: call @dann_begin_operation(%c1_i64)
// CHECK-NOT: dann_barrier
// CHECK: linalg.generic
// CHECK-NOT: dann_barrier
// CHECK: call @dann_begin_operation(%c-1_i64)
// CHECK-NEXT: return
func.func @rows(%a: memref<32x8xf32>, %b: memref<8x?xf32>, %c: memref<32x?xf32>, %d: memref<32x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<32x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "generated"} ins(%a, %b : memref<32x8xf32>, memref<8x?xf32>) outs(%c : memref<32x?xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<32x?xf32>) outs(%c : memref<32x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = arith.maximumf %x, %zero : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<32x?xf32>) outs(%d : memref<32x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// The second product reads all rows of the first one's result: a barrier. The
// third writes what nobody has to wait for.
// CHECK-LABEL: func @products
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK: call @dann_barrier
// CHECK-NEXT: call @dann_begin_operation(%c1_i64)
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @products(%a: memref<32x8xf32>, %v: memref<32x32xf32>, %b: memref<8x?xf32>, %c: memref<32x?xf32>, %d: memref<32x?xf32>, %e: memref<32x?xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<32x8xf32>, memref<8x?xf32>) outs(%c : memref<32x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%v, %c : memref<32x32xf32>, memref<32x?xf32>) outs(%d : memref<32x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%v, %c : memref<32x32xf32>, memref<32x?xf32>) outs(%e : memref<32x?xf32>)
  return
}

// Nor may a thread overwrite what another one still reads.
// CHECK-LABEL: func @overwrites
// CHECK-NOT: dann_barrier
// CHECK: linalg.contract
// CHECK: call @dann_barrier
// CHECK: linalg.contract
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @overwrites(%a: memref<32x8xf32>, %v: memref<32x32xf32>, %b: memref<8x?xf32>, %c: memref<32x?xf32>, %d: memref<32x?xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%v, %c : memref<32x32xf32>, memref<32x?xf32>) outs(%d : memref<32x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<32x8xf32>, memref<8x?xf32>) outs(%c : memref<32x?xf32>)
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Rows are shared by their number: 32 rows and 48 rows of one buffer are not the
// same shares.
// CHECK-LABEL: func @other_rows
// CHECK: linalg.fill
// CHECK: call @dann_barrier
// CHECK: linalg.fill
func.func @other_rows(%c: memref<48x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %part = memref.subview %c[0, 0] [32, 8] [1, 1] : memref<48x8xf32> to memref<32x8xf32, strided<[8, 1]>>
  linalg.fill ins(%zero : f32) outs(%c : memref<48x8xf32>)
  linalg.fill ins(%zero : f32) outs(%part : memref<32x8xf32, strided<[8, 1]>>)
  return
}

// With few rows the columns are shared, if the batch is there, in units of 32.
// CHECK-LABEL: func @columns
// CHECK-SAME: (%[[C:.*]]: memref<4x?xf32>, %[[S:.*]]: memref<?xf32>)
// CHECK: %[[N:.*]] = memref.dim %[[C]], %c1
// CHECK: %[[UNITS:.*]] = arith.ceildivsi %[[N]], %c32
// CHECK: %[[BEGIN:.*]] = arith.minsi %{{.*}}, %[[N]]
// CHECK-NOT: dann_barrier
// CHECK: memref.subview %[[C]][0, %[[BEGIN]]] [4, %{{.*}}] [1, 1]
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "parallel"]
// CHECK-NOT: dann_barrier
// A sum over the rows is over columns of its own.
// CHECK: linalg.generic {{.*}} iterator_types = ["parallel", "reduction"]
// CHECK-NOT: dann_barrier
// CHECK: return
func.func @columns(%c: memref<4x?xf32>, %s: memref<?xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x?xf32>) outs(%c : memref<4x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = math.exp %x : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%c : memref<4x?xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%x: f32, %out: f32):
    %0 = arith.addf %x, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// What is too small runs on the first thread, for which the others wait.
// CHECK-LABEL: func @small
// CHECK: %[[INDEX:.*]] = call @dann_thread_index
// CHECK: %[[FIRST:.*]] = arith.cmpi eq, %{{.*}}, %c0
// CHECK-NOT: dann_barrier
// CHECK: scf.if %[[FIRST]] {
// CHECK-NEXT: linalg.fill
// CHECK-NEXT: linalg.exp
// CHECK-NEXT: }
// CHECK: call @dann_barrier
// CHECK-NOT: scf.if
// CHECK: linalg.generic
func.func @small(%s: memref<4xf32>, %c: memref<4x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%s : memref<4xf32>)
  linalg.exp ins(%s : memref<4xf32>) outs(%s : memref<4xf32>)
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i)>, #id], iterator_types = ["parallel", "parallel"]} ins(%s : memref<4xf32>) outs(%c : memref<4x?xf32>) {
  ^bb0(%x: f32, %out: f32):
    linalg.yield %x : f32
  }
  return
}

// A copy is shared like other operations; what is none of linalg's is left to
// the first thread.
// CHECK-LABEL: func @others
// CHECK-SAME: name = "copy"
// CHECK-NOT: scf.if
// CHECK: linalg.copy
// CHECK: call @dann_barrier
// CHECK-NEXT: scf.if
// CHECK-NEXT: memref.store
// CHECK-NEXT: }
func.func @others(%a: memref<32x8xf32>, %b: memref<32x8xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  memref.copy %a, %b : memref<32x8xf32> to memref<32x8xf32>
  memref.store %zero, %b[%c0, %c0] : memref<32x8xf32>
  return
}

// Private functions are called by one thread already.
// CHECK-LABEL: func private @helper
// CHECK-NOT: call
// CHECK: return
func.func private @helper(%b: memref<32x8xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%b : memref<32x8xf32>)
  return
}
func.func @caller(%b: memref<32x8xf32>) {
  call @helper(%b) : (memref<32x8xf32>) -> ()
  return
}

// Of a convolution whose taps run backwards a thread takes rows of channels, of
// filters their channels; with few channels, rows of pixels, and all rows of dz
// that their windows meet.
#windows = affine_map<(b, f, h, w, c, kh, kw) -> (f, h - kh + 2, w - kw + 2, b)>
#filters = affine_map<(b, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#pixels = affine_map<(b, f, h, w, c, kh, kw) -> (c, h, w, b)>
// CHECK-LABEL: func @backwards
// CHECK-SAME: %[[DZ:[^:]*]]: memref<4x22x8x?xf32>, %[[W:[^:]*]]: memref<4x32x3x3xf32>, %[[W3:[^:]*]]: memref<4x3x3x3xf32>, %[[DX:[^:]*]]: memref<32x20x6x?xf32>, %[[DX3:[^:]*]]: memref<3x20x6x?xf32>)
// CHECK: %[[WS:.*]] = memref.subview %[[W]][0, %[[BEGIN:.*]], 0, 0] [4, %[[SIZE:.*]], 3, 3]
// CHECK: %[[DXS:.*]] = memref.subview %[[DX]][%[[BEGIN]], 0, 0, 0] [%[[SIZE]], 20, 6, %{{.*}}]
// CHECK: linalg.generic {{.*}} ins(%[[DZ]], %[[WS]] : {{.*}}) outs(%[[DXS]] : {{.*}}) attrs = {dann.kernel = "generated"}
// CHECK: %[[MORE:.*]] = affine.apply #{{.*}}()[%[[SIZE:.*]]]
// CHECK: %[[DZS:.*]] = memref.subview %[[DZ]][0, %[[BEGIN:.*]], 0, 0] [4, %[[MORE]], 8, %{{.*}}]
// CHECK: %[[DXS:.*]] = memref.subview %[[DX3]][0, %[[BEGIN]], 0, 0] [3, %[[SIZE]], 6, %{{.*}}]
// CHECK: linalg.generic {{.*}} ins(%[[DZS]], %[[W3]] : {{.*}}) outs(%[[DXS]] :
func.func @backwards(%dz: memref<4x22x8x?xf32>, %w: memref<4x32x3x3xf32>, %w3: memref<4x3x3x3xf32>, %dx: memref<32x20x6x?xf32>, %dx3: memref<3x20x6x?xf32>) {
  linalg.generic {indexing_maps = [#windows, #filters, #pixels], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%dz, %w : memref<4x22x8x?xf32>, memref<4x32x3x3xf32>) outs(%dx : memref<32x20x6x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  linalg.generic {indexing_maps = [#windows, #filters, #pixels], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%dz, %w3 : memref<4x22x8x?xf32>, memref<4x3x3x3xf32>) outs(%dx3 : memref<3x20x6x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  return
}
