// The commands that use trained parameters: eval and predict.
#include "array_file.h"
#include "commands.h"
#include "dann/session.hpp"
#include "dataset.h"
#include "elements.h"
#include "file.h"
#include "options.h"
#include "trainer.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace dann::cli {

namespace {

void add_checkpoint(CLI::App &command, std::string &path) {
  command.add_option("--checkpoint", path, "The trained parameters")
      ->type_name("FILE")
      ->required();
}

struct EvaluateOptions {
  DataOptions data;
  std::string checkpoint;
  int threads = 0;
  bool json = false;
};

void run_evaluate(const EvaluateOptions &options,
                  const ProgramPointer &program) {
  DataFiles files = options.data.resolve(DataParts::Test);
  Session session(program, {options.threads});
  load_checkpoint_parameters(options.checkpoint, session);
  Dataset data =
      Dataset::load(files.test_x, files.test_y, program->description());
  Evaluation result = evaluate(session, data);
  double error = 100 * double(result.errors) / double(data.count());
  if (options.json) {
    nlohmann::ordered_json json = {{"test_loss", result.loss},
                                   {"test_error", error},
                                   {"errors", result.errors},
                                   {"samples", data.count()}};
    std::printf("%s\n", json.dump().c_str());
  } else {
    std::printf("test loss %.4f, test error %.2f %% (%lld of %lld samples)\n",
                result.loss, error, static_cast<long long>(result.errors),
                static_cast<long long>(data.count()));
  }
}

struct PredictOptions {
  std::string checkpoint, input, output;
  bool logits = false;
  int threads = 0;
};

/// The class of the largest logit of each row; the first of equal ones.
Tensor largest_classes(const Tensor &logits) {
  std::int64_t classes = logits.shape()[1];
  Tensor result(ElementType::I64, {logits.shape()[0]});
  visit(logits.element_type(), [&](auto zero) {
    using T = decltype(zero);
    const T *row = logits.data<const T>();
    for (std::int64_t i = 0; i < logits.shape()[0]; ++i, row += classes)
      result.data<std::int64_t>()[i] =
          std::max_element(row, row + classes) - row;
  });
  return result;
}

void run_predict(const PredictOptions &options, const ProgramPointer &program) {
  check_writable(options.output);
  Session session(program, {options.threads});
  load_checkpoint_parameters(options.checkpoint, session);
  Samples samples = Samples::load(options.input, program->description());
  Tensor logits = predict(session, samples);
  save_npy(options.output, options.logits ? logits : largest_classes(logits));
}

} // namespace

void add_evaluate(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App &command =
      *app.add_subcommand("eval", "Loss and error on a test set");
  add_checkpoint(command, options->checkpoint);
  options->data.add_to(command, false);
  add_threads(command, options->threads);
  command.add_flag("--json", options->json, "Print a JSON object");
  command.callback([options, program] { run_evaluate(*options, program); });
}

void add_predict(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App &command = *app.add_subcommand("predict", "Classes of samples");
  add_checkpoint(command, options->checkpoint);
  command.add_option("--input", options->input, "Samples (.npy or IDX)")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--output", options->output,
                  "Where to write the class of each sample (.npy, i64)")
      ->type_name("FILE")
      ->required();
  command.add_flag("--logits", options->logits,
                   "Write the logits [samples, classes] instead");
  add_threads(command, options->threads);
  command.callback([options, program] { run_predict(*options, program); });
}

} // namespace dann::cli
