// Folders of dann operations, and that unused ones disappear.
// RUN: dann-opt %s -canonicalize | FileCheck %s

// Projections are idempotent.
// CHECK-LABEL: func @project_twice
// CHECK-SAME: (%[[W:.*]]: tensor<4xf32>)
// CHECK-NEXT: %[[P:.*]] = dann.project nonneg %[[W]]
// CHECK-NEXT: return %[[P]]
func.func @project_twice(%w: tensor<4xf32>) -> tensor<4xf32> {
  %0 = dann.project nonneg %w : tensor<4xf32>
  %1 = dann.project nonneg %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// Projections on different constraints both stay: together they make zero.
// CHECK-LABEL: func @project_on_both
// CHECK: dann.project nonneg
// CHECK: dann.project nonpos
func.func @project_on_both(%w: tensor<4xf32>) -> tensor<4xf32> {
  %0 = dann.project nonneg %w : tensor<4xf32>
  %1 = dann.project nonpos %0 : tensor<4xf32>
  return %1 : tensor<4xf32>
}

// A draw of random numbers that nobody reads has no side effect.
// CHECK-LABEL: func @unused
// CHECK-NEXT: return
func.func @unused(%w: tensor<4xf32>, %rate: tensor<f32>, %seed: tensor<i64>, %logits: tensor<?x10xf32>, %y: tensor<?xi64>) {
  %0 = dann.random normal scale 1.0 stream 0 seed %seed : tensor<i64> -> tensor<4xf32>
  %1 = dann.sgd_update %w, %0, %rate : tensor<4xf32>, tensor<f32>
  %2 = dann.project nonneg %1 : tensor<4xf32>
  %3 = dann.correct_inhibition alpha %2 fan_in 8 excitatory 4 : tensor<4xf32>
  %4 = dann.softmax_cross_entropy %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<f32>
  %5 = dann.count_errors %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<i64>
  return
}
