// RUN: dann-opt %s -dann-segment-scans -canonicalize | FileCheck -enable-var-scope %s

// Seven steps: two segments of three, and one that is left over.
// CHECK-LABEL: func @sum(
// CHECK-SAME: %[[H:[^:]*]]: tensor<?x8xf32>, %[[XS:[^:]*]]: tensor<7x?x8xf32>)
// CHECK: %[[MANY:.*]] = tensor.extract_slice %[[XS]][0, 0, 0] [6,
// CHECK: %[[SEGMENTS:.*]] = tensor.expand_shape %[[MANY]] {{\[}}[0, 1], [2], [3]]
// CHECK: %[[OUTER:.*]]:2 = dann.scan checkpoint_every 1 initial(%[[H]]) over(%[[SEGMENTS]])
// CHECK: ^bb0(%[[C:[^:]*]]: tensor<?x8xf32>, %[[X:[^:]*]]: tensor<3x?x8xf32>):
// CHECK: dann.scan initial(%[[C]]) over(%[[X]])
// CHECK: arith.addf
// CHECK: tensor.collapse_shape %[[OUTER]]#1 {{\[}}[0, 1], [2], [3]]
// CHECK: %[[LAST:.*]] = tensor.extract_slice %[[XS]][6, 0, 0] [1,
// CHECK: dann.scan checkpoint_every 1 initial(%[[OUTER]]#0) over(%[[LAST]])
// CHECK: tensor.insert_slice
// CHECK: tensor.insert_slice
func.func @sum(%h: tensor<?x8xf32>, %xs: tensor<7x?x8xf32>)
    -> (tensor<?x8xf32>, tensor<7x?x8xf32>) {
  %r:2 = dann.scan checkpoint_every 3 initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<?x8xf32>, %x: tensor<?x8xf32>):
    %sum = arith.addf %c, %x : tensor<?x8xf32>
    dann.yield carries(%sum : tensor<?x8xf32>) outputs(%sum : tensor<?x8xf32>)
  } : (tensor<?x8xf32>, tensor<7x?x8xf32>)
   -> (tensor<?x8xf32>, tensor<7x?x8xf32>)
  return %r#0, %r#1 : tensor<?x8xf32>, tensor<7x?x8xf32>
}

// All steps in one segment.
// CHECK-LABEL: func @one_segment(
// CHECK: dann.scan checkpoint_every 1
// CHECK: tensor<2x8xf32>):
// CHECK: dann.scan initial
// CHECK-NOT: tensor.insert_slice
func.func @one_segment(%h: tensor<8xf32>, %xs: tensor<2x8xf32>) -> tensor<8xf32> {
  %r = dann.scan checkpoint_every 9 initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<8xf32>, %x: tensor<8xf32>):
    %sum = arith.addf %c, %x : tensor<8xf32>
    dann.yield carries(%sum : tensor<8xf32>) outputs()
  } : (tensor<8xf32>, tensor<2x8xf32>) -> tensor<8xf32>
  return %r : tensor<8xf32>
}
