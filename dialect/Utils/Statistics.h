//===- Statistics.h - Means and deviations of tensors ---------------------===//

#ifndef DANN_DIALECT_UTILS_STATISTICS_H
#define DANN_DIALECT_UTILS_STATISTICS_H

#include "Utils/LinalgBuilder.h"

namespace mlir::dann {

/// Means of the entries of a tensor over all its dimensions but one, and sums
/// of the squares of their differences from them: both [n], n being the size of
/// the dimension that is kept.
struct Statistics {
  Value mean;
  Value squares;
};

/// The statistics of `x` along its dimension `kept`, each over `count` entries,
/// a scalar of the element type.
Statistics buildStatistics(LinalgBuilder &b, Value x, unsigned kept,
                           Value count);

/// (x - mean) / sqrt(squares / divisor + epsilon), for a scalar `divisor`.
Value buildNormalized(LinalgBuilder &b, Value x, unsigned kept,
                      const Statistics &statistics, Value divisor,
                      double epsilon);

} // namespace mlir::dann

#endif // DANN_DIALECT_UTILS_STATISTICS_H
