//===- DannLayers.h - E/I layers as ONNX nodes ----------------------------===//

#ifndef DANN_FRONTEND_ONNX_DANNLAYERS_H
#define DANN_FRONTEND_ONNX_DANNLAYERS_H

#include "onnx.pb.h"

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace mlir::dann::onnx {

namespace proto = ::onnx;

/// The domain of operators that ONNX lacks. docs/onnx.md defines them.
inline constexpr llvm::StringLiteral kDannDomain = "ai.dann";
inline constexpr int64_t kDannVersion = 1;
inline constexpr float kDefaultEpsilon = 1e-8F;

/// The shortest decimal number that is rounded to `value`: an attribute holds
/// 1e-8 as the float next to it.
double toDecimal(float value);

/// What the inputs of an operator of the domain are, from its name; none for
/// other operators. Functions have no optional inputs, so a layer that lacks
/// some has an operator of its own.
SmallVector<StringRef> getLayerInputs(StringRef opType);

/// Gives each layer of the model that has none a function, so that runtimes
/// that do not know the domain can execute it. Elements are of the type
/// `dataType`. Layers without all optional inputs are renamed.
void addLayerFunctions(proto::ModelProto &model, int32_t dataType);

/// Replaces layers by operators of ONNX.
void expandLayers(proto::ModelProto &model, int32_t dataType);

/// Whether the model has layers.
bool hasLayers(const proto::ModelProto &model);

/// The first version of ONNX's operators that functions and expansions use in
/// this form.
inline constexpr int64_t kLayerOpset = 13;

} // namespace mlir::dann::onnx

#endif // DANN_FRONTEND_ONNX_DANNLAYERS_H
