//===- StageCheck.cpp - Do stages of the compilation change results? ------===//

#include "compiler/StageCheck.h"

#include "compiler/Codegen.h"
#include "compiler/InitialValues.h"
#include "compiler/LoadProgram.h"
#include "compiler/ProgramDescription.h"
#include "dann/error.hpp"
#include "dann/session.hpp"

#include "Dann/Dann.h"

#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>
#include <random>

using namespace mlir;
using namespace mlir::dann;

//===----------------------------------------------------------------------===//
// The reference backend
//===----------------------------------------------------------------------===//

// From wherever tensors are to linalg. Without `dann.inference` nothing is
// folded.
static constexpr StringLiteral kLowerTensors =
    "inline,symbol-dce,dann-lower-layers,canonicalize,cse,"
    "convert-dann-to-linalg,convert-elementwise-to-linalg,canonicalize,cse,"
    "resolve-ranked-shaped-type-result-dims,"
    "func.func(dann-lower-scans,canonicalize,cse)";

// From there to loops on buffers: stages of the kernel pipeline that no program
// can do without.
static constexpr std::pair<StringLiteral, StringLiteral> kLowerBuffers[] = {
    // Without it loops would not work in place.
    {"dann-choose-destinations", "func.func(dann-choose-destinations)"},
    {"one-shot-bufferize",
     "one-shot-bufferize{bufferize-function-boundaries=true "
     "function-boundary-type-conversion=identity-layout-map}"},
    {"dann-finalize-results", "func.func(dann-finalize-results)"},
    {"buffer-results-to-out-params",
     "buffer-results-to-out-params{modify-public-functions=true "
     "hoist-static-allocs=true hoist-dynamic-allocs=true},canonicalize,cse"},
    {"convert-linalg-to-loops", "func.func(convert-linalg-to-loops)"},
    {"dann-plan-memory", "func.func(dann-plan-memory)"},
    {"convert-onednn-to-runtime", "convert-onednn-to-runtime"},
};

/// Keeps bufferization from writing to arguments that no result replaces:
/// operations of upstream take an input for their destination.
static void protectArguments(ModuleOp module) {
  for (auto function : module.getOps<func::FuncOp>()) {
    llvm::SmallDenseSet<int64_t> updated;
    for (unsigned i = 0, e = function.getNumResults(); i < e; ++i)
      if (auto updates = function.getResultAttrOfType<IntegerAttr>(
              i, DannDialect::kUpdatesAttr))
        updated.insert(updates.getInt());
    for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i)
      if (!updated.contains(i) &&
          isa<TensorType>(function.getArgumentTypes()[i]))
        function.setArgAttr(
            i, bufferization::BufferizationDialect::kWritableAttrName,
            BoolAttr::get(module.getContext(), false));
  }
}

/// Lowers a module behind `stage` to loops on buffers, by the passes that it
/// still needs.
static LogicalResult lowerToLoops(ModuleOp module, StringRef stage) {
  std::vector<Stage> stages =
      splitIntoStages(buildKernelPipeline(KernelOptions()));
  auto position = llvm::find_if(
      stages, [&](const Stage &known) { return known.name == stage; });
  bool isOnTensors = position == stages.end();
  if (isOnTensors) {
    if (failed(runPasses(kLowerTensors, module)))
      return failure();
  } else {
    stages.erase(stages.begin(), std::next(position));
  }
  for (auto &[name, passes] : kLowerBuffers) {
    if (llvm::none_of(stages, [&, name = name](const Stage &later) {
          return later.name == name;
        }))
      continue;
    if (name == "one-shot-bufferize")
      protectArguments(module);
    // LLVM would need a function of MLIR's runtime.
    if (name == "convert-linalg-to-loops")
      module.walk([](memref::CopyOp copy) {
        OpBuilder builder(copy);
        linalg::CopyOp::create(builder, copy.getLoc(), copy.getSource(),
                               copy.getTarget());
        copy.erase();
      });
    if (failed(runPasses(passes, module)))
      return failure();
  }
  return success();
}

// What a tensor's largest entry is taken to be at least, relative to the
// largest one of all results of an entry point.
static constexpr double kNegligible = 1e-2;

// What rounding the factors of products to bf16 may do: near 0 a relu lets
// another sign through, and the gradients behind it follow.
static constexpr double kRounding = 0.5;

