// --convert-dann-to-onednn turns products into calls of oneDNN and moves what
// follows into them.
// RUN: dann-opt %s -convert-dann-to-onednn -canonicalize -cse | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#km = affine_map<(m, n, k) -> (k, m)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#nm = affine_map<(m, n, k) -> (n, m)>
#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (j)>
#column = affine_map<(i, j) -> (i)>

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

// A product that starts from zeros reads none.
// CHECK-LABEL: func @transposes
// CHECK-SAME: (%[[A:.*]]: tensor<?x8xf32>, %[[AT:.*]]: tensor<8x?xf32>, %[[B:.*]]: tensor<8x4xf32>, %[[BT:.*]]: tensor<4x8xf32>, %[[INIT:.*]]: tensor<?x4xf32>)
// CHECK-NOT: linalg.fill
// CHECK: onednn.matmul ins(%[[A]], %[[B]] : {{.*}}) outs(%{{.*}} : tensor<?x4xf32>) -> tensor<?x4xf32>
// CHECK: onednn.matmul ins(%[[A]], %[[BT]] : {{.*}}) outs(%{{.*}} : tensor<?x4xf32>) {transpose_b} -> tensor<?x4xf32>
// CHECK: onednn.matmul ins(%[[AT]], %[[B]] : {{.*}}) outs(%{{.*}} : tensor<?x4xf32>) {transpose_a} -> tensor<?x4xf32>
// CHECK: onednn.matmul ins(%[[AT]], %[[BT]] : {{.*}}) outs(%[[INIT]] : tensor<?x4xf32>) {accumulate, transpose_a, transpose_b} -> tensor<?x4xf32>
func.func @transposes(%a: tensor<?x8xf32>, %at: tensor<8x?xf32>, %b: tensor<8x4xf32>, %bt: tensor<4x8xf32>, %init: tensor<?x4xf32>)
    -> (tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>) {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %a, %c0 : tensor<?x8xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<?x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<?x4xf32>) -> tensor<?x4xf32>
  %1 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%a, %bt : tensor<?x8xf32>, tensor<4x8xf32>) outs(%zeros : tensor<?x4xf32>) -> tensor<?x4xf32>
  %2 = linalg.generic {indexing_maps = [#km, #kn, #mn], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%at, %b : tensor<8x?xf32>, tensor<8x4xf32>) outs(%zeros : tensor<?x4xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %out, %p : f32
    linalg.yield %s : f32
  } -> tensor<?x4xf32>
  %3 = linalg.contract indexing_maps = [#km, #nk, #mn] ins(%at, %bt : tensor<8x?xf32>, tensor<4x8xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0, %1, %2, %3 : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>
}

// A transposed result is a product of the operands in the other order.
// CHECK-LABEL: func @transposed_result
// CHECK-SAME: (%[[A:.*]]: tensor<3x8xf32>, %[[B:.*]]: tensor<8x4xf32>, %[[INIT:.*]]: tensor<4x3xf32>)
// CHECK: onednn.matmul ins(%[[B]], %[[A]] : {{.*}}) outs(%[[INIT]] : tensor<4x3xf32>) {accumulate, transpose_a, transpose_b}
func.func @transposed_result(%a: tensor<3x8xf32>, %b: tensor<8x4xf32>, %init: tensor<4x3xf32>) -> tensor<4x3xf32> {
  %0 = linalg.contract indexing_maps = [#mk, #kn, #nm] ins(%a, %b : tensor<3x8xf32>, tensor<8x4xf32>) outs(%init : tensor<4x3xf32>) -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}

// What oneDNN is not asked to do: f64, vectors, batches, other reductions.
// CHECK-LABEL: func @others
// CHECK-NOT: onednn.
// CHECK: linalg.matmul
// CHECK-NOT: onednn.
// CHECK: linalg.matvec
// CHECK-NOT: onednn.
// CHECK: linalg.batch_matmul
// CHECK-NOT: onednn.
// CHECK: return
func.func @others(%a: tensor<3x8xf64>, %b: tensor<8x4xf64>, %c: tensor<3x4xf64>, %d: tensor<3x8xf32>, %v: tensor<8xf32>, %w: tensor<3xf32>,
                  %e: tensor<2x3x8xf32>, %f: tensor<2x8x4xf32>, %g: tensor<2x3x4xf32>) -> (tensor<3x4xf64>, tensor<3xf32>, tensor<2x3x4xf32>) {
  %0 = linalg.matmul ins(%a, %b : tensor<3x8xf64>, tensor<8x4xf64>) outs(%c : tensor<3x4xf64>) -> tensor<3x4xf64>
  %1 = linalg.matvec ins(%d, %v : tensor<3x8xf32>, tensor<8xf32>) outs(%w : tensor<3xf32>) -> tensor<3xf32>
  %2 = linalg.batch_matmul ins(%e, %f : tensor<2x3x8xf32>, tensor<2x8x4xf32>) outs(%g : tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  return %0, %1, %2 : tensor<3x4xf64>, tensor<3xf32>, tensor<2x3x4xf32>
}

// The layer and its gradient share products; sums of products accumulate.
// CHECK-LABEL: func @layer
// CHECK-COUNT-12: onednn.matmul
// CHECK-NOT: onednn.matmul
// CHECK: return
func.func @layer(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>, %alpha: tensor<2xf32>)
    -> (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) {
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha)
    : (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> tensor<?x4xf32>
  %0:5 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei) divisive(%alpha)
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>) -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>)
  return %z, %0#0, %0#1, %0#2, %0#3, %0#4 : tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>, tensor<2xf32>
}

// CHECK-LABEL: func @sum_of_products
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x4xf32>, %{{.*}}: tensor<?x8xf32>, %[[WEX:.*]]: tensor<4x8xf32>, %[[WIX:.*]]: tensor<2x8xf32>,
// CHECK: %[[DX:.*]] = onednn.matmul ins(%[[DZ]], %[[WEX]] : {{.*}}) outs(%{{.*}}) -> tensor<?x8xf32>
// CHECK: onednn.matmul ins(%{{.*}}, %[[WIX]] : {{.*}}) outs(%[[DX]] : tensor<?x8xf32>) {accumulate} -> tensor<?x8xf32>
func.func @sum_of_products(%dz: tensor<?x4xf32>, %x: tensor<?x8xf32>, %wex: tensor<4x8xf32>, %wix: tensor<2x8xf32>, %wei: tensor<4x2xf32>) -> tensor<?x8xf32> {
  %0:4 = dann.ei_dense_grad %dz, %x excitatory(%wex) inhibitory(%wix, %wei)
    : (tensor<?x4xf32>, tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>) -> (tensor<?x8xf32>, tensor<4x8xf32>, tensor<2x8xf32>, tensor<4x2xf32>)
  return %0#0 : tensor<?x8xf32>
}

//===----------------------------------------------------------------------===//
// Bias and relu
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @bias_relu
// CHECK-SAME: (%[[A:.*]]: tensor<3x8xf32>, %[[B:.*]]: tensor<8x4xf32>, %[[BIAS:.*]]: tensor<4xf32>)
// CHECK: %[[E:.*]] = tensor.empty() : tensor<3x4xf32>
// CHECK-NEXT: %[[Z:.*]] = onednn.matmul ins(%[[A]], %[[B]] : {{.*}}) bias(%[[BIAS]] : tensor<4xf32>) outs(%[[E]] : tensor<3x4xf32>) {post_ops = [#onednn<post_op relu>]}
// CHECK-NEXT: return %[[Z]]
func.func @bias_relu(%a: tensor<3x8xf32>, %b: tensor<8x4xf32>, %bias: tensor<4xf32>) -> tensor<3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<3x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %bias : tensor<3x4xf32>, tensor<4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %s = arith.addf %y, %x : f32
    linalg.yield %s : f32
  } -> tensor<3x4xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %zero : f32
    linalg.yield %r : f32
  } -> tensor<3x4xf32>
  return %2 : tensor<3x4xf32>
}

