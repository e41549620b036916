// Writing safetensors files; dann/tensor.hpp declares the rest.
#ifndef DANN_RUNTIME_SAFETENSORS_H
#define DANN_RUNTIME_SAFETENSORS_H

#include "dann/tensor.hpp"

namespace dann {

class AtomicFile;

/// Writes what save_tensors writes, and leaves it to the caller to commit the
/// file. Throws InputOutput.
void write_tensors(AtomicFile &file, const TensorMap &tensors,
                   const Metadata &metadata);

} // namespace dann

#endif // DANN_RUNTIME_SAFETENSORS_H
