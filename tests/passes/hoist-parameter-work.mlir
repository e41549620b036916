// --dann-hoist-parameter-work moves what depends on parameters alone out of
// inference.
// RUN: dann-opt %s -split-input-file -verify-diagnostics -dann-hoist-parameter-work | FileCheck %s

#mk = affine_map<(m, n, k) -> (m, k)>
#kn = affine_map<(m, n, k) -> (k, n)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// The product of two parameters and what is computed from it, for two entry
// points at once; and another tensor of the same parameters, for one of them.
// CHECK-LABEL: func.func @prepare
// CHECK-SAME: (%[[WEI:.*]]: tensor<4x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME: %[[WIX:.*]]: tensor<2x8xf32> {dann.name = "0.wix", dann.role = #dann<role wix>})
// CHECK-SAME: -> (tensor<4x8xf32> {dann.name = "derived/0.wei,0.wix"}, tensor<4x8xf32> {dann.name = "derived/0.wei,0.wix/2"})
// CHECK: %[[P:.*]] = linalg.contract {{.*}} ins(%[[WEI]], %[[WIX]] :
// CHECK-NOT: linalg.contract
// CHECK: %[[W:.*]] = linalg.exp ins(%[[P]] :
// CHECK: %[[V:.*]] = linalg.negf ins(%[[P]] :
// CHECK: return %[[W]], %[[V]]

