// The command line of an executable, on the model written by hand.
#include "array_file.h"
#include "expect_error.h"
#include "linear_model.h"
#include "temporary_directory.h"

#include <csignal>
#include <nlohmann/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

using namespace dann;
using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

namespace {

struct Outcome {
  int status;
  std::string out, error;
};

class CommandLine : public testing::Test {
protected:
  CommandLine() {
    write_data("train", 300);
    write_data("test", 40);
  }

  void write_data(const std::string &name, std::int64_t samples) {
    Tensor x(ElementType::U8, {samples, kFeatures});
    Tensor y(ElementType::U8, {samples});
    for (std::int64_t i = 0; i < samples; ++i) {
      auto label = std::uint8_t(i * 7 % 3);
      y.data<std::uint8_t>()[i] = label;
      for (std::int64_t j = 0; j < kFeatures; ++j)
        x.data<std::uint8_t>()[i * kFeatures + j] =
            std::uint8_t((j == label ? 150 : 0) + (i * 31 + j * 17) % 100);
    }
    save_npy(directory / (name + "-x.npy"), x);
    save_npy(directory / (name + "-y.npy"), y);
  }

  /// Runs the executable in the directory, through the shell.
  Outcome run(const std::string &arguments) {
    std::string command = "cd " + directory / "" + " && " +
                          DANN_LINEAR_EXECUTABLE + " " + arguments +
                          " > out 2> err";
    int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1,
            read_file(directory / "out"), read_file(directory / "err")};
  }

  /// Expects one line of error, and a status of 1.
  void expect_error(const std::string &arguments, const std::string &sentence) {
    Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 1) << arguments;
    EXPECT_THAT(outcome.error, StartsWith("linear: error: ")) << arguments;
    EXPECT_THAT(outcome.error, HasSubstr(sentence)) << arguments;
    EXPECT_EQ(outcome.error.find('\n'), outcome.error.size() - 1) << arguments;
  }

  TemporaryDirectory directory;
};

TEST_F(CommandLine, TrainEvaluatePredict) {
  Outcome trained = run("train --data . --epochs 3 --checkpoint c --log l");
  ASSERT_EQ(trained.status, 0) << trained.error;
  EXPECT_EQ(std::count(trained.out.begin(), trained.out.end(), '\n'), 4);
  EXPECT_EQ(trained.error, "");

  std::istringstream log(read_file(directory / "l"));
  std::string line;
  int epochs = 0;
  nlohmann::json entry;
  while (std::getline(log, line)) {
    entry = nlohmann::json::parse(line);
    EXPECT_EQ(entry["epoch"], ++epochs);
    EXPECT_EQ(entry["step"], 38 * epochs); // 300 samples, 8 in a step
    EXPECT_EQ(entry["samples"], 40);
    EXPECT_EQ(entry.size(), 9u);
  }
  EXPECT_EQ(epochs, 3);

  Outcome evaluated = run("eval --checkpoint c --data . --json");
  ASSERT_EQ(evaluated.status, 0) << evaluated.error;
  auto result = nlohmann::json::parse(evaluated.out);
  EXPECT_EQ(result["test_loss"], entry["test_loss"]);
  EXPECT_EQ(result["test_error"], entry["test_error"]);
  EXPECT_EQ(result["errors"], entry["errors"]);

  Outcome predicted =
      run("predict --checkpoint c --input test-x.npy --output p.npy");
  ASSERT_EQ(predicted.status, 0) << predicted.error;
  Tensor classes = load_array(directory / "p.npy");
  Tensor labels = load_array(directory / "test-y.npy");
  ASSERT_EQ(classes.shape(), Shape{40});
  int errors = 0;
  for (int i = 0; i < 40; ++i)
    errors += classes.data<std::int64_t>()[i] != labels.data<std::uint8_t>()[i];
  EXPECT_EQ(result["errors"], errors);

  run("predict --checkpoint c --input test-x.npy --output p.npy --logits");
  EXPECT_EQ(load_array(directory / "p.npy").shape(), (Shape{40, 3}));
}

