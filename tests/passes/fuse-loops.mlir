// --dann-fuse-loops makes one operation of two elementwise ones over the same
// range.
// RUN: dann-opt %s -split-input-file -pass-pipeline="builtin.module(func.func(dann-fuse-loops))" | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// A chain: what only the second reads is never stored.
// CHECK-LABEL: func @chain
// CHECK-SAME: (%[[X:.*]]: memref<8x?xf32>, %[[Y:.*]]: memref<8x?xf32>, %[[Z:.*]]: memref<8x?xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[Y]] : memref<8x?xf32>, memref<8x?xf32>) outs(%[[Z]] : memref<8x?xf32>)
// CHECK-NEXT: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[E:.*]] = math.exp %[[A]]
// CHECK-NEXT: %[[M:.*]] = arith.mulf %[[E]], %[[B]]
// CHECK-NEXT: linalg.yield %[[M]]
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @chain(%x: memref<8x?xf32>, %y: memref<8x?xf32>, %z: memref<8x?xf32>) {
  %c1 = arith.constant 1 : index
  %n = memref.dim %x, %c1 : memref<8x?xf32>
  %t = memref.alloc(%n) : memref<8x?xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x?xf32>) outs(%t : memref<8x?xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%t, %y : memref<8x?xf32>, memref<8x?xf32>) outs(%z : memref<8x?xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A result with other users, or in a buffer of the caller, is kept.
// CHECK-LABEL: func @kept
// CHECK-SAME: (%[[X:.*]]: memref<8x4xf32>, %[[Y:.*]]: memref<8x4xf32>, %[[Z:.*]]: memref<8x4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]] : memref<8x4xf32>) outs(%[[Y]], %[[Z]] : memref<8x4xf32>, memref<8x4xf32>)
// CHECK: %[[E:.*]] = math.exp
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[E]]
// CHECK-NEXT: linalg.yield %[[E]], %[[N]] : f32, f32
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @kept(%x: memref<8x4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<8x4xf32>) outs(%z : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// Siblings read x once. The later one moves past an operation that it has
// nothing to do with.
// CHECK-LABEL: func @siblings
// CHECK-SAME: (%[[X:.*]]: memref<8x4xf32>, %[[B:.*]]: memref<4xf32>, %[[Y:.*]]: memref<8x4xf32>, %[[Z:.*]]: memref<8x4xf32>, %[[OTHER:.*]]: memref<4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[B]] : memref<8x4xf32>, memref<4xf32>) outs(%[[Y]], %[[Z]] :
// CHECK-NEXT: ^bb0(%[[VX:[^:]*]]: f32, %[[VB:[^:]*]]: f32,
// CHECK-NEXT: arith.negf %[[VX]]
// CHECK-NEXT: arith.addf %[[VX]], %[[VB]]
// CHECK: linalg.fill {{.*}} outs(%[[OTHER]] :
// CHECK-NEXT: return
func.func @siblings(%x: memref<8x4xf32>, %b: memref<4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>, %other: memref<4xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.fill ins(%zero : f32) outs(%other : memref<4xf32>)
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b : memref<8x4xf32>, memref<4xf32>) outs(%z : memref<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>

// An operation between them that writes what the second reads, or reads what it
// writes, keeps them apart.
// CHECK-LABEL: func @writes_between
// CHECK-COUNT-2: linalg.generic
func.func @writes_between(%x: memref<8x4xf32>, %b: memref<4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.fill ins(%zero : f32) outs(%b : memref<4xf32>)
  linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%x, %b : memref<8x4xf32>, memref<4xf32>) outs(%z : memref<8x4xf32>) {
  ^bb0(%a: f32, %c: f32, %out: f32):
    %0 = arith.addf %a, %c : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: func @reads_between
// CHECK: linalg.generic
// CHECK: linalg.copy
// CHECK: linalg.generic
func.func @reads_between(%x: memref<8x4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>, %w: memref<8x4xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.copy ins(%z : memref<8x4xf32>) outs(%w : memref<8x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%z : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// A call may do anything.
// CHECK-LABEL: func @call_between
// CHECK: linalg.generic
// CHECK: call @barrier
// CHECK: linalg.generic
func.func private @barrier()
func.func @call_between(%x: memref<8x4xf32>, %y: memref<8x4xf32>, %z: memref<8x4xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%y : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  call @barrier() : () -> ()
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x4xf32>) outs(%z : memref<8x4xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>
#column = affine_map<(i, j) -> (i, 0)>

// A transposed or broadcast read of what the first writes meets other entries.
// CHECK-LABEL: func @transposed
// CHECK-COUNT-2: linalg.generic
func.func @transposed(%x: memref<8x8xf32>, %y: memref<8x8xf32>, %z: memref<8x8xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%y : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#transposed, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<8x8xf32>) outs(%z : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// CHECK-LABEL: func @broadcast
// CHECK-COUNT-2: linalg.generic
func.func @broadcast(%x: memref<8x8xf32>, %y: memref<8x8xf32>, %z: memref<8x8xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%y : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#column, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<8x8xf32>) outs(%z : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// So does the second if it overwrites what the first reads that way, ...
// CHECK-LABEL: func @overwritten
// CHECK-COUNT-2: linalg.generic
func.func @overwritten(%x: memref<8x8xf32>, %y: memref<8x8xf32>, %z: memref<8x8xf32>) {
  linalg.generic {indexing_maps = [#transposed, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%y : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<8x8xf32>) outs(%x : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// ... and a view of the same memory may be shifted.
// CHECK-LABEL: func @view
// CHECK-COUNT-2: linalg.generic
func.func @view(%x: memref<8x8xf32>, %buffer: memref<9x8xf32>, %z: memref<8x8xf32>) {
  %lower = memref.subview %buffer[0, 0] [8, 8] [1, 1] : memref<9x8xf32> to memref<8x8xf32, strided<[8, 1]>>
  %upper = memref.subview %buffer[1, 0] [8, 8] [1, 1] : memref<9x8xf32> to memref<8x8xf32, strided<[8, 1], offset: 8>>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%lower : memref<8x8xf32, strided<[8, 1]>>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%upper : memref<8x8xf32, strided<[8, 1], offset: 8>>) outs(%z : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// Other ranges, and reductions, stay as they are.
// CHECK-LABEL: func @others
// CHECK-COUNT-3: linalg.generic
func.func @others(%x: memref<8x8xf32>, %y: memref<4x8xf32>, %z: memref<8x8xf32>, %s: memref<8xf32>) {
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%z : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<4x8xf32>) outs(%y : memref<4x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> (i)>], iterator_types = ["parallel", "reduction"]} ins(%x : memref<8x8xf32>) outs(%s : memref<8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.addf %a, %out : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

#id = affine_map<(i, j) -> (i, j)>
#scalar = affine_map<(i, j) -> ()>

// Operations that share a scalar alone would gain nothing: one loop over the
// parameters of all layers.
// CHECK-LABEL: func @unrelated
// CHECK-COUNT-2: linalg.generic
func.func @unrelated(%rate: memref<f32>, %x: memref<8x8xf32>, %y: memref<8x8xf32>) {
  linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%rate : memref<f32>) outs(%x : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%rate : memref<f32>) outs(%y : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  return
}

// What reads two results is fused with both.
// CHECK-LABEL: func @join
// CHECK-SAME: (%[[X:.*]]: memref<8x8xf32>, %[[Y:.*]]: memref<8x8xf32>, %[[Z:.*]]: memref<8x8xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[X]], %[[Y]] : memref<8x8xf32>, memref<8x8xf32>) outs(%[[Z]] : memref<8x8xf32>)
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @join(%x: memref<8x8xf32>, %y: memref<8x8xf32>, %z: memref<8x8xf32>) {
  %s = memref.alloc() : memref<8x8xf32>
  %t = memref.alloc() : memref<8x8xf32>
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%x : memref<8x8xf32>) outs(%s : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = arith.negf %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : memref<8x8xf32>) outs(%t : memref<8x8xf32>) {
  ^bb0(%a: f32, %out: f32):
    %0 = math.exp %a : f32
    linalg.yield %0 : f32
  }
  linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%s, %t : memref<8x8xf32>, memref<8x8xf32>) outs(%z : memref<8x8xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %0 = arith.mulf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}
