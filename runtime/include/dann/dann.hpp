// The C++ interface of the dann runtime: load a compiled model, run and train
// it inside an application.
//
//   auto program = dann::Program::load("fashion.so");
//   dann::Session session(program, {/*threads=*/2});
//   session.load_parameters("fashion.safetensors");
//   dann::Tensor logits =
//       session.forward(dann::Tensor::borrow(pixels, {samples, 784}));
//
// Functions report errors by throwing dann::Error.
#ifndef DANN_DANN_HPP
#define DANN_DANN_HPP

#include "dann/error.hpp"
#include "dann/onnx.hpp"
#include "dann/program.hpp"
#include "dann/session.hpp"
#include "dann/tensor.hpp"
#include "dann/training.hpp"

#endif // DANN_DANN_HPP
