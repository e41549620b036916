//===- ParameterElements.h - Initial values of parameters -----------------===//

#ifndef DANN_PASSES_PARAMETERELEMENTS_H
#define DANN_PASSES_PARAMETERELEMENTS_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

namespace mlir::dann {

/// What a parameter is at first (`dann.initial`); null if that is not known.
ElementsAttr getInitialValue(BlockArgument argument);

/// Elements that are computed, in a resource if there are many.
ElementsAttr makeElements(RankedTensorType type, StringRef name,
                          llvm::function_ref<double(int64_t)> element);

/// The elements in the shape of `type`, of a matrix transposed if asked to.
/// They must be such as FloatElements reads.
ElementsAttr reshapeElements(ElementsAttr elements, bool transposed,
                             RankedTensorType type, StringRef name);

} // namespace mlir::dann

#endif // DANN_PASSES_PARAMETERELEMENTS_H
