// --convert-linalg-to-onednn: products with dann.kernel = "onednn".
// RUN: dann-opt %s -split-input-file -convert-linalg-to-onednn | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>

// A fill with zeros before it disappears, and the product does not accumulate.
// CHECK-LABEL: func @fill
// CHECK-SAME: (%[[A:.*]]: memref<4x8xf32>, %[[B:.*]]: memref<8x?xf32>, %[[C:.*]]: memref<4x?xf32>)
// CHECK-NOT: linalg.
// CHECK: onednn.matmul ins(%[[A]], %[[B]] : memref<4x8xf32>, memref<8x?xf32>) outs(%[[C]] : memref<4x?xf32>){{$}}
// CHECK-NOT: linalg.
// CHECK: return
func.func @fill(%a: memref<4x8xf32>, %b: memref<8x?xf32>, %c: memref<4x?xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%c : memref<4x?xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x?xf32>) outs(%c : memref<4x?xf32>)
  return
}

// A fill with something else, or of another buffer, or before another operation
// stays.
// CHECK-LABEL: func @other_fill
// CHECK-SAME: %[[C:[^:]*]]: memref<4x4xf32>, %[[D:[^:]*]]: memref<4x4xf32>)
// CHECK: linalg.fill {{.*}} outs(%[[C]] :
// CHECK-NEXT: onednn.matmul {{.*}} outs(%[[C]] : memref<4x4xf32>) {accumulate}
// CHECK-NEXT: linalg.fill {{.*}} outs(%[[D]] :
// CHECK-NEXT: onednn.matmul {{.*}} outs(%[[C]] : memref<4x4xf32>) {accumulate}
func.func @other_fill(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %c: memref<4x4xf32>, %d: memref<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  linalg.fill ins(%one : f32) outs(%c : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.fill ins(%zero : f32) outs(%d : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  return
}

// The factors may come in either order, and a transposed.
// CHECK-LABEL: func @transposed
// CHECK-SAME: (%[[A:.*]]: memref<8x4xf32>, %[[B:.*]]: memref<8x16xf32>, %[[C:.*]]: memref<4x16xf32>)
// CHECK: %[[AT:.*]] = memref.transpose %[[A]] (d0, d1) -> (d1, d0) : memref<8x4xf32> to memref<4x8xf32, strided<[1, 4]>>
// CHECK: onednn.matmul ins(%[[AT]], %[[B]] : memref<4x8xf32, strided<[1, 4]>>, memref<8x16xf32>) outs(%[[C]] : memref<4x16xf32>) {accumulate}
// CHECK: %[[AT:.*]] = memref.transpose %[[A]]
// CHECK: onednn.matmul ins(%[[AT]], %[[B]] :
func.func @transposed(%a: memref<8x4xf32>, %b: memref<8x16xf32>, %c: memref<4x16xf32>) {
  linalg.contract indexing_maps = [#km, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<8x4xf32>, memref<8x16xf32>) outs(%c : memref<4x16xf32>)
  linalg.contract indexing_maps = [#kn, #km, #mn] {dann.kernel = "onednn"} ins(%b, %a : memref<8x16xf32>, memref<8x4xf32>) outs(%c : memref<4x16xf32>)
  return
}

// relu behind it, in the same buffer, becomes a post-op, ...
// CHECK-LABEL: func @relu
// CHECK: onednn.matmul {{.*}} {accumulate, post_ops = [#onednn<post_op relu>]}
// CHECK-NEXT: return
func.func @relu(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %c: memref<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %zero : f32
    linalg.yield %r : f32
  }
  return
}

// ... but not into another buffer, nor a maximum with something else.
// CHECK-LABEL: func @no_relu
// CHECK: onednn.matmul {{.*}} {accumulate}
// CHECK-NEXT: linalg.generic
// CHECK: onednn.matmul {{.*}} {accumulate}
// CHECK-NEXT: linalg.generic
func.func @no_relu(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %c: memref<4x4xf32>, %d: memref<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%d : memref<4x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %zero : f32
    linalg.yield %r : f32
  }
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%c : memref<4x4xf32>) outs(%c : memref<4x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %one : f32
    linalg.yield %r : f32
  }
  return
}

// -----

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#mn = affine_map<(m, n, k) -> (m, n)>

// bf16 factors, an f32 sum.
// CHECK-LABEL: func @bf16
// CHECK: onednn.matmul ins(%{{.*}}, %{{.*}} : memref<4x8xbf16>, memref<8x4xbf16>) outs(%{{.*}} : memref<4x4xf32>) {accumulate}
func.func @bf16(%a: memref<4x8xbf16>, %b: memref<8x4xbf16>, %c: memref<4x4xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "onednn"} ins(%a, %b : memref<4x8xbf16>, memref<8x4xbf16>) outs(%c : memref<4x4xf32>)
  return
}

