//===- Codegen.h - LLVM dialect to objects --------------------------------===//

#ifndef DANN_COMPILER_CODEGEN_H
#define DANN_COMPILER_CODEGEN_H

#include "passes/Pipelines.h"
#include "program.pb.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/IR/Module.h"
#include "llvm/Target/TargetMachine.h"

namespace mlir::dann {

namespace proto = ::dann::proto;

/// Makes this machine's target known to LLVM. Safe to call from several
/// threads.
void initializeTarget();

/// The target for LLVM's CPU name `cpu`, or "native". Null after a diagnostic
/// if there is no such CPU.
std::unique_ptr<llvm::TargetMachine> createTarget(StringRef cpu, Location loc);

/// The features that code for `target` may use, by LLVM's names.
std::vector<std::string> getRequiredFeatures(llvm::TargetMachine &target);

/// Vector registers of `target`; the rest stays at its default.
KernelOptions getKernelOptions(const llvm::TargetMachine &target);

/// Whether products in bf16 are faster than in f32 on `target`.
bool hasBf16Products(const llvm::TargetMachine &target);

/// The file with the initial values of parameters, which the object takes in.
struct ValuesFile {
  std::string path; // empty if there are none
  uint64_t size = 0;
};

/// Translates a module in the LLVM dialect, adds the table `dann_model` with
/// the entry points of `program`, its description and the initial values
/// (runtime/src/model_abi.h), and optimises. Everything but the table is
/// internal. Null after a diagnostic.
std::unique_ptr<llvm::Module> generateCode(ModuleOp module,
                                           const proto::Program &program,
                                           const ValuesFile &values,
                                           llvm::TargetMachine &target,
                                           llvm::LLVMContext &context);

/// Writes an object file for `module`.
LogicalResult emitObject(llvm::Module &module, llvm::TargetMachine &target,
                         llvm::raw_pwrite_stream &os, Location loc);

} // namespace mlir::dann

#endif // DANN_COMPILER_CODEGEN_H
