//===- OneDnn.h - The onednn dialect --------------------------------------===//

#ifndef DANN_DIALECT_ONEDNN_H
#define DANN_DIALECT_ONEDNN_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "OneDnn/OneDnnEnums.h.inc"

#include "OneDnn/OneDnnDialect.h.inc"

#define GET_ATTRDEF_CLASSES
#include "OneDnn/OneDnnAttributes.h.inc"

#define GET_OP_CLASSES
#include "OneDnn/OneDnnOps.h.inc"

#endif // DANN_DIALECT_ONEDNN_H
