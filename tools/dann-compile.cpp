//===- dann-compile.cpp - The compiler driver -----------------------------===//

#include "compiler/Compiler.h"
#include "compiler/StageCheck.h"
#include "passes/Passes.h"
#include "tools/Version.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/SourceMgr.h"
#include "llvm/Support/WithColor.h"

namespace cl = llvm::cl;
using namespace mlir::dann;

static cl::OptionCategory category("dann-compile options");

static cl::opt<std::string> inputPath(cl::Positional, cl::Required,
                                      cl::desc("<model.txtpb or .onnx>"),
                                      cl::cat(category));
static cl::opt<std::string>
    outputPath("o",
               cl::desc("Output file (default: the input's name without "
                        "its extension, or standard output for text)"),
               cl::value_desc("file"), cl::cat(category));
static cl::opt<Emit> emitKind(
    "emit", cl::desc("Where to stop (default: executable)"),
    cl::init(Emit::Executable),
    cl::values(clEnumValN(Emit::Mlir, "mlir",
                          "the imported model, for dann-opt"),
               clEnumValN(Emit::Llvm, "llvm", "optimised LLVM IR"),
               clEnumValN(Emit::Object, "object", "an object file"),
               clEnumValN(Emit::Shared, "shared",
                          "a shared object, for Program::load"),
               clEnumValN(Emit::Executable, "executable", "a program")),
    cl::cat(category));
static cl::opt<Backend> backend(
    "backend", cl::desc("What computes products (default: auto)"),
    cl::init(Backend::Auto),
    cl::values(clEnumValN(Backend::Auto, "auto",
                          "what is faster for the type and shape of each"),
               clEnumValN(Backend::OneDnn, "onednn", "the oneDNN library"),
               clEnumValN(Backend::Generated, "generated", "generated code")),
    cl::cat(category));
static cl::opt<Precision> precision(
    "precision", cl::desc("Type of numbers (default: f32)"),
    cl::init(Precision::F32),
    cl::values(
        clEnumValN(Precision::F32, "f32", "single precision"),
        clEnumValN(Precision::BF16, "bf16",
                   "products of bf16 numbers, all else in single precision"),
        clEnumValN(Precision::F64, "f64", "double precision")),
    cl::cat(category));
static cl::opt<bool>
    explain("explain",
            cl::desc("Say which kernel computes each product, and why"),
            cl::cat(category));
static cl::opt<bool>
    checkSupport("check-support",
                 cl::desc("Compile nothing: list the nodes of an ONNX model "
                          "that cannot be imported, and those without a "
                          "gradient"),
                 cl::cat(category));
static cl::opt<std::string>
    targetCpu("target-cpu",
              cl::desc("CPU to generate code for (default: this machine's)"),
              cl::value_desc("name"), cl::init("native"), cl::cat(category));

// Looking at what the compiler does.
static cl::OptionCategory inspectionCategory("options for inspection");
static cl::opt<bool>
    summary("summary",
            cl::desc("Compile nothing: print parameters, E:I ratio, FLOPs and "
                     "bytes of each layer"),
            cl::cat(inspectionCategory));
static cl::opt<std::string>
    drawing("draw",
            cl::desc("Compile nothing: draw the network, excitatory parts blue "
                     "and inhibitory ones red; .dot, .svg or .html"),
            cl::value_desc("file"), cl::cat(inspectionCategory));
enum class Level { Graph, Fused };
static cl::opt<Level> drawingLevel(
    "draw-level", cl::desc("What to draw (default: graph)"),
    cl::init(Level::Graph),
    cl::values(clEnumValN(Level::Graph, "graph", "layers, as imported"),
               clEnumValN(Level::Fused, "fused",
                          "products and fused elementwise maths, as they are "
                          "computed for inference")),
    cl::cat(inspectionCategory));
static cl::opt<std::string> stagesDirectory(
    "print-stages",
    cl::desc("Write the IR after each stage to a file in this directory"),
    cl::value_desc("directory"), cl::cat(inspectionCategory));
static cl::opt<bool> verifyStages(
    "verify-stages",
    cl::desc("Run sample inputs after each stage, and stop at the first one "
             "that changes the results"),
    cl::cat(inspectionCategory));

// What a model file says of training, and an ONNX model does not.
static cl::OptionCategory trainingCategory("options for training ONNX models");
static cl::opt<bool>
    train("train",
          cl::desc("Compile an ONNX model to a program that trains it, with "
                   "softmax cross-entropy"),
          cl::cat(trainingCategory));
static cl::opt<double>
    learningRate("learning-rate",
                 cl::desc("Default learning rate (needed with --train)"),
                 cl::cat(trainingCategory));
