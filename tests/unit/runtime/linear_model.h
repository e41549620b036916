// A model written by hand; see linear_model.cpp.
#ifndef DANN_TESTS_LINEAR_MODEL_H
#define DANN_TESTS_LINEAR_MODEL_H

#include "model_abi.h"

#include <string>
#include <vector>

namespace dann {

namespace proto {
class Program;
}

#ifndef DANN_LINEAR_FEATURES
#define DANN_LINEAR_FEATURES 4
#define DANN_LINEAR_CLASSES 3
#endif
inline constexpr std::int64_t kFeatures = DANN_LINEAR_FEATURES;
inline constexpr std::int64_t kClasses = DANN_LINEAR_CLASSES;

proto::Program linear_description();

/// The model under a description that a test may have altered.
struct LinearModel {
  explicit LinearModel(const proto::Program &description);
  LinearModel(const LinearModel &) = delete;

  std::string serialized;
  std::vector<EntryPointAbi> entry_points;
  ModelAbi abi;
};

} // namespace dann

#endif // DANN_TESTS_LINEAR_MODEL_H
