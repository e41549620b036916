// --convert-dann-to-linalg: the maths of every dann operation but the layers,
// which dann-lower-layers lowers before.
// RUN: dann-opt %s -convert-dann-to-linalg -canonicalize -cse | FileCheck %s --implicit-check-not="= dann."
// RUN: dann-opt %s -convert-dann-to-linalg | FileCheck %s --check-prefix=ROUNDS

// The largest logit is subtracted before exp; the mean is over the batch.
// CHECK-LABEL: func @loss
// CHECK-SAME: (%[[LOGITS:.*]]: tensor<?x10xf32>, %[[Y:.*]]: tensor<?xi64>)
// CHECK-DAG: %[[LOWEST:.*]] = arith.constant 0xFF800000 : f32
// CHECK: %[[INIT:.*]] = linalg.fill ins(%[[LOWEST]]
// CHECK: %[[MAX:.*]] = linalg.generic {{.*}} ins(%[[LOGITS]] : tensor<?x10xf32>) outs(%[[INIT]] :
// CHECK: arith.maximumf
// CHECK: %[[SUM:.*]] = linalg.generic {{.*}} ins(%[[LOGITS]], %[[MAX]] :
// CHECK: %[[SHIFTED:.*]] = arith.subf
// CHECK-NEXT: math.exp %[[SHIFTED]]
// CHECK: %[[PICKED:.*]] = linalg.generic {{.*}} ins(%[[LOGITS]], %[[Y]] :
// CHECK: %[[HERE:.*]] = arith.cmpi eq
// CHECK-NEXT: arith.select %[[HERE]]
// CHECK: %[[BATCH:.*]] = arith.sitofp
// CHECK: linalg.generic {{.*}} ins(%[[MAX]], %[[SUM]], %[[PICKED]] :
// CHECK: math.log
// CHECK: arith.divf %{{.*}}, %[[BATCH]]
func.func @loss(%logits: tensor<?x10xf32>, %y: tensor<?xi64>) -> tensor<f32> {
  %0 = dann.softmax_cross_entropy %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<f32>
  return %0 : tensor<f32>
}

// dloss * (softmax - onehot) / B
// CHECK-LABEL: func @loss_grad
// CHECK-SAME: (%[[DLOSS:.*]]: tensor<f32>, %[[LOGITS:.*]]: tensor<?x10xf32>, %[[Y:.*]]: tensor<?xi64>)
// CHECK-DAG: %[[ZERO:.*]] = arith.constant 0.0
// CHECK-DAG: %[[ONE:.*]] = arith.constant 1.0
// CHECK: %[[BATCH:.*]] = arith.sitofp
// CHECK: linalg.generic {{.*}} ins(%[[LOGITS]], %[[Y]], %{{.*}}, %{{.*}}, %[[DLOSS]] :
// CHECK-NEXT: ^bb0(%[[L:[^:]*]]: f32, %[[LABEL:[^:]*]]: i64, %[[M:[^:]*]]: f32, %[[S:[^:]*]]: f32, %[[D:[^:]*]]: f32,
// CHECK-NEXT: %[[SHIFTED:.*]] = arith.subf %[[L]], %[[M]]
// CHECK-NEXT: %[[EXP:.*]] = math.exp %[[SHIFTED]]
// CHECK-NEXT: %[[P:.*]] = arith.divf %[[EXP]], %[[S]]
// CHECK: %[[HERE:.*]] = arith.cmpi eq, %{{.*}}, %[[LABEL]]
// CHECK-NEXT: %[[TARGET:.*]] = arith.select %[[HERE]], %[[ONE]], %[[ZERO]]
// CHECK-NEXT: %[[DIFFERENCE:.*]] = arith.subf %[[P]], %[[TARGET]]
// CHECK-NEXT: %[[SCALE:.*]] = arith.divf %[[D]], %[[BATCH]]
// CHECK-NEXT: arith.mulf %[[DIFFERENCE]], %[[SCALE]]
func.func @loss_grad(%d: tensor<f32>, %logits: tensor<?x10xf32>, %y: tensor<?xi64>) -> tensor<?x10xf32> {
  %0 = dann.softmax_cross_entropy_grad %d, %logits, %y : tensor<f32>, tensor<?x10xf32>, tensor<?xi64>
  return %0 : tensor<?x10xf32>
}

// Right if no class before the label is as large and none behind it larger.
// Ordered comparisons: a row with a NaN is wrong.
// CHECK-LABEL: func @errors
// CHECK: arith.cmpi slt
// CHECK: arith.cmpf olt
// CHECK: arith.cmpf ole
// CHECK: arith.andi
// CHECK: linalg.generic {{.*}} iterator_types = ["reduction"]
// CHECK: arith.addi
func.func @errors(%logits: tensor<?x10xf32>, %y: tensor<?xi64>) -> tensor<i64> {
  %0 = dann.count_errors %logits, %y : tensor<?x10xf32>, tensor<?xi64> -> tensor<i64>
  return %0 : tensor<i64>
}

