//===- Codegen.cpp - LLVM dialect to objects ------------------------------===//

#include "compiler/Codegen.h"

#include "Dann/Dann.h"
#include "model_abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/TargetParser/Host.h"
#include "llvm/TargetParser/SubtargetFeature.h"
#include "llvm/Transforms/IPO/GlobalDCE.h"

using namespace mlir;
using namespace mlir::dann;

void mlir::dann::initializeTarget() {
  static bool initialized = [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
    llvm::InitializeNativeTargetAsmParser();
    return true;
  }();
  (void)initialized;
}

std::unique_ptr<llvm::TargetMachine> mlir::dann::createTarget(StringRef cpu,
                                                              Location loc) {
  initializeTarget();

  llvm::Triple triple(llvm::sys::getDefaultTargetTriple());
  std::string message;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, message);
  if (!target) {
    emitError(loc) << message;
    return nullptr;
  }
  std::string features;
  std::string name = cpu.str();
  if (cpu == "native") {
    name = llvm::sys::getHostCPUName().str();
    // A virtual machine may hide features that its CPU's name implies.
    llvm::SubtargetFeatures hostFeatures;
    for (const auto &feature : llvm::sys::getHostCPUFeatures())
      hostFeatures.AddFeature(feature.first(), feature.second);
    features = hostFeatures.getString();
  }
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget(
      target->createMCSubtargetInfo(triple, "", ""));
  if (!subtarget->isCPUStringValid(name)) {
    emitError(loc) << "unknown target CPU '" << name << "' for "
                   << triple.getArchName();
    return nullptr;
  }
  return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
      triple, name, features, llvm::TargetOptions(), llvm::Reloc::PIC_,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
}

std::vector<std::string>
mlir::dann::getRequiredFeatures(llvm::TargetMachine &target) {
  // What LLVM can detect on a host are instruction sets; the rest of a CPU's
  // features tune code without making it fail elsewhere.
  llvm::StringMap<bool> detectable = llvm::sys::getHostCPUFeatures();
  std::vector<std::string> features;
  for (const llvm::SubtargetFeatureKV &feature :
       target.getMCSubtargetInfo()->getEnabledProcessorFeatures())
    if (detectable.contains(feature.Key))
      features.emplace_back(feature.Key);
  return features;
}

KernelOptions mlir::dann::getKernelOptions(const llvm::TargetMachine &target) {
  const llvm::MCSubtargetInfo &subtarget = *target.getMCSubtargetInfo();
  KernelOptions options;
  if (!target.getTargetTriple().isX86()) {
    // 32 registers of 16 bytes, as on AArch64.
    options.vectorBytes = 16;
  } else if (!subtarget.checkFeatures("+avx512f")) {
    options.vectorBytes = subtarget.checkFeatures("+avx2,+fma") ? 32 : 16;
    // 16 registers: 12 for the tile, 2 for a row of one factor, 1 for an entry
    // of the other.
    options.rows = 6;
  }
  return options;
}

bool mlir::dann::hasBf16Products(const llvm::TargetMachine &target) {
  const llvm::MCSubtargetInfo &subtarget = *target.getMCSubtargetInfo();
  return target.getTargetTriple().isX86() &&
         (subtarget.checkFeatures("+avx512bf16") ||
          subtarget.checkFeatures("+amx-bf16"));
}

/// Has the assembler take in the file with initial values. LLVM never holds
/// them as a constant.
static llvm::Constant *includeValues(llvm::Module &module,
                                     const ValuesFile &values,
                                     const llvm::Triple &triple) {
  llvm::LLVMContext &context = module.getContext();
  if (values.size == 0)
    return llvm::ConstantPointerNull::get(llvm::PointerType::get(context, 0));
  std::string text;
  llvm::raw_string_ostream os(text);
  // Large sections lie where they do not push code out of the reach of jumps.
  os << ".pushsection "
     << (triple.getArch() == llvm::Triple::x86_64
             ? ".lrodata.dann_values,\"al\",@progbits"
             : ".rodata.dann_values,\"a\",%progbits")
     << "\n.balign 64\n.hidden dann_values\n.globl dann_values\n"
     << "dann_values:\n.incbin \"";
  for (char c : values.path) {
    if (c == '"' || c == '\\')
      os << '\\';
    os << c;
  }
  os << "\"\n.popsection\n";
  module.appendModuleInlineAsm(text);
  auto *global = new llvm::GlobalVariable(
      module, llvm::Type::getInt8Ty(context), /*isConstant=*/true,
      llvm::GlobalValue::ExternalLinkage, nullptr, "dann_values");
  global->setVisibility(llvm::GlobalValue::HiddenVisibility);
  return global;
}

