//===- Jit.cpp - Objects to code in this process --------------------------===//

#include "compiler/Jit.h"

#include "compiler/Codegen.h"

#include "llvm/ExecutionEngine/Orc/ExecutionUtils.h"
#include "llvm/ExecutionEngine/Orc/LLJIT.h"

using namespace mlir::dann;

llvm::Expected<LoadedModel>
mlir::dann::loadObject(std::unique_ptr<llvm::MemoryBuffer> object,
                       llvm::StringRef runtimePath) {
  using namespace llvm::orc;
  // The object may have been compiled by another process.
  initializeTarget();
  llvm::Expected<std::unique_ptr<LLJIT>> created = LLJITBuilder().create();
  if (!created)
    return created.takeError();
  std::shared_ptr<LLJIT> jit = std::move(*created);

  // By name: an application that was itself loaded with RTLD_LOCAL has no
  // symbols that a search of the whole process would find.
  for (const std::string &library :
       {runtimePath.str(), std::string("libm.so.6"),
        std::string("libc.so.6")}) {
    auto symbols = DynamicLibrarySearchGenerator::Load(
        library.c_str(), jit->getDataLayout().getGlobalPrefix());
    if (!symbols)
      return symbols.takeError();
    jit->getMainJITDylib().addGenerator(std::move(*symbols));
  }
  if (llvm::Error error = jit->addObjectFile(std::move(object)))
    return error;
  llvm::Expected<ExecutorAddr> model = jit->lookup("dann_model");
  if (!model)
    return model.takeError();
  return LoadedModel{model->toPtr<const void *>(), std::move(jit)};
}
