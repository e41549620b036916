// E/I layers in plain operations become dann.ei_dense, whichever way they are
// written, or are told why they do not.
// RUN: dann-opt %s -dann-raise-ei-layers -verify-diagnostics | FileCheck %s

// 7 samples, 3 inputs, 2 interneurons, 4 units.
!x = tensor<7x3xf32>
!i = tensor<7x2xf32>
!z = tensor<7x4xf32>
!zt = tensor<4x7xf32>

// Weights as an exporter leaves them, transposed: [d, ne]. They become [ne, d].
// CHECK-LABEL: func.func @subtractive(
// CHECK-SAME:    %[[X:.*]]: tensor<7x3xf32> {dann.name = "x", dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WEX:.*]]: tensor<4x3xf32> {dann.initial = dense<{{\[\[}}0.000000e+00, 4.000000e+00, 8.000000e+00], [1.000000e+00, 5.000000e+00, 9.000000e+00], {{.*}}dann.name = "wex", dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WIX:.*]]: tensor<2x3xf32> {{{.*}}dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[WEI:.*]]: tensor<4x2xf32> {{{.*}}dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>})
// CHECK-NEXT:    %[[Z:.*]] = dann.ei_dense %[[X]] excitatory(%[[WEX]]) inhibitory(%[[WIX]], %[[WEI]]) :
// CHECK-NEXT:    return %[[Z]]
func.func @subtractive(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u : !z
}

