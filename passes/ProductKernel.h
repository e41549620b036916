//===- ProductKernel.h - A function that multiplies matrices --------------===//

#ifndef DANN_PASSES_PRODUCTKERNEL_H
#define DANN_PASSES_PRODUCTKERNEL_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::dann {

/// What tells kernels apart. Epilogues are compared by their text.
struct ProductKernelForm {
  Type elementType;
  bool transposed;            // a is [K, M] instead of [M, K]
  bool hasWindows;            // a is [M, K0, K1, K2], b is [K0, K1, K2, N]
  Type windowsType;           // of a, then
  linalg::GenericOp epilogue; // null for none
  unsigned productIndex = 0;  // which input of the epilogue the product is
  std::string epilogueText;

  std::string getKey() const {
    std::string key;
    llvm::raw_string_ostream(key)
        << elementType << (transposed ? " t " : " n ") << windowsType << " "
        << productIndex << " " << epilogueText;
    return key;
  }
};

/// Builds the body of `function`, with vectors of `width` entries and tiles of
/// `rows` rows. Arguments: a, b, c, whether c is added to, and for an epilogue
/// its results and its operands but the product.
void buildProductKernel(ImplicitLocOpBuilder &b, const ProductKernelForm &form,
                        int64_t width, int64_t rows, func::FuncOp function);

} // namespace mlir::dann

#endif // DANN_PASSES_PRODUCTKERNEL_H