// Products for generated kernels or for none, and those that dann-batch-last did
// not give their form, stay.
// CHECK-LABEL: func @others
// CHECK-COUNT-3: linalg.contract
// CHECK-NOT: onednn.matmul
// CHECK: return
func.func @others(%a: memref<4x8xf32>, %b: memref<8x4xf32>, %bt: memref<4x8xf32>, %c: memref<4x4xf32>) {
  linalg.contract indexing_maps = [#mk, #kn, #mn] {dann.kernel = "generated"} ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%a, %b : memref<4x8xf32>, memref<8x4xf32>) outs(%c : memref<4x4xf32>)
  linalg.contract indexing_maps = [#mk, #nk, #mn] {dann.kernel = "onednn"} ins(%a, %bt : memref<4x8xf32>, memref<4x8xf32>) outs(%c : memref<4x4xf32>)
  return
}

// -----

// A convolution and its derivatives, whichever operand is the sum; without a
// fill before it, it adds.
#x = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh * 2 + kh, ow + kw * 3, b)>
#filters = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, c, kh, kw)>
#z = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, oh, ow, b)>
// CHECK-LABEL: func @convolutions
// CHECK-SAME: (%[[X:.*]]: memref<2x9x9x?xf32>, %[[W:.*]]: memref<4x2x3x3xf32>, %[[Z:.*]]: memref<4x4x3x?xf32>)
func.func @convolutions(%x: memref<2x9x9x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x4x3x?xf32>) {
  %zero = arith.constant 0.0 : f32
  // CHECK-NOT: linalg.
  // CHECK: onednn.convolution ins(%[[X]], %[[W]] : memref<2x9x9x?xf32>, memref<4x2x3x3xf32>) outs(%[[Z]] : memref<4x4x3x?xf32>) {dilations = array<i64: 1, 3>, strides = array<i64: 2, 1>}
  linalg.fill ins(%zero : f32) outs(%z : memref<4x4x3x?xf32>)
  linalg.generic {indexing_maps = [#x, #filters, #z],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<2x9x9x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x4x3x?xf32>) attrs = {dann.kernel = "onednn"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  // CHECK: onednn.convolution_backward_data ins(%[[Z]], %[[W]] : {{.*}}) outs(%[[X]] : memref<2x9x9x?xf32>) {accumulate, dilations = array<i64: 1, 3>, strides = array<i64: 2, 1>}
  linalg.generic {indexing_maps = [#z, #filters, #x],
                  iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%z, %w : memref<4x4x3x?xf32>, memref<4x2x3x3xf32>) outs(%x : memref<2x9x9x?xf32>) attrs = {dann.kernel = "onednn"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  // CHECK: onednn.convolution_backward_weights ins(%[[Z]], %[[X]] : {{.*}}) outs(%[[W]] : memref<4x2x3x3xf32>) {accumulate, dilations = array<i64: 1, 3>, strides = array<i64: 2, 1>}
  linalg.generic {indexing_maps = [#z, #x, #filters],
                  iterator_types = ["reduction", "parallel", "reduction", "reduction", "parallel", "parallel", "parallel"]}
      ins(%z, %x : memref<4x4x3x?xf32>, memref<2x9x9x?xf32>) outs(%w : memref<4x2x3x3xf32>) attrs = {dann.kernel = "onednn"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %b, %a : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  return
}

// -----

// Filters that are indexed otherwise are no filters of a convolution: loops it
// remains.
// CHECK-LABEL: func @transposed_filters
// CHECK: linalg.generic
// CHECK-NOT: onednn.
#x = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh + kh, ow + kw, b)>
#filters = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, c, kw, kh)>
#z = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, oh, ow, b)>
func.func @transposed_filters(%x: memref<2x6x6x?xf32>, %w: memref<4x2x3x3xf32>, %z: memref<4x4x4x?xf32>) {
  linalg.generic {indexing_maps = [#x, #filters, #z],
                  iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : memref<2x6x6x?xf32>, memref<4x2x3x3xf32>) outs(%z : memref<4x4x4x?xf32>) attrs = {dann.kernel = "onednn"} {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %0 = arith.mulf %a, %b : f32
    %1 = arith.addf %o, %0 : f32
    linalg.yield %1 : f32
  }
  return
}
