// RUN: dann-opt %s -dann-fold-recurrence -canonicalize | FileCheck -enable-var-scope %s

// The weights are folded once, and a step has one product. Divisive inhibition
// needs its interneurons.
// CHECK-LABEL: func @cell(
// CHECK-SAME: %[[H:[^:]*]]: tensor<?x4xf32>, %[[XS:[^:]*]]: tensor<5x?x4xf32>,
// CHECK-SAME: %[[WEX:[^:]*]]: tensor<4x4xf32>, %[[WIX:[^:]*]]: tensor<2x4xf32>, %[[WEI:[^:]*]]: tensor<4x2xf32>, %[[ALPHA:[^:]*]]: tensor<2xf32>)
// CHECK: %[[W:.*]] = dann.fold_inhibition %[[WEX]], %[[WIX]], %[[WEI]]
// CHECK: dann.scan initial(%[[H]]) over(%[[XS]]) with(%[[WEX]], %[[WIX]], %[[WEI]], %[[ALPHA]], %[[W]])
// CHECK: ^bb0(%[[C:[^:]*]]: tensor<?x4xf32>, %[[X:[^:]*]]: tensor<?x4xf32>, {{.*}}, %[[FOLDED:[^:]*]]: tensor<4x4xf32>):
// CHECK: dann.ei_dense_folded %[[C]], %[[FOLDED]]
// CHECK: dann.ei_dense %[[X]] {{.*}} divisive
func.func @cell(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>,
                %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>,
                %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>) -> tensor<?x4xf32> {
  %r = dann.scan initial(%h) over(%xs) with(%wex, %wix, %wei, %alpha) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %e: tensor<4x4xf32>,
       %i: tensor<2x4xf32>, %ei: tensor<4x2xf32>, %a: tensor<2xf32>):
    %z = dann.ei_dense %c excitatory(%e) inhibitory(%i, %ei)
       : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>)
       -> tensor<?x4xf32>
    %y = dann.ei_dense %x excitatory(%e) inhibitory(%i, %ei) divisive(%a)
       : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>,
          tensor<2xf32>) -> tensor<?x4xf32>
    %sum = arith.addf %z, %y : tensor<?x4xf32>
    dann.yield carries(%sum : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>,
       tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// Out of all scans around it.
// CHECK-LABEL: func @nested(
// CHECK: dann.fold_inhibition
// CHECK: dann.scan
// CHECK: dann.scan
// CHECK: dann.ei_dense_folded
func.func @nested(%h: tensor<?x4xf32>, %xs: tensor<2x5x?x4xf32>,
                  %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>,
                  %wei: tensor<4x2xf32>) -> tensor<?x4xf32> {
  %r = dann.scan initial(%h) over(%xs) with(%wex, %wix, %wei) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<5x?x4xf32>, %e: tensor<4x4xf32>,
       %i: tensor<2x4xf32>, %ei: tensor<4x2xf32>):
    %s = dann.scan initial(%c) over(%x) with(%e, %i, %ei) {
    ^bb0(%c1: tensor<?x4xf32>, %x1: tensor<?x4xf32>, %e1: tensor<4x4xf32>,
         %i1: tensor<2x4xf32>, %ei1: tensor<4x2xf32>):
      %z = dann.ei_dense %c1 excitatory(%e1) inhibitory(%i1, %ei1)
         : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>)
         -> tensor<?x4xf32>
      dann.yield carries(%z : tensor<?x4xf32>) outputs()
    } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>,
         tensor<4x2xf32>) -> tensor<?x4xf32>
    dann.yield carries(%s : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<2x5x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>,
       tensor<4x2xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// In inference nothing is dropped; in training the weights of each step are
// others, which cannot be folded once.
// CHECK-LABEL: func @dropped_in_inference(
// CHECK: %[[W:.*]] = dann.fold_inhibition
// CHECK: dann.ei_dense_folded
// CHECK-LABEL: func @dropped(
// CHECK-NOT: dann.fold_inhibition
// CHECK: dann.dropout
// CHECK: dann.ei_dense %
func.func @dropped_in_inference(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>, %wei: tensor<4x2xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %r = dann.scan initial(%h) over(%xs) with(%wex, %wix, %wei) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %e: tensor<4x4xf32>, %i: tensor<2x4xf32>, %ei: tensor<4x2xf32>):
    %d = dann.dropout %e rate 0.5 unscaled : tensor<4x4xf32>
    %z = dann.ei_dense %c excitatory(%d) inhibitory(%i, %ei) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
    dann.yield carries(%z : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}
func.func @dropped(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %wex: tensor<4x4xf32>, %wix: tensor<2x4xf32>, %wei: tensor<4x2xf32>) -> tensor<?x4xf32> {
  %r = dann.scan initial(%h) over(%xs) with(%wex, %wix, %wei) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %e: tensor<4x4xf32>, %i: tensor<2x4xf32>, %ei: tensor<4x2xf32>):
    %d = dann.dropout %e rate 0.5 unscaled : tensor<4x4xf32>
    %z = dann.ei_dense %c excitatory(%d) inhibitory(%i, %ei) : (tensor<?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
    dann.yield carries(%z : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>, tensor<2x4xf32>, tensor<4x2xf32>) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}
