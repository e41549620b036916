//===- RecurrentMatrices.h - Initial weights of a state -------------------===//

#ifndef DANN_FRONTEND_LAYERS_RECURRENTMATRICES_H
#define DANN_FRONTEND_LAYERS_RECURRENTMATRICES_H

#include "frontend/Layers/LayerBuilders.h"

namespace mlir::dann {

/// The square matrix `w` times the factor that gives it the spectral radius.
Value scaleToRadius(ParameterBuilder &b, Value w, double radius);

/// An orthogonal matrix [n, n]: the Q of the QR decomposition of a matrix whose
/// entries are uniform on (0, 1), for an R with a positive diagonal.
Value drawOrthogonal(ParameterBuilder &b, int64_t n);

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_RECURRENTMATRICES_H