// relu(a . b + c) for a matrix c: oneDNN adds before the epilogue.
// CHECK-LABEL: func @accumulated_relu
// CHECK: onednn.matmul {{.*}} {accumulate, post_ops = [#onednn<post_op relu>]}
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @accumulated_relu(%a: tensor<3x8xf32>, %b: tensor<8x4xf32>, %c: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<3x8xf32>, tensor<8x4xf32>) outs(%c : tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %zero : f32
    linalg.yield %r : f32
  } -> tensor<3x4xf32>
  return %1 : tensor<3x4xf32>
}

// A bias of the rows instead of the columns is no epilogue.
// CHECK-LABEL: func @column_bias
// CHECK: onednn.matmul
// CHECK-NOT: bias
// CHECK: linalg.generic
// CHECK: arith.addf
func.func @column_bias(%a: tensor<4x8xf32>, %b: tensor<8x4xf32>, %c: tensor<4xf32>) -> tensor<4x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #column, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %c : tensor<4x4xf32>, tensor<4xf32>) outs(%e : tensor<4x4xf32>) {
  ^bb0(%x: f32, %y: f32, %out: f32):
    %s = arith.addf %x, %y : f32
    linalg.yield %s : f32
  } -> tensor<4x4xf32>
  return %1 : tensor<4x4xf32>
}

