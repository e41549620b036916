//===- Layer.h - One layer of a model file --------------------------------===//
//
// Each kind of layer is a class in a file of its own in this folder, which
// checks its message, makes its initial values and builds its forward pass.
//
//===----------------------------------------------------------------------===//

#ifndef DANN_FRONTEND_LAYERS_LAYER_H
#define DANN_FRONTEND_LAYERS_LAYER_H

#include "frontend/FileMessage.h"
#include "frontend/Layers/LayerBuilders.h"
#include "model.pb.h"

#include <memory>

namespace mlir::dann {

/// The shape of one sample, without the batch.
using SampleShape = SmallVector<int64_t, 3>;

class Layer {
public:
  /// The layer of the message, the `index`-th one of its network. Null without
  /// an error if it has no kind.
  static std::unique_ptr<Layer> create(const ::dann::model::Layer &message,
                                       int index);
  virtual ~Layer() = default;

  /// Checks the fields of the layer, the message inside of
  /// `dann.model.Layer`, for samples of shape `input`. Returns the shape of its
  /// results; nothing if that is unknown, after an error. Called first, once.
  virtual std::optional<SampleShape> check(const FileMessage &message,
                                           ArrayRef<int64_t> input) = 0;

  /// Adds the parameters with their initial values. A layer without any adds
  /// none.
  virtual void addParameters(ParameterBuilder &) const {}

  /// Builds the results [B, results...] for `x` [B, input...], taking the
  /// parameters from `builder` in the order in which they were added.
  virtual Value buildForward(ForwardBuilder &builder, Value x) const = 0;

  /// The prefix of the names of its parameters.
  StringRef getName() const { return name; }
  /// Where the layer stands in its file.
  Location getLocation() const { return *location; }
  void setLocation(Location loc) { location = loc; }

protected:
  /// Whether nothing comes before it but the input.
  bool isFirst() const { return index == 0; }

private:
  std::string name;
  int index = 0;
  std::optional<Location> location;
};

/// The number of values of a sample.
int64_t getNumElements(ArrayRef<int64_t> shape);

/// Whether `units` units with `inputs` inputs each are few enough; otherwise an
/// error in `field`.
bool checkWeights(const FileMessage &message, StringRef field, int64_t units,
                  int64_t inputs);

/// The numerator of the squared scale of initial weights; `otherwise` if not
/// given, and nothing after an error.
std::optional<double> checkNumerator(const FileMessage &message,
                                     double otherwise);

/// How many inputs of a ColumnEI layer are of which polarity.
struct ColumnPartition {
  int64_t excitatory = 0, inhibitory = 0;
};

/// Of `total` inputs for `ratio` excitatory ones on each inhibitory one: the
/// share of the inhibitory ones is rounded up. (Cornford et al., released
/// code.)
ColumnPartition partitionColumns(int64_t total, int64_t ratio);

/// Magnitudes [units, inputs] for which excitation and inhibition balance, and
/// the variance of what a unit receives is 1, for inputs of E[x^2] = 1 and
/// E[x]^2 = 1 / (2 pi).
Value drawBalancedColumns(ParameterBuilder &b, int64_t units,
                          ColumnPartition inputs);

// One for each kind, for Layer::create.
std::unique_ptr<Layer> createLayer(const ::dann::model::EiDense &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::Dense &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::EiConv2d &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::Conv2d &message);
std::unique_ptr<Layer> createMaximumPool(const ::dann::model::Pool2d &message);
std::unique_ptr<Layer> createAveragePool(const ::dann::model::Pool2d &message);
std::unique_ptr<Layer>
createLayer(const ::dann::model::GlobalAveragePool &message);
std::unique_ptr<Layer>
createLayer(const ::dann::model::AdaptiveAveragePool2d &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::Flatten &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::Dropout &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::ColumnEi &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::EiRecurrent &message);
std::unique_ptr<Layer> createLayer(const ::dann::model::Recurrent &message);
std::unique_ptr<Layer>
createLayer(const ::dann::model::ColumnEiRecurrent &message);

} // namespace mlir::dann

#endif // DANN_FRONTEND_LAYERS_LAYER_H
