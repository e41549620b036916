// --dann-allow-reassociation relaxes float arithmetic by exactly two flags:
// NaN, infinities and signed zeros keep their meaning.
// RUN: dann-opt %s -dann-allow-reassociation | FileCheck %s

// CHECK-LABEL: func @arithmetic
func.func @arithmetic(%a: f32, %b: f32, %i: i64, %m: memref<4xf32>) -> f32 {
  // CHECK: arith.mulf %{{.*}}, %{{.*}} fastmath<reassoc,contract> : f32
  %0 = arith.mulf %a, %b : f32
  // CHECK: arith.addf %{{.*}}, %{{.*}} fastmath<reassoc,contract> : f32
  %1 = arith.addf %0, %b fastmath<fast> : f32
  // CHECK: math.exp %{{.*}} fastmath<reassoc,contract> : f32
  %2 = math.exp %1 : f32
  // CHECK: arith.addi %{{[^ ]*}}, %{{[^ ]*}} : i64
  %3 = arith.addi %i, %i : i64
  return %2 : f32
}
