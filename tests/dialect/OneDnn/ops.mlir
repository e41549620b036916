// onednn.matmul survives a round trip through its textual form.
// RUN: dann-opt %s | dann-opt | FileCheck %s

// CHECK-LABEL: func @f32
// CHECK-SAME: (%[[A:.*]]: memref<?x8xf32, strided<[16, 1]>>, %[[B:.*]]: memref<8x4xf32, strided<[1, 8]>>, %[[DST:.*]]: memref<?x4xf32>)
func.func @f32(%a: memref<?x8xf32, strided<[16, 1]>>, %b: memref<8x4xf32, strided<[1, 8]>>, %dst: memref<?x4xf32>) {
  // CHECK-NEXT: onednn.matmul ins(%[[A]], %[[B]] : memref<?x8xf32, strided<[16, 1]>>, memref<8x4xf32, strided<[1, 8]>>) outs(%[[DST]] : memref<?x4xf32>){{$}}
  onednn.matmul ins(%a, %b : memref<?x8xf32, strided<[16, 1]>>, memref<8x4xf32, strided<[1, 8]>>) outs(%dst : memref<?x4xf32>)
  // CHECK-NEXT: onednn.matmul {{.*}} outs(%[[DST]] : memref<?x4xf32>) {accumulate, post_ops = [#onednn<post_op relu>]}
  onednn.matmul ins(%a, %b : memref<?x8xf32, strided<[16, 1]>>, memref<8x4xf32, strided<[1, 8]>>) outs(%dst : memref<?x4xf32>)
    {accumulate, post_ops = [#onednn<post_op relu>]}
  return
}

// The sum stays in f32.
// CHECK-LABEL: func @bf16
// CHECK: onednn.matmul ins(%{{.*}}, %{{.*}} : memref<?x8xbf16>, memref<8x4xbf16>) outs(%{{.*}} : memref<?x4xf32>) {accumulate}
func.func @bf16(%a: memref<?x8xbf16>, %b: memref<8x4xbf16>, %dst: memref<?x4xf32>) {
  onednn.matmul ins(%a, %b : memref<?x8xbf16>, memref<8x4xbf16>) outs(%dst : memref<?x4xf32>) {accumulate}
  return
}

// Dynamic sizes agree with all others.
// CHECK-LABEL: func @sizes_not_known
// CHECK: onednn.matmul ins(%{{.*}}, %{{.*}} : memref<?x?xf32>, memref<8x?xf32>) outs(%{{.*}} : memref<4x?xf32>)
func.func @sizes_not_known(%a: memref<?x?xf32>, %b: memref<8x?xf32>, %dst: memref<4x?xf32>) {
  onednn.matmul ins(%a, %b : memref<?x?xf32>, memref<8x?xf32>) outs(%dst : memref<4x?xf32>)
  return
}
