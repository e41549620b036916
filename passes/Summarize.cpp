//===- Summarize.cpp - A table of the layers of a model -------------------===//

#include "passes/LayerGroups.h"
#include "passes/OperationCost.h"
#include "passes/Passes.h"

#include "Dann/Dann.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/ToolOutputFile.h"

namespace mlir::dann {
#define GEN_PASS_DEF_SUMMARIZE
#include "passes/Passes.h.inc"
} // namespace mlir::dann

using namespace mlir;
using namespace mlir::dann;

// FLOPs are counted in clones of the model: of the loss, and of it with its
// gradients. Nothing is folded there that the equations do not fold.
static constexpr StringLiteral kExpand = "dann-expand-training,inline";
static constexpr StringLiteral kDifferentiate =
    "dann-autodiff,symbol-dce,canonicalize,cse";
static constexpr StringLiteral kLower =
    "inline,dann-lower-layers,canonicalize,cse,convert-dann-to-linalg,"
    "convert-elementwise-to-linalg,canonicalize,cse";

namespace {

constexpr StringLiteral kTag = "dann-summary ";

/// The number of a layer, as a location: passes keep it through everything
/// that they make of the layer's operations.
Location getTag(MLIRContext *context, unsigned layer) {
  return NameLoc::get(StringAttr::get(context, kTag + llvm::Twine(layer)));
}

std::optional<unsigned> getTaggedLayer(Location location) {
  std::optional<unsigned> layer;
  location->walk([&](Location part) {
    auto name = dyn_cast<NameLoc>(part);
    unsigned number;
    StringRef text = name ? name.getName().getValue() : "";
    if (!text.consume_front(kTag) || text.getAsInteger(10, number))
      return WalkResult::advance();
    layer = number;
    return WalkResult::interrupt();
  });
  return layer;
}

struct Units {
  int64_t excitatory = 0, inhibitory = 0;
};

struct Line {
  std::string name, operation, shape;
  int64_t parameters = 0, bytes = 0;
  Cost activations, forward, both;
  Units units;
};

int64_t getBytes(Type elementType) {
  return elementType.isIntOrFloat()
             ? (elementType.getIntOrFloatBitWidth() + 7) / 8
             : 0;
}

/// FLOPs by layer; those of no layer are behind the last one.
using Counts = SmallVector<Cost>;

void addFlops(Operation *op, int64_t times, Counts &counts) {
  for (Region &region : op->getRegions())
    for (Operation &nested : region.getOps()) {
      if (auto linalgOp = dyn_cast<linalg::LinalgOp>(nested)) {
        Cost flops = countFlops(linalgOp);
        unsigned layer =
            getTaggedLayer(nested.getLoc()).value_or(counts.size() - 1);
        counts[layer].add(false, multiplySaturating(flops.fixed, times));
        counts[layer].add(true, multiplySaturating(flops.perSample, times));
        continue;
      }
      int64_t nestedTimes = times;
      if (auto scan = dyn_cast<ScanOp>(nested))
        nestedTimes = multiplySaturating(times, scan.getNumSteps());
      addFlops(&nested, nestedTimes, counts);
    }
}

std::string formatUnits(Units units) {
  if (units.excitatory == 0 && units.inhibitory == 0)
    return "";
  return llvm::utostr(units.excitatory) + ":" + llvm::utostr(units.inhibitory);
}

struct SummarizePass : dann::impl::SummarizeBase<SummarizePass> {
  using SummarizeBase::SummarizeBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    SummarizeBase::getDependentDialects(registry);
    OpPassManager passes(ModuleOp::getOperationName());
    for (StringRef pipeline : {kExpand, kDifferentiate, kLower})
      if (succeeded(parsePassPipeline(pipeline, passes, llvm::nulls())))
        passes.getDependentDialects(registry);
  }

