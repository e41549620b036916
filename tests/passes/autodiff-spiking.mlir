// A layer of leaky integrate-and-fire neurons, as a scan that is not made for
// it: membranes decay and integrate, fire beyond a threshold, one step later, and
// begin anew. Of w [4, 3], decays [4], readout [4] and inputs [10, 3], which are
// the parts of @loss's argument, the derivative is compared entry by entry with
// central differences. Once with spikes that are 0 or 1, which no small change
// moves (all membranes are more than 0.01 from the threshold); and once with
// smooth ones, where the derivative goes through spikes and resets as well.

// DEFINE: %{run} = dann-opt --pass-pipeline='builtin.module(dann-autodiff,symbol-dce,func.func(dann-lower-scans,convert-elementwise-to-linalg))' \
// DEFINE: | dann-opt --one-shot-bufferize='bufferize-function-boundaries allow-return-allocs-from-loops' --convert-linalg-to-loops \
// DEFINE:   --convert-vector-to-scf --convert-scf-to-cf --convert-math-to-libm --expand-strided-metadata \
// DEFINE:   --lower-affine --convert-vector-to-llvm --convert-to-llvm --reconcile-unrealized-casts \
// DEFINE: | mlir-runner -e main --entry-point-result=void \
// DEFINE:   --shared-libs=%llvm_lib/libmlir_c_runner_utils.so,%llvm_lib/libmlir_runner_utils.so
// RUN: cat %s | %{run} | FileCheck %s --check-prefixes=HARD,CHECK
// RUN: sed 's/yield %hard/yield %gradual/' %s | %{run} | FileCheck %s --check-prefixes=SMOOTH,CHECK

// Of NumPy: the loss, and its derivative by the readout, which is what is left of
// each neuron's spikes.
// HARD: 27.9312
// HARD-NEXT: ( 1.44, 1.152, 0.9216, 0.73728 )
// SMOOTH: 22.8697
// SMOOTH-NEXT: ( 1.23615, 1.06231, 1.61921, 1.518 )

// How many of the 50 derivatives differ from the central difference.
// CHECK-NEXT: {{^0$}}

#i = affine_map<(i) -> (i)>
#scalar = affine_map<() -> ()>