// The factors for d = 16 and ne = 4: 1/sqrt(ne), 1/d, 1/(sqrt(ne) d).
// CHECK-LABEL: func @corrections
// CHECK-SAME: (%[[G:.*]]: tensor<4xf32>)
// CHECK-DAG: %[[WIX:.*]] = arith.constant 5.000000e-01 : f32
// CHECK-DAG: %[[WEI:.*]] = arith.constant 6.250000e-02 : f32
// CHECK-DAG: %[[ALPHA:.*]] = arith.constant 3.125000e-02 : f32
// CHECK: %[[A:.*]] = linalg.generic {{.*}} ins(%[[G]] :
// CHECK: arith.mulf %{{.*}}, %[[WIX]]
// CHECK: %[[B:.*]] = linalg.generic {{.*}} ins(%[[G]] :
// CHECK: arith.mulf %{{.*}}, %[[WEI]]
// CHECK: %[[C:.*]] = linalg.generic {{.*}} ins(%[[G]] :
// CHECK: arith.mulf %{{.*}}, %[[ALPHA]]
// CHECK: return %[[A]], %[[B]], %[[C]]
func.func @corrections(%g: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %0 = dann.correct_inhibition wix %g fan_in 16 excitatory 4 : tensor<4xf32>
  %1 = dann.correct_inhibition wei %g fan_in 16 excitatory 4 : tensor<4xf32>
  %2 = dann.correct_inhibition alpha %g fan_in 16 excitatory 4 : tensor<4xf32>
  return %0, %1, %2 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}

// parameter - rate * gradient
// CHECK-LABEL: func @update
// CHECK-SAME: (%[[W:.*]]: tensor<4x8xf32>, %[[DW:.*]]: tensor<4x8xf32>, %[[RATE:.*]]: tensor<f32>)
// CHECK: linalg.generic {{.*}} ins(%[[W]], %[[DW]], %[[RATE]] :
// CHECK-NEXT: ^bb0(%[[P:[^:]*]]: f32, %[[G:[^:]*]]: f32, %[[R:[^:]*]]: f32,
// CHECK-NEXT: %[[STEP:.*]] = arith.mulf %[[R]], %[[G]]
// CHECK-NEXT: arith.subf %[[P]], %[[STEP]]
func.func @update(%w: tensor<4x8xf32>, %dw: tensor<4x8xf32>, %rate: tensor<f32>) -> tensor<4x8xf32> {
  %0 = dann.sgd_update %w, %dw, %rate : tensor<4x8xf32>, tensor<f32>
  return %0 : tensor<4x8xf32>
}

// maximumf and minimumf keep NaN.
// CHECK-LABEL: func @project
// CHECK: %[[ZERO:.*]] = arith.constant 0.0
// CHECK: arith.maximumf %{{.*}}, %[[ZERO]]
// CHECK: arith.minimumf %{{.*}}, %[[ZERO]]
func.func @project(%w: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %0 = dann.project nonneg %w : tensor<4xf32>
  %1 = dann.project nonpos %w : tensor<4xf32>
  return %0, %1 : tensor<4xf32>, tensor<4xf32>
}

// Philox4x32-10 on (position, stream) with the seed as key: two multiplications
// in each of ten rounds, before any is folded.
// ROUNDS-LABEL: func @exponential
// ROUNDS-COUNT-20: arith.mului_extended
// ROUNDS-NOT: arith.mului_extended
// ROUNDS-LABEL: func @normal
// CHECK-LABEL: func @exponential
// CHECK-SAME: (%[[SEED:.*]]: tensor<i64>)
// CHECK-DAG: arith.constant -766435501 : i32
// CHECK-DAG: arith.constant -845247145 : i32
// CHECK-DAG: arith.constant -1640531527 : i32
// CHECK-DAG: arith.constant -1150833019 : i32
// CHECK-DAG: %[[SCALE:.*]] = arith.constant -2.500000e-01 : f64
// CHECK: linalg.generic {{.*}} ins(%[[SEED]] : tensor<i64>)
// CHECK: %[[U:.*]] = arith.addf
// CHECK: %[[LOG:.*]] = math.log %[[U]] : f64
// CHECK: %[[VALUE:.*]] = arith.mulf %[[LOG]], %[[SCALE]] : f64
// CHECK: arith.truncf %[[VALUE]] : f64 to f32
func.func @exponential(%seed: tensor<i64>) -> tensor<4x8xf32> {
  %0 = dann.random exponential scale 0.25 stream 3 seed %seed : tensor<i64> -> tensor<4x8xf32>
  return %0 : tensor<4x8xf32>
}

// CHECK-LABEL: func @normal
// CHECK: math.log
// CHECK: math.sqrt
// CHECK: math.cos
// CHECK-NOT: arith.truncf
// CHECK: return
func.func @normal(%seed: tensor<i64>) -> tensor<4x8xf64> {
  %0 = dann.random normal scale 0.25 stream 3 seed %seed : tensor<i64> -> tensor<4x8xf64>
  return %0 : tensor<4x8xf64>
}
