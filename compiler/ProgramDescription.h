//===- ProgramDescription.h - What a program says of itself ---------------===//

#ifndef DANN_COMPILER_PROGRAMDESCRIPTION_H
#define DANN_COMPILER_PROGRAMDESCRIPTION_H

#include "frontend/Onnx/OnnxExport.h"
#include "program.pb.h"

#include "mlir/IR/BuiltinOps.h"

namespace mlir::dann {

namespace proto = ::dann::proto;

/// Describes a module between dann-hoist-parameter-work and bufferization: its
/// public functions become entry points, whose arguments are those of the
/// functions, then the results that replace no argument. The derived tensors
/// are the results of @prepare. Backend and CPU stay empty.
proto::Program describeProgram(ModuleOp module);

/// Adds what is known only behind dann-plan-memory: scratch memory and
/// operations. The functions of `module` have to take what the description
/// says; a difference is a bug of the passes: a diagnostic.
LogicalResult describeLoweredProgram(ModuleOp module, proto::Program &program);

/// Adds the network as ONNX models, if their initializers are the program's
/// parameters.
void describeOnnx(const OnnxModels &models, proto::Program &program);

} // namespace mlir::dann

#endif // DANN_COMPILER_PROGRAMDESCRIPTION_H
