// --dann-select-kernels says of each product what computes it.
// RUN: dann-opt %s -dann-select-kernels | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: dann-opt %s -dann-select-kernels=backend=auto | FileCheck %s --check-prefixes=CHECK,AUTO
// RUN: dann-opt %s -dann-select-kernels=backend=onednn | FileCheck %s --check-prefixes=CHECK,ONEDNN
// RUN: dann-opt %s -dann-select-kernels=backend=generated | FileCheck %s --check-prefixes=CHECK,GENERATED
// RUN: dann-opt %s -dann-select-kernels="backend=onednn explain" -verify-diagnostics
// RUN: not dann-opt %s -dann-select-kernels=backend=mkl 2>&1 | FileCheck %s --check-prefix=UNKNOWN

// UNKNOWN: error: unknown backend 'mkl': it has to be auto, onednn or generated

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: func @f32
// AUTO: linalg.contract {{.*}} {dann.kernel = "generated"}
// GENERATED: linalg.contract {{.*}} {dann.kernel = "generated"}
// ONEDNN: linalg.contract {{.*}} {dann.kernel = "onednn"}
func.func @f32(%a: tensor<?x8xf32>, %b: tensor<4x8xf32>, %c: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-remark @below {{product 'tensor<?x8xf32>' . 'tensor<4x8xf32>': onednn, since asked for by the user}}
  %0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%a, %b : tensor<?x8xf32>, tensor<4x8xf32>) outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// What one of the two does not have goes to the other, whatever was asked for.
// CHECK-LABEL: func @f64
// CHECK: linalg.contract {{.*}} {dann.kernel = "generated"}
func.func @f64(%a: tensor<?x8xf64>, %b: tensor<4x8xf64>, %c: tensor<?x4xf64>) -> tensor<?x4xf64> {
  // expected-remark @below {{product 'tensor<?x8xf64>' . 'tensor<4x8xf64>': generated, since oneDNN has no products of this type}}
  %0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%a, %b : tensor<?x8xf64>, tensor<4x8xf64>) outs(%c : tensor<?x4xf64>) -> tensor<?x4xf64>
  return %0 : tensor<?x4xf64>
}

// CHECK-LABEL: func @bf16
// CHECK: linalg.contract {{.*}} {dann.kernel = "onednn"}
func.func @bf16(%a: tensor<?x8xbf16>, %b: tensor<4x8xbf16>, %c: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-remark @below {{product 'tensor<?x8xbf16>' . 'tensor<4x8xbf16>': onednn, since generated kernels have no bf16 products}}
  %0 = linalg.contract indexing_maps = [#mk, #nk, #mn] ins(%a, %b : tensor<?x8xbf16>, tensor<4x8xbf16>) outs(%c : tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// A large matrix that would be read by columns, as w is by x . w (batch last:
// x^T[n, m] = sum over k of w[k, n] x[k, m]), goes to the library; read by rows
// it does not matter how large it is, and a batch is never known to be large.
// CHECK-LABEL: func @large
// AUTO: linalg.contract {{.*}} {dann.kernel = "onednn"} ins(%arg0, {{.*}} : tensor<2000x2000xf32>
// GENERATED: linalg.contract {{.*}} {dann.kernel = "generated"} ins(%arg0, {{.*}} : tensor<2000x2000xf32>
// ONEDNN: linalg.contract {{.*}} {dann.kernel = "onednn"} ins(%arg0, {{.*}} : tensor<2000x2000xf32>
// AUTO: linalg.contract {{.*}} {dann.kernel = "generated"} ins(%arg0, {{.*}} : tensor<2000x2000xf32>
func.func @large(%w: tensor<2000x2000xf32>, %x: tensor<2000x?xf32>, %c: tensor<2000x?xf32>) -> tensor<2000x?xf32> {
  // expected-remark @below {{onednn, since asked for by the user}}
  %0 = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (k, m)>, affine_map<(m, n, k) -> (k, n)>, #mn] ins(%w, %x : tensor<2000x2000xf32>, tensor<2000x?xf32>) outs(%c : tensor<2000x?xf32>) -> tensor<2000x?xf32>
  // expected-remark @below {{onednn, since asked for by the user}}
  %1 = linalg.contract indexing_maps = [#mk, affine_map<(m, n, k) -> (k, n)>, #mn] ins(%w, %0 : tensor<2000x2000xf32>, tensor<2000x?xf32>) outs(%c : tensor<2000x?xf32>) -> tensor<2000x?xf32>
  return %1 : tensor<2000x?xf32>
}

// Other operations get no kernel.
// CHECK-LABEL: func @other
// CHECK-NOT: dann.kernel
// CHECK: return
func.func @other(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = linalg.exp ins(%a : tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> tensor<4x4xf32>
  return %0 : tensor<4x4xf32>
}

// Convolutions have generated kernels. The derivative by images that adds to
// pixels in strides has none.
#z = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, oh, ow, b)>
#w = affine_map<(b, f, oh, ow, c, kh, kw) -> (f, c, kh, kw)>
#x = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh + kh, ow + kw, b)>
#x_strided = affine_map<(b, f, oh, ow, c, kh, kw) -> (c, oh * 2 + kh, ow + kw, b)>
// CHECK-LABEL: func @convolutions
// AUTO: linalg.generic {{.*}} attrs = {dann.kernel = "generated"}
// AUTO: linalg.generic {{.*}} attrs = {dann.kernel = "generated"}
// AUTO: linalg.generic {{.*}} attrs = {dann.kernel = "onednn"}
// GENERATED-COUNT-3: linalg.generic {{.*}} attrs = {dann.kernel = "generated"}
// ONEDNN-COUNT-3: linalg.generic {{.*}} attrs = {dann.kernel = "onednn"}
func.func @convolutions(%z: tensor<4x3x5x?xf32>, %w: tensor<4x3x3x3xf32>, %x: tensor<3x5x7x?xf32>, %y: tensor<3x7x7x?xf32>) -> (tensor<4x3x5x?xf32>, tensor<3x5x7x?xf32>, tensor<3x7x7x?xf32>) {
  // expected-remark @below {{convolution 'tensor<3x5x7x?xf32>' . 'tensor<4x3x3x3xf32>': onednn, since asked for by the user}}
  %0 = linalg.generic {indexing_maps = [#x, #w, #z], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction", "reduction"]}
      ins(%x, %w : tensor<3x5x7x?xf32>, tensor<4x3x3x3xf32>) outs(%z : tensor<4x3x5x?xf32>) {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<4x3x5x?xf32>
  // expected-remark @below {{onednn, since asked for by the user}}
  %1 = linalg.generic {indexing_maps = [#z, #w, #x], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%z, %w : tensor<4x3x5x?xf32>, tensor<4x3x3x3xf32>) outs(%x : tensor<3x5x7x?xf32>) {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x5x7x?xf32>
  // expected-remark @below {{onednn, since asked for by the user}}
  %2 = linalg.generic {indexing_maps = [#z, #w, #x_strided], iterator_types = ["parallel", "reduction", "reduction", "reduction", "parallel", "reduction", "reduction"]}
      ins(%z, %w : tensor<4x3x5x?xf32>, tensor<4x3x3x3xf32>) outs(%y : tensor<3x7x7x?xf32>) {
  ^bb0(%g: f32, %v: f32, %sum: f32):
    %term = arith.mulf %g, %v : f32
    %next = arith.addf %sum, %term : f32
    linalg.yield %next : f32
  } -> tensor<3x7x7x?xf32>
  return %0, %1, %2 : tensor<4x3x5x?xf32>, tensor<3x5x7x?xf32>, tensor<3x7x7x?xf32>
}
