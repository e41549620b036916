// The entry points of libFuzzer. With DANN_WRITE_SEEDS set to a directory the
// seeds are left there, to begin with.
#include "byte_mutator.h"
#include "target.h"

#include <algorithm>
#include <fstream>

extern "C" int LLVMFuzzerInitialize(int *, char ***) {
  if (const char *directory = std::getenv("DANN_WRITE_SEEDS")) {
    int number = 0;
    for (const std::string &seed : make_seeds())
      std::ofstream(std::string(directory) + "/seed-" +
                        std::to_string(number++),
                    std::ios::binary)
          << seed;
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data,
                                      std::size_t size) {
  try_input(std::string(reinterpret_cast<const char *>(data), size));
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t *data, std::size_t size,
                                        std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t *data,
                                               std::size_t size,
                                               std::size_t max_size,
                                               unsigned seed) {
  // libFuzzer's own mutations, too: they know what the code compares with.
  if (seed % 3 == 0)
    return LLVMFuzzerMutate(data, size, max_size);
  std::string bytes(reinterpret_cast<const char *>(data), size);
  bytes = seed % 8 == 0 ? mutateBytes(bytes, seed) : mutate_input(bytes, seed);
  if (bytes.size() > max_size)
    return size;
  std::copy(bytes.begin(), bytes.end(), data);
  return bytes.size();
}
