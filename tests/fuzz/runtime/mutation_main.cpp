// usage: mutations NUMBER [FILE...]
//
// Tries each FILE, or else all seeds and NUMBER mutations of each, which are
// the same at every run. An input that ends the process is named, and is left
// in the file mutation.crash.
#include "byte_mutator.h"
#include "target.h"

#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

static std::string current, current_name;

static void report_crash(int signal) {
  std::cerr << current_name << " crashes the runtime\n";
  std::ofstream("mutation.crash", std::ios::binary) << current;
  std::_Exit(128 + signal);
}

static void try_named(const std::string &bytes, const std::string &name) {
  current = bytes;
  current_name = name;
  try_input(bytes);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    std::cerr << "usage: mutations NUMBER [FILE...]\n";
    return 1;
  }
  for (int signal : {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL})
    std::signal(signal, report_crash);
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    try_named({std::istreambuf_iterator<char>(file), {}}, argv[i]);
  }
  if (argc > 2)
    return 0;

  const std::uint64_t number = std::strtoull(argv[1], nullptr, 10);
  const std::vector<std::string> seeds = make_seeds();
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::string bytes = seeds[i];
    try_named(bytes, "seed " + std::to_string(i));
    for (std::uint64_t j = 0; j < number; ++j) {
      std::uint64_t seed = i * number + j;
      std::string mutated = mutate_input(bytes, seed);
      if (j % 4 == 0)
        mutated = mutateBytes(mutated, seed);
      try_named(mutated, "seed " + std::to_string(i) + ", mutation " +
                             std::to_string(j));
      // Some build on each other.
      bytes = j % 8 == 7 || mutated.size() > 20000 ? seeds[i] : mutated;
    }
  }
  std::cout << seeds.size() << " seeds, " << number << " mutations of each\n";
}
