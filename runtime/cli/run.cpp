#include "commands.h"
#include "dann/session.hpp"
#include "fail.h"
#include "file.h"
#include "options.h"
#include "trainer.h"

#include <set>

namespace dann::cli {

namespace {

struct RunOptions {
  std::string entry_point = "forward", input, output, checkpoint;
  int threads = 0;
};

/// Leaves out what only other entry points take: one file can serve them all.
/// Names that no entry point knows stay, to be refused.
TensorMap select_inputs(TensorMap tensors, const Description &program,
                        const std::string &entry_point) {
  std::set<std::string, std::less<>> used, known;
  for (const EntryPoint &entry : program.entry_points)
    for (const Argument &argument : entry.arguments)
      if (argument.access != Access::Write) {
        known.insert(argument.name);
        if (entry.name == entry_point)
          used.insert(argument.name);
      }
  for (auto it = tensors.begin(); it != tensors.end();)
    it = known.count(it->first) && !used.count(it->first) ? tensors.erase(it)
                                                          : std::next(it);
  return tensors;
}

void run_entry_point(const RunOptions &options, const ProgramPointer &program) {
  check_writable(options.output);
  Session session(program, {options.threads});
  if (!options.checkpoint.empty())
    load_checkpoint_parameters(options.checkpoint, session);
  TensorMap inputs = select_inputs(load_tensors(options.input),
                                   program->description(), options.entry_point);
  save_tensors(options.output, session.run(options.entry_point, inputs));
}

} // namespace

void add_run(CLI::App &app, const ProgramPointer &program) {
  auto options = std::make_shared<RunOptions>();
  std::string names;
  for (const EntryPoint &entry_point : program->description().entry_points)
    names += (names.empty() ? "" : ", ") + entry_point.name;

  CLI::App &command =
      *app.add_subcommand("run", "Call an entry point on named tensors");
  command.add_option("ENTRY", options->entry_point, "One of " + names)
      ->type_name("")
      ->capture_default_str();
  command
      .add_option("--input,--inputs", options->input,
                  "The inputs by name (safetensors), parameters included")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--output,--outputs", options->output,
                  "Where to write the results by name (safetensors)")
      ->type_name("FILE")
      ->required();
  command
      .add_option("--checkpoint", options->checkpoint,
                  "Take parameters that the input lacks from here")
      ->type_name("FILE");
  add_threads(command, options->threads);
  command.callback([options, program] { run_entry_point(*options, program); });
}

void add_refusals(CLI::App &app, const ProgramPointer &program) {
  for (const char *name : {"train", "eval", "predict"}) {
    CLI::App &command = *app.add_subcommand(
        name, "Not in this program: compile the model with --train");
    // Whatever options it would have.
    command.allow_extras();
    command.callback([program, name] {
      fail(ErrorCode::InvalidArgument, "no command ", name, ": the model ",
           program->description().name,
           " does not train; compile it with --train");
    });
  }
}

} // namespace dann::cli