TEST_F(CommandLine, TheSameSeedGivesTheSameCheckpoint) {
  run("train --data . --epochs 2 --checkpoint a --threads 1 --seed 3");
  run("train --data . --epochs 2 --checkpoint b --threads 2 --seed 3");
  run("train --data . --epochs 2 --checkpoint c --seed 4");
  EXPECT_EQ(read_file(directory / "a"), read_file(directory / "b"));
  EXPECT_NE(read_file(directory / "a"), read_file(directory / "c"));
}

TEST_F(CommandLine, ResumeContinues) {
  run("train --data . --epochs 4 --checkpoint a --log la --seed 3");
  run("train --data . --epochs 2 --checkpoint b --log lb --seed 3");
  Outcome resumed = run("train --data . --epochs 4 --checkpoint b --log lb "
                        "--resume");
  EXPECT_EQ(resumed.status, 0) << resumed.error;
  EXPECT_EQ(read_file(directory / "a"), read_file(directory / "b"));
  std::string log = read_file(directory / "lb");
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 4);
  expect_error("train --data . --checkpoint b --resume --seed 4",
               "--seed 4 contradicts b, which was made with 3");
  expect_error("train --data . --checkpoint b --resume --batch-size 9",
               "--batch-size 9 contradicts b, which was made with 8");
  expect_error("train --data . --resume", "--resume needs a file");
}

// The records of a log, without the times, which differ from run to run.
std::vector<nlohmann::json> records_of(const std::string &log) {
  std::istringstream lines(log);
  std::vector<nlohmann::json> records;
  for (std::string line; std::getline(lines, line);) {
    records.push_back(nlohmann::json::parse(line));
    records.back().erase("seconds");
  }
  return records;
}

TEST_F(CommandLine, SamplesAreHeldOut) {
  // The test set is not touched.
  std::filesystem::remove(directory / "test-x.npy");
  Outcome trained = run("train --data . --epochs 2 --seed 3 --checkpoint c "
                        "--validation-samples 60 --log l");
  ASSERT_EQ(trained.status, 0) << trained.error;
  EXPECT_THAT(trained.out, HasSubstr("validation loss  validation error"));
  auto records = records_of(read_file(directory / "l"));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1]["step"], 60); // 240 samples, 8 in a step
  EXPECT_EQ(records[1]["samples"], 60);
  EXPECT_EQ(records[1]["validation_error"],
            100 * records[1]["errors"].get<double>() / 60);

  // A resumed run holds out the same ones.
  run("train --data . --epochs 1 --seed 3 --checkpoint d "
      "--validation-samples 60 --log m");
  Outcome resumed = run("train --train-x train-x.npy --train-y train-y.npy "
                        "--epochs 2 --checkpoint d --resume --log m");
  ASSERT_EQ(resumed.status, 0) << resumed.error;
  EXPECT_EQ(read_file(directory / "c"), read_file(directory / "d"));
  EXPECT_EQ(records_of(read_file(directory / "m")), records);

  expect_error("train --data . --checkpoint d --resume --validation-samples 30",
               "--validation-samples 30 contradicts d, which was made with 60");
  expect_error("train --data . --validation-samples 300",
               "300 validation samples leave none to train on: the training "
               "set has 300");
  expect_error("train --data . --validation-samples 0", "not '0'");
  expect_error("train --train-x train-x.npy --train-y train-y.npy "
               "--test-y test-y.npy --validation-samples 30",
               "the test set is not read");
  expect_error("train --train-x train-x.npy --validation-samples 30",
               "all of --train-x and --train-y");
}

