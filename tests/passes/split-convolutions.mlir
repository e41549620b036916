// --dann-split-convolutions: products over the windows of convolutions.
// RUN: dann-opt %s -dann-split-convolutions -canonicalize | FileCheck -enable-var-scope %s

// CHECK-DAG: #[[$A:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d3, d4)>
// CHECK-DAG: #[[$B:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d2, d3, d4, d1)>
// CHECK-DAG: #[[$C:.*]] = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1)>

#z = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, oh, ow, b)>
#w = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, c, kh, kw)>
#x = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh * 2 + kh, ow + kw * 3, b)>

// One product for each row of z, or for each pixel if neighbours are not
// contiguous. Windows of x are rows and columns apart that overlap. The fill
// goes with the products.
// CHECK-LABEL: func @forward(
// CHECK-SAME: %[[X:[^:]*]]: memref<3x9x11x?xf32>, %[[W:[^:]*]]: memref<4x3x3x2xf32>, %[[Z:[^:]*]]: memref<4x4x8x?xf32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[BATCH:.*]] = memref.dim %[[X]]
// CHECK-DAG: %{{.*}}:4, %[[XS:.*]]:4 = memref.extract_strided_metadata %[[X]]
// CHECK-DAG: %[[TWO_ROWS:.*]] = arith.muli %[[XS]]#1, %{{.*}}
// CHECK-DAG: %[[THREE_COLUMNS:.*]] = arith.muli %[[XS]]#2, %{{.*}}
// CHECK-DAG: %{{.*}}:4, %[[ZS:.*]]:4 = memref.extract_strided_metadata %[[Z]]
// CHECK-NOT: linalg.fill
// CHECK-DAG: %[[Z_IS_DENSE:.*]] = arith.cmpi eq, %[[ZS]]#2, %[[BATCH]]
// CHECK-DAG: %[[X_IS_DENSE:.*]] = arith.cmpi eq, %[[XS]]#2, %[[BATCH]]
// CHECK: %[[ARE_ONE:.*]] = arith.andi %[[X_IS_DENSE]], %[[Z_IS_DENSE]]
// CHECK: %[[ROW:.*]] = arith.muli %[[BATCH]], %{{.*}}
// CHECK: %[[N:.*]] = arith.select %[[ARE_ONE]], %[[ROW]], %[[BATCH]]
// CHECK: %[[COUNT:.*]] = arith.select %[[ARE_ONE]], %[[ONE]], %{{.*}}
// CHECK: scf.for %[[I:.*]] =
// CHECK: scf.for %[[J:.*]] = %{{.*}} to %[[COUNT]]
// CHECK: %[[WV:.*]] = memref.reinterpret_cast %[[W]] to offset: [0], sizes: [4, 3, 3, 2], strides: [18, 6, 2, 1]
// CHECK: %[[XV:.*]] = memref.reinterpret_cast %[[X]] to offset: [%{{.*}}], sizes: [3, 3, 2, %[[N]]], strides: [%[[XS]]#0, %[[XS]]#1, %[[THREE_COLUMNS]], 1]
// CHECK: %[[ZV:.*]] = memref.reinterpret_cast %[[Z]] to offset: [%{{.*}}], sizes: [4, %[[N]]], strides: [%[[ZS]]#0, 1]
// CHECK: linalg.fill {{.*}} outs(%[[ZV]] :
// CHECK: linalg.contract indexing_maps = [#[[$A]], #[[$B]], #[[$C]]] {dann.kernel = "generated"} ins(%[[WV]], %[[XV]] : {{.*}}) outs(%[[ZV]] :
func.func @forward(%x: memref<3x9x11x?xf32>, %w: memref<4x3x3x2xf32>, %z: memref<4x4x8x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%z : memref<4x4x8x?xf32>)
  linalg.generic {indexing_maps = [#x, #w, #z], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<3x9x11x?xf32>, memref<4x3x3x2xf32>) outs(%z : memref<4x4x8x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  return
}

#dz = affine_map<(b, f, h, w, c, kh, kw) -> (f, h - kh + 2, w - kw + 1, b)>
#dx = affine_map<(b, f, h, w, c, kh, kw) -> (c, h, w, b)>
// What dann-arrange-convolutions makes of the derivative by images. Of the two
// factors the larger one is read forwards, here dz, and the filters backwards.
// CHECK-LABEL: func @large_images(
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [5], sizes: [3, 4, 3, 2], strides: [6, 18, -2, -1]
// CHECK-NOT: linalg.fill
// CHECK: linalg.contract
func.func @large_images(%dz: memref<4x10x9x?xf32>, %w: memref<4x3x3x2xf32>, %dx: memref<3x8x8x?xf32>) {
  linalg.generic {indexing_maps = [#dz, #w, #dx], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%dz, %w : memref<4x10x9x?xf32>, memref<4x3x3x2xf32>) outs(%dx : memref<3x8x8x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  return
}

// CHECK-LABEL: func @large_filters(
// CHECK: memref.reinterpret_cast %{{.*}} to offset: [0], sizes: [96, 4, 3, 2], strides: [6, 576, 2, 1]
func.func @large_filters(%dz: memref<4x3x2x?xf32>, %w: memref<4x96x3x2xf32>, %dx: memref<96x1x1x?xf32>) {
  linalg.generic {indexing_maps = [#dz, #w, #dx], iterator_types = ["parallel", "reduction", "parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%dz, %w : memref<4x3x2x?xf32>, memref<4x96x3x2xf32>) outs(%dx : memref<96x1x1x?xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  return
}

#x_last = affine_map<(b, f, oh, ow, c, kh, kw) -> (oh * 2 + kh, ow + kw * 3, b, c)>
#w_last = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, kh, kw, c)>
// One product for each tap, summed over rows, columns and samples.
// CHECK-LABEL: func @by_filters(
// CHECK-SAME: %[[DZ:[^:]*]]: memref<4x4x8x?xf32>, %[[X:[^:]*]]: memref<9x11x?x3xf32>, %[[DW:[^:]*]]: memref<4x3x2x3xf32>)
// CHECK: %[[BATCH:.*]] = memref.dim %[[DZ]]
// CHECK: memref.reinterpret_cast %[[DZ]] to offset: [0], sizes: [4, 4, 8, %[[BATCH]]]
// CHECK: memref.reinterpret_cast %[[X]] to offset: [%{{.*}}], sizes: [4, 8, %[[BATCH]], %[[N:.*]]], strides: [%{{.*}}, %{{.*}}, 3, 1]
// CHECK: memref.reinterpret_cast %[[DW]] to offset: [%{{.*}}], sizes: [4, %[[N]]], strides: [18, 1]
// CHECK: linalg.contract
func.func @by_filters(%dz: memref<4x4x8x?xf32>, %x: memref<9x11x?x3xf32>, %dw: memref<4x3x2x3xf32>) {
  linalg.generic {indexing_maps = [#z, #x_last, #w_last], iterator_types = ["reduction", "parallel", "reduction", "reduction", "parallel", "parallel", "parallel"]}
      ins(%dz, %x : memref<4x4x8x?xf32>, memref<9x11x?x3xf32>) outs(%dw : memref<4x3x2x3xf32>) attrs = {dann.kernel = "generated"} {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  }
  return
}