  void runOnOperation() override {
    if (batchSize < 1) {
      emitError(UnknownLoc::get(&getContext()))
          << "batch-size is " << batchSize.getValue()
          << ", but has to be at least 1";
      return signalPassFailure();
    }
    auto forward = getOperation().lookupSymbol<func::FuncOp>("forward");
    if (!forward || !forward.getBody().hasOneBlock()) {
      getOperation().emitError()
          << "has no layers to list: it is not an imported model, whose "
             "network is the function 'forward'";
      return signalPassFailure();
    }
    if (llvm::any_of(forward.getArgumentTypes(), llvm::IsaPred<MemRefType>)) {
      forward.emitError("works on buffers: layers are listed of an imported "
                        "model");
      return signalPassFailure();
    }
    std::vector<LayerGroup> layers = groupLayers(forward);
    bool isTrained = !getOperation().getOps<TrainingOp>().empty();
    std::vector<Line> lines;
    for (const LayerGroup &layer : layers)
      lines.push_back(describe(forward, layer));
    for (size_t i = 0; i < layers.size(); ++i)
      findPolarities(layers, i, lines);
    lines.emplace_back();
    lines.back().operation = isTrained ? "loss" : "other";
    if (failed(countFlopsOfLayers(layers, isTrained, lines)))
      return signalPassFailure();
    if (!isTrained && lines.back().forward.of(1) == 0)
      lines.pop_back();

    std::string message;
    auto file = openOutputFile(output, &message);
    if (!file) {
      emitError(UnknownLoc::get(&getContext())) << message;
      return signalPassFailure();
    }
    print(lines, isTrained, file->os());
    file->keep();
    markAllAnalysesPreserved();
  }

  Line describe(func::FuncOp forward, const LayerGroup &layer) {
    Line line;
    llvm::raw_string_ostream name(line.name);
    llvm::printEscapedString(layer.name, name);
    if (layer.main)
      line.operation = getShortName(layer.main).str();
    for (unsigned index : layer.parameters) {
      auto type = dyn_cast<RankedTensorType>(forward.getArgumentTypes()[index]);
      if (!type || !type.hasStaticShape())
        continue;
      int64_t entries = 1;
      for (int64_t size : type.getShape())
        entries = multiplySaturating(entries, size);
      auto role =
          forward.getArgAttrOfType<RoleAttr>(index, DannDialect::kRoleAttr);
      if (dann::isTrained(role.getValue()))
        line.parameters += entries;
      line.bytes +=
          multiplySaturating(entries, getBytes(type.getElementType()));
    }
    describeOutput(layer.output, line);
    for (Operation *op : layer.operations)
      op->walk([&](EILayerOpInterface ei) {
        line.units.excitatory =
            std::max(line.units.excitatory, ei.getNumExcitatory());
        for (OpOperand &operand : ei->getOpOperands())
          if (ei.getOperandRole(operand.getOperandNumber()) == Role::Wix)
            line.units.inhibitory +=
                cast<ShapedType>(operand.get().getType()).getDimSize(0);
      });
    return line;
  }

  /// Without its dynamic sizes, which are the batch.
  static void describeOutput(Value output, Line &line) {
    auto type = output ? dyn_cast<RankedTensorType>(output.getType()) : nullptr;
    if (!type)
      return;
    int64_t bytes = getBytes(type.getElementType());
    llvm::raw_string_ostream os(line.shape);
    llvm::ListSeparator x("x");
    for (int64_t size : type.getShape())
      if (!ShapedType::isDynamic(size)) {
        bytes = multiplySaturating(bytes, size);
        os << x << size;
      }
    if (line.shape.empty())
      line.shape.push_back('1');
    line.activations.add(!type.hasStaticShape(), bytes);
  }

  /// Polarities by column are those of presynaptic units: of the layer itself
  /// for recurrent weights, else of the one before.
  static void findPolarities(ArrayRef<LayerGroup> layers, size_t layer,
                             MutableArrayRef<Line> lines) {
    for (Operation *op : layers[layer].operations)
      op->walk([&](ApplyPolarityOp polarity) {
        if (!polarity.getExcitatory())
          return;
        auto shape = polarity.getMagnitude().getType().getShape();
        auto isRecurrent = [&](Operation *user) {
          return isa<ScanOp>(user) || user->getParentOfType<ScanOp>();
        };
        size_t owner = layer;
        if (shape[0] != shape[1] ||
            llvm::none_of(polarity->getUsers(), isRecurrent))
          do {
            if (owner == 0)
              return;
            --owner;
          } while (layers[owner].parameters.empty());
        int64_t excitatory = *polarity.getExcitatory();
        lines[owner].units = {excitatory, shape[1] - excitatory};
      });
  }