TEST_F(CommandLine, EvaluationsWithinEpochsAreLogged) {
  ASSERT_EQ(run("train --data . --epochs 2 --seed 3 --checkpoint a --log a.log "
                "--evaluate-every 15")
                .status,
            0);
  auto records = records_of(read_file(directory / "a.log"));
  std::vector<int> epochs, steps;
  for (const auto &record : records) {
    epochs.push_back(record["epoch"]);
    steps.push_back(record["step"]);
  }
  EXPECT_THAT(epochs, testing::ElementsAre(1, 1, 1, 2, 2, 2, 2));
  // An epoch has 38 steps.
  EXPECT_THAT(steps, testing::ElementsAre(15, 30, 38, 45, 60, 75, 76));

  // They change nothing but the log.
  run("train --data . --epochs 2 --seed 3 --checkpoint b --log b.log");
  EXPECT_EQ(read_file(directory / "a"), read_file(directory / "b"));
  auto epoch_records = records_of(read_file(directory / "b.log"));
  EXPECT_EQ(epoch_records, (std::vector{records[2], records[6]}));

  expect_error("train --data . --evaluate-every 15",
               "--evaluate-every requires --log");
  expect_error("train --data . --log l --evaluate-every 0", "not '0'");
}

// A run that was killed leaves records of steps that its checkpoint does not
// have, and perhaps half a line.
TEST_F(CommandLine, AResumedLogHasEveryStepOnce) {
  std::string options = "train --data . --seed 3 --evaluate-every 15 --log ";
  run(options + "a.log --epochs 2 --checkpoint a");
  std::string whole = read_file(directory / "a.log");

  run(options + "b.log --epochs 1 --checkpoint b");
  std::size_t end_of_step_60 = 0;
  for (int line = 0; line < 5; ++line)
    end_of_step_60 = whole.find('\n', end_of_step_60) + 1;
  write_file(directory / "b.log", whole.substr(0, end_of_step_60 + 9));
  ASSERT_EQ(run(options + "b.log --epochs 2 --checkpoint b --resume").status,
            0);
  EXPECT_EQ(records_of(read_file(directory / "b.log")), records_of(whole));

  // What is not a log is not cut.
  for (const char *text : {"{\"epoch\": 1}\n", "[]\n", "hello\n"}) {
    write_file(directory / "note", text);
    expect_error(options + "note --epochs 3 --checkpoint b --resume",
                 "note: line 1 is not a record of a training run");
    EXPECT_EQ(read_file(directory / "note"), text);
  }
}

TEST_F(CommandLine, ASignalSavesInTheMiddleOfAnEpoch) {
  for (auto [signal, status] : {std::pair{SIGINT, 130}, {SIGTERM, 143}}) {
    std::filesystem::remove(directory / "c");
    pid_t child = fork();
    if (child == 0) {
      if (chdir((directory / "").c_str()) != 0 ||
          !std::freopen("out", "w", stdout) ||
          !std::freopen("err", "w", stderr))
        _exit(2);
      execl(DANN_LINEAR_EXECUTABLE, "linear", "train", "--data", ".",
            "--epochs", "100000000", "--checkpoint", "c", nullptr);
      _exit(3);
    }
    // The first checkpoint tells that the training is under way.
    while (!std::filesystem::exists(directory / "c"))
      usleep(1000);
    kill(child, signal);
    int result;
    waitpid(child, &result, 0);
    ASSERT_TRUE(WIFEXITED(result));
    EXPECT_EQ(WEXITSTATUS(result), status);
    EXPECT_THAT(read_file(directory / "err"), HasSubstr("stopped in epoch"));

    // What it saved goes on as if nothing had happened.
    Metadata metadata;
    load_tensors(directory / "c", &metadata);
    std::string epochs = std::to_string(std::stoll(metadata["epoch"]) + 1);
    if (std::stoll(epochs) > 5000)
      continue; // a slow machine; too long to repeat
    run("train --data . --checkpoint c --resume --epochs " + epochs);
    run("train --data . --checkpoint d --epochs " + epochs);
    EXPECT_EQ(read_file(directory / "c"), read_file(directory / "d"));
  }
}

