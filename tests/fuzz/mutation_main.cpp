//===- mutation_main.cpp - A fixed number of mutated models ---------------===//
//
// usage: onnx-mutations NUMBER SECONDS PATH...
//
// Compiles each file PATH as far as the fuzz target does, and of each directory
// PATH some of the models below it and NUMBER mutations of each, which are the
// same at every run. Fails when one takes longer than SECONDS. One that crashes
// is named, and is left in the file onnx-mutations.crash.
//
//===----------------------------------------------------------------------===//

#include "byte_mutator.h"
#include "model_mutator.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static constexpr size_t kNumSeeds = 300; // of a directory
static constexpr size_t kMaxBytes = 20000;

// What is compiled.
static std::string current, currentName;

/// All that is left to do is to tell which model it was.
static void reportCrash(int signal) {
  std::cerr << currentName << " crashes the compiler\n";
  std::ofstream("onnx-mutations.crash", std::ios::binary) << current;
  std::_Exit(128 + signal);
}

static std::string read(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    std::cerr << "cannot read " << path << '\n';
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Models that are small enough to be compiled often, evenly chosen.
static std::vector<std::filesystem::path>
findSeeds(const std::filesystem::path &directory) {
  std::vector<std::filesystem::path> all, seeds;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(directory))
    if (entry.path().extension() == ".onnx" && entry.file_size() < kMaxBytes)
      all.push_back(entry.path());
  std::sort(all.begin(), all.end());
  for (size_t i = 0, e = std::min(all.size(), kNumSeeds); i < e; ++i)
    seeds.push_back(all[i * all.size() / e]);
  return seeds;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    std::cerr << "usage: onnx-mutations NUMBER SECONDS PATH...\n";
    return 1;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL})
    std::signal(signal, reportCrash);
  const int number = std::atoi(argv[1]);
  const std::chrono::seconds limit(std::atoi(argv[2]));
  bool failed = false;
  size_t numModels = 0;
  auto compile = [&](const std::string &bytes, const std::string &what) {
    current = bytes;
    currentName = what;
    auto start = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                           bytes.size());
    ++numModels;
    if (std::chrono::steady_clock::now() - start > limit) {
      std::cerr << what << " takes too long\n";
      failed = true;
    }
  };
  std::vector<std::filesystem::path> seeds;
  for (int i = 3; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      compile(read(argv[i]), argv[i]);
      continue;
    }
    std::vector<std::filesystem::path> found = findSeeds(argv[i]);
    if (found.empty()) {
      std::cerr << "there are no models in " << argv[i] << '\n';
      failed = true;
    }
    seeds.insert(seeds.end(), found.begin(), found.end());
  }
  for (size_t i = 0; i < seeds.size(); ++i) {
    std::string bytes = read(seeds[i]);
    compile(bytes, seeds[i]);
    for (int j = 0; j < number; ++j) {
      uint64_t seed = i * number + j;
      std::string mutated = mutateModel(bytes, seed);
      if (j % 4 == 0)
        mutated = mutateBytes(mutated, seed);
      compile(mutated,
              seeds[i].string() + " with the seed " + std::to_string(seed));
      // Some build on each other.
      if (j % 3 != 0)
        bytes =
            mutated.size() < kMaxBytes && j % 8 != 7 ? mutated : read(seeds[i]);
    }
  }
  std::cout << numModels << " models\n";
  return failed;
}
