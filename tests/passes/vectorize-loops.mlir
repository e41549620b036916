// --dann-vectorize-loops makes vector loops of elementwise operations and
// reductions.
// RUN: dann-opt %s -split-input-file -pass-pipeline="builtin.module(func.func(dann-vectorize-loops{vector-bytes=32}))" | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#column = affine_map<(i, j) -> (j)>

// Vectors run along the last dimension; what is the same in all lanes is loaded
// once a row. The rest of a row is masked.
// CHECK-LABEL: func @elementwise
// CHECK-SAME: (%[[X:.*]]: memref<4x?xf32>, %[[B:.*]]: memref<4xf32>, %[[S:.*]]: memref<?xf32>, %[[Y:.*]]: memref<4x?xf32>)
// CHECK-NOT: linalg.
// CHECK: scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} {
// CHECK: %[[BIAS:.*]] = memref.load %[[B]][%[[I]]]
// CHECK: %[[REST:.*]] = arith.remui %[[N:.*]], %[[WIDTH:.*]] : index
// CHECK: %[[WHOLE:.*]] = arith.subi %[[N]], %[[REST]]
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %[[WHOLE]] step %[[WIDTH]] {
// CHECK: vector.load %[[X]][%[[I]], %[[J]]] : memref<4x?xf32>, vector<8xf32>
// CHECK: vector.load %[[S]][%[[J]]] : memref<?xf32>, vector<8xf32>
// CHECK: arith.mulf %{{.*}} : vector<8xf32>
// CHECK: arith.addf %{{.*}} : vector<8xf32>
// CHECK: vector.store %{{.*}}, %[[Y]][%[[I]], %[[J]]]
// CHECK: scf.if
// CHECK: %[[MASK:.*]] = vector.create_mask %[[REST]] : vector<8xi1>
// CHECK: vector.maskedload %[[X]][%[[I]], %[[WHOLE]]], %[[MASK]]
// CHECK: vector.maskedload %[[S]][%[[WHOLE]]], %[[MASK]]
// CHECK: vector.maskedstore %[[Y]][%[[I]], %[[WHOLE]]], %[[MASK]]
// CHECK-NOT: linalg.
// CHECK: return
func.func @elementwise(%x: memref<4x?xf32>, %b: memref<4xf32>, %s: memref<?xf32>, %y: memref<4x?xf32>) {
  linalg.generic {indexing_maps = [#id, #row, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b, %s : memref<4x?xf32>, memref<4xf32>, memref<?xf32>) outs(%y : memref<4x?xf32>) {
  ^bb0(%p: f32, %q: f32, %r: f32, %out: f32):
    %0 = arith.mulf %p, %r : f32
    %1 = arith.addf %0, %q : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// Several results, of which one is added to; f64 has half the lanes.
// CHECK-LABEL: func @results
// CHECK-SAME: (%[[X:.*]]: memref<?x?xf64>, %[[Y:.*]]: memref<?x?xf64>, %[[Z:.*]]: memref<?x?xf64>)
// CHECK-NOT: linalg.
// CHECK: vector.load %[[X]]{{.*}} vector<4xf64>
// CHECK-NOT: vector.load %[[Y]]
// CHECK: vector.load %[[Z]]{{.*}} vector<4xf64>
// CHECK: vector.store %{{.*}}, %[[Y]]
// CHECK: vector.store %{{.*}}, %[[Z]]
// CHECK: vector.maskedstore %[[Y]]
// CHECK: vector.maskedstore %[[Z]]
// CHECK: return
func.func @results(%x: memref<?x?xf64>, %y: memref<?x?xf64>, %z: memref<?x?xf64>) {
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x?xf64>) outs(%y, %z : memref<?x?xf64>, memref<?x?xf64>) {
  ^bb0(%p: f64, %out0: f64, %out1: f64):
    %0 = arith.negf %p : f64
    %1 = arith.addf %p, %out1 : f64
    linalg.yield %0, %1 : f64, f64
  }
  return
}

// -----

// A sum along the lane: a vector of sums, from zeros, then one value with what
// was there before. Lanes outside of the rest keep their sums.
// CHECK-LABEL: func @sum
// CHECK-SAME: (%[[X:.*]]: memref<4x?xf32>, %[[S:.*]]: memref<4xf32>)
// CHECK-NOT: linalg.
// CHECK: %[[ZEROS:.*]] = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK: scf.for %[[I:.*]] =
// CHECK: %[[SUMS:.*]] = scf.for %[[J:.*]] = {{.*}} iter_args(%[[OLD:.*]] = %[[ZEROS]]) -> (vector<8xf32>) {
// CHECK: %[[V:.*]] = vector.load %[[X]][%[[I]], %[[J]]]
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: scf.yield
// CHECK: %[[ALL:.*]] = scf.if %{{.*}} -> (vector<8xf32>) {
// CHECK: %[[MASK:.*]] = vector.create_mask
// CHECK: vector.maskedload %[[X]]
// CHECK: %[[MORE:.*]] = arith.addf
// CHECK: arith.select %[[MASK]], %[[MORE]], %[[SUMS]]
// CHECK: %[[BEFORE:.*]] = memref.load %[[S]][%[[I]]]
// CHECK: %[[SUM:.*]] = vector.reduction <add>, %[[ALL]], %[[BEFORE]]{{.*}} : vector<8xf32> into f32
// CHECK: memref.store %[[SUM]], %[[S]][%[[I]]]
// CHECK: return
func.func @sum(%x: memref<4x?xf32>, %s: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x?xf32>) outs(%s : memref<4xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.addf %p, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A maximum starts from the lowest number.
// CHECK-LABEL: func @maximum
// CHECK-NOT: linalg.
// CHECK: arith.constant dense<0xFF800000> : vector<8xf32>
// CHECK: vector.reduction <maximumf>
func.func @maximum(%x: memref<4x?xf32>, %s: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x?xf32>) outs(%s : memref<4xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.maximumf %p, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A reduction across the lanes: each has a sum of its own, and no vector is ever
// reduced.
// CHECK-LABEL: func @across
// CHECK-SAME: (%[[X:.*]]: memref<4x?xf32>, %[[S:.*]]: memref<?xf32>)
// CHECK-NOT: linalg.
// CHECK: vector.load %[[S]]
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK: vector.store %{{.*}}, %[[S]]
// CHECK-NOT: vector.reduction
// CHECK: return
func.func @across(%x: memref<4x?xf32>, %s: memref<?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<4x?xf32>) outs(%s : memref<?xf32>) {
  ^bb0(%p: f32, %out: f32):
    %0 = arith.addf %p, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// A transposed copy: tiles of 8 x 8 are loaded by rows, turned in registers, and
// stored by rows. Where the matrix ends entries are copied one by one.
// CHECK-LABEL: func @transpose
// CHECK-SAME: (%[[X:.*]]: memref<?x6xf32>, %[[Y:.*]]: memref<6x?xf32>)
// CHECK-NOT: linalg.
// CHECK-COUNT-2: scf.for
// CHECK-COUNT-8: vector.load %[[X]]{{.*}} vector<8xf32>
// CHECK: vector.shuffle
// CHECK-COUNT-8: vector.store %{{.*}}, %[[Y]]{{.*}} vector<8xf32>
// CHECK: } else {
// CHECK-NOT: vector.
// CHECK: %[[ENTRY:.*]] = memref.load %[[X]][%[[I:.*]], %[[J:.*]]]
// CHECK: memref.store %[[ENTRY]], %[[Y]][%[[J]], %[[I]]]
// CHECK-NOT: vector.
// CHECK: return
func.func @transpose(%x: memref<?x6xf32>, %y: memref<6x?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : memref<?x6xf32>) outs(%y : memref<6x?xf32>) {
  ^bb0(%p: f32, %out: f32):
    linalg.yield %p : f32
  }
  return
}

// -----

// The number of a loop is one value or a vector of neighbours; comparisons and
// labels of 8 bytes share the lanes of the widest float.
// CHECK-LABEL: func @index
// CHECK-SAME: (%[[Y:.*]]: memref<?xi64>, %[[X:.*]]: memref<4x?xf32>)
// CHECK-NOT: linalg.
// CHECK: vector.load %[[Y]]{{.*}} vector<8xi64>
// CHECK: arith.cmpi eq, {{.*}} : vector<8xi64>
// CHECK: arith.select {{.*}} : vector<8xi1>, vector<8xf32>
func.func @index(%y: memref<?xi64>, %x: memref<4x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%y : memref<?xi64>) outs(%x : memref<4x?xf32>) {
  ^bb0(%label: i64, %out: f32):
    %i = linalg.index 0 : index
    %c = arith.index_cast %i : index to i64
    %here = arith.cmpi eq, %c, %label : i64
    %0 = arith.select %here, %out, %zero : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// exp becomes vector arithmetic in f32, and stays what it is in f64.
// CHECK-LABEL: func @exp
// CHECK-NOT: math.exp {{.*}} : vector<8xf32>
// CHECK: math.exp {{.*}} : vector<4xf64>
// CHECK-NOT: math.exp {{.*}} : vector<8xf32>
// CHECK: return
func.func @exp(%x: memref<?xf32>, %y: memref<?xf64>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%x : memref<?xf32>) {
  ^bb0(%out: f32):
    %0 = math.exp %out : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%y : memref<?xf64>) {
  ^bb0(%out: f64):
    %0 = math.exp %out : f64
    linalg.yield %0 : f64
  }
  return
}

// -----

// An operation with several results, of random number generators.
// CHECK-LABEL: func @extended
// CHECK: arith.mului_extended {{.*}} : vector<4xi32>
func.func @extended(%u: memref<?xi32>) {
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>], iterator_types = ["parallel"]} outs(%u : memref<?xi32>) {
  ^bb0(%out: i32):
    %low, %high = arith.mului_extended %out, %out : i32
    linalg.yield %high : i32
  }
  return
}

// -----

// What does not fit stays: operands that are not contiguous along one loop,
// buffers of bits, scalars.
// CHECK-LABEL: func @others
// CHECK-COUNT-3: linalg.generic
// CHECK-NOT: vector.
// CHECK: return
func.func @others(%x: memref<4x4xf32>, %t: memref<4x4xf32, strided<[8, 2]>>, %u: memref<?xi32>, %bits: memref<?xi1>, %s: memref<f32>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]} ins(%x : memref<4x4xf32>) outs(%t : memref<4x4xf32, strided<[8, 2]>>) {
  ^bb0(%p: f32, %out: f32):
    linalg.yield %p : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]} ins(%bits : memref<?xi1>) outs(%u : memref<?xi32>) {
  ^bb0(%b: i1, %out: i32):
    %0 = arith.extui %b : i1 to i32
    linalg.yield %0 : i32
  }
  linalg.generic {indexing_maps = [affine_map<() -> ()>], iterator_types = []} outs(%s : memref<f32>) {
  ^bb0(%out: f32):
    %0 = arith.negf %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Windows: the vectors run along the samples, and the loops around them say
// where in the image.
// CHECK-LABEL: func @windows
// CHECK-NOT: linalg.
// CHECK: vector.load %{{.*}} : memref<2x4x?xf32>, vector<8xf32>
// CHECK: arith.maximumf %{{.*}} : vector<8xf32>
// CHECK: vector.store
func.func @windows(%x: memref<2x4x?xf32>, %window: memref<3xf32>, %y: memref<2x2x?xf32>) {
  linalg.generic {indexing_maps = [affine_map<(c, p, b, k) -> (c, p + k, b)>, affine_map<(c, p, b, k) -> (k)>, affine_map<(c, p, b, k) -> (c, p, b)>],
                  iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %window : memref<2x4x?xf32>, memref<3xf32>) outs(%y : memref<2x2x?xf32>) {
  ^bb0(%a: f32, %w: f32, %o: f32):
    %0 = arith.maximumf %o, %a : f32
    linalg.yield %0 : f32
  }
  return
}
