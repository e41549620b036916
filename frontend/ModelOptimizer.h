//===- ModelOptimizer.h - The optimizer of a model file -------------------===//

#ifndef DANN_FRONTEND_MODELOPTIMIZER_H
#define DANN_FRONTEND_MODELOPTIMIZER_H

#include "frontend/FileMessage.h"

#include "Dann/Dann.h"

namespace dann::model {
class Optimizer;
class Schedule;
} // namespace dann::model

namespace mlir::dann {

/// What a model file says of the optimizer.
struct ModelOptimizer {
  OptimizerAttrInterface optimizer; // null if there are errors
  ClipAttr clip;                    // null without clipping
  CosineAngleAttr cosineAngle;      // null if the learning rate is all layers'
  // Whether biases are the sums of two parameters of fixed signs.
  bool splitsBiases = false;
};

/// Checks and takes an optimizer of a known kind, which stands at `place`.
ModelOptimizer readOptimizer(const FileMessage &place,
                             const ::dann::model::Optimizer &message,
                             MLIRContext *context);

/// The same of the text of such a message, for models that are no model files.
/// `source` is where errors are said to be. Fails with diagnostics.
std::optional<ModelOptimizer> parseOptimizer(StringRef text, StringRef source,
                                             MLIRContext *context);

/// Checks and takes a schedule, which stands at `place`. Null if there are
/// errors.
ScheduleAttr readSchedule(const FileMessage &place,
                          const ::dann::model::Schedule &message,
                          MLIRContext *context);

} // namespace mlir::dann

#endif // DANN_FRONTEND_MODELOPTIMIZER_H
