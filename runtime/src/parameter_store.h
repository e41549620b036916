// The parameters of a session.
#ifndef DANN_RUNTIME_PARAMETER_STORE_H
#define DANN_RUNTIME_PARAMETER_STORE_H

#include "dann/program.hpp"

#include <cstdint>
#include <vector>

namespace dann {

/// Owns the values of all parameters, in the order of the description. They are
/// written through `begin_write` and nowhere else: all that is handed out
/// besides is read-only. So `version` tells whether what was computed from
/// parameters still belongs to them.
class ParameterStore {
public:
  explicit ParameterStore(const Description &description) {
    for (const Parameter &parameter : description.parameters) {
      tensors_.emplace_back(description.element_type, parameter.shape);
      views_.push_back(tensors_.back().as_read_only());
    }
    has_value_.resize(tensors_.size());
  }

  std::size_t size() const { return views_.size(); }

  /// A read-only handle, which later writes are seen through.
  const Tensor &operator[](std::size_t index) const { return views_[index]; }

  /// False until all of the parameter has been written once.
  bool has_value(std::size_t index) const { return has_value_[index]; }

  /// The buffer of a parameter that is about to change. Whoever asks for it
  /// writes before anybody calls a function of the session again.
  void *begin_write(std::size_t index) {
    ++version_;
    return tensors_[index].mutable_bytes();
  }

  /// All of the parameter has been written.
  void end_write(std::size_t index) { has_value_[index] = true; }

  /// Another one after each `begin_write`.
  std::uint64_t version() const { return version_; }

private:
  std::vector<Tensor> tensors_, views_; // handles to the same buffers
  std::vector<bool> has_value_;
  std::uint64_t version_ = 0;
};

} // namespace dann

#endif // DANN_RUNTIME_PARAMETER_STORE_H
