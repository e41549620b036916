// Files of one array: NumPy's .npy and the IDX format of the MNIST family.
#ifndef DANN_RUNTIME_ARRAY_FILE_H
#define DANN_RUNTIME_ARRAY_FILE_H

#include "dann/tensor.hpp"

#include <string>

namespace dann {

/// Reads an array file, plain or compressed with gzip. The format is told by
/// the content, not by the name.
///
/// .npy: versions 1 to 3; little-endian f4 f8 i1 i2 i4 i8 u1 u2 u4 b1, in
/// C order. IDX: unsigned and signed bytes, 16- and 32-bit integers, f4, f8.
///
/// Throws InputOutput, InvalidData or OutOfMemory; a hostile file can do no
/// more than that.
Tensor load_array(const std::string &path);

/// Writes a .npy file, all or nothing. Throws InputOutput.
void save_npy(const std::string &path, const Tensor &tensor);

} // namespace dann

#endif // DANN_RUNTIME_ARRAY_FILE_H
