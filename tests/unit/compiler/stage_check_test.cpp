// Stages of the compilation that change results, and those that do not.
#include "compiler/StageCheck.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Diagnostics.h"
#include "llvm/Support/MemoryBuffer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using mlir::dann::Backend, mlir::dann::CompiledStage,
    mlir::dann::CompileOptions, mlir::dann::Precision;
using testing::AllOf, testing::Contains, testing::HasSubstr,
    testing::StartsWith;

using Fault = std::function<void(CompiledStage)>;

/// Compiles a model with its stages checked, `fault` being called before each
/// check, and returns the diagnostics.
std::vector<std::string> check(const std::string &text, Fault fault = {},
                               CompileOptions options = {}) {
  auto context = mlir::dann::createContext();
  std::vector<std::string> messages;
  mlir::ScopedDiagnosticHandler handler(
      context.get(), [&](mlir::Diagnostic &diagnostic) {
        const char *kind =
            diagnostic.getSeverity() == mlir::DiagnosticSeverity::Error
                ? "error: "
                : "";
        messages.push_back(kind + diagnostic.str());
      });
  options.emit = mlir::dann::Emit::Llvm;
  options.outputPath = "/dev/null";
  auto checker = mlir::dann::checkStages(options.precision);
  options.afterStage = [&](CompiledStage stage) {
    if (fault)
      fault(stage);
    return checker(stage);
  };
  bool succeeded = llvm::succeeded(
      llvm::StringRef(text).ends_with(".onnx")
          ? mlir::dann::compileOnnx(text, std::nullopt, options, *context)
          : mlir::dann::compile(text, "model.txtpb", options, *context));
  // /dev/null is no file that compilation replaces: the last thing it does.
  EXPECT_FALSE(succeeded);
  EXPECT_FALSE(messages.empty());
  return messages;
}

/// All stages pass, up to the last one.
void expectPass(const std::vector<std::string> &messages) {
  ASSERT_GT(messages.size(), 20u);
  EXPECT_EQ(messages.back(),
            "error: cannot write '/dev/null': it is not a regular file");
  for (size_t i = 0; i + 1 < messages.size(); ++i)
    EXPECT_THAT(messages[i], StartsWith("stage '"));
  EXPECT_THAT(messages[messages.size() - 2],
              AllOf(HasSubstr("dann-llvm-pipeline"), HasSubstr("keeps")));
}

std::string describe(const std::string &input, const std::string &layers,
                     const std::string &optimizer = "sgd {}") {
  return "name: \"model\"\ninput { " + input + " minimum: 0 maximum: 1 }\n" +
         layers +
         "layer { ei_dense { excitatory: 3 inhibitory: 1 } }\n"
         "loss: SOFTMAX_CROSS_ENTROPY\n"
         "optimizer { " +
         optimizer +
         " correct_inhibition: true }\n"
         "defaults { batch_size: 4 epochs: 1 learning_rate: 0.1 }\n";
}

std::string describeDense(const std::string &optimizer = "sgd {}") {
  return describe("shape: 20",
                  "layer { ei_dense { excitatory: 10 inhibitory: 2 "
                  "activation: RELU } }\n",
                  optimizer);
}

TEST(StageCheck, AdamInDoublePrecision) {
  CompileOptions options;
  options.precision = Precision::F64;
  expectPass(check(describeDense("adam {}"), {}, options));
}

TEST(StageCheck, ConvolutionsOfTheLibrary) {
  CompileOptions options;
  options.backend = Backend::OneDnn;
  expectPass(check(
      describe("shape: 2 shape: 6 shape: 6",
               "layer { ei_conv2d { excitatory: 4 inhibitory: 2 kernel: 3 "
               "padding: 1 activation: RELU } }\n"
               "layer { max_pool2d { kernel: 2 } }\n"),
      {}, options));
}

TEST(StageCheck, Recurrence) {
  expectPass(check(describe("shape: 4 shape: 5",
                            "layer { ei_recurrent { excitatory: 6 inhibitory: "
                            "2 activation: RELU } }\n")));
}

TEST(StageCheck, OnnxModel) { expectPass(check(DANN_ONNX_MODEL)); }

/// Replaces the first operation of a kind by another one.
template <typename From, typename To>
Fault replaceAfter(std::string stage, llvm::StringRef function) {
  return [=](CompiledStage at) {
    if (at.name != stage)
      return;
    bool replaced = false;
    at.module.lookupSymbol(function)->walk([&](From op) {
      if (replaced)
        return;
      mlir::OpBuilder builder(op);
      auto other = To::create(builder, op.getLoc(), op->getOperands());
      op->replaceAllUsesWith(other);
      op.erase();
      replaced = true;
    });
    EXPECT_TRUE(replaced);
  };
}

TEST(StageCheck, NamesTheStageThatBreaksInference) {
  auto messages = check(describeDense(),
                        replaceAfter<mlir::arith::SubFOp, mlir::arith::AddFOp>(
                            "dann-lower-layers", "loss_and_gradients"));
  EXPECT_THAT(messages.back(),
              AllOf(StartsWith("error: stage 'dann-lower-layers' changes the "
                               "result '"),
                    HasSubstr("' of 'loss_and_gradients': it differs by ")));
  EXPECT_THAT(messages, Contains(HasSubstr("stage 'dann-autodiff' keeps")));
}

TEST(StageCheck, NamesTheStageThatBreaksLoops) {
  auto messages = check(describeDense(),
                        replaceAfter<mlir::arith::MulFOp, mlir::arith::AddFOp>(
                            "dann-fuse-loops", "train_step"));
  EXPECT_THAT(messages.back(),
              AllOf(StartsWith("error: stage 'dann-fuse-loops' changes the "
                               "result '"),
                    HasSubstr("' of 'train_step': it differs by ")));
}

TEST(StageCheck, NamesTheStageThatBreaksAnOnnxModel) {
  auto messages =
      check(DANN_ONNX_MODEL,
            replaceAfter<mlir::arith::MaximumFOp, mlir::arith::AddFOp>(
                "dann-raise-ei-layers", "forward"));
  EXPECT_THAT(messages.back(),
              StartsWith("error: stage 'dann-raise-ei-layers' changes the "
                         "result '"));
}

} // namespace
