//===- TiedInitializers.cpp - Initializers that are one parameter ---------===//

#include "frontend/Onnx/TiedInitializers.h"

#include "frontend/Onnx/OnnxFile.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

using namespace mlir;
using namespace mlir::dann::onnx;

namespace {
/// The elements of an f32 matrix.
struct Matrix {
  const char *bytes;
  int64_t rows, columns;

  /// None for a tensor that is no matrix, is damaged, or is kept elsewhere.
  static std::optional<Matrix> of(const proto::TensorProto &tensor) {
    if (tensor.data_type() != proto::TensorProto::FLOAT ||
        tensor.dims_size() != 2 || !tensor.has_raw_data() ||
        tensor.data_location() == proto::TensorProto::EXTERNAL)
      return std::nullopt;
    std::optional<int64_t> count =
        countElements({tensor.dims(0), tensor.dims(1)});
    if (!count || *count == 0 ||
        tensor.raw_data().size() != *count * sizeof(float))
      return std::nullopt;
    return Matrix{tensor.raw_data().data(), tensor.dims(0), tensor.dims(1)};
  }

  bool equals(int64_t at, const Matrix &other, int64_t otherAt) const {
    return std::memcmp(bytes + at * sizeof(float),
                       other.bytes + otherAt * sizeof(float),
                       sizeof(float)) == 0;
  }
  bool hasOneValue() const {
    for (int64_t i = 1; i < rows * columns; ++i)
      if (!equals(i, *this, 0))
        return false;
    return true;
  }
  bool isTransposeOf(const Matrix &other) const {
    if (rows != other.columns || columns != other.rows)
      return false;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j)
        if (!equals(i * columns + j, other, j * rows + i))
          return false;
    return true;
  }
};
} // namespace

void mlir::dann::onnx::tieTransposedInitializers(proto::GraphProto &graph) {
  llvm::StringMap<int> uses;
  for (const proto::TensorProto &tensor : graph.initializer())
    ++uses[tensor.name()];
  // A few shapes are shared by many matrices, so candidates are found by shape.
  std::map<std::pair<int64_t, int64_t>, std::vector<const proto::TensorProto *>>
      kept;
  llvm::StringMap<std::string> originals;
  for (const proto::TensorProto &tensor : graph.initializer()) {
    std::optional<Matrix> matrix = Matrix::of(tensor);
    // Names that occur twice are an error, which is found later.
    if (!matrix || tensor.name().empty() || uses[tensor.name()] != 1)
      continue;
    auto &others = kept[{matrix->columns, matrix->rows}];
    auto found = llvm::find_if(others, [&](const proto::TensorProto *other) {
      return matrix->isTransposeOf(*Matrix::of(*other));
    });
    if (found != others.end() && !matrix->hasOneValue())
      originals[tensor.name()] = (*found)->name();
    else
      kept[{matrix->rows, matrix->columns}].push_back(&tensor);
  }
  if (originals.empty())
    return;

  auto isCopy = [&](const auto &named) {
    return originals.contains(named.name());
  };
  // In the order of the file, not in that of the map.
  int numNodes = graph.node_size();
  for (const proto::TensorProto &tensor : graph.initializer()) {
    auto original = originals.find(tensor.name());
    if (original == originals.end())
      continue;
    proto::NodeProto &node = *graph.add_node();
    node.set_op_type("Transpose");
    node.set_name(tensor.name());
    node.add_input(original->second);
    node.add_output(tensor.name());
  }
  std::rotate(graph.mutable_node()->pointer_begin(),
              graph.mutable_node()->pointer_begin() + numNodes,
              graph.mutable_node()->pointer_end());
  auto &initializers = *graph.mutable_initializer();
  initializers.erase(
      std::remove_if(initializers.begin(), initializers.end(), isCopy),
      initializers.end());
  // Old models list initializers among the inputs.
  auto &inputs = *graph.mutable_input();
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(), isCopy),
               inputs.end());
}
