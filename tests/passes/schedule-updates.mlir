// --dann-schedule-updates moves what computes the new value of a parameter right
// behind the last use of the old one.
// RUN: dann-opt %s -split-input-file -pass-pipeline="builtin.module(func.func(dann-schedule-updates))" | FileCheck %s

// w is last used by the first operation; its update waits for what it needs, and
// for nothing else.
// CHECK-LABEL: func @early
// CHECK-SAME: (%[[W:.*]]: tensor<4xf32>, %[[X:.*]]: tensor<4xf32>)
// CHECK: %[[A:.*]] = arith.mulf %[[W]], %[[X]]
// CHECK-NEXT: %[[T:.*]] = arith.negf %[[A]]
// CHECK-NEXT: %[[NEW:.*]] = arith.addf %[[W]], %[[T]]
// CHECK-NEXT: %[[B:.*]] = math.exp %[[A]]
// CHECK-NEXT: %[[C:.*]] = math.sqrt %[[B]]
// CHECK-NEXT: return %[[C]], %[[NEW]]
func.func @early(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32> {dann.updates = 0 : i64}) {
  %a = arith.mulf %w, %x : tensor<4xf32>
  %b = math.exp %a : tensor<4xf32>
  %c = math.sqrt %b : tensor<4xf32>
  %t = arith.negf %a : tensor<4xf32>
  %new = arith.addf %w, %t : tensor<4xf32>
  return %c, %new : tensor<4xf32>, tensor<4xf32>
}

// -----

// The old value is used later: the update stays behind that, and is not copied.
// CHECK-LABEL: func @used_later
// CHECK-SAME: (%[[W:.*]]: tensor<4xf32>, %{{.*}}: tensor<4xf32>)
// CHECK: %[[B:.*]] = math.exp
// CHECK-NEXT: %[[C:.*]] = arith.mulf %[[B]], %[[W]]
// CHECK-NEXT: %[[NEW:.*]] = arith.addf %[[W]],
// CHECK-NEXT: %[[D:.*]] = math.sqrt %[[C]]
// CHECK-NEXT: return %[[D]], %[[NEW]]
func.func @used_later(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32> {dann.updates = 0 : i64}) {
  %b = math.exp %x : tensor<4xf32>
  %c = arith.mulf %b, %w : tensor<4xf32>
  %d = math.sqrt %c : tensor<4xf32>
  %new = arith.addf %w, %x : tensor<4xf32>
  return %d, %new : tensor<4xf32>, tensor<4xf32>
}

// -----

// What others need as well is not moved, nor what replaces nothing.
// CHECK-LABEL: func @shared
// CHECK: math.exp
// CHECK-NEXT: math.sqrt
// CHECK-NEXT: arith.negf
// CHECK-NEXT: arith.addf
// CHECK-NEXT: return
func.func @shared(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32> {dann.updates = 0 : i64}) {
  %b = math.exp %x : tensor<4xf32>
  %c = math.sqrt %b : tensor<4xf32>
  %t = arith.negf %c : tensor<4xf32>
  %new = arith.addf %w, %t : tensor<4xf32>
  return %b, %t, %new : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// CHECK-LABEL: func @no_update
// CHECK: math.exp
// CHECK-NEXT: arith.addf
func.func @no_update(%w: tensor<4xf32>, %x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %b = math.exp %x : tensor<4xf32>
  %new = arith.addf %w, %x : tensor<4xf32>
  return %b, %new : tensor<4xf32>, tensor<4xf32>
}
