// Trained networks for other tools.
#ifndef DANN_ONNX_HPP
#define DANN_ONNX_HPP

#include "dann/program.hpp"

#include <string>

namespace dann {

struct OnnxOptions {
  /// E/I layers in operators of ONNX, instead of nodes of the domain ai.dann
  /// with a function each.
  bool plain_operators = false;
};

/// Writes the network of a program with these parameters as an ONNX model. The
/// file appears under its name complete and on disk, or not at all.
///
/// `parameters` holds all parameters and nothing else, as Session::parameters
/// gives them. Throws InvalidArgument if they are not those of the program;
/// Incompatible if the program holds no ONNX model, or if it would have more
/// than the 2 GB that ONNX's format allows; and InputOutput.
DANN_API void export_onnx(const Program &program, const TensorMap &parameters,
                          const std::string &path,
                          const OnnxOptions &options = {});

} // namespace dann

#endif // DANN_ONNX_HPP
