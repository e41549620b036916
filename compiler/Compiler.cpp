//===- Compiler.cpp - From a model file to a program ----------------------===//

#include "compiler/Compiler.h"

#include "compiler/Codegen.h"
#include "compiler/InitialValues.h"
#include "compiler/Linker.h"
#include "compiler/ProgramDescription.h"
#include "frontend/ModelImport.h"
#include "frontend/Onnx/OnnxImport.h"
#include "frontend/Onnx/TrainingSettings.h"
#include "passes/Pipelines.h"
#include "passes/Registration.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Target/LLVMIR/Dialect/All.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"

#include <utility>

using namespace mlir;
using namespace mlir::dann;

std::unique_ptr<MLIRContext> mlir::dann::createContext() {
  // Into a table of the process, which is not to be written to twice at once.
  [[maybe_unused]] static const bool registered = (registerPasses(), true);
  DialectRegistry registry;
  registerDialects(registry);
  registerAllToLLVMIRTranslations(registry);
  auto context = std::make_unique<MLIRContext>(registry);
  // Users of a model file did not write the operation that is at fault.
  context->printOpOnDiagnostic(false);
  return context;
}

StringRef mlir::dann::stringifyPrecision(Precision precision) {
  switch (precision) {
  case Precision::F32:
    return "f32";
  case Precision::BF16:
    return "bf16";
  case Precision::F64:
    return "f64";
  }
  llvm_unreachable("unknown precision");
}

// Characters of a resource, and elements of other attributes.
static constexpr int64_t kMaxPrintedResource = 1024, kMaxPrintedElements = 16;

LogicalResult mlir::dann::runPasses(StringRef passes, ModuleOp module) {
  PassManager pm(module->getContext());
  if (failed(parsePassPipeline(passes, pm)))
    return module.emitError()
           << "compiler bug: the pipeline '" << passes << "' does not parse";
  // dann-opt verifies after every pass. Here that would be a quarter of the
  // time.
  pm.enableVerifier(false);
  return success(succeeded(pm.run(module)) && succeeded(verify(module)));
}

namespace {

/// Runs pipelines at once, or stage by stage if somebody wants to see them.
struct StageRunner {
  const CompileOptions &options;
  CompiledStage stage;

  /// Says that the module has reached a stage.
  LogicalResult reach(StringRef name) {
    stage.name = name;
    return success(!options.afterStage || succeeded(options.afterStage(stage)));
  }

  LogicalResult run(StringRef passes) {
    if (!options.afterStage)
      return runPasses(passes, stage.module);
    for (const Stage &part : splitIntoStages(passes))
      if (failed(runPasses(part.passes, stage.module)) ||
          failed(reach(part.name)))
        return failure();
    return success();
  }
};

} // namespace

/// Weights are not for reading. Without `constants` neither are other tensors,
/// which a program needs.
static void printModule(ModuleOp module, raw_ostream &os, bool constants) {
  OpPrintingFlags flags;
  flags.elideLargeResourceString(kMaxPrintedResource);
  if (!constants)
    flags.elideLargeElementsAttrs(kMaxPrintedElements);
  module->print(os, flags);
  os << "\n";
}

namespace {

/// A file that gets its name when it is complete: until then it has a temporary
/// one in the same directory, and is removed with this object.
class PendingFile {
public:
  PendingFile(StringRef path, Location loc) : path(path), loc(loc) {}
  ~PendingFile() {
    if (descriptor >= 0)
      (void)llvm::sys::Process::SafelyCloseFileDescriptor(descriptor);
    if (!temporary.empty())
      (void)llvm::sys::fs::remove(temporary);
  }

  LogicalResult create(unsigned mode) {
    // Renaming would fail for a directory, and replace a device.
    llvm::sys::fs::file_status status;
    if (!llvm::sys::fs::status(path, status) &&
        !llvm::sys::fs::is_regular_file(status))
      return emitError(loc)
             << "cannot write '" << path << "': it is not a regular file";
    if (std::error_code error = llvm::sys::fs::createUniqueFile(
            path + ".%%%%%%.tmp", descriptor, temporary, llvm::sys::fs::OF_None,
            mode))
      return emitError(loc)
             << "cannot write '" << path << "': " << error.message();
    return success();
  }

  /// Whether all of it could be written.
  LogicalResult
  write(llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> writer) {
    llvm::raw_fd_ostream os(std::exchange(descriptor, -1),
                            /*shouldClose=*/true);
    if (failed(writer(os)))
      return failure();
    os.flush();
    if (std::error_code error = os.error()) {
      os.clear_error();
      return emitError(loc)
             << "cannot write '" << path << "': " << error.message();
    }
    return success();
  }

  LogicalResult keep() {
    if (std::error_code error = llvm::sys::fs::rename(temporary, path))
      return emitError(loc)
             << "cannot write '" << path << "': " << error.message();
    temporary.clear();
    return success();
  }