TEST_F(CommandLine, OlderCheckpointsAreKept) {
  std::string options = "train --data . --seed 3 --checkpoint c ";
  ASSERT_EQ(run(options + "--epochs 1 --checkpoint-every 10 --keep 3").status,
            0);
  // After steps 10, 20, 30 and 38, the epoch's last.
  auto position = [&](const char *name) {
    Metadata metadata;
    load_tensors(directory / name, &metadata);
    return metadata["epoch"] + ":" + metadata["position"];
  };
  EXPECT_EQ(position("c"), "1:0");
  EXPECT_EQ(position("c.1"), "0:240");
  EXPECT_EQ(position("c.2"), "0:160");
  EXPECT_FALSE(std::filesystem::exists(directory / "c.3"));
  std::string whole = read_file(directory / "c");
  ASSERT_EQ(run(options + "--epochs 1 --resume c.2").status, 0);
  EXPECT_EQ(read_file(directory / "c"), whole);

  expect_error("train --data . --checkpoint-every 10",
               "--checkpoint-every requires --checkpoint");
  expect_error("train --data . --keep 2", "--keep requires --checkpoint");
  expect_error(options + "--keep 0", "not '0'");
  expect_error(options + "--checkpoint-every 0", "not '0'");
}

TEST_F(CommandLine, ADamagedCheckpointIsRefused) {
  run("train --data . --epochs 1 --checkpoint c");
  std::string bytes = read_file(directory / "c");
  bytes[bytes.size() - 3] ^= 4;
  write_file(directory / "c", bytes);
  expect_error("eval --data . --checkpoint c", "c is damaged: its checksum");
  expect_error("train --data . --epochs 2 --checkpoint c --resume",
               "c is damaged: its checksum");
  EXPECT_EQ(read_file(directory / "c"), bytes);
}

TEST_F(CommandLine, BadInputIsOneError) {
  expect_error("", "no command");
  expect_error("foo", "unknown command foo");
  expect_error("--foo", "unknown option --foo");
  expect_error("train --foo", "not expected: --foo");
  expect_error("train --data . --epochs 0",
               "--epochs: has to be a whole number, from 1 to 2147483647, not "
               "'0'");
  expect_error("train --data . --batch-size -3", "--batch-size");
  expect_error("train --data . --batch-size 1.5", "'1.5'");
  expect_error("train --data . --threads 0", "--threads");
  expect_error("train --data . --learning-rate nan", "not 'nan'");
  expect_error("train --data . --learning-rate -0.1", "not '-0.1'");
  expect_error("train --data . --learning-rate 0", "not '0'");
  expect_error("train --data . --seed -1", "--seed");
  expect_error("train", "no data");
  expect_error("train --train-x train-x.npy", "all of --train-x");
  expect_error("train --data . --test-x test-x.npy", "not both");
  expect_error("train --data missing", "missing is not a directory");
  expect_error("train --data . --checkpoint missing/c",
               "cannot create missing/c: No such file or directory");
  expect_error("train --data . --log missing/l", "cannot write missing/l");
  expect_error("train --data . --checkpoint /dev/full", "not a regular file");
  expect_error("eval --data .", "--checkpoint is required");
  expect_error("eval --data . --checkpoint test-x.npy",
               "test-x.npy is not a safetensors file");
  expect_error("predict --checkpoint c --input test-x.npy --output missing/p",
               "missing/p");
  expect_error("export -o m.onnx", "--checkpoint is required");
  expect_error("export --checkpoint c", "--output is required");
  expect_error("export --checkpoint missing -o m.onnx", "cannot open missing");
  expect_error("export --checkpoint test-x.npy -o m.onnx", "test-x.npy");
  expect_error("export --checkpoint c -o missing/m", "missing/m");
  expect_error("run foo --input test-x.npy --output o", "test-x.npy");
}