// The weights are subtracted before they meet the input, and a bias of [1, ne]
// is added from the left.
// CHECK-LABEL: func.func @folded(
// CHECK-SAME:    %[[B:[a-z0-9]+]]: tensor<4xf32> {dann.initial = dense<[-1.000000e+00, 0.000000e+00, 1.000000e+00, 2.000000e+00]> : tensor<4xf32>, dann.name = "b", dann.role = #dann<role b>})
// CHECK-NEXT:    dann.ei_dense %{{.*}} excitatory(%{{.*}}) inhibitory(%{{.*}}, %{{.*}}) bias(%[[B]]) :
func.func @folded(%x: !x {dann.name = "x"}, 
                %wex: tensor<4x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4x3xf32>}, 
                %wix: tensor<2x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<2x3xf32>}, 
                %wei: tensor<4x2xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<4x2xf32>}, 
                %b: tensor<1x4xf32> {dann.name = "b", dann.role = #dann<role w>, dann.initial = dense<[[-1.0, 0.0, 1.0, 2.0]]> : tensor<1x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %w0 = arith.constant dense<0.0> : tensor<4x3xf32>
  %low = linalg.matmul ins(%wei, %wix : tensor<4x2xf32>, tensor<2x3xf32>) outs(%w0 : tensor<4x3xf32>) -> tensor<4x3xf32>
  %w = linalg.sub ins(%wex, %low : tensor<4x3xf32>, tensor<4x3xf32>) outs(%w0 : tensor<4x3xf32>) -> tensor<4x3xf32>
  %u = linalg.contract indexing_maps = [affine_map<(b, e, d) -> (b, d)>, affine_map<(b, e, d) -> (e, d)>, affine_map<(b, e, d) -> (b, e)>]
      ins(%x, %w : !x, tensor<4x3xf32>) outs(%z0 : !z) -> !z
  %row = tensor.collapse_shape %b [[0, 1]] : tensor<1x4xf32> into tensor<4xf32>
  %bias = linalg.broadcast ins(%row : tensor<4xf32>) outs(%empty : !z) dimensions = [0]
  %z = linalg.add ins(%bias, %u : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// Features first, as the paper's code: z = g * ((1 / gamma) * zhat) + b.
// CHECK-LABEL: func.func @features_first(
// CHECK-SAME:    %[[ALPHA:[a-z0-9]+]]: tensor<2xf32> {dann.initial = dense<-1.000000e+00> : tensor<2xf32>, dann.name = "alpha", dann.role = #dann<role alpha>},
// CHECK-SAME:    %[[G:[a-z0-9]+]]: tensor<4xf32> {{{.*}}dann.role = #dann<role g>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    %[[B:[a-z0-9]+]]: tensor<4xf32> {{{.*}}dann.role = #dann<role b>})
// CHECK-NEXT:    %[[Z:.*]] = dann.ei_dense %{{.*}} divisive(%[[ALPHA]]) gain(%[[G]]) bias(%[[B]]) {epsilon = {{.*}}E-7 : f64}
// CHECK-NEXT:    return %[[Z]]
func.func @features_first(%x: !x {dann.name = "x"}, 
                %wex: tensor<4x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4x3xf32>}, 
                %wix: tensor<2x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<2x3xf32>}, 
                %wei: tensor<4x2xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<4x2xf32>}, 
                %alpha: tensor<1x2xf32> {dann.name = "alpha", dann.role = #dann<role w>, dann.initial = dense<-1.0> : tensor<1x2xf32>}, 
                %g: tensor<4x1xf32> {dann.name = "g", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4x1xf32>}, 
                %b: tensor<4x1xf32> {dann.name = "b", dann.role = #dann<role w>, dann.initial = dense<-1.0> : tensor<4x1xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %xe = tensor.empty() : tensor<3x7xf32>
  %e0 = arith.constant dense<0.0> : !zt
  %xt = linalg.transpose ins(%x : !x) outs(%xe : tensor<3x7xf32>) permutation = [1, 0]
  %ze = linalg.matmul ins(%wex, %xt : tensor<4x3xf32>, tensor<3x7xf32>) outs(%e0 : !zt) -> !zt
  %j0 = arith.constant dense<0.0> : tensor<2x7xf32>
  %zi = linalg.matmul ins(%wix, %xt : tensor<2x3xf32>, tensor<3x7xf32>) outs(%j0 : tensor<2x7xf32>) -> tensor<2x7xf32>
  %s = linalg.matmul ins(%wei, %zi : tensor<4x2xf32>, tensor<2x7xf32>) outs(%e0 : !zt) -> !zt
  %zhat = linalg.sub ins(%ze, %s : !zt, !zt) outs(%e0 : !zt) -> !zt
  %k = arith.constant dense<0.0> : tensor<4x2xf32>
  %power = linalg.exp ins(%alpha : tensor<1x2xf32>) outs(%alpha : tensor<1x2xf32>) -> tensor<1x2xf32>
  %strength = tensor.collapse_shape %power [[0, 1]] : tensor<1x2xf32> into tensor<2xf32>
  %all = linalg.broadcast ins(%strength : tensor<2xf32>) outs(%k : tensor<4x2xf32>) dimensions = [0]
  %weighted = linalg.mul ins(%all, %wei : tensor<4x2xf32>, tensor<4x2xf32>) outs(%k : tensor<4x2xf32>) -> tensor<4x2xf32>
  %sum = linalg.matmul ins(%weighted, %zi : tensor<4x2xf32>, tensor<2x7xf32>) outs(%e0 : !zt) -> !zt
  %eps = arith.constant dense<1.0e-6> : !zt
  %gamma = linalg.add ins(%eps, %sum : !zt, !zt) outs(%e0 : !zt) -> !zt
  %inverse = linalg.reciprocal ins(%gamma : !zt) outs(%e0 : !zt) -> !zt
  %ratio = linalg.mul ins(%inverse, %zhat : !zt, !zt) outs(%e0 : !zt) -> !zt
  %gains = tensor.collapse_shape %g [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
  %gain = linalg.broadcast ins(%gains : tensor<4xf32>) outs(%e0 : !zt) dimensions = [1]
  %biases = tensor.collapse_shape %b [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
  %bias = linalg.broadcast ins(%biases : tensor<4xf32>) outs(%e0 : !zt) dimensions = [1]
  %gained = linalg.mul ins(%gain, %ratio : !zt, !zt) outs(%e0 : !zt) -> !zt
  %zt = linalg.add ins(%gained, %bias : !zt, !zt) outs(%e0 : !zt) -> !zt
  %z = linalg.transpose ins(%zt : !zt) outs(%empty : !z) permutation = [1, 0]
  return %z : !z
}

// A parameter holds e^alpha. Parts of the quotient are divided on their own.
// CHECK-LABEL: func.func @power(
// CHECK-SAME:    %[[ALPHA:[a-z0-9]+]]: tensor<2xf32> {dann.initial = dense<[0.000000e+00, 0.693147182]> : tensor<2xf32>, dann.name = "strength", dann.role = #dann<role alpha>})
// CHECK-NEXT:    dann.ei_dense %{{.*}} divisive(%[[ALPHA]]) :
func.func @power(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %strength: tensor<2xf32> {dann.name = "strength", dann.role = #dann<role w>, dann.initial = dense<[1.0, 2.0]> : tensor<2xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %all = linalg.broadcast ins(%strength : tensor<2xf32>) outs(%i0 : !i) dimensions = [0]
  %strong = linalg.mul ins(%zi, %all : !i, !i) outs(%i0 : !i) -> !i
  %sum = linalg.matmul ins(%strong, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  %zeg = linalg.div ins(%ze, %gamma : !z, !z) outs(%empty : !z) -> !z
  %sg = linalg.div ins(%s, %gamma : !z, !z) outs(%empty : !z) -> !z
  %z = linalg.sub ins(%zeg, %sg : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// A parameter holds wei e^alpha: alpha is the logarithm of the columns' ratios.
// CHECK-LABEL: func.func @weighted(
// CHECK-SAME:    %[[ALPHA:[a-z0-9]+]]: tensor<2xf32> {dann.initial = dense<[0.693147182, 0.000000e+00]> : tensor<2xf32>, dann.name = "v", dann.role = #dann<role alpha>})
// CHECK-NEXT:    dann.ei_dense %{{.*}} divisive(%[[ALPHA]]) :
func.func @weighted(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %v: tensor<2x4xf32> {dann.name = "v", dann.role = #dann<role w>, dann.initial = dense<[[2.0, 4.0, 6.0, 8.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %sum = linalg.matmul ins(%zi, %v : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// No strength is e^0, and an epsilon among the parameters becomes an attribute.
// CHECK-LABEL: func.func @plain(
// CHECK-SAME:    %[[WEI:[a-z0-9]+]]: tensor<4x2xf32> {{{[^{]*}}dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>})
// CHECK:         %[[ALPHA:.*]] = arith.constant dense<0.000000e+00> : tensor<2xf32>
// CHECK-NEXT:    dann.ei_dense %{{.*}} divisive(%[[ALPHA]]) {epsilon = 5.000000e-01 : f64}
func.func @plain(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %epsilon: tensor<f32> {dann.name = "epsilon", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<f32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %sum = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = linalg.broadcast ins(%epsilon : tensor<f32>) outs(%empty : !z) dimensions = [0, 1]
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// Exporters merge equal parameters. What has one value everywhere need not be
// shared on purpose: each layer gets its own.
// CHECK-LABEL: func.func @merged(
// CHECK-SAME:    %[[WIX:[a-z0-9]+]]: tensor<2x3xf32> {{{[^{]*}}dann.name = "wix", dann.role = #dann<role wix>
// CHECK-SAME:    %[[OTHER:[a-z0-9]+]]: tensor<2x3xf32> {{{[^{]*}}dann.name = "wix.2", dann.role = #dann<role wix>
// CHECK-SAME:    %[[B:[a-z0-9]+]]: tensor<4xf32> {{{[^{]*}}dann.name = "0.b", dann.role = #dann<role b>
// CHECK-SAME:    %[[B2:[a-z0-9]+]]: tensor<4xf32> {{{[^{]*}}dann.name = "0.b.2", dann.role = #dann<role b>
// CHECK:         dann.ei_dense %{{.*}} inhibitory(%[[WIX]], %{{.*}}) bias(%[[B]])
// CHECK:         dann.ei_dense %{{.*}} inhibitory(%[[OTHER]], %{{.*}}) bias(%[[B2]])
func.func @merged(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %wex2: tensor<3x4xf32> {dann.name = "wex2", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<3x4xf32>}, 
                %wei2: tensor<2x4xf32> {dann.name = "wei2", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<2x4xf32>}, 
                %b: tensor<4xf32> {dann.name = "0.b", dann.role = #dann<role w>, dann.initial = dense<0.0> : tensor<4xf32>}) -> (!z, !z) {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %bias = linalg.broadcast ins(%b : tensor<4xf32>) outs(%empty : !z) dimensions = [0]
  %z = linalg.add ins(%u, %bias : !z, !z) outs(%empty : !z) -> !z
  %ze2 = linalg.matmul ins(%x, %wex2 : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi2 = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s2 = linalg.matmul ins(%zi2, %wei2 : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u2 = linalg.sub ins(%ze2, %s2 : !z, !z) outs(%empty : !z) -> !z
  %bias2 = linalg.broadcast ins(%b : tensor<4xf32>) outs(%empty : !z) dimensions = [0]
  %z2 = linalg.add ins(%u2, %bias2 : !z, !z) outs(%empty : !z) -> !z
  return %z, %z2 : !z, !z
}

// A layer that is one operation gets its roles and signs.
// CHECK-LABEL: func.func @existing(
// CHECK-SAME:    tensor<7x3xf32> {dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    dann.role = #dann<role wex>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    dann.role = #dann<role wix>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    dann.role = #dann<role wei>, dann.sign = #dann<sign nonneg>},
// CHECK-SAME:    dann.role = #dann<role b>})
func.func @existing(%x: !x, 
                %wex: tensor<4x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4x3xf32>}, 
                %wix: tensor<2x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<2x3xf32>}, 
                %wei: tensor<4x2xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<4x2xf32>}, 
                %b: tensor<4xf32> {dann.name = "b", dann.role = #dann<role w>, dann.initial = dense<-1.0> : tensor<4xf32>}) -> !z {
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) bias(%b)
    : (!x, tensor<4x3xf32>, tensor<2x3xf32>, tensor<4x2xf32>, tensor<4xf32>) -> !z
  return %z : !z
}

//===----------------------------------------------------------------------===//
// Standard layers, without a remark
//===----------------------------------------------------------------------===//

// Two layers with relu, and a product of thin matrices that is added.
// CHECK-LABEL: func.func @standard(
// CHECK-SAME:    %{{.*}}: tensor<7x3xf32> {dann.name = "x"},
// CHECK-NOT:     dann.ei_dense
// CHECK:         return
func.func @standard(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %b: tensor<4xf32> {dann.name = "b", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4xf32>}, 
                %w: tensor<4x4xf32> {dann.name = "w", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<4x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.add ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %bias = linalg.broadcast ins(%b : tensor<4xf32>) outs(%empty : !z) dimensions = [0]
  %v = linalg.add ins(%u, %bias : !z, !z) outs(%empty : !z) -> !z
  %h = linalg.max ins(%v, %z0 : !z, !z) outs(%empty : !z) -> !z
  %z = linalg.matmul ins(%h, %w : !z, tensor<4x4xf32>) outs(%z0 : !z) -> !z
  return %z : !z
}

//===----------------------------------------------------------------------===//
// Near misses
//===----------------------------------------------------------------------===//

// Entries are counted in the layer's order, [ne, ni].
// CHECK-LABEL: func.func @negative(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @negative(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, -0.02, 4.0], [5.0, -6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: wei has 2 negative entries, first at [1, 1] = -6}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u : !z
}

// CHECK-LABEL: func.func @unknown(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @unknown(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: the initial values of its wix are not known}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u : !z
}

// CHECK-LABEL: func.func @unequal_columns(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @unequal_columns(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %v: tensor<2x4xf32> {dann.name = "v", dann.role = #dann<role w>, dann.initial = dense<[[2.0, 4.0, 6.0, 8.1], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %sum = linalg.matmul ins(%zi, %v : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  // expected-remark @below {{is no E/I layer: its divisor's weights are not wei e^alpha: column 0 is 2.01 times wei in sum, but not at [0, 0]}}
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// CHECK-LABEL: func.func @no_strength(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @no_strength(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %strength: tensor<2xf32> {dann.name = "strength", dann.role = #dann<role w>, dann.initial = dense<[1.0, 0.0]> : tensor<2xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %all = linalg.broadcast ins(%strength : tensor<2xf32>) outs(%i0 : !i) dimensions = [0]
  %strong = linalg.mul ins(%zi, %all : !i, !i) outs(%i0 : !i) -> !i
  %sum = linalg.matmul ins(%strong, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  // expected-remark @below {{is no E/I layer: its strength e^alpha is 0 at [1]}}
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// CHECK-LABEL: func.func @scaled(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @scaled(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %strength: tensor<2xf32> {dann.name = "strength", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<2xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %c = arith.constant dense<2.0> : !z
  %double = linalg.mul ins(%s, %c : !z, !z) outs(%empty : !z) -> !z
  %all = linalg.broadcast ins(%strength : tensor<2xf32>) outs(%i0 : !i) dimensions = [0]
  %strong = linalg.mul ins(%zi, %all : !i, !i) outs(%i0 : !i) -> !i
  %sum = linalg.matmul ins(%strong, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %double : !z, !z) outs(%empty : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  // expected-remark @below {{is no E/I layer: its excitation is scaled by 1 and its inhibition by -2 instead of 1 and -1}}
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// CHECK-LABEL: func.func @other_interneurons(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @other_interneurons(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %other: tensor<3x2xf32> {dann.name = "other", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %zo = linalg.matmul ins(%x, %other : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %sum = linalg.matmul ins(%zo, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.add ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  // expected-remark @below {{is no E/I layer: its divisor is not the interneurons' activity times wei e^alpha, plus a constant that is not negative}}
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// CHECK-LABEL: func.func @computed(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @computed(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %positive = linalg.abs ins(%wix : tensor<3x2xf32>) outs(%wix : tensor<3x2xf32>) -> tensor<3x2xf32>
  %zi = linalg.matmul ins(%x, %positive : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: its wix is no parameter, but the result of 'linalg.abs'}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u : !z
}

// CHECK-LABEL: func.func @shared(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @shared(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> (!z, tensor<2x4xf32>) {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: its wei is used outside of the layer, too}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u, %wei : !z, tensor<2x4xf32>
}

// max(gamma, epsilon) is another divisor, and what is left is no layer either.
// CHECK-LABEL: func.func @clamped_divisor(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @clamped_divisor(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}, 
                %strength: tensor<2xf32> {dann.name = "strength", dann.role = #dann<role w>, dann.initial = dense<1.0> : tensor<2xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %ze = linalg.matmul ins(%x, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%x, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: its wix is used outside of the layer, too}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  %all = linalg.broadcast ins(%strength : tensor<2xf32>) outs(%i0 : !i) dimensions = [0]
  %strong = linalg.mul ins(%zi, %all : !i, !i) outs(%i0 : !i) -> !i
  %sum = linalg.matmul ins(%strong, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  %eps = arith.constant dense<1.0e-8> : !z
  %gamma = linalg.max ins(%sum, %eps : !z, !z) outs(%empty : !z) -> !z
  %z = linalg.div ins(%u, %gamma : !z, !z) outs(%empty : !z) -> !z
  return %z : !z
}

// CHECK-LABEL: func.func @centred(
// CHECK-NOT: dann.ei_dense
// CHECK: return
func.func @centred(%x: !x {dann.name = "x"}, 
                %wex: tensor<3x4xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<[[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0], [8.0, 9.0, 10.0, 11.0]]> : tensor<3x4xf32>}, 
                %wix: tensor<3x2xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<3x2xf32>}, 
                %wei: tensor<2x4xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<[[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]> : tensor<2x4xf32>}) -> !z {
  %empty = tensor.empty() : !z
  %z0 = arith.constant dense<0.0> : !z
  %i0 = arith.constant dense<0.0> : !i
  %half = arith.constant dense<0.5> : !x
  %c = linalg.sub ins(%x, %half : !x, !x) outs(%half : !x) -> !x
  %ze = linalg.matmul ins(%c, %wex : !x, tensor<3x4xf32>) outs(%z0 : !z) -> !z
  %zi = linalg.matmul ins(%c, %wix : !x, tensor<3x2xf32>) outs(%i0 : !i) -> !i
  %s = linalg.matmul ins(%zi, %wei : !i, tensor<2x4xf32>) outs(%z0 : !z) -> !z
  // expected-remark @below {{is no E/I layer: its input may be negative}}
  %u = linalg.sub ins(%ze, %s : !z, !z) outs(%empty : !z) -> !z
  return %u : !z
}

// CHECK-LABEL: func.func @existing_negative(
// CHECK-SAME: dann.role = #dann<role w>},
// CHECK-SAME: dann.role = #dann<role w>},
// CHECK-SAME: dann.role = #dann<role w>}
// CHECK: return
func.func @existing_negative(%x: !x, 
                %wex: tensor<4x3xf32> {dann.name = "wex", dann.role = #dann<role w>, dann.initial = dense<-1.0> : tensor<4x3xf32>}, 
                %wix: tensor<2x3xf32> {dann.name = "wix", dann.role = #dann<role w>, dann.initial = dense<0.5> : tensor<2x3xf32>}, 
                %wei: tensor<4x2xf32> {dann.name = "wei", dann.role = #dann<role w>, dann.initial = dense<0.25> : tensor<4x2xf32>}) -> !z {
  // expected-remark @below {{is no E/I layer: wex has 12 negative entries, first at [0, 0] = -1}}
  %z = dann.ei_dense %x excitatory(%wex) inhibitory(%wix, %wei) : (!x, tensor<4x3xf32>, tensor<2x3xf32>, tensor<4x2xf32>) -> !z
  return %z : !z
}