  StringRef getTemporaryPath() const { return temporary; }

private:
  std::string path;
  Location loc;
  llvm::SmallString<128> temporary;
  int descriptor = -1;
};

} // namespace

/// Writes text to a file, or to standard output for "-".
static LogicalResult writeOutput(
    const std::string &path, Location loc,
    llvm::function_ref<LogicalResult(llvm::raw_pwrite_stream &)> writer) {
  if (path == "-") {
    llvm::SmallString<0> text;
    llvm::raw_svector_ostream os(text);
    if (failed(writer(os)))
      return failure();
    llvm::outs() << text;
    llvm::outs().flush();
    return success();
  }
  PendingFile file(path, loc);
  return success(succeeded(file.create(0666)) &&
                 succeeded(file.write(writer)) && succeeded(file.keep()));
}

static LogicalResult emitProgram(llvm::Module &code,
                                 llvm::TargetMachine &target,
                                 const CompileOptions &options, Location loc) {
  auto writer = [&](llvm::raw_pwrite_stream &os) {
    return emitObject(code, target, os, loc);
  };
  if (options.emit == Emit::Object)
    return writeOutput(options.outputPath, loc, writer);

  PendingFile object(options.outputPath + ".o", loc);
  PendingFile program(options.outputPath, loc);
  std::string libraries = options.libraryDirectory.empty()
                              ? getDefaultLibraryDirectory()
                              : options.libraryDirectory;
  if (failed(program.create(0777)) || failed(object.create(0666)) ||
      failed(object.write(writer)) ||
      failed(mlir::dann::link(object.getTemporaryPath(),
                              program.getTemporaryPath(),
                              options.emit == Emit::Shared, libraries, loc)))
    return failure();
  return program.keep();
}

std::function<LogicalResult(CompiledStage)>
mlir::dann::printStages(StringRef directory) {
  return [directory = directory.str(),
          number = 0u](CompiledStage stage) mutable -> LogicalResult {
    Location loc = UnknownLoc::get(stage.module.getContext());
    if (std::error_code error = llvm::sys::fs::create_directories(directory))
      return emitError(loc) << "cannot make the directory '" << directory
                            << "': " << error.message();
    std::string path;
    llvm::raw_string_ostream os(path);
    os << directory << "/" << llvm::format("%02u", number++) << "-"
       << stage.name << ".mlir";
    return writeOutput(path, loc, [&](llvm::raw_pwrite_stream &os) {
      printModule(stage.module, os, /*constants=*/false);
      return success();
    });
  };
}

/// Says that a module has reached a stage.
using Reach = llvm::function_ref<LogicalResult(StringRef stage, ModuleOp)>;

/// Compiles what `import` gives, which also sets `onnx`; it is not called if
/// the options are wrong.
static LogicalResult
compileModule(llvm::function_ref<OwningOpRef<ModuleOp>(Reach)> import,
              const OnnxModels &onnx, const CompileOptions &options,
              MLIRContext &context) {
  Builder builder(&context);
  // For what is wrong with the options or the output, not with the model.
  Location loc = builder.getUnknownLoc();
  if (options.backend == Backend::OneDnn && options.precision == Precision::F64)
    return emitError(loc) << "oneDNN has no f64 kernels: f64 needs the "
                             "generated backend";
  if (options.backend == Backend::Generated &&
      options.precision == Precision::BF16)
    return emitError(loc) << "generated kernels have no bf16 products: bf16 "
                             "needs the oneDNN backend";
  std::unique_ptr<llvm::TargetMachine> target =
      createTarget(options.targetCpu, loc);
  if (!target)
    return failure();
  OwningOpRef<ModuleOp> module =
      import([&](StringRef stage, ModuleOp reached) -> LogicalResult {
        return success(!options.afterStage ||
                       succeeded(options.afterStage(
                           {stage, reached, nullptr, nullptr, *target})));
      });
  if (!module)
    return failure();
  if (options.inspection) {
    PassManager pm(&context);
    options.inspection(pm);
    return pm.run(*module);
  }
  if (options.emit == Emit::Mlir)
    return writeOutput(options.outputPath, loc,
                       [&](llvm::raw_pwrite_stream &os) {
                         printModule(*module, os, /*constants=*/true);
                         return success();
                       });

  InitialValues values(*module);
  StageRunner stages{options, {"", *module, nullptr, &values, *target}};
  if (failed(stages.run(kGraphPipeline.passes)))
    return failure();
  KernelOptions kernels = getKernelOptions(*target);
  kernels.backend = options.backend;
  Precision precision = options.precision;
  if (precision == Precision::BF16 && !hasBf16Products(*target)) {
    emitWarning(loc) << "the CPU " << target->getTargetCPU()
                     << " has neither AMX nor AVX512-BF16: computing in f32";
    precision = Precision::F32;
  }
  kernels.explain = options.explain;
  if (failed(stages.run(buildLinalgPipeline(precision == Precision::BF16))))
    return failure();

  proto::Program program = describeProgram(*module);
  program.set_target_cpu(target->getTargetCPU().str());
  for (const std::string &feature : getRequiredFeatures(*target))
    program.add_cpu_features(feature);
  program.set_backend(stringifyBackend(options.backend).str());
  program.set_precision(stringifyPrecision(precision).str());
  describeOnnx(onnx, program);
  values.layOut(program);
  stages.stage.program = &program;
  if (failed(stages.run(buildKernelPipeline(kernels))) ||
      failed(describeLoweredProgram(*module, program)) ||
      failed(runPasses(kLlvmPipeline.passes, *module)) ||
      failed(stages.reach(kLlvmPipeline.name)))
    return failure();

  // Written before code is generated, so that they can leave the memory.
  PendingFile valuesFile(options.outputPath + ".values", loc);
  ValuesFile included;
  if (values.getSize() != 0 && options.emit != Emit::Llvm) {
    if (failed(valuesFile.create(0600)) ||
        failed(valuesFile.write([&](llvm::raw_pwrite_stream &os) {
          values.write(os);
          return success();
        })))
      return failure();
    included = {valuesFile.getTemporaryPath().str(), values.getSize()};
  }
  values.release();
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      generateCode(*module, program, included, *target, llvmContext);
  if (!code)
    return failure();
  if (options.emit == Emit::Llvm)
    return writeOutput(options.outputPath, loc,
                       [&](llvm::raw_pwrite_stream &os) {
                         code->print(os, nullptr);
                         return success();
                       });
  return emitProgram(*code, *target, options, loc);
}

