// The operation of examples/plugin, which dann-opt loads at run time.
// DEFINE: %{plugin} = --load-dialect-plugin=%build/lib/smooth-plugin.so --load-pass-plugin=%build/lib/smooth-plugin.so
// RUN: dann-opt %{plugin} %s | dann-opt %{plugin} | FileCheck %s
// RUN: dann-opt %{plugin} --dann-autodiff --symbol-dce --canonicalize %s | FileCheck %s --check-prefix=VJP
// RUN: dann-opt %{plugin} --pass-pipeline='builtin.module(lower-smooth)' %s | FileCheck %s --check-prefix=LOWER

// What it computes, as code that runs.
// RUN: dann-opt %{plugin} --pass-pipeline='builtin.module(dann-autodiff,symbol-dce,lower-smooth)' %s \
// RUN: | dann-opt --one-shot-bufferize=bufferize-function-boundaries --convert-linalg-to-loops \
// RUN:   --convert-vector-to-scf --convert-scf-to-cf --convert-math-to-libm --expand-strided-metadata \
// RUN:   --lower-affine --convert-vector-to-llvm --convert-to-llvm --reconcile-unrealized-casts \
// RUN: | mlir-runner -e main --entry-point-result=void --shared-libs=%llvm_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s --check-prefix=VALUES

// CHECK-LABEL: func.func private @sum
// CHECK: smooth.softplus %{{.*}} : tensor<3xf64>

// VJP-LABEL: func.func @main
// VJP: ^bb0(%[[X:.*]]: f64, %[[COTANGENT:.*]]: f64, %{{.*}}: f64):
// VJP-NEXT: %[[MINUS:.*]] = arith.negf %[[X]]
// VJP-NEXT: %[[EXP:.*]] = math.exp %[[MINUS]]
// VJP-NEXT: %[[SUM:.*]] = arith.addf %[[EXP]], %{{.*}}
// VJP-NEXT: %[[VJP:.*]] = arith.divf %[[COTANGENT]], %[[SUM]]
// VJP-NEXT: linalg.yield %[[VJP]]

// LOWER-LABEL: func.func private @sum
// LOWER: %[[ZERO:.*]] = arith.constant 0.000000e+00 : f64
// LOWER: ^bb0(%[[X:.*]]: f64, %{{.*}}: f64):
// LOWER-NEXT: %[[ABS:.*]] = math.absf %[[X]]
// LOWER-NEXT: %[[NEG:.*]] = arith.negf %[[ABS]]
// LOWER-NEXT: %[[EXP:.*]] = math.exp %[[NEG]]
// LOWER-NEXT: %[[LOG:.*]] = math.log1p %[[EXP]]
// LOWER-NEXT: %[[MAX:.*]] = arith.maximumf %[[X]], %[[ZERO]]
// LOWER-NEXT: %[[SUM:.*]] = arith.addf %[[MAX]], %[[LOG]]
// LOWER-NEXT: linalg.yield %[[SUM]]
func.func private @sum(%x: tensor<3xf64>) -> tensor<f64> {
  %y = smooth.softplus %x : tensor<3xf64>
  %zero = arith.constant dense<0.0> : tensor<f64>
  %sum = linalg.generic {
    indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>],
    iterator_types = ["reduction"]
  } ins(%y : tensor<3xf64>) outs(%zero : tensor<f64>) {
  ^bb0(%in: f64, %out: f64):
    %s = arith.addf %out, %in : f64
    linalg.yield %s : f64
  } -> tensor<f64>
  return %sum : tensor<f64>
}

// At 1, -2 and 800, where e^x is no number. Of NumPy: logaddexp(0, x), and
// 1 / (1 + exp(-x)).
// VALUES: ( 1.31326, 0.126928, 800 )
// VALUES-NEXT: ( 0.731059, 0.119203, 1 )
func.func @main() {
  %x = arith.constant dense<[1.0, -2.0, 800.0]> : tensor<3xf64>
  %y = smooth.softplus %x : tensor<3xf64>
  %value, %gradient = dann.value_and_grad @sum(%x) wrt [0] : (tensor<3xf64>) -> (tensor<f64>, tensor<3xf64>)
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : f64
  %values = vector.transfer_read %y[%c0], %zero : tensor<3xf64>, vector<3xf64>
  vector.print %values : vector<3xf64>
  %derivatives = vector.transfer_read %gradient[%c0], %zero : tensor<3xf64>, vector<3xf64>
  vector.print %derivatives : vector<3xf64>
  return
}