func.func private @loss(%theta: tensor<50xf64>) -> tensor<f64> {
  %zero = arith.constant 0.0 : f64
  %flatWeights = tensor.extract_slice %theta[0] [12] [1] : tensor<50xf64> to tensor<12xf64>
  %weights = tensor.expand_shape %flatWeights [[0, 1]] output_shape [4, 3] : tensor<12xf64> into tensor<4x3xf64>
  %decays = tensor.extract_slice %theta[12] [4] [1] : tensor<50xf64> to tensor<4xf64>
  %readout = tensor.extract_slice %theta[16] [4] [1] : tensor<50xf64> to tensor<4xf64>
  %flatInputs = tensor.extract_slice %theta[20] [30] [1] : tensor<50xf64> to tensor<30xf64>
  %inputs = tensor.expand_shape %flatInputs [[0, 1]] output_shape [10, 3] : tensor<30xf64> into tensor<10x3xf64>
  %empty = tensor.empty() : tensor<4xf64>
  %rest = linalg.fill ins(%zero : f64) outs(%empty : tensor<4xf64>) -> tensor<4xf64>
  %emptyScalar = tensor.empty() : tensor<f64>
  %nothing = linalg.fill ins(%zero : f64) outs(%emptyScalar : tensor<f64>) -> tensor<f64>

  %v, %s, %r, %vs = dann.scan initial(%rest, %rest, %nothing) over(%inputs) with(%weights, %decays, %readout) {
  ^bb0(%membranes: tensor<4xf64>, %spikes: tensor<4xf64>, %sum: tensor<f64>, %x: tensor<3xf64>,
       %w: tensor<4x3xf64>, %decay: tensor<4xf64>, %u: tensor<4xf64>):
    %zero_inside = arith.constant 0.0 : f64
    %one = arith.constant 1.0 : f64
    %left = arith.constant 0.8 : f64
    %slope = arith.constant -5.0 : f64
    %e = tensor.empty() : tensor<4xf64>
    %none = linalg.fill ins(%zero_inside : f64) outs(%e : tensor<4xf64>) -> tensor<4xf64>
    %drive = linalg.matvec ins(%w, %x : tensor<4x3xf64>, tensor<3xf64>) outs(%none : tensor<4xf64>) -> tensor<4xf64>
    // v' = (decay v + drive) (1 - s)
    %next = linalg.generic {indexing_maps = [#i, #i, #i, #i, #i], iterator_types = ["parallel"]}
        ins(%membranes, %spikes, %drive, %decay : tensor<4xf64>, tensor<4xf64>, tensor<4xf64>, tensor<4xf64>)
        outs(%e : tensor<4xf64>) {
    ^bb0(%old: f64, %spike: f64, %in: f64, %a: f64, %out: f64):
      %kept = arith.mulf %a, %old : f64
      %full = arith.addf %kept, %in : f64
      %open = arith.subf %one, %spike : f64
      %new = arith.mulf %full, %open : f64
      linalg.yield %new : f64
    } -> tensor<4xf64>
    // s' = H(v - 1)
    %fired = linalg.generic {indexing_maps = [#i, #i], iterator_types = ["parallel"]}
        ins(%membranes : tensor<4xf64>) outs(%e : tensor<4xf64>) {
    ^bb0(%old: f64, %out: f64):
      %above = arith.subf %old, %one : f64
      %fires = arith.cmpf ogt, %above, %zero_inside : f64
      %hard = arith.select %fires, %one, %zero_inside : f64
      %steep = arith.mulf %slope, %above : f64
      %exp = math.exp %steep : f64
      %more = arith.addf %one, %exp : f64
      %gradual = arith.divf %one, %more : f64
      linalg.yield %hard : f64
    } -> tensor<4xf64>
    // r' = 0.8 r + u s
    %scalar = tensor.empty() : tensor<f64>
    %leaked = linalg.generic {indexing_maps = [#scalar, #scalar], iterator_types = []}
        ins(%sum : tensor<f64>) outs(%scalar : tensor<f64>) {
    ^bb0(%old: f64, %out: f64):
      %less = arith.mulf %left, %old : f64
      linalg.yield %less : f64
    } -> tensor<f64>
    %read = linalg.dot ins(%u, %spikes : tensor<4xf64>, tensor<4xf64>) outs(%leaked : tensor<f64>) -> tensor<f64>
    dann.yield carries(%next, %fired, %read : tensor<4xf64>, tensor<4xf64>, tensor<f64>) outputs(%next : tensor<4xf64>)
  } : (tensor<4xf64>, tensor<4xf64>, tensor<f64>, tensor<10x3xf64>, tensor<4x3xf64>, tensor<4xf64>, tensor<4xf64>)
      -> (tensor<4xf64>, tensor<4xf64>, tensor<f64>, tensor<10x4xf64>)

  // What was read of the spikes, and the squares of all membranes.
  %loss = linalg.generic {indexing_maps = [affine_map<(t, i) -> (t, i)>, affine_map<(t, i) -> ()>],
                          iterator_types = ["reduction", "reduction"]}
      ins(%vs : tensor<10x4xf64>) outs(%r : tensor<f64>) {
  ^bb0(%membrane: f64, %out: f64):
    %square = arith.mulf %membrane, %membrane : f64
    %more = arith.addf %out, %square : f64
    linalg.yield %more : f64
  } -> tensor<f64>
  return %loss : tensor<f64>
}

func.func @main() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c50 = arith.constant 50 : index
  %zero = arith.constant 0.0 : f64
  // Truncation, of the order h^2, and rounding, 1e-16 / h times the loss, leave
  // less than 1e-7.
  %h = arith.constant 1.0e-5 : f64
  %two_h = arith.constant 2.0e-5 : f64
  %tolerance = arith.constant 1.0e-6 : f64
  %theta = arith.constant dense<[
    0.1, 0.18, 0.49, 0.37, 0.1, 0.29, 0.31, 0.14, 0.45, 0.11,
    0.27, 0.33, 0.75, 0.81, 0.86, 0.93, -0.43, 0.3, 0.39, -0.41,
    0.0, 0.97, 0.3, 0.31, 0.89, 0.59, 0.47, 0.77, 0.03, 0.71,
    0.37, 0.09, 0.66, 0.93, 0.21, 0.63, 0.3, 0.74, 0.72, 0.22,
    0.83, 0.66, 0.68, 0.82, 0.43, 0.76, 0.88, 0.1, 0.85, 0.39]> : tensor<50xf64>
  %value, %gradient = dann.value_and_grad @loss(%theta) wrt [0]
    : (tensor<50xf64>) -> (tensor<f64>, tensor<50xf64>)
  %loss = tensor.extract %value[] : tensor<f64>
  vector.print %loss : f64
  %derivatives = vector.transfer_read %gradient[%c16], %zero : tensor<50xf64>, vector<4xf64>
  vector.print %derivatives : vector<4xf64>
  %different = scf.for %k = %c0 to %c50 step %c1 iter_args(%count = %c0) -> (index) {
    %middle = tensor.extract %theta[%k] : tensor<50xf64>
    %more = arith.addf %middle, %h : f64
    %less = arith.subf %middle, %h : f64
    %up = tensor.insert %more into %theta[%k] : tensor<50xf64>
    %down = tensor.insert %less into %theta[%k] : tensor<50xf64>
    %above = func.call @loss(%up) : (tensor<50xf64>) -> tensor<f64>
    %below = func.call @loss(%down) : (tensor<50xf64>) -> tensor<f64>
    %high = tensor.extract %above[] : tensor<f64>
    %low = tensor.extract %below[] : tensor<f64>
    %rise = arith.subf %high, %low : f64
    %expected = arith.divf %rise, %two_h : f64
    %derivative = tensor.extract %gradient[%k] : tensor<50xf64>
    %difference = arith.subf %derivative, %expected : f64
    %size = math.absf %difference : f64
    // Also true of what is no number.
    %differs = arith.cmpf ugt, %size, %tolerance : f64
    %one = arith.extui %differs : i1 to i32
    %step = arith.index_cast %one : i32 to index
    %next = arith.addi %count, %step : index
    scf.yield %next : index
  }
  vector.print %different : index
  return
}