TEST_F(CommandLine, NothingIsWrittenOnAnError) {
  save_npy(directory / "train-y.npy", Tensor(ElementType::I64, {7}));
  std::size_t before = directory.file_count() + 2; // out, err
  expect_error("train --data . --checkpoint c --log l", "labels of shape [7]");
  EXPECT_EQ(directory.file_count(), before);
}

TEST_F(CommandLine, ADivergedTrainingKeepsTheCheckpoint) {
  run("train --data . --epochs 1 --checkpoint d");
  std::string before = read_file(directory / "d");
  // One input for all labels: steps that large throw the weights to and fro.
  Tensor ones(ElementType::F32, {300, kFeatures});
  std::fill_n(ones.data<float>(), ones.element_count(), 1.0f);
  save_npy(directory / "train-x.npy", ones);
  expect_error("train --data . --learning-rate 3e38 --epochs 50 --checkpoint d",
               "training diverged");
  EXPECT_EQ(read_file(directory / "d"), before);
}

TEST_F(CommandLine, AFullDiskKeepsTheCheckpoint) {
  run("train --data . --epochs 1 --checkpoint c");
  std::string before = read_file(directory / "c");
  // The thread sanitizer writes a file of its own before main, where the
  // program asks to get an error instead of a signal.
#ifdef __SANITIZE_THREAD__
  const std::string ignore_signal = "trap '' XFSZ; ";
#else
  const std::string ignore_signal;
#endif
  // The limit holds for the executable only, and not for what keeps its output.
  std::string command = "cd " + directory / "" + " && (" + ignore_signal +
                        "ulimit -f 0; " + DANN_LINEAR_EXECUTABLE +
                        " train --data . --epochs 2 --checkpoint c --resume)"
                        " 2>&1 | cat >&2";
  testing::internal::CaptureStderr();
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("linear: error: cannot write c: File too large"));
  EXPECT_EQ(read_file(directory / "c"), before);
}

TEST_F(CommandLine, AFullStandardOutputIsAnError) {
  std::string command = std::string(DANN_LINEAR_EXECUTABLE) +
                        " info > /dev/full 2> " + directory / "err";
  EXPECT_NE(std::system(command.c_str()), 0);
  EXPECT_EQ(read_file(directory / "err"),
            "linear: error: cannot write to standard output\n");
}

TEST_F(CommandLine, HelpIsNoError) {
  for (const char *arguments :
       {"--help", "train --help", "eval --help", "predict --help",
        "info --help", "bench --help", "run --help"}) {
    Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 0) << arguments;
    EXPECT_THAT(outcome.out, HasSubstr("Usage: linear")) << arguments;
  }
}

TEST_F(CommandLine, InfoDescribesTheModel) {
  EXPECT_THAT(run("info").out, AllOf(HasSubstr("train_step"), HasSubstr("0.w"),
                                     HasSubstr("nonneg")));
  auto json = nlohmann::json::parse(run("info --json").out);
  EXPECT_EQ(json["name"], "linear");
  EXPECT_EQ(json["parameters"][0]["shape"], (std::vector<int>{3, 4}));
  EXPECT_EQ(json["parameter_bytes"], 60);
  EXPECT_EQ(json["precision"], "f32");
  // One group of 16 samples, for a batch size of 8.
  EXPECT_EQ(json["entry_points"][2]["scratch_bytes"], 320);
  EXPECT_EQ(json["entry_points"][2]["scratch_lower_bound"], 256);
  EXPECT_THAT(run("info").out,
              AllOf(HasSubstr("products in f32"),
                    HasSubstr("scratch memory at batch size 8"),
                    testing::ContainsRegex("train_step +320 +256")));
  EXPECT_EQ(json["derived_tensors"][0]["name"], "derived/0.w");
  EXPECT_EQ(json["derived_tensors"][0]["element_type"], "f32");
  EXPECT_EQ(json["derived_bytes"], 48);
  EXPECT_THAT(
      run("info").out,
      AllOf(HasSubstr("prepare: parameters -> derived tensors"),
            HasSubstr("forward: x f32[batch, 4], parameters, derived tensors"),
            testing::ContainsRegex("derived/0.w +f32 +\\[4, 3\\] +48")));
}