namespace {

using ::dann::Shape, ::dann::Tensor, ::dann::TensorMap;

/// Of a stage: what its program computes, by entry point and result.
using Results = std::map<std::string, TensorMap>;

class StageChecker {
public:
  explicit StageChecker(Precision precision)
      : tolerance(getStageTolerance(precision)) {}

  LogicalResult check(CompiledStage stage) {
    bool rounds = stage.name == "dann-use-bf16";
    if (rounds)
      tolerance = kRounding;
    if (!hasRanges)
      readRanges(stage.module);
    Location loc = UnknownLoc::get(stage.module.getContext());
    // Much of a compilation finds nothing to do.
    OperationFingerPrint fingerPrint(stage.module);
    if (last == fingerPrint) {
      emitRemark(loc) << "stage '" << stage.name << "' changes nothing";
      return success();
    }
    last = fingerPrint;
    try {
      auto program = build(stage);
      if (!program)
        return failure();
      Results results = run(program);
      if (failed(compare(stage.name, results, loc)))
        return failure();
      // What follows is to keep what rounding has made of the results.
      if (rounds) {
        expected = results;
        tolerance = getStageTolerance(Precision::BF16);
      }
      return success();
    } catch (const ::dann::Error &error) {
      return emitError(loc) << "stage '" << stage.name
                            << "' gives no program that runs: " << error.what();
    }
  }

private:
  static std::shared_ptr<const ::dann::Program> build(CompiledStage stage);
  void readRanges(ModuleOp module);
  TensorMap makeInputs(const ::dann::Description &program,
                       const ::dann::EntryPoint &entry);
  Results run(std::shared_ptr<const ::dann::Program> program);
  LogicalResult compare(StringRef stage, const Results &results, Location loc);

  double tolerance;
  std::optional<OperationFingerPrint> last; // of the module checked last
  // Of inputs, by name.
  llvm::StringMap<std::pair<double, double>> ranges;
  bool hasRanges = false; // they have been read
  Results expected;
  TensorMap parameters;
};

} // namespace

/// Null after a diagnostic.
std::shared_ptr<const ::dann::Program>
StageChecker::build(CompiledStage stage) {
  OwningOpRef<ModuleOp> module = stage.module.clone();
  MLIRContext *context = module->getContext();
  Location loc = UnknownLoc::get(context);
  // What comes before this call belongs to the stage before: nobody has seen
  // it.
  InitialValues values = stage.values ? *stage.values : InitialValues(*module);
  proto::Program program;
  if (stage.program) {
    program = *stage.program;
  } else {
    // The training's settings are a part of the description.
    if (!module->getOps<TrainingOp>().empty() &&
        failed(runPasses("dann-expand-training", *module)))
      return nullptr;
    program = describeProgram(*module);
    program.set_precision(program.element_type() == proto::F64 ? "f64" : "f32");
    // Gradients have results once they are differentiated.
    llvm::StringSet<> undone;
    for (auto function : llvm::to_vector(module->getOps<func::FuncOp>())) {
      function->removeAttr(DannDialect::kInferenceAttr);
      if (function.walk([](ValueAndGradOp) { return WalkResult::interrupt(); })
              .wasInterrupted()) {
        undone.insert(function.getName());
        function.erase();
      }
    }
    auto &entries = *program.mutable_entry_points();
    entries.erase(std::remove_if(entries.begin(), entries.end(),
                                 [&](const proto::EntryPoint &entry) {
                                   return undone.contains(entry.name());
                                 }),
                  entries.end());
    values.layOut(program);
  }
  bool isLowered = module->getOps<func::FuncOp>().empty();
  if (!isLowered && (failed(lowerToLoops(*module, stage.name)) ||
                     failed(describeLoweredProgram(*module, program)) ||
                     failed(runPasses(kLlvmPipeline.passes, *module)))) {
    emitError(loc) << "stage '" << stage.name
                   << "' gives what the reference backend cannot lower";
    return nullptr;
  }

  llvm::SmallString<128> path;
  ValuesFile included;
  llvm::FileRemover remover;
  if (values.getSize() != 0) {
    int descriptor;
    if (std::error_code error = llvm::sys::fs::createTemporaryFile(
            "dann", "values", descriptor, path)) {
      emitError(loc) << "cannot create a temporary file: " << error.message();
      return nullptr;
    }
    remover.setFile(path);
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    values.write(os);
    os.close();
    if (os.has_error()) {
      emitError(loc) << "cannot write '" << path
                     << "': " << os.error().message();
      os.clear_error();
      return nullptr;
    }
    included = {path.str().str(), values.getSize()};
  }
  llvm::LLVMContext llvmContext;
  std::unique_ptr<llvm::Module> code =
      generateCode(*module, program, included, stage.target, llvmContext);
  if (!code)
    return nullptr;
  SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream os(bytes);
  if (failed(emitObject(*code, stage.target, os, loc)))
    return nullptr;
  return loadProgram(llvm::MemoryBuffer::getMemBufferCopy(
      StringRef(bytes.data(), bytes.size()), "stage"));
}

