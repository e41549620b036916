//===- ExternalData.cpp - Tensors in files beside a model -----------------===//

#include "frontend/Onnx/ExternalData.h"

#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/ScopeExit.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace mlir;
using namespace mlir::dann;

static std::string describeErrno() {
  return std::error_code(errno, std::generic_category()).message();
}

/// Opens `relative` below `directory`, one component after the other, none of
/// which may be a symbolic link. -1 after a diagnostic.
static int openBelow(StringRef directory, StringRef relative, Location loc) {
  int current = open(directory.empty() ? "." : directory.str().c_str(),
                     O_PATH | O_DIRECTORY | O_CLOEXEC);
  for (auto it = llvm::sys::path::begin(relative),
            end = llvm::sys::path::end(relative);
       it != end && current >= 0;) {
    std::string component = it->str();
    bool isLast = ++it == end;
    int flags = isLast ? O_RDONLY | O_NONBLOCK : O_PATH | O_DIRECTORY;
    int next =
        openat(current, component.c_str(), flags | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    close(current);
    errno = error;
    current = next;
  }
  if (current < 0)
    emitError(loc) << "has its data in '" << relative << "': "
                   << (errno == ELOOP ? "symbolic links are not followed"
                                      : describeErrno());
  return current;
}

std::shared_ptr<llvm::MemoryBuffer>
mlir::dann::onnx::readExternalData(const ::onnx::TensorProto &tensor,
                                   StringRef modelPath, uint64_t bytes,
                                   Location loc) {
  StringRef location;
  uint64_t offset = 0, length = bytes;
  for (const auto &entry : tensor.external_data()) {
    StringRef value = entry.value();
    if (entry.key() == "location") {
      location = value;
    } else if (entry.key() == "offset" || entry.key() == "length") {
      if (value.getAsInteger(10, entry.key() == "offset" ? offset : length)) {
        emitError(loc) << "has external data with the " << entry.key() << " '"
                       << value << "', which is no number of bytes";
        return nullptr;
      }
    }
  }
  auto isUpwards = [&] {
    for (StringRef part : llvm::make_range(llvm::sys::path::begin(location),
                                           llvm::sys::path::end(location)))
      if (part == "..")
        return true;
    return false;
  };
  if (location.empty() || location.contains('\0') ||
      llvm::sys::path::is_absolute(location) || isUpwards()) {
    emitError(loc) << "has its data in '" << location
                   << "': it has to be a file in the directory of the model";
    return nullptr;
  }
  if (length != bytes) {
    emitError(loc) << "has external data of " << length << " bytes instead of "
                   << bytes;
    return nullptr;
  }
  int descriptor =
      openBelow(llvm::sys::path::parent_path(modelPath), location, loc);
  if (descriptor < 0)
    return nullptr;
  llvm::scope_exit closer([&] { close(descriptor); });
  struct stat status;
  if (fstat(descriptor, &status) != 0) {
    emitError(loc) << "has its data in '" << location
                   << "': " << describeErrno();
    return nullptr;
  }
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
    emitError(loc) << "has its data in '" << location
                   << "': it is no regular file, or has several names";
    return nullptr;
  }
  auto size = static_cast<uint64_t>(status.st_size);
  if (offset > size || length > size - offset) {
    emitError(loc) << "has its data at bytes " << offset << " to " << offset
                   << " + " << length << " of '" << location
                   << "', which has only " << size;
    return nullptr;
  }
  if (length == 0)
    return llvm::MemoryBuffer::getMemBuffer("", "", false);
  auto mapped = llvm::MemoryBuffer::getOpenFileSlice(
      llvm::sys::fs::convertFDToNativeFile(descriptor), location, length,
      offset);
  if (!mapped) {
    emitError(loc) << "has its data in '" << location
                   << "': " << mapped.getError().message();
    return nullptr;
  }
  return std::move(*mapped);
}
