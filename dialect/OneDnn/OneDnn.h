//===- OneDnn.h - The onednn dialect --------------------------------------===//

#ifndef DANN_DIALECT_ONEDNN_H
#define DANN_DIALECT_ONEDNN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "OneDnn/OneDnnEnums.h.inc"

#include "OneDnn/OneDnnDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "OneDnn/OneDnnAttributes.h.inc"

#define GET_OP_CLASSES
#include "OneDnn/OneDnnOps.h.inc"

namespace mlir::onednn {

/// Lets one-shot bufferization handle the operations of this dialect.
void registerBufferizableOpInterfaceExternalModels(DialectRegistry &registry);

} // namespace mlir::onednn

#endif // DANN_DIALECT_ONEDNN_H
