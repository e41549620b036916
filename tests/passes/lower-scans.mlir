// RUN: dann-opt %s -dann-lower-scans -canonicalize | FileCheck -enable-var-scope %s

// CHECK-LABEL: func @backwards(
// CHECK-SAME: %[[H:[^:]*]]: tensor<8x?xf32>, %[[XS:[^:]*]]: tensor<5x8x?xf32>)
// CHECK-DAG: %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG: %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG: %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG: %[[C5:.*]] = arith.constant 5 : index
// CHECK: %[[EMPTY:.*]] = tensor.empty(%{{.*}}) : tensor<5x8x?xf32>
// CHECK: %[[LOOP:.*]]:2 = scf.for %[[I:.*]] = %[[C0]] to %[[C5]] step %[[C1]] iter_args(%[[C:.*]] = %[[H]], %[[OUT:.*]] = %[[EMPTY]])
// CHECK: %[[T:.*]] = arith.subi %[[C4]], %[[I]]
// CHECK: %[[X:.*]] = tensor.extract_slice %[[XS]][%[[T]], 0, 0] [1, 8, %{{.*}}] [1, 1, 1] : tensor<5x8x?xf32> to tensor<8x?xf32>
// What is read of the old carry is stored before there is a new one.
// CHECK: %[[STORED:.*]] = tensor.insert_slice %[[C]] into %[[OUT]][%[[T]], 0, 0] [1, 8, %{{.*}}]
// CHECK: %[[SUM:.*]] = arith.addf %[[C]], %[[X]]
// CHECK: scf.yield %[[SUM]], %[[STORED]]
// CHECK: return %[[LOOP]]#0, %[[LOOP]]#1
func.func @backwards(%h: tensor<8x?xf32>, %xs: tensor<5x8x?xf32>)
    -> (tensor<8x?xf32>, tensor<5x8x?xf32>) {
  %r:2 = dann.scan reverse initial(%h) over(%xs) with() {
  ^bb0(%c: tensor<8x?xf32>, %x: tensor<8x?xf32>):
    %sum = arith.addf %c, %x : tensor<8x?xf32>
    dann.yield carries(%sum : tensor<8x?xf32>) outputs(%c : tensor<8x?xf32>)
  } : (tensor<8x?xf32>, tensor<5x8x?xf32>)
   -> (tensor<8x?xf32>, tensor<5x8x?xf32>)
  return %r#0, %r#1 : tensor<8x?xf32>, tensor<5x8x?xf32>
}
