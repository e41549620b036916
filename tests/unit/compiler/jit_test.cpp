// Code that was linked in memory, and errors of the runtime that unwind through
// it.
#include "compiler/Compiler.h"
#include "compiler/Jit.h"

#include "dann/error.hpp"
#include "model_abi.h"

#include <array>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace {

std::unique_ptr<llvm::MemoryBuffer> compileObject() {
  std::string path =
      testing::TempDir() + "dann-jit-" + std::to_string(getpid()) + ".o";
  mlir::dann::CompileOptions options;
  options.emit = mlir::dann::Emit::Object;
  options.outputPath = path;
  auto context = mlir::dann::createContext();
  auto text = llvm::MemoryBuffer::getFile(DANN_MODEL);
  if (!text || failed(mlir::dann::compile((*text)->getBuffer(), DANN_MODEL,
                                          options, *context)))
    return nullptr;
  auto object = llvm::MemoryBuffer::getFile(path, false, false, true);
  std::remove(path.c_str());
  return object ? std::move(*object) : nullptr;
}

TEST(Jit, ErrorsUnwindThroughTheCode) {
  auto object = compileObject();
  ASSERT_TRUE(object);
  auto loaded = mlir::dann::loadObject(std::move(object), DANN_RUNTIME);
  ASSERT_TRUE(bool(loaded)) << llvm::toString(loaded.takeError());
  auto &model = *static_cast<const dann::ModelAbi *>(loaded->model);
  EXPECT_EQ(model.version, dann::kAbiVersion);
  ASSERT_GT(model.entry_point_count, 0u);

  // Empty tensors for all arguments, and no session: what the code calls first
  // throws.
  std::array<std::int64_t, 16> empty{};
  std::array<void *, 64> descriptors;
  descriptors.fill(empty.data());
  for (std::uint32_t i = 0; i < model.entry_point_count; ++i) {
    SCOPED_TRACE(model.entry_points[i].name);
    EXPECT_THROW(model.entry_points[i].invoke(descriptors.data()), dann::Error);
  }
}

TEST(Jit, RefusesWhatIsNoObject) {
  auto loaded = mlir::dann::loadObject(
      llvm::MemoryBuffer::getMemBufferCopy("no object", "model.o"),
      DANN_RUNTIME);
  ASSERT_FALSE(bool(loaded));
  EXPECT_THAT(llvm::toString(loaded.takeError()), testing::HasSubstr("object"));
  auto missing = mlir::dann::loadObject(compileObject(), "/missing.so");
  ASSERT_FALSE(bool(missing));
  EXPECT_THAT(llvm::toString(missing.takeError()),
              testing::HasSubstr("/missing.so"));
}

} // namespace