static cl::opt<int64_t> batchSize("batch-size",
                                  cl::desc("Default batch size (default: 32)"),
                                  cl::init(32), cl::cat(trainingCategory));
static cl::opt<int64_t>
    epochs("epochs", cl::desc("Default number of epochs (default: 10)"),
           cl::init(10), cl::cat(trainingCategory));
static cl::opt<double>
    inputMinimum("input-minimum",
                 cl::desc("Smallest value of the input (default: 0)"),
                 cl::init(0), cl::cat(trainingCategory));
static cl::opt<double>
    inputMaximum("input-maximum",
                 cl::desc("Largest value of the input (default: 1)"),
                 cl::init(1), cl::cat(trainingCategory));
static cl::opt<bool>
    correctInhibition("correct-inhibition",
                      cl::desc("Scale the updates of inhibitory weights by the "
                               "Fisher-based correction (default: on)"),
                      cl::init(true), cl::cat(trainingCategory));
static cl::opt<std::string>
    optimizer("optimizer",
              cl::desc("The optimizer with its settings, as in a model file, "
                       "e.g. 'adam { weight_decay: 0.01 }' (default: sgd {})"),
              cl::value_desc("text"), cl::init("sgd {}"),
              cl::cat(trainingCategory));

/// Why these options do not go together, or an empty text. An option that does
/// nothing would hide a mistake.
static std::string findConflict(bool isOnnx) {
  const cl::Option *looking[] = {&checkSupport, &summary, &drawing};
  const cl::Option *compiling[] = {&emitKind, &explain, &stagesDirectory,
                                   &verifyStages};
  const cl::Option *look = nullptr;
  for (const cl::Option *option : looking) {
    if (option->getNumOccurrences() == 0)
      continue;
    if (look)
      return ("give one of --" + look->ArgStr + " and --" + option->ArgStr)
          .str();
    look = option;
  }
  for (const cl::Option *option : compiling)
    if (look && option->getNumOccurrences() != 0)
      return ("--" + look->ArgStr + " compiles nothing: --" + option->ArgStr +
              " does not go with it")
          .str();
  if (drawingLevel.getNumOccurrences() != 0 && drawing.empty())
    return "--draw-level needs --draw";
  if (explain && emitKind == Emit::Mlir)
    return "--emit=mlir chooses no kernels: --explain does not go with it";

  if (checkSupport && !isOnnx)
    return "--check-support is for ONNX models";
  for (const auto &[name, option] : cl::getRegisteredOptions()) {
    if (!llvm::is_contained(option->Categories, &trainingCategory) ||
        option->getNumOccurrences() == 0)
      continue;
    if (!isOnnx)
      return ("--" + name +
              " is for ONNX models: a model file says itself how it is trained")
          .str();
    if (!train)
      return ("--" + name + " needs --train").str();
  }
  if (train && !checkSupport && learningRate.getNumOccurrences() == 0)
    return "--train needs --learning-rate";
  return "";
}

/// `models/net.txtpb` -> `net`, with an extension for what is emitted.
static std::string getDefaultOutputPath() {
  llvm::StringRef stem = llvm::sys::path::stem(inputPath);
  switch (emitKind.getValue()) {
  case Emit::Mlir:
  case Emit::Llvm:
    return "-";
  case Emit::Object:
    return (stem + ".o").str();
  case Emit::Shared:
    return (stem + ".so").str();
  case Emit::Executable:
    return stem.str();
  }
  return stem.str();
}

/// Where an operation stood before it was inlined.
static mlir::Location getCallee(mlir::Location loc) {
  while (auto call = llvm::dyn_cast<mlir::CallSiteLoc>(loc))
    loc = call.getCallee();
  return loc;
}

/// Prints a diagnostic of no place in a text, or of a part of an ONNX model.
static void printUnlocated(mlir::Diagnostic &diagnostic) {
  using Severity = mlir::DiagnosticSeverity;
  auto begin = [&]() -> llvm::raw_ostream & {
    switch (diagnostic.getSeverity()) {
    case Severity::Error:
      return llvm::WithColor::error(llvm::errs(), "dann-compile");
    case Severity::Warning:
      return llvm::WithColor::warning(llvm::errs(), "dann-compile");
    case Severity::Note:
      return llvm::WithColor::note(llvm::errs(), "dann-compile");
    case Severity::Remark:
      break;
    }
    return llvm::WithColor::remark(llvm::errs(), "dann-compile");
  };
  // A part of an ONNX model, and the model's file.
  std::string line;
  if (auto name =
          llvm::dyn_cast<mlir::NameLoc>(getCallee(diagnostic.getLocation()))) {
    if (auto file = llvm::dyn_cast<mlir::NameLoc>(name.getChildLoc()))
      line += (file.getName().getValue() + ": ").str();
    line += (name.getName().getValue() + ": ").str();
  }
  line += diagnostic.str();
  // Names of a model may be anything, also commands to a terminal.
  llvm::raw_ostream &os = begin();
  for (char c : line) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      os << llvm::format("\\x%02X", static_cast<unsigned>(c));
    else
      os << c;
  }
  os << "\n";
}

