//===- SignAnalysis.h - Which signs values can have -----------------------===//

#ifndef DANN_PASSES_SIGNANALYSIS_H
#define DANN_PASSES_SIGNANALYSIS_H

#include "Dann/Dann.h"

#include "mlir/Analysis/DataFlow/SparseAnalysis.h"

namespace mlir::dann {

/// What is known of the signs of a value's entries; nothing yet at first.
struct SignState {
  std::optional<Sign> sign;

  bool operator==(const SignState &) const = default;
  static SignState join(const SignState &a, const SignState &b) {
    if (!a.sign || !b.sign)
      return a.sign ? a : b;
    return {joinSigns(*a.sign, *b.sign)};
  }
  void print(raw_ostream &os) const {
    os << (sign ? stringifySign(*sign) : "unknown");
  }
};

using SignLattice = dataflow::Lattice<SignState>;

/// Forward analysis of signs. Function arguments have the sign of their
/// contract (`dann.sign`) or range (`dann.range`). Says nothing about NaN: a
/// nonneg value is nonnegative wherever it is a number.
class SignAnalysis
    : public dataflow::SparseForwardDataFlowAnalysis<SignLattice> {
public:
  using SparseForwardDataFlowAnalysis::SparseForwardDataFlowAnalysis;

  LogicalResult visitOperation(Operation *op,
                               ArrayRef<const SignLattice *> operands,
                               ArrayRef<SignLattice *> results) override;
  void setToEntryState(SignLattice *lattice) override;

private:
  void visitScan(ScanOp scan, ArrayRef<const SignLattice *> operands,
                 ArrayRef<SignLattice *> results);
};

} // namespace mlir::dann

#endif // DANN_PASSES_SIGNANALYSIS_H
