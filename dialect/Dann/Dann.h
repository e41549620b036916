//===- Dann.h - The dann dialect ------------------------------------------===//

#ifndef DANN_DIALECT_DANN_H
#define DANN_DIALECT_DANN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/ADT/BitVector.h"

#include <optional>

#include "Dann/OptimizerStep.h"

#include "Dann/DannInterfaces.h.inc"

#include "Dann/DannAttrInterfaces.h.inc"

#include "Dann/DannDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "Dann/DannAttributes.h.inc"

namespace mlir {
class PatternRewriter;
} // namespace mlir

namespace mlir::dann {

/// Fills the body of a dann.scan: gets its arguments (carries, slices,
/// invariants) and ends with the terminator.
using ScanBody = llvm::function_ref<void(OpBuilder &, Location, ValueRange)>;

} // namespace mlir::dann

#define GET_OP_CLASSES
#include "Dann/DannOps.h.inc"

namespace mlir::dann {

/// Whether parameters of this role are trained: have gradients and steps of the
/// optimizer.
bool isTrained(Role role);

/// The lattice operations on signs: Zero lies below Nonneg and Nonpos, Any
/// above both.
Sign joinSigns(Sign a, Sign b);
Sign negateSign(Sign a);
Sign addSigns(Sign a, Sign b);
Sign multiplySigns(Sign a, Sign b);
/// Whether every value of sign `a` is one of sign `b`.
bool isSubsetOf(Sign a, Sign b);

/// Requires `value` to have `shape`, in which a dynamic size fits any; else an
/// error at `op`. An absent value passes.
LogicalResult verifyShape(Operation *op, Value value, StringRef name,
                          ArrayRef<int64_t> shape);

} // namespace mlir::dann

#endif // DANN_DIALECT_DANN_H
