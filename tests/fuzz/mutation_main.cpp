//===- mutation_main.cpp - A fixed number of mutated models ---------------===//
//
// usage: onnx-mutations NUMBER SECONDS SEEDS [FILE...]
//
// Imports each FILE, then some of the models below the directory SEEDS and
// NUMBER mutations of each, which are the same at every run. Fails when an
// import takes longer than SECONDS. One that crashes is named, and is left in
// the file onnx-mutations.crash.
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

static constexpr size_t kNumSeeds = 300;

// What is imported.
static std::string current, currentName;

/// All that is left to do is to tell which model it was.
static void reportCrash(int signal) {
  std::cerr << currentName << " crashes the importer\n";
  std::ofstream("onnx-mutations.crash", std::ios::binary) << current;
  std::_Exit(128 + signal);
}

static std::string read(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream)
    std::cerr << "cannot read " << path << '\n';
  return {std::istreambuf_iterator<char>(stream), {}};
}

int main(int argc, char **argv) {
  if (argc < 4) {
    std::cerr << "usage: onnx-mutations NUMBER SECONDS SEEDS [FILE...]\n";
    return 1;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL})
    std::signal(signal, reportCrash);
  const int number = std::atoi(argv[1]);
  const std::chrono::seconds limit(std::atoi(argv[2]));
  bool failed = false;
  size_t numImports = 0;
  auto import = [&](const std::string &bytes, const std::string &what) {
    current = bytes;
    currentName = what;
    auto start = std::chrono::steady_clock::now();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t *>(bytes.data()),
                           bytes.size());
    ++numImports;
    if (std::chrono::steady_clock::now() - start > limit) {
      std::cerr << what << " takes too long\n";
      failed = true;
    }
  };
  for (int i = 4; i < argc; ++i)
    import(read(argv[i]), argv[i]);

  std::vector<std::filesystem::path> seeds;
  for (const auto &entry :
       std::filesystem::recursive_directory_iterator(argv[3]))
    if (entry.path().extension() == ".onnx" && entry.file_size() < 20000)
      seeds.push_back(entry.path());
  std::sort(seeds.begin(), seeds.end());
  for (size_t i = 0, e = std::min(seeds.size(), kNumSeeds); i < e; ++i) {
    const std::filesystem::path &path = seeds[i * seeds.size() / e];
    std::string bytes = read(path);
    import(bytes, path);
    for (int j = 0; j < number; ++j) {
      uint64_t seed = i * number + j;
      std::string mutated = mutateModel(bytes, seed);
      if (j % 4 == 0)
        mutated = mutateBytes(mutated, seed);
      import(mutated, path.string() + " with the seed " + std::to_string(seed));
      // Some build on each other.
      if (j % 3 != 0)
        bytes = mutated.size() < 20000 && j % 8 != 7 ? mutated : read(path);
    }
  }
  std::cout << numImports << " imports\n";
  return failed;
}
