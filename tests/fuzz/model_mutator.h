//===- model_mutator.h - ONNX models that are slightly wrong --------------===//

#ifndef DANN_TESTS_FUZZ_MODEL_MUTATOR_H
#define DANN_TESTS_FUZZ_MODEL_MUTATOR_H

#include <cstdint>
#include <string>

/// Changes fields of a model that can be parsed: dimensions, types, attributes,
/// names, contents of tensors, what is known at compile time. Bytes that cannot
/// be parsed are left as they are. The same seed gives the same change.
std::string mutateModel(const std::string &bytes, uint64_t seed);

#endif // DANN_TESTS_FUZZ_MODEL_MUTATOR_H
