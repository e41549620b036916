// --dann-generate-products makes kernels of products: their structure.
// RUN: dann-opt %s -split-input-file -dann-generate-products="vector-bytes=32 rows=6" | FileCheck %s
// RUN: dann-opt %s -split-input-file -dann-generate-products | FileCheck %s --check-prefix=AVX512

#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Products of one form are calls of one kernel, whatever their sizes. The last
// argument says whether they add to c; the fill before one that does not is
// gone.
// CHECK-LABEL: func @shared
// CHECK-NOT: linalg.
// CHECK: %[[ADDS:.*]] = arith.constant false
// CHECK: call @dann_product_0({{.*}}, %[[ADDS]])
// CHECK: %[[ADDS:.*]] = arith.constant true
// CHECK: call @dann_product_0({{.*}}, %[[ADDS]])
// CHECK: call @dann_product_1(
// CHECK-NEXT: return
//
// A kernel for vectors of 8 and tiles of 6, 2 and 1 rows. First the product with
// one column: 8 dot products at a time and 1, each with a rest; then for whole
// pairs of vectors, a pair with a rest, and one vector with a rest a loop over k
// for each number of rows: 2 * (6 + 2 + 1) FMAs twice and half as many.
// CHECK-LABEL: func private @dann_product_0
// CHECK-SAME: (%[[A:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[B:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[C:.*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[ADD:.*]]: i1)
// CHECK-SAME: attributes {passthrough = ["noinline"]}
// CHECK: memref.extract_strided_metadata %[[B]]
// CHECK-COUNT-18: vector.fma {{.*}} : vector<8xf32>
// CHECK-NOT: vector.fma
// CHECK: } else {
// CHECK: arith.constant 1024 : index
// The first tile is 6 x 2: 12 sums, which for each k take 2 vectors of b and 6
// entries of a.
// CHECK: scf.if %{{.*}} -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK: scf.for %[[K:.*]] = {{.*}} iter_args(
// CHECK-COUNT-2: vector.load %[[B]][%[[K]], %{{.*}}]
// CHECK: memref.load %[[A]][%{{.*}}, %[[K]]]
// CHECK-NEXT: vector.broadcast
// CHECK-COUNT-12: vector.fma
// CHECK: scf.yield
// The others: 4 + 2, then masked 12 + 4 + 2 and 6 + 2 + 1.
// CHECK-COUNT-33: vector.fma
// CHECK-NOT: vector.fma
//
// a transposed: entries of a column are neighbours, and there is no case of one
// column.
// CHECK-LABEL: func private @dann_product_1
// CHECK-SAME: (%[[A:[^:]*]]: memref
// CHECK-NOT: extract_strided_metadata
// CHECK: scf.for %[[K:.*]] = {{.*}} iter_args(
// CHECK: memref.load %[[A]][%[[K]], %{{.*}}]
// CHECK-COUNT-45: vector.fma
// CHECK-NOT: vector.fma
// CHECK-NOT: func private
//
// The default: vectors of 16, tiles of 12, 4 and 1 rows.
// AVX512-LABEL: func @shared
// AVX512-LABEL: func private @dann_product_0
// AVX512-LABEL: func private @dann_product_1
// AVX512-COUNT-85: vector.fma {{.*}} : vector<16xf32>
// AVX512-NOT: vector.fma
// AVX512-LABEL: func @epilogue
func.func @shared(%a: memref<4x8xf32>, %b: memref<8x?xf32>, %c: memref<4x?xf32>, %d: memref<9x4xf32>, %e: memref<9x?xf32>, %at: memref<8x4xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x?xf32>) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%d, %c : memref<9x4xf32>, memref<4x?xf32>) outs(%e : memref<9x?xf32>)
  linalg.contract indexing_maps = [#km, #kn, #mn] ins(%at, %b : memref<8x4xf32>, memref<8x?xf32>) outs(%c : memref<4x?xf32>)
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>

// An elementwise operation behind the product becomes part of its kernel, which
// another product with the same one shares. f64 has half the lanes.
// CHECK-LABEL: func @epilogue
// CHECK-NOT: linalg.
// CHECK: call @dann_product_0(
// CHECK: call @dann_product_0(
// CHECK-NEXT: return
// CHECK-LABEL: func private @dann_product_0
// CHECK-SAME: %{{[^:]*}}: i1, %[[OUT:[^:]*]]: memref<?x?xf64, strided<[?, 1], offset: ?>>, %[[BIAS:[^:]*]]: memref<?xf64, strided<[1], offset: ?>>)
// CHECK-COUNT-9: vector.store %{{.*}}, %[[OUT]][{{.*}} vector<1xf64>
// CHECK: vector.fma {{.*}} : vector<4xf64>
// CHECK: scf.if %{{.*}} {
// CHECK: %[[ENTRY:.*]] = memref.load %[[BIAS]][%{{.*}}]
// CHECK-NEXT: vector.broadcast %[[ENTRY]] : f64 to vector<4xf64>
// CHECK: arith.addf {{.*}} : vector<4xf64>
// CHECK: arith.maximumf {{.*}} : vector<4xf64>
// CHECK: vector.store %{{.*}}, %[[OUT]]
func.func @epilogue(%a: memref<4x8xf64>, %b: memref<8x?xf64>, %out: memref<4x?xf64>, %bias: memref<4xf64>) {
  %zero = arith.constant 0.0 : f64
  %c1 = arith.constant 1 : index
  %n = memref.dim %b, %c1 : memref<8x?xf64>
  %c = memref.alloc(%n) : memref<4x?xf64>
  linalg.fill ins(%zero : f64) outs(%c : memref<4x?xf64>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf64>, memref<8x?xf64>) outs(%c : memref<4x?xf64>)
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%c, %bias : memref<4x?xf64>, memref<4xf64>) outs(%out : memref<4x?xf64>) {
  ^bb0(%x: f64, %y: f64, %o: f64):
    %0 = arith.addf %x, %y : f64
    %1 = arith.maximumf %0, %zero : f64
    linalg.yield %1 : f64
  }
  %d = memref.alloc(%n) : memref<4x?xf64>
  linalg.fill ins(%zero : f64) outs(%d : memref<4x?xf64>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf64>, memref<8x?xf64>) outs(%d : memref<4x?xf64>)
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%d, %bias : memref<4x?xf64>, memref<4xf64>) outs(%out : memref<4x?xf64>) {
  ^bb0(%x: f64, %y: f64, %o: f64):
    %0 = arith.addf %x, %y : f64
    %1 = arith.maximumf %0, %zero : f64
    linalg.yield %1 : f64
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

// A longer one, with several results and the product as any of its operands, runs
// over the rows of finished tiles.
// CHECK-LABEL: func @several
// CHECK: call @dann_product_0(
// CHECK-NEXT: return
// CHECK-LABEL: func private @dann_product_0
// CHECK-SAME: i1, %[[Z:[^:]*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[R:[^:]*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>, %[[ZE:[^:]*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>)
// CHECK: vector.fma {{.*}} : vector<8xf32>
// CHECK: scf.for
// CHECK: vector.load %[[ZE]]{{.*}} vector<8xf32>
// CHECK-NEXT: arith.divf {{.*}} : vector<8xf32>
// CHECK: vector.store %{{.*}}, %[[Z]]
// CHECK: vector.store %{{.*}}, %[[R]]
func.func @several(%a: memref<4x8xf32>, %b: memref<8x?xf32>, %ze: memref<4x?xf32>, %z: memref<4x?xf32>, %r: memref<4x?xf32>) {
  %zero = arith.constant 0.0 : f32
  %c1 = arith.constant 1 : index
  %n = memref.dim %b, %c1 : memref<8x?xf32>
  %c = memref.alloc(%n) : memref<4x?xf32>
  linalg.fill ins(%zero : f32) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x?xf32>) outs(%c : memref<4x?xf32>)
  linalg.generic {indexing_maps = [#id, #id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%ze, %c : memref<4x?xf32>, memref<4x?xf32>) outs(%z, %r : memref<4x?xf32>, memref<4x?xf32>) {
  ^bb0(%x: f32, %y: f32, %o0: f32, %o1: f32):
    %0 = arith.divf %x, %y : f32
    %1 = arith.maximumf %0, %zero : f32
    %2 = arith.mulf %0, %y : f32
    linalg.yield %1, %2 : f32, f32
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

// Not if the product is needed elsewhere, ...
// CHECK-LABEL: func @needed
// CHECK: call @dann_product_0
// CHECK-NEXT: linalg.generic
func.func @needed(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %c: memref<4x4xf32>, %out: memref<4x4xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%out : memref<4x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.negf %x : f32
    linalg.yield %0 : f32
  }
  return
}

// ... nor if its entries are read in another order, or added to.
// CHECK-LABEL: func @other_order
// CHECK: call @dann_product_0
// CHECK-NEXT: linalg.generic
// CHECK: call @dann_product_0
// CHECK-NEXT: linalg.generic
func.func @other_order(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %out: memref<4x4xf32>) {
  %c = memref.alloc() : memref<4x4xf32>
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#transposed, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%out : memref<4x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.negf %x : f32
    linalg.yield %0 : f32
  }
  %d = memref.alloc() : memref<4x4xf32>
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%d : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%d : memref<4x4xf32>) outs(%out : memref<4x4xf32>) {
  ^bb0(%x: f32, %o: f32):
    %0 = arith.addf %x, %o : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// Left alone: other forms, types, and rows that are not contiguous.
// CHECK-LABEL: func @others
// CHECK-COUNT-3: linalg.contract
// CHECK-NOT: dann_product
func.func @others(%a: memref<4x8xf32>, %bt: memref<4x8xf32>, %c: memref<4x4xf32>, %a16: memref<4x8xbf16>, %b16: memref<8x4xbf16>, %b: memref<8x4xf32, strided<[1, 8]>>) {
  linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%a, %bt : memref<4x8xf32>, memref<4x8xf32>) outs(%c : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a16, %b16 : memref<4x8xbf16>, memref<8x4xbf16>) outs(%c : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x4xf32, strided<[1, 8]>>) outs(%c : memref<4x4xf32>)
  return
}

// -----

#a = affine_map<(m, n, i, j, k) -> (m, i, j, k)>
#b = affine_map<(m, n, i, j, k) -> (i, j, k, n)>
#c = affine_map<(m, n, i, j, k) -> (m, n)>

// Products over windows, with three loops of summation. Of the entries of a it
// is known whether those of the last loop follow each other, and in which
// direction: such products have a kernel for each.
// CHECK-LABEL: func @windows
// CHECK-NOT: linalg.
// CHECK: %[[ADDS:.*]] = arith.constant false
// CHECK: call @dann_product_0({{.*}}, %[[ADDS]])
// CHECK: %[[ADDS:.*]] = arith.constant true
// CHECK: call @dann_product_0({{.*}}, %[[ADDS]])
// CHECK: call @dann_product_1(
// CHECK: call @dann_product_2(
//
// There is no case of one column. A block of the outermost sum is as deep as
// that of a product of matrices, and rows come by 6, 4, 2 and 1.
// CHECK-LABEL: func private @dann_product_0
// CHECK-SAME: (%[[A:[^:]*]]: memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>, %[[B:[^:]*]]: memref<?x?x?x?xf32, strided<[?, ?, ?, 1], offset: ?>>, %[[C:[^:]*]]: memref<?x?xf32, strided<[?, 1], offset: ?>>
// CHECK-NOT: extract_strided_metadata
// CHECK: %[[DEPTH:.*]] = arith.constant 1024 : index
// CHECK: %[[INNER:.*]] = arith.muli %{{.*}}, %{{.*}} : index
// CHECK: arith.divui %[[DEPTH]], %{{.*}}
// CHECK: %[[SUMS:.*]]:12 = scf.for %[[I:.*]] = {{.*}} iter_args(
// CHECK: %[[ROW:.*]]:12 = scf.for %[[J:.*]] = {{.*}} iter_args(
// CHECK: %[[TAP:.*]]:12 = scf.for %[[K:.*]] = {{.*}} iter_args(
// CHECK-COUNT-2: vector.load %[[B]][%[[I]], %[[J]], %[[K]], %{{.*}}]
// CHECK: memref.load %[[A]][%{{.*}}, %[[I]], %[[J]], %[[K]]]
// CHECK-COUNT-12: vector.fma
// CHECK: scf.yield
// CHECK: scf.yield %[[TAP]]#0
// CHECK: scf.yield %[[ROW]]#0
// CHECK: vector.store %[[SUMS]]#0, %[[C]]
// The others: 8 + 4 + 2, then masked 12 + 8 + 4 + 2 and 6 + 4 + 2 + 1.
// CHECK-COUNT-53: vector.fma
// CHECK-NOT: vector.fma
// CHECK-LABEL: func private @dann_product_1
// CHECK-SAME: (%{{[^:]*}}: memref<?x?x?x?xf32, strided<[?, ?, ?, -1], offset: ?>>
// CHECK-LABEL: func private @dann_product_2
// CHECK-SAME: (%{{[^:]*}}: memref<?x?x?x?xf32, strided<[?, ?, ?, ?], offset: ?>>
func.func @windows(%a: memref<4x8x3x3xf32>, %b: memref<8x3x3x?xf32, strided<[?, ?, ?, 1]>>, %c: memref<4x?xf32>,
                   %backwards: memref<4x8x3x3xf32, strided<[72, 9, -3, -1], offset: 8>>, %apart: memref<4x8x3x3xf32, strided<[72, 9, 1, 3]>>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#a, #b, #c] ins(%a, %b : memref<4x8x3x3xf32>, memref<8x3x3x?xf32, strided<[?, ?, ?, 1]>>) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#a, #b, #c] ins(%a, %b : memref<4x8x3x3xf32>, memref<8x3x3x?xf32, strided<[?, ?, ?, 1]>>) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#a, #b, #c] ins(%backwards, %b : memref<4x8x3x3xf32, strided<[72, 9, -3, -1], offset: 8>>, memref<8x3x3x?xf32, strided<[?, ?, ?, 1]>>) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#a, #b, #c] ins(%apart, %b : memref<4x8x3x3xf32, strided<[72, 9, 1, 3]>>, memref<8x3x3x?xf32, strided<[?, ?, ?, 1]>>) outs(%c : memref<4x?xf32>)
  return
}