// A maximum with another bound is no relu, nor is one of a product that is
// needed as it was (the backward pass asks for z > 0).
// CHECK-LABEL: func @no_relu
// CHECK-NOT: post_ops
// CHECK: return
func.func @no_relu(%a: tensor<3x8xf32>, %b: tensor<8x4xf32>) -> (tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %e = tensor.empty() : tensor<3x4xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<3x4xf32>) -> tensor<3x4xf32>
  %0 = linalg.matmul ins(%a, %b : tensor<3x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<3x4xf32>) -> tensor<3x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %one : f32
    linalg.yield %r : f32
  } -> tensor<3x4xf32>
  %2 = linalg.matmul ins(%a, %b : tensor<3x8xf32>, tensor<8x4xf32>) outs(%zeros : tensor<3x4xf32>) -> tensor<3x4xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%2 : tensor<3x4xf32>) outs(%e : tensor<3x4xf32>) {
  ^bb0(%x: f32, %out: f32):
    %r = arith.maximumf %x, %zero : f32
    linalg.yield %r : f32
  } -> tensor<3x4xf32>
  return %1, %2, %3 : tensor<3x4xf32>, tensor<3x4xf32>, tensor<3x4xf32>
}

//===----------------------------------------------------------------------===//
// Updates
//===----------------------------------------------------------------------===//

// W <- max(0, W - rate/sqrt(4) * dz^T . x): one product into W, without a
// gradient. The factor goes to the smaller operand.
// CHECK-LABEL: func @update
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x2xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<2x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK-DAG: %[[FACTOR:.*]] = arith.constant -5.000000e-01 : f32
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[DZ]], %[[RATE]] : tensor<?x2xf32>, tensor<f32>)
// CHECK-NEXT: ^bb0(%[[D:[^:]*]]: f32, %[[R:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[F:.*]] = arith.mulf %[[R]], %[[FACTOR]]
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[D]], %[[F]]
// CHECK-NEXT: linalg.yield %[[P]]
// CHECK: %[[NEW:.*]] = onednn.matmul ins(%[[SCALED]], %[[X]] : {{.*}}) outs(%[[W]] : tensor<2x8xf32>) {accumulate, post_ops = [#onednn<post_op relu>], transpose_a}
// CHECK-NOT: onednn.matmul
// CHECK: return %[[NEW]]
func.func @update(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %c = dann.correct_inhibition wix %g fan_in 8 excitatory 4 : tensor<2x8xf32>
  %0 = dann.sgd_update %w, %c, %rate : tensor<2x8xf32>, tensor<f32>
  %1 = dann.project nonneg %0 : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// Neither corrected nor projected; here x is the smaller operand.
// CHECK-LABEL: func @plain_update
// CHECK-SAME: (%[[DZ:.*]]: tensor<?x16xf32>, %[[X:.*]]: tensor<?x8xf32>, %[[W:.*]]: tensor<16x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: arith.constant -1.0
// CHECK: %[[SCALED:.*]] = linalg.generic {{.*}} ins(%[[X]], %[[RATE]] :
// CHECK: onednn.matmul ins(%[[DZ]], %[[SCALED]] : {{.*}}) outs(%[[W]] : tensor<16x8xf32>) {accumulate, transpose_a}
func.func @plain_update(%dz: tensor<?x16xf32>, %x: tensor<?x8xf32>, %w: tensor<16x8xf32>, %rate: tensor<f32>) -> tensor<16x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<16x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<16x8xf32>) -> tensor<16x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x16xf32>, tensor<?x8xf32>) outs(%zeros : tensor<16x8xf32>) -> tensor<16x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<16x8xf32>, tensor<f32>
  return %0 : tensor<16x8xf32>
}

