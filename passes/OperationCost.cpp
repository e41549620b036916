//===- OperationCost.cpp - How much operations compute --------------------===//

#include "passes/OperationCost.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::dann;

static constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();

int64_t mlir::dann::multiplySaturating(int64_t a, int64_t b) {
  int64_t result;
  return llvm::MulOverflow(a, b, result) ? kLargest : result;
}

static int64_t addSaturating(int64_t a, int64_t b) {
  int64_t result;
  return llvm::AddOverflow(a, b, result) ? kLargest : result;
}

void Cost::add(bool isPerSample, int64_t amount) {
  int64_t &sum = isPerSample ? perSample : fixed;
  sum = addSaturating(sum, amount);
}

void Cost::add(const Cost &other) {
  add(false, other.fixed);
  add(true, other.perSample);
}

int64_t Cost::of(int64_t samples) const {
  return addSaturating(fixed, multiplySaturating(samples, perSample));
}

Cost mlir::dann::countFlops(linalg::LinalgOp op) {
  int64_t flops = 0;
  for (Operation &nested : op->getRegion(0).front())
    if (nested.getNumResults() == 1 &&
        isa<FloatType>(nested.getResult(0).getType()))
      ++flops;
  bool isPerSample = false;
  for (int64_t extent : op.getStaticLoopRanges()) {
    bool isBatch = ShapedType::isDynamic(extent);
    isPerSample |= isBatch;
    flops = multiplySaturating(flops, isBatch ? 1 : extent);
  }
  Cost cost;
  cost.add(isPerSample, flops);
  return cost;
}