  /// Runs `passes` on `module`, then keeps but the function `name`.
  static LogicalResult reduceTo(ModuleOp module, StringRef passes,
                                llvm::function_ref<StringRef()> name) {
    auto runPasses = [&](StringRef passes) {
      PassManager pm(module.getContext());
      return success(succeeded(parsePassPipeline(passes, pm)) &&
                     succeeded(pm.run(module)));
    };
    if (!passes.empty() && failed(runPasses(passes)))
      return failure();
    StringRef kept = name();
    for (Operation &op : llvm::make_early_inc_range(module.getOps())) {
      auto function = dyn_cast<func::FuncOp>(op);
      if (!function || function.getName() != kept) {
        op.erase();
        continue;
      }
      // What only infers would be folded.
      function->removeAttr(DannDialect::kInferenceAttr);
      function.setPublic();
    }
    return runPasses(kLower);
  }

  LogicalResult countFlopsOfLayers(ArrayRef<LayerGroup> layers, bool isTrained,
                                   MutableArrayRef<Line> lines) {
    MLIRContext *context = &getContext();
    IRMapping mapping;
    OwningOpRef<ModuleOp> tagged(
        cast<ModuleOp>(getOperation()->clone(mapping)));
    for (auto [i, layer] : llvm::enumerate(layers))
      for (Operation *op : layer.operations)
        mapping.lookup(op)->walk([&, tag = getTag(context, i)](
                                     Operation *part) { part->setLoc(tag); });
    auto count = [&](StringRef passes,
                     llvm::function_ref<StringRef(ModuleOp)> name,
                     Cost Line::*column) -> LogicalResult {
      OwningOpRef<ModuleOp> module = tagged->clone();
      if (failed(reduceTo(*module, passes, [&] { return name(*module); })))
        return failure();
      Counts counts(lines.size());
      addFlops(*module, 1, counts);
      for (auto [line, flops] : llvm::zip_equal(lines, counts))
        line.*column = flops;
      return success();
    };
    if (!isTrained)
      return count(
          "", [](ModuleOp) { return StringRef("forward"); }, &Line::forward);
    auto getLoss = [](ModuleOp module) {
      StringRef loss;
      module.walk(
          [&](ValueAndGradOp gradient) { loss = gradient.getCallee(); });
      return loss;
    };
    return success(succeeded(count(kExpand, getLoss, &Line::forward)) &&
                   succeeded(count(
                       (kExpand + "," + kDifferentiate).str(),
                       [](ModuleOp) { return StringRef("loss_and_gradients"); },
                       &Line::both)));
  }

  void print(ArrayRef<Line> lines, bool isTrained, raw_ostream &os) {
    using Row = std::vector<std::string>;
    std::vector<Row> rows = {{"layer", "operation", "output", "parameters",
                              "bytes", "activations", "E:I", "forward",
                              "backward"}};
    int64_t parameters = 0, bytes = 0, activations = 0, forward = 0,
            backward = 0;
    for (const Line &line : lines) {
      int64_t lineForward = line.forward.of(batchSize);
      int64_t lineBackward =
          std::max<int64_t>(line.both.of(batchSize) - lineForward, 0);
      rows.push_back({line.name, line.operation, line.shape,
                      llvm::itostr(line.parameters), llvm::itostr(line.bytes),
                      llvm::itostr(line.activations.of(batchSize)),
                      formatUnits(line.units), llvm::itostr(lineForward),
                      isTrained ? llvm::itostr(lineBackward) : ""});
      parameters += line.parameters;
      bytes += line.bytes;
      activations += line.activations.of(batchSize);
      forward += lineForward;
      backward += lineBackward;
    }
    rows.push_back({"total", "", "", llvm::itostr(parameters),
                    llvm::itostr(bytes), llvm::itostr(activations), "",
                    llvm::itostr(forward),
                    isTrained ? llvm::itostr(backward) : ""});

    SmallVector<size_t> widths(rows.front().size());
    for (const Row &row : rows)
      for (auto [width, cell] : llvm::zip_equal(widths, row))
        width = std::max(width, cell.size());
    for (const Row &row : rows) {
      for (auto [column, text] : llvm::enumerate(row)) {
        StringRef cell = text.empty() ? "-" : StringRef(text);
        size_t width = widths[column];
        // Names from the left, numbers from the right.
        os << (column ? "  " : "")
           << (column < 3 ? llvm::left_justify(cell, width)
                          : llvm::right_justify(cell, width));
      }
      os << "\n";
    }
    os << "forward and backward in FLOPs, for " << batchSize
       << (batchSize == 1 ? " sample\n" : " samples\n");
  }
};

} // namespace