//===----------------------------------------------------------------------===//
// Running and comparing
//===----------------------------------------------------------------------===//

void StageChecker::readRanges(ModuleOp module) {
  hasRanges = true;
  auto forward = module.lookupSymbol<func::FuncOp>("forward");
  for (unsigned i = 0, e = forward ? forward.getNumArguments() : 0; i < e;
       ++i) {
    auto name = forward.getArgAttrOfType<StringAttr>(i, DannDialect::kNameAttr);
    auto range =
        forward.getArgAttrOfType<DenseF64ArrayAttr>(i, DannDialect::kRangeAttr);
    if (name && range)
      ranges[name] = {range[0], range[1]};
  }
}

/// Floats are distributed over their range, of inputs without one over [0, 1];
/// labels take turns, and other whole numbers are 0, which is a valid index.
TensorMap StageChecker::makeInputs(const ::dann::Description &program,
                                   const ::dann::EntryPoint &entry) {
  constexpr std::int64_t kSamples = 5;
  std::mt19937_64 bits(1);
  TensorMap inputs;
  for (const ::dann::Argument &argument : entry.arguments) {
    if (argument.access == ::dann::Access::Write)
      continue;
    if (auto found = parameters.find(argument.name);
        found != parameters.end()) {
      inputs.insert(*found);
      continue;
    }
    auto isNamed = [&](const auto &tensor) {
      return tensor.name == argument.name;
    };
    // The session has these.
    if (llvm::any_of(program.parameters, isNamed) ||
        llvm::any_of(program.derived_tensors, isNamed) ||
        llvm::any_of(program.state_tensors, isNamed) ||
        argument.name == "learning_rate" || argument.name == "random_key")
      continue;
    Shape shape = argument.shape;
    if (!shape.empty() && shape[0] == ::dann::kBatch)
      shape[0] = kSamples;
    auto [minimum, maximum] = ranges.contains(argument.name)
                                  ? ranges.lookup(argument.name)
                                  : std::pair<double, double>(0, 1);
    Tensor values(::dann::ElementType::F64, shape);
    auto type = argument.element_type;
    bool isFloat = type == ::dann::ElementType::F32 ||
                   type == ::dann::ElementType::F64 ||
                   type == ::dann::ElementType::BF16;
    if (!isFloat)
      values = Tensor(type, shape);
    for (std::int64_t i = 0; i < values.element_count(); ++i)
      if (isFloat)
        values.data<double>()[i] =
            minimum + (maximum - minimum) * double(bits() >> 11) * 0x1p-53;
      else if (argument.name == "y" && program.classes > 0)
        values.data<std::int64_t>()[i] = i % program.classes;
    inputs.emplace(argument.name, values);
  }
  return inputs;
}

/// Parameters as training might have them. Initial values are balanced, and
/// gradients that ought to be 0 are nothing but rounding, of which Adam makes
/// steps.
static TensorMap vary(const ::dann::Description &program,
                      const TensorMap &initial) {
  std::mt19937_64 bits(2);
  TensorMap varied;
  for (const ::dann::Parameter &parameter : program.parameters) {
    Tensor tensor = initial.at(parameter.name).clone();
    auto scale = [&](auto *entries) {
      for (std::int64_t i = 0; i < tensor.element_count(); ++i)
        entries[i] *= 0.75 + 0.5 * double(bits() >> 11) * 0x1p-53;
    };
    bool isTrained = parameter.role != "stat" && parameter.role != "polarity";
    if (isTrained && tensor.element_type() == ::dann::ElementType::F32)
      scale(tensor.data<float>());
    else if (isTrained && tensor.element_type() == ::dann::ElementType::F64)
      scale(tensor.data<double>());
    varied.emplace(parameter.name, tensor);
  }
  return varied;
}

