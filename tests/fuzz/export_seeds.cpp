//===- export_seeds.cpp - ONNX models with layers of dann -----------------===//
//
// usage: onnx-seeds DIRECTORY MODEL.txtpb...
//
// Writes the models of each file as ONNX, in both forms: DIRECTORY/MODEL.onnx
// and DIRECTORY/MODEL-plain.onnx. Initial values are 0.5, or -0.5 where the
// contract asks for that, so that all layers are accepted.
//
//===----------------------------------------------------------------------===//

#include "frontend/ModelImport.h"
#include "frontend/Onnx/OnnxExport.h"

#include "Dann/Dann.h"
#include "onnx.pb.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <fstream>
#include <iostream>

using namespace mlir;
using namespace mlir::dann;

/// The parameters that must not be positive.
static bool isNonpositive(func::FuncOp forward, StringRef name) {
  for (unsigned i = 0, e = forward.getNumArguments(); i < e; ++i) {
    auto own = forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
    auto sign = forward.getArgAttrOfType<SignAttr>(i, DannDialect::kSignAttr);
    if (own && own == name)
      return sign && sign.getValue() == Sign::Nonpos;
  }
  return false;
}

static bool write(const OnnxModel &parts, const OnnxModels &models,
                  func::FuncOp forward, const std::string &path) {
  ::onnx::ModelProto model;
  if (!model.ParseFromString(parts.model) ||
      !model.mutable_graph()->ParseFromString(parts.graph))
    return false;
  for (const OnnxParameter &parameter : models.parameters) {
    ::onnx::TensorProto &tensor = *model.mutable_graph()->add_initializer();
    tensor.set_name(parameter.name);
    tensor.set_data_type(::onnx::TensorProto::FLOAT);
    for (int64_t extent : parameter.type.getShape())
      tensor.add_dims(extent);
    float value = isNonpositive(forward, parameter.name) ? -0.5F : 0.5F;
    for (int64_t i = 0, e = parameter.type.getNumElements(); i < e; ++i)
      tensor.add_float_data(value);
  }
  std::ofstream stream(path, std::ios::binary);
  return model.SerializeToOstream(&stream) && stream.flush();
}

static bool exportModel(const std::string &source,
                        const std::string &directory) {
  MLIRContext context;
  auto buffer = llvm::MemoryBuffer::getFile(source);
  if (!buffer)
    return false;
  std::shared_ptr<const ModelFile> file =
      readModelFile((*buffer)->getBuffer(), source, &context);
  if (!file)
    return false;
  OwningOpRef<ModuleOp> module =
      importModelFile(*file, Float32Type::get(&context));
  if (!module)
    return false;
  FailureOr<OnnxModels> models = exportOnnx(*module);
  if (failed(models))
    return false;
  auto forward = module->lookupSymbol<func::FuncOp>("forward");
  std::string stem = directory + "/" + llvm::sys::path::stem(source).str();
  return write(models->layers, *models, forward, stem + ".onnx") &&
         (!models->plain ||
          write(*models->plain, *models, forward, stem + "-plain.onnx"));
}

int main(int argc, char **argv) {
  if (argc < 3) {
    std::cerr << "usage: onnx-seeds DIRECTORY MODEL.txtpb...\n";
    return 1;
  }
  for (int i = 2; i < argc; ++i)
    if (!exportModel(argv[i], argv[1])) {
      std::cerr << "cannot export " << argv[i] << '\n';
      return 1;
    }
  return 0;
}
