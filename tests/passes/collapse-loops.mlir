// --dann-collapse-loops makes one loop of neighbouring dimensions.
// RUN: dann-opt %s -split-input-file -pass-pipeline="builtin.module(func.func(dann-collapse-loops))" | FileCheck %s

// The bias goes with the channels; rows, columns and samples are one.
// CHECK-DAG: #[[$ID:.*]] = affine_map<(d0, d1) -> (d0, d1)>
// CHECK-DAG: #[[$ROW:.*]] = affine_map<(d0, d1) -> (d0)>
// CHECK-LABEL: func @bias
// CHECK-SAME: (%[[X:.*]]: memref<4x3x3x?xf32>, %[[B:.*]]: memref<4xf32>)
// CHECK: %[[IN:.*]] = memref.collapse_shape %[[X]] {{\[\[}}0], [1, 2, 3]] : memref<4x3x3x?xf32> into memref<4x?xf32>
// CHECK: %[[OUT:.*]] = memref.collapse_shape %[[X]] {{\[\[}}0], [1, 2, 3]]
// CHECK: linalg.generic {indexing_maps = [#[[$ID]], #[[$ROW]], #[[$ID]]], iterator_types = ["parallel", "parallel"]} ins(%[[IN]], %[[B]] : memref<4x?xf32>, memref<4xf32>) outs(%[[OUT]] : memref<4x?xf32>)
#id = affine_map<(c, h, w, b) -> (c, h, w, b)>
#c = affine_map<(c, h, w, b) -> (c)>
func.func @bias(%x: memref<4x3x3x?xf32>, %bias: memref<4xf32>) {
  linalg.generic {indexing_maps = [#id, #c, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %bias : memref<4x3x3x?xf32>, memref<4xf32>) outs(%x : memref<4x3x3x?xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.addf %a, %b : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// Mixing channels is a product of matrices.
// CHECK-LABEL: func @mix
// CHECK: linalg.contract
// CHECK-SAME: ins(%{{.*}}, %{{.*}} : memref<4x2xf32>, memref<2x?xf32>) outs(%{{.*}} : memref<4x?xf32>)
func.func @mix(%w: memref<4x2xf32>, %x: memref<2x3x3x?xf32>, %y: memref<4x3x3x?xf32>) {
  linalg.contract
      indexing_maps = [affine_map<(e, h, w, b, i) -> (e, i)>, affine_map<(e, h, w, b, i) -> (i, h, w, b)>, affine_map<(e, h, w, b, i) -> (e, h, w, b)>]
      ins(%w, %x : memref<4x2xf32>, memref<2x3x3x?xf32>) outs(%y : memref<4x3x3x?xf32>)
  return
}

// -----

// The sum over an image is one over a row. The channels stay, threads share them.
// CHECK-LABEL: func @mean
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "reduction"]
// CHECK-SAME: ins(%{{.*}} : memref<4x9xf32>) outs(%{{.*}} : memref<4xf32>)
func.func @mean(%x: memref<4x3x3xf32>, %y: memref<4xf32>) {
  linalg.generic {indexing_maps = [affine_map<(c, h, w) -> (c, h, w)>, affine_map<(c, h, w) -> (c)>], iterator_types = ["parallel", "reduction", "reduction"]}
      ins(%x : memref<4x3x3xf32>) outs(%y : memref<4xf32>) {
  ^bb0(%a: f32, %o: f32):
    %0 = arith.addf %o, %a : f32
    linalg.yield %0 : f32
  }
  return
}

// -----

// What asks for a loop's index keeps the loop, and so do parts of buffers.
// CHECK-LABEL: func @kept
// CHECK-NOT: memref.collapse_shape
func.func @kept(%x: memref<4x4xf32>, %part: memref<4x4xf32, strided<[8, 1]>>) {
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%x : memref<4x4xf32>) {
  ^bb0(%o: f32):
    %i = linalg.index 0 : index
    %0 = arith.index_cast %i : index to i32
    %1 = arith.sitofp %0 : i32 to f32
    linalg.yield %1 : f32
  }
  linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : memref<4x4xf32>) outs(%part : memref<4x4xf32, strided<[8, 1]>>) {
  ^bb0(%a: f32, %o: f32):
    linalg.yield %a : f32
  }
  return
}