Results StageChecker::run(std::shared_ptr<const ::dann::Program> program) {
  const ::dann::Description &description = program->description();
  Results results;
  auto initialize = [&] {
    // Code that is not shared by threads yet is for one.
    ::dann::Session session(program, {/*threads=*/1});
    session.initialize(/*seed=*/0);
    return session;
  };
  TensorMap initial;
  for (auto &[name, value] : initialize().parameters())
    initial.emplace(name, value.clone());
  // Values that the program holds are the same in all stages, but layers that
  // were recognised may want them in another form.
  bool isRandom =
      llvm::all_of(description.parameters, [](const auto &parameter) {
        return !parameter.initial_value;
      });
  if (isRandom) {
    if (parameters.empty())
      parameters = vary(description, initial);
    results["init"] = initial;
  }
  for (const ::dann::EntryPoint &entry : description.entry_points)
    if (entry.name != "init" && entry.name != "prepare")
      // Each begins where the others did.
      results[entry.name] =
          initialize().run(entry.name, makeInputs(description, entry));
  return results;
}

/// The largest entry of `a`, and the largest difference of `a` and `b`; NaN
/// differs from everything but NaN.
template <typename T>
static std::pair<double, double> findDifference(const Tensor &a,
                                                const Tensor &b) {
  double largest = 0, difference = 0;
  for (std::int64_t i = 0; i < a.element_count(); ++i) {
    double x = a.data<const T>()[i], y = b.data<const T>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y)))
      difference = std::max(difference, 0.0);
    else
      difference = std::isfinite(x - y) ? std::max(difference, std::abs(x - y))
                                        : INFINITY;
    if (std::isfinite(x))
      largest = std::max(largest, std::abs(x));
  }
  return {largest, difference};
}

/// The largest finite number of a tensor of floats.
static double findLargest(const Tensor &tensor) {
  switch (tensor.element_type()) {
  case ::dann::ElementType::F32:
    return findDifference<float>(tensor, tensor).first;
  case ::dann::ElementType::F64:
    return findDifference<double>(tensor, tensor).first;
  default:
    return 0;
  }
}

LogicalResult StageChecker::compare(StringRef stage, const Results &results,
                                    Location loc) {
  double worst = 0;
  for (const auto &[entry, tensors] : results) {
    auto [known, isNew] = expected.try_emplace(entry, tensors);
    if (isNew)
      continue;
    // A gradient may be nothing but the rounding of sums that cancel.
    double smallest = 0;
    for (const auto &[name, reference] : known->second)
      smallest = std::max(smallest, kNegligible * findLargest(reference));
    for (const auto &[name, value] : tensors) {
      auto found = known->second.find(name);
      if (found == known->second.end())
        continue;
      const Tensor &reference = found->second;
      auto differs = [&]() -> InFlightDiagnostic {
        return emitError(loc) << "stage '" << stage << "' changes the result '"
                              << name << "' of '" << entry << "': ";
      };
      if (reference.element_type() != value.element_type() ||
          reference.shape() != value.shape())
        return differs() << "it has another type";
      std::pair<double, double> numbers;
      if (value.element_type() == ::dann::ElementType::F32)
        numbers = findDifference<float>(reference, value);
      else if (value.element_type() == ::dann::ElementType::F64)
        numbers = findDifference<double>(reference, value);
      else if (std::memcmp(reference.bytes(), value.bytes(),
                           value.byte_size()) != 0)
        return differs() << "its whole numbers differ";
      auto [largest, difference] = numbers;
      double scale = std::max(largest, smallest);
      if (difference > tolerance * scale)
        return differs() << "it differs by "
                         << llvm::formatv("{0:e2}", difference).str()
                         << ", its largest entry is "
                         << llvm::formatv("{0:e2}", largest).str();
      if (scale > 0)
        worst = std::max(worst, difference / scale);
    }
  }
  emitRemark(loc) << "stage '" << stage << "' keeps the results within "
                  << llvm::formatv("{0:e1}", worst).str()
                  << " of their largest entries";
  return success();
}

double mlir::dann::getStageTolerance(Precision precision) {
  switch (precision) {
  case Precision::F32:
    return 1e-4;
  case Precision::BF16:
    return 0.5;
  case Precision::F64:
    return 1e-12;
  }
  llvm_unreachable("unknown precision");
}

std::function<LogicalResult(CompiledStage)>
mlir::dann::checkStages(Precision precision) {
  // What is compared begins in f32 if products are rounded later.
  auto checker = std::make_shared<StageChecker>(
      precision == Precision::BF16 ? Precision::F32 : precision);
  return [checker](CompiledStage stage) { return checker->check(stage); };
}