/// What is called after each stage, if anything is.
static std::function<mlir::LogicalResult(CompiledStage)> watchStages() {
  std::function<mlir::LogicalResult(CompiledStage)> print, check;
  if (!stagesDirectory.empty())
    print = printStages(stagesDirectory);
  if (verifyStages)
    check = checkStages(precision);
  if (!print || !check)
    return print ? print : check;
  return [=](CompiledStage stage) {
    return mlir::success(succeeded(print(stage)) && succeeded(check(stage)));
  };
}

/// The passes that show the imported model, if that is what is asked for.
static std::function<void(mlir::OpPassManager &)> chooseInspection() {
  if (summary)
    return [](mlir::OpPassManager &pm) {
      pm.addPass(createSummarize(
          {outputPath.empty() ? "-" : outputPath.getValue(), 1}));
    };
  if (!drawing.empty())
    return [](mlir::OpPassManager &pm) {
      if (drawingLevel == Level::Fused)
        (void)mlir::parsePassPipeline(std::string(kGraphPipeline.passes) + "," +
                                          kLinalgPipeline.passes,
                                      pm);
      pm.addPass(createDrawGraph({drawing, "forward"}));
    };
  return nullptr;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::SetVersionPrinter(printVersion);
  cl::HideUnrelatedOptions({&category, &trainingCategory, &inspectionCategory});
  cl::ParseCommandLineOptions(
      argc, argv,
      "compiles a model file to a program that trains and runs it\n");

  bool isOnnx = llvm::sys::path::extension(inputPath) == ".onnx";
  if (std::string conflict = findConflict(isOnnx); !conflict.empty()) {
    llvm::WithColor::error(llvm::errs(), "dann-compile") << conflict << "\n";
    return 1;
  }
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer;
  if (!isOnnx) {
    buffer = mlir::openInputFile(inputPath, &message);
    if (!buffer) {
      llvm::WithColor::error(llvm::errs(), "dann-compile") << message << "\n";
      return 1;
    }
  }
  std::optional<OnnxTraining> training;
  if (train)
    training =
        OnnxTraining{learningRate, batchSize,         epochs,   inputMinimum,
                     inputMaximum, correctInhibition, optimizer};
  CompileOptions options;
  options.backend = backend;
  options.precision = precision;
  options.explain = explain;
  options.emit = emitKind;
  options.targetCpu = targetCpu;
  options.outputPath = outputPath.empty() ? getDefaultOutputPath() : outputPath;
  options.inspection = chooseInspection();
  bool isText = emitKind == Emit::Mlir || emitKind == Emit::Llvm ||
                checkSupport || options.inspection;
  if (options.outputPath == "-" && !isText) {
    llvm::WithColor::error(llvm::errs(), "dann-compile")
        << "only text can go to standard output: give a file with -o\n";
    return 1;
  }

  options.afterStage = watchStages();

  std::unique_ptr<mlir::MLIRContext> context = createContext();
  std::string text;
  llvm::SourceMgr sources;
  if (buffer) {
    text = buffer->getBuffer().str();
    sources.AddNewSourceBuffer(std::move(buffer), llvm::SMLoc());
  }
  mlir::SourceMgrDiagnosticHandler located(sources, context.get());
  // What has no place in the model is said as other programs say it.
  mlir::ScopedDiagnosticHandler unlocated(
      context.get(), [](mlir::Diagnostic &diagnostic) {
        mlir::Location loc = getCallee(diagnostic.getLocation());
        if (!llvm::isa<mlir::UnknownLoc, mlir::NameLoc>(loc) ||
            loc->findInstanceOf<mlir::FileLineColLoc>())
          return mlir::failure();
        printUnlocated(diagnostic);
        for (mlir::Diagnostic &note : diagnostic.getNotes())
          if (!note.getLocation()->findInstanceOf<mlir::FileLineColLoc>())
            printUnlocated(note);
        return mlir::success();
      });
  if (checkSupport)
    return failed(reportOnnxSupport(inputPath, train, llvm::outs(), *context));
  return failed(isOnnx ? compileOnnx(inputPath, training, options, *context)
                       : compile(text, inputPath, options, *context));
}
