// The command line of a compiled model.
#include "commands.h"
#include "fail.h"
#include "model_abi.h"

#include <dann/dann.h>

#include <cctype>
#include <csignal>
#include <cstdio>
#include <new>
#include <string>

using namespace dann;
using namespace dann::cli;

namespace {

std::string base_name(const char *path) {
  std::string name = path ? path : "";
  return name.substr(name.rfind('/') + 1);
}

/// CLI11's sentence in the form of the runtime's.
std::string sentence_of(const CLI::ParseError &error, const CLI::App &app) {
  // An unknown command is reported as the lack of a known one.
  std::vector<std::string> rest = app.remaining();
  if (app.get_subcommands().empty()) {
    if (rest.empty())
      return "no command; see --help";
    const char *kind = rest[0][0] == '-' ? "option " : "command ";
    return concat("unknown ", kind, rest[0], "; see --help");
  }
  std::string sentence = error.what();
  // One line, without a full stop; the first letter of a sentence, not of an
  // option, in lower case.
  sentence = sentence.substr(0, sentence.find('\n'));
  if (sentence.size() > 1 && std::islower(sentence[1]))
    sentence[0] = char(std::tolower(sentence[0]));
  return sentence;
}

int run(int argc, char **argv, const std::string &name) {
  ProgramPointer program = Program::from_model(dann_model);
  int exit_status = 0;

  CLI::App app("The compiled model " + program->description().name, name);
  app.set_version_flag("--version", std::string("dann ") + dann_version());
  app.require_subcommand(1);
  if (trains(program->description())) {
    add_train(app, program, exit_status);
    add_evaluate(app, program);
    add_predict(app, program);
  } else {
    add_refusals(app, program);
  }
  add_export(app, program);
  add_info(app, program);
  add_bench(app, program);
  add_run(app, program);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success &help) {
    app.exit(help);
  } catch (const CLI::ParseError &error) {
    fail(ErrorCode::InvalidArgument, sentence_of(error, app));
  }

  if (std::fflush(stdout) != 0 || std::ferror(stdout))
    fail(ErrorCode::InputOutput, "cannot write to standard output");
  return exit_status;
}

} // namespace

int main(int argc, char **argv) {
  // A limit on the size of files is an error of the write that exceeds it, not
  // the end of the program.
  std::signal(SIGXFSZ, SIG_IGN);
  std::string name = base_name(argc > 0 ? argv[0] : nullptr);
  try {
    return run(argc, argv, name);
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "%s: error: out of memory\n", name.c_str());
  } catch (const std::exception &error) {
    std::fprintf(stderr, "%s: error: %s\n", name.c_str(), error.what());
  }
  return 1;
}
