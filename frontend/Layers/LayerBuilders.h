//===- LayerBuilders.h - What layers build with ---------------------------===//

#ifndef DANN_FRONTEND_LAYERS_LAYERBUILDERS_H
#define DANN_FRONTEND_LAYERS_LAYERBUILDERS_H

#include "Dann/Dann.h"
#include "Utils/LinalgBuilder.h"
#include "model.pb.h"

#include "mlir/IR/Builders.h"

#include <optional>

namespace mlir::dann {

struct Parameter {
  std::string name;
  Role role;
  Sign sign;
  RankedTensorType type;
  Location loc;
  Value initial; // in @init
};

/// What layers are built with in both functions.
class LayerBuilder {
public:
  /// For what has no form of its own here.
  OpBuilder &getBuilder() { return builder; }
  LinalgBuilder getLinalg() { return LinalgBuilder(builder, loc); }
  Location getLoc() const { return loc; }
  FloatType getElementType() const { return elementType; }

protected:
  LayerBuilder(OpBuilder &builder, FloatType elementType, bool splitsBiases)
      : builder(builder), elementType(elementType), splitsBiases(splitsBiases),
        loc(builder.getUnknownLoc()) {}

  OpBuilder &builder;
  FloatType elementType;
  bool splitsBiases; // as ParameterBuilder::addBias() says
  Location loc;      // of the current layer
};

/// Builds the initial values of parameters, in `@init`.
class ParameterBuilder : public LayerBuilder {
public:
  ParameterBuilder(OpBuilder &builder, FloatType elementType, Value seed,
                   bool splitsBiases)
      : LayerBuilder(builder, elementType, splitsBiases), seed(seed) {}

  /// The layer whose parameters come next.
  void startLayer(StringRef name, Location layerLoc) {
    prefix = name.str();
    loc = layerLoc;
  }

  /// Adds a parameter of the current layer, "<layer>.<role>". `scope` comes
  /// between the two in layers with several parameters of a role.
  void add(Role role, Sign sign, Value initial, StringRef scope = "");
  /// Adds the bias of the current layer, [units]. Where biases are split, these
  /// are two parameters, one of each sign, whose sum it is: `initial`'s
  /// positive or negative part and, further from zero, a number drawn uniformly
  /// from 0 to sqrt(2) `reach`, or 1 without a reach. (The authors' code for
  /// exponentiated gradients, which no zero leaves.)
  void addBias(Value initial, std::optional<double> reach,
               StringRef scope = "");
  ArrayRef<Parameter> getParameters() const { return parameters; }

  /// Random numbers from a stream of its own; `dann.random` says what mean and
  /// scale are to a distribution.
  Value random(Distribution distribution, double scale, ArrayRef<int64_t> shape,
               double mean = 0);
  /// A tensor with one value everywhere.
  Value filled(ArrayRef<int64_t> shape, double value);
  /// `rows` copies of the mean over the first dimension of `tensor`: its rows
  /// if it is a matrix, its filters if it holds those of a convolution.
  Value meanOfRows(Value tensor, int64_t rows);
  /// Each row of a nonnegative matrix divided by its sum.
  Value normalizeRows(Value matrix);
  Value negate(Value tensor);
  /// |tensor|, and 1 or -1 by the signs of its entries, 1 for zeros.
  Value magnitude(Value tensor);
  Value polarity(Value tensor);
  /// Each entry times 1 or -1, by chance.
  Value randomSigns(Value tensor);
  /// The columns of a matrix from `first` on times `factor`.
  Value scaleLastColumns(Value matrix, int64_t first, double factor);
  /// A square matrix with `value` on its diagonal.
  Value withDiagonal(Value matrix, double value);
  /// Of a square matrix `share` and of the identity the rest.
  Value mixWithIdentity(Value matrix, double share);
  /// All entries times `factor`.
  Value scale(Value tensor, double factor);

private:
  Value seed;
  std::string prefix;
  int64_t numStreams = 0;
  SmallVector<Parameter> parameters;
};

/// Builds the network, in `@forward`.
class ForwardBuilder : public LayerBuilder {
public:
  /// `parameters` are the values of all parameters of the network.
  ForwardBuilder(OpBuilder &builder, FloatType elementType,
                 ValueRange parameters, bool splitsBiases)
      : LayerBuilder(builder, elementType, splitsBiases),
        remaining(parameters) {}

  void startLayer(Location layerLoc) { loc = layerLoc; }

  /// The next parameter of the network.
  Value takeParameter() {
    Value parameter = remaining.front();
    remaining = remaining.drop_front();
    return parameter;
  }

  /// The bias that ParameterBuilder::addBias() added.
  Value takeBias();

  /// x [B, sizes...] as [B, product of the sizes].
  Value flatten(Value x);
  /// The activation, entry by entry.
  Value activate(::dann::model::Activation activation, Value z);
  /// z [B, units, ...] + bias [units].
  Value addBias(Value z, Value bias);
  /// Magnitudes [units, inputs] with signs: of the inputs the first
  /// `excitatory` ones excite, the others inhibit; if the units are the inputs,
  /// those others may be `ablated` from each other.
  Value applyColumnPolarity(Value magnitude, int64_t excitatory,
                            bool ablated = false);
  /// [B, sample...] of the network's element type.
  RankedTensorType getBatchType(ArrayRef<int64_t> sample) const;

private:
  ValueRange remaining;
};

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_LAYERBUILDERS_H