// The projection on nonpositive values is no post-op: it stays.
// CHECK-LABEL: func @nonpositive
// CHECK: %[[NEW:.*]] = onednn.matmul {{.*}} {accumulate, transpose_a}
// CHECK: dann.project nonpos %[[NEW]]
func.func @nonpositive(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  %1 = dann.project nonpos %0 : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}

// A gradient that is returned as well has to be there.
// CHECK-LABEL: func @gradient_used_twice
// CHECK-SAME: (%{{.*}}: tensor<?x2xf32>, %{{.*}}: tensor<?x8xf32>, %[[W:.*]]: tensor<2x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: %[[G:.*]] = onednn.matmul
// CHECK-NOT: onednn.matmul
// CHECK: %[[NEW:.*]] = dann.sgd_update %[[W]], %[[G]], %[[RATE]]
// CHECK: return %[[NEW]], %[[G]]
func.func @gradient_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0, %g : tensor<2x8xf32>, tensor<2x8xf32>
}

// So has a corrected one, and one that is a sum of two products.
// CHECK-LABEL: func @correction_used_twice
// CHECK: %[[C:.*]] = dann.correct_inhibition
// CHECK: dann.sgd_update %{{.*}}, %[[C]],
func.func @correction_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %c = dann.correct_inhibition wix %g fan_in 8 excitatory 4 : tensor<2x8xf32>
  %0 = dann.sgd_update %w, %c, %rate : tensor<2x8xf32>, tensor<f32>
  return %0, %c : tensor<2x8xf32>, tensor<2x8xf32>
}

// CHECK-LABEL: func @accumulated_gradient
// CHECK: %[[G:.*]] = onednn.matmul {{.*}} {accumulate, transpose_a}
// CHECK: dann.sgd_update %{{.*}}, %[[G]],
func.func @accumulated_gradient(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %first: tensor<2x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> tensor<2x8xf32> {
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%first : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  return %0 : tensor<2x8xf32>
}

// A step that is needed without its projection keeps it apart.
// CHECK-LABEL: func @step_used_twice
// CHECK: %[[NEW:.*]] = onednn.matmul {{.*}} {accumulate, transpose_a}
// CHECK: %[[P:.*]] = dann.project nonneg %[[NEW]]
// CHECK: return %[[NEW]], %[[P]]
func.func @step_used_twice(%dz: tensor<?x2xf32>, %x: tensor<?x8xf32>, %w: tensor<2x8xf32>, %rate: tensor<f32>) -> (tensor<2x8xf32>, tensor<2x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<2x8xf32>) -> tensor<2x8xf32>
  %g = linalg.contract indexing_maps = [#km, #kn, #mn] ins(%dz, %x : tensor<?x2xf32>, tensor<?x8xf32>) outs(%zeros : tensor<2x8xf32>) -> tensor<2x8xf32>
  %0 = dann.sgd_update %w, %g, %rate : tensor<2x8xf32>, tensor<f32>
  %1 = dann.project nonneg %0 : tensor<2x8xf32>
  return %0, %1 : tensor<2x8xf32>, tensor<2x8xf32>
}