static constexpr StringLiteral kRaise = "dann-raise-ei-layers";

/// Imports an ONNX model, with its E/I layers, and says how it is trained.
static OwningOpRef<ModuleOp>
importOnnxModel(StringRef path, const std::optional<TrainingSettings> &training,
                OnnxModels &onnx, Reach reach, MLIRContext &context) {
  OwningOpRef<ModuleOp> module = importOnnx(path, context, &onnx);
  // Training depends on what the parameters are.
  if (!module || failed(reach("import", *module)) ||
      failed(runPasses(kRaise, *module)) || failed(reach(kRaise, *module)) ||
      (training && failed(addTraining(*module, *training))))
    return nullptr;
  adaptToParameters(onnx, *module);
  return module;
}

static LogicalResult checkOnnxPrecision(const CompileOptions &options,
                                        Location loc) {
  if (options.precision != Precision::F64)
    return success();
  return emitError(loc) << "ONNX models compute in the types of their tensors: "
                           "f64 is for model files with layers";
}

LogicalResult mlir::dann::compile(StringRef text, StringRef fileName,
                                  const CompileOptions &options,
                                  MLIRContext &context) {
  Builder builder(&context);
  OnnxModels onnx;
  return compileModule(
      [&](Reach reach) -> OwningOpRef<ModuleOp> {
        std::shared_ptr<const ModelFile> file =
            readModelFile(text, fileName, &context);
        if (!file)
          return nullptr;
        if (std::optional<OnnxReference> reference = getOnnxReference(*file)) {
          if (failed(checkOnnxPrecision(options, reference->loc)))
            return nullptr;
          if (!llvm::sys::fs::exists(reference->path)) {
            emitError(reference->loc)
                << "onnx: cannot read " << reference->path;
            return nullptr;
          }
          OwningOpRef<ModuleOp> module = importOnnxModel(
              reference->path, readSettings(*file), onnx, reach, context);
          if (module)
            module->setSymName(reference->name);
          return module;
        }
        OwningOpRef<ModuleOp> module =
            importModelFile(*file, options.precision == Precision::F64
                                       ? FloatType(builder.getF64Type())
                                       : builder.getF32Type());
        if (!module || failed(reach("import", *module)))
          return nullptr;
        onnx = tryExportOnnx(*module);
        return module;
      },
      onnx, options, context);
}

LogicalResult
mlir::dann::compileOnnx(StringRef path,
                        const std::optional<OnnxTraining> &training,
                        const CompileOptions &options, MLIRContext &context) {
  Location loc = UnknownLoc::get(&context);
  if (failed(checkOnnxPrecision(options, loc)))
    return failure();
  std::optional<TrainingSettings> settings;
  OnnxModels onnx;
  return compileModule(
      [&](Reach reach) -> OwningOpRef<ModuleOp> {
        if (training) {
          settings = readSettings(*training, loc);
          if (!settings)
            return nullptr;
        }
        return importOnnxModel(path, settings, onnx, reach, context);
      },
      onnx, options, context);
}
