// --dann-choose-destinations makes the argument that a result replaces the
// destination of the operation that computes it, and separates destinations
// that are shared.
// RUN: dann-opt %s -pass-pipeline="builtin.module(func.func(dann-choose-destinations,canonicalize))" | FileCheck %s
// RUN: dann-opt %s -pass-pipeline="builtin.module(func.func(dann-choose-destinations),dann-buffer-pipeline)" | FileCheck %s --check-prefix=BUFFERS

#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

// CHECK-LABEL: func @elementwise
// CHECK-SAME: (%[[G:.*]]: tensor<4x4xf32>{{[^,]*}}, %[[W:.*]]: tensor<4x4xf32>{{[^,]*}})
// CHECK: linalg.generic {{.*}} ins(%[[G]], %[[W]] : {{.*}}) outs(%[[W]] : tensor<4x4xf32>)
func.func @elementwise(%g: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 1 : i64}) {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%g, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %1 = arith.subf %b, %a : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// What was accumulated on the argument is as good as itself: it is in the same
// buffer.
// CHECK-LABEL: func @accumulated
// CHECK-SAME: (%[[A:.*]]: tensor<4x8xf32>{{[^,]*}}, %[[W:.*]]: tensor<4x4xf32>{{[^,]*}})
// CHECK: %[[SUM:.*]] = linalg.contract {{.*}} outs(%[[W]] : tensor<4x4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[SUM]] : {{.*}}) outs(%[[SUM]] : tensor<4x4xf32>)
func.func @accumulated(%a: tensor<4x8xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 1 : i64}) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %sum = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
    ins(%a, %a : tensor<4x8xf32>, tensor<4x8xf32>) outs(%w : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%sum : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.maximumf %b, %zero : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// Not a result that replaces nothing, ...
// CHECK-LABEL: func @no_update
// CHECK: %[[E:.*]] = tensor.empty()
// CHECK: linalg.generic {{.*}} outs(%[[E]] :
func.func @no_update(%w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.negf %b : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// ... nor one that reads the argument in another order, ...
// CHECK-LABEL: func @transposed
// CHECK: %[[E:.*]] = tensor.empty()
// CHECK: linalg.generic {{.*}} outs(%[[E]] :
func.func @transposed(%w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 0 : i64}) {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#transposed, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.negf %b : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// ... or not at all, ...
// CHECK-LABEL: func @unrelated
// CHECK: %[[E:.*]] = tensor.empty()
// CHECK: linalg.generic {{.*}} outs(%[[E]] :
func.func @unrelated(%g: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 1 : i64}) {
  %e = tensor.empty() : tensor<4x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%g : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.negf %b : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// ... nor one whose destination counts.
// CHECK-LABEL: func @reads_destination
// CHECK-SAME: (%[[D:.*]]: tensor<4x4xf32>{{[^,]*}}, %{{.*}})
// CHECK: linalg.generic {{.*}} outs(%[[D]] :
func.func @reads_destination(%d: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 1 : i64}) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x4xf32>) outs(%d : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.addf %b, %out : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// Two operations that fill the same zeros, or write the same empty tensor, get
// one each: the shared ones would be copied.
// CHECK-LABEL: func @shared
// CHECK-SAME: (%[[A:.*]]: tensor<4x4xf32>{{[^,]*}})
// CHECK: %[[E1:.*]] = tensor.empty()
// CHECK-NEXT: %[[ZEROS1:.*]] = linalg.fill {{.*}} outs(%[[E1]] :
// CHECK-NEXT: linalg.matmul {{.*}} outs(%[[ZEROS1]] :
// CHECK-NEXT: %[[E2:.*]] = tensor.empty()
// CHECK-NEXT: %[[ZEROS2:.*]] = linalg.fill {{.*}} outs(%[[E2]] :
// CHECK-NEXT: linalg.matmul {{.*}} outs(%[[ZEROS2]] :
// CHECK-NEXT: %[[E3:.*]] = tensor.empty()
// CHECK-NEXT: linalg.exp {{.*}} outs(%[[E3]] :
// CHECK-NEXT: %[[E4:.*]] = tensor.empty()
// CHECK-NEXT: linalg.log {{.*}} outs(%[[E4]] :
// CHECK-NEXT: return
func.func @shared(%a: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%a, %0 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
  %2 = linalg.exp ins(%0 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %3 = linalg.log ins(%1 : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1, %2, %3 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>
}

// A destination with contents of its own stays shared.
// CHECK-LABEL: func @contents
// CHECK-SAME: (%[[A:.*]]: tensor<4x4xf32>{{[^,]*}}, %[[C:.*]]: tensor<4x4xf32>{{[^,]*}})
// CHECK-NEXT: linalg.matmul {{.*}} outs(%[[C]] :
// CHECK-NEXT: linalg.matmul {{.*}} outs(%[[C]] :
func.func @contents(%a: tensor<4x4xf32>, %c: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.matmul ins(%a, %0 : tensor<4x4xf32>, tensor<4x4xf32>) outs(%c : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0, %1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// What a loop carries is made in its place, unless a product still reads it: it
// is copied there then.
// CHECK-LABEL: func @carries
// CHECK: scf.for {{.*}} iter_args(%[[H:.*]] = %{{.*}}, %[[G:.*]] = %{{.*}})
// CHECK: %[[PRODUCT:.*]] = linalg.matmul ins(%[[H]], %{{.*}}) outs(%[[ZEROS:[^ ]*]] :
// CHECK: %[[EXP:.*]] = linalg.exp ins(%[[G]] : {{.*}}) outs(%[[G]] :
// CHECK: %[[COPY:.*]] = linalg.copy ins(%[[PRODUCT]] : {{.*}}) outs(%[[H]] :
// CHECK-NEXT: scf.yield %[[COPY]], %[[EXP]]
func.func @carries(%w: tensor<4x4xf32>, %h0: tensor<4x4xf32>, %g0: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %zero = arith.constant 0.0 : f32
  %0:2 = scf.for %i = %c0 to %c9 step %c1 iter_args(%h = %h0, %g = %g0) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
    %e = tensor.empty() : tensor<4x4xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
    %product = linalg.matmul ins(%h, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
    %empty = tensor.empty() : tensor<4x4xf32>
    %exp = linalg.exp ins(%g : tensor<4x4xf32>) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %product, %exp : tensor<4x4xf32>, tensor<4x4xf32>
  }
  return %0#0, %0#1 : tensor<4x4xf32>, tensor<4x4xf32>
}

// What no result replaces is the caller's, and is not written to: a store into
// it goes to a copy.
// CHECK-LABEL: func @scatter
// CHECK-SAME: (%{{.*}}: tensor<4xf32> {bufferization.writable = false}, %{{.*}}: f32, %{{.*}}: index) -> tensor<4xf32>
// CHECK-LABEL: func @scatter_update
// CHECK-SAME: (%{{.*}}: tensor<4xf32>, %{{.*}}: f32, %{{.*}}: index)
// BUFFERS-LABEL: func @scatter(
// BUFFERS-SAME: %[[X:.*]]: memref<4xf32>, %[[V:.*]]: f32, %[[I:.*]]: index, %[[OUT:.*]]: memref<4xf32>
// BUFFERS: linalg.copy ins(%[[X]] : {{.*}}) outs(%[[OUT]] :
// BUFFERS: memref.store %[[V]], %[[OUT]][%[[I]]]
// BUFFERS-LABEL: func @scatter_update(
// BUFFERS-SAME: %[[X:.*]]: memref<4xf32>, %[[V:.*]]: f32, %[[I:.*]]: index
// BUFFERS-NOT: copy
// BUFFERS: memref.store %[[V]], %[[X]][%[[I]]]
func.func @scatter(%x: tensor<4xf32>, %v: f32, %i: index) -> tensor<4xf32> {
  %0 = tensor.insert %v into %x[%i] : tensor<4xf32>
  return %0 : tensor<4xf32>
}
func.func @scatter_update(%x: tensor<4xf32>, %v: f32, %i: index) -> (tensor<4xf32> {dann.updates = 0 : i64}) {
  %0 = tensor.insert %v into %x[%i] : tensor<4xf32>
  return %0 : tensor<4xf32>
}
