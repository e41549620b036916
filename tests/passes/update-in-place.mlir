// --dann-update-in-place makes the argument that a result replaces the
// destination of the operation that computes it.
// RUN: dann-opt %s -pass-pipeline="builtin.module(func.func(dann-update-in-place))" | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#transposed = affine_map<(i, j) -> (j, i)>

// CHECK-LABEL: func @elementwise
// CHECK-SAME: (%[[G:.*]]: tensor<4x4xf32>, %[[W:.*]]: tensor<4x4xf32>)
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
// CHECK-SAME: (%[[D:.*]]: tensor<4x4xf32>, %{{.*}})
// CHECK: linalg.generic {{.*}} outs(%[[D]] :
func.func @reads_destination(%d: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32> {dann.updates = 1 : i64}) {
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%w : tensor<4x4xf32>) outs(%d : tensor<4x4xf32>) {
  ^bb0(%b: f32, %out: f32):
    %1 = arith.addf %b, %out : f32
    linalg.yield %1 : f32
  } -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}
