//===- LoadProgram.cpp - Programs of objects in memory --------------------===//

#include "compiler/LoadProgram.h"

#include "compiler/Jit.h"
#include "dann/error.hpp"
#include "model_abi.h"

#include <dlfcn.h>

/// The file of the runtime that this code was linked with.
static std::string findRuntime() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<void *>(&dann_barrier), &info))
    throw dann::Error(dann::ErrorCode::Internal, "the runtime has no file");
  return info.dli_fname;
}

std::shared_ptr<const dann::Program>
mlir::dann::loadProgram(std::unique_ptr<llvm::MemoryBuffer> object) {
  auto loaded = loadObject(std::move(object), findRuntime());
  if (!loaded)
    throw ::dann::Error(::dann::ErrorCode::Internal,
                        "cannot load the compiled model: " +
                            llvm::toString(loaded.takeError()));
  return ::dann::Program::from_model(
      *static_cast<const ::dann::ModelAbi *>(loaded->model), loaded->code);
}
