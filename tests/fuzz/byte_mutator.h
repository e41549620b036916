//===- byte_mutator.h - Bytes that are slightly wrong ---------------------===//

#ifndef DANN_TESTS_FUZZ_BYTE_MUTATOR_H
#define DANN_TESTS_FUZZ_BYTE_MUTATOR_H

#include <cstdint>
#include <string>

/// Flips, repeats, inserts or drops bytes. The same seed gives the same change.
std::string mutateBytes(std::string bytes, uint64_t seed);

#endif // DANN_TESTS_FUZZ_BYTE_MUTATOR_H
