//===- ExternalData.h - Tensors in files beside a model -------------------===//

#ifndef DANN_FRONTEND_ONNX_EXTERNALDATA_H
#define DANN_FRONTEND_ONNX_EXTERNALDATA_H

#include "onnx.pb.h"

#include "mlir/IR/Location.h"
#include "llvm/Support/MemoryBuffer.h"

#include <memory>

namespace mlir::dann::onnx {

/// Maps the part of a file that holds the `bytes` bytes of a tensor with
/// external data. The file has to lie in the directory of the model, or below
/// it, as a regular file with one name: no symbolic link on the way to it, no
/// second hard link. Null after a diagnostic at `loc`.
std::shared_ptr<llvm::MemoryBuffer>
readExternalData(const ::onnx::TensorProto &tensor, llvm::StringRef modelPath,
                 uint64_t bytes, Location loc);

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_EXTERNALDATA_H
