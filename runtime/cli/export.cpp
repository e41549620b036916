#include "commands.h"
#include "dann/onnx.hpp"
#include "dann/session.hpp"
#include "file.h"
#include "trainer.h"

namespace dann::cli {

namespace {

struct ExportOptions {
  std::string checkpoint, output;
  OnnxOptions onnx;
};

void run_export(const ExportOptions &options, const ProgramPointer &program) {
  check_writable(options.output);
  Session session(program, {1});
  load_checkpoint_parameters(options.checkpoint, session);
  export_onnx(*program, session.parameters(), options.output, options.onnx);
}

} // namespace

void add_export(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<ExportOptions>();
  CLI::App &command =
      *app.add_subcommand("export", "Write the trained network as ONNX model");
  command
      .add_option("--checkpoint", options->checkpoint, "The trained parameters")
      ->type_name("FILE")
      ->required();
  command
      .add_option("-o,--output", options->output, "Where to write the model")
      ->type_name("FILE")
      ->required();
  command.add_flag("--plain-ops", options->onnx.plain_operators,
                   "E/I layers in operators of ONNX, not in nodes of the "
                   "domain ai.dann with functions");
  command.callback([options, program] { run_export(*options, program); });
}

} // namespace dann::cli
