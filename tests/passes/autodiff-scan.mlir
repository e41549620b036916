// RUN: dann-opt %s -split-input-file -dann-autodiff -symbol-dce -canonicalize -cse | FileCheck -enable-var-scope %s

#id = affine_map<(i, j) -> (i, j)>

// CHECK-DAG: #[[$MN:.*]] = affine_map<(d0, d1, d2) -> (d0, d1)>
// CHECK-DAG: #[[$MK:.*]] = affine_map<(d0, d1, d2) -> (d0, d2)>
// CHECK-DAG: #[[$KN:.*]] = affine_map<(d0, d1, d2) -> (d2, d1)>
// CHECK-DAG: #[[$KM:.*]] = affine_map<(d0, d1, d2) -> (d2, d0)>

// Backpropagation through time: the scan in the other direction. The first one
// saves the state before each step, which the gradient of the weights reads, and
// the product, which tanh reads. With t = tanh(c . w^T + x) and the cotangent dt,
// dz = dt (1 - t^2) is that of x and of the product; dc = dz . w is carried to
// the step before, and dw = dz^T . c is summed.
// CHECK-LABEL: func @gradients(
// CHECK-SAME: %[[H:[^:]*]]: tensor<?x4xf32>, %[[XS:[^:]*]]: tensor<5x?x4xf32>, %[[W:[^:]*]]: tensor<4x4xf32>)
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.000000e+00 : f32
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f32
// CHECK: %[[F:.*]]:3 = dann.scan initial(%[[H]]) over(%[[XS]]) with(%[[W]])
// CHECK: ^bb0(%[[C:[^:]*]]: tensor<?x4xf32>,
// CHECK: %[[Z:.*]] = dann.ei_dense_folded %[[C]]
// CHECK: %[[T:.*]] = linalg.generic {{.*}} ins(%[[Z]],
// CHECK: dann.yield carries(%[[T]] : {{.*}}) outputs(%[[Z]], %[[C]] :
// CHECK: %[[SEED:.*]] = linalg.fill ins(%[[ONE]] : f32)
// CHECK: %[[DLAST:.*]] = linalg.generic {{.*}} ins(%[[SEED]] :
// CHECK: %[[NONE:.*]] = linalg.fill ins(%[[ZERO]] : f32) outs(%{{.*}} : tensor<4x4xf32>)
// CHECK: %[[R:.*]]:3 = dann.scan reverse initial(%[[DLAST]], %[[NONE]]) over(%[[F]]#2, %[[XS]], %[[F]]#1) with(%[[W]])
// CHECK: ^bb0(%[[DT:[^:]*]]: tensor<?x4xf32>, %[[SUM:[^:]*]]: tensor<4x4xf32>, %[[OLD:[^:]*]]: tensor<?x4xf32>, %[[X:[^:]*]]: tensor<?x4xf32>, %[[SAVED:[^:]*]]: tensor<?x4xf32>, %[[V:[^:]*]]: tensor<4x4xf32>):
// CHECK-NOT: dann.ei_dense_folded
// CHECK: %[[DZ:.*]] = linalg.generic {{.*}} ins(%[[SAVED]], %[[X]], %[[DT]] :
// CHECK: ^bb0(%[[A:.*]]: f32, %[[B:.*]]: f32, %[[D:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[S:.*]] = arith.addf %[[A]], %[[B]] : f32
// CHECK-NEXT: %[[Y:.*]] = math.tanh %[[S]] : f32
// CHECK-NEXT: %[[SQUARE:.*]] = arith.mulf %[[Y]], %[[Y]] : f32
// CHECK-NEXT: %[[SLOPE:.*]] = arith.subf %{{.*}}, %[[SQUARE]] : f32
// CHECK-NEXT: %[[PRODUCT:.*]] = arith.mulf %[[D]], %[[SLOPE]] : f32
// CHECK-NEXT: linalg.yield %[[PRODUCT]] : f32
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[SAVED]], %[[X]], %[[DT]] :
// CHECK: %[[DC:.*]] = linalg.contract indexing_maps = [#[[$MK]], #[[$KN]], #[[$MN]]] ins(%[[DZ]], %[[V]] :
// CHECK: %[[DW:.*]] = linalg.contract indexing_maps = [#[[$KM]], #[[$KN]], #[[$MN]]] ins(%[[DZ]], %[[OLD]] :
// CHECK: %[[TOTAL:.*]] = arith.addf %[[SUM]], %[[DW]] :
// CHECK: dann.yield carries(%[[DC]], %[[TOTAL]] : {{.*}}) outputs(%[[DX]] :
// CHECK: return %{{.*}}, %[[R]]#0, %[[R]]#2, %[[R]]#1
func.func private @loss(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %w: tensor<4x4xf32>) -> tensor<f32> {
  %last = dann.scan initial(%h) over(%xs) with(%w) {
  ^bb0(%c: tensor<?x4xf32>, %x: tensor<?x4xf32>, %v: tensor<4x4xf32>):
    %z = dann.ei_dense_folded %c, %v : (tensor<?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
    %c0 = arith.constant 0 : index
    %n = tensor.dim %x, %c0 : tensor<?x4xf32>
    %e = tensor.empty(%n) : tensor<?x4xf32>
    %t = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
         ins(%z, %x : tensor<?x4xf32>, tensor<?x4xf32>) outs(%e : tensor<?x4xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %s = arith.addf %a, %b : f32
      %y = math.tanh %s : f32
      linalg.yield %y : f32
    } -> tensor<?x4xf32>
    dann.yield carries(%t : tensor<?x4xf32>) outputs()
  } : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) -> tensor<?x4xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %sum = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
         ins(%last : tensor<?x4xf32>) outs(%f : tensor<f32>) {
  ^bb0(%a: f32, %out: f32):
    %s = arith.addf %out, %a : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
func.func @gradients(%h: tensor<?x4xf32>, %xs: tensor<5x?x4xf32>, %w: tensor<4x4xf32>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>) {
  %v, %dh, %dxs, %dw = dann.value_and_grad @loss(%h, %xs, %w) wrt [0, 1, 2]
    : (tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>)
    -> (tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>)
  return %v, %dh, %dxs, %dw : tensor<f32>, tensor<?x4xf32>, tensor<5x?x4xf32>, tensor<4x4xf32>
}

// -----

// The cotangent of an output joins that of the carry at its step, also where the
// scan runs backwards, whose derivative runs forwards. With h' = h x,
// dh = (dh' + dout) x and dx = (dh' + dout) h; the last carry has none.
// CHECK-LABEL: func @outputs(
// CHECK-SAME: %[[H:[^:]*]]: tensor<4xf32>, %[[XS:[^:]*]]: tensor<5x4xf32>, %[[G:[^:]*]]: tensor<5x4xf32>)
// CHECK: %[[F:.*]]:{{[0-9]+}} = dann.scan reverse initial(%[[H]]) over(%[[XS]]) with()
// CHECK: ^bb0(%[[C:[^:]*]]: tensor<4xf32>, %[[X:[^:]*]]: tensor<4xf32>):
// CHECK: %[[NEXT:.*]] = linalg.generic {{.*}} ins(%[[C]], %[[X]] :
// CHECK: dann.yield carries(%[[NEXT]] : tensor<4xf32>) outputs(%[[NEXT]], %[[C]] :
// CHECK: %[[DALL:.*]] = linalg.generic {{.*}} ins(%[[G]],
// CHECK: dann.scan initial(%{{.*}}) over(%[[F]]#2, %[[XS]], %[[DALL]]) with()
// CHECK: ^bb0(%[[DC:[^:]*]]: tensor<4xf32>, %[[OLD:[^:]*]]: tensor<4xf32>, %[[Y:[^:]*]]: tensor<4xf32>, %[[DOUT:[^:]*]]: tensor<4xf32>):
// CHECK: %[[SUM:.*]] = arith.addf %[[DC]], %[[DOUT]] :
// CHECK: %[[DH:.*]] = linalg.generic {{.*}} ins(%[[Y]], %[[SUM]] :
// CHECK: arith.mulf
// CHECK: %[[DX:.*]] = linalg.generic {{.*}} ins(%[[OLD]], %[[SUM]] :
// CHECK: arith.mulf
// CHECK: dann.yield carries(%[[DH]] : tensor<4xf32>) outputs(%[[DX]] : tensor<4xf32>)
func.func private @loss(%h: tensor<4xf32>, %xs: tensor<5x4xf32>, %g: tensor<5x4xf32>) -> tensor<f32> {
  %last, %all = dann.scan reverse initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<4xf32>, %x: tensor<4xf32>):
    %e = tensor.empty() : tensor<4xf32>
    %n = linalg.generic {indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>], iterator_types = ["parallel"]}
         ins(%c, %x : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %p = arith.mulf %a, %b : f32
      linalg.yield %p : f32
    } -> tensor<4xf32>
    dann.yield carries(%n : tensor<4xf32>) outputs(%n : tensor<4xf32>)
  } : (tensor<4xf32>, tensor<5x4xf32>) -> (tensor<4xf32>, tensor<5x4xf32>)
  %zero = arith.constant dense<0.0> : tensor<f32>
  %sum = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> ()>], iterator_types = ["reduction", "reduction"]}
         ins(%all, %g : tensor<5x4xf32>, tensor<5x4xf32>) outs(%zero : tensor<f32>) {
  ^bb0(%a: f32, %b: f32, %out: f32):
    %p = arith.mulf %a, %b : f32
    %s = arith.addf %out, %p : f32
    linalg.yield %s : f32
  } -> tensor<f32>
  return %sum : tensor<f32>
}
func.func @outputs(%h: tensor<4xf32>, %xs: tensor<5x4xf32>, %g: tensor<5x4xf32>) -> (tensor<f32>, tensor<4xf32>, tensor<5x4xf32>) {
  %v, %dh, %dxs = dann.value_and_grad @loss(%h, %xs, %g) wrt [0, 1]
    : (tensor<4xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> (tensor<f32>, tensor<4xf32>, tensor<5x4xf32>)
  return %v, %dh, %dxs : tensor<f32>, tensor<4xf32>, tensor<5x4xf32>
}
