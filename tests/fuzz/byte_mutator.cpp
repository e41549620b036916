//===- byte_mutator.cpp - Bytes that are slightly wrong -------------------===//

#include "byte_mutator.h"

#include <random>

std::string mutateBytes(std::string bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  auto below = [&](size_t end) { return end == 0 ? 0 : random() % end; };
  for (size_t i = 0, e = 1 + below(4); i < e; ++i) {
    size_t at = below(bytes.size()), length = below(8);
    switch (below(5)) {
    case 0:
      bytes.resize(at);
      break;
    case 1:
      bytes.erase(at, length);
      break;
    case 2:
      bytes.insert(at, bytes.substr(below(bytes.size()), length));
      break;
    default:
      if (!bytes.empty())
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8)));
    }
  }
  return bytes;
}