// What needs an input stays, and so do the parameters among the arguments.
// CHECK-LABEL: func.func @forward
// CHECK-SAME: (%[[X:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<4x2xf32> {dann.name = "0.wei"{{[^}]*}}}, %{{.*}}: tensor<2x8xf32> {dann.name = "0.wix"{{[^}]*}}}, %[[INIT:.*]]: tensor<?x4xf32>, %[[W:.*]]: tensor<4x8xf32> {dann.name = "derived/0.wei,0.wix"})
// CHECK-NEXT: %[[Z:.*]] = linalg.contract {{.*}} ins(%[[X]], %[[W]] : {{.*}}) outs(%[[INIT]] :
// CHECK-NEXT: return %[[Z]]
func.func @forward(%x: tensor<?x8xf32>, %wei: tensor<4x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>}, %wix: tensor<2x8xf32> {dann.name = "0.wix", dann.role = #dann<role wix>}, %init: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %p = linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%wei, %wix : tensor<4x2xf32>, tensor<2x8xf32>) outs(%zeros : tensor<4x8xf32>) -> tensor<4x8xf32>
  %w = linalg.exp ins(%p : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : tensor<?x8xf32>, tensor<4x8xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %z : tensor<?x4xf32>
}

// Its parameters stand in another order.
// CHECK-LABEL: func.func @evaluate
// CHECK-SAME: %[[W:[^:]*]]: tensor<4x8xf32> {dann.name = "derived/0.wei,0.wix"}, %[[V:[^:]*]]: tensor<4x8xf32> {dann.name = "derived/0.wei,0.wix/2"})
// CHECK-NEXT: %[[Z:.*]] = linalg.contract {{.*}} ins(%{{.*}}, %[[W]] :
// CHECK-NEXT: linalg.contract {{.*}} ins(%{{.*}}, %[[V]] : {{.*}}) outs(%[[Z]] :
// CHECK-NEXT: return
func.func @evaluate(%x: tensor<?x8xf32>, %wix: tensor<2x8xf32> {dann.name = "0.wix", dann.role = #dann<role wix>}, %wei: tensor<4x2xf32> {dann.name = "0.wei", dann.role = #dann<role wei>}, %init: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {dann.inference} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8xf32>
  %zeros = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %p = linalg.contract indexing_maps = [#mk, #kn, #mn] ins(%wei, %wix : tensor<4x2xf32>, tensor<2x8xf32>) outs(%zeros : tensor<4x8xf32>) -> tensor<4x8xf32>
  %w = linalg.exp ins(%p : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %v = linalg.negf ins(%p : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %z = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %w : tensor<?x8xf32>, tensor<4x8xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%x, %v : tensor<?x8xf32>, tensor<4x8xf32>) outs(%z : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

#id = affine_map<(i, j) -> (i, j)>

// A derived tensor may be computed from another one.
// CHECK-LABEL: func.func @prepare
// CHECK-SAME: (%[[W:.*]]: tensor<4x8xf32> {dann.name = "w", dann.role = #dann<role w>}) -> (tensor<4x8xf32> {dann.name = "derived/w"}, tensor<4x8xbf16> {dann.name = "derived/w/2"})
// CHECK: %[[E:.*]] = linalg.exp ins(%[[W]] :
// CHECK: %[[R:.*]] = linalg.generic {{.*}} ins(%[[E]] : tensor<4x8xf32>) outs(%{{.*}} : tensor<4x8xbf16>)
// CHECK: arith.truncf
// CHECK: return %[[E]], %[[R]]
// CHECK-LABEL: func.func @rounded
// CHECK-SAME: %[[D:[^:]*]]: tensor<4x8xf32> {dann.name = "derived/w"}, %[[D16:[^:]*]]: tensor<4x8xbf16> {dann.name = "derived/w/2"})
// CHECK-NEXT: return %[[D]], %[[D16]]
func.func @rounded(%w: tensor<4x8xf32> {dann.name = "w", dann.role = #dann<role w>}) -> (tensor<4x8xf32>, tensor<4x8xbf16>) attributes {dann.inference} {
  %e = tensor.empty() : tensor<4x8xf32>
  %exp = linalg.exp ins(%w : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %e16 = tensor.empty() : tensor<4x8xbf16>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%exp : tensor<4x8xf32>) outs(%e16 : tensor<4x8xbf16>) {
  ^bb0(%in: f32, %out: bf16):
    %1 = arith.truncf %in : f32 to bf16
    linalg.yield %1 : bf16
  } -> tensor<4x8xbf16>
  return %exp, %0 : tensor<4x8xf32>, tensor<4x8xbf16>
}

// -----

// What rearranges stays, unless it stands between computations.
// CHECK-LABEL: func.func @prepare
// CHECK-SAME: -> (tensor<8x4xf32> {dann.name = "derived/w"})
// CHECK: tensor.collapse_shape
// CHECK: tensor.expand_shape
// CHECK: linalg.exp
// CHECK-NOT: tensor.collapse_shape
// CHECK: return
// CHECK-LABEL: func.func @shapes
// CHECK-SAME: %[[D:[^:]*]]: tensor<8x4xf32> {dann.name = "derived/w"})
// CHECK-NEXT: %[[C:.*]] = tensor.collapse_shape %[[D]]
// CHECK-NEXT: return %[[C]]
func.func @shapes(%w: tensor<4x8xf32> {dann.name = "w", dann.role = #dann<role w>}) -> tensor<32xf32> attributes {dann.inference} {
  %c = tensor.collapse_shape %w [[0, 1]] : tensor<4x8xf32> into tensor<32xf32>
  %s = tensor.expand_shape %c [[0, 1]] output_shape [8, 4] : tensor<32xf32> into tensor<8x4xf32>
  %e = tensor.empty() : tensor<8x4xf32>
  %0 = linalg.exp ins(%s : tensor<8x4xf32>) outs(%e : tensor<8x4xf32>) -> tensor<8x4xf32>
  %1 = tensor.collapse_shape %0 [[0, 1]] : tensor<8x4xf32> into tensor<32xf32>
  return %1 : tensor<32xf32>
}

// -----

// Nothing to prepare: neither what stands in training, private functions and on
// other arguments than parameters, nor constants and rearranged parameters.
// CHECK-NOT: @prepare
// CHECK-LABEL: func.func @train_step
// CHECK: linalg.exp
func.func @train_step(%w: tensor<4xf32> {dann.name = "w", dann.role = #dann<role w>}) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func private @helper
// CHECK: linalg.exp
func.func private @helper(%w: tensor<4xf32> {dann.name = "w", dann.role = #dann<role w>}) -> tensor<4xf32> attributes {dann.inference} {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}

// CHECK-LABEL: func.func @inputs
// CHECK: linalg.exp
// CHECK: linalg.fill
// CHECK: tensor.expand_shape
func.func @inputs(%x: tensor<4xf32> {dann.name = "x"}, %w: tensor<4xf32> {dann.name = "w", dann.role = #dann<role w>}) -> (tensor<4xf32>, tensor<4xf32>, tensor<4x1xf32>) attributes {dann.inference} {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %one = arith.constant 1.0 : f32
  %ones = linalg.fill ins(%one : f32) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %column = tensor.expand_shape %w [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  return %0, %ones, %column : tensor<4xf32>, tensor<4xf32>, tensor<4x1xf32>
}

// -----

// expected-error @below {{the name 'prepare' is taken: dann-hoist-parameter-work makes a function of that name}}
func.func @prepare() {
  return
}

func.func @forward(%w: tensor<4xf32> {dann.name = "w", dann.role = #dann<role w>}) -> tensor<4xf32> attributes {dann.inference} {
  %e = tensor.empty() : tensor<4xf32>
  %0 = linalg.exp ins(%w : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %0 : tensor<4xf32>
}