TEST_F(CommandLine, BenchMeasures) {
  auto json = nlohmann::json::parse(
      run("bench --batch-size 4 --repetitions 10 --threads 1 --json").out);
  EXPECT_GT(json["train_step_ms"], 0);
  EXPECT_GT(json["forward_ms"], 0);
  EXPECT_EQ(json["train_step_repetitions"], 10);
  EXPECT_EQ(json.count("profile"), 0u);
}

TEST_F(CommandLine, BenchProfiles) {
  std::string options = "bench --batch-size 40 --repetitions 10 --threads 2 "
                        "--profile ";
  auto json = nlohmann::json::parse(run(options + "--json").out);
  const auto &profile = json["profile"]["train_step"];
  EXPECT_EQ(profile["repetitions"], 10);
  EXPECT_GT(profile["us"], 0);
  EXPECT_GT(profile["barrier_us"], 0);
  std::vector<std::string> names;
  for (const auto &operation : profile["operations"]) {
    names.push_back(operation["name"]);
    EXPECT_GT(operation["us"], 0);
    EXPECT_LE(operation["us"], profile["us"]);
    EXPECT_DOUBLE_EQ(operation["share"],
                     double(operation["us"]) / double(profile["us"]));
  }
  EXPECT_THAT(names, testing::ElementsAre("logits", "loss", "0.w", "0.b"));
  const auto &product = profile["operations"][0];
  EXPECT_EQ(product["kernel"], "onednn");
  EXPECT_DOUBLE_EQ(product["gflops_per_second"],
                   40 * 2 * 4 * 3 * 1e-3 / double(product["us"]));
  EXPECT_EQ(json["profile"]["forward"]["operations"].size(), 1u);

  Outcome outcome = run(options + "--trace t.json");
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  std::size_t at = outcome.out.find("train_step  kernel");
  for (const char *line : {"logits", "loss", "0.w", "0.b", "barriers"}) {
    at = outcome.out.find(std::string("\n") + line + " ", at);
    EXPECT_NE(at, std::string::npos) << line << " in " << outcome.out;
  }
  auto trace = nlohmann::json::parse(read_file(directory / "t.json"));
  // Three steps of two threads, each with four operations and a barrier.
  EXPECT_EQ(trace["traceEvents"].size(), 30u);
  int events[2] = {};
  for (const auto &event : trace["traceEvents"]) {
    EXPECT_EQ(event["ph"], "X");
    ++events[int(event["tid"])];
  }
  EXPECT_THAT(events, testing::ElementsAre(15, 15));

  expect_error("bench --trace t.json", "--trace requires --profile");
  expect_error(options + "--trace missing/t", "cannot create missing/t");
}

TEST_F(CommandLine, RunCallsAnEntryPoint) {
  Tensor seed(ElementType::I64, {1});
  save_tensors(directory / "in", {{"seed", seed}});
  ASSERT_EQ(run("run init --input in --output out.safetensors").status, 0);
  TensorMap tensors = load_tensors(directory / "out.safetensors");
  EXPECT_EQ(tensors["0.w"].shape(), (Shape{3, 4}));
  tensors["x"] = Tensor(ElementType::F32, {5, 4});
  save_tensors(directory / "in", tensors);
  Outcome outcome = run("run forward --input in --output out.safetensors");
  ASSERT_EQ(outcome.status, 0) << outcome.error;
  tensors = load_tensors(directory / "out.safetensors");
  EXPECT_EQ(tensors["logits"].shape(), (Shape{5, 3}));
  expect_error("run forward --input out.safetensors --output o",
               "the entry point forward has no input logits");
}

} // namespace