/// Emits `dann_model`, a dann::ModelAbi.
static void buildModelTable(llvm::Module &module, const proto::Program &program,
                            const ValuesFile &values,
                            const llvm::Triple &triple) {
  llvm::LLVMContext &context = module.getContext();
  auto *i32 = llvm::Type::getInt32Ty(context);
  auto *i64 = llvm::Type::getInt64Ty(context);
  auto addConstant = [&](llvm::Constant *value, const llvm::Twine &name) {
    auto *global = new llvm::GlobalVariable(
        module, value->getType(), /*isConstant=*/true,
        llvm::GlobalValue::InternalLinkage, value, name);
    return global;
  };
  SmallVector<llvm::Constant *> entries;
  for (const auto &entry : program.entry_points())
    entries.push_back(llvm::ConstantStruct::getAnon(
        {addConstant(llvm::ConstantDataArray::getString(context, entry.name()),
                     "dann_name_" + entry.name()),
         module.getFunction(entry.name())}));
  auto *entryTable = addConstant(
      llvm::ConstantArray::get(
          llvm::ArrayType::get(entries.front()->getType(), entries.size()),
          entries),
      "dann_entry_points");
  std::string bytes = program.SerializeAsString();
  auto *description = addConstant(
      llvm::ConstantDataArray::getString(context, bytes, /*AddNull=*/false),
      "dann_program");
  auto *model =
      addConstant(llvm::ConstantStruct::getAnon(
                      {llvm::ConstantInt::get(i32, ::dann::kAbiVersion),
                       llvm::ConstantInt::get(i32, entries.size()), description,
                       llvm::ConstantInt::get(i64, bytes.size()), entryTable,
                       includeValues(module, values, triple),
                       llvm::ConstantInt::get(i64, values.size)}),
                  "dann_model");
  model->setLinkage(llvm::GlobalValue::ExternalLinkage);
}

static void setTarget(llvm::Module &module, llvm::TargetMachine &target) {
  module.setTargetTriple(target.getTargetTriple());
  module.setDataLayout(target.createDataLayout());
  // Errors of the runtime unwind through compiled code.
  module.setUwtable(llvm::UWTableKind::Async);
  for (llvm::Function &function : module) {
    if (function.isDeclaration())
      continue;
    function.setLinkage(llvm::GlobalValue::InternalLinkage);
    function.setUWTableKind(llvm::UWTableKind::Async);
    function.addFnAttr("target-cpu", target.getTargetCPU());
    function.addFnAttr("target-features", target.getTargetFeatureString());
    function.addFnAttr("prefer-vector-width", "512");
    // Entry points are long lists of calls, with nothing to optimise in them;
    // the time for trying would grow faster than the network. All loops are in
    // functions that say noinline.
    if (!function.hasFnAttribute(llvm::Attribute::NoInline)) {
      function.addFnAttr(llvm::Attribute::NoInline);
      function.addFnAttr(llvm::Attribute::OptimizeNone);
    }
  }
}

/// Removes the attributes of the dann dialect, for which LLVM IR has no place.
static void dropDannAttributes(ModuleOp module) {
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    for (NamedAttribute attribute :
         llvm::to_vector(function->getDiscardableAttrs()))
      if (isa_and_nonnull<DannDialect>(attribute.getNameDialect()))
        function->removeDiscardableAttr(attribute.getName());
}

/// LLVM's simplifications of functions. Loops are vector code already, and
/// kernels are shared, not inlined: its vectorisers, unroller and analyses
/// between functions cost time and gain nothing.
static void optimize(llvm::Module &module, llvm::TargetMachine &target) {
  llvm::PipelineTuningOptions tuning;
  tuning.LoopVectorization = false;
  tuning.LoopInterleaving = false;
  tuning.LoopUnrolling = false;
  tuning.SLPVectorization = false;
  llvm::PassBuilder builder(&target, tuning);
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  llvm::ModulePassManager passes;
  passes.addPass(llvm::createModuleToFunctionPassAdaptor(
      builder.buildFunctionSimplificationPipeline(
          llvm::OptimizationLevel::O2, llvm::ThinOrFullLTOPhase::None)));
  passes.addPass(llvm::GlobalDCEPass());
  passes.run(module, modules);
}

std::unique_ptr<llvm::Module>
mlir::dann::generateCode(ModuleOp module, const proto::Program &program,
                         const ValuesFile &values, llvm::TargetMachine &target,
                         llvm::LLVMContext &context) {
  dropDannAttributes(module);
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, program.name());
  if (!llvmModule) {
    module.emitError("compiler bug: the module does not translate to LLVM IR");
    return nullptr;
  }
  buildModelTable(*llvmModule, program, values, target.getTargetTriple());
  setTarget(*llvmModule, target);
  optimize(*llvmModule, target);
  return llvmModule;
}

LogicalResult mlir::dann::emitObject(llvm::Module &module,
                                     llvm::TargetMachine &target,
                                     llvm::raw_pwrite_stream &os,
                                     Location loc) {
  llvm::legacy::PassManager passes;
  if (target.addPassesToEmitFile(passes, os, nullptr,
                                 llvm::CodeGenFileType::ObjectFile))
    return emitError(loc) << "LLVM cannot emit objects for "
                          << target.getTargetTriple().str();
  passes.run(module);
  return success();
}
