// Compiled models.
#ifndef DANN_PROGRAM_HPP
#define DANN_PROGRAM_HPP

#include "dann/tensor.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dann {

struct ModelAbi;
class Program;
struct OnnxOptions;

/// The contract that every value of a parameter keeps.
enum class Sign { Any, NonNegative, NonPositive };

/// "any", "nonneg", "nonpos": the spelling of the compiler.
DANN_API const char *name_of(Sign sign);

/// A tensor that depends on parameters alone. The entry point `prepare`
/// computes all of them; sessions call it by themselves.
struct DerivedTensor {
  std::string name; ///< "derived/" and the parameters that it depends on
  ElementType element_type;
  Shape shape;
};

/// A tensor that the optimizer keeps between steps. Zero before the first one.
struct StateTensor {
  std::string name; ///< "<parameter>/<what>", e.g. "0.wex/momentum", or "step"
  ElementType element_type; ///< that of the program, or i64
  Shape shape;
};

enum class Access {
  Read,   ///< an input
  Write,  ///< a result
  Update, ///< read, then overwritten in place
};

/// How a learning rate falls.
enum class Decay { Constant, Exponential, Stepwise, Cosine };

/// The spelling of model files, in lower case.
DANN_API const char *name_of(Decay decay);

/// The course of the learning rate. What does not belong to the decay is not
/// used.
struct DANN_API Schedule {
  Decay decay = Decay::Constant;
  double factor = 1;       ///< in (0, 1]: for every `steps` steps
  std::int64_t steps = 1;  ///< positive
  double minimum = 0;      ///< in [0, 1]: what a cosine ends at
  std::int64_t warmup = 0; ///< steps in which the rate rises, not negative

  /// What the learning rate is multiplied by in a step, counted from 0:
  /// (step + 1) / warmup in the first `warmup` ones, then, t steps later,
  /// factor^(t / steps), the same of whole numbers (stepwise), or
  /// minimum + (1 - minimum) (1 + cos(pi min(t / steps, 1))) / 2.
  double factor_at(std::int64_t step) const;

  /// Whether all values are in their ranges.
  bool is_valid() const;

  bool operator==(const Schedule &other) const {
    return decay == other.decay && factor == other.factor &&
           steps == other.steps && minimum == other.minimum &&
           warmup == other.warmup;
  }
};

struct Parameter {
  std::string name; ///< "<layer>.<role>", e.g. "0.wex"
  /// wex, wix, wei, alpha, g, b, or w for `dense`; stat and polarity are not
  /// trained: running statistics, and signs of weights, 1 or -1.
  std::string role;
  Shape shape; ///< post-synaptic x pre-synaptic
  Sign sign;
  /// The value that sessions begin with, or null. Lives as long as the program.
  const void *initial_value = nullptr;
};

/// The extent of a dimension that is the number of samples given.
inline constexpr std::int64_t kBatch = -1;

struct Argument {
  std::string name;
  ElementType element_type;
  Shape shape; ///< the first extent may be kBatch
  Access access;
};

/// The memory that an entry point needs for intermediate values.
struct DANN_API Scratch {
  static constexpr std::int64_t kSampleGroup = 16;

  std::int64_t fixed_bytes = 0;
  /// For each kSampleGroup samples, of which the last ones may be fewer.
  std::int64_t bytes_per_sample_group = 0;
  /// The largest set of values alive at one time, which no plan can undercut.
  std::int64_t fixed_live_bytes = 0;
  std::int64_t live_bytes_per_sample_group = 0;

  /// The memory of a call on so many samples, and its lower bound; INT64_MAX if
  /// it is more than that.
  std::int64_t bytes(std::int64_t samples) const;
  std::int64_t live_bytes(std::int64_t samples) const;
};

/// A part of an entry point, as profiles show it. What it computes and moves on
/// B samples, all threads together, is `flops + B * flops_per_sample`, and the
/// same of bytes.
struct Operation {
  std::string name;
  std::string kernel; ///< generated, onednn or loops
  std::int64_t flops, flops_per_sample;
  std::int64_t bytes, bytes_per_sample;
};

struct EntryPoint {
  std::string name;
  std::vector<Argument> arguments;
  Scratch scratch;
  std::vector<Operation> operations; ///< in the order of the program
};

/// What a program says of itself. The input, the classes, the defaults, the
/// loss and the optimizer belong to programs that train, and only in those the
/// names of arguments have a meaning.
struct Description {
  std::string name;
  ElementType element_type; ///< of parameters, input and results; f32 or f64
  Shape input_shape;        ///< of one sample
  double input_minimum = 0; ///< every input value lies in
  double input_maximum = 0; ///< [input_minimum, input_maximum]
  std::int64_t classes = 0; ///< labels lie in [0, classes); 0: does not train
  std::vector<Parameter> parameters;
  std::vector<DerivedTensor> derived_tensors;
  std::vector<StateTensor> state_tensors;
  std::vector<EntryPoint> entry_points;
  std::int64_t default_batch_size = 0;
  std::int64_t default_epochs = 0;
  double default_learning_rate = 0;
  Schedule default_schedule;
  std::string loss;
  std::string optimizer;
  std::string backend;
  std::string precision; ///< of products: f32, bf16 or f64
  std::string target_cpu;
  std::vector<std::string> cpu_features; ///< needed by the code, LLVM's names
};

/// A compiled model: code and its description, no parameter values.
/// Immutable; may be shared by any number of sessions and threads.
class DANN_API Program {
public:
  /// Loads a shared object made by `dann-compile --emit=shared`. The code in
  /// it is trusted as any other library is; its description is checked. Throws
  /// InputOutput if it cannot be loaded, InvalidData if it is no dann program,
  /// Incompatible if it was made for another version of this runtime.
  static std::shared_ptr<const Program> load(const std::string &path);

  /// The program of a model that is linked into the process, e.g. the
  /// `dann_model` of an executable. `model` has to live as long as the program,
  /// which keeps `owner` so long. Throws like `load`.
  static std::shared_ptr<const Program>
  from_model(const ModelAbi &model, std::shared_ptr<void> owner = nullptr);

  ~Program();
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  const Description &description() const { return description_; }

  /// The features that the code needs and this CPU, or its operating system,
  /// lacks. Empty if the program can run here.
  std::vector<std::string> missing_cpu_features() const;

private:
  friend class Session;
  friend void export_onnx(const Program &program, const TensorMap &parameters,
                          const std::string &path, const OnnxOptions &options);
  using Invoke = void (*)(void **descriptors);

  Program(const ModelAbi &model, std::shared_ptr<void> library);

  std::shared_ptr<void> library_; // keeps the code mapped
  Description description_;
  std::vector<Invoke> invoke_; // of description_.entry_points, in order

  /// Serialised: a ModelProto without its graph, and the GraphProto without the
  /// initializers that are parameters.
  struct OnnxModel {
    std::string model, graph;
  };
  std::optional<OnnxModel> onnx_;
  std::optional<OnnxModel> plain_onnx_; // if it differs
  std::string onnx_obstacle_;           // why there is none
};

} // namespace dann

#endif // DANN_PROGRAM_HPP
