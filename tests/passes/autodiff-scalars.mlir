// The derivative of every scalar operation that --dann-autodiff knows, in the
// body of a linalg operation: what the reverse operation yields for the
// cotangent DY of the result.
// RUN: dann-opt %s -dann-autodiff -symbol-dce -canonicalize -cse | FileCheck %s

// The cotangent itself: the reverse operations are folded.
func.func private @add(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.addf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @add_grad
// CHECK: %[[DY:.*]] = linalg.fill
// CHECK-NEXT: return %{{.*}}, %[[DY]], %[[DY]]
func.func @add_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @add(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @sub(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.subf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @sub_grad
// CHECK: %[[ONE:.*]] = linalg.fill
// CHECK: %[[DB:.*]] = linalg.generic
// CHECK: ^bb0(%[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[DY]]
// CHECK-NEXT: linalg.yield %[[N]]
// CHECK: return %{{.*}}, %[[ONE]], %[[DB]]
func.func @sub_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @sub(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @neg(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = arith.negf %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @neg_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[N:.*]] = arith.negf %[[DY]]
// CHECK-NEXT: linalg.yield %[[N]]
func.func @neg_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @neg(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

func.func private @mul(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.mulf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @mul_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[DA:.*]] = arith.mulf %[[DY]], %[[B]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[DB:.*]] = arith.mulf %[[DY]], %[[A]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @mul_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @mul(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @div(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.divf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @div_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[DA:.*]] = arith.divf %[[DY]], %[[B]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[Q:.*]] = arith.divf %[[A]], %[[B]]
// CHECK-NEXT: %[[S:.*]] = arith.divf %[[DY]], %[[B]]
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[S]], %[[Q]]
// CHECK-NEXT: %[[DB:.*]] = arith.negf %[[P]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @div_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @div(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

// Ties: the comparison is strict, so the second operand gets the cotangent.
func.func private @maximum(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.maximumf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @maximum_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf ogt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[FIRST]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf ogt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DB:.*]] = arith.select %[[FIRST]], %[[ZERO]], %[[DY]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @maximum_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @maximum(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @maxnum(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.maxnumf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @maxnum_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf ogt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[FIRST]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf ogt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DB:.*]] = arith.select %[[FIRST]], %[[ZERO]], %[[DY]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @maxnum_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @maxnum(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @minimum(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.minimumf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @minimum_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[FIRST]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DB:.*]] = arith.select %[[FIRST]], %[[ZERO]], %[[DY]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @minimum_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @minimum(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @minnum(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %r = arith.minnumf %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @minnum_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[FIRST]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[FIRST:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DB:.*]] = arith.select %[[FIRST]], %[[ZERO]], %[[DY]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @minnum_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @minnum(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

// So relu has derivative 0 at 0.
func.func private @relu(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %zero = arith.constant 0.0 : f32
    %r = arith.maximumf %ai, %zero : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @relu_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[POSITIVE:.*]] = arith.cmpf ogt, %[[A]], %[[ZERO]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[POSITIVE]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @relu_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @relu(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// The condition has no derivative.
func.func private @select(%a: tensor<f32>, %b: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a, %b : tensor<f32>, tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %bi: f32, %out: f32):
    %c = arith.cmpf olt, %ai, %bi : f32
    %r = arith.select %c, %ai, %bi : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @select_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[C:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[C]], %[[DY]], %[[ZERO]]
// CHECK-NEXT: linalg.yield %[[DA]]
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[B:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[C:.*]] = arith.cmpf olt, %[[A]], %[[B]]
// CHECK-NEXT: %[[DB:.*]] = arith.select %[[C]], %[[ZERO]], %[[DY]]
// CHECK-NEXT: linalg.yield %[[DB]]
func.func @select_grad(%a: tensor<f32>, %b: tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>) {
  %0:3 = dann.value_and_grad @select(%a, %b) wrt [0, 1] : (tensor<f32>, tensor<f32>) -> (tensor<f32>, tensor<f32>, tensor<f32>)
  return %0#0, %0#1, %0#2 : tensor<f32>, tensor<f32>, tensor<f32>
}

func.func private @exp(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = math.exp %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @exp_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[E:.*]] = math.exp %[[A]]
// CHECK-NEXT: %[[DA:.*]] = arith.mulf %[[DY]], %[[E]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @exp_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @exp(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

func.func private @log(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = math.log %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @log_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[DA:.*]] = arith.divf %[[DY]], %[[A]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @log_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @log(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

func.func private @sqrt(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = math.sqrt %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @sqrt_grad
// CHECK-DAG: %[[HALF:.*]] = arith.constant 5.000000e-01
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[R:.*]] = math.sqrt %[[A]]
// CHECK-NEXT: %[[H:.*]] = arith.mulf %[[DY]], %[[HALF]]
// CHECK-NEXT: %[[DA:.*]] = arith.divf %[[H]], %[[R]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @sqrt_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @sqrt(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

func.func private @tanh(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = math.tanh %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @tanh_grad
// CHECK: %[[ONE:.*]] = arith.constant 1.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[T:.*]] = math.tanh %[[A]]
// CHECK-NEXT: %[[S:.*]] = arith.mulf %[[T]], %[[T]]
// CHECK-NEXT: %[[SLOPE:.*]] = arith.subf %[[ONE]], %[[S]]
// CHECK-NEXT: %[[DA:.*]] = arith.mulf %[[DY]], %[[SLOPE]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @tanh_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @tanh(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// 0 at 0.
func.func private @abs(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = math.absf %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @abs_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[POS:.*]] = arith.cmpf ogt, %[[A]], %[[ZERO]]
// CHECK-NEXT: %[[NEG:.*]] = arith.cmpf olt, %[[A]], %[[ZERO]]
// CHECK-NEXT: %[[MINUS:.*]] = arith.negf %[[DY]]
// CHECK-NEXT: %[[REST:.*]] = arith.select %[[NEG]], %[[MINUS]], %[[ZERO]]
// CHECK-NEXT: %[[DA:.*]] = arith.select %[[POS]], %[[DY]], %[[REST]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @abs_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @abs(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// Cotangents change their type where values do.
func.func private @precision(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %w = arith.extf %ai : f32 to f64
    %l = math.log %w : f64
    %r = arith.truncf %l : f64 to f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @precision_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[W:.*]] = arith.extf %[[A]] : f32 to f64
// CHECK-NEXT: %[[DL:.*]] = arith.extf %[[DY]] : f32 to f64
// CHECK-NEXT: %[[DW:.*]] = arith.divf %[[DL]], %[[W]] : f64
// CHECK-NEXT: %[[DA:.*]] = arith.truncf %[[DW]] : f64 to f32
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @precision_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @precision(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// A value used twice adds its cotangents.
func.func private @square(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %r = arith.mulf %ai, %ai : f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @square_grad
// CHECK: linalg.fill
// CHECK: ^bb0(%[[A:[^:]*]]: f32, %[[DY:[^:]*]]: f32, %{{.*}}: f32):
// CHECK-NEXT: %[[P:.*]] = arith.mulf %[[DY]], %[[A]]
// CHECK-NEXT: %[[DA:.*]] = arith.addf %[[P]], %[[P]]
// CHECK-NEXT: linalg.yield %[[DA]]
func.func @square_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @square(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}

// Cotangents do not flow through integers.
func.func private @index(%a: tensor<f32>) -> tensor<f32> {
  %e = tensor.empty() : tensor<f32>
  %0 = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []} ins(%a : tensor<f32>) outs(%e : tensor<f32>) {
  ^bb0(%ai: f32, %out: f32):
    %f = arith.fptosi %ai : f32 to i32
    %r = arith.sitofp %f : i32 to f32
    linalg.yield %r : f32
  } -> tensor<f32>
  return %0 : tensor<f32>
}
// CHECK-LABEL: func @index_grad
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: arith.sitofp
// CHECK: linalg.yield %[[ZERO]]
func.func @index_grad(%a: tensor<f32>) -> (tensor<f32>, tensor<f32>) {
  %0:2 = dann.value_and_grad @index(%a) wrt [0] : (tensor<f32>) -> (tensor<f32>, tensor<f32>)
  return %0#0, %0#1 : tensor<f32>, tensor<f32>
}
